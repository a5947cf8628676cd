/** What ends a call early: `timeout`, `connectTimeout`, an `AbortSignal`, `close()`; and that nothing else does. */
import { createHook } from "node:async_hooks";
import { execFile, spawn } from "node:child_process";
import { getEventListeners, once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer as createHttpServer, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { InvokeError, type Outcome, TimeoutError } from "../src/errors.ts";
import { fetch as ourFetch } from "../src/fetch.ts";
import type { AwsCredentials } from "../src/invoke/credentials.ts";
import type { Invoker } from "../src/invoke/invoker.ts";
import { Session } from "../src/session.ts";
import type { SessionOptions } from "../src/session-options.ts";
import { tcpTimer, trustEverybody, watchClientSockets } from "./support/sockets.ts";

const URL_TEXT = "http+lambda://app/from";
const KEY: AwsCredentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" };
const ANSWER = JSON.stringify({ statusCode: 200, body: "arrived" });

const closers: (() => unknown)[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const close of closers.splice(0).reverse()) await close();
});

interface TestServer {
  readonly endpoint: string;
  readonly port: number;
  /** Its ends of the connections, in the order they came. */
  readonly sockets: Socket[];
}

async function listen(server: Server, protocol = "http:"): Promise<TestServer> {
  const sockets: Socket[] = [];
  server.on("connection", (socket: Socket) => {
    sockets.push(socket);
    // A client that goes away is what these tests are about.
    socket.on("error", () => undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const { port } = server.address() as AddressInfo;
  return { endpoint: `${protocol}//127.0.0.1:${port}`, port, sockets };
}

interface Holding extends TestServer {
  /** The next call that came, or comes: to be answered by the test. */
  next(): Promise<ServerResponse>;
  /** How many came. */
  readonly asked: () => number;
}

/** A server that answers nothing by itself, and never ends a connection. */
async function hold(make: (listener: RequestListener) => Server = serverOf, protocol?: string): Promise<Holding> {
  const came: ServerResponse[] = [];
  const waiting: ((response: ServerResponse) => void)[] = [];
  let asked = 0;
  const server = make((request, response) => {
    asked++;
    request.resume().once("end", () => {
      const resolve = waiting.shift();
      if (resolve === undefined) came.push(response);
      else resolve(response);
    });
  });
  return {
    ...(await listen(server, protocol)),
    next() {
      const response = came.shift();
      return response === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(response);
    },
    asked: () => asked,
  };
}

/** The sockets that this test opens, seen from the inside. */
function watched(): Socket[] {
  const { sockets, undo } = watchClientSockets();
  closers.push(undo);
  return sockets;
}

function serverOf(listener: RequestListener): Server {
  return createHttpServer({ keepAliveTimeout: 0 }, listener);
}

function refuse(response: ServerResponse, status: number, name: string): void {
  response.writeHead(status, { "X-Amzn-ErrorType": name, "Retry-After": "60" }).end('{"Message":"no"}');
}

function redirect(response: ServerResponse, location: string): void {
  response.end(JSON.stringify({ statusCode: 302, headers: { location } }));
}

function sessionAt(endpoint: string, options: SessionOptions = {}): Session {
  const session = new Session({ endpoint, region: "eu-west-1", credentials: KEY, ...options });
  closers.push(() => session.close());
  return session;
}

/** Waits without a timer of its own. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await turn();
}

async function turns(count: number): Promise<void> {
  for (let left = count; left > 0; left--) await turn();
}

async function allClosed(sockets: readonly Socket[]): Promise<void> {
  await Promise.all(sockets.filter(({ closed }) => !closed).map((socket) => once(socket, "close")));
}

function never<Value>(): Promise<Value> {
  return new Promise(() => undefined);
}

/** A promise, and what resolves it. */
function gate(): { passed: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => (open = resolve));
  return { passed, open };
}

/**
 * Watches the real timers that are set from now on, and gives a check that none of the library's is left. Among all those
 * of the process (`getActiveResourcesInfo`), one more or less would not be seen: the test runner has its own.
 */
function watchTimers(): () => Promise<void> {
  const running = new Map<number, string>();
  const hook = createHook({
    init(id, type) {
      if (type !== "Timeout") return;
      const { stack = "" } = new Error();
      // A free socket has a timer of its own.
      const isOurs = /[\\/]src[\\/](?:invoke[\\/])?\w+\.ts/.test(stack) && !stack.includes("stream_base_commons");
      if (isOurs) running.set(id, stack);
    },
    destroy: (id) => void running.delete(id),
  });
  hook.enable();
  closers.push(() => hook.disable());
  return async () => {
    // Node tells of their end a little later; one that is left runs for much longer.
    const begin = performance.now();
    await until(() => running.size === 0 || performance.now() - begin > 2_000);
    expect([...running.values()]).toEqual([]);
  };
}

const abortListeners = (signal: AbortSignal): number => getEventListeners(signal, "abort").length;

/** What a promise has come to as soon as nothing but promises stands between. */
async function stateOf(promise: Promise<unknown>): Promise<PromiseSettledResult<unknown> | "pending"> {
  const settled = Promise.allSettled([promise]).then(([state]) => state);
  return Promise.race([settled, turn("pending" as const)]);
}

/** What a call is given to end it. */
interface Limits {
  readonly signal?: AbortSignal;
  readonly timeout?: number;
}

/** A call that is where it is to be ended. */
interface Begun {
  readonly call: Promise<unknown>;
  /** The server's ends of the connections that have to close with it. */
  readonly sockets?: readonly Socket[];
  /** What else has to be so then. */
  readonly after?: (reason: unknown) => Promise<void>;
}

interface Stage {
  readonly name: string;
  /** Of a timeout there. */
  readonly outcome: Outcome;
  readonly attempts?: number;
  readonly begin: (limits: Limits) => Promise<Begun>;
}

const STAGES: readonly Stage[] = [
  {
    name: "while a stream is read that is the body",
    outcome: "not-started",
    async begin(limits) {
      const { endpoint, sockets } = await hold();
      const read = gate();
      const cancel = vi.fn();
      const pull = (): Promise<void> => {
        read.open();
        return never();
      };
      const data = new ReadableStream<Uint8Array>({ pull, cancel }, { highWaterMark: 0 });
      const call = sessionAt(endpoint).post(URL_TEXT, { data, ...limits });
      await read.passed;
      return {
        call,
        async after(reason) {
          expect(cancel.mock.calls).toEqual([[reason]]);
          expect(cancel.mock.calls[0]?.[0]).toBe(reason);
          expect(sockets).toEqual([]);
        },
      };
    },
  },
  {
    name: "while a generator is read that is the body",
    outcome: "not-started",
    async begin(limits) {
      const { endpoint, sockets } = await hold();
      const [read, more] = [gate(), gate()];
      const steps: string[] = [];
      async function* body(): AsyncGenerator<Uint8Array> {
        try {
          yield Buffer.from("one");
          read.open();
          await more.passed;
          yield Buffer.from("two");
          steps.push("went on");
        } finally {
          steps.push("returned");
        }
      }
      const call = sessionAt(endpoint).post(URL_TEXT, { data: body(), ...limits });
      await read.passed;
      return {
        call,
        async after() {
          // No generator can be stopped where it waits; it ends where it next yields.
          more.open();
          await turns(2);
          expect(steps).toEqual(["returned"]);
          expect(sockets).toEqual([]);
        },
      };
    },
  },
  {
    name: "while credentials are fetched",
    outcome: "not-started",
    async begin(limits) {
      const { endpoint, sockets } = await hold();
      const asked = gate();
      const credentials = (): Promise<AwsCredentials> => {
        asked.open();
        return never();
      };
      const call = sessionAt(endpoint, { credentials }).get(URL_TEXT, limits);
      await asked.passed;
      return { call, after: async () => expect(sockets).toEqual([]) };
    },
  },
  {
    name: "while credentials are asked whose cookies to send",
    outcome: "not-started",
    async begin(limits) {
      const { endpoint, next, asked } = await hold();
      // Twice for the first call: to sign it, and to know whose cookie it is.
      const { session, again } = endingCredentials(endpoint, {}, 3);
      const first = session.get(URL_TEXT);
      (await next()).end(JSON.stringify({ statusCode: 200, headers: { "set-cookie": "a=1" } }));
      await first;
      const call = session.get(URL_TEXT, limits);
      await again();
      return { call, after: async () => expect(asked()).toBe(1) };
    },
  },
  {
    name: "while credentials are asked whose cookies to keep",
    outcome: "unknown",
    async begin(limits) {
      const { endpoint, next } = await hold();
      const { session, again } = endingCredentials(endpoint);
      const call = session.get(URL_TEXT, limits);
      (await next()).end(JSON.stringify({ statusCode: 200, headers: { "set-cookie": "a=1" } }));
      await again();
      return { call };
    },
  },
  {
    name: "while it waits for a socket",
    outcome: "not-started",
    async begin(limits) {
      const { endpoint, next, asked, sockets } = await hold();
      const session = sessionAt(endpoint, { maxSockets: 1 });
      const first = session.post(URL_TEXT);
      const response = await next();
      const call = session.post(URL_TEXT, limits);
      // It has nothing to wait for but the socket.
      await turns(5);
      return {
        call,
        sockets: [],
        async after() {
          response.end(ANSWER);
          expect(await (await first).text()).toBe("arrived");
          const last = session.post(URL_TEXT);
          (await next()).end(ANSWER);
          await last;
          expect([asked(), sockets.length]).toEqual([2, 1]);
        },
      };
    },
  },
  {
    name: "while it connects, until TLS is up",
    outcome: "not-started",
    async begin(limits) {
      const hello = gate();
      const { endpoint, sockets } = await listen(
        createServer((socket) => socket.once("data", hello.open)),
        "https:",
      );
      const call = sessionAt(endpoint).get(URL_TEXT, limits);
      await hello.passed;
      return { call, sockets };
    },
  },
  {
    name: "while it waits for the answer",
    outcome: "unknown",
    async begin(limits) {
      const { endpoint, next, sockets } = await hold();
      const call = sessionAt(endpoint).get(URL_TEXT, limits);
      await next();
      return { call, sockets };
    },
  },
  {
    name: "in the middle of the answer",
    outcome: "unknown",
    async begin(limits) {
      const { endpoint, next, sockets } = await hold();
      const client = watched();
      const call = sessionAt(endpoint).get(URL_TEXT, limits);
      (await next()).writeHead(200, { "Content-Length": ANSWER.length }).write(ANSWER.slice(0, 5));
      // All that was sent has been read.
      await until(() => client[0]?.bytesRead !== 0 && client[0]?.bytesRead === sockets[0]?.bytesWritten);
      await turns(2);
      return { call, sockets };
    },
  },
  {
    name: "while it waits for the next attempt, the last one refused",
    outcome: "not-started",
    begin: (limits) => waitingForNext("POST", limits, (response) => refuse(response, 429, "TooManyRequestsException")),
  },
  {
    name: "while it waits for the next attempt, the last one of unknown outcome",
    outcome: "unknown",
    begin: (limits) => waitingForNext("GET", limits, (response) => refuse(response, 500, "ServiceException")),
  },
  {
    name: "while onRetry takes its time",
    outcome: "not-started",
    begin: (limits) =>
      waitingForNext("POST", limits, (response) => refuse(response, 429, "TooManyRequestsException"), never()),
  },
  {
    name: "in the second attempt",
    outcome: "unknown",
    attempts: 2,
    async begin(limits) {
      const { endpoint, next, sockets } = await hold();
      const session = sessionAt(endpoint, { retry: { maxDelay: 0 } });
      const call = session.post(URL_TEXT, limits);
      refuse(await next(), 429, "TooManyRequestsException");
      await next();
      return { call, sockets };
    },
  },
  {
    name: "in the second attempt, before it is sent, after one of unknown outcome",
    outcome: "unknown",
    attempts: 2,
    async begin(limits) {
      const { endpoint, next, asked } = await hold();
      const { session, again } = endingCredentials(endpoint, { retry: { maxDelay: 0 } });
      const call = session.get(URL_TEXT, limits);
      refuse(await next(), 500, "ServiceException");
      await again();
      return { call, after: async () => expect(asked()).toBe(1) };
    },
  },
  {
    name: "while the answer to a redirect is waited for",
    outcome: "unknown",
    async begin(limits) {
      const { endpoint, next, sockets } = await hold();
      const call = sessionAt(endpoint).get(URL_TEXT, limits);
      redirect(await next(), "/to");
      await next();
      return { call, sockets };
    },
  },
  {
    name: "between redirects, while credentials are asked whose function it is",
    outcome: "unknown",
    async begin(limits) {
      const { endpoint, next, asked } = await hold();
      const { session, again } = endingCredentials(endpoint, { followTo: ["other"] });
      const call = session.get(URL_TEXT, limits);
      redirect(await next(), "http+lambda://other/to");
      await again();
      return { call, after: async () => expect(asked()).toBe(1) };
    },
  },
  {
    name: "while a large compressed body is decoded",
    outcome: "unknown",
    async begin(limits) {
      // A tenth of a second's work and more, of a few kilobytes.
      const body = gzipSync(Buffer.alloc(150_000_000), { level: 1 }).toString("base64");
      const headers = { "content-encoding": "gzip" };
      const payload = Buffer.from(JSON.stringify({ statusCode: 200, headers, body, isBase64Encoded: true }));
      const given = gate();
      const invoke: Invoker["invoke"] = async () => {
        given.open();
        return { payload };
      };
      const call = new Session({ invoker: { invoke } }).get(URL_TEXT, limits);
      await given.passed;
      await turns(5);
      return { call };
    },
  },
  {
    name: "in an invoker that does not look at its signal",
    outcome: "unknown",
    async begin(limits) {
      const asked = gate();
      const invoke: Invoker["invoke"] = () => {
        asked.open();
        return never();
      };
      const call = new Session({ invoker: { invoke } }).get(URL_TEXT, limits);
      await asked.passed;
      return { call };
    },
  },
  {
    name: "in a handler of this process",
    outcome: "unknown",
    async begin(limits) {
      const asked = gate();
      const app = (): Promise<unknown> => {
        asked.open();
        return never();
      };
      const call = new Session({ functions: { app } }).get(URL_TEXT, limits);
      await asked.passed;
      return { call };
    },
  },
];

/** A session whose credentials are about to end, so that they are asked for each time; the `nth` time, in vain. */
function endingCredentials(endpoint: string, options: SessionOptions = {}, nth = 2) {
  const last = gate();
  let asked = 0;
  const credentials = async (): Promise<AwsCredentials> => {
    if (++asked < nth) return { ...KEY, expiration: new Date(Date.now() + 60_000) };
    last.open();
    return never();
  };
  return { session: sessionAt(endpoint, { credentials, ...options }), again: () => last.passed };
}

async function waitingForNext(
  method: string,
  limits: Limits,
  fail: (response: ServerResponse) => void,
  hook?: Promise<void>,
): Promise<Begun> {
  const { endpoint, next, asked } = await hold();
  const failed = gate();
  const onRetry = async (): Promise<void> => {
    failed.open();
    await hook;
  };
  const call = sessionAt(endpoint, { hooks: { onRetry } }).request(method, URL_TEXT, limits);
  fail(await next());
  await failed.passed;
  await turns(2);
  return {
    call,
    async after() {
      await turns(5);
      expect(asked()).toBe(1);
    },
  };
}

describe("an aborted signal ends a call at once, with its own reason", () => {
  test.each(STAGES)("$name", async ({ begin }) => {
    const controller = new AbortController();
    const { signal } = controller;
    const expectNoTimer = watchTimers();
    const { call, sockets = [], after } = await begin({ signal });
    expect(await stateOf(call)).toBe("pending");
    const reason = new Error("enough");
    controller.abort(reason);
    const state = await stateOf(call);
    expect(state).toEqual({ status: "rejected", reason });
    expect((state as PromiseRejectedResult).reason).toBe(reason);
    expect(abortListeners(signal)).toBe(0);
    await allClosed(sockets);
    await after?.(reason);
    await expectNoTimer();
  });

  test("beforehand: nothing is asked for and nothing is sent", async () => {
    const { endpoint, sockets } = await hold();
    const credentials = vi.fn(async () => KEY);
    const pull = vi.fn();
    const data = new ReadableStream<Uint8Array>({ pull }, { highWaterMark: 0 });
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    const session = sessionAt(endpoint, { credentials });
    await expect(session.post(URL_TEXT, { data, signal, timeout: 1_000 })).rejects.toBe(reason);
    await expect(session.fetch(URL_TEXT, { signal })).rejects.toBe(reason);
    await expect(ourFetch(URL_TEXT, { signal })).rejects.toBe(reason);
    await turns(5);
    expect([credentials.mock.calls, pull.mock.calls, sockets]).toEqual([[], [], []]);
    expect(abortListeners(signal)).toBe(0);
  });

  test("in the moment of a redirect: the second function is not invoked", async () => {
    const controller = new AbortController();
    const paths: string[] = [];
    const app = async ({ path }: { path: string }): Promise<unknown> => {
      paths.push(path);
      controller.abort("enough");
      return { statusCode: 302, headers: { location: "/to" } };
    };
    const session = new Session({ functions: { app } });
    await expect(session.get(URL_TEXT, { signal: controller.signal })).rejects.toBe("enough");
    await turns(5);
    expect(paths).toEqual(["/from"]);
  });

  test("while TCP connects", async ({ skip }) => {
    if (process.platform !== "linux") return skip("only Linux is known to let callers wait outside a full queue");
    const port = await fullPort();
    const client = watched();
    const controller = new AbortController();
    const call = sessionAt(`http://127.0.0.1:${port}`).get(URL_TEXT, { signal: controller.signal });
    await until(() => client.length === 1);
    await turns(5);
    expect(client[0]?.connecting).toBe(true);
    controller.abort("enough");
    expect(await stateOf(call)).toEqual({ status: "rejected", reason: "enough" });
    expect(client[0]?.destroyed).toBe(true);
  });

  test.each([
    ["an Error", new Error("enough")],
    ["text", "enough"],
    ["null", null],
    ["false", false],
  ])("whatever it is: %s", async (_, reason) => {
    const { endpoint, next } = await hold();
    const session = sessionAt(endpoint);
    for (const timeout of [undefined, 60_000]) {
      const controller = new AbortController();
      const { signal } = controller;
      const call = session.get(URL_TEXT, { signal, ...(timeout !== undefined && { timeout }) });
      await next();
      controller.abort(reason);
      expect(await stateOf(call)).toStrictEqual({ status: "rejected", reason });
      const late = session.get(URL_TEXT, { signal, ...(timeout !== undefined && { timeout }) });
      expect(await stateOf(late)).toStrictEqual({ status: "rejected", reason });
    }
  });

  test.each(["an abort without a reason", "AbortSignal.timeout"])("%s: the platform's own reason", async (kind) => {
    const { endpoint, next } = await hold();
    const controller = new AbortController();
    const signal = kind === "AbortSignal.timeout" ? AbortSignal.timeout(50) : controller.signal;
    const call = sessionAt(endpoint).get(URL_TEXT, { signal });
    call.catch(() => undefined);
    if (signal === controller.signal) {
      await next();
      controller.abort(undefined);
    }
    const [state] = await Promise.allSettled([call]);
    expect((state as PromiseRejectedResult).reason).toBe(signal.reason);
    expect(signal.reason).toMatchObject({ name: signal === controller.signal ? "AbortError" : "TimeoutError" });
  });

  test("the signal of a Request", async () => {
    const { endpoint, next, sockets } = await hold();
    const controller = new AbortController();
    const request = new Request(URL_TEXT, { signal: controller.signal });
    const call = sessionAt(endpoint).fetch(request);
    await next();
    controller.abort("enough");
    expect(await stateOf(call)).toEqual({ status: "rejected", reason: "enough" });
    await allClosed(sockets);
  });

  test("afterwards nothing is left to end, whatever the call came to", async () => {
    const { endpoint, next } = await hold();
    const session = sessionAt(endpoint, { retry: false });
    const { signal } = new AbortController();
    const expectNoTimer = watchTimers();
    for (const limits of [{ signal }, { signal, timeout: 60_000 }]) {
      const answered = session.post(URL_TEXT, { ...limits, data: new Blob(["x"]).stream() });
      (await next()).end(ANSWER);
      expect(await (await answered).text()).toBe("arrived");
    }
    const refused = session.get(URL_TEXT, { signal, timeout: 60_000 });
    refuse(await next(), 403, "AccessDeniedException");
    await expect(refused).rejects.toThrow(InvokeError);
    const lost = session.get(URL_TEXT, { signal, timeout: 60_000 });
    (await next()).destroy();
    await expect(lost).rejects.toThrow(InvokeError);
    expect(abortListeners(signal)).toBe(0);
    await expectNoTimer();
  });

  test("of calls under way and of those that wait for a socket: none is opened for them any more", async () => {
    const { endpoint, next, asked, sockets } = await hold();
    const session = sessionAt(endpoint, { maxSockets: 1 });
    const controller = new AbortController();
    const { signal } = controller;
    const calls = Array.from({ length: 4 }, () => session.get(URL_TEXT, { signal }));
    await next();
    await turns(5);
    controller.abort("enough");
    for (const call of calls) expect(await stateOf(call)).toEqual({ status: "rejected", reason: "enough" });
    await allClosed(sockets);
    await turns(5);
    expect([asked(), sockets.length]).toEqual([1, 1]);
    const later = session.get(URL_TEXT);
    (await next()).end(ANSWER);
    expect(await (await later).text()).toBe("arrived");
    expect([asked(), sockets.length]).toEqual([2, 2]);
  });

  test("one signal for a hundred calls at once", async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on("warning", onWarning);
    closers.push(() => process.off("warning", onWarning));
    const { endpoint, next, sockets } = await hold();
    const session = sessionAt(endpoint);
    const controller = new AbortController();
    const { signal } = controller;
    const all = Array.from({ length: 100 }, (_, call) => call);
    const calls = Promise.allSettled(
      all.map((call) =>
        session.post(URL_TEXT, {
          signal,
          data: new Blob(["x"]).stream(),
          ...(call % 2 === 0 && { timeout: 60_000 }),
        }),
      ),
    );
    await Promise.all(all.map(() => next()));
    const reason = new Error("enough");
    controller.abort(reason);
    for (const state of await calls) expect(state).toEqual({ status: "rejected", reason });
    await allClosed(sockets);
    expect(sockets).toHaveLength(100);
    expect(abortListeners(signal)).toBe(0);
    await turns(5);
    expect(warnings).toEqual([]);
  });
});

describe("timeout ends a call at once, and says what is certain", () => {
  test.each(STAGES)("$name", async ({ begin, outcome, attempts = 1 }) => {
    const expectNoTimer = watchTimers();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const controller = new AbortController();
    const { signal } = controller;
    const { call, sockets = [], after } = await begin({ signal, timeout: 5_000 });
    vi.advanceTimersByTime(4_999);
    expect(await stateOf(call)).toBe("pending");
    vi.advanceTimersByTime(1);
    const state = await stateOf(call);
    expect(state).toMatchObject({ status: "rejected" });
    const error = (state as PromiseRejectedResult).reason as TimeoutError;
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({ name: "TimeoutError", code: "ERR_TIMEOUT", outcome, attempts });
    const certain = outcome === "unknown" ? "the function may still be running" : "nothing was sent";
    expect(error.message).toMatch(new RegExp(`: no answer within 5000 ms; ${certain}$`));
    expect(error.target).toMatchObject({ functionName: "app" });
    expect(abortListeners(signal)).toBe(0);
    await allClosed(sockets);
    await after?.(error);
    expect(vi.getTimerCount()).toBe(0);
    await expectNoTimer();
  });

  test("it is for the whole call, with all of its attempts", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { endpoint, next } = await hold();
    const call = sessionAt(endpoint, { retry: { maxDelay: 0 } }).post(URL_TEXT, { timeout: 1_000 });
    call.catch(() => undefined);
    for (let attempt = 1; attempt <= 2; attempt++) {
      const response = await next();
      vi.advanceTimersByTime(400);
      refuse(response, 429, "TooManyRequestsException");
    }
    await next();
    vi.advanceTimersByTime(199);
    expect(await stateOf(call)).toBe("pending");
    vi.advanceTimersByTime(1);
    await expect(call).rejects.toMatchObject({ name: "TimeoutError", outcome: "unknown", attempts: 3 });
  });

  test("it is for the whole call, with all of its redirects; the error names the one that was not answered", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { endpoint, next } = await hold();
    const call = sessionAt(endpoint).post(URL_TEXT, { json: {}, timeout: 1_000 });
    call.catch(() => undefined);
    for (let hop = 1; hop <= 2; hop++) {
      const response = await next();
      vi.advanceTimersByTime(400);
      redirect(response, `/${hop}`);
    }
    await next();
    vi.advanceTimersByTime(199);
    expect(await stateOf(call)).toBe("pending");
    vi.advanceTimersByTime(1);
    await expect(call).rejects.toMatchObject({
      name: "TimeoutError",
      attempts: 1,
      request: { method: "GET", url: "http+lambda://app/2" },
    });
  });

  test("with a signal as well, whichever is first", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { endpoint, next } = await hold();
    const session = sessionAt(endpoint);
    const controller = new AbortController();
    const { signal } = controller;
    const late = session.get(URL_TEXT, { signal, timeout: 1_000 });
    await next();
    vi.advanceTimersByTime(1_000);
    await expect(late).rejects.toThrow(TimeoutError);
    const aborted = session.get(URL_TEXT, { signal, timeout: 1_000 });
    await next();
    controller.abort("enough");
    await expect(aborted).rejects.toBe("enough");
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each([2 ** 31, Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY])("%d ms do not end it early", async (ms) => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on("warning", onWarning);
    closers.push(() => process.off("warning", onWarning));
    const { endpoint, next } = await hold();
    const call = sessionAt(endpoint, { connectTimeout: ms }).get(URL_TEXT, { timeout: ms });
    const response = await next();
    // Node would make 1 ms of it, and warn.
    const begin = performance.now();
    await until(() => performance.now() - begin > 20);
    expect(await stateOf(call)).toBe("pending");
    response.end(ANSWER);
    expect(await (await call).text()).toBe("arrived");
    expect(warnings).toEqual([]);
  });
});

