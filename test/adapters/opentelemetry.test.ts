/** Calls as OpenTelemetry's own SDK sees them. */
import { channel } from "node:diagnostics_channel";
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  type Context,
  context,
  DiagLogLevel,
  diag,
  metrics,
  propagation,
  SpanKind,
  SpanStatusCode,
  type TextMapPropagator,
  trace,
} from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  CompositePropagator,
  hrTimeToMilliseconds,
  TraceState,
  W3CBaggagePropagator,
  W3CTraceContextPropagator,
} from "@opentelemetry/core";
import {
  AggregationTemporality,
  type DataPoint,
  type Histogram,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  AlwaysOffSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import * as conventions from "@opentelemetry/semantic-conventions/incubating";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type Instrumentation, instrument, type OpenTelemetryOptions } from "../../src/adapters/opentelemetry.ts";
import { ATTRIBUTES, knownMethods, METRICS, withoutSecrets } from "../../src/adapters/semantic-conventions.ts";
import { Emulator } from "../../src/emulator/index.ts";
import { ConfigurationError } from "../../src/errors.ts";
import type { RestApiEvent } from "../../src/formats/rest-api.ts";
import type { Invoker } from "../../src/invoke/invoker.ts";
import { Session } from "../../src/session.ts";
import { VERSION } from "../../src/version.ts";
import { breaks, faultyLambda, refusal, result } from "../support/faulty-lambda.ts";
import { type AwsLambda, gate } from "../support/streams.ts";

const { awslambda } = globalThis as unknown as { awslambda: AwsLambda };
const ORDERS = "http+lambda://orders/items";
const FAST = { region: "us-east-1", retry: { maxDelay: 0 } } as const;

const propagator = new CompositePropagator({
  propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()],
});
let exported: InMemorySpanExporter;
let tracerProvider: BasicTracerProvider;
let measured: InMemoryMetricExporter;
let meterProvider: MeterProvider;
let instrumentation: Instrumentation;

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
});
afterAll(() => {
  context.disable();
});

beforeEach(() => {
  exported = new InMemorySpanExporter();
  tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exported)] });
  measured = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  meterProvider = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter: measured })] });
  instrumentation = instrument({ tracerProvider, meterProvider, propagator });
});
afterEach(async () => {
  instrumentation.disable();
  await Promise.all([tracerProvider.shutdown(), meterProvider.shutdown()]);
});

/** The spans that have ended: calls first, then attempts. */
async function ended(): Promise<{ calls: ReadableSpan[]; attempts: ReadableSpan[] }> {
  await tracerProvider.forceFlush();
  const spans = exported.getFinishedSpans();
  const isAttempt = ({ name }: ReadableSpan): boolean => name.startsWith("Lambda.");
  return { calls: spans.filter((span) => !isAttempt(span)), attempts: spans.filter(isAttempt) };
}

/** The one call that has ended. */
async function theCall(): Promise<ReadableSpan> {
  const { calls } = await ended();
  expect(calls).toHaveLength(1);
  return calls[0] as ReadableSpan;
}

const idOf = (span: ReadableSpan | undefined): string | undefined => span?.spanContext().spanId;
const parentsOf = (spans: readonly ReadableSpan[]): unknown[] => spans.map((span) => span.parentSpanContext?.spanId);

/** The points of a metric. */
async function points<Value = Histogram>(name: string): Promise<DataPoint<Value>[]> {
  await meterProvider.forceFlush();
  const { metrics: all = [] } = measured.getMetrics().at(-1)?.scopeMetrics[0] ?? {};
  const metric = all.find(({ descriptor }) => descriptor.name === name);
  return (metric?.dataPoints ?? []) as unknown as DataPoint<Value>[];
}

const echo = async ({ headers }: RestApiEvent): Promise<object> => ({ statusCode: 200, body: JSON.stringify(headers) });
const headersSeen = async (session: Session, headers?: Record<string, string>): Promise<Record<string, string>> =>
  session.get(ORDERS, { ...(headers && { headers }) }).json();

const failureOf = (promise: PromiseLike<unknown>): PromiseLike<unknown> =>
  promise.then(
    () => expect.fail("it did not fail"),
    (error: unknown) => error,
  );

