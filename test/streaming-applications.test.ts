/** Every expectation of an answer that streams, on every streaming adapter there is, in this process and over HTTP. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import {
  InvocationType,
  InvokeWithResponseStreamCommand,
  type InvokeWithResponseStreamCommandInput,
  type InvokeWithResponseStreamCompleteEvent,
  LambdaClient,
  LogType,
} from "@aws-sdk/client-lambda";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { Emulator } from "../src/emulator/index.ts";
import { FunctionError, InvokeError, PayloadTooLargeError } from "../src/errors.ts";
import type { PayloadFormat } from "../src/formats/formats.ts";
import type { LambdaResponse } from "../src/response.ts";
import { Session } from "../src/session.ts";
import type { SessionOptions } from "../src/session-options.ts";
import { handler as bufferedFastify } from "./apps/fastify.ts";
import { handler as bufferedMiddy } from "./apps/middy.ts";
import {
  createSource,
  FIRST,
  LONG_TEXT,
  MIDWAY_MESSAGE,
  NUL_PIECES,
  SECOND,
  type StreamingHandler,
} from "./apps/streaming-app.ts";
import { handler as fastify } from "./apps/streaming-fastify.ts";
import { handler as hono } from "./apps/streaming-hono.ts";
import { handler as middy } from "./apps/streaming-middy.ts";
import { handler as plain, type Task, type TaskName } from "./apps/streaming-plain.ts";
import { handler as powertools } from "./apps/streaming-powertools.ts";
import { handler as srvx } from "./apps/streaming-srvx.ts";
import { expectAll } from "./support/expect-all.ts";
import { pythonHas } from "./support/python.ts";
import { watchClientSockets } from "./support/sockets.ts";
import {
  bodyOf,
  HELD_BYTES,
  isStopped,
  type StreamingAppName,
  type StreamingCall,
  streamingExpectations,
  streamingFailureOf,
  streamingFailures,
} from "./support/streaming-expectations.ts";

/**
 * Not here, because they have no streaming: serverless-http 4.0 and @codegenie/serverless-express 4.17, which give the whole
 * body at once. With them, Express and Koa have none either.
 */
const applications: Readonly<Record<StreamingAppName, StreamingHandler>> = {
  /** No framework: the function writes by itself. */
  plain,
  /** hono: `streamHandle`. */
  hono,
  /** @fastify/aws-lambda: `payloadAsStream`. */
  fastify,
  /** @middy/core: `streamifyResponse`. */
  middy,
  /** @aws-lambda-powertools/event-handler: `streamify`. */
  powertools,
  /** srvx, which h3 and Nitro stand on: `handleLambdaEventWithStream`. */
  srvx,
};

/** Those event sources that stream. */
const FORMATS: readonly PayloadFormat[] = ["rest-api", "function-url"];
const REGION = "us-east-1";

/** A way to a handler: what its session is made with, when the emulator runs. */
type Way = readonly [
  name: string,
  start: (handler: Handler) => Promise<{ options: SessionOptions; emulator?: Emulator }>,
];
type Handler = StreamingHandler | ((event: never, context: never, callback: never) => unknown);

const WAYS: readonly Way[] = [
  ["in this process", async (handler) => ({ options: { functions: { app: handler as never } } })],
  [
    "over HTTP",
    async (handler) => {
      const emulator = await Emulator.start({ functions: { app: handler as never }, quiet: true });
      return { options: { endpoint: emulator.endpoint, region: REGION }, emulator };
    },
  ],
];

// Hono's adapter prints what it catches.
beforeEach(() => void vi.spyOn(console, "error").mockReturnValue());
afterEach(() => void vi.restoreAllMocks());

