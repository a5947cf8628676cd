/** What is only queued, what is only asked, and the context that goes along: in this process, and over the API. */
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Emulator } from "../src/emulator/index.ts";
import type { RestApiEvent } from "../src/formats/rest-api.ts";
import type { HandlerContext } from "../src/invoke/handler.ts";
import { Session } from "../src/session.ts";

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
