// Node.js functions in execution environments of their own: what they are given, and what they give.
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { parseReport } from "../../src/invocation-info.ts";
import { callOf, FUNCTIONS, invoke, resultOf, startFunction } from "../support/environment-functions.ts";
import { hasEnded, openMeeting } from "../support/environment-processes.ts";

afterEach(() => void vi.unstubAllEnvs());

describe("a result", () => {
  test.each<[string, string, unknown, string]>([
    ["of an async handler", "handlers.mjs#handler", { a: "ü" }, '{"a":"ü"}'],
    ["of CommonJS", "handlers.cjs", { a: 1 }, '{"file":"handlers.cjs","event":{"a":1}}'],
    ["of another export of CommonJS", "handlers.cjs#other", {}, '"other"'],
    ["of a default export", "default.mjs", 1, '{"default":1}'],
    ["of an export within another", "handlers.mjs#nested.deeper.handler", {}, '"found"'],
    ["of a handler that is not async", "handlers.mjs#sync", {}, '{"a":1}'],
    ["by a callback", "handlers.mjs#byCallback", { a: 1 }, '{"a":1}'],
    ["by a late callback", "handlers.mjs#lateCallback", { a: 1 }, '{"a":1}'],
    ["by the first of two callbacks", "handlers.mjs#twice", {}, "1"],
    ["by context.succeed", "handlers.mjs#succeed", { a: 1 }, '{"a":1}'],
    ["by context.done", "handlers.mjs#done", { a: 1 }, '{"a":1}'],
    ["nothing", "handlers.mjs#nothing", {}, "null"],
    ["undefined", "handlers.mjs#undef", {}, "null"],
    ["nothing, by a callback that is never called", "handlers.mjs#neverCalling", {}, "null"],
  ])("%s", async (_name, file, event, expected) => {
    const { text, functionError } = await invoke(startFunction(file), event);
    expect([functionError, text]).toEqual([undefined, expected]);
  });

  test("what is known of it", async () => {
    const runner = startFunction("handlers.mjs", { version: "7" });
    expect(runner.version).toBe("7");
    const call = callOf({ a: 1 }, { logs: false });
    expect(await runner.run(call)).toEqual({
      payload: Buffer.from('{"a":1}'),
      requestId: call.requestId,
      executedVersion: "7",
      traceId: call.traceId,
      region: "eu-west-1",
    });
  });

  test("an event without a body is an empty object", async () => {
    expect(await resultOf(startFunction("handlers.mjs"), {}, { payload: new Uint8Array() })).toEqual({});
  });

  test("events and results of megabytes", async () => {
    const event = { text: "ü".repeat(3 * 1024 * 1024 - 20) };
    expect(await resultOf(startFunction("handlers.mjs"), event)).toEqual(event);
  });

  test("a callback's waits for an empty event loop, unless it is not to", async () => {
    const runner = startFunction("handlers.mjs#waiting");
    const patient = await invoke(runner, { wait: true });
    expect(patient.text).toBe('"answered"');
    expect(patient.logs).toContain("the loop is empty");
    const hasty = await invoke(runner, { wait: false });
    expect(hasty.text).toBe('"answered"');
    expect(hasty.logs).not.toContain("the loop is empty");
    // What is left in the loop does not keep the next one from answering.
    expect((await invoke(runner, { wait: false })).text).toBe('"answered"');
    const listening = startFunction("handlers.mjs#listening");
    for (let i = 0; i < 2; i++) expect(await resultOf(listening)).toBe("listening");
  });
});

