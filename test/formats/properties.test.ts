/**
 * For all requests: what an adapter reads from an event is the request, but for what the event source is known to lose.
 * For all results: a response, or an error that says why not.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AlbEvent, AlbMultiValueEvent } from "../../src/formats/alb.ts";
import { type EventRequest, type HeaderList, InvalidResultError } from "../../src/formats/format.ts";
import { FORMATS, type PayloadFormat } from "../../src/formats/formats.ts";
import type { PayloadV2Event } from "../../src/formats/payload-v2.ts";
import type { RestApiEvent } from "../../src/formats/rest-api.ts";

/** Values by name; the order of names has no meaning. */
type Grouped = [name: string, values: string[]][];

/** A request as an application sees it. */
interface Seen {
  method: string;
  path: string;
  /** As text where the format has it so. */
  query: string | Grouped;
  /** By names in lower case, without those that the service sets. */
  headers: Grouped;
  /** In base64. */
  body: string;
}

type Pairs = readonly (readonly [name: string, value: string])[];

function grouped(pairs: Pairs): Grouped {
  const groups = new Map<string, string[]>();
  for (const [name, value] of pairs) groups.set(name, [...(groups.get(name) ?? []), value]);
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
}

const SET_BY_SERVICE = /^(?:host|content-length|x-amzn-.*|x-forwarded-.*)$/;

function ownHeaders(pairs: Pairs): Grouped {
  const own = pairs.map(([name, value]) => [name.toLowerCase(), value] as const);
  return grouped(own.filter(([name]) => !SET_BY_SERVICE.test(name)));
}

function bodyOf({ body, isBase64Encoded }: { body?: string | null; isBase64Encoded: boolean }): string {
  return Buffer.from(body ?? "", isBase64Encoded ? "base64" : "utf8").toString("base64");
}

function apart(multi: Record<string, string[]>): Pairs {
  return Object.entries(multi).flatMap(([name, values]) => values.map((value) => [name, value] as const));
}

/** The cookies are taken from where an HTTP API moves them only if they are not among the headers. */
function readV2(event: PayloadV2Event): Seen {
  const pairs = Object.entries(event.headers);
  if (event.headers.cookie === undefined && event.cookies !== undefined) {
    pairs.push(["cookie", event.cookies.join("; ")]);
  }
  return {
    method: event.requestContext.http.method,
    path: event.rawPath,
    query: event.rawQueryString,
    headers: ownHeaders(pairs),
    body: bodyOf(event),
  };
}

/** How an adapter reads each event. */
const READERS: Readonly<Record<PayloadFormat, (event: never) => Seen>> = {
  "rest-api": (event: RestApiEvent) => ({
    method: event.httpMethod,
    path: event.path,
    query: grouped(apart(event.multiValueQueryStringParameters ?? {})),
    headers: ownHeaders(apart(event.multiValueHeaders)),
    body: bodyOf(event),
  }),
  "http-api": readV2,
  "function-url": readV2,
  alb: (event: AlbEvent) => ({
    method: event.httpMethod,
    path: event.path,
    query: grouped(Object.entries(event.queryStringParameters)),
    headers: ownHeaders(Object.entries(event.headers)),
    body: bodyOf(event),
  }),
  "alb-multi-value": (event: AlbMultiValueEvent) => ({
    method: event.httpMethod,
    path: event.path,
    query: grouped(apart(event.multiValueQueryStringParameters)),
    headers: ownHeaders(apart(event.multiValueHeaders)),
    body: bodyOf(event),
  }),
};

// What is lost on the way, each as a function.

const nothing = <Value>(value: Value): Value => value;
const lastWins = (groups: Grouped): Grouped => groups.map(([name, values]) => [name, values.slice(-1)]);
const oneLeadingSlash = (path: string): string => path.replace(/^\/+/, "/");
const upToQuestionMark = (path: string): string => path.replace(/\?.*/s, "");
const without = (names: RegExp) => (groups: Grouped) => groups.filter(([name]) => !names.test(name));
const withoutConnection = without(/^(?:connection|keep-alive|proxy-connection|te|trailer|transfer-encoding|upgrade)$/);
const withoutGatewaysOwn = without(
  /^(?:connection|content-md5|expect|max-forwards|proxy-authenticate|server|te|trailer|transfer-encoding|upgrade|www-authenticate)$/,
);

/** Percent-encoded octets become characters where they are UTF-8. */
function percentDecoded(path: string): string {
  return path.replace(/(?:%[\da-f]{2})+/gi, (run) => {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
        Buffer.from(run.replaceAll("%", ""), "hex"),
      );
    } catch {
      return run;
    }
  });
}

/** Values of one name become one, cookies with a semicolon. */
function joined(groups: Grouped): Grouped {
  return groups.map(([name, values]) => [name, [values.join(name === "cookie" ? "; " : ",")]]);
}

