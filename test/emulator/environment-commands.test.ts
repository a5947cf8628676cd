// Custom runtimes in execution environments: whatever speaks the Runtime API, in shell and in Python.
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  callOf,
  FUNCTIONS,
  failureOf,
  invoke,
  openStream,
  readAll,
  resultOf,
  startFunction,
} from "../support/environment-functions.ts";
import { canRun } from "../support/environment-processes.ts";

const shell = { command: `sh '${join(FUNCTIONS, "bootstrap.sh")}'` };
const python = { command: `python3 '${join(FUNCTIONS, "bootstrap.py")}'` };
const isWindows = process.platform === "win32";

// They say that they were skipped where the machine lacks what they need: a shell with curl; Python.
describe.skipIf(isWindows || !canRun("curl"))("a runtime in shell, with curl", () => {
  test("answers one event after the other", async () => {
    const runner = startFunction(shell);
    const { text, logs } = await invoke(runner, { a: "ü" });
    expect(text).toBe('{"shell":{"a":"ü"}}');
    expect(logs).toMatch(/^INIT_START Runtime Version: provided\n/);
    expect(logs).toContain('\nevent: {"a":"ü"}\n');
    expect(logs).toMatch(/\tInit Duration: .*\t\n$/);
    expect((await invoke(runner, { b: 1 })).logs).not.toContain("INIT_START");
  });

  test("is told what Lambda tells", async () => {
    const call = callOf({ headers: 1 }, { tenantId: "t", clientContext: Buffer.from("{}").toString("base64") });
    const { payload } = await startFunction(shell).run(call);
    const headers = Buffer.from(payload as Uint8Array).toString();
    expect(headers).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(headers).toContain(`Lambda-Runtime-Aws-Request-Id: ${call.requestId}\r\n`);
    expect(headers).toContain(
      "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-west-1:123456789012:function:orders\r\n",
    );
    expect(headers).toContain(`Lambda-Runtime-Trace-Id: ${call.traceId}\r\n`);
    expect(headers).toContain("Lambda-Runtime-Client-Context: {}\r\n");
    expect(headers).toContain("Lambda-Runtime-Aws-Tenant-Id: t\r\n");
    const [, deadline] = /Lambda-Runtime-Deadline-Ms: (\d+)/.exec(headers) ?? [];
    expect(Math.abs(Number(deadline) - Date.now() - 10_000)).toBeLessThan(5000);
  });

  test("posts an error", async () => {
    const runner = startFunction(shell);
    expect(await failureOf(runner, "fail")).toEqual({ errorType: "Function.Bad", errorMessage: "as asked" });
    expect(await resultOf(runner, 1)).toEqual({ shell: 1 });
  });

  test("gives bytes that are no JSON", async () => {
    const { payload } = await startFunction(shell).run(callOf("bytes"));
    expect(payload).toEqual(Buffer.from([0xff, 0, 1]));
  });

  test("ends, and is ended with all that it has started", async () => {
    const runner = startFunction(shell, { timeout: 500 });
    expect(await failureOf(runner, "exit")).toMatchObject({
      errorType: "Runtime.ExitError",
      errorMessage: expect.stringContaining("exit status 5"),
    });
    expect(await failureOf(runner, "sleep")).toMatchObject({ errorType: "Sandbox.Timedout" });
    expect(await resultOf(runner, 1)).toEqual({ shell: 1 });
  });

  test("says that it can't start", async () => {
    const runner = startFunction(shell, { environment: { FAIL_INIT: "1" } });
    for (let i = 0; i < 2; i++) {
      const { text, logs } = await invoke(runner);
      expect(JSON.parse(text)).toEqual({ errorType: "Runtime.NoConfig", errorMessage: "no configuration" });
      expect(logs).toContain("Phase: init\tStatus: error\tError Type: Runtime.NoConfig\n");
    }
  });
});

describe.skipIf(isWindows || !canRun("python3"))("a runtime in Python", () => {
  test("answers one event after the other", async () => {
    const runner = startFunction(python);
    const { text, logs } = await invoke(runner, { a: "ü" });
    expect(JSON.parse(text)).toEqual({ python: 3, event: { a: "ü" } });
    expect(logs).toContain("python has {'a': 'ü'}\n");
    expect(await resultOf(runner, { b: 1 })).toEqual({ python: 3, event: { b: 1 } });
  });

  test("streams", async () => {
    const { text, end } = await readAll(await openStream(startFunction(python), { stream: ["and ", "then"] }));
    expect(text).toBe("and then");
    expect(end).toEqual({ logs: expect.stringContaining("python has") });
  });

  test("streams, and says in a trailer that it failed", async () => {
    const event = { stream: ["x"], error: "Function.Midway" };
    const { text, end } = await readAll(await openStream(startFunction(python), event));
    expect(text).toBe("x");
    expect(end?.functionError).toBe("Unhandled");
    expect(JSON.parse(end?.errorDetails ?? "")).toEqual({ errorType: "Function.Midway", errorMessage: "" });
  });

  test("cuts off what it streams, and lives on", async () => {
    const runner = startFunction(python);
    const { text, end } = await readAll(await openStream(runner, { stream: ["x"], cut: true }));
    expect(text).toBe("x");
    expect(end?.functionError).toBe("Runtime.TruncatedResponse");
    expect(JSON.parse(end?.errorDetails ?? "")).toMatchObject({ errorType: "Runtime.TruncatedResponse" });
    expect(await failureOf(runner, { stream: ["x"], cut: true })).toMatchObject({
      errorType: "Runtime.TruncatedResponse",
    });
    expect(await invoke(runner, {})).toMatchObject({ logs: expect.not.stringContaining("INIT_START") });
  });

  test.runIf(process.platform === "linux")("is ended when it takes too much memory", async () => {
    const runner = startFunction(python, { memorySize: 128 });
    const { functionError, logs } = await invoke(runner, { memory: 300 });
    expect(functionError).toBe("Unhandled");
    expect(logs).toContain("Error Type: Runtime.OutOfMemory");
  });

  test.runIf(process.platform === "linux")("may share its memory with its children: it counts once", async () => {
    const runner = startFunction(python, { memorySize: 128 });
    expect((await invoke(runner, { fork: 60 })).functionError).toBeUndefined();
  });
});

describe.skipIf(isWindows)("a command", () => {
  test("that there is not", async () => {
    const { text, logs } = await invoke(startFunction({ command: "no-such-command-here --serve" }));
    expect(JSON.parse(text)).toMatchObject({
      errorType: "Runtime.ExitError",
      errorMessage: expect.stringContaining("Runtime exited with error: exit status 127"),
    });
    expect(logs).toContain("no-such-command-here");
  });

  test("that ends without a word", async () => {
    expect(await failureOf(startFunction({ command: "true" }))).toMatchObject({
      errorMessage: expect.stringContaining("Runtime exited without providing a reason"),
    });
  });
});
