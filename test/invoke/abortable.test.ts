import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { abortable } from "../../src/invoke/abortable.ts";

test("what is no promise is its own result", async () => {
  const { signal } = new AbortController();
  for (const one of [undefined, signal]) {
    const result: unknown = abortable(7, one);
    expect(result).toBeInstanceOf(Promise);
    expect(await result).toBe(7);
  }
  expect(getEventListeners(signal, "abort")).toHaveLength(0);
});

test("a promise is waited for, unless the signal is aborted", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  expect(await abortable(Promise.resolve(7), signal)).toBe(7);
  await expect(abortable(Promise.reject(new RangeError("bad")), signal)).rejects.toThrow("bad");
  const call = abortable(new Promise(() => undefined), signal);
  const reason = new Error("enough");
  controller.abort(reason);
  await expect(call).rejects.toBe(reason);
  await expect(abortable(Promise.reject(new RangeError("bad")), signal)).rejects.toBe(reason);
});
