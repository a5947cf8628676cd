/** What listeners on the channels of node:diagnostics_channel are told. */
import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe, type TracingChannel, tracingChannel, unsubscribe } from "node:diagnostics_channel";
import { inspect } from "node:util";
import { afterEach, expect, test } from "vitest";
import { Emulator } from "../src/emulator/index.ts";
import type { RestApiEvent } from "../src/formats/rest-api.ts";
import type { InvokeTrace, RequestTrace, RetryTrace } from "../src/invoke/tracing.ts";
import { Session } from "../src/session.ts";
import { breaks, faultyLambda, refusal, result } from "./support/faulty-lambda.ts";
import { type AwsLambda, gate } from "./support/streams.ts";

const { awslambda } = globalThis as unknown as { awslambda: AwsLambda };
const requests: TracingChannel<unknown, RequestTrace> = tracingChannel("lambda-requests:request");
const ORDERS = "http+lambda://orders/items?token=t";

let undo: (() => void)[] = [];
afterEach(() => {
  for (const one of undo) one();
  undo = [];
});

/** All that is told, in its order: `request start`, `invoke error`… */
function listen(): { names: string[]; messages: { name: string; message: object }[] } {
  const names: string[] = [];
  const messages: { name: string; message: object }[] = [];
  const hear =
    (name: string) =>
    (message: unknown): void => {
      names.push(name);
      messages.push({ name, message: message as object });
    };
  const events = ["start", "end", "asyncStart", "asyncEnd", "error"];
  const channels = ["request", "invoke"].flatMap((what) => events.map((event) => [what, event] as const));
  for (const [what, event] of [...channels, ["invoke", "retry"] as const]) {
    const name = `tracing:lambda-requests:${what}:${event}`;
    const onMessage = hear(event === "retry" ? "retry" : `${what} ${event}`);
    subscribe(name, onMessage);
    undo.push(() => void unsubscribe(name, onMessage));
  }
  return { names, messages };
}

const echo = async (event: RestApiEvent): Promise<object> => ({ statusCode: 200, body: JSON.stringify(event.headers) });
const fast = { region: "us-east-1", retry: { maxDelay: 0 } } as const;

test("a call, and the one attempt it took", async () => {
  const { names, messages } = listen();
  await using session = new Session({ functions: { orders: echo }, payloadFormat: "http-api" });
  const response = await session.post(ORDERS, { json: { sku: "A-1" } });
  expect(names).toEqual([
    "request start",
    "invoke start",
    "invoke end",
    "request end",
    "invoke asyncStart",
    "invoke asyncEnd",
    "request asyncStart",
    "request asyncEnd",
  ]);
  const [request, attempt] = messages.map(({ message }) => message) as [RequestTrace, InvokeTrace];
  expect(new Set(messages.map(({ message }) => message)).size).toBe(2);
  expect(request).toMatchObject({
    request: { method: "POST", url: ORDERS },
    target: { functionName: "orders" },
    payloadFormat: "http-api",
    invocationType: "RequestResponse",
    responseStreaming: false,
    attempts: 1,
  });
  expect(request.result).toBe(response);
  expect(attempt).toMatchObject({
    request: { method: "POST", url: ORDERS },
    target: { functionName: "orders" },
    attempt: 1,
    result: { executedVersion: "$LATEST", requestId: response.invocation.requestId },
  });
  expect(attempt.parent).toBe(request);
  expect(attempt.eventSize).toBeGreaterThan(500);
  expect(attempt.result?.resultSize).toBeGreaterThan(20);
});

