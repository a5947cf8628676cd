/** A call with a time limit and the caller's own signal, as one signal. */

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
  const onAbort = (): void => controller.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  // setTimeout counts to 24.8 days and takes more for none at all.
  const timer = setTimeout(() => controller.abort(onTimeout()), Math.min(timeout, 2 ** 31 - 1));
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}
