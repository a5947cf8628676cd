// The Runtime API of an execution environment, spoken to as a runtime would: well, and badly.
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type RuntimeApi, type RuntimeEvent, startRuntimeApi } from "../../src/emulator/environment/runtime-api.ts";

let api: RuntimeApi;
beforeEach(async () => {
  api = await startRuntimeApi();
});
afterEach(() => api.close());

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

function send(
  method: string,
  path: string,
  { body = "", headers = {} }: { body?: string | Buffer; headers?: Record<string, string> } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(`http://${api.address}/2018-06-01/runtime/${path}`, { method, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    });
    request.on("error", reject).end(body);
  });
}

const event = (requestId: string, facts: Partial<RuntimeEvent> = {}): RuntimeEvent => ({
  requestId,
  payload: Buffer.from('{"a":"ü"}'),
  deadline: 1_800_000_000_000,
  functionArn: "arn:aws:lambda:us-east-1:000000000000:function:orders",
  traceId: "Root=1",
  clientContext: undefined,
  tenantId: undefined,
  ...facts,
});

const next = () => send("GET", "invocation/next");
const errorOf = ({ status, body }: Answer) => [status, (JSON.parse(body) as { errorType: string }).errorType];

describe("an event", () => {
  test("is given to a runtime that asks for it, be it before or after there is one", async () => {
    const asked = next();
    await api.ready;
    const first = api.deliver(event("1"));
    expect(await asked).toMatchObject({
      status: 200,
      body: '{"a":"ü"}',
      headers: {
        "content-type": "application/json",
        "lambda-runtime-aws-request-id": "1",
        "lambda-runtime-deadline-ms": "1800000000000",
        "lambda-runtime-invoked-function-arn": "arn:aws:lambda:us-east-1:000000000000:function:orders",
        "lambda-runtime-trace-id": "Root=1",
      },
    });
    const accepted = await send("POST", "invocation/1/response", { body: "1" });
    expect([accepted.status, accepted.body]).toEqual([202, '{"status":"OK"}']);
    expect(await first.answered).toEqual({ kind: "result", payload: Buffer.from("1") });

    const again = next();
    await first.over;
    api.deliver(event("2", { clientContext: '{"ü":\n1}', tenantId: "t" }));
    const { headers } = await again;
    expect(Buffer.from(String(headers["lambda-runtime-client-context"]), "latin1").toString()).toBe('{"ü": 1}');
    expect(headers["lambda-runtime-aws-tenant-id"]).toBe("t");
  });

  test("is not lost when a runtime has given up waiting for it", async () => {
    const request = httpRequest(`http://${api.address}/2018-06-01/runtime/invocation/next`).end();
    request.on("error", () => undefined);
    await api.ready;
    const closed = new Promise((resolve) => request.on("close", resolve));
    request.destroy();
    await closed;
    // The server has heard of it when it has answered some others.
    for (let i = 0; i < 5; i++) await send("GET", "nothing");
    api.deliver(event("1"));
    expect((await next()).headers["lambda-runtime-aws-request-id"]).toBe("1");
  });

  test("is given once, and not before the last one is answered", async () => {
    const asked = next();
    await api.ready;
    expect(errorOf(await next())).toEqual([403, "InvalidStateTransition"]);
    api.deliver(event("1"));
    await asked;
    expect(errorOf(await next())).toEqual([403, "InvalidStateTransition"]);
  });
});

describe("an answer", () => {
  /** The runtime has an event, and is about to answer it. */
  async function deliver(requestId = "1"): Promise<ReturnType<RuntimeApi["deliver"]>> {
    const asked = next();
    await api.ready;
    const exchange = api.deliver(event(requestId));
    await asked;
    return exchange;
  }

  test("may be an error", async () => {
    const { answered } = await deliver();
    const body = '{"errorType":"Bad","errorMessage":"x"}';
    expect((await send("POST", "invocation/1/error", { body })).status).toBe(202);
    expect(await answered).toEqual({ kind: "failure", payload: Buffer.from(body) });
  });

  test("may be an error that has but a type", async () => {
    const { answered } = await deliver();
    await send("POST", "invocation/1/error", { headers: { "Lambda-Runtime-Function-Error-Type": "Runtime.Bad" } });
    expect(await answered).toEqual({
      kind: "failure",
      payload: Buffer.from('{"errorType":"Runtime.Bad","errorMessage":""}'),
    });
  });

  test("to another event is refused", async () => {
    await deliver();
    for (const what of ["response", "error"]) {
      expect(errorOf(await send("POST", `invocation/2/${what}`, { body: "1" }))).toEqual([400, "InvalidRequestID"]);
    }
  });

  test("without an event is refused", async () => {
    expect(errorOf(await send("POST", "invocation/1/response"))).toEqual([400, "InvalidRequestID"]);
  });

  test("is given once", async () => {
    const { answered } = await deliver();
    await send("POST", "invocation/1/response", { body: "1" });
    expect(errorOf(await send("POST", "invocation/1/response", { body: "2" }))).toEqual([
      403,
      "InvalidStateTransition",
    ]);
    expect(errorOf(await send("POST", "invocation/1/error", { body: "2" }))).toEqual([403, "InvalidStateTransition"]);
    expect(await answered).toMatchObject({ payload: Buffer.from("1") });
  });

  test("that is too large is refused, and fails the function", async () => {
    const { answered } = await deliver();
    const sent = await send("POST", "invocation/1/response", { body: Buffer.alloc(6_291_557, "a") });
    expect(errorOf(sent)).toEqual([413, "RequestEntityTooLarge"]);
    const { kind, payload } = (await answered) as { kind: string; payload: Buffer };
    expect([kind, JSON.parse(payload.toString()).errorType]).toEqual(["failure", "Function.ResponseSizeTooLarge"]);
  });

  test("in a mode that there is none of is refused, and fails the function", async () => {
    const { answered } = await deliver();
    const headers = { "Lambda-Runtime-Function-Response-Mode": "sideways" };
    const sent = await send("POST", "invocation/1/response", { body: "1", headers });
    expect(errorOf(sent)).toEqual([400, "InvalidFunctionResponseMode"]);
    expect(await answered).toMatchObject({ kind: "failure" });
  });

  test.each(["response", "error"])("that breaks off, to %s", async (what) => {
    const { answered } = await deliver();
    const [host, port] = api.address.split(":");
    const socket = connect(Number(port), host).on("error", () => undefined);
    socket.write(
      `POST /2018-06-01/runtime/invocation/1/${what} HTTP/1.1\r\nHost: ${api.address}\r\nContent-Length: 100\r\n\r\nhalf`,
      () => socket.destroy(),
    );
    expect((await answered).kind).toBe(what === "response" ? "truncated" : "failure");
  });
});

describe("a start that failed", () => {
  test("is told before the first event is asked for", async () => {
    const body = '{"errorType":"Runtime.Bad","errorMessage":"x"}';
    expect((await send("POST", "init/error", { body })).status).toBe(202);
    expect(await api.initError).toEqual(Buffer.from(body));
  });

  test("is refused behind that", async () => {
    void next().catch(() => undefined);
    await api.ready;
    expect(errorOf(await send("POST", "init/error", { body: "{}" }))).toEqual([403, "InvalidStateTransition"]);
  });
});

test("what there is none of", async () => {
  expect((await send("GET", "invocation/1/response")).status).toBe(404);
  expect((await send("POST", "invocation/next")).status).toBe(404);
  expect((await send("GET", "restore/next")).status).toBe(404);
});

test("only this machine can reach it", () => {
  expect(api.address).toMatch(/^127\.0\.0\.1:\d+$/);
});
