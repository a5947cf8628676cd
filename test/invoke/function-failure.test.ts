import { describe, expect, test } from "vitest";
import type { FunctionFailure, FunctionFailureKind } from "../../src/errors.ts";
import { failureAdvice, readFunctionFailure } from "../../src/invoke/function-failure.ts";

const ID = "8b3ba6c4-5a0c-4e5b-9c25-4b5a4b5cdd1b";

/** What Lambda returns with `X-Amz-Function-Error`, and what is read out of it. */
const shapes: Record<string, [payload: string, failure: FunctionFailure]> = {
  "Node.js": [
    '{"errorType":"TypeError","errorMessage":"x is not a function","trace":["TypeError: x is not a function","    at Runtime.handler (/var/task/index.js:2:9)"]}',
    {
      kind: "exception",
      errorType: "TypeError",
      errorMessage: "x is not a function",
      stackTrace: ["TypeError: x is not a function", "    at Runtime.handler (/var/task/index.js:2:9)"],
    },
  ],
  Python: [
    `{"errorMessage":"no such order: 7","errorType":"KeyError","requestId":"${ID}","stackTrace":["  File \\"/var/task/app.py\\", line 3, in handler\\n    raise KeyError(7)\\n"]}`,
    {
      kind: "exception",
      errorType: "KeyError",
      errorMessage: "no such order: 7",
      stackTrace: ['  File "/var/task/app.py", line 3, in handler\n    raise KeyError(7)\n'],
    },
  ],
  "Python, an error without a message": [
    `{"errorMessage":"","errorType":"Exception","requestId":"${ID}","stackTrace":[]}`,
    { kind: "exception", errorType: "Exception", errorMessage: "", stackTrace: [] },
  ],
  "Python, before the handler": [
    `{"errorMessage":"Unable to import module 'app': No module named 'flask'","errorType":"Runtime.ImportModuleError","requestId":"","stackTrace":[]}`,
    {
      kind: "exception",
      errorType: "Runtime.ImportModuleError",
      errorMessage: "Unable to import module 'app': No module named 'flask'",
      stackTrace: [],
    },
  ],
  Java: [
    '{"errorMessage":"Error","errorType":"java.lang.RuntimeException","stackTrace":["app.Handler.handle(Handler.java:9)"],"cause":{"errorMessage":"inner","errorType":"java.io.IOException","stackTrace":[]}}',
    {
      kind: "exception",
      errorType: "java.lang.RuntimeException",
      errorMessage: "Error",
      stackTrace: ["app.Handler.handle(Handler.java:9)", "Caused by: java.io.IOException: inner"],
    },
  ],
  ".NET": [
    '{"errorType":"Exception","errorMessage":"boom","stackTrace":["at App.Function.Handler(String input)","at lambda_method1(Closure )"]}',
    {
      kind: "exception",
      errorType: "Exception",
      errorMessage: "boom",
      stackTrace: ["at App.Function.Handler(String input)", "at lambda_method1(Closure )"],
    },
  ],
  Ruby: [
    `{"errorMessage":"Error","errorType":"Function<RuntimeError>","stackTrace":["/var/task/app.rb:2:in 'handler'"]}`,
    {
      kind: "exception",
      errorType: "Function<RuntimeError>",
      errorMessage: "Error",
      stackTrace: ["/var/task/app.rb:2:in 'handler'"],
    },
  ],
  "Go, a returned error": [
    '{"errorMessage":"no such order","errorType":"errorString"}',
    { kind: "exception", errorType: "errorString", errorMessage: "no such order" },
  ],
  "Go, a panic, whose stack is objects": [
    '{"errorMessage":"boom","errorType":"string","stackTrace":[{"path":"github.com/aws/aws-lambda-go@v1.47.0/lambda/errors.go","line":39,"label":"lambdaPanicResponse"},{"path":"app/main.go","line":12,"label":"handler"}]}',
    {
      kind: "exception",
      errorType: "string",
      errorMessage: "boom",
      stackTrace: [
        "github.com/aws/aws-lambda-go@v1.47.0/lambda/errors.go:39 lambdaPanicResponse",
        "app/main.go:12 handler",
      ],
    },
  ],
  Rust: [
    '{"errorType":"&alloc::boxed::Box<dyn core::error::Error + core::marker::Send + core::marker::Sync>","errorMessage":"boom"}',
    {
      kind: "exception",
      errorType: "&alloc::boxed::Box<dyn core::error::Error + core::marker::Send + core::marker::Sync>",
      errorMessage: "boom",
    },
  ],
  "a timeout": [
    `{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: ${ID} Error: Task timed out after 3.00 seconds"}`,
    {
      kind: "timeout",
      errorType: "Sandbox.Timedout",
      errorMessage: `RequestId: ${ID} Error: Task timed out after 3.00 seconds`,
    },
  ],
  "a timeout, as it was until 2024": [
    `{"errorMessage":"2024-04-08T10:00:00.000Z ${ID} Task timed out after 1.00 seconds"}`,
    { kind: "timeout", errorMessage: `2024-04-08T10:00:00.000Z ${ID} Task timed out after 1.00 seconds` },
  ],
  "a timeout, as the runtime emulator has it": [
    "Task timed out after 3.00 seconds",
    { kind: "timeout", errorMessage: "Task timed out after 3.00 seconds" },
  ],
  "a process that was killed, for want of memory": [
    `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ${ID} Error: Runtime exited with error: signal: killed"}`,
    {
      kind: "out-of-memory",
      errorType: "Runtime.ExitError",
      errorMessage: `RequestId: ${ID} Error: Runtime exited with error: signal: killed`,
    },
  ],
  "a result that is too large": [
    '{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes)."}',
    {
      kind: "too-large",
      errorType: "Function.ResponseSizeTooLarge",
      errorMessage: "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
    },
  ],
};