describe.each(["in this process", "over the API"])("a call, %s", (where) => {
  let emulator: Emulator;
  let session: Session;

  beforeEach(async () => {
    const functions = {
      orders: async (event: RestApiEvent) => {
        if (event.path === "/missing") return { statusCode: 404 };
        if (event.path === "/bad") return "no proxy response".length;
        if (event.path === "/broken") throw new TypeError("out of stock");
        return echo(event);
      },
    };
    emulator = await Emulator.start({ functions, quiet: true });
    const overTheApi = { ...FAST, endpoint: emulator.endpoint };
    session = new Session(where === "over the API" ? overTheApi : { functions });
  });
  afterEach(async () => {
    await session.close();
    await emulator.close();
  });
  const region = where === "over the API" ? { "faas.invoked_region": "us-east-1" } : {};

  test("is a client span, and so is its attempt", async () => {
    const response = await session.get(`${ORDERS}?limit=10&sig=secret`);
    const { calls, attempts } = await ended();
    expect([calls.length, attempts.length]).toEqual([1, 1]);
    expect(calls[0]).toMatchObject({
      name: "GET",
      kind: SpanKind.CLIENT,
      status: { code: SpanStatusCode.UNSET },
      instrumentationScope: { name: "lambda-requests", version: VERSION },
      parentSpanContext: undefined,
      events: [],
    });
    const requestId = response.invocation.requestId;
    expect(calls[0]?.attributes).toEqual({
      "http.request.method": "GET",
      "http.response.status_code": 200,
      "url.full": `${ORDERS}?limit=10&sig=REDACTED`,
      "server.address": "orders",
      "faas.invoked_name": "orders",
      "faas.invoked_provider": "aws",
      "aws.request_id": requestId,
      ...region,
    });
    expect(attempts[0]).toMatchObject({
      name: "Lambda.Invoke",
      kind: SpanKind.CLIENT,
      status: { code: SpanStatusCode.UNSET },
      parentSpanContext: { spanId: idOf(calls[0]) },
    });
    expect(attempts[0]?.attributes).toEqual({
      "rpc.system": "aws-api",
      "rpc.service": "Lambda",
      "rpc.method": "Invoke",
      "faas.invoked_name": "orders",
      "faas.invoked_provider": "aws",
      "aws.request_id": requestId,
      ...region,
      ...(where === "over the API" && { "cloud.region": "us-east-1" }),
    });
  });

  test("is the child of the span that is active", async () => {
    const outer = tracerProvider.getTracer("test").startSpan("outer");
    await context.with(trace.setSpan(context.active(), outer), () => session.get(ORDERS));
    const { calls, attempts } = await ended();
    expect(parentsOf([...calls, ...attempts])).toEqual([outer.spanContext().spanId, idOf(calls[0])]);
    expect(attempts[0]?.spanContext().traceId).toBe(outer.spanContext().traceId);
  });

  test("takes its context along in the event's headers", async () => {
    const outer = trace.wrapSpanContext({
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "b7ad6b7169203331",
      traceFlags: 1,
      traceState: new TraceState("vendor=value"),
    });
    const baggage = propagation.createBaggage({ user: { value: "ada" } });
    const around = propagation.setBaggage(trace.setSpan(context.active(), outer), baggage);
    const seen = await context.with(around, () => headersSeen(session));
    const call = await theCall();
    expect(seen).toMatchObject({
      traceparent: `00-0af7651916cd43dd8448eb211c80319c-${idOf(call)}-01`,
      tracestate: "vendor=value",
      baggage: "user=ada",
    });
  });

  test("leaves the headers that its caller gave as they are", async () => {
    const own = "00-11111111111111111111111111111111-2222222222222222-01";
    const seen = await headersSeen(session, { Traceparent: own });
    expect(seen).toMatchObject({ Traceparent: own });
    expect(seen).not.toHaveProperty("traceparent");
  });

  test("is an error from status 400 on", async () => {
    await session.get("http+lambda://orders/missing");
    const { calls, attempts } = await ended();
    expect(calls[0]?.status).toEqual({ code: SpanStatusCode.ERROR });
    expect(calls[0]?.attributes).toMatchObject({ "http.response.status_code": 404, "error.type": "404" });
    expect(attempts[0]?.status.code).toBe(SpanStatusCode.UNSET);
  });

  test("whose answer can't be is a 502", async () => {
    await session.get("http+lambda://orders/bad");
    const { status, attributes } = await theCall();
    expect(status).toEqual({ code: SpanStatusCode.ERROR });
    expect(attributes).toMatchObject({ "http.response.status_code": 502, "error.type": "502" });
    expect(attributes).not.toHaveProperty("lambda_requests.function_failure");
  });

  test("of a function that fails says how", async () => {
    await session.get("http+lambda://orders/broken");
    const { calls, attempts } = await ended();
    expect(calls[0]?.status).toEqual({ code: SpanStatusCode.ERROR, message: "out of stock" });
    expect(calls[0]?.attributes).toMatchObject({
      "http.response.status_code": 502,
      "error.type": "502",
      "lambda_requests.function_failure": "exception",
    });
    expect(attempts[0]).toMatchObject({
      status: { code: SpanStatusCode.ERROR },
      attributes: { "error.type": "Unhandled" },
    });
  });

  test("of a function that fails, where that is thrown", async () => {
    const error = await failureOf(session.get("http+lambda://orders/broken", { functionErrors: "throw" }));
    const call = await theCall();
    expect(call.status).toEqual({ code: SpanStatusCode.ERROR, message: (error as Error).message });
    expect(call.attributes).toMatchObject({
      "http.response.status_code": 502,
      "error.type": "ERR_FUNCTION",
      "lambda_requests.function_failure": "exception",
      "aws.request_id": expect.any(String),
    });
  });
});

