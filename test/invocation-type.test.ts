/** What is only queued, what is only asked, and what goes along beside the event: in this process, and over the API. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Emulator } from "../src/emulator/index.ts";
import { ConfigurationError } from "../src/errors.ts";
import type { RestApiEvent } from "../src/formats/rest-api.ts";
import type { HandlerContext } from "../src/invoke/handler.ts";
import { Session } from "../src/session.ts";
import type { SessionOptions, SessionRequestOptions } from "../src/session-options.ts";
import { answers, breaks, type Fault, faultyLambda, http, refusal, result } from "./support/faulty-lambda.ts";

interface Seen {
  readonly event: RestApiEvent;
  readonly context: HandlerContext & { readonly clientContext?: unknown };
}

const URL_OF_APP = "http+lambda://app/items";
let seen: Seen[] = [];
let called = new EventTarget();
let release: () => void = () => undefined;
let emulator: Emulator;

/** Answers only when it is told to. */
const handler = async (event: RestApiEvent, context: Seen["context"]): Promise<object> => {
  seen.push({ event, context });
  called.dispatchEvent(new Event("called"));
  if (event.path === "/slow") {
    await new Promise<void>((resolve) => {
      release = resolve;
    });
  }
  if (event.path === "/broken") throw new Error("nobody hears this");
  return { statusCode: 201, headers: { "X-From": "app" }, body: "made" };
};

beforeEach(async () => {
  seen = [];
  called = new EventTarget();
  emulator = await Emulator.start({ functions: { app: handler }, quiet: true });
});
afterEach(async () => {
  release();
  await emulator.close();
});

describe.each<[where: string, makeSession: () => Session]>([
  ["in this process", () => new Session({ functions: { app: handler } })],
  ["over the API", () => new Session({ endpoint: emulator.endpoint, region: "us-east-1" })],
])("%s", (_where, makeSession) => {
  test("Event: a 202 without a body, before the function has answered", async () => {
    await using session = makeSession();
    const isCalled = once(called, "called");
    const response = await session.post("http+lambda://app/slow", { json: { a: 1 }, invocationType: "Event" });
    expect([response.status, await response.text()]).toEqual([202, ""]);
    expect([...response.headers]).toEqual([["content-length", "0"]]);
    expect(response.invocation.requestId).toMatch(/^[0-9a-f-]{36}$/);
    await isCalled;
    expect(seen[0]?.event).toMatchObject({ httpMethod: "POST", path: "/slow", body: '{"a":1}' });
  });

  test("Event: a function that fails is none of the caller's business", async () => {
    await using session = makeSession();
    const isCalled = once(called, "called");
    const response = await session.post("http+lambda://app/broken", {
      invocationType: "Event",
      functionErrors: "throw",
    });
    await isCalled;
    expect([response.status, response.invocation.functionError]).toEqual([202, undefined]);
  });

  test("DryRun: a 204, and the function does not run", async () => {
    await using session = makeSession();
    const response = await session.delete(URL_OF_APP, { invocationType: "DryRun" });
    expect([response.status, response.body]).toEqual([204, null]);
    expect(seen).toEqual([]);
  });

  test("an invocationType of the session gives way to the request's", async () => {
    await using session = makeSession();
    expect((await session.get(URL_OF_APP, { invocationType: "RequestResponse" })).status).toBe(201);
    expect(seen).toHaveLength(1);
  });

  test("the function finds the client context in its own", async () => {
    await using session = makeSession();
    const clientContext = { custom: { größe: "XL" }, env: {}, client: { app_title: "shop" } };
    await session.get(URL_OF_APP, { clientContext });
    await session.get(URL_OF_APP);
    expect(seen.map(({ context }) => context.clientContext)).toEqual([clientContext, undefined]);
  });
});

test("DryRun of a function that is not there says so", async () => {
  await using session = new Session({ endpoint: emulator.endpoint, region: "us-east-1" });
  const call = session.get("http+lambda://nobody/", { invocationType: "DryRun" });
  await expect(call).rejects.toMatchObject({ code: "ResourceNotFoundException", outcome: "not-started" });
});

