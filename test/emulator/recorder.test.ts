import { expect, test } from "vitest";
import type { FunctionCall } from "../../src/emulator/definition.ts";
import { startRecorder } from "../../src/emulator/recorder.ts";
import { parseFunction } from "../../src/target.ts";

const call = (event: unknown, given: Partial<FunctionCall> = {}): FunctionCall => ({
  target: parseFunction("orders"),
  payload: Buffer.from(JSON.stringify(event)),
  logs: false,
  request: { method: "POST", url: "/" },
  requestId: "5e2f0000-0000-4000-8000-000000000000",
  traceId: "Root=1-0-0",
  ...given,
});

test("a call as it came in", () => {
  const recorder = startRecorder();
  recorder.add(call({ a: 1 }));
  const clientContext = Buffer.from('{"custom":{"b":2}}').toString("base64");
  recorder.add(
    call(null, { target: parseFunction("orders:prod"), invocationType: "Event", tenantId: "blue", clientContext }),
  );
  recorder.add(call("text", { responseStreaming: true }));
  const common = { functionName: "orders", requestId: "5e2f0000-0000-4000-8000-000000000000" };
  expect(recorder.invocations).toEqual([
    { ...common, invocationType: "RequestResponse", responseStreaming: false, event: { a: 1 } },
    {
      ...{ ...common, qualifier: "prod", invocationType: "Event", responseStreaming: false, event: null },
      ...{ tenantId: "blue", clientContext: { custom: { b: 2 } } },
    },
    { ...common, invocationType: "RequestResponse", responseStreaming: true, event: "text" },
  ]);
});

test("the last thousand are kept", () => {
  const recorder = startRecorder();
  for (let number = 0; number < 1_500; number++) recorder.add(call({ number }));
  expect(recorder.invocations).toHaveLength(1_000);
  expect(recorder.invocations[0]?.event).toEqual({ number: 500 });
});

test("of large events, as many as 64 MB hold, and one at least", () => {
  const recorder = startRecorder();
  for (let count = 0; count < 30; count++) recorder.add(call("x".repeat(6 * 1024 * 1024 - 2)));
  expect(recorder.invocations).toHaveLength(10);
  recorder.add(call("y".repeat(70 * 1024 * 1024)));
  expect(recorder.invocations).toHaveLength(1);
});
