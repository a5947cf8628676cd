/** A response that streams, over connections that break, stall and end in every way: what is certain, and what is let go. */
import { createHook } from "node:async_hooks";
import { getEventListeners } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { FunctionError, InvokeError, PayloadTooLargeError, TimeoutError } from "../src/errors.ts";
import { awsInvoker } from "../src/invoke/aws.ts";
import type { PayloadStream, RetryInfo } from "../src/invoke/invoker.ts";
import { LambdaResponse } from "../src/response.ts";
import { Session } from "../src/session.ts";
import type { SessionOptions, SessionRequestOptions } from "../src/session-options.ts";
import { parseFunction } from "../src/target.ts";
import { watchClientSockets } from "./support/sockets.ts";
import {
  answer,
  broken,
  type Connection,
  chunked,
  complete,
  end,
  endless,
  event,
  gate,
  HEAD,
  LAST,
  type Play,
  payload,
  prelude,
  refusal,
  reset,
  type Step,
  type StreamingLambda,
  stalled,
  streamingLambda,
} from "./support/streaming-lambda.ts";

const URL_OF_APP = "http+lambda://app/";
const CREATED = { statusCode: 201, headers: { "content-type": "text/plain", "x-own": "yes" } };
/** Bytes of the prelude of CREATED, which are a part of the answer as Lambda counts it. */
const PRELUDE_BYTES = JSON.stringify(CREATED).length + 8;
const GOOD = [prelude(CREATED), payload("hello "), payload("wörld"), complete()];
const BODY = "hello wörld";

// Nothing that is lost on the way may go unheard of, or be heard of twice.
const surprises: unknown[] = [];
const onSurprise = (error: unknown): void => void surprises.push(error);
beforeAll(() => {
  process.on("unhandledRejection", onSurprise);
  process.on("uncaughtException", onSurprise);
  process.on("warning", onSurprise);
});
afterAll(async () => {
  for (let turns = 0; turns < 10; turns++) await turn();
  process.off("unhandledRejection", onSurprise);
  process.off("uncaughtException", onSurprise);
  process.off("warning", onSurprise);
  expect(surprises).toEqual([]);
});

/** Never aborted, and given with all calls that need none of their own. */
const shared = new AbortController().signal;
let sockets: ReturnType<typeof watchClientSockets>;
const closers: (() => unknown)[] = [];
beforeEach(() => {
  sockets = watchClientSockets();
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  sockets.undo();
  expect(surprises).toEqual([]);
  expect(getEventListeners(shared, "abort"), "listeners on a signal that many calls share").toHaveLength(0);
});

async function lambda(...script: readonly [Play, ...Play[]]): Promise<StreamingLambda> {
  const server = await streamingLambda(...script);
  closers.push(() => server.close());
  return server;
}

function session(endpoint: string, options: SessionOptions = {}): Session {
  const credentials = { accessKeyId: "a", secretAccessKey: "b" };
  const made = new Session({
    ...{ endpoint, region: "eu-west-1", credentials, responseStreaming: true, retry: { maxDelay: 0, attempts: 2 } },
    ...options,
  });
  closers.push(() => made.close());
  return made;
}

interface Called {
  readonly server: StreamingLambda;
  readonly session: Session;
  readonly response: LambdaResponse;
  readonly connection: Connection;
}

/** One call, and the response that it got. */
async function call(
  steps: readonly Step[] | readonly [Play, ...Play[]],
  { method = "GET", ...options }: SessionRequestOptions & { readonly method?: string } = {},
  settings: SessionOptions = {},
): Promise<Called> {
  const script = isScript(steps) ? steps : ([{ steps }] as const);
  const server = await lambda(...script);
  const one = session(server.endpoint, settings);
  const response = await one.request(method, URL_OF_APP, { signal: shared, ...options });
  if (!(response instanceof LambdaResponse)) throw new Error("it is no response of a function");
  return { server, session: one, response, connection: server.connections.at(-1) as Connection };
}

function isScript(steps: readonly Step[] | readonly [Play, ...Play[]]): steps is readonly [Play, ...Play[]] {
  return steps.some((step) => typeof step === "object" && "steps" in step);
}

async function failure(work: Promise<unknown>): Promise<InvokeError> {
  const error: unknown = await work.then(
    () => "it did not fail",
    (error: unknown) => error,
  );
  if (error instanceof InvokeError) return error;
  throw error;
}

/** Which is the same wherever it is asked for. */
async function bodyFailure(response: LambdaResponse): Promise<InvokeError> {
  const error = await failure(response.text());
  expect(await failure(response.invocation.completed)).toBe(error);
  expect(error.outcome).toBe("unknown");
  return error;
}

const readerOf = (response: LambdaResponse): ReadableStreamDefaultReader<Uint8Array> =>
  (response.body as ReadableStream<Uint8Array>).getReader();

