// Functions in execution environments that stream their results.
import { describe, expect, test } from "vitest";
import { readFrame } from "../../src/formats/stream.ts";
import {
  callOf,
  failureOf,
  invoke,
  openStream,
  readAll,
  resultOf,
  startFunction,
} from "../support/environment-functions.ts";
import { openMeeting } from "../support/environment-processes.ts";

describe("a result that is streamed", () => {
  test("comes as the function writes it", async () => {
    const meeting = await openMeeting();
    const stream = await openStream(startFunction("streaming.mjs#stepwise"), { port: meeting.port });
    const socket = await meeting.arrival();
    // The function waits, and its first piece is here.
    expect(Buffer.from((await stream.next()).value as Uint8Array).toString()).toBe("first ");
    socket.end();
    const { text, end } = await readAll(stream);
    expect(text).toBe("second");
    expect(end).toEqual({ logs: expect.stringMatching(/^INIT_START.*\nREPORT RequestId: .*\t\n$/s) });
    meeting.close();
  });

  test("is all of it at once for a caller that does not stream", async () => {
    const runner = startFunction("streaming.mjs");
    expect((await invoke(runner, { pieces: ["a", "ü"] })).text).toBe("aü");
    const { text } = await invoke(startFunction("streaming.mjs#http"));
    expect(readFrame(Buffer.from(text))).toEqual({
      prelude: { statusCode: 201, headers: { "content-type": "text/plain" } },
      body: Buffer.from("hello"),
    });
  });

  test("may be empty", async () => {
    const runner = startFunction("streaming.mjs#empty");
    expect((await invoke(runner)).text).toBe("");
    expect(await readAll(await openStream(runner))).toEqual({ text: "", end: { logs: expect.any(String) } });
  });

  test("of a function that does not stream is one piece", async () => {
    const runner = startFunction("handlers.mjs");
    const result = await runner.run(callOf({ a: 1 }, { responseStreaming: true }));
    expect(result.payload).toEqual(Buffer.from('{"a":1}'));
  });

  test("without the log, its end says nothing of it; and the environment is used again", async () => {
    const runner = startFunction("streaming.mjs", { concurrency: 1 });
    for (let i = 0; i < 3; i++) {
      const stream = await openStream(runner, { pieces: ["x", "y"] }, { logs: false });
      expect(await readAll(stream)).toEqual({ text: "xy", end: {} });
    }
  });

  test("has a context as well", async () => {
    const { remaining, ...context }: Record<string, unknown> = await resultOf(startFunction("streaming.mjs#context"));
    expect(remaining).toBeGreaterThan(5000);
    expect(context).toMatchObject({ functionName: "orders", callbackWaitsForEmptyEventLoop: true });
    expect(context).not.toHaveProperty("succeed");
  });

  test("may be larger than one that is not, but only as a stream", async () => {
    const runner = startFunction("streaming.mjs#much");
    const { text, end } = await readAll(await openStream(runner, { megabytes: 8 }));
    expect(text.length).toBe(8 * 1024 * 1024);
    expect(end?.functionError).toBeUndefined();
    expect(await failureOf(runner, { megabytes: 8 })).toMatchObject({ errorType: "Function.ResponseSizeTooLarge" });
    expect((await readAll(await openStream(runner, { megabytes: 1 }))).text.length).toBe(1024 * 1024);
  });
});

describe("a stream that fails", () => {
  const failure = { errorType: "RangeError", errorMessage: "midway", trace: expect.any(Array) };

  test("in the middle", async () => {
    const runner = startFunction("streaming.mjs#failing");
    const { text, end } = await readAll(await openStream(runner, { pieces: ["and ", "then"] }));
    expect(text).toBe("and then");
    expect(end).toMatchObject({ functionError: "Unhandled", logs: expect.stringContaining("Invoke Error") });
    expect(JSON.parse(end?.errorDetails ?? "")).toEqual(failure);
    expect(await failureOf(runner, { pieces: ["and ", "then"] })).toEqual(failure);
  });

  test("before its first piece", async () => {
    const { text, end } = await readAll(await openStream(startFunction("streaming.mjs#failing"), { pieces: [] }));
    expect(text).toBe("");
    expect(JSON.parse(end?.errorDetails ?? "")).toEqual(failure);
  });

  test("since it is never ended", async () => {
    const runner = startFunction("streaming.mjs#unended", { timeout: 300 });
    const { text, end } = await readAll(await openStream(runner));
    expect(text).toBe("and then");
    expect(JSON.parse(end?.errorDetails ?? "")).toMatchObject({ errorType: "Sandbox.Timedout" });
  });

  test("since its handler is not async", async () => {
    expect(await failureOf(startFunction("streaming.mjs#sync"))).toMatchObject({
      errorType: "string",
      errorMessage: "Streaming does not support non-async handlers.",
    });
  });

  test("since its process ends", async () => {
    const runner = startFunction("streaming.mjs#exiting");
    const { text, end } = await readAll(await openStream(runner));
    expect(text).toBe("and then");
    expect(end).toMatchObject({
      functionError: "Runtime.TruncatedResponse",
      errorDetails: expect.stringContaining("Runtime exited with error: exit status 3"),
      logs: expect.stringContaining("Error Type: Runtime.ExitError"),
    });
    expect(await failureOf(runner)).toMatchObject({ errorType: "Runtime.ExitError" });
  });

  test("since it takes too long", async () => {
    const runner = startFunction("streaming.mjs#hanging", { timeout: 300 });
    const { text, end } = await readAll(await openStream(runner));
    expect(text).toBe("and then");
    expect(end).toMatchObject({
      functionError: "Unhandled",
      errorDetails: expect.stringContaining("Task timed out after 0.30 seconds"),
      logs: expect.stringContaining("Status: timeout"),
    });
  });
});

describe("who reads it", () => {
  test("slowly, makes the function wait", async () => {
    const runner = startFunction("streaming.mjs#much", { timeout: 1000 });
    const stream = await openStream(runner, { megabytes: 60 });
    await stream.next();
    // Nobody reads on, and so it is not written before its time is up.
    const call = new Promise((resolve) => setTimeout(resolve, 1100));
    await call;
    const { text, end } = await readAll(stream);
    expect(text.length).toBeLessThan(20 * 1024 * 1024);
    expect(end?.errorDetails).toContain("Task timed out");
    expect(end?.logs).not.toContain("all written");
  });

  test("no more, does not stop the function, whose environment is then used again", async () => {
    const runner = startFunction("streaming.mjs#much", { concurrency: 1 });
    const stream = await openStream(runner, { megabytes: 10 }, { logs: false });
    await stream.next();
    await stream.return?.();
    const { logs } = await waitForRoom(() => invoke(runner, { megabytes: 1 }));
    expect(logs).not.toContain("INIT_START");
  });

  test("and aborts, likewise", async () => {
    const runner = startFunction("streaming.mjs#much", { concurrency: 1 });
    const controller = new AbortController();
    const reason = new RangeError("enough");
    const stream = await openStream(runner, { megabytes: 10 }, { logs: false }, controller.signal);
    await stream.next();
    controller.abort(reason);
    await expect(readAll(stream)).rejects.toBe(reason);
    const { logs } = await waitForRoom(() => invoke(runner, { megabytes: 1 }));
    expect(logs).not.toContain("INIT_START");
  });
});

/** Tries again as long as Lambda refuses, as the SDKs do. */
async function waitForRoom<Result>(call: () => Promise<Result>): Promise<Result> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if ((error as { status?: number }).status !== 429) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}
