import { execFile } from "node:child_process";
import { getEventListeners, once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { Agent, createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { promisify } from "node:util";
import {
  InvokeCommand,
  InvokeWithResponseStreamCommand,
  Lambda,
  LambdaClient,
  type LambdaClientConfig,
  TooManyRequestsException,
} from "@aws-sdk/client-lambda";
import { EventStreamCodec } from "@smithy/core/event-streams";
import { HttpResponse } from "@smithy/core/protocols";
import { StandardRetryStrategy } from "@smithy/core/retry";
import { fromUtf8, toUtf8 } from "@smithy/core/serde";
import { mockClient } from "aws-sdk-client-mock";
import AWSXRay from "aws-xray-sdk-core";
import { afterEach, describe, expect, test, vi } from "vitest";
import { Emulator } from "../../src/emulator/index.ts";
import { ConfigurationError, InvokeError } from "../../src/errors.ts";
import { awsInvoker } from "../../src/invoke/aws.ts";
import type { Handler, HandlerContext } from "../../src/invoke/handler.ts";
import type {
  Invocation,
  InvocationEnd,
  InvocationResult,
  Invoker,
  PayloadStream,
  Progress,
  RetryInfo,
} from "../../src/invoke/invoker.ts";
import { type SdkClient, sdkInvoker } from "../../src/invoke/sdk.ts";
import { LambdaResponse } from "../../src/response.ts";
import { Session } from "../../src/session.ts";
import { parseFunction } from "../../src/target.ts";
import {
  answers,
  breaks,
  type Fault,
  type FaultyLambda,
  faultyLambda,
  http,
  refusal,
  result,
} from "../support/faulty-lambda.ts";
import { CLOSED_PORT, listening } from "../support/sockets.ts";

const REGION = "eu-west-1";
const SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: SECRET };
const ARN = "arn:aws:lambda:eu-west-1:123456789012:function:orders";
const URL_OF_APP = "http+lambda://app/";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const close of closers.splice(0)) await close();
});

function clientOf(config: LambdaClientConfig): LambdaClient {
  const client = new LambdaClient({ region: REGION, credentials, ...config });
  closers.push(() => client.destroy());
  return client;
}

function invocation(name = "orders", given: Partial<Invocation> = {}): Invocation {
  const request = { method: "POST", url: "http+lambda://orders/v1" };
  return { target: parseFunction(name), payload: Buffer.from('{"a":1}'), logs: false, request, ...given };
}

async function failure(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => expect.fail("it was answered"),
    (reason: unknown) => reason,
  );
}

async function lambda(...script: [Fault, ...Fault[]]): Promise<FaultyLambda> {
  const server = await faultyLambda(...script);
  closers.push(() => server.close());
  return server;
}

/** A server that answers as it is told to, with the requests that it got. */
async function server(
  answer: (request: IncomingMessage, response: ServerResponse) => unknown,
): Promise<{ endpoint: string; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const listener = createServer((request, response) => {
    request.resume().once("end", () => answer(request, response));
  }).on("connection", (socket) => sockets.push(socket));
  const { origin, undo } = await listening(listener);
  closers.push(undo);
  return { endpoint: origin, sockets };
}

function text(payload: InvocationResult["payload"]): string {
  return payload instanceof Uint8Array ? Buffer.from(payload).toString() : expect.fail("it streams");
}

test("what is no client is refused at once", () => {
  for (const client of [undefined, null, {}, { send: "x" }, LambdaClient]) {
    expect(() => sdkInvoker(client as unknown as SdkClient)).toThrow(ConfigurationError);
  }
  expect(() => sdkInvoker({} as SdkClient)).toThrow("sdkInvoker takes a client of @aws-sdk/client-lambda");
});

test("clients and mocks of them fit its type", () => {
  const client = new LambdaClient({ region: REGION });
  mockClient(client);
  const clients: SdkClient[] = [client, new Lambda({ region: REGION }), { send: async () => ({}) }];
  for (const one of clients) expect(sdkInvoker(one)).toHaveProperty("invoke");
});

test("closing a session leaves the client to its owner", async () => {
  const { endpoint, counts } = await lambda(result({ statusCode: 200, body: "ok" }));
  const client = clientOf({ endpoint });
  const destroy = vi.spyOn(client, "destroy");
  for (let session = 0; session < 2; session++) {
    const one = new Session({ invoker: sdkInvoker(client) });
    await one.get(URL_OF_APP);
    await one.close();
  }
  expect(destroy).not.toHaveBeenCalled();
  expect(counts).toMatchObject({ connections: 1, requests: 2 });
});

test("without the SDK, the error says what to install", async () => {
  vi.resetModules();
  vi.doMock("@aws-sdk/client-lambda", () => {
    throw new Error("Cannot find package");
  });
  closers.push(() => {
    vi.doUnmock("@aws-sdk/client-lambda");
    vi.resetModules();
  });
  const fresh = await import("../../src/invoke/sdk.ts");
  const call = fresh.sdkInvoker({ send: async () => ({}) }).invoke(invocation());
  await expect(call).rejects.toMatchObject({
    name: "ConfigurationError",
    message: expect.stringContaining("sdkInvoker needs the AWS SDK: npm install @aws-sdk/client-lambda"),
  });
});