test("attempts that fail, and what follows them", async () => {
  const { names, messages } = listen();
  const lambda = await faultyLambda(
    refusal(429, "TooManyRequestsException"),
    breaks("lost", true),
    result({ statusCode: 200 }),
  );
  await using session = new Session({ ...fast, endpoint: lambda.endpoint });
  await session.get(ORDERS);
  expect(names.filter((name) => !/ (end|async)/.test(name))).toEqual([
    "request start",
    ...["invoke start", "invoke error", "retry"],
    ...["invoke start", "invoke error", "retry"],
    "invoke start",
  ]);
  const errors = messages.filter(({ name }) => name === "invoke error").map(({ message }) => message as InvokeTrace);
  expect(errors.map(({ attempt, error }) => [attempt, error])).toMatchObject([
    [1, { code: "TooManyRequestsException", outcome: "not-started" }],
    [2, { code: "ECONNRESET", outcome: "unknown" }],
  ]);
  const [request] = messages.map(({ message }) => message) as [RequestTrace];
  const retries = messages.filter(({ name }) => name === "retry").map(({ message }) => message as RetryTrace);
  expect(retries).toMatchObject([
    { attempt: 1, delay: 0, error: { code: "TooManyRequestsException" } },
    { attempt: 2, delay: 0, error: { code: "ECONNRESET" } },
  ]);
  expect(retries.map(({ parent }) => parent === request)).toEqual([true, true]);
  expect(request.attempts).toBe(3);
  lambda.close();
});

test("a call that fails", async () => {
  const { names, messages } = listen();
  const lambda = await faultyLambda(breaks("lost", true));
  await using session = new Session({ ...fast, endpoint: lambda.endpoint });
  const error: unknown = await session.post(ORDERS).catch((reason: unknown) => reason);
  expect(names.slice(-3)).toEqual(["request error", "request asyncStart", "request asyncEnd"]);
  const { message } = messages.at(-1) as { message: RequestTrace };
  expect(message.error).toBe(error);
  expect(message).not.toHaveProperty("result");
  lambda.close();
});

test("an answer whose status asks for another attempt", async () => {
  const { messages } = listen();
  const lambda = await faultyLambda(result({ statusCode: 503 }), result({ statusCode: 200 }));
  await using session = new Session({ ...fast, endpoint: lambda.endpoint, retry: { maxDelay: 0, statuses: [503] } });
  await session.get(ORDERS);
  const retry = messages.find(({ name }) => name === "retry")?.message as RetryTrace;
  expect([retry.response?.status, retry.parent?.request.url]).toEqual([503, ORDERS]);
  lambda.close();
});

test("a redirect is a part of its call", async () => {
  const { messages } = listen();
  const lambda = await faultyLambda(
    result({ statusCode: 302, headers: { Location: "/b" } }),
    result({ statusCode: 200 }),
  );
  await using session = new Session({ ...fast, endpoint: lambda.endpoint });
  await session.get(ORDERS);
  const starts = messages.filter(({ name }) => name === "invoke start").map(({ message }) => message as InvokeTrace);
  expect(starts.map(({ request, attempt }) => [request.url, attempt])).toEqual([
    [ORDERS, 1],
    ["http+lambda://orders/b", 1],
  ]);
  expect(starts[0]?.parent).toBe(starts[1]?.parent);
  expect(starts[0]?.parent?.attempts).toBe(2);
  lambda.close();
});

test("a streamed response is the result when it has begun", async () => {
  const { names, messages } = listen();
  const more = gate();
  const handler = awslambda.streamifyResponse(async (_event, stream) => {
    stream.write("one");
    await more.opened;
    stream.end("two");
  });
  await using emulator = await Emulator.start({ functions: { orders: handler }, quiet: true });
  await using session = new Session({ ...fast, endpoint: emulator.endpoint, responseStreaming: true });
  const response = await session.get(ORDERS);
  expect(names.at(-1)).toBe("request asyncEnd");
  const [request] = messages.map(({ message }) => message) as [RequestTrace];
  expect(request.responseStreaming).toBe(true);
  expect(request.result).toBe(response);
  more.open();
  expect(await response.text()).toBe("onetwo");
});