/** The next piece, as text. */
async function next(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string | undefined> {
  const { value } = await reader.read();
  return value === undefined ? undefined : Buffer.from(value).toString();
}

/** Whatever the client has written, or is about to: when its socket is in no call's hands, and so has a time limit. */
async function isFree(index = 0): Promise<void> {
  await expect.poll(() => sockets.sockets[index]?.timeout ?? 0).toBeGreaterThan(0);
}

async function expectGood(response: LambdaResponse): Promise<void> {
  expect(response.status).toBe(201);
  expect(response.headers.get("x-own")).toBe("yes");
  expect(await response.text()).toBe(BODY);
  expect(response.invocation).toMatchObject({ functionName: "app", executedVersion: "$LATEST" });
  expect(await response.invocation.completed).toBe(response.invocation);
}

const ways: readonly [name: string, how: Step][] = [
  ["closed", end],
  ["reset", reset],
];

describe("a stream that is cut", () => {
  const whole = answer(...GOOD);
  // Where the last byte of a message is over, as the HTTP chunks have it.
  const ends = GOOD.map((_, index) => {
    const before = Buffer.concat([HEAD, ...GOOD.slice(0, index + 1).map(chunked)]);
    return before.length - 2;
  });
  const [headEnd = 0, firstEnd = 0, secondEnd = 0, completeEnd = 0] = ends;

  function receivedBy(cut: number): number {
    return PRELUDE_BYTES + (cut >= firstEnd ? 6 : 0) + (cut >= secondEnd ? 6 : 0);
  }

  describe.each(ways)("and %s", (_name, how) => {
    test.each(["GET", "POST"])("after any byte: %s", async (method) => {
      for (let cut = 0; cut <= whole.length; cut++) {
        const where = `${method} cut after ${cut} of ${whole.length}`;
        const server = await streamingLambda(
          { steps: cut === 0 ? [how] : [whole.subarray(0, cut), how] },
          { steps: [whole] },
        );
        const one = session(server.endpoint);
        const called = one.request(method, URL_OF_APP, { signal: shared }) as Promise<LambdaResponse>;
        if (cut < headEnd && method === "POST") {
          const error = await failure(called);
          expect([error.outcome, error.attempts], where).toEqual(["unknown", 1]);
          expect(server.counts.runs, where).toBe(1);
        } else {
          const response = await called;
          const isAgain = cut < headEnd;
          expect([response.status, response.invocation.attempts], where).toEqual([201, isAgain ? 2 : 1]);
          if (isAgain || cut >= completeEnd) await expectGood(response);
          else {
            const error = await bodyFailure(response);
            expect(error.message, where).toContain(`after ${receivedBy(cut)} bytes of the answer`);
            expect(error.message, where).toMatch(/the function may (?:have run|still be running)$/);
          }
          expect(server.counts.runs, where).toBe(isAgain ? 2 : 1);
        }
        await one.close();
        server.close();
      }
    });
  });

  test("what had come before is read before the error", async () => {
    const held = gate();
    const { response } = await call([whole.subarray(0, secondEnd), () => held.passed, reset]);
    const reader = readerOf(response);
    expect([await next(reader), await next(reader)]).toEqual(["hello ", "wörld"]);
    held.open();
    const error = await failure(reader.read());
    expect(error).toMatchObject({ code: "ECONNRESET", outcome: "unknown", attempts: 1 });
    expect(await failure(reader.closed)).toBe(error);
    expect(await failure(response.invocation.completed)).toBe(error);
  });

  test("for all pieces and all chunks, a stream that is whole is the same response", async () => {
    const bytes = Buffer.concat(GOOD);
    const cutsOf = (length: number) => fc.array(fc.integer({ min: 1, max: length - 1 }), { maxLength: 12 });
    const server = await lambda({
      steps: [({ socket }) => play.reduce((done, step) => done.then(() => step(socket)), Promise.resolve())],
    });
    let play: ((socket: Connection["socket"]) => Promise<void>)[] = [];
    const one = session(server.endpoint);
    await fc.assert(
      fc.asyncProperty(cutsOf(bytes.length), cutsOf(whole.length), fc.boolean(), async (chunks, packets, isSlow) => {
        const wire = Buffer.concat([HEAD, ...cutAt(bytes, chunks).map(chunked), LAST]);
        play = cutAt(wire, packets).map((piece) => async (socket) => {
          await new Promise((resolve) => socket.write(piece, resolve));
          if (isSlow) await turn();
        });
        await expectGood((await one.post(URL_OF_APP, { signal: shared })) as LambdaResponse);
      }),
      { numRuns: 200 },
    );
    expect(server.counts.runs).toBe(server.counts.requests);
  });
});

/** At different places, without what would leave an empty piece. */
function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const cuts = [...new Set([0, ...places.filter((place) => place < bytes.length), bytes.length])].sort((a, b) => a - b);
  return cuts.slice(1).map((end, index) => bytes.subarray(cuts[index], end));
}

/** With a bit flipped. */
function garbled(message: Buffer, index: number): Buffer {
  const bytes = Buffer.from(message);
  bytes.writeUInt8(bytes.readUInt8(index) ^ 1, index);
  return bytes;
}

describe("what is no good stream", () => {
  const late = payload("late");
  const faults: readonly [name: string, steps: readonly Step[], code: string, says: string][] = [
    ["no InvokeComplete", [LAST], "ERR_INCOMPLETE_STREAM", "the stream ended without InvokeComplete"],
    ["half a message", [chunked(late.subarray(0, 20)), LAST], "ERR_EVENT_STREAM", "it ends 20 bytes into a message"],
    ["lengths with a flipped bit", [chunked(garbled(late, 3))], "ERR_EVENT_STREAM", "lengths is wrong"],
    ["a flipped bit in a header", [chunked(garbled(late, 20))], "ERR_EVENT_STREAM", "the checksum of a message is"],
    ["a flipped bit in a payload", [chunked(garbled(late, late.length - 5))], "ERR_EVENT_STREAM", "of a message is"],
    ["an endless message", [chunked(Buffer.from("7fffffff00000000deadbeef", "hex"))], "ERR_EVENT_STREAM", "is wrong"],
    ["a page of a proxy's", [chunked(Buffer.from("<html>502</html>"))], "ERR_EVENT_STREAM", "is wrong"],
    [
      "an exception",
      [chunked(broken("exception", "ServiceException", "sorry"))],
      "ServiceException",
      "off with ServiceException: sorry",
    ],
    [
      "an error",
      [chunked(broken("error", "InternalError", "sorry"))],
      "InternalError",
      "off with InternalError: sorry",
    ],
    [
      "an end that is no JSON",
      [chunked(event("InvokeComplete", "{")), LAST],
      "ERR_EVENT_STREAM",
      "its InvokeComplete is no JSON",
    ],
    ["a chunk whose size is none", ["zz\r\n"], "HPE_INVALID_CHUNK_SIZE", "the connection to 127.0.0.1"],
  ];

  describe.each(faults)("%s", (_name, steps, code, says) => {
    const BEFORE: readonly [where: string, steps: readonly Step[], received: number][] = [
      ["at once", [HEAD], 0],
      ["within the prelude", [HEAD, chunked(payload('{"statusCode":'))], 14],
      ["before a result that is JSON is complete", [HEAD, chunked(payload('{"statusCode":200,"body":"'))], 26],
    ];

    test.each(BEFORE)("%s: a GET is sent again, a POST is not", async (_where, before, received) => {
      const script = [{ steps: [...before, ...steps] }, { steps: [answer(...GOOD)] }] as const;
      const { server, response } = await call(script);
      await expectGood(response);
      expect(server.counts.runs).toBe(2);
      const other = await lambda(...script);
      const error = await failure(session(other.endpoint).post(URL_OF_APP, { signal: shared }));
      expect(error).toMatchObject({ code, outcome: "unknown", attempts: 1 });
      expect(error.message).toContain(says);
      // What breaks HTTP in the packet of its head is told before anybody could read the bytes between the two.
      if (!code.startsWith("HPE")) expect(error.message).toContain(`after ${received} bytes of the answer`);
      expect(other.counts.runs).toBe(1);
    });

    test.each(["GET", "POST"])("midway: the body of a %s fails, and nothing is sent again", async (method) => {
      const held = gate();
      const midway = [HEAD, chunked(prelude(CREATED)), chunked(payload("hello ")), () => held.passed];
      const { server, response } = await call([...midway, ...steps], { method });
      held.open();
      const error = await bodyFailure(response);
      expect(error.attempts).toBe(1);
      if (!code.startsWith("HPE")) expect(error.code).toBe(code);
      expect(error.message).toContain(says);
      expect(error.message).toContain(`after ${PRELUDE_BYTES + 6} bytes of the answer`);
      expect(server.counts).toMatchObject({ requests: 1, runs: 1 });
    });
  });

  // A fault of src/invoke/http.ts: what its request emits is forgotten, and the response only says "aborted".
  test("what breaks HTTP midway is named, and not only that the connection was lost", async () => {
    const held = gate();
    const { response } = await call([HEAD, chunked(prelude(CREATED)), () => held.passed, "zz\r\n"]);
    held.open();
    expect(await bodyFailure(response)).toMatchObject({ code: "HPE_INVALID_CHUNK_SIZE" });
  });

  test("a connection whose stream is garbled is not used again", async () => {
    const { session, server, response, connection } = await call([
      { steps: [HEAD, chunked(prelude(CREATED)), chunked(garbled(late, 20))] },
      { steps: [answer(...GOOD)] },
    ]);
    await bodyFailure(response);
    await connection.closed;
    await expectGood((await session.get(URL_OF_APP)) as LambdaResponse);
    expect(server.counts.connections).toBe(2);
  });
});