describe("a call of the emulator", () => {
  const functions: Record<string, Handler> = {
    echo: async (event: unknown, { clientContext }: HandlerContext & { clientContext?: unknown }) => ({
      event,
      clientContext,
    }),
    "echo:prod": async () => "of prod",
    talks: async () => {
      console.log("größe 😀");
      return null;
    },
    fails: async () => {
      throw new TypeError("boom");
    },
  };

  async function invoke(name: string, given: Partial<Invocation> = {}): Promise<InvocationResult> {
    const emulator = await Emulator.start({ functions, quiet: true });
    closers.push(() => emulator.close());
    return sdkInvoker(clientOf({ endpoint: emulator.endpoint })).invoke(invocation(name, given));
  }

  test("gives what the function returned", async () => {
    const answer = await invoke("echo");
    expect(JSON.parse(text(answer.payload))).toEqual({ event: { a: 1 } });
    expect(answer).toMatchObject({ region: REGION, executedVersion: "$LATEST" });
    expect(answer.requestId).toMatch(/^[\da-f-]{36}$/);
    for (const name of ["functionError", "logs", "durableExecutionArn"]) expect(answer).not.toHaveProperty(name);
  });

  test("names the qualifier", async () => {
    expect(text((await invoke("echo:prod")).payload)).toBe('"of prod"');
  });

  test("hands the client context on", async () => {
    const clientContext = Buffer.from('{"custom":{"a":"1"}}').toString("base64");
    const { payload } = await invoke("echo", { clientContext });
    expect(JSON.parse(text(payload))).toMatchObject({ clientContext: { custom: { a: "1" } } });
  });

  test("gives the log, where it is asked for", async () => {
    const { logs } = await invoke("talks", { logs: true });
    expect(logs).toContain("größe 😀");
    expect(logs).toContain("REPORT RequestId: ");
    expect(await invoke("talks")).not.toHaveProperty("logs");
  });

  test("gives the failure of a function as a result", async () => {
    const { functionError, payload } = await invoke("fails");
    expect(functionError).toBe("Unhandled");
    expect(JSON.parse(text(payload))).toMatchObject({ errorType: "TypeError", errorMessage: "boom" });
  });

  test.each(["Event", "DryRun"] as const)("of the type %s has no answer, streamed or not", async (invocationType) => {
    for (const responseStreaming of [false, true]) {
      expect((await invoke("echo", { invocationType, responseStreaming })).payload).toHaveLength(0);
    }
  });

  test("streams, if asked to", async () => {
    const { payload } = await invoke("echo:prod", { responseStreaming: true });
    expect(payload).not.toBeInstanceOf(Uint8Array);
    expect(await readAll(payload as PayloadStream)).toMatchObject({ text: '"of prod"' });
  });

  test("of a Session", async () => {
    const functions = {
      app: async (event: { path: string; httpMethod: string; body: string }) => ({
        statusCode: 201,
        headers: { "set-cookie": "a=1" },
        body: `${event.httpMethod} ${event.path} ${event.body}`,
      }),
    };
    const emulator = await Emulator.start({ functions, quiet: true });
    closers.push(() => emulator.close());
    const session = new Session({ invoker: sdkInvoker(clientOf({ endpoint: emulator.endpoint })), logs: true });
    const response = await session.post("http+lambda://app/v1", { data: "hello" });
    expect([response.status, await response.text()]).toEqual([201, "POST /v1 hello"]);
    expect(response.invocation).toMatchObject({
      region: REGION,
      attempts: 1,
      report: { memorySize: expect.any(Number) },
    });
    expect(await session.cookies.get(URL_OF_APP)).toEqual({ a: "1" });
  });
});

describe("the request", () => {
  async function sent(one: Invocation): Promise<IncomingMessage> {
    const requests: IncomingMessage[] = [];
    const { endpoint } = await server((request, response) => {
      requests.push(request);
      response.end("{}");
    });
    await sdkInvoker(clientOf({ endpoint })).invoke(one);
    expect(requests).toHaveLength(1);
    return requests[0] as IncomingMessage;
  }

  test("has no header that says what is so anyway", async () => {
    const { url, headers } = await sent(invocation(ARN));
    expect(url).toBe(`/2015-03-31/functions/${encodeURIComponent(ARN)}/invocations`);
    const names = ["invocation-type", "log-type", "client-context", "tenant-id", "durable-execution-name"];
    for (const name of names) expect(headers).not.toHaveProperty(`x-amz-${name}`);
  });

  test("says what it is told to", async () => {
    const given = { logs: true, clientContext: "e30=", tenantId: "blue", durableExecutionName: "order-7" } as const;
    const { url, headers } = await sent(invocation("orders:7", { ...given, invocationType: "Event" }));
    expect(url).toBe("/2015-03-31/functions/orders/invocations?Qualifier=7");
    expect(headers).toMatchObject({
      "x-amz-invocation-type": "Event",
      "x-amz-log-type": "Tail",
      "x-amz-client-context": "e30=",
      "x-amz-tenant-id": "blue",
      "x-amz-durable-execution-name": "order-7",
      "content-length": "7",
    });
  });

  test("marks the moment from which it may have arrived", async () => {
    const progress: Progress = { attempts: 1, mayHaveRun: false, sent: true };
    const seen: boolean[] = [];
    const { endpoint } = await server((_, response) => {
      seen.push(progress.sent);
      response.end("{}");
    });
    const provider = async () => {
      seen.push(progress.sent);
      return credentials;
    };
    await sdkInvoker(clientOf({ endpoint, credentials: provider })).invoke(invocation("orders", { progress }));
    expect(seen).toEqual([false, true]);
  });
});

