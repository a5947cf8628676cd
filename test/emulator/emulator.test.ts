import { request as httpRequest } from "node:http";
import {
  InvokeCommand,
  type InvokeCommandInput,
  LambdaClient,
  type LambdaServiceException,
} from "@aws-sdk/client-lambda";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Emulator } from "../../src/emulator/index.ts";
import { ConfigurationError, InvalidTargetError } from "../../src/errors.ts";
import { Session } from "../../src/session.ts";

let emulator: Emulator;
let client: LambdaClient;
const background = makeResolvers();

function makeResolvers(): { promise: Promise<unknown>; resolve: (value: unknown) => void } {
  let resolve: (value: unknown) => void = () => undefined;
  const promise = new Promise((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

beforeAll(async () => {
  emulator = await Emulator.start({
    quiet: true,
    functions: {
      orders: async (event: unknown, context: { invokedFunctionArn: string }) => {
        console.log("taking an order");
        return { event, arn: context.invokedFunctionArn };
      },
      "orders:prod": async () => "prod",
      "orders:7": async () => "seven",
      background: async (event: unknown) => background.resolve(event),
      broken: async () => {
        throw new TypeError("boom");
      },
      nothing: async () => undefined,
      my_function: async () => "underscore",
    },
  });
  client = new LambdaClient({
    endpoint: emulator.endpoint,
    region: "eu-west-1",
    credentials: { accessKeyId: "AKID", secretAccessKey: "secret" },
  });
});

afterAll(async () => {
  client.destroy();
  await emulator.close();
});

const text = (payload: Uint8Array | undefined): string => Buffer.from(payload ?? []).toString("utf8");

async function refusal(input: InvokeCommandInput): Promise<LambdaServiceException> {
  const error = await client.send(new InvokeCommand(input)).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(Error);
  return error as LambdaServiceException;
}

/** A request as curl would send it: whatever headers, signed or not. */
function send(
  path: string,
  headers: Record<string, string> = {},
  method = "POST",
  body = "{}",
): Promise<{ status: number; error: string | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(emulator.endpoint, { path, method, headers }, (response) => {
      let received = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        received += chunk;
      });
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          error: response.headers["x-amzn-errortype"] as string | undefined,
          body: received,
        }),
      );
    });
    request.once("error", reject);
    request.end(body);
  });
}

