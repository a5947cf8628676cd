import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ApiError } from "../../src/emulator/api-error.ts";
import type { FunctionCall, FunctionRunner } from "../../src/emulator/definition.ts";
import { createQueue, type DeadLetter, RETRY_DELAYS } from "../../src/emulator/queue.ts";
import type { InvocationResult } from "../../src/invoke/invoker.ts";
import { parseFunction } from "../../src/target.ts";

const MINUTE = 60_000;
const call: FunctionCall = {
  target: parseFunction("orders"),
  payload: Buffer.from("{}"),
  logs: false,
  request: { method: "POST", url: "/" },
  requestId: "5e2f0000-0000-4000-8000-000000000000",
  traceId: "Root=1-0-0",
};
const ok = async (): Promise<InvocationResult> => ({ payload: Buffer.from("null") });
const failed = async (): Promise<InvocationResult> => ({
  functionError: "Unhandled",
  payload: Buffer.from('{"errorType":"TypeError","errorMessage":"boom"}'),
});
const busy = async (): Promise<InvocationResult> => {
  throw new ApiError(429, "TooManyRequestsException", { message: "Rate Exceeded." });
};

/** A runner that does one thing after another; the last one holds. */
function runner(...script: (() => Promise<InvocationResult>)[]): FunctionRunner & { readonly ids: string[] } {
  const ids: string[] = [];
  return {
    ids,
    version: "$LATEST",
    async run({ requestId }) {
      const next = script[Math.min(ids.length, script.length - 1)] as () => Promise<InvocationResult>;
      ids.push(requestId);
      return next();
    },
    close: async () => undefined,
  };
}

let letters: DeadLetter[] = [];
beforeEach(() => {
  letters = [];
  vi.useFakeTimers();
});
afterEach(() => void vi.useRealTimers());

test("one that goes well is run once", async () => {
  const orders = runner(ok);
  const queue = createQueue(
    () => orders,
    (letter) => letters.push(letter),
  );
  queue.add(call);
  await vi.advanceTimersByTimeAsync(60 * MINUTE);
  expect([orders.ids, letters]).toEqual([[call.requestId], []]);
});

test("one that fails is run again after one minute and after two more, by the same id, and given up then", async () => {
  expect(RETRY_DELAYS).toEqual([MINUTE, 2 * MINUTE]);
  const orders = runner(failed);
  const queue = createQueue(
    () => orders,
    (letter) => letters.push(letter),
  );
  queue.add(call);
  const runs: number[] = [];
  for (const wait of [0, MINUTE - 1, 1, 2 * MINUTE - 1, 1, 60 * MINUTE]) {
    await vi.advanceTimersByTimeAsync(wait);
    runs.push(orders.ids.length);
  }
  expect(runs).toEqual([1, 1, 2, 2, 3, 3]);
  expect(new Set(orders.ids)).toEqual(new Set([call.requestId]));
  expect(letters).toEqual([{ call, attempts: 3, reason: "TypeError: boom" }]);
});

test("one that is better the second time is not given up", async () => {
  const orders = runner(failed, ok);
  const queue = createQueue(
    () => orders,
    (letter) => letters.push(letter),
    [5],
  );
  queue.add(call);
  await vi.advanceTimersByTimeAsync(MINUTE);
  expect([orders.ids.length, letters]).toEqual([2, []]);
});

test("what a busy function refuses was no attempt, and comes back for six hours", async () => {
  const orders = runner(busy, busy, ok);
  let current = orders;
  const queue = createQueue(
    () => current,
    (letter) => letters.push(letter),
    [],
  );
  queue.add(call);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(orders.ids).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(2_000);
  expect([orders.ids.length, letters]).toEqual([3, []]);

  const never = runner(busy);
  current = never;
  queue.add(call);
  await vi.advanceTimersByTimeAsync(7 * 60 * MINUTE);
  expect(letters).toEqual([{ call, attempts: 1, reason: "Rate Exceeded." }]);
  expect(never.ids.length).toBeGreaterThan(60);
  expect(never.ids.length).toBeLessThan(100);
});

test("a runner that breaks is a failure like any other", async () => {
  const broken = runner(() => Promise.reject(new Error("no disk")));
  const queue = createQueue(
    () => broken,
    (letter) => letters.push(letter),
    [],
  );
  queue.add(call);
  await vi.advanceTimersByTimeAsync(0);
  expect(letters).toMatchObject([{ attempts: 1, reason: "no disk" }]);
});

test("a closed one runs nothing any more, and says nothing of what it was running", async () => {
  const orders = runner(failed);
  const queue = createQueue(
    () => orders,
    (letter) => letters.push(letter),
  );
  queue.add(call);
  await vi.advanceTimersByTimeAsync(0);
  queue.add(call);
  queue.close();
  await vi.advanceTimersByTimeAsync(60 * MINUTE);
  expect([orders.ids.length, letters, vi.getTimerCount()]).toEqual([2, [], 0]);
});

test("each attempt finds the function anew: it may have been mended, or be gone", async () => {
  const mended = runner(ok);
  const found: (FunctionRunner | undefined)[] = [runner(failed), mended];
  const queue = createQueue(
    () => found.shift(),
    (letter) => letters.push(letter),
    [5, 5],
  );
  queue.add(call);
  await vi.advanceTimersByTimeAsync(10);
  expect([mended.ids, letters]).toEqual([[call.requestId], []]);
  queue.add(call);
  await vi.advanceTimersByTimeAsync(10);
  expect(letters).toMatchObject([{ attempts: 3, reason: "the function is not there any more" }]);
});
