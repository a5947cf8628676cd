import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import { format } from "node:util";
import { runInNewContext } from "node:vm";
import type { APIGatewayProxyHandler, Handler as AwsHandler, Context } from "aws-lambda";
import { afterEach, beforeEach, describe, expect, expectTypeOf, test, vi } from "vitest";
import { ConfigurationError } from "../../src/errors.ts";
import { createFetch } from "../../src/fetch.ts";
import { readFrame } from "../../src/formats/stream.ts";
import { parseReport } from "../../src/invocation-info.ts";
import { defineAwslambda } from "../../src/invoke/awslambda.ts";
import { type Handler, type HandlerContext, type HandlerOptions, handlerInvoker } from "../../src/invoke/handler.ts";
import type { InvocationResult } from "../../src/invoke/invoker.ts";
import type { Target } from "../../src/target.ts";

type Callback = (error?: unknown, result?: unknown) => void;

// What reaches the terminal, with a console that prints there as Node's does. In place before the first capture, which
// looks at output on its way.
let printed: string[] = [];
for (const method of ["debug", "error", "info", "log", "trace", "warn"] as const) {
  console[method] = (...values: unknown[]) => void process.stdout.write(`${format(...values)}\n`);
}
for (const stream of [process.stdout, process.stderr]) {
  stream.write = ((chunk: string | Uint8Array, ...rest: unknown[]) => {
    printed.push(Buffer.from(chunk as string).toString());
    const written = rest.at(-1);
    if (typeof written === "function") written();
    return true;
  }) as typeof stream.write;
}
beforeEach(() => {
  printed = [];
});

interface Options extends HandlerOptions {
  readonly event?: unknown;
  readonly target?: Target;
  readonly logs?: boolean;
  readonly signal?: AbortSignal;
}

type WholeResult = InvocationResult & { readonly payload: Uint8Array };

async function invoke(handler: Handler, options: Options = {}): Promise<WholeResult> {
  const { event = {}, target = { functionName: "app" }, logs = false, signal, ...rest } = options;
  const payload = Buffer.from(JSON.stringify(event));
  const request = { method: "GET", url: "http+lambda://app/" };
  return (await handlerInvoker(handler, rest).invoke({ target, payload, logs, request }, signal)) as WholeResult;
}

const textOf = ({ payload }: WholeResult): string => Buffer.from(payload).toString();
const jsonOf = (result: WholeResult): unknown => JSON.parse(textOf(result));

/** The log of one invocation, which has to be there. */
async function logOf(handler: Handler, options: Options = {}): Promise<string> {
  const { logs } = await invoke(handler, { logs: true, ...options });
  if (logs === undefined) throw new Error("there is no log");
  return logs;
}

/** Settles once it was called as often as said. */
function barrier(count: number): () => Promise<void> {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  let left = count;
  return () => {
    if (--left === 0) open();
    return opened;
  };
}

