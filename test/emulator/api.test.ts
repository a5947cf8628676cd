import { once } from "node:events";
import { request as httpRequest } from "node:http";
import {
  InvalidParameterValueException,
  InvalidRequestContentException,
  InvokeAsyncCommand,
  InvokeCommand,
  type InvokeCommandInput,
  InvokeWithResponseStreamCommand,
  type InvokeWithResponseStreamCommandInput,
  LambdaClient,
  LambdaServiceException,
  ResourceNotFoundException,
  ServiceException,
  TooManyRequestsException,
} from "@aws-sdk/client-lambda";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ApiError } from "../../src/emulator/api-error.ts";
import type { FunctionCall } from "../../src/emulator/definition.ts";
import { InvokeError } from "../../src/errors.ts";
import { awsInvoker } from "../../src/invoke/aws.ts";
import { defineAwslambda } from "../../src/invoke/awslambda.ts";
import type { Handler } from "../../src/invoke/handler.ts";
import type { Invocation, InvocationEnd } from "../../src/invoke/invoker.ts";
import { Session } from "../../src/session.ts";
import type { SessionOptions } from "../../src/session-options.ts";
import {
  asyncPath,
  invokePath,
  runner,
  SIGNED,
  send,
  startApi,
  streamPath,
  type TestApi,
} from "../support/emulator-api.ts";
import { type Gate, gate } from "../support/streaming-lambda.ts";

const THROTTLED = { Reason: "ConcurrentInvocationLimitExceeded", Type: "User", message: "Rate Exceeded." };
const throttled = (): ApiError => new ApiError(429, "TooManyRequestsException", THROTTLED, 3);

let api: TestApi;
let client: LambdaClient;
/** Opened by a test to let a function go on. */
let goOn: Gate;
let seen: { signal: AbortSignal | undefined; call: FunctionCall } | undefined;
let started: Gate;
let returned: Gate;

type Write = { write(bytes: string): void; end(): void };
let streaming: Handler;

beforeAll(async () => {
  defineAwslambda();
  const { streamifyResponse } = (globalThis as unknown as { awslambda: { streamifyResponse(run: unknown): Handler } })
    .awslambda;
  streaming = streamifyResponse(async (event: { pieces: string[] }, stream: Write) => {
    console.log("streaming");
    for (const piece of event.pieces) stream.write(piece);
    stream.end();
  });
  api = await startApi(
    {
      echo: async (event: unknown, context: object) => ({ event, context }),
      "echo:prod": async () => "prod",
      "echo:7": async () => "seven",
      my_function: async () => "underscore",
      logs: async () => {
        console.log("x".repeat(10_000));
        console.log("the end");
      },
      broken: async () => {
        throw new TypeError("boom");
      },
      stream: streaming,
      "stream:broken": streamifyResponse(async (_event: unknown, stream: Write) => {
        stream.write("half");
        throw new RangeError("no more");
      }),
      busy: runner(async () => {
        throw throttled();
      }),
      faulty: runner(async () => {
        throw new Error("the inside is broken");
      }),
      strange: runner(async () => {
        throw "no error";
      }),
      unsendable: runner(async () => ({ payload: Buffer.from("{}"), functionError: "no\nheader" })),
      lost: runner(async () => ({ payload: lost() })),
      "lost:early": runner(async () => ({ payload: lostAtOnce() })),
      slow: runner(async (call, signal) => {
        seen = { call, signal };
        started.open();
        await goOn.passed;
        return { payload: Buffer.from('"slow"') };
      }),
      endless: runner(async (call, signal) => {
        seen = { call, signal };
        started.open();
        return { payload: endless() };
      }),
    },
    {
      queue: (call) => {
        if (call.target.functionName === "busy") throw throttled();
        api.queued.push(call);
      },
    },
  );
  client = new LambdaClient({
    endpoint: api.endpoint,
    region: "eu-west-1",
    credentials: { accessKeyId: "AKID", secretAccessKey: "secret" },
    maxAttempts: 1,
  });
});

afterAll(() => {
  client.destroy();
  api.close();
});

beforeEach(() => {
  goOn = gate();
  started = gate();
  returned = gate();
  seen = undefined;
});

afterEach(() => goOn.open());