describe("the result", () => {
  test("with everything that Lambda says", async () => {
    const headers = {
      "x-amzn-RequestId": "8b3ba6c4-5a0c-4e5b-9c25-4b5a4b5cdd1b",
      "X-Amz-Executed-Version": "7",
      "X-Amz-Function-Error": "Unhandled",
      "X-Amzn-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0",
      "X-Amz-Log-Result": Buffer.from("größe").toString("base64"),
      "X-Amz-Durable-Execution-Arn": `${ARN}:7/durable-execution/a/b`,
    };
    const { endpoint } = await server((_, response) => response.writeHead(200, headers).end('{"statusCode":200}'));
    const ours = await sdkInvoker(clientOf({ endpoint })).invoke(invocation());
    const native = await awsInvoker({ endpoint, region: REGION, credentials }).invoke(invocation());
    expect({ ...ours, payload: text(ours.payload) }).toStrictEqual({ ...native, payload: text(native.payload) });
    expect(ours).toMatchObject({ logs: "größe", traceId: headers["X-Amzn-Trace-Id"], functionError: "Unhandled" });
  });

  test("with nothing but bytes", async () => {
    const bytes = Uint8Array.of(0, 0xff, 0xfe, 0x80);
    const empty = {
      "X-Amz-Function-Error": "",
      "x-amzn-RequestId": "",
      "X-Amz-Executed-Version": "",
      "X-Amzn-Trace-Id": "",
    };
    const { endpoint } = await server((_, response) => response.writeHead(200, empty).end(bytes));
    const { payload, ...facts } = await sdkInvoker(clientOf({ endpoint })).invoke(invocation());
    expect(Buffer.from(payload as Uint8Array)).toEqual(Buffer.from(bytes));
    expect(facts).toStrictEqual({ region: REGION });
  });

  test("one call's is not another's, with a client that caches its middleware as well", async () => {
    let calls = 0;
    const { endpoint } = await server((_, response) => response.end(String(++calls)));
    const { invoke } = sdkInvoker(clientOf({ endpoint, cacheMiddleware: true }));
    expect([text((await invoke(invocation())).payload), text((await invoke(invocation())).payload)]).toEqual([
      "1",
      "2",
    ]);
  });
});

/** What a call came to, seen by its caller and by the server. */
interface Outcome {
  readonly code?: string;
  readonly outcome?: string;
  readonly status?: number | undefined;
  readonly message?: string;
  readonly requestId?: string | undefined;
  readonly retryAfter?: number | undefined;
  readonly attempts: number;
  readonly requests: number;
  readonly runs: number;
}

async function outcomeOf(
  method: string,
  script: [Fault, ...Fault[]],
  make: (endpoint: string) => Invoker,
): Promise<Outcome> {
  const { endpoint, counts } = await lambda(...script);
  const session = new Session({ invoker: make(endpoint), retry: { maxDelay: 0 } });
  const settled: unknown = await session.request(method, URL_OF_APP).catch((error: unknown) => error);
  await session.close();
  const { requests, runs } = counts;
  if (settled instanceof LambdaResponse) {
    return { status: settled.status, attempts: settled.invocation.attempts, requests, runs };
  }
  if (!(settled instanceof InvokeError)) throw settled;
  const { code, outcome, status, requestId, retryAfter, attempts } = settled;
  // Of a reset, newer Nodes tell one side of a request more than the other; of what is no HTTP, each parser says it its way.
  const message = settled.message
    .replaceAll(/127\.0\.0\.1:\d+/g, "HOST")
    .replace(/ECONNRESET: (?:read ECONNRESET|aborted)/, "ECONNRESET")
    .replace(/(HPE_\w+): [^()]*/, "$1");
  return { code, outcome, status, message, requestId, retryAfter, attempts, requests, runs };
}

const byTheSdk = (endpoint: string): Invoker => sdkInvoker(clientOf({ endpoint }));
const natively = (endpoint: string): Invoker => awsInvoker({ endpoint, region: REGION, credentials });

