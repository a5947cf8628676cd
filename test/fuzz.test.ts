/**
 * Random input, everywhere where something comes from outside. Whatever it is: no hang, no unhandled rejection, and nothing
 * but a Response, a LambdaRequestsError, a TypeError where `fetch` has one, or the caller's own reason for an abort.
 *
 * Most of the input is right but for a part: what is wrong all over is refused at the door, and reaches nothing behind
 * it. With many cases, each property counts what got through, so that none comes to hold of nothing.
 *
 * A few thousand cases here, over 100,000 by `npm run fuzz`.
 */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import * as zlib from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeContent } from "../src/content-encoding.ts";
import {
  InvalidTargetError,
  InvokeError,
  LambdaRequestsError,
  PayloadTooLargeError,
  UnsafeRedirectError,
} from "../src/errors.ts";
import { createFetch } from "../src/fetch.ts";
import { InvalidResultError } from "../src/formats/format.ts";
import { FORMATS } from "../src/formats/formats.ts";
import { parseReport } from "../src/invocation-info.ts";
import { readError, refusedError } from "../src/invoke/aws-error.ts";
import { readFunctionFailure } from "../src/invoke/function-failure.ts";
import type { Invocation, Invoker } from "../src/invoke/invoker.ts";
import type { RequestOptions } from "../src/options.ts";
import type { LambdaRequestInit } from "../src/request.ts";
import { LambdaResponse } from "../src/response.ts";
import { Session } from "../src/session.ts";
import { formatTarget, parseFunction, parseLambdaUrl, parseTarget, type Target } from "../src/target.ts";

/** Cases of all properties together. */
const TOTAL = Number(process.env.FUZZ_RUNS ?? 3000);
const SHARES = {
  written: 10,
  targets: 20,
  urls: 20,
  results: 15,
  frames: 5,
  requests: 5,
  errors: 10,
  failures: 8,
  reports: 5,
  answers: 8,
  way: 20,
  redirects: 5,
  cookies: 5,
  coded: 5,
  codings: 5,
} as const;
const PARTS = Object.values(SHARES).reduce((sum, share) => sum + share, 0);
const runs = (part: keyof typeof SHARES): { numRuns: number } => ({
  numRuns: Math.ceil((TOTAL * SHARES[part]) / PARTS),
});
/** Did a twentieth get as far as it should? Of few cases, chance decides how many do. */
function expectEnough({ numRuns }: { numRuns: number }, ...counts: number[]): void {
  for (const count of counts) if (numRuns >= 1000) expect(count).toBeGreaterThan(numRuns / 20);
}
// With the many cases of `npm run fuzz`, a property takes minutes.
const TIMEOUT = 20_000 + TOTAL * 10;

const prototype = Reflect.ownKeys(Object.prototype);
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
  expect(Reflect.ownKeys(Object.prototype)).toEqual(prototype);
});

// What the engine itself says when code goes wrong: that is a mistake of ours, though it is a TypeError.
const ENGINES_OWN =
  /^Cannot (?:read|set|convert|destructure|create|assign|delete|use|mix)|is not (?:a function|iterable|a constructor|defined)|^Reduce of|^Converting circular/;

/** What a call may end with besides a response. */
function isExpected(error: unknown): boolean {
  return error instanceof LambdaRequestsError || (error instanceof TypeError && !ENGINES_OWN.test(error.message));
}

const READERS = ["arrayBuffer", "bytes", "text", "json", "blob", "formData", "clone", "body"] as const;

/** Reads it in one of the ways that there are; what isn't what its headers say may be refused. */
async function read(response: LambdaResponse, reader: (typeof READERS)[number] = "arrayBuffer"): Promise<void> {
  try {
    if (reader === "clone") {
      const [one, other] = [await response.clone().text(), await response.text()];
      expect(other).toBe(one);
    } else if (reader === "body") {
      for await (const chunk of (response.body ?? []) as AsyncIterable<unknown>)
        expect(chunk).toBeInstanceOf(Uint8Array);
    } else {
      await response[reader]();
    }
  } catch (error) {
    if (!isExpected(error) && !(reader === "json" && error instanceof SyntaxError)) throw error;
  }
}

async function settle(
  call: () => Promise<Response>,
  reader?: (typeof READERS)[number],
): Promise<LambdaResponse | undefined> {
  let response: Response;
  try {
    response = await call();
  } catch (error) {
    if (!isExpected(error)) throw error;
    return undefined;
  }
  expect(response).toBeInstanceOf(LambdaResponse);
  await read(response as LambdaResponse, reader);
  return response as LambdaResponse;
}

