// A user's program, compiled against the built package: see types.test.ts.
import {
  createFetch,
  fetch,
  handlerInvoker,
  type Invoker,
  type LambdaFetch,
  type LambdaResponse,
  LambdaResponse as LambdaResponseClass,
  type PayloadFormat,
  parseTarget,
  Session,
  type Target,
} from "lambda-requests";

interface Query {
  limit: number;
}

interface Order {
  id: number;
}

export const standard: typeof globalThis.fetch = createFetch({ region: "eu-west-1" });
export const ready: typeof globalThis.fetch = fetch;
export const bound: typeof globalThis.fetch = new Session().fetch;
export const given: LambdaFetch = createFetch({ fetch: globalThis.fetch });

export async function use(session: Session, name: string, anywhere: string): Promise<void> {
  const response: LambdaResponse = await session.get("http+lambda://orders/v1", {
    params: { limit: 10, tag: ["a", "b"] },
  });
  const requestId: string | undefined = response.invocation.requestId;
  const templated: LambdaResponse = await fetch(`http+lambda://${name}/v1`);
  const asStandard: Response = response;
  const order: Order = await session.post("http+lambda://orders/v1", { json: { sku: "A-1" } }).json<Order>();
  const unknown: unknown = await response.json();
  const bytes: Uint8Array = await response.bytes();
  const plain: Response = await session.get("https://example.com/");
  const either: Response = await fetch(anywhere);
  if (either instanceof LambdaResponseClass) void either.invocation;
  const query: Query = { limit: 1 };
  await session.get("http+lambda://orders/v1", { params: query });
  await fetch("http+lambda://orders/", { lambda: undefined, headers: undefined, body: undefined });
  // @ts-expect-error: made by fetch, not by hand
  new LambdaResponseClass("x");
  const format: PayloadFormat = response.invocation.payloadFormat;
  const { get, put } = session;
  await put("http+lambda://orders/v1", {
    data: new Uint8Array(3),
    headers: { "X-Many": ["a", "b"], "X-None": undefined },
  });
  await get(new URL("http+lambda://orders/v1"), { auth: ["ada", "secret"], timeout: 1000, logs: true });
  await fetch("http+lambda://orders/", { method: "POST", body: "x", lambda: { logs: true } });
  const target: Target = parseTarget("http+lambda://orders/");

  // @ts-expect-error: a response of another scheme has no invocation
  void plain.invocation;
  // @ts-expect-error: JSON is unknown until somebody says what it is
  void (await response.json()).id;
  // @ts-expect-error: no such option
  await session.get("http+lambda://orders/", { jsn: {} });
  // @ts-expect-error: no such option
  createFetch({ regoin: "eu-west-1" });
  // @ts-expect-error: a target is read, not written
  target.functionName = "other";
  void [format, requestId, templated, asStandard, order, unknown, bytes];
}

export const mock: Invoker = { invoke: async ({ payload }) => ({ payload }) };
export const handlers: Session = new Session({
  functions: { orders: async (event: { path: string }) => ({ statusCode: 200, body: event.path }) },
  hooks: {
    beforeRequest: (request) => request.headers.set("X-Hook", "1"),
    afterResponse: [async (response) => void response.status],
  },
});
export const invoker: Invoker = handlerInvoker((_event, _context, done: (error: null, result: unknown) => void) =>
  done(null, 1),
);
