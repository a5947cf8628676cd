/**
 * Random input, everywhere where something comes from outside. Whatever it is: no hang, no unhandled rejection, and nothing
 * but a Response, a LambdaRequestsError, a TypeError where `fetch` has one, or the caller's own reason for an abort.
 *
 * A few hundred cases here, over 100,000 by `npm run fuzz`.
 */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeContent } from "../src/content-encoding.ts";
import { InvokeError, LambdaRequestsError, UnsafeRedirectError } from "../src/errors.ts";
import { createFetch } from "../src/fetch.ts";
import { InvalidResultError } from "../src/formats/format.ts";
import { FORMATS } from "../src/formats/formats.ts";
import { writeFrame } from "../src/formats/stream.ts";
import { parseReport } from "../src/invocation-info.ts";
import { readError, refusedError } from "../src/invoke/aws-error.ts";
import { readFunctionFailure } from "../src/invoke/function-failure.ts";
import type { Invocation, Invoker } from "../src/invoke/invoker.ts";
import { LambdaResponse } from "../src/response.ts";
import { Session } from "../src/session.ts";
import { formatTarget, parseFunction, parseTarget } from "../src/target.ts";

/** Cases of all properties together. */
const TOTAL = Number(process.env.FUZZ_RUNS ?? 1200);
const SHARES = {
  targets: 20,
  urls: 20,
  results: 20,
  frames: 5,
  requests: 5,
  errors: 10,
  failures: 8,
  reports: 5,
  answers: 4,
  way: 8,
  redirects: 5,
  cookies: 5,
  codings: 5,
} as const;
const PARTS = Object.values(SHARES).reduce((sum, share) => sum + share, 0);
const runs = (part: keyof typeof SHARES): { numRuns: number } => ({
  numRuns: Math.ceil((TOTAL * SHARES[part]) / PARTS),
});
// With the many cases of `npm run fuzz`, a property takes minutes.
const TIMEOUT = 20_000 + TOTAL * 10;

const strays: unknown[] = [];
const onStray = (error: unknown): void => void strays.push(error);
beforeAll(() => {
  process.on("unhandledRejection", onStray);
  process.on("uncaughtException", onStray);
});
afterAll(async () => {
  // A rejection counts as unhandled after the turn in which it came.
  await new Promise((turn) => setImmediate(turn));
  process.off("unhandledRejection", onStray);
  process.off("uncaughtException", onStray);
  expect(strays).toEqual([]);
});

/** What a call may end with besides a response. */
function isExpected(error: unknown): boolean {
  return error instanceof LambdaRequestsError || error instanceof TypeError;
}

async function settle(call: () => Promise<Response>): Promise<Response | undefined> {
  try {
    const response = await call();
    expect(response).toBeInstanceOf(LambdaResponse);
    await response.arrayBuffer().catch((error: unknown) => expect(isExpected(error)).toBe(true));
    return response;
  } catch (error) {
    if (!isExpected(error)) throw error;
    return undefined;
  }
}

/** Text with the characters in it at which parsers stumble. */
const odd = fc.string({
  unit: fc.oneof(
    fc.constantFrom(...":./@%$#?&=+;,\\\"'<>{}[] \t\r\n\u0000\u007f\u00e4\ud800"),
    fc.constantFrom("%2F", "%2E", "%3A", "%00", "%", "__proto__", "arn:", "$LATEST", "http+lambda://", "…", "😀"),
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 3 }),
    fc.constantFrom("a", "1", "-", "_"),
  ),
  maxLength: 30,
});
const bytes = fc.uint8Array({ maxLength: 200 });
/** Something that was right, with a part of it changed. */
const mutated = (text: string): fc.Arbitrary<string> =>
  fc
    .tuple(fc.nat(text.length), fc.nat(8), odd)
    .map(([at, length, insert]) => text.slice(0, at) + insert + text.slice(at + length));