/** The right thing, and now and then another. */
function mostly<Right, Other>(right: fc.Arbitrary<Right>, other: fc.Arbitrary<Other>): fc.Arbitrary<Right | Other> {
  return fc.oneof({ weight: 15, arbitrary: right }, { weight: 1, arbitrary: other });
}

function some<Value>(...values: Value[]): fc.Arbitrary<Value> {
  return fc.constantFrom(...values);
}

/** Text of these characters alone. */
function textOf(characters: string, minLength = 1, maxLength = 8): fc.Arbitrary<string> {
  return fc.string({ unit: some(...characters), minLength, maxLength });
}

/** Text with the characters in it at which parsers stumble. */
const odd = fc.string({
  unit: fc.oneof(
    some(...":./@%$#?&=+;,\\\"'<>{}[] \t\r\n\u0000\u007f\u00e4\ud800"),
    some("%2F", "%2E", "%3A", "%00", "%", "__proto__", "arn:", "$LATEST", "http+lambda://", "…", "😀"),
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 3 }),
    some("a", "1", "-", "_"),
  ),
  maxLength: 30,
});
const bytes = fc.uint8Array({ maxLength: 200 });
/** Something that was right, with a part of it changed. */
const mutated = (text: string): fc.Arbitrary<string> =>
  fc
    .tuple(fc.nat(text.length), fc.nat(8), odd)
    .map(([at, length, insert]) => text.slice(0, at) + insert + text.slice(at + length));
const json = fc.jsonValue({ maxDepth: 3 });
const buffers = (texts: fc.Arbitrary<string>): fc.Arbitrary<Buffer> => texts.map((text) => Buffer.from(text));

/** A header field of a response; of those that somebody here reads, more. */
const token = textOf("abcXYZ019-_!~");
const value = textOf('abc XYZ019;,="/\u00e4', 0, 20);
const field = fc.oneof(
  fc.tuple(token, value),
  fc.tuple(some("X-A", "x-a", "__proto__", "constructor", "Set-Cookie", "Location", "Retry-After"), value),
  some<[string, string]>(
    ["Content-Type", "application/json"],
    ["content-type", "text/plain; charset=utf-16"],
    ["content-type", "application/x-www-form-urlencoded"],
    ["content-type", "multipart/form-data; boundary=x"],
    ["content-encoding", "gzip"],
    ["content-encoding", "br, deflate"],
    ["content-encoding", "identity, x"],
    ["content-length", "7"],
    ["transfer-encoding", "chunked"],
    ["set-cookie", "a=b; Path=/"],
    ["location", "?again"],
    ["location", "http+lambda://users/"],
    ["location", "https://app.example.com/"],
    ["retry-after", "0"],
  ),
);
const text = fc.oneof(
  odd,
  some("", "a=b&c=d", '{"a":[1]}', "\ufeff{}", "null"),
  mutated('--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n'),
  bytes.map((content) => Buffer.from(content).toString("base64")),
  bytes.map((content) => Buffer.from(zlib.gzipSync(content)).toString("base64")),
);
const status = fc.oneof(
  fc.integer({ min: 200, max: 599 }),
  some<unknown>(200, "200", 204, 302, 303, 304, 307, 308, 503),
);
/** A proxy result, right but for a part; or JSON of any kind. */
const proxyResult = fc.record(
  {
    statusCode: mostly(status, fc.oneof(fc.integer({ min: -1, max: 1000 }), odd, json)),
    headers: mostly(
      fc.array(mostly(field, fc.tuple(odd, fc.oneof(odd, json))), { maxLength: 4 }).map(Object.fromEntries),
      json,
    ),
    multiValueHeaders: mostly(
      fc
        .array(fc.tuple(mostly(token, odd), fc.array(mostly(value, odd), { maxLength: 3 })), { maxLength: 3 })
        .map(Object.fromEntries),
      json,
    ),
    cookies: mostly(fc.array(mostly(value, odd), { maxLength: 3 }), json),
    body: mostly(text, json),
    isBase64Encoded: mostly(fc.boolean(), fc.oneof(some("true", "FALSE", "no"), json)),
  },
  { requiredKeys: ["statusCode"] },
);
const result: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: proxyResult },
  { weight: 1, arbitrary: json },
  { weight: 1, arbitrary: fc.dictionary(fc.oneof(some("statusCode", "headers", "__proto__"), odd), json) },
);
const payload: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 6, arbitrary: result.map((content) => Buffer.from(JSON.stringify(content) ?? "null")) },
  { weight: 1, arbitrary: bytes.map((content) => Buffer.from(content)) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(result, bytes)
      .map(([prelude, body]) => Buffer.concat([Buffer.from(JSON.stringify(prelude) ?? ""), Buffer.alloc(8), body])),
  },
  { weight: 1, arbitrary: buffers(result.chain((content) => mutated(JSON.stringify(content) ?? ""))) },
);
const formatName = some(...(Object.keys(FORMATS) as (keyof typeof FORMATS)[]));

