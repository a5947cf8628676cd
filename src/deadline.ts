/** A call with a time limit and the caller's own signal, as one signal. */
import { listenForAbort } from "./invoke/abortable.ts";
import { timerOf } from "./invoke/duration.ts";

/** Signals of one call, aborted with the caller's own or when the time is up. */
export interface CallSignals {
  /** Until the call has ended. */
  readonly signal: AbortSignal | undefined;
  /** The same for what goes on after that: a body that is still being read. Its timer keeps no process alive. */
  outlasting(): AbortSignal | undefined;
}

/**
 * Runs `work` with signals that are aborted with the caller's, or after `timeout` milliseconds with the error of
 * `onTimeout`. Timer and listener are gone when the work is done, unless something outlasts it.
 */
export async function withDeadline<Result>(
  own: AbortSignal | undefined,
  timeout: number | undefined,
  onTimeout: () => Error,
  work: (signals: CallSignals) => Promise<Result>,
): Promise<Result> {
  own?.throwIfAborted();
  if (timeout === undefined) return work({ signal: own, outlasting: () => own });
  const limit = new AbortController();
  const either = new AbortController();
  const forget = own && listenForAbort(own, () => either.abort(own.reason));
  const timer = setTimeout(() => {
    limit.abort(onTimeout());
    either.abort(limit.signal.reason);
  }, timerOf(timeout));
  let outlasts = false;
  const outlasting = (): AbortSignal => {
    outlasts = true;
    return own === undefined ? limit.signal : AbortSignal.any([own, limit.signal]);
  };
  try {
    return await work({ signal: either.signal, outlasting });
  } catch (error) {
    outlasts = false;
    throw error;
  } finally {
    forget?.();
    if (outlasts) timer.unref();
    else clearTimeout(timer);
  }
}