describe("a method", () => {
  test.each([
    ["get", "GET", "GET", "get"],
    ["PATCH", "PATCH", "PATCH", undefined],
    ["QUERY", "QUERY", "QUERY", undefined],
    ["PURGE", "HTTP", "_OTHER", "PURGE"],
  ])("%s makes a span %s", async (method, name, known, original) => {
    await using session = new Session({ functions: { orders: echo } });
    await session.fetch(ORDERS, { method });
    const call = await theCall();
    expect([call.name, call.attributes["http.request.method"]]).toEqual([name, known]);
    expect(call.attributes["http.request.method_original"]).toBe(original);
  });

  test("is known when a list of the environment's says so", () => {
    expect(knownMethods("GET, PURGE")).toEqual(new Set(["GET", "PURGE"]));
    for (const unset of [undefined, "", ","]) expect(knownMethods(unset)).toContain("QUERY");
  });
});

test("what signs a URL is not told, and nothing else is left out", () => {
  const secrets = ["AWSAccessKeyId", "Signature", "sig", "X-Goog-Signature"];
  const signed = ["X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token"];
  for (const name of [...secrets, ...signed]) {
    const [first, later] = [`${ORDERS}?${name}=a%20b&c=d`, `GET ${ORDERS}?c=d&${name}=x: no answer`];
    expect(withoutSecrets(first)).toBe(`${ORDERS}?${name}=REDACTED&c=d`);
    expect(withoutSecrets(later)).toBe(`GET ${ORDERS}?c=d&${name}=REDACTED no answer`);
  }
  for (const url of [`${ORDERS}?SIG=1&design=2&signature=3`, `${ORDERS}/sig=1`]) expect(withoutSecrets(url)).toBe(url);
});

describe("attempts", () => {
  test("that were refused have each a span, and an event between", async () => {
    const lambda = await faultyLambda(
      refusal(429, "TooManyRequestsException", { "x-amzn-RequestId": "first" }),
      breaks("lost", true),
      result({ statusCode: 200 }, { "x-amzn-RequestId": "third" }),
    );
    await using session = new Session({ ...FAST, endpoint: lambda.endpoint });
    await session.get(ORDERS);
    const { calls, attempts } = await ended();
    expect(calls[0]?.status.code).toBe(SpanStatusCode.UNSET);
    expect(calls[0]?.attributes).not.toHaveProperty("error.type");
    expect(parentsOf(attempts)).toEqual(Array(3).fill(idOf(calls[0])));
    const named = ["error.type", "lambda_requests.outcome", "http.request.resend_count", "aws.request_id"];
    expect(attempts.map(({ attributes }) => named.map((name) => attributes[name]))).toEqual([
      ["TooManyRequestsException", "not-started", undefined, "first"],
      ["ECONNRESET", "unknown", 1, undefined],
      [undefined, undefined, 2, "third"],
    ]);
    const { ERROR, UNSET } = SpanStatusCode;
    expect(attempts.map(({ status }) => status.code)).toEqual([ERROR, ERROR, UNSET]);
    expect(attempts[0]?.status.message).toContain("TooManyRequestsException");
    const retry = (attempt: number, type: string): object => ({
      name: "retry",
      attributes: {
        "lambda_requests.retry.attempt": attempt,
        "lambda_requests.retry.delay": 0,
        "error.type": type,
      },
    });
    expect(calls[0]?.events).toMatchObject([retry(1, "TooManyRequestsException"), retry(2, "ECONNRESET")]);
    expect(await points<number>("lambda_requests.retries")).toMatchObject([
      { value: 1, attributes: { "server.address": "orders", "error.type": "TooManyRequestsException" } },
      { value: 1, attributes: { "server.address": "orders", "error.type": "ECONNRESET" } },
    ]);
    // AWS, whose calls are signed, is told nothing.
    expect(lambda.heads.join()).not.toMatch(/traceparent|baggage/i);
    lambda.close();
  });

  test("that all fail make the call an error", async () => {
    const lambda = await faultyLambda(breaks("lost", true));
    await using session = new Session({ ...FAST, endpoint: lambda.endpoint });
    const error = await failureOf(session.post(`${ORDERS}?sig=secret`));
    const { calls, attempts } = await ended();
    expect(attempts).toHaveLength(1);
    const message = (error as Error).message.replace("sig=secret:", "sig=REDACTED");
    expect(calls[0]?.status).toEqual({ code: SpanStatusCode.ERROR, message });
    expect(calls[0]?.attributes).toMatchObject({ "error.type": "ECONNRESET" });
    expect(calls[0]?.attributes).not.toHaveProperty("http.response.status_code");
    expect(JSON.stringify([calls[0]?.attributes, calls[0]?.status, attempts[0]?.status])).not.toContain("secret");
    lambda.close();
  });

  test("that a status asks for", async () => {
    const lambda = await faultyLambda(result({ statusCode: 503 }), result({ statusCode: 200 }));
    await using session = new Session({ ...FAST, endpoint: lambda.endpoint, retry: { maxDelay: 0, statuses: [503] } });
    await session.get(ORDERS);
    const { calls, attempts } = await ended();
    expect(calls[0]?.events).toMatchObject([{ name: "retry", attributes: { "error.type": "503" } }]);
    expect(attempts.map(({ attributes }) => attributes["http.request.resend_count"])).toEqual([undefined, 1]);
    lambda.close();
  });

  test("of a redirect belong to the one call", async () => {
    const handler = async ({ path }: RestApiEvent): Promise<object> =>
      path === "/items" ? { statusCode: 302, headers: { Location: "/b" } } : { statusCode: 200 };
    await using session = new Session({ functions: { orders: handler } });
    const response = await session.get(ORDERS);
    const { calls, attempts } = await ended();
    expect(calls).toHaveLength(1);
    expect(parentsOf(attempts)).toEqual([idOf(calls[0]), idOf(calls[0])]);
    expect(attempts.map(({ attributes }) => attributes["http.request.resend_count"])).toEqual([undefined, 1]);
    expect(calls[0]?.attributes).toMatchObject({
      "url.full": ORDERS,
      "http.response.status_code": 200,
      "aws.request_id": response.invocation.requestId,
    });
  });
});