const key = fc.oneof(
  fc.constantFrom("statusCode", "headers", "multiValueHeaders", "cookies", "body", "isBase64Encoded", "__proto__"),
  odd,
);
const json = fc.jsonValue({ maxDepth: 3 });
/** A proxy result, more or less. */
const result = fc.oneof(
  json,
  fc.record(
    {
      statusCode: fc.oneof(fc.integer({ min: -1, max: 1000 }), fc.constantFrom("200", "abc", null), json),
      headers: fc.oneof(fc.dictionary(odd, fc.oneof(odd, json)), json),
      multiValueHeaders: fc.oneof(fc.dictionary(odd, fc.array(odd)), json),
      cookies: fc.oneof(fc.array(odd), json),
      body: fc.oneof(odd, json),
      isBase64Encoded: fc.oneof(fc.boolean(), fc.constantFrom("true", "TRUE", "no"), json),
    },
    { requiredKeys: [] },
  ),
  fc.dictionary(key, json),
);
const payload = fc.oneof(
  result.map((value) => Buffer.from(JSON.stringify(value) ?? "null")),
  bytes.map((value) => Buffer.from(value)),
  fc.tuple(result, bytes).map(([prelude, body]) => Buffer.from(writeFrame(Object(prelude) as object, body))),
  result.chain((value) => mutated(JSON.stringify(value) ?? "").map((text) => Buffer.from(text))),
);
const formatName = fc.constantFrom(...(Object.keys(FORMATS) as (keyof typeof FORMATS)[]));

describe("targets", () => {
  const good = [
    "orders",
    "prod.orders",
    "orders:7",
    "123456789012:function:orders",
    "arn:aws:lambda:eu-west-1:123456789012:function:orders:prod",
    "$LATEST.PUBLISHED.orders",
    "orders%3Aprod",
    "my%2Eorders",
  ];
  const name = fc.oneof(odd, fc.constantFrom(...good).chain(mutated));

  test(
    "are read or refused, and read again as they were written",
    () => {
      fc.assert(
        fc.property(name, odd, (host, path) => {
          try {
            const target = parseTarget(`http+lambda://${host}/${path}`);
            expect(parseTarget(formatTarget(target))).toEqual(target);
            // Nothing in a name may lead out of its segment of the Invoke API's path.
            expect(target.functionName).toMatch(/^(?!\.+$)[a-zA-Z0-9_.-]+$/);
            expect(target.qualifier ?? "a").toMatch(/^[a-zA-Z0-9_$.-]+$/);
          } catch (error) {
            expect(error).toMatchObject({ name: "InvalidTargetError" });
          }
        }),
        runs("targets"),
      );
    },
    TIMEOUT,
  );

  test(
    "a URL of any kind is called, refused, or handed on",
    async () => {
      const calls: Invocation[] = [];
      const invoker: Invoker = {
        async invoke(invocation) {
          calls.push(invocation);
          return { payload: Buffer.from('{"statusCode":200}') };
        },
      };
      const other = async (): Promise<Response> => new LambdaResponse(null, {}, {} as never) as unknown as Response;
      const fetch = createFetch({ invoker, fetch: other as typeof globalThis.fetch });
      const url = fc.oneof(
        odd,
        name.map((host) => `http+lambda://${host}`),
        mutated("http+lambda://ada:secret@orders/a?b=c#d"),
      );
      await fc.assert(
        fc.asyncProperty(url, async (text) => void (await settle(() => fetch(text)))),
        runs("urls"),
      );
      for (const { payload } of calls) expect(() => JSON.parse(Buffer.from(payload).toString())).not.toThrow();
    },
    TIMEOUT,
  );
});