describe.each(Object.entries(applications) as [StreamingAppName, StreamingHandler][])("%s", (app, handler) => {
  describe.each(WAYS)("%s", (_way, start) => {
    describe.each(FORMATS)("%s", (format) => {
      const call = useCalls(start, handler, { payloadFormat: format });
      for (const expectation of streamingExpectations) {
        const { name, run, isLarge = false } = expectation;
        if (isLarge && format !== "rest-api") continue;
        const reason = streamingFailureOf(app, format, expectation);
        if (reason === undefined) it(name, () => run(call, app));
        else it.fails(`${name} (fails: ${reason})`, () => run(call, app));
      }
    });
  });
});

describe("the lists", () => {
  const names = streamingExpectations.map(({ name }) => name);

  it("name each expectation once", () => {
    expect(new Set(names).size).toBe(names.length);
  });

  it("name only expectations that there are", () => {
    expect(streamingFailures.flatMap(({ cases }) => cases).filter((name) => !names.includes(name))).toEqual([]);
  });
});

describe.each(WAYS)("a function that writes by itself, %s", (_way, start) => {
  describe.each(FORMATS)("%s", (format) => {
    const call = useCalls(start, plain, { payloadFormat: format });
    const run = (task: TaskName, key = ""): Promise<LambdaResponse> => call("/", { params: { run: task, key } });
    const NO_PRELUDE = { status: 200, type: "application/octet-stream" };

    it.each<[TaskName, { status: number; type: string; body: string }]>([
      ["end alone", { ...NO_PRELUDE, body: "" }],
      ["end with a chunk", { ...NO_PRELUDE, body: "no prelude" }],
      ["no prelude", { ...NO_PRELUDE, body: "just bytes" }],
      ["objects", { status: 201, type: "text/plain", body: '{"a":1}[2]3' }],
      ["corked", { status: 201, type: "text/plain", body: FIRST + SECOND }],
      ["encodings", { status: 201, type: "text/plain", body: "\ufffd\u00fcab\x01\x02\u00fc" }],
      ["no status", { status: 200, type: "application/json", body: "ok!" }],
    ])("%s", async (task, expected) => {
      const response = await run(task);
      const { status, headers } = response;
      expect({ status, type: headers.get("content-type"), body: await response.text() }).toEqual(expected);
      await response.invocation.completed;
    });

    it("bytes that a pipeline has compressed", async () => {
      const source = createSource();
      source.release();
      const response = await run("compressed by a pipeline", source.key);
      expect([response.status, await response.text()]).toEqual([201, FIRST + SECOND]);
    });

    it("bytes without a prelude that look like the end of one", async () => {
      const response = await run("no prelude, bytes");
      expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/octet-stream"]);
      expect(Buffer.from(await response.arrayBuffer()).equals(Buffer.concat(NUL_PIECES))).toBe(true);
    });

    it("status and headers are here before there is a body", async () => {
      const source = createSource();
      const response = await run("early head", source.key);
      expect([response.status, response.headers.get("x-one")]).toEqual([201, "1"]);
      const text = response.text();
      source.release();
      expect(await text).toBe("late");
    });

    it("what throws before it has written is a 502, or is thrown where that was asked for", async () => {
      const response = await run("throws at once");
      expect([response.status, await response.text()]).toEqual([502, "at once"]);
      expect(response.invocation.functionError).toMatchObject({ errorType: "RangeError", kind: "exception" });
      const thrown = call("/", { params: { run: "throws at once" }, functionErrors: "throw" });
      await expect(thrown).rejects.toThrow(FunctionError);
    });

    it("what it had written before it threw arrives, and then the error", async () => {
      const response = await run("throws at the end");
      let body = "";
      const read = async (): Promise<void> => {
        for await (const piece of bodyOf(response)) body += Buffer.from(piece).toString();
      };
      const error: unknown = await read().catch((reason: unknown) => reason);
      expect(body).toBe(FIRST + SECOND + FIRST);
      expect(error).toBeInstanceOf(FunctionError);
      expect(error).toMatchObject({ errorType: "RangeError", errorMessage: MIDWAY_MESSAGE });
      expect((error as FunctionError).message).toContain(`had answered with ${body.length} bytes`);
    });

    it("what it prints is in the log", async () => {
      const response = await call("/", { params: { run: "prints" }, logs: true });
      expect(await response.text()).toBe("ok");
      expect((await response.invocation.completed).logs).toMatch(/^START .*\n.*\tprinted by the function\n/);
    });

    // In AWS's runtime, `HttpResponseStream.from` leaves a hook on the stream, which its `write` calls
    // (aws/aws-lambda-nodejs-runtime-interface-client, src/HttpResponseStream.js and src/ResponseStream.js). Libraries have
    // copies of `from`, Powertools for one.
    it("a library's own copy of HttpResponseStream.from writes a prelude", async () => {
      const response = await run("own copy");
      expect([response.status, response.headers.get("x-one")]).toEqual([201, "1"]);
      expect(await response.text()).toBe(FIRST + SECOND);
    });

    // As src/ResponseStream.js of the same has it.
    it("a prelude after the first write fails the function", async () => {
      const response = await run("late prelude");
      await expect(response.text()).rejects.toThrow("Cannot set content-type, too late.");
    });
  });

  describe("that is not read to its end", () => {
    const call = useCalls(start, plain, { maxResponseSize: 1024 * 1024 });

    it("a body over maxResponseSize is an error, and the function is told", async () => {
      const source = createSource();
      const response = await call("/endless", { params: { key: source.key } });
      const error: unknown = await response.arrayBuffer().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(PayloadTooLargeError);
      expect(error).toMatchObject({ limit: 1024 * 1024, request: { method: "GET" } });
      expect(await isStopped(source, call)).toBe(true);
      expect(source.produced).toBeLessThan(HELD_BYTES);
    });

    it("a prelude that is no head of a response is a 502, and the function is told", async () => {
      const source = createSource();
      const response = await call("/", { params: { run: "no status there is", key: source.key } });
      expect([response.status, await response.text()]).toEqual([502, expect.stringContaining("statusCode")]);
      expect(await isStopped(source, call)).toBe(true);
    });

    it("the body of a redirect that is followed is not waited for, and the function is told", async () => {
      const source = createSource();
      const response = await call("/", { params: { run: "redirects, and goes on", key: source.key } });
      expect([response.status, await response.text()]).toEqual([200, LONG_TEXT]);
      expect(await isStopped(source, call)).toBe(true);
    });

    it("a body that HEAD is not to see is not waited for, and the function is told", async () => {
      const source = createSource();
      const response = await call("/", { method: "HEAD", params: { run: "endless", key: source.key } });
      expect([response.status, response.body]).toEqual([200, null]);
      expect(await isStopped(source, call)).toBe(true);
      await expect(response.invocation.completed).rejects.toMatchObject({ name: "AbortError" });
    });
  });

  describe("of which no answer is wanted", () => {
    const call = useCalls(start, plain, {});

    it.each([
      ["Event", 202],
      ["DryRun", 204],
    ] as const)("%s", async (invocationType, status) => {
      const response = await call("/text", { invocationType });
      expect([response.status, await response.text()]).toEqual([status, ""]);
      await response.invocation.completed;
    });
  });
});