/** What stands between cookies becomes `; `, and a header without cookies is none. */
function tidyCookies(groups: Grouped): Grouped {
  return groups.flatMap(([name, values]): Grouped => {
    if (name !== "cookie") return [[name, values]];
    const cookies = values.flatMap((value) => value.split(/; ?/)).filter((cookie) => cookie !== "");
    return cookies.length === 0 ? [] : [[name, [cookies.join("; ")]]];
  });
}

/** The parameters as a form is read: decoded, by name. */
const parameters = (query: string): Grouped => grouped([...new URLSearchParams(`?${query}`)]);
const semicolonsSeparate = (query: string): string => query.replaceAll(";", "&");

/** The parameters by name, still encoded. */
function encodedParameters(query: string): Grouped {
  const pairs = query.split("&").filter((pair) => pair !== "");
  return grouped(pairs.map((pair) => /^([^=]*)=?(.*)$/s.exec(pair)?.slice(1) as [string, string]));
}

interface Losses {
  readonly path: (path: string) => string;
  readonly query: (query: string) => string | Grouped;
  readonly headers: (headers: Grouped) => Grouped;
}

const LOSSES: Readonly<Record<PayloadFormat, Losses>> = {
  "rest-api": {
    path: oneLeadingSlash,
    query: (query) => parameters(semicolonsSeparate(query)),
    headers: withoutGatewaysOwn,
  },
  "http-api": {
    path: (path) => upToQuestionMark(percentDecoded(path)),
    query: nothing,
    headers: (headers) => tidyCookies(joined(withoutConnection(headers))),
  },
  "function-url": {
    path: nothing,
    query: nothing,
    headers: (headers) => joined(withoutConnection(headers)),
  },
  alb: {
    path: nothing,
    query: (query) => lastWins(encodedParameters(query)),
    headers: (headers) => lastWins(withoutConnection(headers)),
  },
  "alb-multi-value": { path: nothing, query: encodedParameters, headers: withoutConnection },
};

const units = (...all: string[]) => fc.constantFrom(...all);
const token = fc.string({ unit: units(..."abcXYZ019!#$%&'*+-.^_`|~"), minLength: 1, maxLength: 8 });
const value = fc.string({ unit: units(..."az09 \t,;:=\"'éÿ%\u0001\u007f"), maxLength: 12 }).map((text) => text.trim());
const CONNECTION = ["Connection", "Keep-Alive", "TE", "Upgrade", "Content-MD5", "Expect", "Server"];
const TYPES = [
  ...["text/plain", "application/json; charset=utf-8", "application/x-www-form-urlencoded", "image/svg+xml"],
  ...["image/png", "", "multipart/form-data; boundary=x"],
];
const header = fc.oneof(
  fc.tuple(
    fc.oneof(
      token.map((name) => `x-${name}`),
      units("X-A", "x-a", "__proto__", "constructor"),
    ),
    value,
  ),
  fc.tuple(units("Cookie", "cookie"), fc.oneof(value, units("a=1; b=2", "c=3", "d=4;e=5; "))),
  fc.tuple(units("Content-Type", "content-type"), units(...TYPES)),
  fc.tuple(units(...CONNECTION), value),
);
const request: fc.Arbitrary<EventRequest> = fc.record({
  method: fc.oneof(units("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE"), token),
  path: fc
    .string({
      unit: units(..."aB/.+@:;&=~", "%2F", "%2f", "%3F", "%23", "%25", "%20", "%C3%BC", "%EF%BB%BF", "%FF", "%zz"),
    })
    .map((rest) => `/${rest}`),
  query: fc.string({
    unit: units(..."ab=&=&+?/;,[]", "%20", "%2B", "%26", "%3D", "%3B", "%C3%BC", "%FF", "%zz", "__proto__"),
  }),
  headers: fc.array(header, { maxLength: 8 }),
  body: fc.oneof(
    fc.constant(null),
    fc.uint8Array({ maxLength: 50 }),
    fc.string({ unit: "binary", maxLength: 50 }),
    fc.string({ unit: "binary", maxLength: 50 }).map((text) => new Uint8Array(Buffer.from(text))),
  ),
});

const names = Object.keys(FORMATS) as PayloadFormat[];

