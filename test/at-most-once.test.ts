/** The proof: every way to fail × every method × every option, with how often the function may run. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import { InvokeError } from "../src/errors.ts";
import type { Invocation, Invoker, RetryInfo } from "../src/invoke/invoker.ts";
import type { RetryOptions } from "../src/options.ts";
import { LambdaResponse } from "../src/response.ts";
import { Session } from "../src/session.ts";
import type { SessionOptions, SessionRequestOptions } from "../src/session-options.ts";
import {
  answers,
  breaks,
  type Fault,
  type FaultyLambda,
  faultyLambda,
  http,
  refusal,
  result,
} from "./support/faulty-lambda.ts";
import { CLOSED_PORT } from "./support/sockets.ts";

const run = promisify(execFile);
const URL_OF_APP = "http+lambda://app/";
const IDEMPOTENT = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"];
const METHODS = [...IDEMPOTENT, "POST", "PATCH"];
// Without a wait: how long it is has tests of its own.
const RETRIES: readonly [name: string, retry: RetryOptions | false, limit: number][] = [
  ["the default", { maxDelay: 0 }, 3],
  ["unsafe", { unsafe: true, maxDelay: 0 }, 3],
  ["false", false, 1],
  ["five attempts", { attempts: 5, maxDelay: 0 }, 5],
];

/**
 * What is certain after a failure, by design and not by the code: it did not run and the failure passes by itself; it did
 * not run, and won't; nobody knows; it ran.
 */
type Class = "passes" | "final" | "unknown" | "completed";

const WHOLE = http(200, {}, '{"statusCode":200,"body":"ok"}');
const HTML = "<html><head><title>502 Bad Gateway</title></head></html>";
const proxied = (status: number, body: string, type = "text/html"): Fault =>
  answers(
    `${status} of something on the way: ${body.slice(0, 40)}`,
    true,
    http(status, { "Content-Type": type }, body),
  );

/** The code of its error, where the table says none: AWS's name, or that of a lost connection. */
const codeOf = ({ name }: Fault): string => /^\d{3} (\w+)$/.exec(name)?.[1] ?? "ECONNRESET";