describe("mayInvoke", () => {
  const refused = (status: number, name: string): Fault => refusal(status, name, {}, { message: "no" });

  test.each([
    ["a name", "http+lambda://app"],
    ["an alias", "http+lambda://app:prod/items"],
    ["a URL", new URL("http+lambda://prod.app/")],
  ])("%s: asks by a dry run of Invoke, whatever the session's defaults are", async (_name, url) => {
    const lambda = await faultyLambda(answers("204", false, http(204, {}, "")));
    await using session = new Session({
      endpoint: lambda.endpoint,
      region: "us-east-1",
      responseStreaming: true,
      invocationType: "Event",
      auth: ["ada", "secret"],
      hooks: { beforeRequest: () => expect.unreachable() },
    });
    expect(await session.mayInvoke(url)).toBe(true);
    expect(lambda.heads).toHaveLength(1);
    expect(lambda.heads[0]).toMatch(/^POST \/2015-03-31\/functions\/app\/invocations(\?Qualifier=prod)? HTTP/);
    expect(lambda.heads[0]).toMatch(/^x-amz-invocation-type: DryRun$/im);
    lambda.close();
  });

  test("false for who may not, and an error for everything else", async () => {
    const script: [Fault, ...Fault[]] = [
      refused(403, "AccessDeniedException"),
      refused(404, "ResourceNotFoundException"),
      refused(403, "UnrecognizedClientException"),
      refused(403, "EFSMountFailureException"),
    ];
    const lambda = await faultyLambda(...script);
    await using session = new Session({ endpoint: lambda.endpoint, region: "us-east-1" });
    expect(await session.mayInvoke(URL_OF_APP)).toBe(false);
    await expect(session.mayInvoke(URL_OF_APP)).rejects.toMatchObject({ code: "ResourceNotFoundException" });
    await expect(session.mayInvoke(URL_OF_APP)).rejects.toMatchObject({ code: "UnrecognizedClientException" });
    await expect(session.mayInvoke(URL_OF_APP)).rejects.toMatchObject({ code: "EFSMountFailureException" });
    expect(lambda.counts.requests).toBe(4);
    lambda.close();
  });

  test("a lost answer is asked for again, for nothing runs", async () => {
    const lambda = await faultyLambda(breaks("lost", false), answers("204", false, http(204, {}, "")));
    await using session = new Session({ endpoint: lambda.endpoint, region: "us-east-1", retry: { maxDelay: 0 } });
    expect(await session.mayInvoke(URL_OF_APP)).toBe(true);
    await expect(session.mayInvoke(URL_OF_APP, { signal: AbortSignal.abort() })).rejects.toThrow(/aborted/);
    lambda.close();
  });

  test("what answers in this process may be, and does not run", async () => {
    await using session = new Session({ functions: { app: handler } });
    expect(await session.mayInvoke(URL_OF_APP)).toBe(true);
    expect(seen).toEqual([]);
  });

  test("a page of the web, a mounted fetch, a wrong option", async () => {
    await using session = new Session({ functions: { app: handler } });
    session.mount("http+lambda://proxied", async () => expect.unreachable());
    await expect(session.mayInvoke("https://example.com/")).rejects.toThrow(/names no function/);
    await expect(session.mayInvoke("http+lambda://proxied/x")).rejects.toThrow(/mounted fetch/);
    await expect(session.mayInvoke(URL_OF_APP, { json: {} } as never)).rejects.toThrow(ConfigurationError);
    await expect(session.mayInvoke(URL_OF_APP, { timeout: -1 })).rejects.toThrow(ConfigurationError);
  });
});