describe("connectTimeout", () => {
  /** A server that takes connections, and no more than that. */
  async function silent(): Promise<TestServer & { connected(count: number): Promise<void> }> {
    let hellos = 0;
    const server = await listen(
      createServer((socket) => socket.once("data", () => hellos++)),
      "https:",
    );
    return { ...server, connected: (count) => until(() => hellos === count) };
  }

  test("ends an attempt, of which there is another, whatever the method", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { endpoint, port, sockets, connected } = await silent();
    const call = sessionAt(endpoint, { connectTimeout: 1_000, retry: { maxDelay: 0 } }).post(URL_TEXT);
    call.catch(() => undefined);
    for (let attempt = 1; attempt <= 3; attempt++) {
      await connected(attempt);
      vi.advanceTimersByTime(999);
      expect(await stateOf(call)).toBe("pending");
      vi.advanceTimersByTime(1);
    }
    const [state] = await Promise.allSettled([call]);
    const error = (state as PromiseRejectedResult).reason as InvokeError;
    expect(error).toBeInstanceOf(InvokeError);
    expect(error).toMatchObject({ name: "InvokeError", code: "ETIMEDOUT", outcome: "not-started", attempts: 3 });
    expect(error.message).toContain(
      `could not connect to 127.0.0.1:${port} (ETIMEDOUT: no connection within 1000 ms); nothing was sent.`,
    );
    expect(sockets).toHaveLength(3);
    await allClosed(sockets);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("is 10 s by default", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { endpoint, connected } = await silent();
    const call = sessionAt(endpoint, { retry: false }).post(URL_TEXT);
    call.catch(() => undefined);
    await connected(1);
    vi.advanceTimersByTime(9_999);
    expect(await stateOf(call)).toBe("pending");
    vi.advanceTimersByTime(1);
    await expect(call).rejects.toMatchObject({ code: "ETIMEDOUT", outcome: "not-started", attempts: 1 });
  });

  test("counts while TCP connects", async ({ skip }) => {
    if (process.platform !== "linux") return skip("only Linux is known to let callers wait outside a full queue");
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const port = await fullPort();
    const client = watched();
    const call = sessionAt(`http://127.0.0.1:${port}`, { retry: false, connectTimeout: 1_000 }).get(URL_TEXT);
    call.catch(() => undefined);
    await until(() => client.length === 1);
    await turns(5);
    vi.advanceTimersByTime(1_000);
    await expect(call).rejects.toMatchObject({ code: "ETIMEDOUT", outcome: "not-started" });
    expect(client[0]?.destroyed).toBe(true);
  });

  test("does not count while a call waits for its turn, or for its answer", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { endpoint, next, sockets } = await hold();
    const session = sessionAt(endpoint, { maxSockets: 1, connectTimeout: 1_000 });
    const first = session.post(URL_TEXT);
    const response = await next();
    const second = session.post(URL_TEXT);
    await turns(5);
    vi.advanceTimersByTime(60_000);
    expect([await stateOf(first), await stateOf(second)]).toEqual(["pending", "pending"]);
    response.end(ANSWER);
    await first;
    const again = await next();
    vi.advanceTimersByTime(60_000);
    expect(await stateOf(second)).toBe("pending");
    again.end(ANSWER);
    expect(await (await second).text()).toBe("arrived");
    expect(sockets).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a call that waits for a quarter of an hour", () => {
  let folder: string;
  /** For 127.0.0.1. Missing where openssl is. */
  let certificate: { key: Buffer; cert: Buffer } | undefined;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "lambda-requests-deadlines-"));
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    const names = ["-subj", "/CN=lambda-requests", "-addext", "subjectAltName=IP:127.0.0.1"];
    try {
      const args = ["req", "-x509", ...curve, ...names, "-days", "2", "-keyout", key, "-out", cert];
      await promisify(execFile)("openssl", args);
      certificate = { key: readFileSync(key), cert: readFileSync(cert) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test.for(["http:", "https:"] as const)("is kept alive, and lives: %s", async (protocol, { skip }) => {
    if (protocol === "https:" && certificate === undefined) return skip("there is no openssl");
    const tlsServer = (listener: RequestListener) =>
      createHttpsServer({ ...certificate, keepAliveTimeout: 0 }, listener);
    const server = await hold(protocol === "https:" ? tlsServer : serverOf, protocol);
    if (protocol === "https:") closers.push(trustEverybody().undo);
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
    const client = watched();
    const session = sessionAt(server.endpoint);
    // The first call on a connection, and one on a connection that was free before.
    for (let nth = 0; nth < 2; nth++) {
      const call = session.post(URL_TEXT);
      const response = await server.next();
      vi.advanceTimersByTime(15 * 60_000);
      expect(await stateOf(call)).toBe("pending");
      // Node's own timers, which can't be faked: there is none.
      expect(client.map(({ timeout }) => timeout ?? 0)).toEqual(client.map(() => 0));
      if (process.platform === "linux") {
        const { remotePort = 0 } = server.sockets[0] as Socket;
        await until(() => tcpTimer(remotePort, server.port) === "02");
        // The server's end has none, so the kernel does not show it for every connection; its last bytes may still have
        // to be acknowledged.
        await until(() => tcpTimer(server.port, remotePort) === "00");
      }
      response.end(ANSWER);
      expect(await (await call).text()).toBe("arrived");
    }
    expect(server.sockets).toHaveLength(1);
    if (process.platform !== "linux") return skip("it lives; only Linux shows that TCP probes are sent");
  });
});

describe("close()", () => {
  test.each(["POST", "GET"])(
    "ends what is under way and what waits for a socket, once and for all: %s",
    async (method) => {
      const { endpoint, next, asked, sockets } = await hold();
      const onRetry = vi.fn();
      const session = sessionAt(endpoint, { maxSockets: 1, retry: { maxDelay: 0 }, hooks: { onRetry } });
      const { signal } = new AbortController();
      const calls = Array.from({ length: 3 }, () => session.request(method, URL_TEXT, { signal }));
      const settled = Promise.allSettled(calls);
      await next();
      await turns(5);
      await session.close();
      const errors = (await settled).map((state) => (state as PromiseRejectedResult).reason as InvokeError);
      for (const error of errors) expect(error).toBeInstanceOf(InvokeError);
      expect(errors.map(({ code, outcome, attempts }) => [code, outcome, attempts])).toEqual([
        ["ERR_CLOSED", "unknown", 1],
        ["ERR_CLOSED", "not-started", 1],
        ["ERR_CLOSED", "not-started", 1],
      ]);
      expect(errors.map(({ message }) => message)).toEqual([
        `${method} ${URL_TEXT}: close() ended the call; the function may have run`,
        `${method} ${URL_TEXT}: close() ended the call; nothing was sent`,
        `${method} ${URL_TEXT}: close() ended the call; nothing was sent`,
      ]);
      await allClosed(sockets);
      // Nobody has sent them again, for whom there would be no socket left to close.
      await turns(5);
      expect([asked(), sockets.length, onRetry.mock.calls.length]).toEqual([1, 1, 0]);
      expect(abortListeners(signal)).toBe(0);
    },
  );

  test("ends a call that connects", async () => {
    const hello = gate();
    const { endpoint, sockets } = await listen(
      createServer((socket) => socket.once("data", hello.open)),
      "https:",
    );
    const session = sessionAt(endpoint, { retry: { maxDelay: 0 } });
    const call = session.get(URL_TEXT);
    const settled = Promise.allSettled([call]);
    await hello.passed;
    await session.close();
    const [state] = await settled;
    expect((state as PromiseRejectedResult).reason).toMatchObject({
      ...{ name: "InvokeError", code: "ERR_CLOSED", outcome: "not-started", attempts: 1 },
    });
    await allClosed(sockets);
    await turns(5);
    expect(sockets).toHaveLength(1);
  });

  test("ends a call in the middle of its answer", async () => {
    const { endpoint, next, sockets } = await hold();
    const client = watched();
    const session = sessionAt(endpoint, { retry: { maxDelay: 0 } });
    const settled = Promise.allSettled([session.get(URL_TEXT)]);
    (await next()).writeHead(200, { "Content-Length": ANSWER.length }).write(ANSWER.slice(0, 5));
    await until(() => client[0]?.bytesRead !== 0 && client[0]?.bytesRead === sockets[0]?.bytesWritten);
    await session.close();
    const [state] = await settled;
    expect((state as PromiseRejectedResult).reason).toMatchObject({ code: "ERR_CLOSED", outcome: "unknown" });
    await allClosed(sockets);
  });

  test("the session works again afterwards, and can be closed again", async () => {
    const { endpoint, next, sockets } = await hold();
    const session = sessionAt(endpoint);
    for (let round = 1; round <= 3; round++) {
      const call = session.get(URL_TEXT);
      (await next()).end(ANSWER);
      expect(await (await call).text()).toBe("arrived");
      expect(sockets).toHaveLength(round);
      await session.close();
      await allClosed(sockets);
    }
    await session.close();
  });
});

/** A port of a process that takes no connection, whose queue of them is full: whoever connects waits. */
async function fullPort(): Promise<number> {
  const script = `const server = require("node:net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
    require("node:fs").writeSync(1, String(server.address().port));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  closers.push(() => child.kill("SIGKILL"));
  const [text] = (await once(child.stdout, "data")) as [Buffer];
  const port = Number(text);
  // The queue holds one more than it was told.
  for (let place = 0; place < 2; place++) {
    const socket = connect(port, "127.0.0.1").on("error", () => undefined);
    closers.push(() => socket.destroy());
    await once(socket, "connect");
  }
  return port;
}