describe("a connection to the emulator", () => {
  let emulator: Emulator;
  let session: Session;
  let watched: ReturnType<typeof watchClientSockets>;
  beforeEach(async () => {
    emulator = await Emulator.start({ functions: { app: plain as never }, quiet: true });
    session = new Session({ endpoint: emulator.endpoint, region: REGION, responseStreaming: true });
    watched = watchClientSockets();
  });
  afterEach(async () => {
    watched.undo();
    await session.close();
    await emulator.close();
  });
  const get = (path: string, key = ""): Promise<LambdaResponse> =>
    session.get(`http+lambda://app${path}`, { params: { key } }) as Promise<LambdaResponse>;

  it("is closed when the body is cancelled", async () => {
    const source = createSource();
    const reader = bodyOf(await get("/endless", source.key)).getReader();
    await reader.read();
    const [socket] = watched.sockets;
    if (socket === undefined) throw new Error("no connection was seen");
    const closed = once(socket, "close");
    await reader.cancel();
    await closed;
    expect([watched.sockets.length, socket.destroyed]).toEqual([1, true]);
  });

  it("is used again when the body is read", async () => {
    for (let call = 0; call < 10; call++) await (await get("/text")).text();
    // The second call may begin a moment before the first one's connection is free.
    expect(watched.sockets.length).toBeLessThanOrEqual(2);
    expect(watched.sockets.map(({ destroyed }) => destroyed)).not.toContain(true);
  });

  it("that is lost midway is an error of the body, with what had arrived, and the function is told", async () => {
    const source = createSource();
    const response = await get("/endless", source.key);
    const reader = bodyOf(response).getReader();
    await reader.read();
    await emulator.close();
    const read = async (): Promise<void> => {
      for (let next = await reader.read(); !next.done; next = await reader.read());
    };
    const error: unknown = await read().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvokeError);
    expect(error).toMatchObject({ outcome: "unknown", message: expect.stringMatching(/after \d+ bytes/) });
    await expect(response.invocation.completed).rejects.toBe(error);
    await using others = new Session({ functions: { app: plain as never } });
    const call: StreamingCall = (path) => others.get(`http+lambda://app${path}`) as Promise<LambdaResponse>;
    expect(await isStopped(source, call)).toBe(true);
  });
});