describe("targets", () => {
  const region = some("eu-west-1", "us-gov-west-1", "eusc-de-east-1", "cn-north-1");
  const place = fc.oneof(
    fc.record({}),
    fc.record({ accountId: textOf("0123456789", 12, 12) }),
    fc.record({ accountId: textOf("0123456789", 12, 12), region }),
    fc.record({ accountId: textOf("0123456789", 12, 12), region, partition: some("aws", "aws-cn", "aws-us-gov") }),
  );
  const target: fc.Arbitrary<Target> = fc
    .record(
      {
        functionName: fc.oneof(
          textOf("abXY01-_.", 1, 20).filter((name) => !/^\.+$/.test(name)),
          // What else may stand where a name stands.
          some("function", "123456789012", "eu-west-1", "arn", "aws", "7", "LATEST"),
        ),
        qualifier: fc.oneof(textOf("abXY01-_", 1, 10), some("$LATEST", "$LATEST.PUBLISHED")),
        place,
      },
      { requiredKeys: ["functionName", "place"] },
    )
    .map(({ place, ...names }) => ({ ...names, ...place }));
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
  const name = fc.oneof(
    { weight: 1, arbitrary: odd },
    { weight: 3, arbitrary: some(...good).chain(mutated) },
    { weight: 1, arbitrary: target.chain((one) => mutated(formatTarget(one).slice("http+lambda://".length, -1))) },
  );

  test(
    "are read as they were written, as a string and as a URL",
    () => {
      fc.assert(
        fc.property(target, (written) => {
          const url = formatTarget(written);
          expect(parseTarget(url)).toEqual(written);
          expect(parseTarget(new URL(url))).toEqual(written);
        }),
        runs("written"),
      );
    },
    TIMEOUT,
  );

  test(
    "of any kind are read or refused, and lead nowhere else",
    () => {
      let count = 0;
      fc.assert(
        fc.property(name, odd, (host, path) => {
          try {
            const url = parseLambdaUrl(`http+lambda://${host}/${path}`);
            const { target, href } = url ?? expect.fail("it is one of ours");
            expect(parseTarget(formatTarget(target))).toEqual(target);
            // Nothing in a name may lead out of its segment of the Invoke API's path.
            expect(target.functionName).toMatch(/^(?!\.+$)[a-zA-Z0-9_.-]+$/);
            expect(target.qualifier ?? "a").toMatch(/^[a-zA-Z0-9_$.-]+$/);
            // The canonical URL says the same, to our parser and to WHATWG's, and is safe to print and to send.
            const { userinfo: _none, ...same } = url ?? {};
            expect(parseLambdaUrl(href)).toEqual(same);
            expect(new URL(href).href).toBe(href);
            expect(href).toMatch(/^[!-~]+$/);
            expect(url?.path).toMatch(/^\/(?!(?:.*\/)?\.\.?(?:\/|$))/);
            count++;
          } catch (error) {
            if (!(error instanceof InvalidTargetError)) throw error;
            expect(error.message.length).toBeLessThan(1000);
            expect(error.message).not.toMatch(/\p{Cc}/u);
          }
        }),
        runs("targets"),
      );
      expectEnough(runs("targets"), count);
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
        odd.map((path) => `http+lambda://orders/${path}`),
      );
      await fc.assert(
        fc.asyncProperty(url, async (text) => void (await settle(() => fetch(text)))),
        runs("urls"),
      );
      for (const { payload } of calls) expect(() => JSON.parse(Buffer.from(payload).toString())).not.toThrow();
      expectEnough(runs("urls"), calls.length);
    },
    TIMEOUT,
  );
});

