import { describe, expect, test } from "vitest";
import type { FunctionFailure } from "../../src/errors.ts";
import { readFunctionFailure } from "../../src/invoke/function-failure.ts";

const ID = "8b3ba6c4-5a0c-4e5b-9c25-4b5a4b5cdd1b";

/** What Lambda returns with `X-Amz-Function-Error`, and what is read out of it. */
const shapes: Record<string, [payload: string, failure: FunctionFailure]> = {
  "Node.js": [
    '{"errorType":"TypeError","errorMessage":"x is not a function","trace":["TypeError: x is not a function","    at Runtime.handler (/var/task/index.js:2:9)"]}',
    {
      errorType: "TypeError",
      errorMessage: "x is not a function",
      stackTrace: ["TypeError: x is not a function", "    at Runtime.handler (/var/task/index.js:2:9)"],
    },
  ],
  Python: [
    `{"errorMessage":"no such order: 7","errorType":"KeyError","requestId":"${ID}","stackTrace":["  File \\"/var/task/app.py\\", line 3, in handler\\n    raise KeyError(7)\\n"]}`,
    {
      errorType: "KeyError",
      errorMessage: "no such order: 7",
      stackTrace: ['  File "/var/task/app.py", line 3, in handler\n    raise KeyError(7)\n'],
    },
  ],
  "Python, an error without a message": [
    `{"errorMessage":"","errorType":"Exception","requestId":"${ID}","stackTrace":[]}`,
    { errorType: "Exception", errorMessage: "", stackTrace: [] },
  ],
  "Python, before the handler": [
    `{"errorMessage":"Unable to import module 'app': No module named 'flask'","errorType":"Runtime.ImportModuleError","requestId":"","stackTrace":[]}`,
    {
      errorType: "Runtime.ImportModuleError",
      errorMessage: "Unable to import module 'app': No module named 'flask'",
      stackTrace: [],
    },
  ],
  Java: [
    '{"errorMessage":"Error","errorType":"java.lang.RuntimeException","stackTrace":["app.Handler.handle(Handler.java:9)"],"cause":{"errorMessage":"inner","errorType":"java.io.IOException","stackTrace":[]}}',
    {
      errorType: "java.lang.RuntimeException",
      errorMessage: "Error",
      stackTrace: ["app.Handler.handle(Handler.java:9)"],
    },
  ],
  ".NET": [
    '{"errorType":"Exception","errorMessage":"boom","stackTrace":["at App.Function.Handler(String input)","at lambda_method1(Closure )"]}',
    {
      errorType: "Exception",
      errorMessage: "boom",
      stackTrace: ["at App.Function.Handler(String input)", "at lambda_method1(Closure )"],
    },
  ],
  Ruby: [
    `{"errorMessage":"Error","errorType":"Function<RuntimeError>","stackTrace":["/var/task/app.rb:2:in 'handler'"]}`,
    {
      errorType: "Function<RuntimeError>",
      errorMessage: "Error",
      stackTrace: ["/var/task/app.rb:2:in 'handler'"],
    },
  ],
  "Go, a returned error": [
    '{"errorMessage":"no such order","errorType":"errorString"}',
    { errorType: "errorString", errorMessage: "no such order" },
  ],
  "Go, a panic, whose stack is objects": [
    '{"errorMessage":"boom","errorType":"string","stackTrace":[{"path":"github.com/aws/aws-lambda-go@v1.47.0/lambda/errors.go","line":39,"label":"lambdaPanicResponse"},{"path":"app/main.go","line":12,"label":"handler"}]}',
    {
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
      errorType: "&alloc::boxed::Box<dyn core::error::Error + core::marker::Send + core::marker::Sync>",
      errorMessage: "boom",
    },
  ],
  "a timeout": [
    `{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: ${ID} Error: Task timed out after 3.00 seconds"}`,
    {
      errorType: "Sandbox.Timedout",
      errorMessage: `RequestId: ${ID} Error: Task timed out after 3.00 seconds`,
    },
  ],
  "a timeout, as it was until 2024": [
    `{"errorMessage":"2024-04-08T10:00:00.000Z ${ID} Task timed out after 1.00 seconds"}`,
    { errorMessage: `2024-04-08T10:00:00.000Z ${ID} Task timed out after 1.00 seconds` },
  ],
  "a timeout, as the runtime emulator has it": [
    "Task timed out after 3.00 seconds",
    { errorMessage: "Task timed out after 3.00 seconds" },
  ],
  "a process that exits": [
    `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ${ID} Error: Runtime exited with error: signal: killed"}`,
    {
      errorType: "Runtime.ExitError",
      errorMessage: `RequestId: ${ID} Error: Runtime exited with error: signal: killed`,
    },
  ],
  "a result that is too large": [
    '{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes)."}',
    {
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
    expect(readFunctionFailure(Buffer.from(payload))).toStrictEqual({ errorMessage: payload });
  });

  test("what has another type than usual is left out", () => {
    const payload = '{"errorMessage":"boom","errorType":{"name":"E"},"stackTrace":"at a\\nat b"}';
    expect(readFunctionFailure(Buffer.from(payload))).toStrictEqual({ errorMessage: "boom" });
  });

  test("a stack of odd lines", () => {
    const payload = '{"errorMessage":"boom","trace":["at a",null,7,{"file":"x"},["b"]]}';
    expect(readFunctionFailure(Buffer.from(payload))).toStrictEqual({
      errorMessage: "boom",
      stackTrace: ["at a", "null", "7", '{"file":"x"}', '["b"]'],
    });
  });

  test("names of Object.prototype are none of its fields", () => {
    const payload = '{"errorMessage":"boom","__proto__":{"errorType":"Injected"}}';
    expect(readFunctionFailure(Buffer.from(payload))).toStrictEqual({ errorMessage: "boom" });
  });

  test("bytes that are no UTF-8", () => {
    expect(readFunctionFailure(Uint8Array.of(0x62, 0xff, 0x6d))).toStrictEqual({ errorMessage: "b\uFFFDm" });
  });

  test("a part of a larger buffer", () => {
    const payload = new TextEncoder().encode('behind|{"errorMessage":"boom"}|').subarray(7, -1);
    expect(readFunctionFailure(payload)).toStrictEqual({ errorMessage: "boom" });
  });
});