test("a listener adds headers that the caller has not", async () => {
  const onStart = (message: unknown): void => {
    const { setHeader } = message as RequestTrace;
    setHeader("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    setHeader("TraceState", "a=1");
    setHeader("tracestate", "b=2");
    expect(() => setHeader("x", "a\nb")).toThrow(TypeError);
  };
  subscribe("tracing:lambda-requests:request:start", onStart);
  undo.push(() => void unsubscribe("tracing:lambda-requests:request:start", onStart));
  await using session = new Session({ functions: { orders: echo } });
  const own = { tracestate: "own=1", baggage: "user=ada" };
  expect(await session.get(ORDERS, { headers: own }).json()).toMatchObject({
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    tracestate: "own=1",
    baggage: "user=ada",
  });
  expect(await session.post(ORDERS, { json: {} }).json()).toMatchObject({ TraceState: "a=1" });
});

test("a store that is bound to a channel holds during the call", async () => {
  const store = new AsyncLocalStorage<unknown>();
  let seen: unknown;
  requests.start.bindStore(store, ({ request }: RequestTrace) => request.url);
  undo.push(() => void requests.start.unbindStore(store));
  const handler = async (): Promise<object> => {
    seen = store.getStore();
    return { statusCode: 204 };
  };
  await using session = new Session({ functions: { orders: handler } });
  await session.get(ORDERS);
  expect([seen, store.getStore()]).toEqual([ORDERS, undefined]);
});

test("who listens to attempts alone is told of them alone", async () => {
  const seen: InvokeTrace[] = [];
  const onEnd = (message: unknown): void => void seen.push(message as InvokeTrace);
  subscribe("tracing:lambda-requests:invoke:asyncEnd", onEnd);
  undo.push(() => void unsubscribe("tracing:lambda-requests:invoke:asyncEnd", onEnd));
  await using session = new Session({ functions: { orders: echo } });
  await session.get(ORDERS);
  expect(seen).toHaveLength(1);
  expect(seen[0]).not.toHaveProperty("parent");
});

test("no message shows a body, a header, a log or a credential", async () => {
  const { messages } = listen();
  const lambda = await faultyLambda(
    breaks("lost", true),
    result({ statusCode: 200, body: "the-answer" }, { "X-Amz-Log-Result": Buffer.from("the-log").toString("base64") }),
  );
  const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "the-secret-key", sessionToken: "the-token" };
  await using session = new Session({ ...fast, endpoint: lambda.endpoint, credentials, logs: true });
  await session.put(ORDERS, {
    data: "the-body",
    headers: { "X-Api-Key": "the-api-key" },
    auth: ["ada", "the-password"],
  });
  expect(messages.length).toBeGreaterThan(10);
  // The response, which the caller has as well, shows what is its own.
  const told = messages.map(({ message }) => ({ ...message, result: undefined, parent: undefined }));
  const results = messages.flatMap(({ name, message }) =>
    name.startsWith("invoke") ? [(message as InvokeTrace).result] : [],
  );
  const text = inspect([told, results], { depth: 8 });
  expect(text).not.toMatch(/the-(answer|log|secret-key|token|body|api-key|password)|AKIDEXAMPLE/);
  lambda.close();
});

test("pages of the web are not told of", async () => {
  const { names } = listen();
  await using session = new Session({ fetch: async () => new Response("page") });
  await session.get("https://example.com/");
  expect(names).toEqual([]);
});

test("how often a call was sent, whatever it came to", async () => {
  const { messages } = listen();
  const again = await faultyLambda(
    result({ statusCode: 503 }),
    result({ statusCode: 503 }),
    result({ statusCode: 200 }),
  );
  const lost = await faultyLambda(breaks("lost", true));
  const retry = { maxDelay: 0, statuses: [503] };
  await using first = new Session({ ...fast, endpoint: again.endpoint, retry });
  await using second = new Session({ ...fast, endpoint: lost.endpoint });
  await first.get(ORDERS);
  await second.get(ORDERS).catch(() => undefined);
  const calls = messages
    .filter(({ name }) => name === "request asyncEnd")
    .map(({ message }) => message as RequestTrace);
  expect(calls.map(({ attempts }) => attempts)).toEqual([3, 3]);
  again.close();
  lost.close();
});