describe.each(WAYS)("a function that does not stream, asked to, %s", (_way, start) => {
  // With everything that is expected of it otherwise.
  describe.each<["fastify" | "middy", Handler, PayloadFormat]>([
    ["fastify", bufferedFastify, "rest-api"],
    ["middy", bufferedMiddy, "function-url"],
  ])("%s", (app, handler, format) => {
    const call = useCalls(start, handler, { payloadFormat: format });
    expectAll({
      app,
      format,
      call: (path, { method = "GET", body, headers, redirect } = {}) =>
        call(path, {
          method,
          ...(body !== undefined && { data: body }),
          ...(headers !== undefined && { headers }),
          allowRedirects: redirect === undefined,
        }),
      only: ({ megabytes = 0 }) => megabytes === 0,
    });
  });

  const MEGABYTE = 1024 * 1024;
  describe.each(FORMATS)("%s", (format) => {
    it.each<[string, Handler]>([
      ["a result", async () => ({ statusCode: 201, headers: { "X-One": "1", "Content-Type": "text/x" }, body: "ü" })],
      ["cookies", async () => ({ statusCode: 200, cookies: ["a=1", "b=2"], body: "" })],
      [
        "base64",
        async () => ({ statusCode: 200, body: Buffer.from([0, 255]).toString("base64"), isBase64Encoded: true }),
      ],
      ["5 MB", async () => ({ statusCode: 200, body: "x".repeat(5 * MEGABYTE) })],
      ["more than Lambda returns", async () => ({ statusCode: 200, body: "x".repeat(7 * MEGABYTE) })],
      ["no status", async () => ({ hello: "world" })],
      ["a status that is none", async () => ({ statusCode: "none" })],
      ["nothing", async () => undefined],
      ["text", async () => "text"],
      ["a number", async () => 3],
      ["a list", async () => ["a", 1]],
      ["an error", () => Promise.reject(new RangeError("broken on purpose"))],
      [
        "a callback",
        (_event, _context, callback: (error: null, result: object) => void) => callback(null, { statusCode: 204 }),
      ],
    ])("%s", async (_name, handler) => {
      const { options, emulator } = await start(handler as Handler);
      await using _emulator = emulator;
      await using session = new Session({ ...options, payloadFormat: format });
      const answers = await Promise.all(
        [true, false].map(async (responseStreaming) => {
          const response = (await session.get("http+lambda://app/", {
            responseStreaming,
            logs: true,
          })) as LambdaResponse;
          const { functionError, logs } = response.invocation;
          const { status, headers } = response;
          const body = Buffer.from(await response.arrayBuffer()).toString("base64");
          // Whether it is thrown here or there makes another stack.
          const failure = functionError && [functionError.errorType, functionError.errorMessage, functionError.kind];
          return { status, headers: [...headers], body, failure, hasLogs: logs?.includes("REPORT") };
        }),
      );
      expect(answers[0]).toEqual(answers[1]);
    });
  });
});