test("a cold start, where the log says so", async () => {
  const log = ["REPORT RequestId: 1", "Duration: 1 ms", "Billed Duration: 2 ms", "Memory Size: 128 MB"];
  const cold = [...log, "Max Memory Used: 60 MB", "Init Duration: 120.5 ms"].join("\t");
  const lambda = await faultyLambda(
    result({ statusCode: 200 }, { "X-Amz-Log-Result": Buffer.from(cold).toString("base64") }),
    result({ statusCode: 200 }, { "X-Amz-Log-Result": Buffer.from(cold.replace(/\tInit.*/, "")).toString("base64") }),
  );
  await using session = new Session({ ...FAST, endpoint: lambda.endpoint, logs: true });
  await session.get(ORDERS);
  await session.get(ORDERS);
  const { calls } = await ended();
  expect(calls.map(({ attributes }) => attributes["faas.coldstart"])).toEqual([true, undefined]);
  lambda.close();
});

describe.each(["in this process", "over the API"])("a streamed response, %s", (where) => {
  let emulator: Emulator;
  let session: Session;
  let more = gate();
  let closed = gate();

  beforeEach(async () => {
    more = gate();
    closed = gate();
    const handler = awslambda.streamifyResponse(async ({ path }: RestApiEvent, stream) => {
      stream.once("close", closed.open);
      const body = awslambda.HttpResponseStream.from(stream, { statusCode: path === "/busy" ? 503 : 200 });
      body.write("one");
      await more.opened;
      if (path === "/broken") throw new Error("out of words");
      body.end("two");
    });
    const functions = { orders: handler };
    emulator = await Emulator.start({ functions, quiet: true });
    const overTheApi = { ...FAST, endpoint: emulator.endpoint };
    session = new Session({ ...(where === "over the API" ? overTheApi : { functions }), responseStreaming: true });
  });
  afterEach(async () => {
    more.open();
    await session.close();
    await emulator.close();
  });

  test("ends its span with its body", async () => {
    const response = await session.get(ORDERS);
    const before = await ended();
    expect(before.calls).toEqual([]);
    expect(before.attempts).toMatchObject([
      { name: "Lambda.InvokeWithResponseStream", attributes: { "rpc.method": "InvokeWithResponseStream" } },
    ]);
    expect(await points(METRICS.duration)).toEqual([]);
    more.open();
    expect(await response.text()).toBe("onetwo");
    const call = await theCall();
    expect(call.status.code).toBe(SpanStatusCode.UNSET);
    expect(call.attributes).toMatchObject({ "http.response.status_code": 200 });
    expect(parentsOf(before.attempts)).toEqual([idOf(call)]);
    expect(await points(METRICS.duration)).toMatchObject([{ value: { count: 1 } }]);
  });

  test("that fails midway is an error", async () => {
    const response = await session.get("http+lambda://orders/broken");
    more.open();
    await failureOf(response.text());
    const call = await theCall();
    expect(call.status.code).toBe(SpanStatusCode.ERROR);
    expect(call.status.message).toContain("out of words");
    expect(call.attributes).toMatchObject({
      "http.response.status_code": 200,
      "error.type": "ERR_FUNCTION",
      "lambda_requests.function_failure": "exception",
    });
    expect(await points(METRICS.duration)).toMatchObject([
      { attributes: { "http.response.status_code": 200, "error.type": "ERR_FUNCTION" } },
    ]);
  });

  test.each([[undefined], ["enough"]])("that is cancelled (%s) is none", async (reason) => {
    const response = await session.get(ORDERS);
    await response.body?.cancel(reason);
    await failureOf(response.invocation.completed);
    const call = await theCall();
    expect(call.status.code).toBe(SpanStatusCode.UNSET);
    expect(call.attributes).not.toHaveProperty("error.type");
  });

  test("whose call is aborted is none", async () => {
    const controller = new AbortController();
    const response = await session.get(ORDERS, { signal: controller.signal });
    controller.abort();
    await failureOf(response.text());
    expect((await theCall()).status.code).toBe(SpanStatusCode.UNSET);
  });

  test("with a status of 400 or more is an error, read or not", async () => {
    const response = await session.get("http+lambda://orders/busy");
    await response.body?.cancel();
    await failureOf(response.invocation.completed);
    expect((await theCall()).attributes).toMatchObject({ "http.response.status_code": 503, "error.type": "503" });
  });

  test("that nobody holds is given up all the same, and its span ends", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    await (async () => void (await session.get(ORDERS)))();
    for (let turn = 0; turn < 20 && (await ended()).calls.length === 0; turn++) {
      collect();
      await nextTurn();
    }
    expect((await theCall()).status.code).toBe(SpanStatusCode.UNSET);
    await closed.opened;
  });
});