describe("a failure is what it is natively, and the function runs as often", () => {
  const WHOLE = http(200, {}, '{"statusCode":200,"body":"ok"}');
  const proxied = (status: number, body: string, type = "text/html"): Fault =>
    answers(`${status} of something on the way: ${body}`, true, http(status, { "Content-Type": type }, body));

  test.each<Fault>([
    breaks("closed before the function ran", false),
    breaks("closed after the function ran", true),
    breaks("reset before the function ran", false, "", "reset"),
    breaks("reset after the function ran", true, "", "reset"),
    breaks("half a status line", true, "HTTP/1.1 20"),
    breaks("half the headers", true, "HTTP/1.1 200 OK\r\nContent-Len"),
    breaks("half the body", true, WHOLE.slice(0, -5)),
    breaks("half the body, and a reset", true, WHOLE.slice(0, -5), "reset"),
    breaks("half a chunked body", true, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}"),
    breaks("half a refusal", false, http(429, { "x-amzn-ErrorType": "TooManyRequestsException" }, "{}").slice(0, -1)),
    breaks("garbage", true, "\u0000\u0001garbage\r\n\r\n"),
    breaks("another protocol", true, "SSH-2.0-OpenSSH_9.2\r\n"),
    breaks("two lengths", true, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
    breaks("endless headers", true, `HTTP/1.1 200 OK\r\n${"X-Header: value\r\n".repeat(5000)}`),
    refusal(500, "ServiceException"),
    { ...refusal(500, "InternalFailure"), runs: true },
    proxied(500, ""),
    proxied(502, "<html><head><title>502 Bad Gateway</title></head></html>"),
    proxied(503, "no healthy upstream", "text/plain"),
    proxied(504, '{"code":"GatewayTimeoutException"}', "application/json"),
    proxied(502, '{"message":"Internal server error"}', "application/json"),
    refusal(503, "ServiceUnavailableException"),
    refusal(
      429,
      "TooManyRequestsException",
      { "Retry-After": "2", "x-amzn-RequestId": "7f6d" },
      { Reason: "CallerRateLimitExceeded" },
    ),
    refusal(429, "TooManyRequests"),
    answers("a 429 without a name", false, http(429, {}, "")),
    refusal(502, "EC2ThrottledException"),
    refusal(502, "ENINotReadyException"),
    refusal(409, "SnapStartNotReadyException"),
    refusal(502, "KMSAccessDeniedException"),
    refusal(400, "InvalidParameterValueException"),
    refusal(403, "AccessDeniedException"),
    refusal(403, "InvalidSignatureException", {}, { message: "Signature expired: x is now earlier than y" }),
    refusal(403, "ExpiredTokenException"),
    refusal(404, "ResourceNotFoundException", {}, { Message: `Function not found: ${ARN}` }),
    refusal(413, "RequestEntityTooLargeException"),
    refusal(301, "PermanentRedirect", { Location: "http://127.0.0.1:9/" }),
    answers("a 403 of a firewall", false, http(403, { "Content-Type": "text/html" }, "<html>")),
    result({ statusCode: 200, body: "ok" }),
    result({ statusCode: 503, body: "no" }),
    result({ errorType: "Error", errorMessage: "boom" }, { "X-Amz-Function-Error": "Unhandled" }),
    answers("a result that is no JSON", true, http(200, {}, "{")),
  ])("$name", async (fault) => {
    for (const method of ["GET", "POST"]) {
      const ours = await outcomeOf(method, [fault], byTheSdk);
      expect([method, ours]).toEqual([method, await outcomeOf(method, [fault], natively)]);
      if (method === "POST") expect(ours.runs).toBeLessThanOrEqual(1);
    }
  });

  test("one failure after another", async () => {
    const [throttled, lost] = [refusal(429, "TooManyRequestsException"), breaks("lost after it ran", true)];
    const ok = result({ statusCode: 200, body: "ok" });
    for (const script of [
      [throttled, lost, ok],
      [lost, throttled, ok],
      [throttled, throttled, ok],
    ] as [Fault, Fault, Fault][]) {
      for (const method of ["GET", "POST"]) {
        expect(await outcomeOf(method, script, byTheSdk)).toEqual(await outcomeOf(method, script, natively));
      }
    }
  });

  test("but for these, of which the SDK's HTTP handler tells less", async () => {
    const differences: [Fault, native: Partial<Outcome>, sdk: Partial<Outcome>][] = [
      [
        breaks("a chunk whose size is none", true, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        { code: "HPE_INVALID_CHUNK_SIZE", outcome: "unknown", runs: 1 },
        { code: "ECONNRESET", outcome: "unknown", runs: 1 },
      ],
      [
        // It takes the answer, which is whole, and drops the connection.
        breaks("more than its length", true, http(200, { "Content-Length": "18" }, '{"statusCode":200}{}')),
        { code: "HPE_INVALID_CONSTANT", outcome: "unknown", runs: 1 },
        { status: 200, runs: 1 },
      ],
    ];
    for (const [fault, native, sdk] of differences) {
      expect(await outcomeOf("POST", [fault], natively)).toMatchObject(native);
      expect(await outcomeOf("POST", [fault], byTheSdk)).toMatchObject(sdk);
    }
  });

  test("but for a 101, after which the SDK's HTTP handler never ends a call: a timeout has to", async () => {
    const controller = new AbortController();
    const switched: Fault = {
      name: "a 101",
      runs: true,
      answer(socket) {
        socket.once("close", () => controller.abort(new Error("enough")));
        socket.write("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
      },
    };
    const { endpoint, counts } = await lambda(switched);
    await expect(byTheSdk(endpoint).invoke(invocation(), controller.signal)).rejects.toThrow("enough");
    expect(counts).toMatchObject({ requests: 1, runs: 1 });
  });

  test("nobody listens", async () => {
    const endpoint = `http://127.0.0.1:${CLOSED_PORT}`;
    const [ours, native] = await Promise.all(
      [byTheSdk, natively].map((make) => failure(make(endpoint).invoke(invocation()))),
    );
    expect(ours).toMatchObject({ code: "ECONNREFUSED", outcome: "not-started" });
    expect((ours as Error).message).toBe((native as Error).message);
    const session = new Session({ invoker: byTheSdk(endpoint), retry: { maxDelay: 0 } });
    expect(await failure(session.post(URL_OF_APP))).toMatchObject({ attempts: 3, outcome: "not-started" });
  });

  test("no such host", async () => {
    const error = await failure(byTheSdk(`http://${"a".repeat(63)}.invalid`).invoke(invocation()));
    expect(error).toMatchObject({ code: expect.stringMatching(/^(?:ENOTFOUND|EAI_AGAIN)$/), outcome: "not-started" });
  });

  test("a certificate that nobody vouches for; what else ends a handshake may have been sent", async ({ skip }) => {
    const folder = mkdtempSync(join(tmpdir(), "lambda-requests-sdk-"));
    closers.push(() => rmSync(folder, { recursive: true }));
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const curve = [
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-subj",
      "/CN=lambda-requests",
    ];
    try {
      await promisify(execFile)("openssl", ["req", "-x509", ...curve, "-days", "2", "-keyout", key, "-out", cert]);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return skip("no openssl");
      throw error;
    }
    const tls = createHttpsServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_, response) =>
      response.end("{}"),
    );
    const { origin, undo } = await listening(tls as never);
    closers.push(undo);
    const error = await failure(byTheSdk(origin.replace("http:", "https:")).invoke(invocation()));
    expect(error).toMatchObject({ code: "DEPTH_ZERO_SELF_SIGNED_CERT", outcome: "not-started" });

    const { endpoint } = await lambda({ ...breaks("no TLS", false, "HTTP/1.1 400 X\r\n\r\n"), early: "connection" });
    const plain = byTheSdk(endpoint.replace("http:", "https:"));
    expect(await failure(plain.invoke(invocation()))).toMatchObject({ outcome: "unknown" });
  });

  test.each<[string, object, string, string]>([
    [
      "no connection in time",
      {
        name: "TimeoutError",
        message: "the request socket did not establish a connection with the server within 9 ms",
      },
      "ETIMEDOUT",
      "not-started",
    ],
    [
      "no answer in time",
      { name: "TimeoutError", message: "the request socket timed out after 9 ms" },
      "ETIMEDOUT",
      "unknown",
    ],
    ["an address that can't be reached", { code: "EHOSTUNREACH", syscall: "connect" }, "EHOSTUNREACH", "not-started"],
    ["several of them", { errors: [{ syscall: "connect" }], code: "ETIMEDOUT" }, "ETIMEDOUT", "not-started"],
    ["one that is lost later", { code: "EHOSTUNREACH", syscall: "read" }, "EHOSTUNREACH", "unknown"],
    [
      "a certificate that the server refuses",
      { code: "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED" },
      "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
      "unknown",
    ],
    [
      "a fetch that fails",
      { message: "fetch failed", cause: { code: "ECONNREFUSED", syscall: "connect" } },
      "ECONNREFUSED",
      "not-started",
    ],
    ["anything else", { message: "oops" }, "ERR_NETWORK", "unknown"],
  ])("of another HTTP handler: %s", async (_, fields, code, outcome) => {
    const { errors, ...others } = fields as { errors?: object[] };
    const error = Object.assign(errors === undefined ? new Error("") : new AggregateError(errors), others);
    const handle = vi.fn(() => Promise.reject(error));
    const client = clientOf({ requestHandler: { handle } as never });
    expect(await failure(sdkInvoker(client).invoke(invocation()))).toMatchObject({ code, outcome });
    expect(handle).toHaveBeenCalledOnce();
  });
});

describe("the SDK's own retries", () => {
  test("see nothing that they would repeat or wait for, and take nothing from their quota", async () => {
    for (const fault of [
      refusal(429, "TooManyRequestsException"),
      refusal(500, "ServiceException"),
      breaks("lost", true),
    ]) {
      const { endpoint, counts } = await lambda(fault);
      const retryStrategy = new StandardRetryStrategy(3);
      const refresh = vi.spyOn(retryStrategy, "refreshRetryTokenForRetry");
      await failure(sdkInvoker(clientOf({ endpoint, retryStrategy })).invoke(invocation()));
      expect(refresh.mock.calls.map(([, { errorType }]) => errorType)).toEqual(["CLIENT_ERROR"]);
      expect([retryStrategy.getCapacity(), counts.requests]).toEqual([500, 1]);
    }
  });

  test("send nothing, whatever they want to repeat, and nor does a middleware", async () => {
    const stubborn = new StandardRetryStrategy({
      maxAttempts: 4,
      backoff: { setDelayBase() {}, computeNextBackoffDelay: () => 0 },
    } as never);
    const refresh = vi.spyOn(stubborn, "refreshRetryTokenForRetry");
    refresh.mockImplementation(async (token) =>
      refresh.mock.calls.length > 3 ? Promise.reject(new Error("no more")) : (token as never),
    );
    for (const fault of [breaks("lost", true), refusal(500, "ServiceException")]) {
      refresh.mockClear();
      const { endpoint, counts } = await lambda(fault, result({ statusCode: 200 }));
      const client = clientOf({ endpoint, retryStrategy: stubborn });
      client.middlewareStack.add((next) => async (args) => next(args).catch(() => next(args)), { step: "deserialize" });
      const error = await failure(sdkInvoker(client).invoke(invocation()));
      expect(error).toMatchObject({ outcome: "unknown", attempts: 1 });
      expect([refresh.mock.calls.length, counts.requests]).toEqual([4, 1]);
    }
  });

  test("go on for other commands of the same client", async () => {
    const { endpoint, counts } = await lambda(breaks("lost", true), breaks("lost", true), result({}));
    const client = clientOf({ endpoint });
    await failure(sdkInvoker(client).invoke(invocation()));
    expect(counts.requests).toBe(1);
    await client.send(new InvokeCommand({ FunctionName: "app" }));
    expect(counts.requests).toBe(3);
  });
});

describe("a clock that is wrong", () => {
  const DATE = "Date: Thu, 01 Jan 2099 00:00:00 GMT";
  const denied = (headers: Record<string, string>): Fault => refusal(403, "InvalidSignatureException", headers);

  test("is put right by the SDK, and the call is sent once more", async () => {
    const { endpoint, counts, heads } = await lambda(denied({ Date: DATE.slice(6) }));
    const corrected: unknown[] = [];
    const onRetry = ({ error }: RetryInfo) => void corrected.push(error?.corrected);
    const session = new Session({ invoker: byTheSdk(endpoint), retry: { maxDelay: 0 }, hooks: { onRetry } });
    expect(await failure(session.post(URL_OF_APP))).toMatchObject({ code: "InvalidSignatureException", attempts: 2 });
    expect([corrected, counts.requests]).toEqual([["clock"], 2]);
    expect(heads.map((head) => /x-amz-date: (\d{4})/i.exec(head)?.[1])).toEqual([
      String(new Date().getUTCFullYear()),
      "2099",
    ]);
  });

  test("is not blamed for what has nothing to do with it", async () => {
    const { endpoint } = await lambda(denied({ Date: new Date().toUTCString() }));
    expect(await failure(byTheSdk(endpoint).invoke(invocation()))).not.toHaveProperty("corrected");
  });
});

describe("settings", () => {
  test("an ARN of another region is refused before anything is sent", async () => {
    const { endpoint, counts } = await lambda(result({}));
    const { invoke } = byTheSdk(endpoint);
    const error = await failure(invoke(invocation(ARN.replace(REGION, "us-east-1"))));
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as Error).message).toContain("the client is for eu-west-1, and the function is in us-east-1");
    expect(counts.connections).toBe(0);
    await invoke(invocation(ARN));
    expect(counts.requests).toBe(1);
  });

  test("no region", async () => {
    const error = await failure(sdkInvoker(new LambdaClient({ credentials })).invoke(invocation()));
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as Error).message).toContain("the client can't make this call: Region is missing. Nothing was sent");
    expect(error).toMatchObject({ request: { method: "POST" }, cause: expect.any(Error) });
  });

  test("no credentials", async () => {
    const error = await failure(sdkInvoker(new LambdaClient({ region: REGION })).invoke(invocation()));
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as Error).message).toContain("Could not load credentials from any providers. Nothing was sent");
  });

  test("credentials that a service refuses to give are no refusal of Lambda's", async () => {
    const denied = Object.assign(new Error("not you"), {
      name: "AccessDenied",
      $fault: "client",
      $metadata: { httpStatusCode: 403 },
    });
    const client = clientOf({ endpoint: "http://127.0.0.1:2", credentials: () => Promise.reject(denied) });
    const error = await failure(sdkInvoker(client).invoke(invocation()));
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error).toMatchObject({ cause: denied, message: expect.stringContaining("not you") });
  });

  test("an endpoint that can't be", async () => {
    const client = new LambdaClient({
      region: REGION,
      credentials,
      endpoint: "http://127.0.0.1:2",
      useFipsEndpoint: true,
    });
    expect(await failure(sdkInvoker(client).invoke(invocation()))).toBeInstanceOf(ConfigurationError);
  });

  test("what a middleware throws is thrown as it is", async () => {
    const error = new Error("not on Sundays");
    const client = clientOf({ endpoint: "http://127.0.0.1:2" });
    client.middlewareStack.add(() => () => Promise.reject(error), { step: "build" });
    expect(await failure(sdkInvoker(client).invoke(invocation()))).toBe(error);
  });

  test("locate: the client's region and the credentials' account", async () => {
    const target = parseFunction("orders");
    const locate = (client: SdkClient) => sdkInvoker(client).locate?.(target);
    const named = clientOf({ credentials: { ...credentials, accountId: "123456789012" } });
    expect(await locate(named)).toStrictEqual({ region: REGION, accountId: "123456789012" });
    expect(await locate(clientOf({}))).toStrictEqual({ region: REGION });
    expect(await locate(new LambdaClient({}))).toStrictEqual({});
    expect(await locate({ send: async () => ({}) })).toStrictEqual({});
    const none = vi.fn(() => Promise.reject(new Error("none")));
    const invoker = sdkInvoker(clientOf({ credentials: none }));
    for (let time = 0; time < 2; time++) expect(await invoker.locate?.(target)).toStrictEqual({ region: REGION });
    expect(none).toHaveBeenCalledOnce();
  });
});