describe("a result", () => {
  test.each<[string, Handler, string]>([
    ["an async handler's", async () => ({ a: "ü" }), '{"a":"ü"}'],
    ["a sync handler's", () => ({ a: 1 }), '{"a":1}'],
    // biome-ignore lint/suspicious/noThenProperty: that is what a thenable is
    ["a thenable's", () => ({ then: (resolve: (value: unknown) => void) => resolve({ a: 1 }) }), '{"a":1}'],
    ["a callback's", (_event: unknown, _context: unknown, callback: Callback) => callback(null, { a: 1 }), '{"a":1}'],
    [
      "a late callback's",
      (_event: unknown, _context: unknown, callback: Callback) => void setImmediate(callback, undefined, { a: 1 }),
      '{"a":1}',
    ],
    [
      "context.succeed",
      (_e: unknown, context: HandlerContext, _callback: Callback) => context.succeed({ a: 1 }),
      '{"a":1}',
    ],
    [
      "context.done",
      (_e: unknown, context: HandlerContext, _callback: Callback) => context.done(null, { a: 1 }),
      '{"a":1}',
    ],
    [
      "the first of two callbacks",
      (_event: unknown, _context: unknown, callback: Callback) => {
        callback(null, 1);
        callback(new Error("too late"));
      },
      "1",
    ],
    ["nothing, async", async () => undefined, "null"],
    ["nothing, sync", () => undefined, "null"],
    ["nothing, by callback", (_event: unknown, _context: unknown, callback: Callback) => callback(), "null"],
    ["null", async () => null, "null"],
    ["text", async () => "héllo", '"héllo"'],
    ["zero", () => 0, "0"],
    ["false", () => false, "false"],
    ["a function, which JSON has not", async () => () => 1, "null"],
    [
      "what JSON makes of it",
      async () => ({ at: new Date(0), a: undefined, n: Number.NaN }),
      '{"at":"1970-01-01T00:00:00.000Z","n":null}',
    ],
  ])("%s", async (_name, handler, expected) => {
    const result = await invoke(handler);
    expect(textOf(result)).toBe(expected);
    expect(result.functionError).toBeUndefined();
  });

  test("the event is the handler's own: it comes through JSON, each time anew", async () => {
    const seen: unknown[] = [];
    const handler = async (event: { list: number[] }) => {
      seen.push(structuredClone(event));
      event.list.push(3);
    };
    const payload = Buffer.from('{"list":[1,2]}');
    const invoker = handlerInvoker(handler);
    const invocation = { target: { functionName: "app" }, payload, logs: false, request: { method: "GET", url: "" } };
    await Promise.all([invoker.invoke(invocation), invoker.invoke(invocation)]);
    await invoker.invoke(invocation);
    expect(seen).toEqual([{ list: [1, 2] }, { list: [1, 2] }, { list: [1, 2] }]);
    expect(payload.toString()).toBe('{"list":[1,2]}');
  });

  test("what is known of the invocation", async () => {
    const result = await invoke(async () => 1, {
      target: { functionName: "app", qualifier: "7", region: "eu-west-1" },
    });
    expect(result).toEqual({
      payload: Buffer.from("1"),
      requestId: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
      executedVersion: "7",
      region: "eu-west-1",
    });
    const other = await invoke(async () => 1, { target: { functionName: "app", qualifier: "prod" } });
    expect(other).toMatchObject({ executedVersion: "$LATEST" });
    expect(other).not.toHaveProperty("region");
    expect(other.requestId).not.toBe(result.requestId);
  });

  test("up to 6 MB and 100 bytes", async () => {
    const limit = 6_291_556;
    const whole = await invoke(async () => "a".repeat(limit - 2));
    expect([whole.payload.length, whole.functionError]).toEqual([limit, undefined]);
    const result = await invoke(async () => "a".repeat(limit - 1));
    expect(result.functionError).toBe("Unhandled");
    expect(jsonOf(result)).toEqual({
      errorType: "Function.ResponseSizeTooLarge",
      errorMessage: `Response payload size exceeded maximum allowed payload size (${limit} bytes).`,
    });
  });
});