test("a response that is asked for as a stream, and is none", async () => {
  await using session = new Session({ functions: { orders: echo }, responseStreaming: true });
  const response = await session.get(ORDERS);
  await response.invocation.completed;
  expect((await theCall()).attributes).toMatchObject({ "http.response.status_code": 200 });
});

test.each(["Event", "DryRun"] as const)("an %s is streamed by no option", async (invocationType) => {
  await using session = new Session({ functions: { orders: echo }, responseStreaming: true });
  const response = await session.get(ORDERS, { invocationType });
  await response.invocation.completed;
  expect((await ended()).attempts).toMatchObject([{ name: "Lambda.Invoke", attributes: { "rpc.method": "Invoke" } }]);
});

test("a response of a fetch in the function's place, which knows of no invocation", async () => {
  await using session = new Session({ responseStreaming: true });
  session.mount(ORDERS, async () => new Response("mounted", { status: 418 }));
  await session.get(ORDERS);
  expect((await theCall()).attributes).toMatchObject({ "http.response.status_code": 418, "error.type": "418" });
});

describe("a call that ends early", () => {
  const pending: Invoker = {
    invoke: (_invocation, signal) =>
      new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(signal.reason))),
  };

  test.each([[undefined], ["not needed any more"]])("aborted by its caller (%s), is no error", async (reason) => {
    await using session = new Session({ invoker: pending });
    const controller = new AbortController();
    const call = session.get(ORDERS, { signal: controller.signal });
    await nextTurn();
    controller.abort(reason);
    await failureOf(call);
    const { calls, attempts } = await ended();
    for (const span of [calls[0], attempts[0]]) {
      expect(span?.status.code).toBe(SpanStatusCode.UNSET);
      expect(span?.attributes).not.toHaveProperty("error.type");
    }
    const [point] = await points(METRICS.duration);
    expect(point?.attributes).toEqual({ "http.request.method": "GET", "server.address": "orders" });
  });

  test("aborted before it begins", async () => {
    await using session = new Session({ invoker: pending });
    await failureOf(session.get(ORDERS, { signal: AbortSignal.abort() }));
    expect((await theCall()).status.code).toBe(SpanStatusCode.UNSET);
  });

  test("out of time, is one", async () => {
    await using session = new Session({ invoker: pending });
    await failureOf(session.get(ORDERS, { timeout: 1 }));
    const { calls, attempts } = await ended();
    expect(calls[0]?.attributes).toMatchObject({ "error.type": "ERR_TIMEOUT" });
    expect(attempts[0]?.attributes).toMatchObject({
      "error.type": "ERR_TIMEOUT",
      "lambda_requests.outcome": "unknown",
    });
  });

  test("never sent, is one", async () => {
    await using session = new Session({ region: "us-east-1" });
    await failureOf(session.post(ORDERS, { data: new Uint8Array(7_000_000) }));
    const { calls, attempts } = await ended();
    expect(calls[0]?.attributes).toMatchObject({ "error.type": "ERR_PAYLOAD_TOO_LARGE" });
    expect(attempts).toEqual([]);
  });

  test("by what is no error of ours, is one by its name", async () => {
    const broken: Invoker = { invoke: async () => Promise.reject(new RangeError("odd")) };
    await using session = new Session({ invoker: broken });
    await failureOf(session.get(ORDERS));
    expect(await theCall()).toMatchObject({
      status: { code: SpanStatusCode.ERROR, message: "odd" },
      attributes: { "error.type": "RangeError" },
    });
  });
});