describe("the API that streams, as others call it", () => {
  let emulator: Emulator;
  let client: LambdaClient;
  beforeAll(async () => {
    const buffered = async (): Promise<object> => ({ statusCode: 200, body: "whole" });
    emulator = await Emulator.start({ functions: { app: plain as never, buffered }, quiet: true });
    const credentials = { accessKeyId: "AKID", secretAccessKey: "secret" };
    client = new LambdaClient({ endpoint: emulator.endpoint, region: REGION, credentials, maxAttempts: 1 });
  });
  afterAll(async () => {
    client.destroy();
    await emulator.close();
  });

  describe("AWS's SDK for JavaScript", () => {
    const send = (task: Task, input: Partial<InvokeWithResponseStreamCommandInput> = {}) =>
      client.send(
        new InvokeWithResponseStreamCommand({
          FunctionName: "app",
          Payload: Buffer.from(JSON.stringify(task)),
          ...input,
        }),
      );

    /** Both are undefined when it is over. */
    async function* eventsOf({ EventStream: events = noEvents() }: Awaited<ReturnType<typeof send>>): AsyncGenerator<{
      chunk?: string;
      end?: InvokeWithResponseStreamCompleteEvent;
    }> {
      for await (const { PayloadChunk, InvokeComplete } of events) {
        if (PayloadChunk !== undefined) yield { chunk: Buffer.from(PayloadChunk.Payload ?? []).toString() };
        if (InvokeComplete !== undefined) yield { end: InvokeComplete };
      }
    }

    async function* noEvents(): AsyncGenerator<never> {}

    async function listOf<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
      const list: Item[] = [];
      for await (const item of items) list.push(item);
      return list;
    }

    it("gets the chunks as they are written, and the log at the end", async () => {
      const source = createSource();
      const output = await send({ run: "two", key: source.key }, { LogType: LogType.Tail });
      expect(output).toMatchObject({
        StatusCode: 200,
        ExecutedVersion: "$LATEST",
        ResponseStreamContentType: "application/vnd.amazon.eventstream",
      });
      const events = eventsOf(output);
      expect((await events.next()).value).toEqual({ chunk: FIRST });
      source.release();
      expect((await events.next()).value).toEqual({ chunk: SECOND });
      const { end } = (await events.next()).value ?? {};
      expect(end).toEqual({ LogResult: expect.any(String) });
      const log = Buffer.from(end?.LogResult ?? "", "base64").toString();
      expect(log).toMatch(new RegExp(`^START RequestId: ${output.$metadata.requestId} .*\nEND .*\nREPORT `));
      expect((await events.next()).done).toBe(true);
    });

    it("gets no log that it has not asked for", async () => {
      const all = await listOf(eventsOf(await send({ run: "no prelude" })));
      expect(all.at(-1)).toEqual({ end: {} });
    });

    it("gets the prelude as the function writes it", async () => {
      const all = await listOf(eventsOf(await send({ run: "objects" })));
      const prelude = '{"statusCode":201,"headers":{"Content-Type":"text/plain","X-One":"1"}}';
      expect(all.map(({ chunk = "" }) => chunk).join("")).toBe(`${prelude}${"\0".repeat(8)}{"a":1}[2]3`);
    });

    it("gets what was written, and why it broke off", async () => {
      const all = await listOf(eventsOf(await send({ run: "throws at the end" })));
      expect(all.map(({ chunk = "" }) => chunk).join("")).toContain(FIRST + SECOND + FIRST);
      const { ErrorCode, ErrorDetails = "" } = all.at(-1)?.end ?? {};
      expect(ErrorCode).toBe("Unhandled");
      expect(JSON.parse(ErrorDetails)).toMatchObject({ errorType: "RangeError", errorMessage: MIDWAY_MESSAGE });
    });

    it("gets no chunk of a function that throws at once", async () => {
      const [end, ...others] = await listOf(eventsOf(await send({ run: "throws at once" })));
      expect(end?.end).toMatchObject({ ErrorCode: "Unhandled", ErrorDetails: expect.stringContaining("RangeError") });
      expect(others).toEqual([]);
    });

    it("gets no chunk of a function that writes nothing", async () => {
      expect(await listOf(eventsOf(await send({ run: "end alone" })))).toEqual([{ end: {} }]);
    });

    it("gets the whole result of a function that does not stream", async () => {
      const output = await send({ run: "two" }, { FunctionName: "buffered" });
      expect(await listOf(eventsOf(output))).toEqual([{ chunk: '{"statusCode":200,"body":"whole"}' }, { end: {} }]);
    });

    it("only asks whether it may", async () => {
      const output = await send({ run: "throws at once" }, { InvocationType: InvocationType.DryRun });
      expect([output.StatusCode, await listOf(eventsOf(output))]).toEqual([204, []]);
    });

    it.each([
      ["a function that is not there", { FunctionName: "nobody" }, "ResourceNotFoundException", 404],
      ["an event that is no JSON", { Payload: Buffer.from("{") }, "InvalidRequestContentException", 400],
      ["an invocation that nobody waits for", { InvocationType: "Event" as never }, "ValidationException", 400],
    ])("is refused before there is a stream: %s", async (_name, input, name, httpStatusCode) => {
      await expect(send({ run: "two" }, input)).rejects.toMatchObject({ name, $metadata: { httpStatusCode } });
    });

    it("stops the function when it goes", async () => {
      const source = createSource();
      const controller = new AbortController();
      const Payload = Buffer.from(JSON.stringify({ run: "endless", key: source.key } satisfies Task));
      const command = new InvokeWithResponseStreamCommand({ FunctionName: "app", Payload });
      const output = await client.send(command, { abortSignal: controller.signal });
      const events = eventsOf(output);
      await events.next();
      client.destroy();
      await events.return(undefined);
      await using session = new Session({ endpoint: emulator.endpoint, region: REGION });
      const call: StreamingCall = (path) => session.get(`http+lambda://app${path}`) as Promise<LambdaResponse>;
      expect(await isStopped(source, call)).toBe(true);
      expect(source.produced).toBeLessThan(HELD_BYTES);
    });
  });

  it("curl", async ({ skip }) => {
    skip(!isThere("curl"), "this machine has no curl");
    const source = createSource();
    const scope = "20260101/us-east-1/lambda/aws4_request";
    const curl = spawn("curl", [
      ...["-sS", "--no-buffer", "--include", "--data-binary", JSON.stringify({ run: "two", key: source.key })],
      ...["-H", "X-Amz-Date: 20260101T000000Z", "-H", "Content-Type: application/json"],
      "-H",
      `Authorization: AWS4-HMAC-SHA256 Credential=AKID/${scope}, SignedHeaders=host;x-amz-date, Signature=${"0".repeat(64)}`,
      `${emulator.endpoint}/2021-11-15/functions/app/response-streaming-invocations`,
    ]);
    const ended = once(curl, "close");
    let said = "";
    curl.stdout.setEncoding("latin1").on("data", (text: string) => {
      said += text;
      if (said.includes(FIRST) && !said.includes(SECOND)) source.release();
    });
    expect((await ended)[0]).toBe(0);
    const [head = "", ...body] = said.split("\r\n\r\n");
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(head).toMatch(/^content-type: application\/vnd\.amazon\.eventstream\r?$/im);
    expect(head).toMatch(/^x-amz-executed-version: \$LATEST\r?$/im);
    expect(body.join("").match(/PayloadChunk|InvokeComplete|first\n|second\n|\{\}/g)).toEqual([
      ...["PayloadChunk", FIRST, "PayloadChunk", SECOND],
      ...["InvokeComplete", "{}"],
    ]);
  });

  it("boto3", async ({ skip }) => {
    skip(!pythonHas("boto3"), "this machine has no boto3");
    const source = createSource();
    const python = spawn("python3", ["-c", BOTO3, emulator.endpoint, source.key]);
    const ended = once(python, "close");
    const said: unknown[] = [];
    for await (const line of createInterface({ input: python.stdout })) {
      said.push(JSON.parse(line));
      if (said.length === 2) source.release();
    }
    expect((await ended)[0]).toBe(0);
    expect(said).toEqual([
      { status: 200, type: "application/vnd.amazon.eventstream", version: "$LATEST" },
      { chunk: FIRST },
      { chunk: SECOND },
      { end: { LogResult: expect.any(String) } },
      { chunks: expect.stringContaining(FIRST + SECOND + FIRST) },
      { end: { ErrorCode: "Unhandled", ErrorDetails: expect.stringContaining(MIDWAY_MESSAGE) } },
      { refused: "ResourceNotFoundException" },
      { dry: 204 },
    ]);
  });
});