describe("a tenant", () => {
  test.each<[where: string, makeSession: () => Session]>([
    ["in this process", () => new Session({ functions: { app: handler }, tenantId: "blue" })],
    ["over the API", () => new Session({ endpoint: emulator.endpoint, region: "us-east-1", tenantId: "blue" })],
  ])("%s: the function finds it in its context", async (_where, makeSession) => {
    await using session = makeSession();
    await session.get(URL_OF_APP);
    await session.get(URL_OF_APP, { tenantId: "a b._:/=+-@Z9" });
    expect(seen.map(({ context }) => context.tenantId)).toEqual(["blue", "a b._:/=+-@Z9"]);
  });

  test("none: none", async () => {
    await using session = new Session({ endpoint: emulator.endpoint, region: "us-east-1" });
    await session.get(URL_OF_APP);
    expect(seen[0]?.context).not.toHaveProperty("tenantId");
  });

  test.each(["", "a\nb", "ä", "a,b", "a".repeat(257), 7])("%j can't be one", (tenantId) => {
    expect(() => new Session({ tenantId: tenantId as string })).toThrow(
      "the option tenantId has to be 1 to 256 letters, digits, spaces and ._:/=+-@",
    );
  });
});

describe("a durable function", () => {
  const ARN = "arn:aws:lambda:us-east-1:000000000000:function:app:1/durable-execution/order-1/0a";
  const OK = result({ statusCode: 200, body: "done" }, { "X-Amz-Durable-Execution-Arn": ARN });
  const nameIn = (head: string | undefined): string | undefined =>
    /^x-amz-durable-execution-name: (.*)$/im.exec(head ?? "")?.[1];
  const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

  test.each<[what: string, options: SessionRequestOptions, name: string | undefined]>([
    ["a name", { durableExecutionName: "order-1" }, "order-1"],
    ["a key", { durable: true, headers: { "Idempotency-Key": "order_1-A" } }, "order_1-A"],
    ["a key of 64", { durable: true, headers: { "idempotency-key": "a".repeat(64) } }, "a".repeat(64)],
    ["a key of 65", { durable: true, headers: { "idempotency-key": "a".repeat(65) } }, sha256(`${"a".repeat(65)}\n\n`)],
    ["a quoted key", { durable: true, headers: { "Idempotency-Key": '"8e03"' } }, sha256('"8e03"\n\n')],
    ["a name and a key", { durable: true, durableExecutionName: "n", headers: { "Idempotency-Key": "k" } }, "n"],
    ["a key of a function that is not durable", { headers: { "Idempotency-Key": "order-1" } }, undefined],
    ["no key", { durable: true }, undefined],
    ["an empty key", { durable: true, headers: { "Idempotency-Key": "" } }, undefined],
  ])("%s", async (_what, options, name) => {
    const lambda = await faultyLambda(OK);
    await using session = new Session({ endpoint: lambda.endpoint, region: "us-east-1" });
    const response = await session.post(URL_OF_APP, options);
    expect(nameIn(lambda.heads[0])).toBe(name);
    expect(response.invocation.durableExecutionArn).toBe(ARN);
    lambda.close();
  });

  test("a POST with a name is sent again after its answer was lost, under the same name", async () => {
    const lambda = await faultyLambda(breaks("lost", true), breaks("lost", true), OK);
    await using session = new Session({ endpoint: lambda.endpoint, region: "us-east-1", retry: { maxDelay: 0 } });
    const response = await session.post(URL_OF_APP, { durable: true, headers: { "Idempotency-Key": "order-1" } });
    expect([await response.text(), response.invocation.attempts]).toEqual(["done", 3]);
    expect(lambda.heads.map(nameIn)).toEqual(["order-1", "order-1", "order-1"]);
    await expect(
      session.post(URL_OF_APP, { durable: true, invocationType: "Event", headers: { "Idempotency-Key": "order-2" } }),
    ).resolves.toMatchObject({ status: 202 });
    lambda.close();
  });

  test("without a name it is not", async () => {
    const lambda = await faultyLambda(breaks("lost", true), OK);
    await using session = new Session({ endpoint: lambda.endpoint, region: "us-east-1", durable: true });
    await expect(session.post(URL_OF_APP)).rejects.toMatchObject({ outcome: "unknown", attempts: 1 });
    lambda.close();
  });

  test("a redirect leads to an execution of its own, the same each time", async () => {
    const to = result({ statusCode: 307, headers: { Location: "/orders" }, body: "" });
    const lambda = await faultyLambda(to, OK, to, OK);
    await using session = new Session({ endpoint: lambda.endpoint, region: "us-east-1", durableExecutionName: "n" });
    await session.post(URL_OF_APP, { json: {} });
    await session.post(URL_OF_APP, { json: {} });
    const names = lambda.heads.map(nameIn);
    expect(names).toEqual(["n", names[1], "n", names[1]]);
    expect(names[1]).toBe(sha256("n\nPOST\nhttp+lambda://app/orders"));
    lambda.close();
  });

  test.each<[options: SessionOptions, message: string]>([
    [{ durableExecutionName: "a b" }, "the option durableExecutionName has to be 1 to 64 letters, digits, - and _"],
    [{ durableExecutionName: "a".repeat(65) }, "the option durableExecutionName"],
    [{ durable: "yes" as never }, "the option durable has to be true or false"],
    [{ durable: true, responseStreaming: true }, "Lambda streams no response of a durable function"],
    [{ durableExecutionName: "a", responseStreaming: true }, "Lambda streams no response of a durable function"],
  ])("%j is refused", (options, message) => {
    expect(() => new Session(options)).toThrow(message);
  });

  test("one that a request asks to stream is refused before anything is sent", async () => {
    const lambda = await faultyLambda(OK);
    await using session = new Session({ endpoint: lambda.endpoint, region: "us-east-1", durable: true });
    await expect(session.get(URL_OF_APP, { responseStreaming: true })).rejects.toThrow(ConfigurationError);
    expect(lambda.counts.connections).toBe(0);
    lambda.close();
  });
});