test("calls at the same time keep their own parents", async () => {
  const all = gate();
  let waiting = 0;
  const handler = async (event: RestApiEvent): Promise<object> => {
    if (++waiting === 20) all.open();
    await all.opened;
    return echo(event);
  };
  await using session = new Session({ functions: { orders: handler } });
  const tracer = tracerProvider.getTracer("test");
  const outers = Array.from({ length: 20 }, (_, index) => tracer.startSpan(`outer ${index}`));
  const seen = await Promise.all(
    outers.map((outer, index) =>
      context.with(trace.setSpan(context.active(), outer), () =>
        session.get(`${ORDERS}/${index}`).json<Record<string, string>>(),
      ),
    ),
  );
  const { calls, attempts } = await ended();
  for (const [index, outer] of outers.entries()) {
    const call = calls.find(({ attributes }) => attributes["url.full"] === `${ORDERS}/${index}`);
    const { traceId, spanId } = outer.spanContext();
    expect([call?.spanContext().traceId, call?.parentSpanContext?.spanId]).toEqual([traceId, spanId]);
    expect(seen[index]?.traceparent).toBe(`00-${traceId}-${idOf(call)}-01`);
    const own = attempts.filter(({ parentSpanContext }) => parentSpanContext?.spanId === idOf(call));
    expect(own).toHaveLength(1);
  }
});

describe("metrics", () => {
  test("have the conventions' attributes, and as long as the span", async () => {
    const handler = async ({ path }: RestApiEvent): Promise<object> => ({ statusCode: path === "/items" ? 200 : 404 });
    await using session = new Session({ functions: { orders: handler } });
    await session.get(`${ORDERS}?a=1`);
    await session.get(`${ORDERS}?a=2`);
    await session.post("http+lambda://orders/missing");
    const { calls } = await ended();
    const found = await points(METRICS.duration);
    expect(found.map(({ attributes, value }) => [attributes, value.count])).toEqual([
      [{ "http.request.method": "GET", "server.address": "orders", "http.response.status_code": 200 }, 2],
      [
        {
          "http.request.method": "POST",
          "server.address": "orders",
          "http.response.status_code": 404,
          "error.type": "404",
        },
        1,
      ],
    ]);
    const bounds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
    expect(found[0]?.value.buckets.boundaries).toEqual(bounds);
    const lasted = hrTimeToMilliseconds((calls[2] as ReadableSpan).duration) / 1000;
    expect(Math.abs((found[1]?.value.sum ?? 0) - lasted)).toBeLessThan(0.5);
    const { descriptor } = measured.getMetrics().at(-1)?.scopeMetrics[0]?.metrics[0] ?? {};
    expect(descriptor).toMatchObject({ name: "http.client.request.duration", unit: "s" });
  });
});