describe("a function that fails", () => {
  const details = JSON.stringify({ errorType: "TypeError", errorMessage: "boom", trace: ["TypeError: boom", "at x"] });
  const LOG =
    "START\nREPORT RequestId: 1\tDuration: 1.00 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 64 MB\t\n";
  const failed = complete({
    ErrorCode: "Unhandled",
    ErrorDetails: details,
    LogResult: Buffer.from(LOG).toString("base64"),
  });
  const FAILURE = { kind: "exception", errorType: "TypeError", errorMessage: "boom" };

  test("before it has said anything: a 502, and nothing is sent again", async () => {
    const { server, response } = await call([answer(failed)], { logs: true });
    expect([response.status, await response.text()]).toEqual([502, "boom"]);
    expect(response.invocation.functionError).toMatchObject(FAILURE);
    expect(response.invocation).toMatchObject({ logs: LOG, report: { billedDuration: 2 }, attempts: 1 });
    expect(await response.invocation.completed).toBe(response.invocation);
    expect(server.counts.runs).toBe(1);
  });

  test("before its prelude is whole: a 502 all the same", async () => {
    const { response } = await call([answer(payload('{"statusCode":20'), failed)]);
    expect([response.status, await response.text()]).toEqual([502, "boom"]);
  });

  test("before it has said anything, with functionErrors: throw", async () => {
    const server = await lambda({ steps: [answer(failed)] });
    const error = await session(server.endpoint, { functionErrors: "throw" })
      .get(URL_OF_APP, { signal: shared })
      .catch((error: unknown) => error);
    expect(error).toBeInstanceOf(FunctionError);
    expect(error).toMatchObject({ ...FAILURE, logs: LOG });
    expect((error as FunctionError).response.status).toBe(502);
    expect(server.counts.runs).toBe(1);
  });

  test.each(["response", "throw"] as const)("midway, with functionErrors: %s", async (functionErrors) => {
    const messages = [prelude(CREATED), payload("hello "), failed];
    const { server, response } = await call([answer(...messages)], { functionErrors });
    expect(response.status).toBe(201);
    const error = await response.text().catch((error: unknown) => error);
    expect(error).toBeInstanceOf(FunctionError);
    expect(error).toMatchObject({ ...FAILURE, code: "ERR_FUNCTION", logs: LOG });
    expect((error as FunctionError).response).toBe(response);
    expect((error as FunctionError).message).toContain("It had answered with 6 bytes of its body by then");
    await expect(response.invocation.completed).rejects.toBe(error);
    expect(response.invocation).toMatchObject({ functionError: FAILURE, logs: LOG, report: { billedDuration: 2 } });
    expect(server.counts.runs).toBe(1);
  });

  // A fault of src/streamed-response.ts: giveUp() ends the connection of an invocation that is over as well.
  test("midway, with a code alone, and a connection that is good for the next call", async () => {
    const { session, server, response } = await call([
      { steps: [answer(prelude(CREATED), complete({ ErrorCode: "Runtime.TruncatedResponse" }))] },
      { steps: [answer(...GOOD)] },
    ]);
    const free = isFree();
    await expect(response.text()).rejects.toMatchObject({
      errorType: "Runtime.TruncatedResponse",
      errorMessage: "Runtime.TruncatedResponse",
    });
    await free;
    await expectGood((await session.get(URL_OF_APP)) as LambdaResponse);
    expect(server.counts.connections).toBe(1);
  });

  test("midway in a body that is compressed", async () => {
    const zipped = gzipSync("x".repeat(1000));
    const head = prelude({ headers: { "content-encoding": "gzip" } }, zipped.subarray(0, 15));
    const { response } = await call([answer(head, failed)]);
    await expect(response.text()).rejects.toMatchObject(FAILURE);
  });
});

describe("a call that Lambda refuses", () => {
  test.each<[status: number, name: string, outcome: string, attempts: number]>([
    [404, "ResourceNotFoundException", "not-started", 1],
    [403, "AccessDeniedException", "not-started", 1],
    [413, "RequestEntityTooLargeException", "not-started", 1],
    [429, "TooManyRequestsException", "not-started", 2],
    [502, "ResourceNotReadyException", "not-started", 2],
  ])("%i %s", async (status, name, outcome, attempts) => {
    const server = await lambda(refusal(status, name));
    const one = session(server.endpoint);
    for (const method of ["GET", "POST"]) {
      const before = server.counts.requests;
      const error = await failure(one.request(method, URL_OF_APP, { signal: shared }));
      expect(error).toMatchObject({ code: name, status, outcome, attempts });
      expect(server.counts.requests - before).toBe(attempts);
    }
    expect(server.counts).toMatchObject({ connections: 1, runs: 0 });
    expect(server.heads[0]).toContain("POST /2021-11-15/functions/app/response-streaming-invocations HTTP/1.1");
  });

  test("once, and then takes it", async () => {
    const { server, response } = await call([refusal(429, "TooManyRequestsException"), { steps: [answer(...GOOD)] }], {
      method: "POST",
    });
    await expectGood(response);
    expect([server.counts.requests, server.counts.runs, response.invocation.attempts]).toEqual([2, 1, 2]);
  });

  test("with half an answer: the refusal is lost, and a POST's outcome unknown", async () => {
    const server = await lambda({ steps: ["HTTP/1.1 404 X\r\nContent-Length: 20\r\n\r\n{", end] });
    expect(await failure(session(server.endpoint).post(URL_OF_APP, { signal: shared }))).toMatchObject({
      outcome: "unknown",
      attempts: 1,
    });
  });
});