async function* lost(): AsyncGenerator<Uint8Array, InvocationEnd> {
  yield Buffer.from("half");
  throw new Error("the rest is lost");
}

// biome-ignore lint/correctness/useYield: a stream that never begins
async function* lostAtOnce(): AsyncGenerator<Uint8Array, InvocationEnd> {
  throw throttled();
}

async function* endless(): AsyncGenerator<Uint8Array, InvocationEnd> {
  try {
    for (;;) yield Buffer.alloc(64 * 1024, "x");
  } finally {
    returned.open();
  }
}

const text = (payload: Uint8Array | undefined): string => Buffer.from(payload ?? []).toString("utf8");

const invoke = (input: InvokeCommandInput) => client.send(new InvokeCommand(input));

interface Streamed {
  readonly status: number | undefined;
  readonly version: string | undefined;
  readonly payload: string;
  readonly end: { ErrorCode?: string | undefined; ErrorDetails?: string | undefined; LogResult?: string | undefined };
}

async function stream(input: InvokeWithResponseStreamCommandInput): Promise<Streamed> {
  const answer = await client.send(new InvokeWithResponseStreamCommand(input));
  let payload = "";
  let end: Streamed["end"] | undefined;
  for await (const { PayloadChunk, InvokeComplete } of answer.EventStream ?? []) {
    payload += text(PayloadChunk?.Payload);
    end = InvokeComplete ?? end;
  }
  return { status: answer.StatusCode, version: answer.ExecutedVersion, payload, end: end ?? expect.fail("no end") };
}