describe("instrument()", () => {
  test("refuses what it does not know", () => {
    const refused = (options: object): unknown => {
      try {
        instrument(options as OpenTelemetryOptions).disable();
        return undefined;
      } catch (error) {
        return error;
      }
    };
    expect(refused({ tracerprovider: tracerProvider })).toBeInstanceOf(ConfigurationError);
    expect(refused({ tracerprovider: tracerProvider })).toMatchObject({
      message: expect.stringContaining("tracerProvider"),
    });
    for (const value of [null, "w3c", {}]) {
      expect(refused({ propagator: value })).toMatchObject({
        code: "ERR_CONFIGURATION",
        message: "the option propagator has to be an object with a method inject",
      });
    }
    expect(refused({ tracerProvider: undefined, meterProvider: undefined, propagator: undefined })).toBe(undefined);
  });

  test("takes what is global, whenever it was set", async () => {
    instrumentation.disable();
    await using session = new Session({ functions: { orders: echo } });
    using _global = instrument();
    expect(await headersSeen(session)).not.toHaveProperty("traceparent");
    trace.setGlobalTracerProvider(tracerProvider);
    metrics.setGlobalMeterProvider(meterProvider);
    propagation.setGlobalPropagator(propagator);
    try {
      const seen = await headersSeen(session);
      expect(seen.traceparent).toContain(idOf(await theCall()));
      expect(await points(METRICS.duration)).toMatchObject([{ value: { count: 1 } }]);
    } finally {
      for (const api of [trace, metrics, propagation]) api.disable();
    }
  });

  test("a second time tells of everything a second time", async () => {
    using _second = instrument({ tracerProvider, meterProvider, propagator });
    await using session = new Session({ functions: { orders: echo } });
    await session.get(ORDERS);
    const { calls, attempts } = await ended();
    expect([calls.length, attempts.length]).toEqual([2, 2]);
    expect(new Set(parentsOf(attempts))).toEqual(new Set(calls.map(idOf)));
  });

  test("in the middle of a call hears of what begins after that", async () => {
    instrumentation.disable();
    const lambda = await faultyLambda(refusal(429, "TooManyRequestsException"), result({ statusCode: 200 }));
    let late: Instrumentation | undefined;
    const onRetry = (): void => {
      late = instrument({ tracerProvider, meterProvider, propagator });
    };
    await using session = new Session({ ...FAST, endpoint: lambda.endpoint, hooks: { onRetry } });
    await session.get(ORDERS);
    const { calls, attempts } = await ended();
    expect(calls).toEqual([]);
    expect(attempts).toMatchObject([{ parentSpanContext: undefined, attributes: { "http.request.resend_count": 1 } }]);
    late?.disable();
    lambda.close();
  });

  test("whose sampler wants nothing still propagates and measures", async () => {
    instrumentation.disable();
    const silent = new BasicTracerProvider({ sampler: new AlwaysOffSampler() });
    using _silent = instrument({ tracerProvider: silent, meterProvider, propagator });
    await using session = new Session({ functions: { orders: echo } });
    expect((await headersSeen(session)).traceparent).toMatch(/-00$/);
    expect(await points(METRICS.duration)).toMatchObject([{ value: { count: 1 } }]);
  });
});

describe("disable()", () => {
  const isHeard = (): boolean =>
    ["request", "invoke"].some((what) =>
      ["start", "end", "asyncStart", "asyncEnd", "error"].some(
        (event) => channel(`tracing:lambda-requests:${what}:${event}`).hasSubscribers,
      ),
    );

  test("nothing is told of afterwards", async () => {
    expect(isHeard()).toBe(true);
    instrumentation.disable();
    instrumentation.disable();
    expect(isHeard()).toBe(false);
    await using session = new Session({ functions: { orders: echo } });
    expect(await headersSeen(session)).not.toHaveProperty("traceparent");
    expect(await ended()).toEqual({ calls: [], attempts: [] });
    expect(await points(METRICS.duration)).toEqual([]);
  });

  test("spans under way end with their call", async () => {
    const begun = gate();
    const more = gate();
    const handler = async (): Promise<object> => {
      begun.open();
      await more.opened;
      return { statusCode: 404 };
    };
    await using session = new Session({ functions: { orders: handler } });
    const call = session.get(ORDERS);
    await begun.opened;
    instrumentation[Symbol.dispose]();
    await using other = new Session({ functions: { orders: echo } });
    await other.get(ORDERS);
    expect(await ended()).toEqual({ calls: [], attempts: [] });
    more.open();
    await call;
    const { calls, attempts } = await ended();
    expect(calls).toMatchObject([{ attributes: { "error.type": "404" } }]);
    expect(attempts).toMatchObject([{ name: "Lambda.Invoke" }]);
    expect(isHeard()).toBe(false);
  });

  test("and those of a body that is still being read", async () => {
    const more = gate();
    const handler = awslambda.streamifyResponse(async (_event, stream) => {
      stream.write("one");
      await more.opened;
      stream.end("two");
    });
    await using session = new Session({ functions: { orders: handler }, responseStreaming: true });
    const response = await session.get(ORDERS);
    instrumentation.disable();
    expect(isHeard()).toBe(false);
    more.open();
    await response.text();
    expect((await theCall()).attributes).toMatchObject({ "http.response.status_code": 200 });
  });
});