describe("the option timeout", () => {
  const timeout = 50;
  const wait = gate();

  test("before the head: the call fails, and the connection is closed", async () => {
    for (const before of [[], [HEAD], [HEAD, chunked(payload('{"statusCode":'))]]) {
      const server = await lambda({ steps: [...before, () => wait.passed] });
      const error = await failure(session(server.endpoint).get(URL_OF_APP, { timeout, signal: shared }));
      expect(error).toBeInstanceOf(TimeoutError);
      expect(error).toMatchObject({ outcome: "unknown", attempts: 1 });
      expect(error.message).toContain(`no answer within ${timeout} ms; the function may still be running`);
      await server.connections[0]?.closed;
      expect(server.counts.runs).toBe(1);
    }
  });

  test("midway: the body fails, and the connection is closed", async () => {
    const steps = [HEAD, chunked(prelude(CREATED)), chunked(payload("hello ")), () => wait.passed];
    const { response, connection, server } = await call(steps, { timeout });
    const error = await bodyFailure(response);
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error.message).toContain(`the answer was not complete within ${timeout} ms; the function may still be`);
    await connection.closed;
    expect(server.counts.runs).toBe(1);
  });

  test("while nobody reads: the same", async () => {
    const { response, connection } = await call(
      [HEAD, chunked(prelude(CREATED)), endless(chunked(payload("x".repeat(65_536))))],
      {
        timeout,
      },
    );
    await connection.closed;
    expect(await failure(response.invocation.completed)).toBeInstanceOf(TimeoutError);
    expect(await failure(response.text())).toBeInstanceOf(TimeoutError);
  });

  test("in a body that is compressed: the same", async () => {
    const head = prelude({ headers: { "content-encoding": "gzip" } }, gzipSync("hello").subarray(0, 15));
    const { response, connection } = await call([HEAD, chunked(head), () => wait.passed], { timeout });
    expect(await bodyFailure(response)).toBeInstanceOf(TimeoutError);
    await connection.closed;
  });

  test("that is not over when the body is: nothing happens", async () => {
    const { response } = await call([answer(...GOOD)], { timeout: 10_000 });
    await expectGood(response);
  });

  const silent = [HEAD, chunked(prelude(CREATED)), () => wait.passed];
  const zipped = prelude({ headers: { "content-encoding": "gzip" } }, gzipSync("hello").subarray(0, 15));
  const moved = prelude({ statusCode: 302, headers: { location: "/" } });
  const good: Play = { steps: [answer(...GOOD)] };
  const readAll = async (response: Response): Promise<unknown> => response.text().catch(() => undefined);
  const cancel = async (response: Response): Promise<unknown> => response.body?.cancel();
  const leave = async (): Promise<void> => undefined;
  const endings: readonly [
    name: string,
    script: readonly [Play, ...Play[]],
    end: (one: Called) => Promise<unknown>,
    method?: string,
  ][] = [
    ["read", [good], ({ response }) => readAll(response)],
    ["cancelled at once", [{ steps: silent }], ({ response }) => cancel(response)],
    [
      "cancelled, compressed",
      [{ steps: [HEAD, chunked(zipped), () => wait.passed] }],
      ({ response }) => cancel(response),
    ],
    ["cut", [{ steps: [HEAD, chunked(prelude(CREATED)), reset] }], ({ response }) => readAll(response)],
    ["cut before its head, and sent again", [{ steps: [HEAD, reset] }, good], ({ response }) => readAll(response)],
    [
      "failed midway",
      [{ steps: [answer(prelude(CREATED), complete({ ErrorCode: "X" }))] }],
      ({ response }) => readAll(response),
    ],
    ["failed at once", [{ steps: [answer(complete({ ErrorCode: "X" }))] }], leave],
    ["JSON", [{ steps: [answer(payload("{}"), complete())] }], leave],
    ["none that can be", [{ steps: [HEAD, chunked(prelude({ statusCode: "x" })), () => wait.passed] }], leave],
    ["redirected", [{ steps: [HEAD, chunked(moved), () => wait.passed] }, good], ({ response }) => readAll(response)],
    [
      "asked for again",
      [{ steps: [HEAD, chunked(prelude({ statusCode: 503 })), () => wait.passed] }, good],
      ({ response }) => readAll(response),
    ],
    ["of a HEAD", [good], ({ response }) => response.invocation.completed, "HEAD"],
    [
      "of a 204",
      [{ steps: [answer(prelude({ statusCode: 204 }), complete())] }],
      ({ response }) => response.invocation.completed,
    ],
    [
      "ended by close()",
      [{ steps: silent }],
      async ({ session, response }) => {
        await session.close();
        await readAll(response);
      },
    ],
  ];

  test.each(endings)("leaves no timer behind with a body that is %s", async (_name, script, end, method = "GET") => {
    const timers = watchTimers();
    const retry = { maxDelay: 0, statuses: [503] };
    await end(await call(script, { timeout: 600_000, retry, method }));
    expect(timers.count()).toBeGreaterThan(0);
    for (let turns = 0; turns < 500 && timers.running().length > 0; turns++) await turn();
    expect(timers.running()).toEqual([]);
    expect(getEventListeners(shared, "abort")).toHaveLength(0);
  });
});

/** The timers of 600 s, which are those of the option `timeout` here, by the stacks of their starts. */
function watchTimers(): { running(): string[]; count(): number } {
  const running = new Map<number, string>();
  let count = 0;
  const hook = createHook({
    init(id, type, _trigger, resource) {
      if (type !== "Timeout" || (resource as { _idleTimeout?: number })._idleTimeout !== 600_000) return;
      count++;
      running.set(id, new Error("started").stack ?? "");
    },
    destroy: (id) => void running.delete(id),
  });
  hook.enable();
  closers.push(() => hook.disable());
  return { running: () => [...running.values()], count: () => count };
}