const BOTO3 = `
import boto3, json, sys

def say(**what):
    print(json.dumps(what), flush=True)

endpoint, key = sys.argv[1:]
client = boto3.client("lambda", endpoint_url=endpoint, region_name="${REGION}", aws_access_key_id="AKID",
    aws_secret_access_key="secret")

def invoke(task, **options):
    return client.invoke_with_response_stream(**{"FunctionName": "app", "Payload": json.dumps(task), **options})

answer = invoke({"run": "two", "key": key}, LogType="Tail")
say(status=answer["StatusCode"], type=answer["ResponseStreamContentType"], version=answer["ExecutedVersion"])
for event in answer["EventStream"]:
    if "PayloadChunk" in event:
        say(chunk=event["PayloadChunk"]["Payload"].decode())
    else:
        say(end=event["InvokeComplete"])

chunks = b""
for event in invoke({"run": "throws at the end"})["EventStream"]:
    if "PayloadChunk" in event:
        chunks += event["PayloadChunk"]["Payload"]
    else:
        say(chunks=chunks.decode())
        say(end=event["InvokeComplete"])

try:
    invoke({}, FunctionName="nobody")
except client.exceptions.ResourceNotFoundException as error:
    say(refused=error.response["Error"]["Code"])
say(dry=invoke({"run": "throws at once"}, InvocationType="DryRun")["StatusCode"])
`;

/** Calls of a handler, streamed where nothing else is said, for the tests of a block. */
function useCalls(start: Way[1], handler: Handler, options: SessionOptions): StreamingCall {
  let session: Session;
  let emulator: Emulator | undefined;
  beforeAll(async () => {
    const started = await start(handler);
    ({ emulator } = started);
    session = new Session({ ...started.options, ...options, responseStreaming: true, cookies: false });
  });
  afterAll(async () => {
    await session.close();
    await emulator?.close();
  });
  return (path, { method = "GET", ...rest } = {}) =>
    session.request(method, `http+lambda://app${path}`, rest) as Promise<LambdaResponse>;
}

function isThere(program: string): boolean {
  try {
    execFileSync(program, ["--version"]);
    return true;
  } catch {
    return false;
  }
}