describe("a failure", () => {
  class QuotaError extends Error {
    override readonly name = "QuotaError";
  }
  const foreign: unknown = runInNewContext("new RangeError('from elsewhere')");

  test.each<[string, unknown, string, string]>([
    ["an Error", new Error("bad"), "Error", "bad"],
    ["a TypeError", new TypeError("bad ü"), "TypeError", "bad ü"],
    ["an error of the function's own", new QuotaError("none left"), "QuotaError", "none left"],
    ["an error of another realm", foreign, "RangeError", "from elsewhere"],
    ["a DOMException", new DOMException("gone", "AbortError"), "AbortError", "gone"],
    ["text", "bad", "string", "bad"],
    ["a number", 7, "number", "7"],
    ["an object", { toString: () => "an object" }, "object", "an object"],
  ])("%s, thrown in every way", async (_name, thrown, errorType, errorMessage) => {
    const fail = (): never => {
      throw thrown;
    };
    const handlers: Handler[] = [
      fail,
      async () => fail(),
      () => Promise.reject(thrown),
      async () => {
        await Promise.resolve();
        fail();
      },
      (_event: unknown, _context: unknown, callback: Callback) => callback(thrown),
      (_event: unknown, _context: unknown, callback: Callback) => void setImmediate(callback, thrown),
      (_event: unknown, context: HandlerContext, _callback: Callback) => context.fail(thrown as Error),
      (_event: unknown, context: HandlerContext, _callback: Callback) => context.done(thrown as Error),
    ];
    for (const handler of handlers) {
      const result = await invoke(handler);
      expect(result.functionError).toBe("Unhandled");
      expect(jsonOf(result)).toMatchObject({ errorType, errorMessage });
    }
  });

  test("the payload of Lambda's Node.js runtime, stack included", async () => {
    const failure = jsonOf(
      await invoke(async function handlerOfMine() {
        throw new TypeError("bad");
      }),
    ) as { trace: string[] };
    expect(Object.keys(failure)).toEqual(["errorType", "errorMessage", "trace"]);
    expect(failure.trace[0]).toBe("TypeError: bad");
    expect(failure.trace[1]).toMatch(/^ {4}at handlerOfMine .*handler\.test\.ts/);
  });

  test.each([
    ["null", null],
    ["undefined", undefined],
  ])("%s can be thrown as well", async (text, thrown) => {
    const result = await invoke(async () => {
      throw thrown;
    });
    expect(result.functionError).toBe("Unhandled");
    expect(jsonOf(result)).toEqual({ errorType: typeof thrown, errorMessage: text, trace: [] });
  });

  const unreadable = new Error();
  Object.defineProperty(unreadable, "message", {
    get() {
      throw new Error("no");
    },
  });
  test.each<[string, unknown]>([
    ["an object that is no text", Object.create(null)],
    ["an Error without a readable message", unreadable],
    ["an Error that JSON can't hold", Object.assign(new Error(), { message: 1n })],
    ["an Error with another stack", Object.assign(new Error(), { stack: 1 })],
  ])("%s", async (_name, thrown) => {
    const result = await invoke(async () => {
      throw thrown;
    });
    expect(result.functionError).toBe("Unhandled");
    expect(jsonOf(result)).toEqual({
      errorType: "handled",
      errorMessage: expect.stringMatching(/^callback called with Error argument, but there was a problem /),
    });
  });

  const circle: { self?: unknown } = {};
  circle.self = circle;
  test.each<[string, unknown]>([
    ["a circle", circle],
    ["a BigInt", { n: 1n }],
    [
      "a toJSON that throws",
      {
        toJSON() {
          throw new Error("no");
        },
      },
    ],
  ])("a result that JSON can't hold: %s", async (_name, value) => {
    const result = await invoke(async () => value);
    expect(result.functionError).toBe("Unhandled");
    expect(jsonOf(result)).toMatchObject({ errorType: "Error", errorMessage: "Unable to stringify response body" });
  });

  test("a returned error is a result like any other", async () => {
    const returned = { errorType: "Error", errorMessage: "returned" };
    const result = await invoke(async () => returned);
    expect(result.functionError).toBeUndefined();
    expect(jsonOf(result)).toEqual(returned);
  });

  test("through fetch it is a 502 with the failure beside it", async () => {
    const handler = async (): Promise<never> => {
      throw new QuotaError("none left");
    };
    const response = await createFetch({ functions: { app: handler } })("http+lambda://app/");
    expect([response.status, await response.text()]).toEqual([502, "none left"]);
    expect(response.invocation.functionError).toMatchObject({ errorType: "QuotaError", errorMessage: "none left" });
    expect(response.invocation.functionError?.stackTrace?.[0]).toBe("QuotaError: none left");
  });
});

describe("what can't be", () => {
  test.each([undefined, null, "index.handler", {}])("%j for a handler", (handler) => {
    expect(() => handlerInvoker(handler as unknown as Handler)).toThrow(ConfigurationError);
  });

  test("an unknown option", () => {
    const make = () => handlerInvoker(async () => 1, { quite: true } as HandlerOptions);
    expect(make).toThrow(ConfigurationError);
    expect(make).toThrow('there is no option "quite". There are: initDuration, quiet');
  });
});