describe("a signal", () => {
  const reason = new Error("enough");
  const wait = gate();

  test.each<[where: string, steps: readonly Step[]]>([
    ["before the answer begins", []],
    ["before the first message", [HEAD]],
    ["within the prelude", [HEAD, chunked(payload('{"statusCode":'))]],
    ["within a result that is JSON", [HEAD, chunked(payload('{"statusCode":200,"body":"'))]],
  ])("%s: the call rejects with its reason, and the connection is closed", async (_where, steps) => {
    const controller = new AbortController();
    const reached = gate();
    const server = await lambda({ steps: [...steps, () => reached.open(), () => wait.passed] });
    const called = session(server.endpoint).get(URL_OF_APP, { signal: controller.signal });
    await reached.passed;
    // The client may have these bytes or not.
    await turn();
    controller.abort(reason);
    await expect(called).rejects.toBe(reason);
    await server.connections[0]?.closed;
    expect(server.counts.runs).toBe(1);
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
  });

  test.each<[where: string, encoding: string | undefined]>([
    ["midway", undefined],
    ["midway in a body that is compressed", "gzip"],
  ])("%s: the body fails with its reason, and the connection is closed", async (_where, encoding) => {
    const controller = new AbortController();
    const head = prelude({ headers: encoding === undefined ? {} : { "content-encoding": encoding } });
    const zipped = encoding === undefined ? Buffer.from("hello") : gzipSync("hello").subarray(0, 15);
    const steps = [HEAD, chunked(head), chunked(payload(zipped)), () => wait.passed];
    const { response, connection } = await call(steps, { signal: controller.signal });
    const reader = readerOf(response);
    if (encoding === undefined) expect(await next(reader)).toBe("hello");
    const pending = reader.read();
    controller.abort(reason);
    await expect(pending).rejects.toBe(reason);
    await expect(reader.closed).rejects.toBe(reason);
    await expect(response.invocation.completed).rejects.toBe(reason);
    await connection.closed;
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
  });

  test("while nobody reads: the body fails, and the connection is closed", async () => {
    const controller = new AbortController();
    const { response, connection } = await call(
      [HEAD, chunked(prelude(CREATED)), endless(chunked(payload("x".repeat(65_536))))],
      { signal: controller.signal },
    );
    await stalled(connection);
    controller.abort(reason);
    await connection.closed;
    await expect(response.text()).rejects.toBe(reason);
    await expect(response.invocation.completed).rejects.toBe(reason);
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
  });

  test.each([[null], ["text"], [0]])("with the reason %s", async (reason) => {
    const controller = new AbortController();
    const { response, connection } = await call([HEAD, chunked(prelude(CREATED)), () => wait.passed], {
      signal: controller.signal,
    });
    const text = response.text();
    controller.abort(reason);
    await expect(text).rejects.toBe(reason);
    await expect(response.invocation.completed).rejects.toBe(reason);
    await connection.closed;
  });

  test.each([false, true])("that is aborted between two hops ends the call, responseStreaming: %s", async (streams) => {
    const controller = new AbortController();
    const server = await lambda({ steps: [answer(...GOOD)] });
    const one = session(server.endpoint, { responseStreaming: streams });
    one.mount("http+lambda://app/moved", async () => {
      queueMicrotask(() => queueMicrotask(() => controller.abort(reason)));
      return new Response(null, { status: 307, headers: { location: "/" } });
    });
    await expect(one.get(`${URL_OF_APP}moved`, { signal: controller.signal })).rejects.toBe(reason);
    expect(server.counts.requests).toBe(0);
  });

  test("after the last byte: nothing happens", async () => {
    const controller = new AbortController();
    const { response } = await call([answer(...GOOD)], { signal: controller.signal });
    const copy = response.clone();
    await expectGood(response);
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
    controller.abort(reason);
    expect(await copy.text()).toBe(BODY);
  });

  test("of many bodies at once leaves nothing on it", async () => {
    const server = await lambda({ steps: [answer(...GOOD)] });
    const one = session(server.endpoint);
    const responses = await Promise.all(Array.from({ length: 30 }, () => one.get(URL_OF_APP, { signal: shared })));
    await Promise.all(
      responses.map((response, index) => (index % 2 === 0 ? response.text() : response.body?.cancel())),
    );
    expect(getEventListeners(shared, "abort")).toHaveLength(0);
  });
});

describe("session.close()", () => {
  const wait = gate();

  test("before the head", async () => {
    const reached = gate();
    const server = await lambda({ steps: [HEAD, () => reached.open(), () => wait.passed] });
    const one = session(server.endpoint);
    const called = failure(one.get(URL_OF_APP, { signal: shared }));
    await reached.passed;
    await one.close();
    expect(await called).toMatchObject({ code: "ERR_CLOSED", outcome: "unknown", attempts: 1 });
    await server.connections[0]?.closed;
    expect(server.counts.runs).toBe(1);
  });

  test("midway", async () => {
    const steps = [HEAD, chunked(prelude(CREATED)), chunked(payload("hello ")), () => wait.passed];
    const { session, response, connection } = await call(steps);
    const reader = readerOf(response);
    expect(await next(reader)).toBe("hello ");
    const pending = failure(reader.read());
    await session.close();
    const error = await pending;
    expect(error).toMatchObject({ code: "ERR_CLOSED", outcome: "unknown" });
    expect(error.message).toContain("close() ended the call; the function may have run");
    expect(await failure(response.invocation.completed)).toBe(error);
    await connection.closed;
  });

  test("while nobody reads", async () => {
    const steps = [HEAD, chunked(prelude(CREATED)), endless(chunked(payload("x".repeat(65_536))))];
    const { session, response, connection } = await call(steps);
    await stalled(connection);
    await session.close();
    await connection.closed;
    expect(await bodyFailure(response)).toMatchObject({ code: "ERR_CLOSED" });
  });

  test("after the last byte: nothing is lost", async () => {
    const { session, response } = await call([answer(...GOOD)]);
    await response.invocation.completed;
    await session.close();
    await expectGood(response);
  });
});