test.each(Object.entries(shapes))("%s", (_, [payload, failure]) => {
  expect(readFunctionFailure(Buffer.from(payload))).toStrictEqual(failure);
});

describe("a custom runtime may return anything", () => {
  test.each([
    "",
    "null",
    '"boom"',
    "7",
    "[]",
    "{}",
    '{"error":"boom"}',
    '{"errorMessage":null}',
    '{"errorMessage":{"a":1}}',
    '{"errorMessage":"cut of',
    "<html>größe</html>",
  ])("%s is its own message", (payload) => {
    expect(readFunctionFailure(Buffer.from(payload))).toStrictEqual({ kind: "exception", errorMessage: payload });
  });

  test("what has another type than usual is left out", () => {
    const payload = '{"errorMessage":"boom","errorType":{"name":"E"},"stackTrace":"at a\\nat b"}';
    expect(readFunctionFailure(Buffer.from(payload))).toStrictEqual({ kind: "exception", errorMessage: "boom" });
  });

  test("a stack of odd lines", () => {
    const payload = '{"errorMessage":"boom","trace":["at a",null,7,{"file":"x"},["b"]]}';
    expect(readFunctionFailure(Buffer.from(payload))).toStrictEqual({
      kind: "exception",
      errorMessage: "boom",
      stackTrace: ["at a", "null", "7", '{"file":"x"}', '["b"]'],
    });
  });

  test("names of Object.prototype are none of its fields", () => {
    const payload = '{"errorMessage":"boom","__proto__":{"errorType":"Injected"}}';
    expect(readFunctionFailure(Buffer.from(payload))).toStrictEqual({ kind: "exception", errorMessage: "boom" });
  });

  test("bytes that are no UTF-8", () => {
    expect(readFunctionFailure(Uint8Array.of(0x62, 0xff, 0x6d))).toStrictEqual({
      kind: "exception",
      errorMessage: "b\uFFFDm",
    });
  });

  test("a part of a larger buffer", () => {
    const payload = new TextEncoder().encode('behind|{"errorMessage":"boom"}|').subarray(7, -1);
    expect(readFunctionFailure(payload)).toStrictEqual({ kind: "exception", errorMessage: "boom" });
  });
});

const TIMED_OUT = "Task timed out after 1.00 seconds";
const EXIT = `RequestId: ${ID} Error: Runtime exited with error:`;