describe("telemetry that fails", () => {
  const errors: unknown[][] = [];
  beforeEach(() => {
    errors.length = 0;
    const ignore = (): void => undefined;
    const logger = { error: (...values: unknown[]) => void errors.push(values) };
    diag.setLogger(
      { ...logger, warn: ignore, info: ignore, debug: ignore, verbose: ignore },
      { logLevel: DiagLogLevel.ERROR, suppressOverrideMessage: true },
    );
    instrumentation.disable();
  });
  afterEach(() => diag.disable());

  const broken = new Error("telemetry is broken");
  const fail = (): never => {
    throw broken;
  };

  test("a propagator that throws leaves the call and its span alone", async () => {
    const throwing: TextMapPropagator = { inject: fail, extract: (around: Context) => around, fields: () => [] };
    using _instrumentation = instrument({ tracerProvider, meterProvider, propagator: throwing });
    await using session = new Session({ functions: { orders: echo } });
    expect((await session.get(ORDERS)).status).toBe(200);
    expect((await theCall()).attributes).toMatchObject({ "http.response.status_code": 200 });
    expect(errors).toEqual([["lambda-requests: some of a call's telemetry is lost", broken]]);
  });

  test("a header that can't be does not take the others along", async () => {
    const odd: TextMapPropagator = {
      ...new W3CBaggagePropagator(),
      inject(_context, carrier, setter) {
        setter.set(carrier, "x-odd", "a\nb");
        setter.set(carrier, "x-even", "2");
      },
      extract: (around) => around,
      fields: () => [],
    };
    using _instrumentation = instrument({ tracerProvider, meterProvider, propagator: odd });
    await using session = new Session({ functions: { orders: echo } });
    const seen = await headersSeen(session);
    expect([seen["x-odd"], seen["x-even"], errors.length]).toEqual([undefined, "2", 1]);
  });

  test.each([false, true])("a tracer that throws leaves the call alone (streaming: %s)", async (responseStreaming) => {
    const tracer = { startSpan: fail, startActiveSpan: fail };
    using _instrumentation = instrument({ tracerProvider: { getTracer: () => tracer }, meterProvider, propagator });
    await using session = new Session({ functions: { orders: echo }, responseStreaming });
    expect((await session.get(ORDERS)).status).toBe(200);
    expect(errors).toHaveLength(2);
  });

  test.each([false, true])("a meter that throws leaves no span open (streaming: %s)", async (responseStreaming) => {
    const meters = { getMeter: fail };
    using _instrumentation = instrument({ tracerProvider, meterProvider: meters, propagator });
    await using session = new Session({ functions: { orders: echo }, responseStreaming });
    const response = await session.get(ORDERS);
    await response.invocation.completed;
    expect((await theCall()).attributes).toMatchObject({ "http.response.status_code": 200 });
    expect(errors).toEqual([[expect.any(String), broken]]);
  });

  test("a span that throws is ended for all that", async () => {
    using _instrumentation = instrument({ tracerProvider, meterProvider, propagator });
    await using session = new Session({ functions: { orders: echo } });
    const handlerInstrumentation = tracerProvider.getTracer("lambda-requests", VERSION);
    const started = vi.spyOn(handlerInstrumentation, "startSpan").mockImplementation((...args) => {
      started.mockRestore();
      const span = handlerInstrumentation.startSpan(...args);
      span.setAttributes = fail;
      return span;
    });
    expect((await session.get(ORDERS)).status).toBe(200);
    expect(await theCall()).toMatchObject({ name: "GET", ended: true });
    expect(errors).toHaveLength(1);
  });
});

test("the names are those of the semantic conventions", () => {
  expect(ATTRIBUTES).toEqual({
    method: conventions.ATTR_HTTP_REQUEST_METHOD,
    originalMethod: conventions.ATTR_HTTP_REQUEST_METHOD_ORIGINAL,
    resendCount: conventions.ATTR_HTTP_REQUEST_RESEND_COUNT,
    status: conventions.ATTR_HTTP_RESPONSE_STATUS_CODE,
    url: conventions.ATTR_URL_FULL,
    address: conventions.ATTR_SERVER_ADDRESS,
    errorType: conventions.ATTR_ERROR_TYPE,
    functionName: conventions.ATTR_FAAS_INVOKED_NAME,
    functionProvider: conventions.ATTR_FAAS_INVOKED_PROVIDER,
    functionRegion: conventions.ATTR_FAAS_INVOKED_REGION,
    coldStart: conventions.ATTR_FAAS_COLDSTART,
    requestId: conventions.ATTR_AWS_REQUEST_ID,
    rpcSystem: conventions.ATTR_RPC_SYSTEM,
    rpcService: conventions.ATTR_RPC_SERVICE,
    rpcMethod: conventions.ATTR_RPC_METHOD,
    region: conventions.ATTR_CLOUD_REGION,
  });
  expect(METRICS).toEqual({ duration: conventions.METRIC_HTTP_CLIENT_REQUEST_DURATION });
  expect(conventions.FAAS_INVOKED_PROVIDER_VALUE_AWS).toBe("aws");
  expect(conventions.HTTP_REQUEST_METHOD_VALUE_OTHER).toBe("_OTHER");
});