describe("a body that is cancelled", () => {
  const wait = gate();
  const silent = [HEAD, chunked(prelude(CREATED)), () => wait.passed];
  const talking = [HEAD, chunked(prelude(CREATED)), endless(chunked(payload("x".repeat(65_536))))];

  test.each<[name: string, steps: readonly Step[]]>([
    ["of a silent function", silent],
    ["of a function that goes on", talking],
  ])("before anything is read, %s", async (_name, steps) => {
    const { response, connection } = await call(steps);
    await response.body?.cancel("enough");
    await connection.closed;
    await expect(response.invocation.completed).rejects.toBe("enough");
  });

  test("before anything is read, when what is read ahead is full", async () => {
    const { response, connection } = await call(talking);
    await stalled(connection);
    await response.body?.cancel();
    await connection.closed;
    await expect(response.invocation.completed).rejects.toMatchObject({ name: "AbortError" });
  });

  test("after a piece, while the next one is waited for", async () => {
    const steps = [HEAD, chunked(prelude(CREATED)), chunked(payload("hello ")), () => wait.passed];
    const { response, connection } = await call(steps);
    const reader = readerOf(response);
    expect(await next(reader)).toBe("hello ");
    const pending = reader.read();
    await reader.cancel();
    expect(await pending).toEqual({ done: true, value: undefined });
    await connection.closed;
    await expect(response.invocation.completed).rejects.toMatchObject({ name: "AbortError" });
  });

  test("by leaving a loop over it", async () => {
    const { response, connection } = await call(talking);
    for await (const _piece of response.body ?? []) break;
    await connection.closed;
  });

  test.each([
    ["gzip", gzipSync("x".repeat(100_000)).subarray(0, 100)],
    ["br", brotliCompressSync("hello").subarray(0, 4)],
  ])("that is compressed (%s), of a silent function", async (encoding, bytes) => {
    const head = prelude({ headers: { "content-encoding": encoding } }, bytes);
    const { response, connection } = await call([HEAD, chunked(head), () => wait.passed]);
    await response.body?.cancel();
    await connection.closed;
  });

  test("of one of two clones: the other is read", async () => {
    const { response } = await call([answer(...GOOD)]);
    const clone = response.clone();
    void response.body?.cancel();
    expect(await clone.text()).toBe(BODY);
    await response.invocation.completed;
  });
});

describe("a body that nobody reads", () => {
  test("is over by itself when it is short, and its connection free", async () => {
    const { session, server, response } = await call([answer(...GOOD)]);
    const free = isFree();
    await response.invocation.completed;
    await free;
    await expectGood((await session.get(URL_OF_APP)) as LambdaResponse);
    expect(server.counts.connections).toBe(1);
    expect(await response.text()).toBe(BODY);
  });

  test("and is held back when it is long", async () => {
    const { response, connection } = await call([
      ...[HEAD, chunked(prelude(CREATED))],
      endless(chunked(payload("x".repeat(65_536)))),
    ]);
    await stalled(connection);
    // What the kernel holds between the two ends, and 64 KB here.
    expect(connection.socket.bytesWritten).toBeLessThan(16 * 1024 * 1024);
    await response.body?.cancel();
    await connection.closed;
  });
});