test("what a request says of its function is not said to another one; what the session says is", async () => {
  const there = result({ statusCode: 302, headers: { Location: "http+lambda://other/" } });
  const lambda = await faultyLambda(there, result({ statusCode: 200 }), there, result({ statusCode: 200 }));
  const own = { tenantId: "blue", clientContext: { custom: {} }, durableExecutionName: "n" };
  const headerNames = /^x-amz-(?:tenant-id|client-context|durable-execution-name)(?=:)/gim;
  const aws = { endpoint: lambda.endpoint, region: "us-east-1", followTo: ["other"] };
  for (const [ofSession, ofRequest] of [
    [{}, own],
    [own, {}],
  ]) {
    await using session = new Session({ ...aws, ...ofSession });
    await session.get(URL_OF_APP, ofRequest);
  }
  expect(lambda.heads.map((head) => head.match(headerNames)?.length ?? 0)).toEqual([3, 0, 3, 3]);
  lambda.close();
});

test("what is not streamed may be durable, though the session streams", async () => {
  const lambda = await faultyLambda(answers("202", true, http(202, {}, "")));
  await using session = new Session({ endpoint: lambda.endpoint, region: "us-east-1", responseStreaming: true });
  const options = { invocationType: "Event", durableExecutionName: "order-1" } as const;
  expect((await session.post(URL_OF_APP, options)).status).toBe(202);
  expect(lambda.heads[0]).toMatch(/^POST \/2015-03-31\/functions\/app\/invocations HTTP/);
  lambda.close();
});

test("an endpoint whose path is none of Lambda's is no missing permission", async () => {
  const Message = "Unable to determine service/operation name to be authorized";
  const body = `<AccessDeniedException><Message>${Message}</Message></AccessDeniedException>`;
  const lambda = await faultyLambda(answers("403", false, http(403, {}, body)));
  await using session = new Session({ endpoint: lambda.endpoint, region: "us-east-1" });
  await expect(session.mayInvoke(URL_OF_APP)).rejects.toThrow(
    /path of the call is none of Lambda's: check the endpoint/,
  );
  await expect(session.get(URL_OF_APP)).rejects.toMatchObject({
    code: "AccessDeniedException",
    outcome: "not-started",
  });
  lambda.close();
});