describe("formats", () => {
  test(
    "any result is a response's parts, or says what is wrong",
    () => {
      fc.assert(
        fc.property(formatName, result, (format, value) => {
          try {
            const { status, headers, body } = FORMATS[format].decode(value);
            expect(status).toBeGreaterThanOrEqual(200);
            expect(status).toBeLessThanOrEqual(599);
            // A Response takes all of it.
            const made = new Headers();
            for (const [name, text] of headers) made.append(name, text);
            expect(body).toBeInstanceOf(Uint8Array);
          } catch (error) {
            if (!(error instanceof InvalidResultError)) throw error;
            expect(error.message.length).toBeLessThan(1000);
          }
        }),
        runs("results"),
      );
      expect(Object.prototype).not.toHaveProperty("polluted");
    },
    TIMEOUT,
  );

  test(
    "a framed result of any payload is a response",
    async () => {
      let current = Buffer.alloc(0);
      const fetch = createFetch({ invoker: { invoke: async () => ({ payload: current }) } });
      await fc.assert(
        fc.asyncProperty(formatName, payload, async (payloadFormat, bytes) => {
          current = bytes;
          const response = await fetch("http+lambda://app/", { lambda: { payloadFormat } });
          expect(response.status).toBeGreaterThanOrEqual(200);
          await response.arrayBuffer().catch((error: unknown) => expect(isExpected(error)).toBe(true));
        }),
        runs("frames"),
      );
    },
    TIMEOUT,
  );

  test(
    "any request is an event that JSON can hold, with nothing lost of its body",
    () => {
      fc.assert(
        fc.property(
          formatName,
          fc.record({ path: odd, query: odd, name: odd, value: odd, body: fc.oneof(bytes, odd, fc.constant(null)) }),
          (format, { path, query, name, value, body }) => {
            const request = { method: "POST", path: `/${path}`, query, headers: [[name, value]] as const, body };
            const text = JSON.stringify(FORMATS[format].encode(request, { functionName: "app" }));
            const event = JSON.parse(text) as { body?: string | null; isBase64Encoded: boolean };
            const sent = Buffer.from(event.body ?? "", event.isBase64Encoded ? "base64" : "utf8");
            const given = typeof body === "string" ? Buffer.from(body) : Buffer.from(body ?? []);
            expect(sent.equals(given)).toBe(true);
          },
        ),
        runs("requests"),
      );
    },
    TIMEOUT,
  );
});

describe("errors", () => {
  const invocation: Invocation = {
    target: parseFunction("orders"),
    payload: Buffer.from("{}"),
    logs: false,
    request: { method: "GET", url: "http+lambda://orders/" },
  };
  const errorBody = fc.oneof(
    bytes.map((value) => Buffer.from(value)),
    fc
      .record({ code: json, __type: json, message: json, Message: json, Reason: json }, { requiredKeys: [] })
      .map((value) => Buffer.from(JSON.stringify(value))),
    mutated("<AccessDeniedException><Message>no</Message></AccessDeniedException>").map((text) => Buffer.from(text)),
    mutated('{"__type":"com.amazonaws#ThrottlingException:http://x","message":"no"}').map((text) => Buffer.from(text)),
  );

  test(
    "any refusal is an InvokeError with a short message of one line",
    () => {
      const header = fc.option(odd, { nil: undefined });
      fc.assert(
        fc.property(fc.integer({ min: 300, max: 599 }), header, header, errorBody, (status, name, retryAfter, body) => {
          const headers = {
            ...(name !== undefined && { "x-amzn-errortype": name }),
            ...(retryAfter !== undefined && { "retry-after": retryAfter }),
          };
          const response = { status, headers, body };
          const error = refusedError(invocation, { region: "eu-west-1", response });
          expect(error).toBeInstanceOf(InvokeError);
          expect(error.outcome).toBe(status < 500 ? "not-started" : error.outcome);
          expect(error.message.length).toBeLessThan(2000);
          expect(error.message).not.toMatch(/\p{Cc}/u);
          expect(error.code).toBe(readError(response).code);
          expect(error.code).not.toBe("");
        }),
        runs("errors"),
      );
    },
    TIMEOUT,
  );

  test(
    "any payload of a function that failed is a failure",
    () => {
      const shape = fc.record(
        { errorType: json, errorMessage: json, stackTrace: json, trace: json, cause: json },
        { requiredKeys: [] },
      );
      const failed = fc.oneof(
        bytes.map((value) => Buffer.from(value)),
        shape.map((value) => Buffer.from(JSON.stringify(value))),
      );
      fc.assert(
        fc.property(failed, odd, (bytes, logs) => {
          const { kind, errorMessage, errorType = "", stackTrace = [] } = readFunctionFailure(bytes, logs);
          expect(["timeout", "crash", "out-of-memory", "exception", "too-large"]).toContain(kind);
          for (const text of [errorMessage, errorType, ...stackTrace]) expect(typeof text).toBe("string");
        }),
        runs("failures"),
      );
    },
    TIMEOUT,
  );

  test(
    "any log has a report or none",
    () => {
      const line =
        "REPORT RequestId: 1\tDuration: 1.5 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 67 MB\t";
      const log = fc.oneof(
        odd,
        mutated(line),
        mutated('{"type":"platform.report","record":{"metrics":{"durationMs":1}}}'),
      );
      fc.assert(
        fc.property(log, (text) => {
          for (const value of Object.values(parseReport(text) ?? {})) expect(Number.isFinite(value)).toBe(true);
        }),
        runs("reports"),
      );
    },
    TIMEOUT,
  );
});