describe("an aborted signal", () => {
  const reason = { not: "even an error" };

  test("beforehand: nothing is sent", async () => {
    const { endpoint, counts } = await lambda(result({}));
    expect(await failure(byTheSdk(endpoint).invoke(invocation(), AbortSignal.abort(reason)))).toBe(reason);
    expect(counts.connections).toBe(0);
  });

  test("while Lambda is at it: rejects with the signal's reason and closes the connection", async () => {
    const controller = new AbortController();
    const { endpoint, sockets } = await server(() => controller.abort(reason));
    expect(await failure(byTheSdk(endpoint).invoke(invocation(), controller.signal))).toBe(reason);
    const [socket] = sockets as [Socket];
    if (!socket.destroyed) await once(socket, "close");
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
  });

  test("while credentials are fetched: does not wait for them", async () => {
    const controller = new AbortController();
    const never = () => {
      controller.abort(reason);
      return new Promise<never>(() => {});
    };
    const client = clientOf({ endpoint: "http://127.0.0.1:2", credentials: never });
    expect(await failure(sdkInvoker(client).invoke(invocation(), controller.signal))).toBe(reason);
  });
});

describe("what users have around a client", () => {
  const OK = Buffer.from('{"statusCode":200,"body":"mocked"}');

  test("a mock of aws-sdk-client-mock", async () => {
    const client = new LambdaClient({ region: REGION });
    const mock = mockClient(client);
    const $metadata = { httpStatusCode: 429, requestId: "7f6d" };
    const slow = new TooManyRequestsException({
      message: "Rate exceeded",
      Reason: "CallerRateLimitExceeded",
      retryAfterSeconds: "1",
      $metadata,
    } as never);
    mock
      .on(InvokeCommand)
      .rejectsOnce(slow)
      .resolves({ Payload: OK as never, ExecutedVersion: "7" });
    const session = new Session({ invoker: sdkInvoker(client), retry: { maxDelay: 0 } });
    const seen: unknown[] = [];
    const one = await session.get("http+lambda://prod.orders/v1", { retry: { maxDelay: 0 } });
    seen.push(await one.text(), one.invocation.executedVersion, one.invocation.attempts);
    expect(seen).toEqual(["mocked", "7", 2]);
    const [command] = mock.commandCalls(InvokeCommand).map(({ args }) => args[0]);
    expect(command?.input).toMatchObject({ FunctionName: "orders", Qualifier: "prod" });
    expect(JSON.parse(Buffer.from(command?.input.Payload as Uint8Array).toString())).toMatchObject({ path: "/v1" });

    mock.reset();
    mock.on(InvokeCommand).rejects(slow);
    expect(await failure(sdkInvoker(client).invoke(invocation()))).toMatchObject({
      name: "InvokeError",
      code: "TooManyRequestsException",
      status: 429,
      reason: "CallerRateLimitExceeded",
      requestId: "7f6d",
      outcome: "not-started",
      retryAfter: 1000,
      message: expect.stringContaining("Rate exceeded"),
    });
  });

  test("a mock of it that streams, and one that was told nothing", async () => {
    const client = new LambdaClient({});
    const mock = mockClient(client);
    async function* events() {
      yield { PayloadChunk: { Payload: Buffer.from("a") } };
      yield { InvokeComplete: { ErrorCode: "Unhandled", ErrorDetails: "{}", LogResult: "eA==" } };
    }
    mock.on(InvokeWithResponseStreamCommand).resolves({ EventStream: events() as never });
    const { payload } = await sdkInvoker(client).invoke(invocation("orders", { responseStreaming: true }));
    const end = { functionError: "Unhandled", errorDetails: "{}", logs: "x" };
    expect(await readAll(payload as PayloadStream)).toEqual({ text: "a", end });
    mock.on(InvokeWithResponseStreamCommand).resolves({ EventStream: (async function* () {})() as never });
    const cut = await sdkInvoker(client).invoke(invocation("orders", { responseStreaming: true }));
    expect(await failure(readAll(cut.payload as PayloadStream))).toMatchObject({ code: "ERR_INCOMPLETE_STREAM" });
    expect((await sdkInvoker(client).invoke(invocation())).payload).toHaveLength(0);
  });

  test("a middleware sees the commands, and the SDK's own errors", async () => {
    const { endpoint } = await lambda(result({}), refusal(404, "ResourceNotFoundException"));
    const client = clientOf({ endpoint });
    const seen: unknown[] = [];
    client.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          seen.push(commandName, (args.input as { FunctionName?: string }).FunctionName);
          return next(args).catch((error: Error & { $metadata?: { httpStatusCode?: number } }) => {
            seen.push(error.name, error.$metadata?.httpStatusCode);
            throw error;
          });
        },
      { step: "initialize" },
    );
    const { invoke } = sdkInvoker(client);
    await invoke(invocation());
    await failure(invoke(invocation()));
    const call = ["InvokeCommand", "orders"];
    expect(seen).toEqual([...call, ...call, "ResourceNotFoundException", 404]);
  });

  test("AWS X-Ray", async () => {
    AWSXRay.setLogger({ error() {}, warn() {}, info() {}, debug() {} });
    AWSXRay.enableManualMode();
    // Never closed, so that nothing is emitted.
    const segment = new AWSXRay.Segment("test");
    const { endpoint, heads } = await lambda(result({ statusCode: 200 }), refusal(429, "TooManyRequestsException"));
    const client = AWSXRay.captureAWSv3Client(clientOf({ endpoint }) as never, segment) as unknown as LambdaClient;
    const { invoke } = sdkInvoker(client);
    await invoke(invocation());
    await failure(invoke(invocation()));
    const told = segment.subsegments?.map((one) => JSON.parse(one.toString()) as object);
    expect(told).toMatchObject([
      { name: "Lambda", namespace: "aws", http: { response: { status: 200 } }, aws: { operation: "Invoke" } },
      { name: "Lambda", http: { response: { status: 429 } }, throttle: true },
    ]);
    expect(heads[0]).toMatch(
      new RegExp(`^x-amzn-trace-id: Root=${segment.trace_id};Parent=\\w{16};Sampled=1\\r?$`, "im"),
    );
  });
});

