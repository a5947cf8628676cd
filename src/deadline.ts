/** A call with a time limit and the caller's own signal, as one signal. */
import { listenForAbort } from "./invoke/abortable.ts";

// setTimeout counts to 24.8 days and takes more for none at all.
const LONGEST_TIMER = 2 ** 31 - 1;

/**
 * Runs `work` with a signal that is aborted with the caller's, or after `timeout` milliseconds with the error of
 * `onTimeout`. Timer and listener are gone when the work is done.
 */
export async function withDeadline<Result>(
  signal: AbortSignal | null | undefined,
  timeout: number | undefined,
  onTimeout: () => Error,
  work: (signal: AbortSignal | undefined) => Promise<Result>,
): Promise<Result> {
  signal?.throwIfAborted();
  if (timeout === undefined) return work(signal ?? undefined);
  const controller = new AbortController();
  const forget = signal ? listenForAbort(signal, () => controller.abort(signal.reason)) : undefined;
  const timer = setTimeout(() => controller.abort(onTimeout()), Math.min(timeout, LONGEST_TIMER));
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
    forget?.();
  }
}

/**
 * The caller's signal and a time limit as one signal that outlives the call: a body that is still being read is aborted
 * as well. Its timer keeps no process alive.
 */
export function withTimeout(
  signal: AbortSignal | undefined,
  timeout: number | undefined,
  onTimeout: () => Error,
): AbortSignal | undefined {
  if (timeout === undefined) return signal;
  const controller = new AbortController();
  setTimeout(() => controller.abort(onTimeout()), Math.min(timeout, LONGEST_TIMER)).unref();
  return signal === undefined ? controller.signal : AbortSignal.any([signal, controller.signal]);
}