describe("the signal", () => {
  test("ends the invocation at once, with its own reason", async () => {
    const reason = new RangeError("changed my mind");
    const controller = new AbortController();
    const result = invoke(() => new Promise(() => controller.abort(reason)), { signal: controller.signal });
    await expect(result).rejects.toBe(reason);
  });

  test("one that is aborted already", async () => {
    const reason = new RangeError("changed my mind");
    let ran = false;
    const handler = async (): Promise<void> => {
      ran = true;
    };
    await expect(invoke(handler, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(ran).toBe(false);
  });
});

describe("the context", () => {
  afterEach(() => void vi.useRealTimers());

  const contextOf = async (target: Target): Promise<HandlerContext> => {
    let seen: HandlerContext | undefined;
    const handler = async (_event: unknown, context: HandlerContext): Promise<void> => {
      seen = context;
    };
    const { requestId } = await invoke(handler, { target });
    expect(seen?.awsRequestId).toBe(requestId);
    if (seen === undefined) throw new Error("there was no context");
    return seen;
  };

  test("has what AWS's has", async () => {
    vi.setSystemTime("2026-07-10T19:19:04Z");
    const context = await contextOf({ functionName: "app" });
    expect(context).toEqual({
      callbackWaitsForEmptyEventLoop: true,
      functionName: "app",
      functionVersion: "$LATEST",
      invokedFunctionArn: "arn:aws:lambda:us-east-1:000000000000:function:app",
      memoryLimitInMB: "128",
      awsRequestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      logGroupName: "/aws/lambda/app",
      logStreamName: `2026/07/10/[$LATEST]${context.awsRequestId.replaceAll("-", "")}`,
      getRemainingTimeInMillis: expect.any(Function),
      done: expect.any(Function),
      fail: expect.any(Function),
      succeed: expect.any(Function),
    });
    expectTypeOf<HandlerContext>().toExtend<Context>();
  });

  const china = { functionName: "app", region: "cn-north-1", accountId: "123456789012", partition: "aws-cn" };
  test.each<[Target, string, string]>([
    [{ functionName: "app", qualifier: "7" }, "7", "arn:aws:lambda:us-east-1:000000000000:function:app:7"],
    [{ functionName: "app", qualifier: "prod" }, "$LATEST", "arn:aws:lambda:us-east-1:000000000000:function:app:prod"],
    [
      { functionName: "app", accountId: "123456789012" },
      "$LATEST",
      "arn:aws:lambda:us-east-1:123456789012:function:app",
    ],
    [china, "$LATEST", "arn:aws-cn:lambda:cn-north-1:123456789012:function:app"],
  ])("version and ARN of %j", async (target, functionVersion, invokedFunctionArn) => {
    expect(await contextOf(target)).toMatchObject({ functionVersion, invokedFunctionArn });
  });

  test("its remaining time runs down from 15 minutes to nothing", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const { getRemainingTimeInMillis } = await contextOf({ functionName: "app" });
    expect(getRemainingTimeInMillis()).toBe(900_000);
    vi.advanceTimersByTime(1500);
    expect(getRemainingTimeInMillis()).toBe(898_500);
    vi.advanceTimersByTime(900_000);
    expect(getRemainingTimeInMillis()).toBe(0);
  });

  test("may be written to, as old handlers do", async () => {
    const handler = async (_event: unknown, context: HandlerContext) => {
      context.callbackWaitsForEmptyEventLoop = false;
      return context.callbackWaitsForEmptyEventLoop;
    };
    expect(jsonOf(await invoke(handler))).toBe(false);
  });

  test("handlers typed with @types/aws-lambda are handlers", () => {
    expectTypeOf<APIGatewayProxyHandler>().toExtend<Handler>();
    expectTypeOf<AwsHandler<{ a: 1 }, string>>().toExtend<Handler>();
    expectTypeOf<() => void>().toExtend<Handler>();
  });
});

describe("a streaming handler", () => {
  interface ResponseStream extends NodeJS.WritableStream {
    setContentType(type: string): void;
    destroy(error: Error): void;
    write(chunk: unknown): boolean;
  }
  interface Awslambda {
    streamifyResponse(run: (event: unknown, stream: ResponseStream, context: HandlerContext) => unknown): Handler;
    HttpResponseStream: { from(stream: ResponseStream, prelude: object): ResponseStream };
  }
  defineAwslambda();
  const { awslambda } = globalThis as unknown as { awslambda: Awslambda };
  const { streamifyResponse, HttpResponseStream } = awslambda;
  const prelude = { statusCode: 201, headers: { "content-type": "text/plain" }, cookies: ["a=1"] };

  test("with a prelude is a frame", async () => {
    const handler = streamifyResponse(async (event, stream) => {
      const response = HttpResponseStream.from(stream, prelude);
      response.write("héllo ");
      response.write(Buffer.from([0, 255]));
      response.end(JSON.stringify(event));
    });
    const frame = readFrame((await invoke(handler, { event: { a: 1 } })).payload);
    expect(frame?.prelude).toEqual(prelude);
    expect(Buffer.from(frame?.body ?? [])).toEqual(
      Buffer.concat([Buffer.from("héllo "), Buffer.from([0, 255]), Buffer.from('{"a":1}')]),
    );

    const response = await createFetch({ functions: { app: handler } })("http+lambda://app/");
    expect([response.status, response.headers.get("content-type")]).toEqual([201, "text/plain"]);
    expect(response.headers.getSetCookie()).toEqual(["a=1"]);
    expect(await response.text()).toContain("héllo \0");
  });

  test("without one is its bytes", async () => {
    const handler = streamifyResponse(async (_event, stream) => {
      stream.setContentType("text/plain");
      stream.write("hel");
      stream.end("lo");
    });
    expect(textOf(await invoke(handler))).toBe("hello");
    const response = await createFetch({ functions: { app: handler } })("http+lambda://app/");
    expect([response.status, await response.text()]).toEqual([200, "hello"]);
  });

  // AWS's runtime sends the prelude with the first write; its `end` bypasses that.
  test.each<[string, (stream: ResponseStream) => void, string]>([
    ["end alone", (stream) => stream.end(), ""],
    ["end with a chunk", (stream) => stream.end("body"), "body"],
    [
      "an empty write before end",
      (stream) => void (stream.write("") && stream.end()),
      `${JSON.stringify(prelude)}${"\0".repeat(8)}`,
    ],
    [
      "an empty write before end with a chunk",
      (stream) => void (stream.write("") && stream.end("body")),
      `${JSON.stringify(prelude)}${"\0".repeat(8)}body`,
    ],
  ])("the prelude and %s", async (_name, write, expected) => {
    const handler = streamifyResponse(async (_event, stream) => write(HttpResponseStream.from(stream, prelude)));
    expect(textOf(await invoke(handler))).toBe(expected);
  });

  test("chunks that are neither text nor bytes are JSON", async () => {
    const handler = streamifyResponse(async (_event, stream) => {
      stream.write({ a: 1 });
      stream.write([2]);
      stream.write(3);
      stream.end();
    });
    expect(textOf(await invoke(handler))).toBe('{"a":1}[2]3');
  });

  test("a pipeline into it", async () => {
    const handler = streamifyResponse((_event, stream) =>
      pipeline(Readable.from(["a", "b", "c"]), HttpResponseStream.from(stream, prelude)),
    );
    expect(Buffer.from(readFrame((await invoke(handler)).payload)?.body ?? []).toString()).toBe("abc");
  });

  test("may return before it has written", async () => {
    const handler = streamifyResponse(async (_event, stream) => {
      setImmediate(() => {
        stream.write("late");
        setImmediate(() => stream.end());
      });
    });
    expect(textOf(await invoke(handler))).toBe("late");
  });

  test.each<[string, (stream: ResponseStream) => unknown]>([
    [
      "throws",
      () => {
        throw new RangeError("bad");
      },
    ],
    ["rejects", () => Promise.reject(new RangeError("bad"))],
    [
      "rejects when it has written",
      async (stream) => {
        stream.write("half");
        throw new RangeError("bad");
      },
    ],
    ["destroys its stream", async (stream) => void stream.destroy(new RangeError("bad"))],
  ])("one that %s has failed", async (_name, run) => {
    const result = await invoke(streamifyResponse((_event, stream) => run(stream)));
    expect(result.functionError).toBe("Unhandled");
    expect(jsonOf(result)).toMatchObject({ errorType: "RangeError", errorMessage: "bad" });
  });

  test("one that returns no promise has failed, as in AWS's runtime", async () => {
    const result = await invoke(streamifyResponse((_event, stream) => void stream.write("hello")));
    expect(result.functionError).toBe("Unhandled");
    expect(jsonOf(result)).toMatchObject({ errorMessage: "Streaming does not support non-async handlers." });
  });

  test("one that throws behind the end of its answer has answered, as in AWS's runtime; its log says it", async () => {
    const handler = streamifyResponse(async (_event, stream) => {
      stream.end("hello");
      throw new RangeError("too late");
    });
    const result = await invoke(handler, { logs: true });
    expect([textOf(result), result.functionError]).toEqual(["hello", undefined]);
    expect(result.logs).toContain("too late");
  });

  test("one that throws and destroys its stream later has failed once", async () => {
    const rejections: unknown[] = [];
    const onRejection = (reason: unknown): void => void rejections.push(reason);
    process.on("unhandledRejection", onRejection);
    let destroyed = Promise.resolve();
    const handler = streamifyResponse((_event, stream) => {
      destroyed = nextTurn().then(() => stream.destroy(new Error("late")));
      throw new RangeError("bad");
    });
    expect(jsonOf(await invoke(handler))).toMatchObject({ errorType: "RangeError" });
    await destroyed;
    await nextTurn();
    process.off("unhandledRejection", onRejection);
    expect(rejections).toEqual([]);
  });

  test("gets the context as its third argument", async () => {
    const handler = streamifyResponse(async (_event, stream, { functionName }) => void stream.end(functionName));
    expect(textOf(await invoke(handler))).toBe("app");
  });

  test("the global of a real runtime is left alone", () => {
    handlerInvoker(async () => 1);
    expect((globalThis as unknown as { awslambda: Awslambda }).awslambda).toBe(awslambda);
  });
});

describe("the log", () => {
  const TIME = "\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z";

  test("is what the function printed, between Lambda's own lines", async () => {
    let id = "";
    const logs = await logOf(async (_event: unknown, { awsRequestId }: HandlerContext) => {
      id = awsRequestId;
      console.log("hello %s", "world", { a: 1 });
      process.stdout.write("raw ");
      process.stdout.write(Buffer.from("bytes ü\n"));
      process.stderr.write("raw error\n");
    });
    const [start, line, ...rest] = logs.split("\n");
    expect(start).toBe(`START RequestId: ${id} Version: $LATEST`);
    expect(line).toMatch(new RegExp(`^${TIME}\t${id}\tINFO\thello world { a: 1 }$`));
    expect(rest.slice(0, 3)).toEqual(["raw bytes ü", "raw error", `END RequestId: ${id}`]);
    expect(rest[3]).toMatch(
      new RegExp(
        `^REPORT RequestId: ${id}\tDuration: \\d+\\.\\d\\d ms\tBilled Duration: \\d+ ms\tMemory Size: 128 MB\tMax Memory Used: \\d+ MB\t$`,
      ),
    );
    expect(rest.slice(4)).toEqual([""]);
  });

  test("each of the console's methods has its level", async () => {
    const logs = await logOf(async () => {
      for (const method of ["debug", "error", "info", "log", "trace", "warn"] as const) console[method](`by ${method}`);
    });
    const lines = logs.split("\n").flatMap((line) => /\t([A-Z]+)\t(by \w+)$/.exec(line)?.slice(1).join(" ") ?? []);
    expect(lines).toEqual([
      ...["DEBUG by debug", "ERROR by error", "INFO by info", "INFO by log", "TRACE by trace", "WARN by warn"],
    ]);
  });

  test("is there when it was asked for, and only then", async () => {
    const handler = async (): Promise<void> => console.log("hello");
    expect(await invoke(handler)).not.toHaveProperty("logs");
    expect(await invoke(handler, { quiet: true })).not.toHaveProperty("logs");
    const fetch = createFetch({ functions: { app: async () => ({ body: console.log("hello") }) } });
    expect((await fetch("http+lambda://app/")).invocation.logs).toBeUndefined();
    const { invocation } = await fetch("http+lambda://app/", { lambda: { logs: true } });
    expect(invocation.logs).toContain("\tINFO\thello\n");
    expect(invocation.report).toMatchObject({ memorySize: 128, duration: expect.any(Number) });
  });

  test("holds what is printed on the way to the answer, in callbacks of all kinds", async () => {
    const logs = await logOf((_event: unknown, _context: unknown, callback: Callback) => {
      setTimeout(() => {
        console.log("in a timer");
        process.nextTick(() => {
          console.log("in a tick");
          void Promise.resolve().then(() => {
            console.log("in a promise");
            setImmediate(() => {
              console.log("at last");
              callback(null, 1);
            });
          });
        });
      }, 1);
    });
    for (const text of ["in a timer", "in a tick", "in a promise", "at last"])
      expect(logs).toContain(`\tINFO\t${text}\n`);
  });

  test("of a failed function says how", async () => {
    const { logs = "", requestId } = await invoke(
      async () => {
        console.warn("careful");
        throw new RangeError("bad");
      },
      { logs: true },
    );
    expect(logs).toContain("\tWARN\tcareful\n");
    expect(logs).toMatch(
      new RegExp(
        `\t${requestId}\tERROR\tInvoke Error\t\\{"errorType":"RangeError","errorMessage":"bad","trace":\\[.*\\]\\}\n`,
      ),
    );
    expect(logs).toMatch(/\nEND RequestId: .*\nREPORT /);
  });

  test("is the last 4 KB", async () => {
    const logs = await logOf(async () => {
      for (let line = 0; line < 200; line++) process.stdout.write(`line ${String(line).padStart(40, "0")}\n`);
    });
    expect(Buffer.byteLength(logs)).toBe(4096);
    expect(logs).not.toContain("START");
    expect(logs).toContain(`line ${"199".padStart(40, "0")}\nEND `);
    expect(parseReport(logs)).toBeDefined();
  });

  test("of invocations at the same time are kept apart", async () => {
    const together = barrier(5);
    const handler = async ({ name }: { name: string }) => {
      console.log(`${name} begins`);
      await together();
      console.log(`${name} ends`);
    };
    const names = ["a", "b", "c", "d", "e"];
    const all = Promise.all(names.map((name) => logOf(handler, { event: { name } })));
    console.log("from outside");
    for (const [index, logs] of (await all).entries()) {
      const texts = logs.split("\n").flatMap((line) => /\tINFO\t(.*)$/.exec(line)?.[1] ?? []);
      expect(texts).toEqual([`${names[index]} begins`, `${names[index]} ends`]);
    }
  });

  test("of a function that calls another", async () => {
    let inner = "";
    const outer = await logOf(async () => {
      console.log("outer before");
      inner = await logOf(async () => console.log("inner"));
      console.log("outer after");
    });
    expect(inner).toContain("\tINFO\tinner\n");
    expect(inner).not.toContain("outer");
    expect(outer).toMatch(/outer before\n.*outer after\n/s);
    expect(outer).not.toContain("inner");
  });

  test("has nothing of what is printed outside, before or after", async () => {
    console.log("before");
    const logs = await logOf(async () => 1);
    console.log("after");
    expect(logs.split("\n")).toHaveLength(4);
    expect(printed).toEqual(["before\n", "after\n"]);
  });

  test("reports the time of loading once", async () => {
    const invoker = handlerInvoker(async () => 1, { initDuration: 150.014 });
    const invocation = { target: { functionName: "app" }, payload: Buffer.from("{}"), logs: true };
    const report = async () =>
      parseReport((await invoker.invoke({ ...invocation, request: { method: "GET", url: "" } })).logs ?? "");
    const first = await report();
    expect(first?.initDuration).toBe(150.01);
    expect(first?.billedDuration).toBeGreaterThan(150);
    expect(await report()).not.toHaveProperty("initDuration");
  });
});

describe("the terminal", () => {
  const chatty = async (): Promise<void> => {
    console.log("hello");
    process.stdout.write("raw\n");
  };

  test.each([true, false])("gets what is printed (logs: %s), once", async (logs) => {
    await invoke(chatty, { logs });
    expect(printed).toEqual(["hello\n", "raw\n"]);
  });

  test.each([true, false])("gets nothing with quiet (logs: %s)", async (logs) => {
    const result = await invoke(chatty, { logs, quiet: true });
    expect(printed).toEqual([]);
    if (logs) expect(result.logs).toMatch(/\tINFO\thello\nraw\n/);
  });

  test("gets all that others print meanwhile", async () => {
    const together = barrier(2);
    const quiet = invoke(
      async () => {
        await together();
        console.log("quiet");
      },
      { quiet: true },
    );
    console.log("from outside");
    await Promise.all([invoke(async () => together().then(() => console.log("loud"))), quiet]);
    expect(printed.sort()).toEqual(["from outside\n", "loud\n"]);
  });

  test("gets nothing of what a quiet function prints later", async () => {
    let printLater = (): void => undefined;
    const later = new Promise<void>((resolve) => {
      printLater = resolve;
    });
    let printing: Promise<void> = Promise.resolve();
    await invoke(
      async () => {
        printing = later.then(() => console.log("late"));
      },
      { quiet: true },
    );
    printLater();
    await printing;
    expect(printed).toEqual([]);
  });

  test("a quiet function that waits for its output does not wait for ever", async () => {
    const handler = async (): Promise<string> => {
      await new Promise((written) => process.stdout.write("a", written));
      await new Promise((written) => process.stderr.write("b", "utf8", written));
      return "written";
    };
    expect(jsonOf(await invoke(handler, { quiet: true }))).toBe("written");
    expect(printed).toEqual([]);
  });
});