const codec = new EventStreamCodec(toUtf8, fromUtf8);

/** A message as AWS writes it. */
function message(headers: Readonly<Record<string, string>>, body: string | object): Uint8Array {
  const fields = Object.entries({ ":message-type": "event", ...headers }).map(
    ([name, value]) => [name, { type: "string", value }] as const,
  );
  const bytes = Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
  return codec.encode({ headers: Object.fromEntries(fields) as never, body: bytes });
}

const chunk = (body: string): Uint8Array =>
  message({ ":event-type": "PayloadChunk", ":content-type": "application/octet-stream" }, body);
const complete = (body: object = {}): Uint8Array =>
  message({ ":event-type": "InvokeComplete", ":content-type": "application/json" }, body);

async function readAll(payload: PayloadStream): Promise<{ text: string; end: InvocationEnd | undefined }> {
  const iterator = payload[Symbol.asyncIterator]();
  const pieces: Uint8Array[] = [];
  for (;;) {
    const next = await iterator.next();
    if (next.done) return { text: Buffer.concat(pieces).toString(), end: next.value || undefined };
    pieces.push(next.value);
  }
}

describe("an answer that streams", () => {
  const STREAM = {
    "Content-Type": "application/vnd.amazon.eventstream",
    "X-Amz-Executed-Version": "7",
    "x-amzn-RequestId": "7f6d",
  };
  const streamed = invocation("orders:7", { responseStreaming: true });

  /** Opens a stream of what `write` writes. */
  async function open(
    write: (response: ServerResponse, request: IncomingMessage) => unknown,
    {
      signal,
      config = {},
      make,
    }: { signal?: AbortSignal; config?: LambdaClientConfig; make?: (endpoint: string) => Invoker } = {},
  ) {
    const { endpoint, sockets } = await server((request, response) => {
      response.writeHead(200, STREAM);
      write(response, request);
    });
    const invoker = make?.(endpoint) ?? sdkInvoker(clientOf({ endpoint, ...config }));
    const { payload, ...facts } = await invoker.invoke(streamed, signal);
    return { payload: payload as PayloadStream, facts, sockets, invoker };
  }

  test("gives its bytes, and then how it ended", async () => {
    const requests: (string | undefined)[] = [];
    const { payload, facts } = await open((response, { url, headers }) => {
      requests.push(url, headers["x-amz-log-type"] as string | undefined);
      response.write(chunk("größ"));
      response.end(Buffer.concat([chunk("e 😀"), complete({ LogResult: Buffer.from("log").toString("base64") })]));
    });
    expect(await readAll(payload)).toEqual({ text: "größe 😀", end: { logs: "log" } });
    expect(facts).toStrictEqual({ region: REGION, executedVersion: "7", requestId: "7f6d" });
    expect(requests).toEqual(["/2021-11-15/functions/orders/response-streaming-invocations?Qualifier=7", undefined]);
  });

  test("is there before its first byte", async () => {
    let finish = () => {};
    const { payload } = await open((response) => {
      response.flushHeaders();
      finish = () => response.end(Buffer.concat([chunk("late"), complete()]));
    });
    finish();
    expect(await readAll(payload)).toEqual({ text: "late", end: {} });
  });

  test("of a function that failed on the way", async () => {
    const { payload } = await open((response) =>
      response.end(
        Buffer.concat([chunk("a"), complete({ ErrorCode: "Unhandled", ErrorDetails: '{"errorType":"Error"}' })]),
      ),
    );
    const end = { functionError: "Unhandled", errorDetails: '{"errorType":"Error"}' };
    expect(await readAll(payload)).toEqual({ text: "a", end });
  });

  const cases: [name: string, write: (response: ServerResponse) => unknown, code: string, says: string][] = [
    ["ends without InvokeComplete", (response) => response.end(chunk("abc")), "ERR_INCOMPLETE_STREAM", "after 3 bytes"],
    ["is empty", (response) => response.end(), "ERR_INCOMPLETE_STREAM", "after 0 bytes"],
    [
      "ends inside of a message",
      (response) => response.end(Buffer.concat([chunk("abc"), chunk("d").subarray(0, 9)])),
      "ERR_EVENT_STREAM",
      "after 3 bytes",
    ],
    ["is no event stream", (response) => response.end('{"statusCode":200}'), "ERR_EVENT_STREAM", "after 0 bytes"],
    ["breaks", (response) => response.write(chunk("abc"), () => response.destroy()), "ECONNRESET", "after 3 bytes"],
    [
      "breaks at once",
      (response) => void response.write(chunk("").subarray(0, 1), () => response.destroy()),
      "ECONNRESET",
      "after 0 bytes",
    ],
    [
      "holds an exception",
      (response) =>
        response.end(
          message({ ":message-type": "exception", ":exception-type": "ServiceException" }, { Message: "oops" }),
        ),
      "ServiceException",
      "oops",
    ],
    [
      "holds an error",
      (response) =>
        response.end(
          message({ ":message-type": "error", ":error-code": "InternalError", ":error-message": "oops" }, ""),
        ),
      "InternalError",
      "oops",
    ],
  ];
  test.each(cases)("%s: an error of unknown outcome, as natively", async (_, write, code, says) => {
    const errors = [];
    for (const make of [byTheSdk, natively]) {
      const { payload } = await open(write, { make });
      const error = (await failure(readAll(payload))) as InvokeError;
      errors.push(error.message.replace(/127\.0\.0\.1:\d+/, "HOST"));
      expect(error).toBeInstanceOf(InvokeError);
      expect(error).toMatchObject({ code, outcome: "unknown", request: streamed.request });
    }
    expect(errors[0]).toContain(says);
    expect(errors[0]).toBe(errors[1]);
  });

  test("refused before it began", async () => {
    const { endpoint, counts } = await lambda(
      refusal(429, "TooManyRequestsException"),
      refusal(403, "AccessDeniedException"),
    );
    const { invoke } = byTheSdk(endpoint);
    expect(await failure(invoke(streamed))).toMatchObject({
      code: "TooManyRequestsException",
      status: 429,
      outcome: "not-started",
    });
    expect(await failure(invoke(streamed))).toMatchObject({ code: "AccessDeniedException", outcome: "not-started" });
    expect(counts.requests).toBe(2);
  });

  test("that nobody wants any more ends with its connection", async () => {
    const { payload, sockets } = await open((response) => response.write(chunk("a")));
    const [socket] = sockets as [Socket];
    for await (const piece of payload as AsyncIterable<Uint8Array>) {
      expect(Buffer.from(piece).toString()).toBe("a");
      break;
    }
    if (!socket.destroyed) await once(socket, "close");
  });

  test("ends with the signal's reason, and its connection", async () => {
    const controller = new AbortController();
    const reason = { not: "even an error" };
    const { payload, sockets } = await open((response) => response.write(chunk("a")), { signal: controller.signal });
    const iterator = payload[Symbol.asyncIterator]();
    await iterator.next();
    const next = iterator.next();
    controller.abort(reason);
    expect(await failure(next)).toBe(reason);
    const [socket] = sockets as [Socket];
    if (!socket.destroyed) await once(socket, "close");
  });

  test("that is over leaves its connection for the next call", async () => {
    const httpAgent = new Agent({ keepAlive: true });
    const freed = once(httpAgent, "free");
    const finish = (response: ServerResponse) => response.end(Buffer.concat([chunk("a"), complete()]));
    const { payload, sockets, invoker } = await open(finish, { config: { requestHandler: { httpAgent } } });
    await readAll(payload);
    await freed;
    const again = await invoker.invoke(streamed);
    expect(await readAll(again.payload as PayloadStream)).toMatchObject({ text: "a" });
    expect(sockets).toHaveLength(1);
  });

  test("whose connection does not end soon after InvokeComplete loses it", async () => {
    const { payload, sockets } = await open((response) => response.write(Buffer.concat([chunk("a"), complete()])));
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    expect(await readAll(payload)).toEqual({ text: "a", end: {} });
    const [socket] = sockets as [Socket];
    expect(socket.destroyed).toBe(false);
    vi.advanceTimersByTime(1000);
    if (!socket.destroyed) await once(socket, "close");
  });

  test("that is lost while nobody reads is an error for whoever does, and none for the process", async () => {
    const body = new PassThrough();
    const handle = async () => ({ response: new HttpResponse({ statusCode: 200, headers: {}, body }) });
    const { payload } = await sdkInvoker(clientOf({ requestHandler: { handle } as never })).invoke(streamed);
    body.destroy(Object.assign(new Error("gone"), { code: "ECONNRESET" }));
    await new Promise((closed) => body.once("close", closed));
    const error = await failure(readAll(payload as PayloadStream));
    expect(error).toMatchObject({ code: "ECONNRESET", outcome: "unknown" });
  });

  test("of a Session", async () => {
    const head = Buffer.concat([
      Buffer.from('{"statusCode":201,"headers":{"content-type":"text/plain"}}'),
      Buffer.alloc(8),
    ]);
    const { endpoint } = await server((_, response) => {
      response.writeHead(200, STREAM);
      response.end(Buffer.concat([chunk(head.toString()), chunk("hello"), complete()]));
    });
    const session = new Session({ invoker: byTheSdk(endpoint), responseStreaming: true });
    const response = await session.get("http+lambda://orders/");
    expect([response.status, await response.text()]).toEqual([201, "hello"]);
  });
});
