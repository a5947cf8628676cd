/** A call with a time limit and the caller's own signal, as one signal. */
import { listenForAbort } from "./invoke/abortable.ts";
import { timerOf } from "./invoke/duration.ts";

/** Signals of one call, aborted with the caller's own or when the time is up. */
export interface CallSignals {
  /** Until the call has ended. */
  readonly signal: AbortSignal | undefined;
  /** The same for what goes on after that: a body that is still being read. Its timer keeps no process alive. */
  outlasting(): AbortSignal | undefined;
  /** Another, for a body of which it will be known when it ends. */
  lasting(): LastingSignal;
}

/** A signal that is aborted with the call's, or by hand. */
export interface LastingSignal {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
  /** What it could end is over: no timer and no listener stays. To be called in any case. */
  end(): void;
}

/**
 * Runs `work` with signals that are aborted with the caller's, or after `timeout` milliseconds with the error of
 * `onTimeout`. Timer and listener are gone when the work is done, unless something outlasts it.
 */
export function withDeadline<Result>(
  own: AbortSignal | undefined,
  timeout: number | undefined,
  onTimeout: () => Error,
  work: (signals: CallSignals) => Promise<Result>,
): Promise<Result> {
  own?.throwIfAborted();
  if (timeout === undefined) {
    return work({ signal: own, outlasting: () => own, lasting: () => linkedSignal([own]) });
  }
  return withTimer(own, timeout, onTimeout, work);
}

async function withTimer<Result>(
  own: AbortSignal | undefined,
  timeout: number,
  onTimeout: () => Error,
  work: (signals: CallSignals) => Promise<Result>,
): Promise<Result> {
  const limit = new AbortController();
  const either = new AbortController();
  const forget = own && listenForAbort(own, () => either.abort(own.reason));
  const timer = setTimeout(() => {
    limit.abort(onTimeout());
    either.abort(limit.signal.reason);
  }, timerOf(timeout));
  let outlasts = false;
  let lasting = 0;
  let isOver = false;
  const outlasting = (): AbortSignal => {
    outlasts = true;
    return own === undefined ? limit.signal : AbortSignal.any([own, limit.signal]);
  };
  try {
    return await work({
      signal: either.signal,
      outlasting,
      lasting() {
        lasting++;
        return linkedSignal([own, limit.signal], () => {
          lasting--;
          if (isOver && lasting === 0 && !outlasts) clearTimeout(timer);
        });
      },
    });
  } catch (error) {
    outlasts = false;
    throw error;
  } finally {
    isOver = true;
    forget?.();
    if (outlasts || lasting > 0) timer.unref();
    else clearTimeout(timer);
  }
}

/** Not by `AbortSignal.any`, whose listeners on a signal that lives on are there until the garbage collector comes. */
function linkedSignal(sources: readonly (AbortSignal | undefined)[], onEnd?: () => void): LastingSignal {
  const controller = new AbortController();
  const abort = (reason: unknown): void => controller.abort(reason);
  const forget = sources.map((source) => {
    if (source?.aborted) abort(source.reason);
    return source && listenForAbort(source, () => abort(source.reason));
  });
  let isEnded = false;
  return {
    signal: controller.signal,
    abort,
    end() {
      if (isEnded) return;
      isEnded = true;
      for (const one of forget) one?.();
      onEnd?.();
    },
  };
}