describe("formats", () => {
  test(
    "any result is a response's parts, or says what is wrong",
    () => {
      let withHeaders = 0;
      fc.assert(
        fc.property(formatName, result, (format, given) => {
          try {
            const { status, headers, body } = FORMATS[format].decode(JSON.parse(JSON.stringify(given) ?? "null"));
            expect(status).toBeGreaterThanOrEqual(200);
            expect(status).toBeLessThanOrEqual(599);
            // A Response takes all of it.
            const made = new Headers();
            for (const [name, text] of headers) made.append(name, text);
            expect(typeof body === "string" ? body.isWellFormed() : body instanceof Uint8Array).toBe(true);
            if (headers.length > 2) withHeaders++;
          } catch (error) {
            if (!(error instanceof InvalidResultError)) throw error;
            expect(error.message.length).toBeLessThan(1000);
            expect(error.message).not.toMatch(/\p{Cc}/u);
          }
        }),
        runs("results"),
      );
      expectEnough(runs("results"), withHeaders);
    },
    TIMEOUT,
  );

  test(
    "a framed result of any payload is a response",
    async () => {
      let current: Uint8Array = Buffer.alloc(0);
      const fetch = createFetch({ invoker: { invoke: async () => ({ payload: current }) }, redirect: "manual" });
      await fc.assert(
        fc.asyncProperty(formatName, payload, some(...READERS), async (payloadFormat, bytes, reader) => {
          current = bytes;
          const response = await fetch("http+lambda://app/", { lambda: { payloadFormat } });
          expect(response.status).toBeGreaterThanOrEqual(200);
          await read(response, reader);
        }),
        runs("frames"),
      );
    },
    TIMEOUT,
  );

  test(
    "any request is an event that JSON can hold, with nothing lost of its body and its headers' names",
    () => {
      const headers = fc.array(fc.oneof(field, fc.tuple(odd, odd)), { maxLength: 5 });
      fc.assert(
        fc.property(
          formatName,
          fc.record({ path: odd, query: odd, headers, body: fc.oneof(bytes, odd, fc.constant(null)) }),
          (format, { path, query, headers, body }) => {
            const request = { method: "POST", path: `/${path}`, query, headers, body };
            const event = FORMATS[format].encode(request, { functionName: "app" });
            const read = JSON.parse(JSON.stringify(event)) as {
              headers?: object;
              multiValueHeaders?: object;
              body?: string | null;
              isBase64Encoded: boolean;
            };
            const sent = Buffer.from(read.body ?? "", read.isBase64Encoded ? "base64" : "utf8");
            const given = typeof body === "string" ? Buffer.from(body) : Buffer.from(body ?? []);
            expect(sent.equals(given)).toBe(true);
            const names = Object.keys(read.headers ?? read.multiValueHeaders ?? {}).map((name) => name.toLowerCase());
            if (headers.some(([name]) => name.toLowerCase() === "__proto__")) expect(names).toContain("__proto__");
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
    bytes.map((content) => Buffer.from(content)),
    buffers(
      fc
        .record({ code: json, __type: json, message: json, Message: json, Reason: json }, { requiredKeys: [] })
        .map((content) => JSON.stringify(content)),
    ),
    buffers(fc.record({ __type: token, message: odd, Reason: token }).map((content) => JSON.stringify(content))),
    buffers(mutated("<AccessDeniedException><Message>no</Message></AccessDeniedException>")),
    buffers(mutated('{"__type":"com.amazonaws#ThrottlingException:http://x","message":"no"}')),
  );

  test(
    "any refusal is an InvokeError with a short message of one line",
    () => {
      const header = fc.option(fc.oneof(odd, mutated("ServiceException:http://internal.amazon.com/coral/x")), {
        nil: undefined,
      });
      const retryAfter = fc.option(fc.oneof(odd, mutated("Tue, 24 Nov 2026 12:00:00 GMT"), mutated("120")), {
        nil: undefined,
      });
      fc.assert(
        fc.property(
          fc.integer({ min: 300, max: 599 }),
          header,
          retryAfter,
          errorBody,
          (status, name, retryAfter, body) => {
            const headers = {
              ...(name !== undefined && { "x-amzn-errortype": name }),
              ...(retryAfter !== undefined && { "retry-after": retryAfter, "x-amz-retry-after": retryAfter }),
            };
            const response = { status, headers, body };
            const error = refusedError(invocation, { region: "eu-west-1", response });
            expect(error).toBeInstanceOf(InvokeError);
            expect(error.outcome).toMatch(status < 500 ? /^not-started$/ : /^(?:not-started|unknown)$/);
            if (status === 500) expect(error.outcome).toBe("unknown");
            expect(error.message.length).toBeLessThan(2000);
            expect(error.message).not.toMatch(/\p{Cc}/u);
            expect(error.code).toBe(readError(response).code);
            expect(error.code).not.toBe("");
            expect(error.retryAfter ?? 0).toBeGreaterThanOrEqual(0);
          },
        ),
        runs("errors"),
      );
    },
    TIMEOUT,
  );

  test(
    "any payload of a function that failed is a failure",
    () => {
      const line = fc.oneof(odd, json, fc.record({ path: odd, line: fc.integer(), label: json }));
      const shape = fc.letrec((tie) => ({
        failure: fc.record(
          {
            errorType: mostly(fc.oneof(some("Sandbox.Timedout", "Runtime.ExitError"), odd), json),
            errorMessage: mostly(odd, json),
            stackTrace: mostly(fc.array(line, { maxLength: 3 }), json),
            trace: mostly(fc.array(line, { maxLength: 3 }), json),
            cause: fc.oneof({ depthSize: "small" }, json, tie("failure")),
          },
          { requiredKeys: [] },
        ),
      })).failure;
      const failed = fc.oneof(
        bytes.map((content) => Buffer.from(content)),
        buffers(shape.map((content) => JSON.stringify(content))),
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
      const metrics = { durationMs: 1, billedDurationMs: 2, memorySizeMB: 128, maxMemoryUsedMB: 67 };
      const log = fc.oneof(
        odd,
        fc.constant(line),
        mutated(line),
        mutated(JSON.stringify({ type: "platform.report", record: { metrics } })),
        json.map((metrics) => JSON.stringify({ type: "platform.report", record: { metrics } })),
      );
      let count = 0;
      fc.assert(
        fc.property(log, (text) => {
          const report = parseReport(text);
          if (report !== undefined) count++;
          for (const number of Object.values(report ?? {})) expect(Number.isFinite(number)).toBe(true);
        }),
        runs("reports"),
      );
      expectEnough(runs("reports"), count);
    },
    TIMEOUT,
  );
});

describe("answers of an endpoint", () => {
  let server: Server;
  let answer: Wire = { first: Buffer.alloc(0), second: Buffer.alloc(0), reset: false };
  beforeAll(async () => {
    server = createServer((socket) => {
      socket.on("error", () => {});
      const { first, second, reset } = answer;
      const end = (): void => void (reset ? socket.resetAndDestroy() : socket.end());
      // In two parts, so that the client's parser has to stop somewhere.
      socket.once("data", () => socket.write(first, () => socket.write(second, end)));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterAll(() => void server.close());

  interface Wire {
    readonly first: Buffer;
    readonly second: Buffer;
    readonly reset: boolean;
  }

  const good = (body: string, headers = ""): string =>
    `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-amzn-RequestId: 1\r\nX-Amz-Executed-Version: $LATEST\r\n` +
    `${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
  const whole = [
    good('{"statusCode":200,"body":"ok"}'),
    good(""),
    good('{"errorMessage":"no"}', `X-Amz-Function-Error: Unhandled\r\nX-Amz-Log-Result: ${btoa("START\nEND")}\r\n`),
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nnull\r\n0\r\nX-Amz-Function-Error: a\r\n\r\n",
    "HTTP/1.1 429 X\r\nx-amzn-ErrorType: TooManyRequestsException\r\nContent-Length: 2\r\n\r\n{}",
    "HTTP/1.1 500 X\r\nx-amzn-ErrorType: ServiceException\r\nContent-Length: 2\r\n\r\n{}",
    "HTTP/1.1 503 X\r\nContent-Length: 2\r\n\r\n{}",
    "HTTP/1.0 204 No Content\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
  ];
  /** What may become of an answer on its way. */
  const damaged = (text: string): fc.Arbitrary<Buffer> => {
    const lines = text.split("\r\n");
    const at = fc.nat(text.length);
    return fc.oneof(
      fc.constant(Buffer.from(text)),
      buffers(mutated(text)),
      buffers(at.map((end) => text.slice(0, end))),
      fc
        .tuple(fc.nat(text.length - 1), fc.nat(255))
        .map(([index, byte]) => Buffer.from(text).fill(byte, index, index + 1)),
      buffers(fc.nat(lines.length - 1).map((index) => lines.toSpliced(index, 0, lines[index] ?? "").join("\r\n"))),
      buffers(
        fc
          .tuple(fc.integer({ min: 1, max: lines.length - 1 }), some(100, 20_000))
          .map(([index, size]) => lines.toSpliced(index, 0, `X-Big: ${"a".repeat(size)}`).join("\r\n")),
      ),
      buffers(
        fc
          .oneof(fc.integer({ min: -1, max: 60 }).map(String), odd, some("99999999999", "1e3", "0x2", "2, 2"))
          .map((length) => text.replace(/Content-Length: \d+/, `Content-Length: ${length}`)),
      ),
      buffers(fc.nat(1100).map((status) => text.replace(/^HTTP\/1.\d \d+/, `HTTP/1.1 ${status}`))),
      buffers(some("100 Continue", "103 Early Hints").map((status) => `HTTP/1.1 ${status}\r\n\r\n${text}`)),
      buffers(some(...whole).map((more) => text + more)),
    );
  };
  const wire: fc.Arbitrary<Wire> = fc
    .tuple(
      fc.oneof(
        { weight: 1, arbitrary: bytes.map((content) => Buffer.from(content)) },
        { weight: 9, arbitrary: some(...whole).chain(damaged) },
      ),
      fc.nat(300),
      mostly(fc.constant(false), fc.constant(true)),
    )
    .map(([all, cut, reset]) => ({ first: all.subarray(0, cut), second: all.subarray(cut), reset }));

  test(
    "any bytes are a response or an InvokeError that claims no more than is certain, and never a hang",
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
      let answered = 0;
      await fc.assert(
        fc.asyncProperty(wire, async (bytes) => {
          answer = bytes;
          try {
            const response = await fetch("http+lambda://orders/");
            expect(response).toBeInstanceOf(LambdaResponse);
            await read(response);
            answered++;
          } catch (error) {
            if (!(error instanceof InvokeError)) throw error;
            const { code, outcome, status, attempts, message } = error;
            expect(code).not.toBe("ERR_TIMEOUT");
            expect(attempts).toBe(1);
            expect(message.length).toBeLessThan(2000);
            // The request arrived: only a refusal that came whole says that the function did not run.
            if (status === undefined) expect(outcome).toBe("unknown");
            else expect(status).toBeGreaterThanOrEqual(300);
          }
        }),
        runs("answers"),
      );
      expectEnough(runs("answers"), answered);
      // And the client still works. A connection that the last answer closed may be closed under the call.
      const last = good('{"statusCode":200,"body":"ok"}', "Connection: close\r\n");
      answer = { first: Buffer.from(last), second: Buffer.alloc(0), reset: false };
      const response = await fetch("http+lambda://orders/", { lambda: { retry: { maxDelay: 0 } } });
      expect(await response.text()).toBe("ok");
    },
    TIMEOUT,
  );
});

describe("the whole way", () => {
  test(
    "any request to any function is a response, a clear error, or the caller's own reason for an abort",
    async () => {
      let current: Awaited<ReturnType<Invoker["invoke"]>>;
      let onInvoke = (): void => undefined;
      let invoked = 0;
      const invoke: Invoker["invoke"] = async () => {
        invoked++;
        onInvoke();
        return current;
      };
      const onWeb = async (): Promise<Response> => new Response("arrived");
      const fetch = createFetch({
        invoker: { invoke },
        retry: { maxDelay: 0 },
        maxResponseSize: 1000,
        fetch: onWeb as typeof globalThis.fetch,
      });
      const known = fc.record(
        {
          functionError: mostly(fc.constant(undefined), odd),
          ...{ logs: odd, requestId: odd, executedVersion: odd, traceId: odd, region: odd },
        },
        { requiredKeys: [] },
      );
      const method = some("GET", "POST", "PUT", "HEAD", "OPTIONS", "patch", "REPORT");
      const init = fc
        .record(
          {
            method: mostly(method, odd),
            headers: fc.array(mostly(field, fc.tuple(odd, odd)), { maxLength: 3 }),
            body: fc.oneof(odd, bytes, fc.constant(null)),
            redirect: mostly(some("follow", "manual", "error"), odd),
          },
          { requiredKeys: ["method"] },
        )
        // Most of what is refused for having a body would be refused for nothing else.
        .map(({ body, ...rest }) => (/^(?:GET|HEAD)$/.test(rest.method) ? rest : { ...rest, body }));
      const options = fc.record(
        {
          payloadFormat: formatName,
          qualifier: mostly(some("prod", "7", "$LATEST"), odd),
          functionErrors: some("throw", "response"),
          invocationType: mostly(fc.constant("RequestResponse"), some("Event", "DryRun")),
          maxRedirects: fc.nat(3),
          followTo: fc.array(mostly(some("users", "app-*", "*-*-*"), odd), { maxLength: 2 }),
          retry: some<RequestOptions["retry"]>(
            false,
            { attempts: 2, maxDelay: 0, statuses: [503] },
            { unsafe: true, maxDelay: 0 },
          ),
          clientContext: fc.dictionary(odd, json),
          logs: fc.boolean(),
        },
        { requiredKeys: [] },
      );
      const abort = fc.oneof(
        { weight: 10, arbitrary: fc.constant("never") },
        { weight: 1, arbitrary: some("before", "meanwhile") },
      );
      // Few of the paths that `odd` makes are URLs.
      const path = mostly(
        textOf("ab/.?&=%;", 0, 10).map((text) => text.replaceAll("%", "%2F")),
        odd,
      );
      await fc.assert(
        fc.asyncProperty(
          fc.tuple(payload, known, init, options, path, some(...READERS), abort),
          async ([bytes, facts, given, lambda, path, reader, abort]) => {
            current = { payload: bytes, ...facts } as typeof current;
            const controller = new AbortController();
            const reason = Symbol("the caller's own");
            const before = invoked;
            onInvoke = () => (abort === "meanwhile" ? controller.abort(reason) : undefined);
            if (abort === "before") controller.abort(reason);
            const { signal } = controller;
            const call = { ...given, signal, lambda: lambda as RequestOptions } as LambdaRequestInit;
            const outcome = await settle(() => fetch(`http+lambda://app/${path}`, call), reader).catch(
              (error: unknown) => {
                if (error !== reason) throw error;
                return reason;
              },
            );
            if (abort === "before") expect(invoked).toBe(before);
            if (abort === "meanwhile" && invoked > before) expect(outcome).toBe(reason);
            if (abort === "never") expect(outcome).not.toBe(reason);
          },
        ),
        runs("way"),
      );
      expectEnough(runs("way"), invoked);
    },
    TIMEOUT,
  );

  test(
    "any Location leads to no other function, and no credential onto the web",
    async () => {
      const web: Request[] = [];
      const called: Target[] = [];
      let status = 307;
      let location = "";
      let onward: string | undefined;
      const invoker: Invoker = {
        async invoke({ target }) {
          called.push(target);
          return { payload: Buffer.from(JSON.stringify({ statusCode: status, headers: { location } })) };
        },
      };
      const onWeb = async (input: string | Request, init?: RequestInit): Promise<Response> => {
        const request = new Request(input, init);
        web.push(request);
        if (onward === undefined) return new Response("arrived");
        return new Response("further", { status: 302, headers: { location: onward } });
      };
      const session = new Session({ invoker, fetch: onWeb as typeof globalThis.fetch, maxRedirects: 2 });
      const headers = { Authorization: "Bearer sesame", Cookie: "a=sesame", "X-Api-Key": "sesame" };
      const places = [
        ...["/to", "?q", "//app/x", "//users/", "https://app/x", "http://app:80/", "https://ada:sesame@example.com/"],
        ...["http+lambda://users/", "http+lambda://App/", "http+lambda://prod.app/", "http+lambda://x:y@app/"],
        ...["http+lambda://999999999999%3Afunction%3Aapp/", "http+lambda://app%3A7/", "lambda://users/"],
        "http+lambda://arn%3Aaws%3Alambda%3Aeu-west-1%3A999999999999%3Afunction%3Aapp/",
        "https://app.example.com/path?a=b#c",
      ];
      const anywhere = fc.oneof(odd, fc.webUrl(), some(...places), some(...places).chain(mutated));
      const onwards = fc.option(
        anywhere.filter((text) => /^[ -~]*$/.test(text)),
        { nil: undefined },
      );
      let refused = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.tuple(anywhere, onwards, some("GET", "POST", "PUT"), some(301, 302, 303, 307, 308)),
          async ([to, further, method, how]) => {
            [location, onward, status] = [to, further, how];
            await session.request(method, "http+lambda://app/", { headers }).catch((error: unknown) => {
              const { name } = error as Error;
              // A result whose Location no header can hold is a 502, and no redirect.
              expect(error instanceof UnsafeRedirectError || name === "TooManyRedirectsError").toBe(true);
              refused++;
            });
          },
        ),
        runs("redirects"),
      );
      // Another account's function of the same name is another function.
      for (const { qualifier: _any, ...target } of called) expect(target).toEqual({ functionName: "app" });
      for (const request of web) {
        expect(request.method).toMatch(/^(?:GET|HEAD)$/);
        expect(request.body).toBeNull();
        expect(new URL(request.url)).toMatchObject({
          protocol: expect.stringMatching(/^https?:$/),
          username: "",
          password: "",
        });
        for (const [, value] of request.headers) expect(value).not.toContain("sesame");
      }
      expectEnough(runs("redirects"), called.length, web.length, refused);
    },
    TIMEOUT,
  );

  test(
    "any Set-Cookie of a function reaches no other, and not the web",
    async () => {
      let setCookie: string[] = [];
      const invoker: Invoker = {
        async invoke({ target, payload }) {
          const body = Buffer.from(payload).toString();
          const cookies = target.functionName === "app" && target.accountId === undefined ? setCookie : [];
          return {
            payload: Buffer.from(
              JSON.stringify({ statusCode: 200, body, multiValueHeaders: { "set-cookie": cookies } }),
            ),
          };
        },
      };
      const onWeb = async (input: string, init?: RequestInit): Promise<Response> =>
        new Response(JSON.stringify({ headers: Object.fromEntries(new Request(input, init).headers) }));
      const domain = some("users", ".users", "com", "", "app", "App", "example.com", "localhost").map(
        (name) => `Domain=${name}`,
      );
      const attribute = fc.oneof(
        { weight: 1, arbitrary: domain },
        {
          weight: 3,
          arbitrary: some("Path=/", "Path=/a", "Secure", "HttpOnly", "Max-Age=9", "Expires=x", "SameSite=Strict"),
        },
        { weight: 1, arbitrary: odd },
      );
      const name = mostly(fc.oneof(token, some("__Host-a", "__Secure-a", "__proto__", "")), odd);
      const cookie = fc
        .tuple(name, mostly(textOf('abc=%"', 0, 10), odd), fc.array(attribute, { maxLength: 3 }))
        .map(([name, value, attributes]) => [`${name}=${value}`, ...attributes].join("; "));
      const others = [
        ...["http+lambda://users/", "http+lambda://App/", "http+lambda://app-2/", "http+lambda://com/"],
        ...["http+lambda://123456789012%3Afunction%3Aapp/", "https://app/", "https://app.example.com/"],
      ];
      let kept = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(cookie, { maxLength: 3 }), some(...others), async (cookies, other) => {
          const session = new Session({ invoker, fetch: onWeb as typeof globalThis.fetch });
          setCookie = cookies;
          const sees = async (url: string): Promise<string[]> => {
            const { headers } = await session.get(url).json<{ headers: object }>();
            return Object.keys(headers).map((name) => name.toLowerCase());
          };
          await session.get("http+lambda://app/");
          const mine = Object.keys(await session.cookies.get("http+lambda://app/"));
          if (mine.length > 0) kept++;
          // A failure's text is no event.
          const again = await session.get("http+lambda://prod.app/");
          if (again.status === 200)
            expect(await sees("http+lambda://prod.app/")).toEqual(
              mine.length > 0 ? expect.arrayContaining(["cookie"]) : expect.not.arrayContaining(["cookie"]),
            );
          expect(await sees(other)).not.toContain("cookie");
          expect(await session.cookies.get(other)).toEqual({});
        }),
        runs("cookies"),
      );
      expectEnough(runs("cookies"), kept);
    },
    TIMEOUT,
  );
});

