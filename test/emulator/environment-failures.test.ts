// How functions in execution environments fail, and what Lambda makes of each failure.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { EnvironmentSettings } from "../../src/emulator/environment/runner.ts";
import { failureOf, invoke, resultOf, startFunction } from "../support/environment-functions.ts";

const folder = mkdtempSync(join(tmpdir(), "environment-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const isLinux = process.platform === "linux";

describe("what a handler throws", () => {
  test.each<[string, string, string, string]>([
    ["thrown, async", "failing", "TypeError", "bad ü"],
    ["thrown, not async, and no Error", "throwing", "string", "mere text"],
    ["by a callback", "failingCallback", "TypeError", "by callback"],
    ["by context.fail", "fail", "RangeError", "by context"],
    ["a result that JSON can't hold", "unserialisable", "Error", "Unable to stringify response body"],
    ["a promise that is never settled", "never", "Runtime.NodeJsExit", expect.stringContaining("settled")],
  ])("%s", async (_name, handler, errorType, errorMessage) => {
    const runner = startFunction(`handlers.mjs#${handler}`);
    expect(await failureOf(runner)).toMatchObject({ errorType, errorMessage });
    // The environment lives on.
    const again = await invoke(runner);
    expect(again.logs).not.toContain("INIT_START");
    expect(again.logs).not.toContain("Status: error");
  });

  test("the payload and the log of Lambda's Node.js runtime", async () => {
    const { text, logs, result } = await invoke(startFunction("handlers.mjs#failing"));
    const failure = JSON.parse(text) as { trace: string[] };
    expect(Object.keys(failure)).toEqual(["errorType", "errorMessage", "trace"]);
    expect(failure.trace[0]).toBe("TypeError: bad ü");
    expect(failure.trace[1]).toMatch(/handlers\.mjs/);
    expect(logs).toMatch(
      new RegExp(
        `Z\t${result.requestId}\tERROR\tInvoke Error \t{"errorType":"TypeError","errorMessage":"bad ü","code":"E_BAD","stack":`,
      ),
    );
  });

  test("a result that is too large, and one that is just not", async () => {
    const runner = startFunction("handlers.mjs#big");
    expect((await invoke(runner, { bytes: 6_291_556 })).functionError).toBeUndefined();
    expect(await failureOf(runner, { bytes: 6_291_557 })).toEqual({
      errorType: "Function.ResponseSizeTooLarge",
      errorMessage: "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
    });
    expect((await invoke(runner, { bytes: 10 })).functionError).toBeUndefined();
  });
});

describe("a process that ends", () => {
  test.each<[string, string, unknown, string]>([
    ["with a status", "exiting", { status: 3 }, "Runtime exited with error: exit status 3"],
    ["with none", "exiting", { status: 0 }, "Runtime exited without providing a reason"],
    ["by abort", "aborting", {}, "Runtime exited with error: signal: aborted"],
    ["by a signal", "killed", { signal: "SIGTERM" }, "Runtime exited with error: signal: terminated"],
    ["by SIGKILL", "killed", { signal: "SIGKILL" }, "Runtime exited with error: signal: killed"],
    ["by a fault", "killed", { signal: "SIGSEGV" }, "Runtime exited with error: signal: segmentation fault"],
  ])("%s", async (_name, handler, event, text) => {
    const runner = startFunction(`handlers.mjs#${handler}`);
    const { text: payload, functionError, logs, result } = await invoke(runner, event);
    expect(functionError).toBe("Unhandled");
    expect(JSON.parse(payload)).toEqual({
      errorType: "Runtime.ExitError",
      errorMessage: `RequestId: ${result.requestId} Error: ${text}`,
    });
    expect(logs).toContain(`RequestId: ${result.requestId} Error: ${text}\nRuntime.ExitError\nEND RequestId: `);
    expect(logs).toMatch(/\tStatus: error\tError Type: Runtime\.ExitError\t\n$/);
    expect((await invoke(runner, event)).logs).toContain("INIT_START");
  });

  test.each([
    ["uncaught", "RangeError", "nobody catches it", "Uncaught Exception", 129],
    [
      "unhandled",
      "Runtime.UnhandledPromiseRejection",
      "RangeError: nobody handles it",
      "Unhandled Promise Rejection",
      128,
    ],
  ])("by an error that is %s", async (handler, errorType, errorMessage, what, status) => {
    const runner = startFunction(`handlers.mjs#${handler}`);
    const { text, functionError, logs } = await invoke(runner);
    expect(functionError).toBe("Unhandled");
    expect(JSON.parse(text)).toMatchObject({ errorType, errorMessage });
    expect(logs).toContain(`\tERROR\t${what} \t{"errorType":"${errorType}"`);
    expect(logs).toContain(`Runtime exited with error: exit status ${status}`);
  });
});

describe("a module that can't be loaded", () => {
  const writeModule = (name: string, text: string): Partial<EnvironmentSettings> => {
    const file = join(folder, name);
    writeFileSync(file, text);
    return { program: { file, handler: undefined } };
  };

  test.each<[string, Partial<EnvironmentSettings>, string, unknown]>([
    [
      "with a module missing",
      writeModule("missing.mjs", 'import "./nowhere.mjs";'),
      "Runtime.ImportModuleError",
      expect.stringContaining("Cannot find module"),
    ],
    [
      "with a module missing, in CommonJS",
      writeModule("missing.cjs", 'require("nowhere");'),
      "Runtime.ImportModuleError",
      expect.stringContaining("Error: Cannot find module 'nowhere'\nRequire stack:"),
    ],
    [
      "that is no JavaScript",
      writeModule("syntax.mjs", "export const handler = ;"),
      "Runtime.UserCodeSyntaxError",
      "SyntaxError: Unexpected token ';'",
    ],
    [
      "that is not there",
      { program: { file: join(folder, "nowhere.mjs"), handler: undefined } },
      "Runtime.ImportModuleError",
      expect.stringContaining("nowhere.mjs"),
    ],
    ["that throws", writeModule("throws.mjs", 'throw new RangeError("while loading");'), "RangeError", "while loading"],
    [
      "that exports no handler",
      writeModule("none.mjs", "export const other = 1;"),
      "Runtime.HandlerNotFound",
      "none.handler is undefined or not exported",
    ],
    [
      "whose handler is no function",
      writeModule("text.mjs", 'export const handler = "x";'),
      "Runtime.HandlerNotFound",
      "text.handler is not a function",
    ],
    [
      "whose handler has no name",
      { program: { ...(writeModule("bad.mjs", "export const a = 1;").program as { file: string }), handler: "a." } },
      "Runtime.MalformedHandlerName",
      "Bad handler",
    ],
  ])("%s", async (_name, settings, errorType, errorMessage) => {
    const runner = startFunction("", settings);
    // It is tried anew each time.
    for (let i = 0; i < 2; i++) {
      const { text, functionError, logs } = await invoke(runner);
      expect(functionError).toBe("Unhandled");
      expect(JSON.parse(text)).toMatchObject({ errorType, errorMessage, trace: expect.any(Array) });
      expect(logs).toContain("INIT_START");
      expect(logs).toMatch(
        new RegExp(`\nINIT_REPORT Init Duration: .* ms\tPhase: init\tStatus: error\tError Type: ${errorType}\n`),
      );
      expect(logs).toMatch(new RegExp(`\tStatus: error\tError Type: ${errorType}\t\n$`));
    }
  });

  test("that ends the process", async () => {
    const runner = startFunction("", writeModule("exits.mjs", "process.exit(9);"));
    expect(await failureOf(runner)).toMatchObject({
      errorType: "Runtime.ExitError",
      errorMessage: expect.stringContaining("exit status 9"),
    });
  });

  test("the next one that can, does", async () => {
    const settings = writeModule("mended.mjs", "export const handler = ;");
    const runner = startFunction("", settings);
    expect(await failureOf(runner)).toMatchObject({ errorType: "Runtime.UserCodeSyntaxError" });
    writeModule("mended.mjs", "export const handler = async () => 'mended';");
    expect(await resultOf(runner)).toBe("mended");
  });
});

describe("a process that can't be started", () => {
  test.each([
    ["too large", "x".repeat(5_000_000), "E2BIG"],
    ["no text that a process can be given", "a\0b", "null bytes"],
  ])("since a variable is %s", async (_name, value, errorMessage) => {
    const runner = startFunction("handlers.mjs", { environment: { VARIABLE: value } });
    for (let i = 0; i < 2; i++) {
      expect(await failureOf(runner)).toEqual({
        errorType: "Runtime.InvalidEntrypoint",
        errorMessage: expect.stringContaining(errorMessage),
      });
    }
  });
});

describe("the timeout", () => {
  test.each([
    ["a handler that waits", "slow"],
    ["a busy loop", "busy"],
  ])("of %s", async (_name, handler) => {
    const runner = startFunction(`handlers.mjs#${handler}`, { timeout: 300 });
    const { text, functionError, logs, result } = await invoke(runner, { milliseconds: 60_000 });
    expect(functionError).toBe("Unhandled");
    expect(JSON.parse(text)).toEqual({
      errorType: "Sandbox.Timedout",
      errorMessage: `RequestId: ${result.requestId} Error: Task timed out after 0.30 seconds`,
    });
    expect(logs).toContain(` ${result.requestId} Task timed out after 0.30 seconds\nEND RequestId: `);
    expect(logs).toMatch(/\tStatus: timeout\t\n$/);
  });

  test("is each invocation's own", async () => {
    const runner = startFunction("handlers.mjs#slow", { timeout: 700 });
    const pids: number[] = [];
    for (let i = 0; i < 3; i++) pids.push(await resultOf(runner, { milliseconds: 300 }));
    expect(new Set(pids).size).toBe(1);
  });
});

describe.runIf(isLinux)("the memory", () => {
  const memorySize = 128;
  test.each([
    ["Buffers", "handlers.mjs#buffers", { megabytes: 200 }],
    ["Buffers, at once", "handlers.mjs#burst", { megabytes: 200 }],
  ])("of %s", async (_name, file, event) => {
    const runner = startFunction(file, { memorySize });
    const { text, functionError, logs, result } = await invoke(runner, event);
    expect(functionError).toBe("Unhandled");
    expect(JSON.parse(text)).toEqual({
      errorType: "Runtime.ExitError",
      errorMessage: `RequestId: ${result.requestId} Error: Runtime exited with error: signal: killed`,
    });
    expect(logs).toMatch(/Max Memory Used: 128 MB\t.*Status: error\tError Type: Runtime\.OutOfMemory\t\n$/);
  });

  test("of JavaScript's own heap", async () => {
    const { text, functionError } = await invoke(startFunction("handlers.mjs#heap", { memorySize }));
    expect(functionError).toBe("Unhandled");
    expect(JSON.parse(text)).toMatchObject({
      errorType: "Runtime.ExitError",
      errorMessage: expect.stringMatching(/signal: (killed|aborted)$/),
    });
  });

  test("up to the limit is allowed", async () => {
    expect(await resultOf(startFunction("handlers.mjs#buffers", { memorySize }), { megabytes: 40 })).toBe(40);
  });
});