describe("a connection is used again", () => {
  test("after each whole body", async () => {
    const server = await lambda({ steps: [answer(...GOOD)] });
    const one = session(server.endpoint);
    for (let count = 0; count < 5; count++) {
      const response = (await one.get(URL_OF_APP, { signal: shared })) as LambdaResponse;
      const free = isFree();
      await expectGood(response);
      await free;
    }
    expect(server.counts).toMatchObject({ connections: 1, requests: 5 });
  });

  test("when HTTP's body has a length in place of chunks", async () => {
    const body = Buffer.concat(GOOD);
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`;
    const { session, server, response } = await call([head, body]);
    const free = isFree();
    expect([response.status, await response.text()]).toEqual([201, BODY]);
    await free;
    expect(await (await session.get(URL_OF_APP)).text()).toBe(BODY);
    expect(server.counts.connections).toBe(1);
  });

  test("when the end of HTTP's body comes later than that of the stream", async () => {
    const held = gate();
    const { session, server, response } = await call([
      { steps: [HEAD, ...GOOD.map(chunked), () => held.passed, LAST] },
      { steps: [answer(...GOOD)] },
    ]);
    await expectGood(response);
    const free = isFree();
    held.open();
    await free;
    await expectGood((await session.get(URL_OF_APP)) as LambdaResponse);
    expect(server.counts.connections).toBe(1);
  });

  test("when something follows the end of the stream", async () => {
    const { session, server, response } = await call([
      { steps: [answer(...GOOD, payload("late"), Buffer.from("garbage"))] },
      { steps: [answer(...GOOD)] },
    ]);
    const free = isFree();
    await expectGood(response);
    await free;
    await expectGood((await session.get(URL_OF_APP)) as LambdaResponse);
    expect(server.counts.connections).toBe(1);
  });

  test("and not when HTTP's body never ends; that of the response has ended all the same", async () => {
    const held = gate();
    const { session, server, response, connection } = await call([
      { steps: [HEAD, ...GOOD.map(chunked), () => held.passed] },
      { steps: [answer(...GOOD)] },
    ]);
    await expectGood(response);
    await expectGood((await session.get(URL_OF_APP)) as LambdaResponse);
    expect(server.counts.connections).toBe(2);
    // A second is given to it.
    await connection.closed;
  });
});

describe("a response without a body", () => {
  test.each<[name: string, method: string, value: object, status: number]>([
    ["HEAD", "HEAD", CREATED, 201],
    ["204", "GET", { statusCode: 204 }, 204],
    ["304", "GET", { statusCode: 304 }, 304],
  ])("%s", async (_name, method, value, status) => {
    const messages = [
      prelude(value),
      payload("unseen"),
      complete({ LogResult: Buffer.from("log").toString("base64") }),
    ];
    const { session, server, response } = await call([{ steps: [answer(...messages)] }, { steps: [answer(...GOOD)] }], {
      method,
      logs: true,
    });
    const free = isFree();
    expect([response.status, response.body, await response.text()]).toEqual([status, null, ""]);
    expect(await response.invocation.completed).toMatchObject({ logs: "log" });
    await free;
    await expectGood((await session.get(URL_OF_APP)) as LambdaResponse);
    expect(server.counts.connections).toBe(1);
  });

  test("whose function sends no end of one all the same: its connection is closed", async () => {
    const { response, connection } = await call(
      [HEAD, chunked(prelude(CREATED)), endless(chunked(payload("x".repeat(65_536))))],
      { method: "HEAD" },
    );
    await connection.closed;
    await expect(response.invocation.completed).rejects.toMatchObject({ name: "AbortError" });
  });

  test("whose stream breaks: only `completed` says it", async () => {
    const { response } = await call([HEAD, chunked(prelude(CREATED)), end], { method: "HEAD" });
    expect(await response.text()).toBe("");
    expect(await failure(response.invocation.completed)).toMatchObject({ code: "ECONNRESET", outcome: "unknown" });
  });
});

describe("retry.statuses", () => {
  const busy = prelude({ statusCode: 503 }, "busy");
  const wait = gate();
  const retry = { maxDelay: 0, attempts: 3, statuses: [503] };

  test("a stream with one of these is let go, and the next attempt answers", async () => {
    const { server, response } = await call(
      [{ steps: [HEAD, chunked(busy), () => wait.passed] }, { steps: [answer(busy)] }, { steps: [answer(...GOOD)] }],
      { retry },
    );
    await expectGood(response);
    expect([server.counts.runs, response.invocation.attempts]).toEqual([3, 3]);
    await server.connections[0]?.closed;
  });

  test("the last one's body can be read", async () => {
    const { server, response } = await call([answer(busy, complete())], { retry });
    expect([response.status, await response.text(), server.counts.runs]).toEqual([503, "busy", 3]);
  });

  test("a hook may read the body", async () => {
    const texts: string[] = [];
    const onRetry = async ({ response }: RetryInfo): Promise<void> => {
      texts.push((await response?.text()) ?? "");
    };
    const script = [{ steps: [answer(busy, complete())] }, { steps: [answer(...GOOD)] }] as const;
    const { response } = await call(script, { retry }, { hooks: { onRetry } });
    await expectGood(response);
    expect(texts).toEqual(["busy"]);
  });

  test("a POST's is the answer", async () => {
    const { server, response } = await call([answer(busy, complete())], { retry, method: "POST" });
    expect([response.status, await response.text(), server.counts.runs]).toEqual([503, "busy", 1]);
  });

  // A fault of src/fetch.ts, sendToFunction: what retries.next() throws leaves the response behind.
  test("a hook that throws ends the call, and lets the stream go", async () => {
    const refused = new Error("no more");
    const server = await lambda({ steps: [HEAD, chunked(busy), () => wait.passed] });
    const onRetry = (): never => {
      throw refused;
    };
    const one = session(server.endpoint, { hooks: { onRetry } });
    await expect(one.get(URL_OF_APP, { retry })).rejects.toBe(refused);
    await closedSoon(server.connections[0]);
  });
});

/** Within a few hundred turns of the event loop; without an end, a test would only run into its time limit. */
async function closedSoon(connection: Connection | undefined): Promise<void> {
  let isClosed = false;
  void connection?.closed.then(() => {
    isClosed = true;
  });
  for (let turns = 0; turns < 500 && !isClosed; turns++) await turn();
  expect(isClosed, "the server's end of the connection is closed").toBe(true);
}

describe("a redirect", () => {
  const found = prelude({ statusCode: 302, headers: { location: "/next" } }, "moved");
  const wait = gate();

  test.each<[name: string, steps: readonly Step[]]>([
    ["whose body never ends", [HEAD, chunked(found), endless(chunked(payload("x".repeat(65_536))))]],
    ["of a silent function", [HEAD, chunked(found), () => wait.passed]],
  ])("%s is followed, and its connection closed", async (_name, steps) => {
    const { server, response } = await call([{ steps }, { steps: [answer(...GOOD)] }]);
    await server.connections[0]?.closed;
    await expectGood(response);
    expect(response.history.map(({ status }) => status)).toEqual([302]);
    expect(response.url).toBe(`${URL_OF_APP}next`);
    await expect(response.history[0]?.invocation.completed).rejects.toMatchObject({ name: "AbortError" });
  });

  test("that is over is followed", async () => {
    const { server, response } = await call([{ steps: [answer(found, complete())] }, { steps: [answer(...GOOD)] }]);
    await expectGood(response);
    expect(server.counts.runs).toBe(2);
  });

  test("that is not followed can be read", async () => {
    const { response } = await call([answer(found, complete())], { allowRedirects: false });
    expect([response.status, await response.text()]).toEqual([302, "moved"]);
  });

  test("that must not be followed is let go", async () => {
    const elsewhere = prelude({ statusCode: 302, headers: { location: "http+lambda://other/" } });
    const server = await lambda({ steps: [HEAD, chunked(elsewhere), () => wait.passed] });
    const called = session(server.endpoint).get(URL_OF_APP, { signal: shared });
    await expect(called).rejects.toMatchObject({ code: "ERR_UNSAFE_REDIRECT" });
    await server.connections[0]?.closed;
  });

  test("too many: all are let go", async () => {
    const server = await lambda({ steps: [HEAD, chunked(found), () => wait.passed] });
    const called = session(server.endpoint).get(URL_OF_APP, { signal: shared, maxRedirects: 2 });
    await expect(called).rejects.toMatchObject({ code: "ERR_TOO_MANY_REDIRECTS" });
    await Promise.all(server.connections.map(({ closed }) => closed));
    expect(server.counts.connections).toBe(3);
  });

  test("whose stream breaks once it is followed does no harm", async () => {
    const { response } = await call([{ steps: [HEAD, chunked(found), reset] }, { steps: [answer(...GOOD)] }]);
    await expectGood(response);
  });
});

describe("a response that can't be", () => {
  test("is a 502, and its connection closed", async () => {
    const wait = gate();
    const { response, connection } = await call([HEAD, chunked(prelude({ statusCode: "x" })), () => wait.passed]);
    expect(response.status).toBe(502);
    expect(await response.text()).toContain("app returned no HTTP response");
    await connection.closed;
  });
});

describe("a body that is compressed", () => {
  const text = "größe 0123456789 ".repeat(50);
  const codings: readonly [name: string, bytes: Buffer][] = [
    ["gzip", gzipSync(text)],
    ["deflate", deflateSync(text)],
    ["br", brotliCompressSync(text)],
    ["gzip, br", brotliCompressSync(gzipSync(text))],
  ];

  test.each(codings)("by %s, split anywhere", async (encoding, bytes) => {
    const head = prelude({ headers: { "content-encoding": encoding } });
    let messages: Buffer[] = [];
    const server = await lambda({ steps: [({ socket }) => void socket.write(answer(head, ...messages, complete()))] });
    const one = session(server.endpoint);
    for (let cut = 1; cut < bytes.length; cut++) {
      messages = [payload(bytes.subarray(0, cut)), payload(bytes.subarray(cut))];
      const response = (await one.get(URL_OF_APP, { signal: shared })) as LambdaResponse;
      expect(await response.text(), `cut after ${cut}`).toBe(text);
    }
    messages = [...bytes].map((byte) => payload(Uint8Array.of(byte)));
    expect(await (await one.get(URL_OF_APP)).text()).toBe(text);
  });

  test("is given as far as it can be decoded, before its end", async () => {
    const held = gate();
    const zipped = gzipSync(text, { level: 0 });
    const head = prelude({ headers: { "content-encoding": "gzip" } }, zipped.subarray(0, 500));
    const { response } = await call([
      ...[HEAD, chunked(head), () => held.passed],
      ...[chunked(payload(zipped.subarray(500))), chunked(complete()), LAST],
    ]);
    const reader = readerOf(response);
    const first = (await next(reader)) ?? "";
    expect(first).not.toBe("");
    held.open();
    let rest = "";
    for (let piece = await next(reader); piece !== undefined; piece = await next(reader)) rest += piece;
    // A character may be split between two pieces, of which each was decoded by itself.
    expect((first + rest).replaceAll("\uFFFD", "")).toContain("0123456789 größe");
  });

  test.each<[name: string, after: readonly Step[]]>([
    ["of a stream that is over", [chunked(complete()), LAST]],
    ["of a silent function", [() => gate().passed]],
    ["of a function that goes on", [endless(chunked(payload("x".repeat(65_536))))]],
  ])("and is not what it says, %s: the body fails, and nothing is left open", async (name, after) => {
    const head = prelude({ headers: { "content-encoding": "gzip" } }, "this is no gzip");
    const { response, connection } = await call([HEAD, chunked(head), ...after]);
    await expect(response.text()).rejects.toThrow("says content-encoding: gzip, but its body is not gzip");
    if (!name.endsWith("over")) await closedSoon(connection);
    await settledSoon(response.invocation.completed);
  });

  test("and breaks off: the error is that of the connection", async () => {
    const zipped = gzipSync(text);
    const head = prelude({ headers: { "content-encoding": "gzip" } }, zipped.subarray(0, 20));
    for (const how of [end, reset]) {
      const { response } = await call([HEAD, chunked(head), how]);
      expect(await bodyFailure(response)).toMatchObject({ code: "ECONNRESET" });
    }
  });
});

async function settledSoon(promise: Promise<unknown>): Promise<void> {
  let isSettled = false;
  const settle = (): void => {
    isSettled = true;
  };
  promise.then(settle, settle);
  for (let turns = 0; turns < 500 && !isSettled; turns++) await turn();
  expect(isSettled, "invocation.completed is settled").toBe(true);
}

describe("maxResponseSize", () => {
  const maxResponseSize = 1000;
  const bodies: readonly [name: string, headers: object, bytes: Buffer][] = [
    ["as it is", {}, Buffer.alloc(1001, "x")],
    ["compressed", { "content-encoding": "gzip" }, gzipSync("x".repeat(100_000))],
  ];
  const afters: readonly [name: string, after: readonly Step[]][] = [
    ["that is over", [chunked(complete()), LAST]],
    ["of a silent function", [() => gate().passed]],
    ["of a function that goes on", [endless(chunked(payload("x".repeat(65_536))))]],
  ];

  describe.each(bodies)("a body that is larger, %s", (_name, headers, bytes) => {
    test.each(afters)("%s: it fails, and nothing is left open", async (name, after) => {
      const head = prelude({ statusCode: 201, headers });
      const { response, connection, server } = await call(
        [HEAD, chunked(head), chunked(payload(bytes)), ...after],
        {},
        { maxResponseSize },
      );
      expect(response.status).toBe(201);
      const error = await response.text().catch((error: unknown) => error);
      expect(error).toBeInstanceOf(PayloadTooLargeError);
      expect(error).toMatchObject({ limit: maxResponseSize, request: { method: "GET", url: URL_OF_APP } });
      if (!name.endsWith("over")) await closedSoon(connection);
      await settledSoon(response.invocation.completed);
      expect(server.counts.runs).toBe(1);
    });
  });

  test("a body of just that size is read", async () => {
    const messages = [prelude(CREATED), payload("x".repeat(999)), payload("x"), complete()];
    const { response } = await call([answer(...messages)], {}, { maxResponseSize });
    expect(await response.text()).toHaveLength(1000);
  });
});

describe("a payload without a prelude", () => {
  test.each<[name: string, messages: Buffer[], body: string]>([
    ["text", [payload("hello"), payload(" world"), complete()], "hello world"],
    ["nothing at all", [complete()], ""],
    ["empty chunks", [payload(""), payload(""), complete()], ""],
    ["lines of JSON", [payload('{"a":1}\n'), payload('{"a":2}\n'), complete()], '{"a":1}\n{"a":2}\n'],
  ])("%s: 200 and application/octet-stream", async (_name, messages, body) => {
    const { response } = await call([answer(...messages)]);
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/octet-stream"]);
    expect(await response.text()).toBe(body);
  });

  test("JSON: what a function that does not stream returns", async () => {
    const json = JSON.stringify({ statusCode: 418, headers: { a: "b" }, body: "tea" });
    const { response } = await call([answer(payload(json.slice(0, 9)), payload(json.slice(9)), complete())]);
    expect([response.status, response.headers.get("a"), await response.text()]).toEqual([418, "b", "tea"]);
  });

  test("a line is here before the next is sent", async () => {
    const [first, second] = [gate(), gate()];
    const { response } = await call([
      ...[HEAD, chunked(payload("data: 1\n\n")), () => first.passed],
      ...[chunked(payload("data: 2\n\n")), () => second.passed, chunked(complete()), LAST],
    ]);
    const reader = readerOf(response);
    expect(await next(reader)).toBe("data: 1\n\n");
    first.open();
    expect(await next(reader)).toBe("data: 2\n\n");
    second.open();
    expect(await next(reader)).toBeUndefined();
  });
});

describe("an invoker's stream, as whoever invokes by hand has it", () => {
  async function invoke(
    steps: readonly Step[],
  ): Promise<{ stream: AsyncIterator<Uint8Array, unknown>; connection: Connection }> {
    const server = await lambda({ steps });
    const invoker = awsInvoker({
      ...{ endpoint: server.endpoint, region: "eu-west-1" },
      credentials: { accessKeyId: "a", secretAccessKey: "b" },
    });
    closers.push(() => invoker.close?.());
    const { payload } = await invoker.invoke({
      ...{ target: parseFunction("app"), payload: Buffer.from("{}"), logs: false, responseStreaming: true },
      request: { method: "GET", url: URL_OF_APP },
    });
    const stream = (payload as PayloadStream)[Symbol.asyncIterator]();
    return { stream, connection: server.connections[0] as Connection };
  }
  const wait = gate();

  test("return() ends the connection, after a piece", async () => {
    const { stream, connection } = await invoke([HEAD, chunked(payload("a")), () => wait.passed]);
    await stream.next();
    await stream.return?.();
    await closedSoon(connection);
  });

  // A fault of src/invoke/payload-stream.ts: a generator that was never started runs no `finally`.
  test("return() ends the connection, before anything was asked for", async () => {
    const { stream, connection } = await invoke([HEAD, chunked(payload("a")), () => wait.passed]);
    await stream.return?.();
    await closedSoon(connection);
  });
});