describe("what a function is given", () => {
  test("a context like AWS's", async () => {
    const call = callOf(
      {},
      {
        target: { functionName: "orders", qualifier: "prod" },
        clientContext: Buffer.from('{"custom":{"name":"ü\\n"},\n"env":{}}').toString("base64"),
        tenantId: "tenant 1",
      },
    );
    const context = JSON.parse(
      Buffer.from((await startFunction("handlers.mjs#context").run(call)).payload as Uint8Array).toString(),
    );
    expect(context).toEqual({
      callbackWaitsForEmptyEventLoop: true,
      functionName: "orders",
      functionVersion: "$LATEST",
      invokedFunctionArn: "arn:aws:lambda:eu-west-1:123456789012:function:orders:prod",
      memoryLimitInMB: "256",
      awsRequestId: call.requestId,
      logGroupName: "/aws/lambda/orders",
      logStreamName: expect.stringMatching(/^\d{4}\/\d\d\/\d\d\/\[\$LATEST\][0-9a-f]{32}$/),
      clientContext: { custom: { name: "ü\n" }, env: {} },
      tenantId: "tenant 1",
      remaining: expect.any(Number),
      trace: call.traceId,
      keys: expect.arrayContaining(["identity", "getRemainingTimeInMillis", "done", "fail", "succeed"]),
    });
    expect(context.remaining).toBeGreaterThan(5000);
    expect(context.remaining).toBeLessThanOrEqual(10_000);
  });

  test("another request id and trace each time, and the log stream of its environment", async () => {
    const runner = startFunction("handlers.mjs#context");
    const contexts: Record<string, string>[] = [];
    for (const traceId of ["Root=1-a", "Root=1-b"]) contexts.push(await resultOf(runner, {}, { traceId }));
    expect(contexts.map(({ trace }) => trace)).toEqual(["Root=1-a", "Root=1-b"]);
    expect(new Set(contexts.map(({ awsRequestId }) => awsRequestId)).size).toBe(2);
    expect(new Set(contexts.map(({ logStreamName }) => logStreamName)).size).toBe(1);
    expect(contexts[0]?.invokedFunctionArn).toBe("arn:aws:lambda:eu-west-1:123456789012:function:orders");
    expect(contexts[0]).not.toHaveProperty("clientContext");
  });

  test("Lambda's environment variables and its own, and none of this process", async () => {
    vi.stubEnv("OF_THE_TERMINAL", "secret");
    vi.stubEnv("NODE_OPTIONS", "--no-warnings");
    const runner = startFunction("handlers.mjs#environment", { environment: { TABLE: "orders", LANG: "C" } });
    const variables: Record<string, string> = await resultOf(runner);
    expect(variables).toMatchObject({
      AWS_LAMBDA_FUNCTION_NAME: "orders",
      AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "256",
      AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
      AWS_LAMBDA_LOG_GROUP_NAME: "/aws/lambda/orders",
      AWS_LAMBDA_LOG_STREAM_NAME: expect.stringContaining("/[$LATEST]"),
      AWS_LAMBDA_RUNTIME_API: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      AWS_EXECUTION_ENV: `AWS_Lambda_nodejs${process.versions.node.split(".")[0]}.x`,
      AWS_REGION: "eu-west-1",
      AWS_DEFAULT_REGION: "eu-west-1",
      AWS_ACCESS_KEY_ID: "emulated",
      AWS_SECRET_ACCESS_KEY: "emulated",
      AWS_SESSION_TOKEN: "emulated",
      _HANDLER: "test/emulator/functions/handlers.environment",
      LAMBDA_TASK_ROOT: process.cwd(),
      TZ: ":UTC",
      PATH: process.env.PATH,
      TABLE: "orders",
      LANG: "C",
    });
    expect(variables).not.toHaveProperty("OF_THE_TERMINAL");
    expect(variables).not.toHaveProperty("NODE_OPTIONS");
    expect(await resultOf(startFunction("handlers.mjs#place"))).toEqual({ cwd: process.cwd(), zone: "UTC" });
  });

  test("the caller's credentials, where it has some; none beside a profile", async () => {
    vi.stubEnv("AWS_ACCESS_KEY_ID", "AKID");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");
    const variables: Record<string, string> = await resultOf(startFunction("handlers.mjs#environment"));
    expect(variables).toMatchObject({ AWS_ACCESS_KEY_ID: "AKID", AWS_SECRET_ACCESS_KEY: "secret" });
    expect(variables).not.toHaveProperty("AWS_SESSION_TOKEN");
    const profiled = startFunction("handlers.mjs#environment", { environment: { AWS_PROFILE: "mine" } });
    expect(await resultOf(profiled)).not.toHaveProperty("AWS_ACCESS_KEY_ID");
  });
});