describe("the kind of a failure", () => {
  const read = (failure: object, logs?: string): FunctionFailureKind =>
    readFunctionFailure(Buffer.from(JSON.stringify(failure)), logs).kind;

  test.each<[who: string, kind: FunctionFailureKind, errorType: string | undefined, errorMessage: string]>([
    ["Node.js, a throw", "exception", "TypeError", "x is not a function"],
    ["Node.js, a throw of a string", "exception", "string", "boom"],
    ["Node.js, a rejection that nobody handled", "exception", "Runtime.UnhandledPromiseRejection", "Error: boom"],
    ["Node.js, no module", "exception", "Runtime.ImportModuleError", "Error: Cannot find module 'index'"],
    ["Node.js, no handler", "exception", "Runtime.HandlerNotFound", "index.handler is undefined or not exported"],
    ["Node.js, a syntax error", "exception", "Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected token"],
    ["Node.js, exit", "crash", "Runtime.ExitError", `${EXIT} exit status 1`],
    ["Python, a throw", "exception", "KeyError", "'id'"],
    ["Python, a result that is no JSON", "exception", "Runtime.MarshalError", "Unable to marshal response"],
    ["Python, no memory", "out-of-memory", "MemoryError", ""],
    ["Python, sys.exit", "crash", "Runtime.ExitError", `${EXIT} exit status 7`],
    ["Java, a throw", "exception", "java.lang.IllegalStateException", "boom"],
    ["Java, no memory", "out-of-memory", "java.lang.OutOfMemoryError", "Java heap space"],
    ["Go, an error", "exception", "errorString", "boom"],
    ["Go, a panic", "exception", "runtime.boundsError", "index out of range [1] with length 0"],
    ["Go, os.Exit", "crash", "Runtime.ExitError", `${EXIT} exit status 2`],
    [".NET, a throw", "exception", "NullReferenceException", "Object reference not set"],
    [".NET, no memory", "out-of-memory", "OutOfMemoryException", "Insufficient memory"],
    ["Ruby, a throw", "exception", "Function<RuntimeError>", "boom"],
    ["Ruby, no memory", "out-of-memory", "Function<NoMemoryError>", "failed to allocate memory"],
    ["Rust, an error", "exception", "&alloc::boxed::Box<dyn core::error::Error>", "boom"],
    ["a custom runtime, no type", "exception", undefined, "boom"],
    ["no reason", "crash", "Runtime.ExitError", `RequestId: ${ID} Error: Runtime exited without providing a reason`],
    ["a segmentation fault", "crash", "Runtime.ExitError", `${EXIT} signal: segmentation fault`],
    ["killed by the kernel", "out-of-memory", "Runtime.ExitError", `${EXIT} signal: killed`],
    ["out of memory by its name", "out-of-memory", "Runtime.OutOfMemory", `${EXIT} signal: killed`],
    ["a bootstrap that can't be run", "crash", "Runtime.InvalidEntrypoint", `${EXIT} exit status 127`],
    ["a working directory that is not there", "crash", "Runtime.InvalidWorkingDir", "no such directory"],
    ["an extension that ended", "crash", "Extension.Crash", "exit code 1"],
    ["the limit of time", "timeout", "Sandbox.Timedout", "Task timed out after 900.00 seconds"],
    ["the limit of time, in other words", "timeout", "Sandbox.Timedout", "no more time"],
    ["the limit of time, as it was", "timeout", undefined, `2024-04-08T10:00:00.000Z ${ID} ${TIMED_OUT}`],
    ["a result over 6 MB", "too-large", "Function.ResponseSizeTooLarge", "Response payload size exceeded"],
  ])("%s: %s", (_who, kind, errorType, errorMessage) => {
    expect(read({ errorType, errorMessage })).toBe(kind);
  });

  test.each<[string, string, string]>([
    ["a task of the application's own", "TaskError", "Task timed out after 3.00 seconds"],
    ["one with another number", "", "Task timed out after 3 seconds"],
    ["a request that was slow", "TimeoutError", "The request timed out"],
    ["a payload that the application found too large", "PayloadTooLargeError", "Response payload size exceeded"],
    ["a process of the application's own that was killed", "ChildError", "signal: killed"],
    ["a name of its own that only begins so", "Runtime.ExitErrorHandler", "exit"],
    ["a name of its own that only ends so", "MyMemoryError", "forgot"],
  ])("%s is an exception", (_who, errorType, errorMessage) => {
    expect(read({ errorType: errorType === "" ? undefined : errorType, errorMessage })).toBe("exception");
  });

  test("names of methods are no types", () => {
    for (const errorType of ["constructor", "__proto__", "toString", "hasOwnProperty"]) {
      expect(read({ errorType, errorMessage: "" })).toBe("exception");
    }
  });

  describe("where the log alone tells that the memory was used up", () => {
    const exited = { errorType: "Runtime.ExitError", errorMessage: `${EXIT} exit status 1` };
    const report = `REPORT RequestId: ${ID}\tDuration: 9 ms\tStatus: error\tError Type: `;

    test.each<[string, string]>([
      ["the report", `${report}Runtime.OutOfMemory\t\n`],
      ["the report as JSON", '{"type":"platform.report","record":{"errorType":"Runtime.OutOfMemory"}}\n'],
      ["Node.js itself", "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n"],
    ])("%s", (_who, logs) => {
      expect(read(exited, logs)).toBe("out-of-memory");
      expect(read({ ...exited, errorMessage: "Runtime exited without providing a reason" }, logs)).toBe(
        "out-of-memory",
      );
    });

    test("another log, or none, tells nothing", () => {
      for (const logs of ["", `${report}Runtime.ExitError\t\n`, "not out of memory yet\n"]) {
        expect(read(exited, logs)).toBe("crash");
      }
    });

    test("of what did not end the process, the log says nothing", () => {
      const logs = "retrying after Runtime.OutOfMemory\n";
      expect(read({ errorType: "Error", errorMessage: "boom" }, logs)).toBe("exception");
      expect(read({ errorType: "Sandbox.Timedout", errorMessage: "Task timed out after 3.00 seconds" }, logs)).toBe(
        "timeout",
      );
    });
  });

  test("says what to do about it", () => {
    const kinds: FunctionFailureKind[] = ["timeout", "crash", "out-of-memory", "exception", "too-large"];
    expect(kinds.map(failureAdvice)).toEqual([
      "It ran into its own time limit: raise the function's timeout, or give it less to do.",
      "Its process ended before it answered; its log (the option logs) says more.",
      "It needs more memory than it has: raise the function's memory size.",
      undefined,
      "Lambda returns at most 6 MB at once: return less, put it into S3 and return a link, or let the function stream its response.",
    ]);
  });
});

