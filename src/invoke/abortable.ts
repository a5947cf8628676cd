/** What ends early when a signal is aborted. */
import { EventEmitter, getMaxListeners, setMaxListeners } from "node:events";

/** More calls at once than one process makes, and few enough that a leak still shows. */
const MAX_LISTENERS = 10_000;

/** `work`, or the signal's reason as soon as it is aborted; the work itself, which nobody can stop, runs on. */
export function abortable<Result>(work: Result | Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
  if (signal === undefined) return Promise.resolve(work);
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    const forget = listenForAbort(signal, onAbort);
    // An invoker of a user's own may not give a promise.
    new Promise<Result>((settle) => settle(work)).finally(forget).then(resolve, reject);
  });
}

/** Calls back when the signal is aborted, until the function that it gives is called. */
export function listenForAbort(signal: AbortSignal, onAbort: () => void): () => void {
  // One signal may end many calls, of which Node would warn at the eleventh. A limit that somebody has set stays.
  try {
    if (getMaxListeners(signal) === EventEmitter.defaultMaxListeners) setMaxListeners(MAX_LISTENERS, signal);
  } catch {
    // Node throws for a limit of 0, which is none, and for a signal that is not its own.
  }
  signal.addEventListener("abort", onAbort, { once: true });
  return () => signal.removeEventListener("abort", onAbort);
}