async function failure(call: Promise<unknown>): Promise<LambdaServiceException> {
  const error: unknown = await call.then(
    () => expect.fail("it was answered"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(LambdaServiceException);
  return error as LambdaServiceException;
}

describe("AWS's own SDK", () => {
  it.each([
    ["echo:prod", undefined, '"prod"', "$LATEST"],
    ["echo", "prod", '"prod"', "$LATEST"],
    ["echo", "7", '"seven"', "7"],
    ["arn:aws:lambda:eu-west-1:123456789012:function:echo:7", undefined, '"seven"', "7"],
    ["123456789012:function:echo:prod", "prod", '"prod"', "$LATEST"],
    ["my_function", "$LATEST", '"underscore"', "$LATEST"],
    ["function:my_function", undefined, '"underscore"', "$LATEST"],
  ])("names a function %s, with the qualifier %s", async (FunctionName, Qualifier, payload, version) => {
    const answer = await invoke({ FunctionName, Qualifier });
    expect(text(answer.Payload)).toBe(payload);
    expect(answer.ExecutedVersion).toBe(version);
  });

  it("hands everything on to the function", async () => {
    const context = { custom: { a: "b" }, client: { installation_id: "i" } };
    const answer = await invoke({
      FunctionName: "arn:aws:lambda:eu-west-1:123456789012:function:echo",
      Payload: '{"ä":1}',
      ClientContext: btoa(JSON.stringify(context)),
      TenantId: "tenant A",
      DurableExecutionName: "order-1",
    });
    expect(JSON.parse(text(answer.Payload))).toMatchObject({
      event: { ä: 1 },
      context: {
        functionName: "echo",
        invokedFunctionArn: "arn:aws:lambda:eu-west-1:123456789012:function:echo",
        clientContext: context,
        tenantId: "tenant A",
      },
    });
    const { payload, ...call } = api.calls.at(-1) as FunctionCall;
    expect(text(payload)).toBe('{"ä":1}');
    expect(call).toEqual({
      target: { functionName: "echo", region: "eu-west-1", accountId: "123456789012", partition: "aws" },
      logs: false,
      request: {
        method: "POST",
        url: invokePath("arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Aecho"),
      },
      invocationType: "RequestResponse",
      clientContext: btoa(JSON.stringify(context)),
      tenantId: "tenant A",
      durableExecutionName: "order-1",
      requestId: answer.$metadata.requestId,
      traceId: expect.stringMatching(/^Root=1-/) as string,
    });
  });

  it("sees a function that throws as one that ran", async () => {
    const answer = await invoke({ FunctionName: "broken" });
    expect(answer).toMatchObject({ StatusCode: 200, FunctionError: "Unhandled", ExecutedVersion: "$LATEST" });
    expect(JSON.parse(text(answer.Payload))).toMatchObject({ errorType: "TypeError", errorMessage: "boom" });
  });

  it("gets at most 4 KB of the log, its end", async () => {
    const { LogResult } = await invoke({ FunctionName: "logs", LogType: "Tail" });
    const log = Buffer.from(LogResult ?? "", "base64");
    expect(log.length).toBe(4096);
    expect(log.toString()).toMatch(/xxx\n.*\tthe end\nEND RequestId: .*\nREPORT RequestId: .*\t\n$/);
  });

  it("queues an event, which gets no client context", async () => {
    const ClientContext = btoa('{"custom":{}}');
    const answer = await invoke({ FunctionName: "echo", InvocationType: "Event", Payload: '{"a":1}', ClientContext });
    expect(answer.StatusCode).toBe(202);
    expect(text(answer.Payload)).toBe("");
    expect(answer.ExecutedVersion).toBeUndefined();
    const call = api.queued.at(-1);
    expect(text(call?.payload)).toBe('{"a":1}');
    expect(call).toMatchObject({ invocationType: "Event", logs: false, requestId: answer.$metadata.requestId });
    expect(call).not.toHaveProperty("clientContext");
    expect(call).toBe(api.calls.at(-1));
  });

  it("queues an event the old way", async () => {
    const answer = await client.send(new InvokeAsyncCommand({ FunctionName: "echo", InvokeArgs: '{"old":true}' }));
    expect(answer.Status).toBe(202);
    expect(text(api.queued.at(-1)?.payload)).toBe('{"old":true}');
  });

  it("asks whether it may, and nothing runs", async () => {
    const answer = await invoke({ FunctionName: "slow", InvocationType: "DryRun" });
    expect(answer.StatusCode).toBe(204);
    expect(answer.ExecutedVersion).toBeUndefined();
    expect(seen).toBeUndefined();
  });

  it("streams what a function writes, piece by piece", async () => {
    const pieces = ["a", "ü".repeat(100_000), "c"];
    const answer = await stream({ FunctionName: "stream", Payload: JSON.stringify({ pieces }), LogType: "Tail" });
    expect(answer.status).toBe(200);
    expect(answer.version).toBe("$LATEST");
    expect(answer.payload).toBe(pieces.join(""));
    expect(answer.end.ErrorCode).toBeUndefined();
    expect(Buffer.from(answer.end.LogResult ?? "", "base64").toString()).toMatch(/\tstreaming\n/);
  });

  it("gets the same at once from Invoke", async () => {
    const answer = await invoke({ FunctionName: "stream", Payload: '{"pieces":["a","b"]}' });
    expect(text(answer.Payload)).toBe("ab");
  });

  it("streams a function that does not", async () => {
    expect((await stream({ FunctionName: "echo", Qualifier: "7" })).payload).toBe('"seven"');
    const { payload, end } = await stream({ FunctionName: "broken" });
    expect(payload).toBe("");
    expect(end.ErrorCode).toBe("Unhandled");
    expect(JSON.parse(end.ErrorDetails ?? "")).toMatchObject({ errorMessage: "boom" });
  });

  it("is told of a failure behind half an answer", async () => {
    const { payload, end } = await stream({ FunctionName: "stream", Qualifier: "broken" });
    expect(payload).toBe("half");
    expect(end.ErrorCode).toBe("Unhandled");
    expect(JSON.parse(end.ErrorDetails ?? "")).toMatchObject({ errorType: "RangeError", errorMessage: "no more" });
  });

  it.each([
    ["nobody's name", { FunctionName: "nope" }, ResourceNotFoundException, 404],
    ["nobody's alias", { FunctionName: "echo", Qualifier: "nope" }, ResourceNotFoundException, 404],
    ["two qualifiers", { FunctionName: "echo:prod", Qualifier: "7" }, InvalidParameterValueException, 400],
    ["no JSON", { FunctionName: "echo", Payload: "{" }, InvalidRequestContentException, 400],
    ["no client context", { FunctionName: "echo", ClientContext: "x" }, InvalidRequestContentException, 400],
    ["a name that can't be", { FunctionName: "or ders" }, LambdaServiceException, 400],
    ["too much to do", { FunctionName: "busy" }, TooManyRequestsException, 429],
    ["too much to queue", { FunctionName: "busy", InvocationType: "Event" as const }, TooManyRequestsException, 429],
    ["a fault inside", { FunctionName: "faulty" }, ServiceException, 500],
    ["a strange fault inside", { FunctionName: "strange" }, ServiceException, 500],
    ["a result that can't be sent", { FunctionName: "unsendable" }, ServiceException, 500],
  ])("has its own error for %s", async (_name, input, kind, status) => {
    const error = await failure(invoke(input));
    expect(error).toBeInstanceOf(kind);
    expect(error.$metadata.httpStatusCode).toBe(status);
    expect(error.$metadata.requestId).toMatch(/^[0-9a-f-]{36}$/);
    expect(error.$fault).toBe(status < 500 ? "client" : "server");
  });

  it("is told why, and when it may try again", async () => {
    expect(await failure(invoke({ FunctionName: "busy" }))).toMatchObject({
      Reason: THROTTLED.Reason,
      Type: "User",
      message: THROTTLED.message,
      retryAfterSeconds: "3",
    });
    expect(await failure(invoke({ FunctionName: "nope" }))).toMatchObject({
      message: "Function not found: arn:aws:lambda:eu-west-1:000000000000:function:nope:$LATEST",
      Type: "User",
    });
  });
});

describe("our own client", () => {
  const session = (options: Partial<SessionOptions> = {}): Session =>
    new Session({ endpoint: api.endpoint, region: "eu-west-1", retry: false, ...options });

  it("calls a function, and knows all about it", async () => {
    await using calls = session({ logs: true });
    const response = await calls.get("http+lambda://echo:7/");
    const call = api.calls.at(-1);
    expect(response.invocation).toMatchObject({
      executedVersion: "7",
      region: "eu-west-1",
      requestId: call?.requestId,
      traceId: call?.traceId,
      report: { memorySize: 128 },
    });
  });

  const REFUSED = { request: { method: "POST" }, attempts: 1 };

  it.each([
    ["nope", { code: "ResourceNotFoundException", status: 404, outcome: "not-started" }],
    ["echo:nope", { code: "ResourceNotFoundException", status: 404, outcome: "not-started" }],
    [
      "busy",
      {
        code: "TooManyRequestsException",
        status: 429,
        outcome: "not-started",
        reason: THROTTLED.Reason,
        retryAfter: 3000,
      },
    ],
    ["faulty", { code: "ServiceException", status: 500, outcome: "unknown" }],
    ["lost:early", { code: "TooManyRequestsException", status: 429, outcome: "not-started" }],
  ])("says of %s what is certain", async (name, expected) => {
    for (const responseStreaming of name === "lost:early" ? [true] : [false, true]) {
      await using calls = session({ responseStreaming });
      const error: unknown = await calls.post(`http+lambda://${name}/`).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(InvokeError);
      expect(error).toMatchObject({ ...REFUSED, ...expected });
      expect((error as InvokeError).requestId).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  it("says of a path that is not Lambda's what is certain", async () => {
    await using calls = session({ endpoint: `${api.endpoint}/elsewhere` });
    const error: unknown = await calls.post("http+lambda://echo/").catch((reason: unknown) => reason);
    expect(error).toMatchObject({ ...REFUSED, code: "AccessDeniedException", status: 403, outcome: "not-started" });
  });

  // A Session refuses these before it sends anything.
  it.each<[string, Partial<Invocation>, string, number]>([
    ["a name", { target: { functionName: "or ders" } }, "ValidationException", 400],
    ["a qualifier", { target: { functionName: "echo", qualifier: "no!" } }, "ValidationException", 400],
    ["a tenant", { tenantId: "a,b" }, "ValidationException", 400],
    ["an execution's name", { durableExecutionName: "a.b" }, "ValidationException", 400],
    ["a client context", { clientContext: "x" }, "InvalidRequestContentException", 400],
    ["an event", { payload: Buffer.from("{") }, "InvalidRequestContentException", 400],
    ["a large event", { payload: Buffer.alloc(7_000_000, " ") }, "RequestEntityTooLargeException", 413],
    [
      "a large event to queue",
      { payload: Buffer.alloc(1_048_577, " "), invocationType: "Event" },
      "RequestEntityTooLargeException",
      413,
    ],
  ])("says of %s that can't be what is certain", async (_name, given, code, status) => {
    const invoker = awsInvoker({ endpoint: api.endpoint, region: "eu-west-1" });
    const request = { method: "POST", url: "http+lambda://echo/" };
    const call = { target: { functionName: "echo" }, payload: Buffer.from("{}"), logs: false, request, ...given };
    const error: unknown = await invoker.invoke(call).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code, status, outcome: "not-started" });
    await invoker.close?.();
  });

  it("says of an answer that broke off that the function may have run", async () => {
    const before = api.calls.length;
    await using calls = session({ responseStreaming: true });
    const read = calls.post("http+lambda://lost/").text();
    await expect(read).rejects.toMatchObject({ name: "InvokeError", outcome: "unknown" });
    expect(api.calls).toHaveLength(before + 1);
  });
});

it("an answer that never began says no version", async () => {
  const { status, headers } = await send(api.endpoint, `${streamPath("lost")}?Qualifier=early`);
  expect(status).toBe(429);
  expect(headers["content-type"]).toBe("application/json");
  expect(headers).not.toHaveProperty("x-amz-executed-version");
});

it("whatever a request says, it is answered", async () => {
  const HEADERS = [
    "x-amz-invocation-type",
    "x-amz-log-type",
    "x-amz-client-context",
    "x-amz-tenant-id",
    "x-amz-durable-execution-name",
    "x-amzn-requestid",
    "x-amzn-trace-id",
    "content-type",
  ];
  const value = fc.oneof(
    fc.stringMatching(/^[ -~¡-ÿ]{0,40}$/),
    fc.constantFrom("Event", "DryRun", "Tail", btoa("{}"), "Root=1-5759e988-bd862e3fe1be46a994272793"),
  );
  const name = fc.oneof(fc.stringMatching(/^[!-~]{1,30}$/), fc.constantFrom("echo", "echo:7", "%zz", "%00", "%2e%2e"));
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(fc.constantFrom(...HEADERS), value),
      fc.constantFrom(invokePath, streamPath, asyncPath),
      name,
      fc.oneof(fc.json(), fc.uint8Array()),
      async (headers, path, segment, body) => {
        const { status, json, headers: answered } = await send(api.endpoint, path(segment), { headers, body });
        expect([200, 202, 204, 400, 403, 404]).toContain(status);
        expect(answered["x-amzn-requestid"]).toMatch(/^[0-9a-f-]{36}$/i);
        if (status === 400 || status === 404) expect(json).toBeTypeOf("object");
      },
    ),
  );
});

describe("a client that goes", () => {
  /** Sends a request, and breaks off when the function has got it. */
  async function leave(path: string): Promise<void> {
    const request = httpRequest(api.endpoint, { path, method: "POST", headers: SIGNED });
    request.on("error", () => undefined);
    request.end("{}");
    await started.passed;
    await new Promise<void>((resolve) => {
      request.once("close", () => resolve());
      request.destroy();
    });
  }

  async function aborted(): Promise<void> {
    const { signal } = seen ?? {};
    if (signal === undefined) expect.fail("there is no signal");
    if (!signal.aborted) await once(signal, "abort");
  }

  it("leaves a function that it waits for alone, as on AWS", async () => {
    await leave(invokePath("slow"));
    expect(seen?.signal).toBeUndefined();
    goOn.open();
    expect((await send(api.endpoint, invokePath("slow"))).body.toString()).toBe('"slow"');
  });

  it("is told to one that streams, before it begins", async () => {
    await leave(streamPath("slow"));
    await aborted();
    goOn.open();
    expect((await send(api.endpoint, invokePath("slow"))).status).toBe(200);
  });

  it("is told to one that streams, while it does", async () => {
    await leave(streamPath("endless"));
    await aborted();
    await returned.passed;
  });

  it("is told to nobody when it has all of the answer", async () => {
    goOn.open();
    expect((await send(api.endpoint, streamPath("slow"))).status).toBe(200);
    expect(seen?.signal?.aborted).toBe(false);
  });
});