describe.each(names)("there and back with %s", (name) => {
  const format = FORMATS[name];
  const losses = LOSSES[name];

  /** A function behind an adapter: it answers with what it saw. */
  function echo(event: never): object {
    const body = Buffer.from(JSON.stringify(READERS[name](event))).toString("base64");
    return { statusCode: 200, headers: { "content-type": "application/json" }, body, isBase64Encoded: true };
  }

  test("any request comes back, but for what is known to be lost", () => {
    fc.assert(
      fc.property(request, (request) => {
        const event = JSON.parse(JSON.stringify(format.encode(request, { functionName: "app" }))) as never;
        const { status, body } = format.decode(JSON.parse(JSON.stringify(echo(event))));
        expect(status).toBe(200);
        const expected: Seen = {
          method: request.method,
          path: losses.path(request.path),
          query: losses.query(request.query),
          headers: losses.headers(ownHeaders(request.headers)),
          body: Buffer.from(request.body ?? "").toString("base64"),
        };
        expect(JSON.parse(Buffer.from(body).toString())).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  test("a request that nothing can be lost of comes back as it was", () => {
    const word = fc.string({ unit: units(..."abcxyz019"), minLength: 1, maxLength: 8 });
    const words = fc.uniqueArray(word, { maxLength: 5 });
    const plain = fc.record({
      method: units("GET", "POST"),
      path: words.map((all) => `/${all.join("/")}`),
      query: words.map((all) => all.map((one) => `${one}=${one}`).join("&")),
      headers: words.map((all): HeaderList => all.map((one) => [`x-${one}`, one])),
      body: fc.uint8Array({ maxLength: 50 }),
    });
    fc.assert(
      fc.property(plain, (request) => {
        const event = JSON.parse(JSON.stringify(format.encode(request, { functionName: "app" }))) as never;
        const seen = READERS[name](event);
        expect(seen).toEqual({
          ...request,
          query: typeof seen.query === "string" ? request.query : parameters(request.query),
          headers: grouped(request.headers),
          body: Buffer.from(request.body).toString("base64"),
        });
      }),
    );
  });
});

describe("maps with one value a name, which some adapters read instead", () => {
  const asGrouped = (map: Record<string, string> | null | undefined): Grouped => grouped(Object.entries(map ?? {}));
  const encoded = <Event>(name: PayloadFormat, request: EventRequest): Event =>
    JSON.parse(JSON.stringify(FORMATS[name].encode(request, { functionName: "app" }))) as Event;

  test("rest-api: the last value of each is there", () => {
    fc.assert(
      fc.property(request, (request) => {
        const event = encoded<RestApiEvent>("rest-api", request);
        const query = parameters(semicolonsSeparate(request.query));
        expect(asGrouped(event.queryStringParameters)).toEqual(lastWins(query));
        expect(event.queryStringParameters === null).toBe(query.length === 0);
        const headers = lastWins(withoutGatewaysOwn(ownHeaders(request.headers)));
        expect(ownHeaders(Object.entries(event.headers))).toEqual(headers);
      }),
    );
  });

  test.each(["http-api", "function-url"] as const)("%s: the values of each are joined with a comma", (name) => {
    const joinedValues = (groups: Grouped): Grouped => groups.map(([key, values]) => [key, [values.join(",")]]);
    fc.assert(
      fc.property(request, (request) => {
        const { queryStringParameters } = encoded<PayloadV2Event>(name, request);
        expect(asGrouped(queryStringParameters)).toEqual(joinedValues(parameters(request.query)));
        expect(queryStringParameters === undefined).toBe(parameters(request.query).length === 0);
      }),
    );
  });
});

describe.each(names)("any result of a function with %s", (name) => {
  const { decode } = FORMATS[name];
  const scalar = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.double(), fc.boolean(), fc.constant(null));
  const map = (values: fc.Arbitrary<unknown>) =>
    fc.dictionary(fc.oneof(token, units("content-type", "Set-Cookie", "__proto__", "", "a b")), values, { maxKeys: 4 });
  const rarely = (usual: fc.Arbitrary<unknown>) =>
    fc.oneof({ weight: 8, arbitrary: usual }, { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) });
  const nearlyValid = fc.record(
    {
      statusCode: rarely(fc.oneof(fc.integer({ min: 195, max: 605 }), units("200", "404", "x", ""))),
      headers: rarely(map(rarely(fc.oneof(value, scalar)))),
      multiValueHeaders: rarely(map(rarely(fc.array(rarely(value), { maxLength: 3 })))),
      cookies: rarely(fc.array(rarely(value), { maxLength: 3 })),
      body: rarely(fc.oneof(scalar, fc.base64String())),
      isBase64Encoded: rarely(fc.oneof(fc.boolean(), units("true", "False", "yes"))),
    },
    { requiredKeys: [] },
  );
  const results = fc.oneof({ weight: 1, arbitrary: fc.jsonValue() }, { weight: 4, arbitrary: nearlyValid });

  test("is a response that a Response can hold, or an InvalidResultError that says why", () => {
    let responses = 0;
    let refusals = 0;
    fc.assert(
      fc.property(results, (generated) => {
        // As it comes from Lambda.
        const result: unknown = JSON.parse(JSON.stringify(generated));
        try {
          const { status, headers, body } = decode(result);
          const response = new Response(null, { status, headers: headers as [string, string][] });
          expect(response.status).toBe(status);
          expect(typeof body === "string" ? body.isWellFormed() : body instanceof Uint8Array).toBe(true);
          responses++;
        } catch (error) {
          if (!(error instanceof InvalidResultError)) throw error;
          expect(error.message).not.toBe("");
          refusals++;
        }
      }),
      { numRuns: 1000 },
    );
    expect(responses).toBeGreaterThan(50);
    expect(refusals).toBeGreaterThan(50);
  });
});