describe("codings", () => {
  // From Node 22.15 on.
  const { zstdCompressSync } = zlib as { zstdCompressSync?: (bytes: Uint8Array) => Buffer };
  const CODERS: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>> = {
    gzip: (bytes) => zlib.gzipSync(bytes),
    "x-gzip": (bytes) => zlib.gzipSync(bytes),
    deflate: (bytes) => zlib.deflateSync(bytes),
    Deflate: (bytes) => zlib.deflateRawSync(bytes),
    br: (bytes) => zlib.brotliCompressSync(bytes, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } }),
    identity: (bytes) => bytes,
    ...(zstdCompressSync !== undefined && { zstd: zstdCompressSync }),
  };

  test(
    "any body is decoded to what it was, or refused where it is over the limit",
    async () => {
      let decoded = 0;
      const content = fc.tuple(bytes, some(1, 20)).map(([part, times]) => Buffer.concat(Array(times).fill(part)));
      await fc.assert(
        fc.asyncProperty(
          content,
          fc.array(some(...Object.keys(CODERS)), { maxLength: 5 }),
          some(10_000, 1_000, 100),
          async (body, codings, limit) => {
            const stages: Uint8Array[] = [body];
            for (const coding of codings) stages.push(CODERS[coding]?.(stages.at(-1) ?? body) ?? body);
            const wire = stages.pop() ?? body;
            const read = decodeContent(wire, codings.join(", "), limit);
            if (stages.some(({ length }) => length > limit)) {
              await expect(read).rejects.toBeInstanceOf(PayloadTooLargeError);
            } else {
              expect(Buffer.compare(await read, body)).toBe(0);
              decoded++;
            }
          },
        ),
        runs("coded"),
      );
      expectEnough(runs("coded"), decoded);
    },
    TIMEOUT,
  );

  test(
    "any bytes under any coding are decoded within the limit, or refused",
    async () => {
      const name = mostly(some(...Object.keys(CODERS)), odd);
      const damaged = fc
        .tuple(bytes, some(...Object.keys(CODERS)), fc.nat(300), fc.nat(255), fc.boolean())
        .map(([body, coding, at, byte, isCut]) => {
          const coded = Buffer.from(CODERS[coding]?.(body) ?? body);
          if (isCut || at >= coded.length) return coded.subarray(0, at);
          return coded.fill(byte, at, at + 1);
        });
      await fc.assert(
        fc.asyncProperty(fc.oneof(bytes, damaged), fc.array(name, { maxLength: 3 }), async (body, codings) => {
          const limit = 10_000;
          try {
            expect((await decodeContent(body, codings.join(", "), limit)).length).toBeLessThanOrEqual(limit);
          } catch (error) {
            if (!isExpected(error)) throw error;
          }
        }),
        runs("codings"),
      );
    },
    TIMEOUT,
  );
});
