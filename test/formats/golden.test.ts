/**
 * Events and answers that AWS really sent. They are not part of this project; where they lie beside it, they decide.
 * Those of a REST API are in `rest-api.test.ts`.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createFetch } from "../../src/fetch.ts";
import { alb, albMultiValue } from "../../src/formats/alb.ts";
import type { EventRequest, Format } from "../../src/formats/format.ts";
import { functionUrl } from "../../src/formats/function-url.ts";
import { httpApi } from "../../src/formats/http-api.ts";
import { restApi } from "../../src/formats/rest-api.ts";
import type { Invoker } from "../../src/invoke/invoker.ts";
import type { Target } from "../../src/target.ts";

type Fields = [name: string, value: string][];
type Json = Record<string, unknown>;

const FIXTURES = new URL("../../../shared/fixtures/events/", import.meta.url);

function fixture<Content = Json>(file: string): Content {
  return JSON.parse(readFileSync(new URL(file, FIXTURES), "utf8")) as Content;
}

/** The event as a function gets it: through JSON. */
function encode(format: Format, request: Partial<EventRequest>, target: Target = { functionName: "app" }): Json {
  const whole = { method: "GET", path: "/", query: "", headers: [], body: null, ...request };
  return JSON.parse(JSON.stringify(format.encode(whole, target))) as Json;
}

/** What the service adds to the caller's headers, and what is counted anew. */
const ADDED = /^x-(?:amzn-tls-.*|amzn-trace-id|forwarded-.*|imforwards)$|^content-length$/;

/** The headers that the caller sent, in a casing of its own, those in `apart` as separate fields. */
function sentHeaders({ headers, multiValueHeaders }: Json, apart: Record<string, string[]> = {}): Fields {
  const entries = Object.entries((headers ?? multiValueHeaders) as Record<string, string | string[]>);
  return entries
    .filter(([name]) => !ADDED.test(name))
    .flatMap(([name, value]) =>
      [apart[name] ?? value].flat().map((one): [string, string] => [name.replace(/\b[a-z]/g, upper), one]),
    );
}

function upper(letter: string): string {
  return letter.toUpperCase();
}

/** `a.b.c` -> value; arrays and empty objects are values. */
function flatten(object: Json, prefix = ""): Map<string, unknown> {
  return new Map(
    Object.entries(object).flatMap(([key, value]): [string, unknown][] => {
      const isMap = typeof value === "object" && value !== null && !Array.isArray(value);
      if (!isMap || Object.keys(value).length === 0) return [[`${prefix}${key}`, value]];
      return [...flatten(value as Json, `${prefix}${key}.`)];
    }),
  );
}

interface Case {
  readonly file: string;
  readonly format: Format;
  readonly request?: Partial<EventRequest>;
  /** Headers that the caller sent several times. */
  readonly apart?: Record<string, string[]>;
  /** Headers that the caller must have sent, though the file does not show them. */
  readonly hidden?: Fields;
  readonly target?: Target;
}

const ALB_TARGET = { accountId: "123456789012", region: "us-east-1" };
const CASES: readonly Case[] = [
  { file: "v2-functionurl-get-none.json", format: functionUrl },
  { file: "v2-functionurl-get-iam.json", format: functionUrl },
  {
    file: "v2-functionurl-post-base64.json",
    format: functionUrl,
    request: { method: "POST", body: Buffer.from("<idk/>") },
  },
  {
    file: "v2-functionurl-post-cookies.json",
    format: functionUrl,
    request: { method: "POST", path: "/hello", query: "hello=world&foo=bar", body: '{"hello": "world"}' },
    apart: { header2: ["h1", "h2"] },
  },
  {
    file: "v2-functionurl-iam-docs.json",
    format: functionUrl,
    request: {
      method: "POST",
      path: "/my/path",
      query: "parameter1=value1&parameter1=value2&parameter2=value",
      body: "Hello from client!",
    },
    apart: { header2: ["value1", "value2"] },
    hidden: [
      ["Host", "<url-id>.lambda-url.us-west-2.on.aws"],
      ["User-Agent", "agent"],
      ["Content-Type", "text/plain"],
      ["Cookie", "cookie1; cookie2"],
    ],
  },
  {
    file: "v2-httpapi-get.json",
    format: httpApi,
    target: { functionName: "app", accountId: "123456789012" },
  },
  {
    file: "alb-single-get.json",
    format: alb,
    request: { query: "key=hello" },
    target: { ...ALB_TARGET, functionName: "lambda-target" },
  },
  {
    file: "alb-multi-get.json",
    format: albMultiValue,
    request: { path: "/todos", query: "parameter1=value1&parameter2=value&parameter1=value2" },
    target: { functionName: "alb-c-Targe-11GDXTPQ7663S", accountId: "1234567890", region: "eu-central-1" },
  },
  {
    file: "alb-health-check.json",
    format: alb,
    target: { functionName: "my-target-group", accountId: "123456789012", region: "region" },
  },
];