describe("answers of an endpoint", () => {
  let server: Server;
  let answer = Buffer.alloc(0);
  beforeAll(async () => {
    server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.end(answer));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterAll(() => void server.close());

  const good = (body: string): string =>
    `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-amzn-RequestId: 1\r\nX-Amz-Executed-Version: $LATEST\r\n` +
    `Content-Length: ${body.length}\r\n\r\n${body}`;
  const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nnull\r\n0\r\n\r\n";
  const refused = "HTTP/1.1 429 X\r\nx-amzn-ErrorType: TooManyRequestsException\r\nContent-Length: 2\r\n\r\n{}";

  test(
    "any bytes are a response or an InvokeError, and never a hang",
    async () => {
      const { port } = server.address() as AddressInfo;
      const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" };
      const fetch = createFetch({
        endpoint: `http://127.0.0.1:${port}`,
        region: "eu-west-1",
        credentials,
        retry: false,
        // The server always ends the connection; this only turns a hang into a failure.
        timeout: 10_000,
      });
      const wire = fc.oneof(
        bytes.map((value) => Buffer.from(value)),
        fc
          .constantFrom(good('{"statusCode":200,"body":"ok"}'), good(""), chunked, refused)
          .chain((text) =>
            fc.oneof(
              mutated(text),
              fc.nat(text.length).map((end) => text.slice(0, end)),
            ),
          )
          .map((text) => Buffer.from(text)),
      );
      await fc.assert(
        fc.asyncProperty(wire, async (bytes) => {
          answer = bytes;
          try {
            expect(await fetch("http+lambda://orders/")).toBeInstanceOf(LambdaResponse);
          } catch (error) {
            expect(error).toBeInstanceOf(InvokeError);
            expect((error as InvokeError).code).not.toBe("ERR_TIMEOUT");
          }
        }),
        runs("answers"),
      );
    },
    TIMEOUT,
  );
});

describe("the whole way", () => {
  test(
    "any request to any function is a response or a clear error",
    async () => {
      let current: Awaited<ReturnType<Invoker["invoke"]>>;
      const fetch = createFetch({ invoker: { invoke: async () => current }, retry: { maxDelay: 0 } });
      const known = fc.record(
        { functionError: odd, logs: odd, requestId: odd, executedVersion: odd, traceId: odd, region: odd },
        { requiredKeys: [] },
      );
      const init = fc.record(
        {
          method: fc.oneof(fc.constantFrom("GET", "POST", "PUT", "HEAD", "OPTIONS"), odd),
          headers: fc.oneof(fc.dictionary(odd, odd), fc.array(fc.tuple(odd, odd), { maxLength: 3 })),
          body: fc.oneof(odd, bytes),
          redirect: fc.constantFrom("follow", "manual", "error"),
        },
        { requiredKeys: [] },
      );
      const options = fc.record(
        {
          payloadFormat: formatName,
          qualifier: odd,
          functionErrors: fc.constantFrom("throw", "response"),
          maxRedirects: fc.nat(3),
          followTo: fc.array(odd, { maxLength: 2 }),
        },
        { requiredKeys: [] },
      );
      await fc.assert(
        fc.asyncProperty(payload, known, init, options, odd, async (bytes, facts, given, lambda, path) => {
          current = { payload: bytes, ...facts };
          await settle(() => fetch(`http+lambda://app/${path}`, { ...(given as object), lambda: lambda as object }));
        }),
        runs("way"),
      );
    },
    TIMEOUT,
  );

  test(
    "any Location leads to no other function, and no credential onto the web",
    async () => {
      const web: Headers[] = [];
      const called: string[] = [];
      let location = "";
      const invoker: Invoker = {
        async invoke({ target }) {
          called.push(target.functionName);
          return { payload: Buffer.from(JSON.stringify({ statusCode: 307, headers: { location } })) };
        },
      };
      const onWeb = async (_url: unknown, init?: RequestInit): Promise<Response> => {
        web.push(new Headers(init?.headers));
        return new Response("arrived");
      };
      const session = new Session({ invoker, fetch: onWeb as typeof globalThis.fetch, maxRedirects: 2 });
      const headers = { Authorization: "Bearer sesame", Cookie: "a=sesame", "X-Api-Key": "sesame" };
      const target = fc.oneof(
        odd,
        fc.webUrl(),
        mutated("https://app.example.com/path"),
        fc
          .constantFrom("http+lambda://users/", "http+lambda://prod.app/", "//users/", "/to", "https://app/x")
          .chain(mutated),
      );
      await fc.assert(
        fc.asyncProperty(target, fc.constantFrom("GET", "POST"), async (text, method) => {
          location = text;
          await session.request(method, "http+lambda://app/", { headers }).catch((error: unknown) => {
            const { name } = error as Error;
            // A result whose Location no header can hold is a 502, and no redirect.
            expect(error instanceof UnsafeRedirectError || name === "TooManyRedirectsError").toBe(true);
          });
        }),
        runs("redirects"),
      );
      expect(new Set(called)).toEqual(new Set(["app"]));
      for (const sent of web) for (const [, value] of sent) expect(value).not.toContain("sesame");
    },
    TIMEOUT,
  );

  test(
    "any Set-Cookie of a function reaches no other",
    async () => {
      let setCookie: string[] = [];
      const invoker: Invoker = {
        async invoke({ target, payload }) {
          const body = Buffer.from(payload).toString();
          const cookies = target.functionName === "app" ? setCookie : [];
          return {
            payload: Buffer.from(
              JSON.stringify({ statusCode: 200, body, multiValueHeaders: { "set-cookie": cookies } }),
            ),
          };
        },
      };
      const attribute = fc.oneof(
        fc.constantFrom(
          "Domain=users",
          "Domain=.users",
          "Domain=com",
          "Domain=",
          "Path=/",
          "Secure",
          "Max-Age=9",
          "Expires=x",
        ),
        odd,
      );
      const cookie = fc
        .tuple(fc.oneof(odd, fc.constantFrom("__Host-a", "a")), odd, fc.array(attribute, { maxLength: 4 }))
        .map(([name, value, attributes]) => [`${name}=${value}`, ...attributes].join("; "));
      await fc.assert(
        fc.asyncProperty(fc.array(cookie, { maxLength: 3 }), async (cookies) => {
          const session = new Session({ invoker });
          setCookie = cookies;
          await session.get("http+lambda://app/");
          await session.get("http+lambda://app/");
          const event = await session.get("http+lambda://users/").json<{ headers: object }>();
          expect(Object.keys(event.headers).map((name) => name.toLowerCase())).not.toContain("cookie");
        }),
        runs("cookies"),
      );
    },
    TIMEOUT,
  );

  test(
    "any bytes under any coding are decoded or refused",
    async () => {
      const coding = fc.array(fc.oneof(fc.constantFrom("gzip", "deflate", "br", "zstd", "identity", "x-gzip"), odd), {
        maxLength: 3,
      });
      await fc.assert(
        fc.asyncProperty(bytes, coding, async (body, codings) => {
          await decodeContent(body, codings.join(", "), 10_000).catch((error: unknown) => {
            expect(isExpected(error)).toBe(true);
          });
        }),
        runs("codings"),
      );
    },
    TIMEOUT,
  );
});