describe("AWS's own SDK", () => {
  it("invokes a function", async () => {
    const answer = await client.send(new InvokeCommand({ FunctionName: "orders", Payload: '{"a":1}' }));
    expect(JSON.parse(text(answer.Payload))).toEqual({
      event: { a: 1 },
      arn: "arn:aws:lambda:eu-west-1:000000000000:function:orders",
    });
    expect(answer).toMatchObject({ StatusCode: 200, ExecutedVersion: "$LATEST" });
    expect(answer.FunctionError).toBeUndefined();
    expect(answer.LogResult).toBeUndefined();
    expect(answer.$metadata.requestId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("gets the log's tail when it asks", async () => {
    const answer = await client.send(new InvokeCommand({ FunctionName: "orders", LogType: "Tail" }));
    const lines = Buffer.from(answer.LogResult ?? "", "base64")
      .toString("utf8")
      .split("\n");
    const id = answer.$metadata.requestId;
    expect(lines[0]).toBe(`START RequestId: ${id} Version: $LATEST`);
    expect(lines[1]).toMatch(new RegExp(`^\\d{4}-.*Z\t${id}\tINFO\ttaking an order$`));
    expect(lines[2]).toBe(`END RequestId: ${id}`);
    expect(lines[3]).toMatch(
      new RegExp(
        `^REPORT RequestId: ${id}\tDuration: \\d+\\.\\d\\d ms\tBilled Duration: \\d+ ms\tMemory Size: 128 MB\tMax Memory Used: \\d+ MB\t$`,
      ),
    );
  });

  it("sees a function that throws as AWS shows it: status 200, and an error payload", async () => {
    const answer = await client.send(new InvokeCommand({ FunctionName: "broken", LogType: "Tail" }));
    expect(answer).toMatchObject({ StatusCode: 200, FunctionError: "Unhandled" });
    const payload = JSON.parse(text(answer.Payload)) as { trace: string[] };
    expect(payload).toEqual({ errorType: "TypeError", errorMessage: "boom", trace: expect.any(Array) as string[] });
    expect(payload.trace[0]).toBe("TypeError: boom");
    expect(Buffer.from(answer.LogResult ?? "", "base64").toString()).toContain("\tERROR\tInvoke Error\t");
  });

  it("gets null for a function that returns nothing", async () => {
    expect(text((await client.send(new InvokeCommand({ FunctionName: "nothing" }))).Payload)).toBe("null");
  });

  it.each([
    ["orders:prod", undefined, '"prod"', "$LATEST"],
    ["orders", "prod", '"prod"', "$LATEST"],
    ["orders", "7", '"seven"', "7"],
    ["arn:aws:lambda:eu-west-1:000000000000:function:orders:prod", undefined, '"prod"', "$LATEST"],
    ["000000000000:function:orders:prod", "prod", '"prod"', "$LATEST"],
    ["my_function", "$LATEST", '"underscore"', "$LATEST"],
  ])("names it %s with qualifier %s", async (FunctionName, Qualifier, payload, version) => {
    const answer = await client.send(new InvokeCommand({ FunctionName, Qualifier }));
    expect(text(answer.Payload)).toBe(payload);
    expect(answer.ExecutedVersion).toBe(version);
  });

  it("asks whether it may, and nothing runs", async () => {
    const answer = await client.send(new InvokeCommand({ FunctionName: "broken", InvocationType: "DryRun" }));
    expect(answer).toMatchObject({ StatusCode: 204 });
    expect(answer.ExecutedVersion).toBeUndefined();
  });

  it("queues an event", async () => {
    const answer = await client.send(
      new InvokeCommand({ FunctionName: "background", InvocationType: "Event", Payload: '{"queued":true}' }),
    );
    expect(answer.StatusCode).toBe(202);
    expect(text(answer.Payload)).toBe("");
    expect(await background.promise).toEqual({ queued: true });
  });

  it.each([
    [
      { FunctionName: "nope" },
      "ResourceNotFoundException",
      404,
      "Function not found: arn:aws:lambda:eu-west-1:000000000000:function:nope:$LATEST",
    ],
    [
      { FunctionName: "orders:staging" },
      "ResourceNotFoundException",
      404,
      "Function not found: arn:aws:lambda:eu-west-1:000000000000:function:orders:staging",
    ],
    [
      { FunctionName: "orders:prod", Qualifier: "7" },
      "InvalidParameterValueException",
      400,
      "The derived qualifier from the function name does not match the specified qualifier.",
    ],
    [
      { FunctionName: "arn:aws:lambda:us-east-1:000000000000:function:orders" },
      "ResourceNotFoundException",
      404,
      "Functions from 'us-east-1' are not reachable in this region ('eu-west-1')",
    ],
    [{ FunctionName: "orders", Qualifier: "a b" }, "ValidationException", 400, "1 validation error detected"],
    [
      { FunctionName: "orders", Payload: "{" },
      "InvalidRequestContentException",
      400,
      "Could not parse request body into json",
    ],
  ])("is refused %j", async (input, name, status, message) => {
    const error = await refusal(input);
    expect(error.name).toBe(name);
    expect(error.$metadata.httpStatusCode).toBe(status);
    expect(error.message).toContain(message);
  });

  it("sends at most 6,291,456 bytes", async () => {
    const largest = `"${"x".repeat(6_291_454)}"`;
    expect((await client.send(new InvokeCommand({ FunctionName: "nothing", Payload: largest }))).StatusCode).toBe(200);
    const error = await refusal({ FunctionName: "nothing", Payload: `${largest} ` });
    expect(error.name).toBe("RequestEntityTooLargeException");
    expect(error.$metadata.httpStatusCode).toBe(413);
  });
});

it("refuses an unknown invocation type, and nothing runs", async () => {
  let runs = 0;
  await using other = await Emulator.start({ functions: { count: async () => ++runs }, quiet: true });
  const { status, headers } = await fetch(`${other.endpoint}/2015-03-31/functions/count/invocations`, {
    method: "POST",
    headers: {
      authorization: `AWS4-HMAC-SHA256 Credential=AKID/20260710/eu-west-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=${"0".repeat(64)}`,
      "x-amz-date": "20260710T191904Z",
      "x-amz-invocation-type": "Foo",
    },
  });
  expect(status).toBe(400);
  expect(headers.get("x-amzn-errortype")).toBe("ValidationException");
  expect(runs).toBe(0);
});

describe("a signature", () => {
  const scope = "AKID/20260710/eu-west-1/lambda/aws4_request";
  const form = (credential: string, signed = "host;x-amz-date"): string =>
    `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${signed}, Signature=${"0".repeat(64)}`;
  const date = { "x-amz-date": "20260710T191904Z" };
  const path = "/2015-03-31/functions/nothing/invocations";

  it("of the right form is enough: an emulator knows no secret", async () => {
    expect(await send(path, { ...date, authorization: form(scope) })).toMatchObject({ status: 200, body: "null" });
  });

  it.each([
    ["none", {}, "MissingAuthenticationTokenException"],
    ["another scheme", { authorization: "Bearer x" }, "IncompleteSignatureException"],
    ["no date", { authorization: form(scope) }, "IncompleteSignatureException"],
    ["another day", { "x-amz-date": "20260711T191904Z", authorization: form(scope) }, "InvalidSignatureException"],
    ["another service", { ...date, authorization: form(scope.replace("lambda", "s3")) }, "InvalidSignatureException"],
    ["host not signed", { ...date, authorization: form(scope, "x-amz-date") }, "IncompleteSignatureException"],
  ])("with %s is refused", async (_name, headers, error) => {
    expect(await send(path, headers as Record<string, string>)).toMatchObject({ status: 403, error });
  });

  it("is refused without a Type, a function that is not there with one", async () => {
    expect((await send(path)).body).toBe('{"message":"Missing Authentication Token"}');
    const nowhere = path.replace("nothing", "nowhere");
    expect(JSON.parse((await send(nowhere, { ...date, authorization: form(scope) })).body)).toEqual({
      Type: "User",
      Message: "Function not found: arn:aws:lambda:eu-west-1:000000000000:function:nowhere:$LATEST",
    });
  });

  it.each([
    ["/", "GET"],
    ["//", "POST"],
    ["//127.0.0.1/2015-03-31/functions/nothing/invocations", "POST"],
    ["/x/../2015-03-31/functions/nothing/invocations", "POST"],
    ["/2015-03-31/functions//invocations", "POST"],
    ["/2015-03-31/functions/nothing/invocations", "GET"],
  ])("is not even looked at for %s %s", async (other, method) => {
    const answer = await send(other, { ...date, authorization: form(scope) }, method, "");
    expect(answer).toMatchObject({ status: 403, body: expect.stringMatching(/^<AccessDeniedException>/) as string });
  });
});

describe("starting and stopping", () => {
  it("works with await using, and frees its port", async () => {
    let endpoint: string;
    {
      await using other = await Emulator.start({ functions: { a: async () => ({ statusCode: 200, body: "a" }) } });
      endpoint = other.endpoint;
      await using session = new Session({ endpoint, region: "eu-west-1" });
      expect(await session.get("http+lambda://a/").text()).toBe("a");
    }
    await using again = await Emulator.start({ functions: {}, port: Number(new URL(endpoint).port) });
    expect(again.endpoint).toBe(endpoint);
  });

  it("closes while a function still runs", async () => {
    const started = makeResolvers();
    const other = await Emulator.start({
      functions: {
        slow: () => {
          started.resolve(undefined);
          return new Promise(() => undefined);
        },
      },
    });
    const session = new Session({ endpoint: other.endpoint, region: "eu-west-1" });
    const call = session.get("http+lambda://slow/").catch((error: unknown) => error);
    await started.promise;
    await other.close();
    expect(await call).toMatchObject({ name: "InvokeError", outcome: "unknown" });
  });

  it.each([
    ["an unknown option", { functions: {}, prot: 1 }, ConfigurationError, 'no option "prot"'],
    ["a name that can't be", { functions: { "or ders": async () => 1 } }, InvalidTargetError, "can't hold"],
    [
      "a name with an account",
      { functions: { "123456789012:function:a": async () => 1 } },
      ConfigurationError,
      "no account",
    ],
    ["no handler", { functions: { a: 1 } }, ConfigurationError, "a"],
    ["a file that is not there", { functions: { a: "./nowhere.mjs" } }, ConfigurationError, "there is no file"],
    ["a definition that can't be", { functions: { a: { handler: "x", timeout: 0 } } }, ConfigurationError, "timeout"],
    ["faults that can't be", { functions: {}, faults: { throttle: 2 } }, ConfigurationError, "throttle"],
  ])("refuses %s", async (_name, options, kind, message) => {
    const start = Emulator.start(options as never);
    await expect(start).rejects.toBeInstanceOf(kind);
    await expect(start).rejects.toThrow(message);
  });

  it("says that its port is taken", async () => {
    const port = Number(new URL(emulator.endpoint).port);
    await expect(Emulator.start({ functions: {}, port })).rejects.toMatchObject({
      name: "ConfigurationError",
      message: expect.stringContaining(`can't listen on 127.0.0.1:${port}: `) as string,
      cause: { code: "EADDRINUSE" },
    });
  });
});