const ABSENT = Symbol("absent");
const UUID = expect.stringMatching(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
const TRACE = expect.stringMatching(/^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$/);

interface Excuse {
  readonly key: RegExp;
  readonly file?: RegExp;
  readonly why: string;
  /** What we send instead; a function makes it of theirs. {@link ABSENT}: only theirs has the key. */
  readonly ours: unknown;
  /** Only ours has the key. */
  readonly theirs?: typeof ABSENT;
}

/** Every difference that may be, and why. */
const EXCUSED: readonly Excuse[] = [
  { key: /^requestContext\.requestId$/, file: /functionurl/, why: "an id of the call", ours: UUID },
  {
    key: /^requestContext\.requestId$/,
    file: /httpapi/,
    why: "an id of the call",
    ours: expect.stringMatching(/^[A-Za-z0-9+/]{15}=$/),
  },
  {
    key: /eaders\.x-amzn-trace-id$/,
    file: /^(?!alb-health|.*docs)/,
    why: "an id of the call",
    ours: (theirs: unknown) => (Array.isArray(theirs) ? [TRACE] : TRACE),
  },
  {
    key: /eaders\.x-forwarded-for$/,
    file: /^(?!alb-health|.*docs)/,
    why: "the address of the caller",
    ours: (theirs: unknown) => (Array.isArray(theirs) ? ["127.0.0.1"] : "127.0.0.1"),
  },
  { key: /^requestContext\.http\.sourceIp$/, why: "the address of the caller", ours: "127.0.0.1" },
  {
    key: /^requestContext\.accountId$/,
    file: /iam|post-/,
    why: "with AWS_IAM it is the caller's; a URL without authorization has this",
    ours: "anonymous",
  },
  { key: /^requestContext\.authorizer\./, why: "only a URL with AWS_IAM has one", ours: ABSENT },
  {
    key: /^headers\.x-amzn-tls-cipher-suite$/,
    file: /get|post/,
    why: "of the connection; ours is what AWS records of a client of today",
    ours: "TLS_AES_128_GCM_SHA256",
  },
  { key: /^headers\.x-amzn-tls-version$/, file: /get|post/, why: "the same", ours: "TLSv1.3" },
  {
    key: /^requestContext\.http\.userAgent$/,
    file: /get-none/,
    why: "the recorder wrote a placeholder over it",
    ours: expect.stringMatching(/^Mozilla/),
  },
  {
    key: /^requestContext\.apiId$/,
    file: /iam-docs/,
    why: "spelled differently from the other places, in the docs",
    ours: "<url-id>",
  },
  {
    key: /^requestContext\.time$/,
    file: /iam-docs/,
    why: "the docs' time and timeEpoch are eight days apart",
    ours: "04/Mar/2020:19:03:58 +0000",
  },
  {
    key: /^(?:requestContext\.authentication|pathParameters|stageVariables)$/,
    file: /iam-docs/,
    why: "the docs show null, the recordings have no such key",
    ours: ABSENT,
  },
  {
    key: /^headers\.(?:host|user-agent|cookie|content-(?:type|length)|x-(?:amzn|forwarded)-.*)$/,
    file: /iam-docs/,
    why: "the docs show two headers of all",
    theirs: ABSENT,
    ours: expect.any(String),
  },
  {
    key: /^requestContext\.elb\.targetGroupArn$/,
    why: "the id of a target group",
    ours: (theirs: string) => theirs.replace(/[^/]+$/, "0000000000000000"),
  },
  {
    key: /^headers\.connection$/,
    file: /alb/,
    why: "it is about a connection; recordings after 2019 have it no more",
    ours: ABSENT,
  },
  {
    key: /^headers\.x-imforwards$/,
    why: "the load balancer's own; recordings after 2019 have it no more",
    ours: ABSENT,
  },
  {
    key: /eaders\.x-forwarded-port$/,
    file: /alb-(?:single|multi)/,
    why: "recorded over HTTP, which no call to a function is",
    ours: (theirs: unknown) => (Array.isArray(theirs) ? ["443"] : "443"),
  },
  {
    key: /eaders\.x-forwarded-proto$/,
    file: /alb-(?:single|multi)/,
    why: "the same",
    ours: (theirs: unknown) => (Array.isArray(theirs) ? ["https"] : "https"),
  },
  {
    key: /^headers\.(?:host|x-.*)$/,
    file: /alb-health/,
    why: "a health check is made by the load balancer and forwarded by none",
    theirs: ABSENT,
    ours: expect.any(String),
  },
];

/** Samples of the docs that no AWS service sends as they stand: of these, the values alone. */
const SAMPLES: readonly (Case & { why: string; keys: readonly string[] })[] = [
  {
    file: "alb-multi-encoded-query.json",
    why: "single and multi-value maps in one event",
    format: albMultiValue,
    request: {
      query: "myKey=%3FshowAll%3Dtrue&myKey=%3FshowAll%3Dfalse",
      headers: [
        ["Cookie", "name1=value1"],
        ["Cookie", "name2=value2"],
        ["Content-Type", "text/plain"],
      ],
      body: "request_body",
    },
    keys: [
      ...["httpMethod", "path", "multiValueQueryStringParameters", "multiValueHeaders.cookie", "body"],
      ...["multiValueHeaders.content-type", "multiValueHeaders.x-forwarded-port", "isBase64Encoded"],
      "multiValueHeaders.x-forwarded-proto",
    ],
  },
  {
    file: "v2-httpapi-path-with-space.json",
    why: "capitals in header names, no host, a body without a type",
    format: httpApi,
    request: {
      method: "POST",
      path: "/my/path-with%20space",
      query: "parameter1=value1&parameter1=value2&parameter2=value",
      headers: [
        ["Cookie", "cookie1=value1; cookie2=value2"],
        ["Content-Type", "text/plain"],
        ["User-Agent", "agent"],
      ],
      body: "Hello from Lambda",
    },
    target: { functionName: "app", accountId: "123456789012" },
    keys: [
      ...["version", "routeKey", "rawPath", "rawQueryString", "cookies", "queryStringParameters", "body"],
      ...["isBase64Encoded", "requestContext.accountId", "requestContext.http.method", "requestContext.http.path"],
      ...["requestContext.http.protocol", "requestContext.http.userAgent", "requestContext.routeKey"],
      "requestContext.stage",
    ],
  },
  {
    file: "v1-httpapi-get-docs.json",
    why: "payload 1.0 of an HTTP API, which is no format of ours, with a version and a body on GET",
    format: restApi,
    request: {
      path: "/my/path",
      query: "parameter1=value1&parameter1=value2&parameter2=value",
      headers: [
        ["Header1", "value1"],
        ["Header2", "value1"],
        ["Header2", "value2"],
        ["Origin", "https://aws.amazon.com"],
      ],
      body: "Hello from Lambda!",
    },
    target: { functionName: "app", accountId: "123456789012" },
    keys: [
      ...["path", "httpMethod", "multiValueQueryStringParameters", "queryStringParameters.parameter2"],
      ...["headers.Header1", "headers.Header2", "headers.Origin", "multiValueHeaders.Header1", "body"],
      ...["multiValueHeaders.Header2", "multiValueHeaders.Origin", "stageVariables", "isBase64Encoded"],
      ...["requestContext.accountId", "requestContext.httpMethod", "requestContext.path", "requestContext.protocol"],
      "requestContext.stage",
    ],
  },
];

describe("what AWS recorded", () => {
  if (!existsSync(FIXTURES)) {
    test("is not here", () =>
      console.info("../shared/fixtures is absent: the recordings of AWS are not compared with"));
    return;
  }

  afterEach(() => void vi.useRealTimers());

  test("every file is compared with, here or with rest-api", () => {
    const elsewhere = ["v1-rest-localstack-validated.json", "responses-v1-rest-validated.json"];
    const here = ["v2-functionurl-localstack-validated.json", "responses-functionurl-validated.json"];
    const compared = [...CASES, ...SAMPLES].map(({ file }) => file);
    const files = readdirSync(FIXTURES).filter((file) => file.endsWith(".json"));
    expect(files.sort()).toEqual([...compared, ...here, ...elsewhere].sort());
  });

  function bothOf({ file, format, request, apart, hidden = [], target }: Case): [Map<string, unknown>, typeof theirs] {
    const event = fixture(file);
    const { timeEpoch } = event.requestContext as { timeEpoch?: number };
    if (timeEpoch !== undefined) vi.setSystemTime(timeEpoch);
    const theirs = flatten(event);
    const headers = [...sentHeaders(event, apart), ...hidden];
    return [theirs, flatten(encode(format, { ...request, headers }, target))];
  }

  const excuseOf = (file: string, key: string): Excuse | undefined =>
    EXCUSED.find((one) => one.key.test(key) && (one.file ?? /^/).test(file));

  test.each(CASES)("$file", (one) => {
    const [theirs, ours] = bothOf(one);
    for (const [key, value] of theirs) {
      const excuse = excuseOf(one.file, key);
      if (excuse?.ours === ABSENT) expect(ours.has(key), key).toBe(false);
      else if (excuse === undefined) expect(ours.get(key), key).toEqual(value);
      else {
        expect(excuse.theirs, `${key}: only ours should have it`).toBeUndefined();
        expect(ours.get(key), key).toEqual(excuse.ours instanceof Function ? excuse.ours(value) : excuse.ours);
      }
    }
    for (const [key, value] of ours) {
      if (theirs.has(key)) continue;
      const excuse = excuseOf(one.file, key);
      expect(excuse?.theirs, `${key}: only ours has it`).toBe(ABSENT);
      expect(value, key).toEqual(excuse?.ours);
    }
  });

  test("no excuse is without use", () => {
    const used = CASES.flatMap((one) => {
      const [theirs, ours] = bothOf(one);
      return [...theirs.keys(), ...ours.keys()].map((key) => excuseOf(one.file, key));
    });
    expect(EXCUSED.filter((excuse) => !used.includes(excuse)).map(({ key, why }) => [key, why])).toEqual([]);
  });

  test.each(SAMPLES)("the values of $file, which has $why", ({ file, format, request, target, keys }) => {
    const [theirs, ours] = [fixture(file), encode(format, request ?? {}, target)];
    const at = (event: Json, path: string): unknown =>
      path.split(".").reduce<unknown>((value, key) => (value as Json)[key], event);
    for (const key of keys) {
      expect(at(theirs, key), key).toBeDefined();
      expect(at(ours, key), key).toEqual(at(theirs, key));
    }
  });

  test("v2-functionurl-localstack-validated.json", () => {
    const { echo } = fixture<{ echo: Json }>("v2-functionurl-localstack-validated.json");
    const event = functionUrl.encode(
      {
        method: "POST",
        path: "/pa2%25Fth/1",
        query: "q=query&multiQuery=foo&multiQuery=%2Fbar",
        headers: [
          ["User-Agent", "test/echo"],
          ["Accept-Encoding", "gzip, deflate"],
          ["Accept", "*/*"],
          ["Connection", "keep-alive"],
          ["Content-Type", "application/json"],
          ["ExTrA-HeadErs", "With WeiRd CapS"],
          ["Content-Length", "14"],
        ],
        body: '{"foo": "bar"}',
      },
      { functionName: "app" },
    );
    const { domainName, http } = event.requestContext;
    const ours = {
      ...{ args: event.queryStringParameters, data: JSON.parse(event.body ?? ""), domain: domainName },
      ...{ headers: { ...event.headers }, method: http.method, origin: http.sourceIp, path: http.path },
    };
    // The recorder's placeholders stand for values: where theirs are the same, so are ours.
    const named = new Map<unknown, unknown>();
    const filled = JSON.parse(JSON.stringify(echo), (key, value) => {
      if (typeof value !== "string" || !/^<.*>$/.test(value)) return value;
      if (!named.has(value)) named.set(value, flatten(ours).get(key) ?? flatten(ours).get(`headers.${key}`));
      expect(named.get(value), value).toBeTruthy();
      return named.get(value);
    });
    expect(ours).toEqual(filled);
    expect(named.size).toBe(7);
  });

  interface Answered {
    readonly id: string;
    readonly lambda_result: unknown;
    readonly function_error?: string;
    readonly status: number;
    readonly content_type?: string;
    readonly content_length?: number;
    readonly client_body?: unknown;
  }

  const answers = fixture<{ cases: Answered[] }>("responses-functionurl-validated.json").cases;

  /** Where a direct client should not say what AWS says, or the file does not show the text. */
  const OTHER_BODIES: Readonly<Record<string, { why: string; body: string }>> = {
    "unhandled-exception": { why: "the function's own message, for 'Internal Server Error'", body: "it broke" },
    "object-body": { why: "the file says: JSON text of body", body: '{"any":"object"}' },
  };

  test("eleven answers, and each of the other bodies is one of them", () => {
    expect(answers).toHaveLength(11);
    expect(answers.map(({ id }) => id)).toEqual(expect.arrayContaining(Object.keys(OTHER_BODIES)));
  });

  test.each(answers)("answer to $id", async ({ id, lambda_result, function_error, ...expected }) => {
    const result = function_error === undefined ? lambda_result : { errorMessage: "it broke", errorType: "Exception" };
    const invoker: Invoker = {
      async invoke() {
        const payload = Buffer.from(JSON.stringify(result));
        return function_error === undefined ? { payload } : { payload, functionError: function_error };
      },
    };
    const response = await createFetch({ invoker, payloadFormat: "function-url" })("http+lambda://app/");
    expect(response.status).toBe(expected.status);
    const { content_type: type, content_length: length } = expected;
    if (type !== undefined) expect(response.headers.get("content-type")).toBe(type);
    if (length !== undefined) expect(response.headers.get("content-length")).toBe(String(length));
    const text = await response.text();
    const body = OTHER_BODIES[id]?.body ?? expected.client_body;
    if (typeof body === "string") expect(text).toBe(body);
    else expect(JSON.parse(text)).toEqual(body);
  });
});