describe("causes", () => {
  const stackOf = (failure: object): readonly string[] | undefined =>
    readFunctionFailure(Buffer.from(JSON.stringify(failure))).stackTrace;

  test("Java: those of causes as well, each behind its own line", () => {
    expect(
      stackOf({
        errorType: "java.lang.RuntimeException",
        errorMessage: "can't charge",
        stackTrace: ["app.Handler.handle(Handler.java:9)", "app.Main.run(Main.java:3)"],
        cause: {
          errorType: "java.io.IOException",
          errorMessage: "no answer",
          stackTrace: ["app.Bank.call(Bank.java:40)"],
          cause: {
            errorType: "java.net.SocketTimeoutException",
            errorMessage: "timed out",
            stackTrace: ["java.net.Socket.read(Socket.java:1)"],
          },
        },
      }),
    ).toEqual([
      "app.Handler.handle(Handler.java:9)",
      "app.Main.run(Main.java:3)",
      "Caused by: java.io.IOException: no answer",
      "app.Bank.call(Bank.java:40)",
      "Caused by: java.net.SocketTimeoutException: timed out",
      "java.net.Socket.read(Socket.java:1)",
    ]);
  });

  test(".NET: a cause without a stack", () => {
    const cause = { errorType: "TimeoutException", errorMessage: "slow" };
    expect(stackOf({ errorMessage: "boom", stackTrace: ["at App.F()"], cause })).toEqual([
      "at App.F()",
      "Caused by: TimeoutException: slow",
    ]);
  });

  test("a cause without a type, without a message, with neither", () => {
    const cause = { errorMessage: "a", cause: { errorType: "B", cause: { cause: null } } };
    expect(stackOf({ trace: [], cause })).toEqual(["Caused by: a", "Caused by: B", "Caused by: "]);
  });

  test("what is no error causes nothing", () => {
    for (const cause of ["text", 7, true, null]) expect(stackOf({ trace: ["at a"], cause })).toEqual(["at a"]);
  });

  test("the first ten are told", () => {
    let failure: object = { errorMessage: "0" };
    for (let depth = 1; depth < 30; depth++) failure = { errorMessage: `${depth}`, cause: failure };
    const stack = stackOf({ errorMessage: "top", trace: ["at top"], cause: failure });
    expect(stack).toEqual(["at top", ...Array.from({ length: 9 }, (_, index) => `Caused by: ${29 - index}`)]);
  });
});

