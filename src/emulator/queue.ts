/**
 * Events that nobody waits for: run as they come, and again when they fail.
 * https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
 */
import { parseObject } from "../invoke/json.ts";
import type { Target } from "../target.ts";
import { ApiError } from "./api-error.ts";
import type { FunctionCall, FunctionRunner } from "./definition.ts";

/** What was given up after all attempts. */
export interface DeadLetter {
  readonly call: FunctionCall;
  readonly attempts: number;
  /** What the function, or Lambda, said the last time. */
  readonly reason: string;
}

export interface Queue {
  add(call: FunctionCall): void;
  /** Drops what waits; what runs is not waited for. */
  close(): void;
}

/** Milliseconds before the second and the third attempt, as in AWS. */
export const RETRY_DELAYS: readonly number[] = [60_000, 120_000];
// What is refused because a function is busy was no attempt. It comes back until it is too old.
const BUSY_DELAY_MS = 1_000;
const MAX_BUSY_DELAY_MS = 5 * 60 * 1000;
const MAX_AGE_MS = 6 * 60 * 60 * 1000;

/** @param find Asked before each attempt: the function may have been mended since the last. */
export function createQueue(
  find: (target: Target) => FunctionRunner | undefined,
  onDeadLetter: (letter: DeadLetter) => void,
  retryDelays: readonly number[] = RETRY_DELAYS,
): Queue {
  const waiting = new Set<NodeJS.Timeout>();
  let isClosed = false;

  function after(delay: number, act: () => void): void {
    const timer = setTimeout(() => {
      waiting.delete(timer);
      act();
    }, delay);
    waiting.add(timer);
  }

  function start(call: FunctionCall, attempt: number, since: number, busy: number): void {
    void deliver(find(call.target), call).then((outcome) => {
      if (outcome === undefined || isClosed) return;
      const { reason, isBusy } = outcome;
      if (isBusy && performance.now() - since < MAX_AGE_MS) {
        const delay = Math.min(BUSY_DELAY_MS * 2 ** busy, MAX_BUSY_DELAY_MS);
        return after(delay, () => start(call, attempt, since, busy + 1));
      }
      const delay = isBusy ? undefined : retryDelays[attempt - 1];
      if (delay === undefined) return onDeadLetter({ call, attempts: attempt, reason });
      after(delay, () => start(call, attempt + 1, since, 0));
    });
  }

  return {
    add: (call) => start(call, 1, performance.now(), 0),
    close() {
      isClosed = true;
      for (const timer of waiting) clearTimeout(timer);
      waiting.clear();
    },
  };
}

/** `undefined` when it went well. */
async function deliver(
  runner: FunctionRunner | undefined,
  call: FunctionCall,
): Promise<{ readonly reason: string; readonly isBusy: boolean } | undefined> {
  if (runner === undefined) return { reason: "the function is not there any more", isBusy: false };
  try {
    const { payload, functionError } = await runner.run(call);
    if (functionError === undefined) return undefined;
    const text = payload instanceof Uint8Array ? Buffer.from(payload).toString("utf8") : "";
    const { errorType = functionError, errorMessage = text } = parseObject(text) ?? {};
    return { reason: `${errorType}: ${errorMessage}`, isBusy: false };
  } catch (error) {
    const isBusy = error instanceof ApiError && error.status === 429;
    return { reason: error instanceof Error ? error.message : String(error), isBusy };
  }
}