const FAULTS: readonly [Fault, Class, code?: string][] = [
  // The connection goes. Whether the function ran, only this server knows.
  [breaks("closed before the function ran", false), "unknown"],
  [breaks("closed after the function ran", true), "unknown"],
  [breaks("reset before the function ran", false, "", "reset"), "unknown"],
  [breaks("reset after the function ran", true, "", "reset"), "unknown"],
  [breaks("half a status line", true, "HTTP/1.1 20"), "unknown"],
  [breaks("half the headers", true, "HTTP/1.1 200 OK\r\nContent-Len"), "unknown"],
  [breaks("half the body", true, WHOLE.slice(0, -5)), "unknown"],
  [breaks("half the body, and a reset", true, WHOLE.slice(0, -5), "reset"), "unknown"],
  [
    breaks("more than its length", true, `${http(200, { "Content-Length": "2" }, "{}{}")}`),
    "unknown",
    "HPE_INVALID_CONSTANT",
  ],
  [breaks("half a chunked body", true, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}"), "unknown"],
  [
    breaks("a chunk whose size is none", true, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "unknown",
    "HPE_INVALID_CHUNK_SIZE",
  ],
  [breaks("garbage", true, "\u0000\u0001garbage\r\n\r\n"), "unknown", "HPE_INVALID_CONSTANT"],
  [breaks("another protocol", true, "SSH-2.0-OpenSSH_9.2\r\n"), "unknown", "HPE_INVALID_CONSTANT"],
  [breaks("a 101", true, "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"), "unknown", "ERR_NETWORK"],
  [
    breaks("two lengths", true, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
    "unknown",
    "HPE_UNEXPECTED_CONTENT_LENGTH",
  ],
  [
    breaks("endless headers", true, `HTTP/1.1 200 OK\r\n${"X-Header: value\r\n".repeat(5000)}`),
    "unknown",
    "HPE_HEADER_OVERFLOW",
  ],

  // An answer that says nothing certain.
  [refusal(500, "ServiceException"), "unknown"],
  [{ ...refusal(500, "ServiceException"), runs: true }, "unknown"],
  [{ ...refusal(500, "InternalFailure"), runs: true }, "unknown"],
  [proxied(500, ""), "unknown", "HTTP_500"],
  [proxied(502, HTML), "unknown", "HTTP_502"],
  [proxied(503, "no healthy upstream", "text/plain"), "unknown", "HTTP_503"],
  [proxied(504, '{"code":"GatewayTimeoutException"}', "application/json"), "unknown", "GatewayTimeoutException"],
  [proxied(503, '{"__type":"BackendException","message":"x"}', "application/json"), "unknown", "BackendException"],
  [proxied(502, '{"message":"Internal server error"}', "application/json"), "unknown", "HTTP_502"],

  // Lambda refused, and says which of these will pass.
  [refusal(429, "TooManyRequestsException"), "passes"],
  [refusal(429, "TooManyRequests"), "passes", "TooManyRequestsException"],
  [answers("a 429 without a name", false, http(429, {}, "")), "passes", "HTTP_429"],
  [refusal(502, "EC2ThrottledException"), "passes"],
  [refusal(502, "ENINotReadyException"), "passes"],
  [refusal(502, "ResourceNotReadyException"), "passes"],
  [refusal(409, "SnapStartNotReadyException"), "passes"],

  // …and which won't.
  ...[
    ...["InvalidZipFile", "InvalidRuntime", "InvalidSubnetID", "InvalidSecurityGroupID", "ENILimitReached"],
    ...["SubnetIPAddressLimitReached", "EC2AccessDenied", "EC2Unexpected", "KMSAccessDenied", "KMSDisabled"],
    ...["KMSInvalidState", "KMSNotFound"],
  ].map((name): [Fault, Class] => [refusal(502, `${name}Exception`), "final"]),
  [refusal(400, "InvalidParameterValueException"), "final"],
  [refusal(400, "RecursiveInvocationException"), "final"],
  [refusal(402, "ServiceQuotaExceededException"), "final"],
  [refusal(403, "AccessDeniedException"), "final"],
  [refusal(403, "UnrecognizedClientException"), "final"],
  [refusal(403, "InvalidSignatureException"), "final"],
  // The keys are fixed, so there are no others to sign with.
  [refusal(403, "ExpiredTokenException"), "final"],
  [refusal(403, "EFSMountFailureException"), "final"],
  [refusal(404, "ResourceNotFoundException"), "final"],
  [refusal(408, "SnapStartTimeoutException"), "final"],
  [refusal(409, "ResourceConflictException"), "final"],
  [refusal(409, "SnapStartRegenerationFailureException"), "final"],
  [refusal(410, "EFSIOException"), "final"],
  [refusal(413, "RequestEntityTooLargeException"), "final"],
  [refusal(415, "UnsupportedMediaTypeException"), "final"],
  [refusal(301, "PermanentRedirect", { Location: "http://127.0.0.1:9/" }), "final"],
  [answers("a 403 of a firewall", false, http(403, { "Content-Type": "text/html" }, "<html>")), "final", "HTTP_403"],

  // It ran to its end.
  [result({ statusCode: 200, body: "ok" }), "completed"],
  [result({ statusCode: 500, body: "no" }), "completed"],
  [result({ statusCode: 503, body: "no" }), "completed"],
  [result({ statusCode: 429, body: "no" }), "completed"],
  [result({ errorType: "Error", errorMessage: "boom" }, { "X-Amz-Function-Error": "Unhandled" }), "completed"],
  [result({ errorType: "Sandbox.Timedout", errorMessage: "x" }, { "X-Amz-Function-Error": "Unhandled" }), "completed"],
  [answers("a result that is no JSON", true, http(200, {}, "{")), "completed"],
];

const OK = result({ statusCode: 200, body: "ok" });
const THROTTLED = refusal(429, "TooManyRequestsException");
const LOST = breaks("lost after it ran", true);
const DENIED = refusal(403, "AccessDeniedException");

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function lambda(...script: [Fault, ...Fault[]]): Promise<FaultyLambda> {
  const server = await faultyLambda(...script);
  closers.push(() => server.close());
  return server;
}

function session(endpoint: string, options: SessionOptions = {}): Session {
  const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" };
  const made = new Session({ endpoint, region: "eu-west-1", credentials, retry: { maxDelay: 0 }, ...options });
  closers.push(() => made.close());
  return made;
}

/** The response, or the error. */
async function outcome(call: Promise<Response>): Promise<LambdaResponse | InvokeError> {
  const settled: unknown = await call.catch((error: unknown) => error);
  if (settled instanceof LambdaResponse || settled instanceof InvokeError) return settled;
  throw settled;
}

async function failure(call: Promise<Response>): Promise<InvokeError> {
  const settled = await outcome(call);
  if (settled instanceof InvokeError) return settled;
  throw new Error(`it was answered with ${settled.status}`);
}

describe.each(FAULTS)("$name", (fault, kind, code = codeOf(fault)) => {
  test.each(RETRIES)("retry: %s", async (_name, retry, limit) => {
    for (const method of METHODS) {
      const { endpoint, counts } = await lambda(fault);
      const unsafe = retry !== false && retry.unsafe === true;
      const again = kind === "passes" || (kind === "unknown" && (unsafe || IDEMPOTENT.includes(method)));
      const attempts = again ? limit : 1;
      const settled = await outcome(session(endpoint).request(method, URL_OF_APP, { retry }));
      expect([method, counts.requests], "requests that arrived").toEqual([method, attempts]);
      expect([method, counts.runs], "runs of the function").toEqual([method, fault.runs ? attempts : 0]);
      if (settled instanceof InvokeError) {
        const certain = kind === "unknown" ? "unknown" : "not-started";
        const said = [method, settled.code, settled.outcome, settled.attempts];
        expect(said).toEqual([method, code, certain, attempts]);
      } else {
        expect(kind).toBe("completed");
        expect(settled.invocation.attempts).toBe(1);
      }
      if ((method === "POST" || method === "PATCH") && !unsafe) expect(counts.runs).toBeLessThanOrEqual(1);
    }
  });
});

test("a connection that was free and goes as a request is written: a POST is not sent again, a GET is", async () => {
  const gone = breaks("gone", false, "", "reset");
  const { endpoint, counts } = await lambda(OK, gone, OK, gone, OK);
  const one = session(endpoint);
  await one.post(URL_OF_APP);
  expect(await failure(one.post(URL_OF_APP))).toMatchObject({ outcome: "unknown", attempts: 1 });
  expect([counts.connections, counts.requests, counts.runs]).toEqual([1, 2, 1]);
  await one.get(URL_OF_APP);
  expect(((await outcome(one.get(URL_OF_APP))) as LambdaResponse).invocation.attempts).toBe(2);
  expect([counts.connections, counts.requests, counts.runs]).toEqual([3, 5, 3]);
});

describe("a connection that goes before the request has arrived", () => {
  const early: Fault[] = [
    { ...breaks("closed at once", false), early: "connection" },
    { ...breaks("reset in the middle of the request", false, "", "reset"), early: "head" },
  ];
  // More than goes into the buffers between the two.
  const data = "x".repeat(4_000_000);

  // Nobody but the server knows that nothing ran: a part of the request was on its way.
  test.each(early)("$name", async (fault) => {
    for (const [method, options, attempts] of [
      ["POST", {}, 1],
      ["PUT", {}, 3],
      ["PATCH", { unsafe: true }, 3],
    ] as const) {
      const { endpoint, counts } = await lambda(fault);
      const retry = { maxDelay: 0, ...options };
      const error = await failure(session(endpoint).request(method, URL_OF_APP, { data, retry }));
      expect([method, error.outcome, error.attempts]).toEqual([method, "unknown", attempts]);
      expect(error.code).toMatch(/^(?:ECONNRESET|EPIPE)$/);
      expect(counts).toEqual({ connections: attempts, requests: 0, runs: 0 });
    }
  });
});

// Not one of Invoke's: under an AWS name it did not run, but whether it passes by itself AWS does not say.
test("a 503 with a name of AWS's: only what may run twice is sent again", async () => {
  for (const method of METHODS) {
    const { endpoint, counts } = await lambda(refusal(503, "ServiceUnavailableException"));
    const error = await failure(session(endpoint).request(method, URL_OF_APP));
    const attempts = IDEMPOTENT.includes(method) ? 3 : 1;
    expect([method, error.outcome, error.attempts]).toEqual([method, "not-started", attempts]);
    expect(counts.requests).toBe(attempts);
  }
});

describe("no connection", () => {
  test.each(RETRIES)("nobody listens, retry: %s", async (_name, retry, limit) => {
    const endpoint = `http://127.0.0.1:${CLOSED_PORT}`;
    for (const method of METHODS) {
      const error = await failure(session(endpoint).request(method, URL_OF_APP, { retry }));
      expect(error).toMatchObject({ code: "ECONNREFUSED", outcome: "not-started", attempts: limit });
    }
  });

  test.each(RETRIES)("no such host, retry: %s", async (_name, retry, limit) => {
    for (const method of ["GET", "POST"]) {
      const error = await failure(session("http://nowhere.invalid").request(method, URL_OF_APP, { retry }));
      expect(error).toMatchObject({ outcome: "not-started", attempts: limit });
      // The second where there is no network at all.
      expect(error.code).toMatch(/^(?:ENOTFOUND|EAI_AGAIN)$/);
    }
  });

  test("a certificate that nobody vouches for is not tried again", async ({ skip }) => {
    const folder = mkdtempSync(join(tmpdir(), "lambda-requests-tls-"));
    closers.push(() => rmSync(folder, { recursive: true }));
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    const names = ["-subj", "/CN=lambda-requests", "-addext", "subjectAltName=IP:127.0.0.1"];
    try {
      await run("openssl", ["req", "-x509", ...curve, ...names, "-days", "2", "-keyout", key, "-out", cert]);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return skip("no openssl");
      throw error;
    }
    let [connections, requests] = [0, 0];
    const server = createHttpsServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_, response) => {
      requests++;
      response.end("{}");
    });
    server.on("connection", () => connections++).listen(0, "127.0.0.1");
    await once(server, "listening");
    closers.push(() => server.close());
    const one = session(`https://127.0.0.1:${(server.address() as AddressInfo).port}`);
    for (const method of ["GET", "POST"]) {
      const error = await failure(one.request(method, URL_OF_APP, { retry: { unsafe: true, maxDelay: 0 } }));
      expect(error).toMatchObject({ code: "DEPTH_ZERO_SELF_SIGNED_CERT", outcome: "not-started", attempts: 1 });
    }
    expect([connections, requests]).toEqual([2, 0]);
  });

  test("a TLS handshake with what speaks no TLS is not tried again", async () => {
    const { endpoint, counts } = await lambda(breaks("anything", true));
    const server = createServer((socket) => {
      counts.connections++;
      socket.on("error", () => {});
      socket.once("data", () => socket.end("HTTP/1.1 400 X\r\n\r\n"));
    }).listen(0, "127.0.0.1");
    closers.push(() => server.close());
    await new Promise((listening) => server.once("listening", listening));
    const tls = endpoint
      .replace("http:", "https:")
      .replace(/\d+$/, String((server.address() as { port: number }).port));
    const error = await failure(session(tls).post(URL_OF_APP));
    expect(error).toMatchObject({ outcome: "not-started", attempts: 1 });
    expect([counts.connections, counts.runs]).toEqual([1, 0]);
  });
});

describe("one failure after another", () => {
  test.each<[script: [Fault, ...Fault[]], method: string, attempts: number, runs: number, ends: unknown]>([
    [[THROTTLED, THROTTLED, OK], "POST", 3, 1, 200],
    [[LOST, LOST, OK], "GET", 3, 3, 200],
    [[THROTTLED, LOST, OK], "POST", 2, 1, ["unknown", "ECONNRESET"]],
    [[THROTTLED, LOST, OK], "PUT", 3, 2, 200],
    [[LOST, THROTTLED, OK], "DELETE", 3, 2, 200],
    [[LOST, THROTTLED, OK], "POST", 1, 1, ["unknown", "ECONNRESET"]],
    // What the first attempt may have done, a refusal of the second can't undo.
    [[LOST, DENIED, OK], "GET", 2, 1, ["unknown", "AccessDeniedException"]],
    [[THROTTLED, DENIED, OK], "GET", 2, 0, ["not-started", "AccessDeniedException"]],
    [[LOST, THROTTLED, THROTTLED], "GET", 3, 1, ["unknown", "TooManyRequestsException"]],
  ])("%#", async (script, method, attempts, runs, ends) => {
    const { endpoint, counts } = await lambda(...script);
    const settled = await outcome(session(endpoint).request(method, URL_OF_APP));
    expect([counts.requests, counts.runs]).toEqual([attempts, runs]);
    if (settled instanceof InvokeError) {
      expect([settled.outcome, settled.code]).toEqual(ends);
      expect(settled.attempts).toBe(attempts);
    } else {
      expect([settled.status, settled.invocation.attempts]).toEqual([ends, attempts]);
    }
  });

  test("each hop of a redirect by its own method", async () => {
    const moved = result({ statusCode: 303, headers: { location: "/made" } });
    const { endpoint, counts } = await lambda(moved, LOST, OK);
    const response = (await outcome(session(endpoint).post(URL_OF_APP))) as LambdaResponse;
    expect([response.status, response.invocation.attempts, counts.requests]).toEqual([200, 2, 3]);
    const kept = result({ statusCode: 307, headers: { location: "/other" } });
    const second = await lambda(kept, LOST, OK);
    const error = await failure(session(second.endpoint).post(URL_OF_APP));
    expect(error).toMatchObject({ outcome: "unknown", attempts: 1, request: { url: "http+lambda://app/other" } });
    expect(second.counts.requests).toBe(2);
    const third = await lambda(moved, DENIED);
    // It speaks of the GET; the POST was answered.
    expect(await failure(session(third.endpoint).post(URL_OF_APP))).toMatchObject({
      outcome: "not-started",
      request: { method: "GET" },
    });
  });

  test.each([
    [{ "X-HTTP-Method-Override": "POST" }, 1],
    [{ "x-method-override": "patch" }, 1],
    [{ "X-HTTP-Method": "DELETE" }, 3],
  ])("a GET that an app may take for another method: %j", async (headers, attempts) => {
    const { endpoint, counts } = await lambda(LOST);
    await failure(session(endpoint).get(URL_OF_APP, { headers }));
    expect(counts.runs).toBe(attempts);
  });

  test("a dry run does no harm twice, a queued event may", async () => {
    const { endpoint, counts } = await lambda(breaks("lost", true));
    await failure(session(endpoint).post(URL_OF_APP, { invocationType: "DryRun" }));
    expect(counts.requests).toBe(3);
    await failure(session(endpoint).post(URL_OF_APP, { invocationType: "Event" }));
    expect(counts.requests).toBe(4);
  });
});

describe("retry.statuses", () => {
  const busy = result({ statusCode: 503, headers: { "Retry-After": "2" }, body: "busy" });

  test.each<[method: string, options: SessionRequestOptions, attempts: number, status: number]>([
    ["GET", { retry: { statuses: [503] } }, 3, 200],
    ["GET", {}, 1, 503],
    ["GET", { retry: { statuses: [500] } }, 1, 503],
    ["GET", { retry: { statuses: [503], attempts: 2 } }, 2, 503],
    ["POST", { retry: { statuses: [503] } }, 1, 503],
    ["POST", { retry: { statuses: [503], unsafe: true } }, 3, 200],
  ])("%s %j", async (method, options, attempts, status) => {
    const { endpoint, counts } = await lambda(busy, busy, OK);
    const response = (await outcome(session(endpoint).request(method, URL_OF_APP, options))) as LambdaResponse;
    expect([response.status, response.invocation.attempts, counts.runs]).toEqual([status, attempts, attempts]);
  });

  test("shares the attempts with what Lambda refuses", async () => {
    const { endpoint, counts } = await lambda(THROTTLED, busy, LOST, OK);
    const error = await failure(session(endpoint).get(URL_OF_APP, { retry: { statuses: [503] } }));
    expect(error).toMatchObject({ attempts: 3, outcome: "unknown" });
    expect(counts.requests).toBe(3);
    const later = await lambda(busy, DENIED);
    const refused = await failure(session(later.endpoint).get(URL_OF_APP, { retry: { statuses: [503] } }));
    // The function has run, whatever became of the second attempt.
    expect(refused).toMatchObject({ code: "AccessDeniedException", attempts: 2, outcome: "unknown" });
  });

  test("the function's own Retry-After counts, and the hook sees its response", async () => {
    const { endpoint } = await lambda(busy, OK);
    const stop = new Error("seen");
    const seen: RetryInfo[] = [];
    const one = session(endpoint, {
      retry: { statuses: [503], maxDelay: 60_000 },
      hooks: {
        onRetry(retry) {
          seen.push(retry);
          throw stop;
        },
      },
    });
    expect(await one.get(URL_OF_APP).catch((error: unknown) => error)).toBe(stop);
    expect(seen[0]).toMatchObject({ attempt: 1, delay: 2000, request: { method: "GET", url: URL_OF_APP } });
    expect(await seen[0]?.response?.text()).toBe("busy");
    expect(seen[0]).not.toHaveProperty("error");
  });
});

describe("the hook onRetry", () => {
  test("is told of each failure before the next attempt, one hook after the other", async () => {
    const { endpoint, counts } = await lambda(THROTTLED, LOST, OK);
    const seen: unknown[] = [];
    const onRetry = [
      async ({ attempt, error, target }: RetryInfo) => {
        await Promise.resolve();
        seen.push([attempt, error?.code, error?.outcome, target.functionName, counts.requests]);
      },
      () => void seen.push("second"),
    ];
    expect((await session(endpoint, { hooks: { onRetry } }).get(URL_OF_APP)).status).toBe(200);
    const first = [1, "TooManyRequestsException", "not-started", "app", 1];
    expect(seen).toEqual([first, "second", [2, "ECONNRESET", "unknown", "app", 2], "second"]);
  });

  test("ends the call by throwing", async () => {
    const { endpoint, counts } = await lambda(THROTTLED, OK);
    const reason = { not: "even an error" };
    const onRetry = async () => Promise.reject(reason);
    expect(
      await session(endpoint, { hooks: { onRetry } })
        .get(URL_OF_APP)
        .catch((error: unknown) => error),
    ).toBe(reason);
    expect(counts.requests).toBe(1);
  });

  test("is not called when there is no further attempt", async () => {
    const { endpoint } = await lambda(LOST);
    const onRetry = (): never => {
      throw new Error("called");
    };
    await failure(session(endpoint, { hooks: { onRetry } }).post(URL_OF_APP));
    await failure(session(endpoint, { hooks: { onRetry }, retry: false }).get(URL_OF_APP));
    await failure(session(endpoint, { hooks: { onRetry }, retry: { attempts: 1 } }).get(URL_OF_APP));
  });
});

test("a request's retry goes over the session's, field by field", async () => {
  const { endpoint, counts } = await lambda(LOST);
  const one = session(endpoint, { retry: { attempts: 4, maxDelay: 0 } });
  await failure(one.post(URL_OF_APP, { retry: { unsafe: true } }));
  expect(counts.requests).toBe(4);
  await failure(one.get(URL_OF_APP, { retry: { attempts: undefined } }));
  expect(counts.requests).toBe(8);
  const never = session(endpoint, { retry: false });
  await failure(never.get(URL_OF_APP));
  expect(counts.requests).toBe(9);
  await failure(never.get(URL_OF_APP, { retry: { attempts: 2, maxDelay: 0 } }));
  expect(counts.requests).toBe(11);
});

describe("invokers of a user's own", () => {
  const details = { code: "TooManyRequestsException", status: 429, outcome: "not-started" } as const;

  /** Throws what it is given, and counts. */
  function throwing(makeError: () => unknown): Invoker & { calls: Invocation[] } {
    const calls: Invocation[] = [];
    return {
      calls,
      async invoke(invocation) {
        calls.push(invocation);
        throw makeError();
      },
    };
  }

  test("are called again as well, given as an option or mounted", async () => {
    const invoker = throwing(() => new InvokeError("slow down", details));
    const one = new Session({ invoker, retry: { maxDelay: 0 } });
    expect(await failure(one.post(URL_OF_APP))).toMatchObject({ attempts: 3 });
    expect(invoker.calls).toHaveLength(3);
    const mounted = throwing(() => new InvokeError("slow down", details));
    one.mount("http+lambda://app/v2", mounted);
    expect(await failure(one.post("http+lambda://app/v2/x"))).toMatchObject({ attempts: 3 });
    expect([invoker.calls.length, mounted.calls.length]).toEqual([3, 3]);
  });

  test("the same error object, thrown again and again, says how often", async () => {
    const same = new InvokeError("slow down", details);
    const invoker = throwing(() => same);
    const one = new Session({ invoker, retry: { maxDelay: 0, attempts: 4 } });
    expect(await failure(one.get(URL_OF_APP))).toBe(same);
    expect([same.attempts, invoker.calls.length]).toEqual([4, 4]);
  });

  test("an error that an invoker keeps is new to each call", async () => {
    const same = new InvokeError("slow down", details);
    const invoker = throwing(() => same);
    const one = new Session({ invoker, retry: { maxDelay: 0 } });
    for (const calls of [3, 6, 9]) {
      expect(await failure(one.post(URL_OF_APP))).toMatchObject({ attempts: 3, outcome: "not-started" });
      expect(invoker.calls).toHaveLength(calls);
    }
  });

  test("what is no InvokeError ends the call", async () => {
    for (const thrown of [new Error("boom"), new TypeError("x"), "text", undefined]) {
      const invoker = throwing(() => thrown);
      const one = new Session({ invoker, retry: { maxDelay: 0, unsafe: true } });
      expect(await one.get(URL_OF_APP).catch((error: unknown) => error)).toBe(thrown);
      expect(invoker.calls).toHaveLength(1);
    }
  });

  test("all of a session's share its quota", async () => {
    const error = () => new InvokeError("lost", { code: "ECONNRESET", outcome: "unknown" });
    const [first, second] = [throwing(error), throwing(error)];
    const one = new Session({ invoker: first, retry: { maxDelay: 0, attempts: 100 } });
    one.mount("http+lambda://users", second);
    // 500 tokens, 14 a retry: 35 of them.
    expect(await failure(one.get(URL_OF_APP))).toMatchObject({ attempts: 36 });
    expect(await failure(one.get("http+lambda://users/"))).toMatchObject({ attempts: 1 });
    expect(await failure(new Session({ invoker: second, retry: { maxDelay: 0 } }).get(URL_OF_APP))).toMatchObject({
      attempts: 3,
    });
  });

  test("are told whether an event may be delivered twice, and how often", async () => {
    const invoker = throwing(() => new Error("boom"));
    const one = new Session({ invoker, retry: { attempts: 7, maxDelay: 9 } });
    await one.get(URL_OF_APP).catch(() => undefined);
    await one.post(URL_OF_APP).catch(() => undefined);
    await one.post(URL_OF_APP, { retry: false }).catch(() => undefined);
    expect(invoker.calls.map(({ repeatable }) => repeatable)).toEqual([true, false, false]);
    expect(invoker.calls.map(({ retry }) => retry?.attempts)).toEqual([7, 7, undefined]);
  });

  test("one that has retried by itself says so in its result", async () => {
    const invoke = async () => ({ payload: Buffer.from("{}"), attempts: 3 });
    const response = (await outcome(new Session({ invoker: { invoke } }).get(URL_OF_APP))) as LambdaResponse;
    expect(response.invocation.attempts).toBe(3);
  });
});