describe("environments", () => {
  test("nothing is started before the first invocation, and it is used again", async () => {
    const runner = startFunction("handlers.mjs#counting");
    const first: { count: number; pid: number } = await resultOf(runner);
    const { text, logs } = await invoke(runner);
    expect(first.count).toBe(1);
    expect(JSON.parse(text)).toEqual({ count: 2, pid: first.pid });
    expect(logs).not.toContain("INIT_START");
    expect(parseReport(logs)?.initDuration).toBeUndefined();
  });

  test("a cold start says how long it took", async () => {
    const { logs, result } = await invoke(startFunction("handlers.mjs"));
    expect(logs).toMatch(/^INIT_START Runtime Version: nodejs:\d+/);
    expect(logs).toContain(`START RequestId: ${result.requestId} Version: $LATEST\n`);
    expect(logs).toMatch(/\nREPORT .*\tInit Duration: \d+\.\d\d ms\t\n$/);
    const report = parseReport(logs);
    expect(report?.memorySize).toBe(256);
    expect(report?.maxMemoryUsed).toBeGreaterThan(process.platform === "linux" ? 20 : -1);
  });

  test("each runs one invocation at a time; more are started up to the limit, then Lambda refuses", async () => {
    const meeting = await openMeeting();
    const runner = startFunction("handlers.mjs#meeting", { concurrency: 3 });
    const running = [1, 2, 3].map(() => invoke(runner, { port: meeting.port }));
    const sockets = [await meeting.arrival(), await meeting.arrival(), await meeting.arrival()];
    await expect(runner.run(callOf())).rejects.toMatchObject({
      status: 429,
      name: "TooManyRequestsException",
      body: {
        Reason: "ReservedFunctionConcurrentInvocationLimitExceeded",
        Type: "User",
        message: "Rate Exceeded.",
      },
    });
    for (const socket of sockets) socket.end();
    expect((await Promise.all(running)).map(({ text }) => text)).toEqual(['"met"', '"met"', '"met"']);
    const again = invoke(runner, { port: meeting.port });
    (await meeting.arrival()).end();
    expect(await again).toMatchObject({ text: '"met"', logs: expect.not.stringContaining("INIT_START") });
    meeting.close();
  });

  test("one that ended between two invocations is started anew", async () => {
    const runner = startFunction("handlers.mjs#afterwards", { concurrency: 1 });
    const first: number = await resultOf(runner);
    await hasEnded(first);
    expect(await resultOf(runner)).not.toBe(first);
  });

  test("an aborted invocation runs on, and its environment is free when it is over", async () => {
    const meeting = await openMeeting();
    const runner = startFunction("handlers.mjs#meeting", { concurrency: 1 });
    const controller = new AbortController();
    const reason = new RangeError("changed my mind");
    const aborted = runner.run(callOf({ port: meeting.port }), controller.signal);
    const socket = await meeting.arrival();
    controller.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    await expect(runner.run(callOf())).rejects.toMatchObject({ status: 429 });
    await expect(runner.run(callOf(), controller.signal)).rejects.toBe(reason);
    socket.end();
    await vi.waitFor(async () => {
      const next = invoke(runner, { port: meeting.port });
      void meeting.arrival().then((other) => other.end());
      expect((await next).logs).not.toContain("INIT_START");
    });
    meeting.close();
  });

  test("a file outside of the current folder", async () => {
    const runner = startFunction("handlers.mjs#environment", {
      program: { file: join(FUNCTIONS, "handlers.mjs"), handler: "environment" },
    });
    const before = process.cwd();
    vi.spyOn(process, "cwd").mockReturnValue("/nonexistent");
    try {
      expect(await resultOf(runner)).toMatchObject({ LAMBDA_TASK_ROOT: FUNCTIONS, _HANDLER: "handlers.environment" });
    } finally {
      vi.restoreAllMocks();
    }
    expect(process.cwd()).toBe(before);
  });
});