describe("a payload that is meant to break its reader", () => {
  const deep = (depth: number, before: string, after: string): string => before.repeat(depth) + after.repeat(depth);

  test.each<[string, string]>([
    [
      "causes in causes",
      `{"errorMessage":"boom","trace":[]${',"cause":{"trace":[]'.repeat(50_000)}${"}".repeat(50_001)}`,
    ],
    ["arrays in a line of the stack", `{"errorMessage":"boom","trace":[${deep(50_000, "[", "]")}]}`],
    [
      "objects in a line of the stack",
      `{"errorMessage":"boom","trace":[${'{"a":'.repeat(50_000)}1${"}".repeat(50_000)}]}`,
    ],
    ["a stack of many lines", `{"errorMessage":"boom","trace":[${Array(300_000).fill('"at a"').join()}]}`],
    [
      "a stack of many objects",
      `{"errorMessage":"boom","stackTrace":[${Array(100_000).fill('{"path":"a","line":1}').join()}]}`,
    ],
    ["a line that takes over toString", '{"errorMessage":"boom","trace":[{"toString":1,"valueOf":null,"toJSON":"x"}]}'],
    ["a line with a prototype", '{"errorMessage":"boom","trace":[{"__proto__":{"path":"p","line":1}}]}'],
    ["labels that are no text", '{"errorMessage":"boom","trace":[{"path":"p","line":1,"label":{"toString":1}}]}'],
    [
      "a failure that takes over toString",
      '{"errorMessage":"boom","toString":1,"valueOf":null,"toJSON":{},"constructor":7}',
    ],
    ["a prototype for a cause", '{"errorMessage":"boom","trace":[],"cause":{"__proto__":{"cause":7},"toString":1}}'],
  ])("%s", (_name, payload) => {
    const failure = readFunctionFailure(Buffer.from(payload));
    expect(failure).toMatchObject({ kind: "exception", errorMessage: "boom" });
    for (const line of failure.stackTrace ?? []) if (typeof line !== "string") expect.unreachable();
    expect(Object.getPrototypeOf(failure)).toBe(Object.prototype);
  });

  test("what its lines come to", () => {
    const lines = (trace: string): readonly string[] | undefined =>
      readFunctionFailure(Buffer.from(`{"trace":[${trace}]}`)).stackTrace;
    expect(lines('{"toString":1,"valueOf":null}')).toEqual(['{"toString":1,"valueOf":null}']);
    expect(lines('{"path":"p","line":1,"label":{"toString":1}}')).toEqual(["p:1"]);
    expect(lines('{"path":{"toString":1},"line":1}')).toEqual(['{"path":{"toString":1},"line":1}']);
    // From Node 26 on, JSON writes whatever it reads.
    expect([["an array"], [`${"[".repeat(100)}…`]]).toContainEqual(lines(deep(50_000, "[", "]")));
    expect(lines(`{"a":"${"x".repeat(1_000_000)}"}`)).toEqual([`{"a":"${"x".repeat(94)}…`]);
  });

  test("types, messages and stacks that are objects are none", () => {
    const odd = '{"toString":1,"valueOf":null,"length":3,"0":"a"}';
    const payload = `{"errorType":${odd},"errorMessage":${odd},"stackTrace":${odd},"trace":${odd}}`;
    expect(readFunctionFailure(Buffer.from(payload))).toStrictEqual({ kind: "exception", errorMessage: payload });
    const cause = `{"errorMessage":"boom","trace":[],"cause":{"errorType":${odd},"errorMessage":${odd},"trace":${odd}}}`;
    expect(readFunctionFailure(Buffer.from(cause)).stackTrace).toEqual(["Caused by: "]);
  });

  test("it gives nobody else a prototype", () => {
    readFunctionFailure(Buffer.from('{"__proto__":{"polluted":1},"trace":[{"__proto__":{"polluted":1}}]}'));
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
  });
});
