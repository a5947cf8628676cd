/**
 * At most once: which failures are followed by another attempt, and when. An invoker around an invoker.
 *
 * Backoff, jitter and quota are those of the AWS SDKs' standard mode:
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html. Which failures are retried is ours: theirs
 * run a POST up to three times when a connection drops.
 */
import { setTimeout as wait } from "node:timers/promises";
import { type Correction, InvokeError } from "../errors.ts";
import { CLOSED } from "./http.ts";
import type { Invocation, InvocationResult, Invoker, Progress, RetryInfo, RetryPolicy } from "./invoker.ts";
import { readHead } from "./stream-head.ts";
import { areAttemptsTraced, type RequestTrace, traceAttempt, traceRetry } from "./tracing.ts";

/** Deliveries at most, where nothing says otherwise. */
export const DEFAULT_ATTEMPTS = 3;
/** Milliseconds between two deliveries at most, where nothing says otherwise. */
export const DEFAULT_MAX_DELAY = 20_000;

const QUOTA = 500;
// How much of a server's hint is waited for beyond the backoff: a client must not sleep as long as anybody says.
const MAX_HINT_MS = 5_000;
const FIRST_TRY_REFUND = 1;

/** Why there is another attempt: it decides how long to wait, and what it takes from the quota. */
type RetryKind = "transient" | "throttling" | "correction";

const COST: Readonly<Record<RetryKind, number>> = { transient: 14, throttling: 5, correction: 0 };
const BASE_DELAY_MS: Readonly<Record<RetryKind, number>> = { transient: 50, throttling: 1000, correction: 0 };

const THROTTLING: ReadonlySet<string> = new Set(["TooManyRequestsException", "EC2ThrottledException"]);
const NOT_READY: ReadonlySet<string> = new Set([
  "ENINotReadyException",
  "ResourceNotReadyException",
  "SnapStartNotReadyException",
]);
// Of connections that were never up. A certificate that is not trusted is not so in a moment either.
const UNREACHED: ReadonlySet<string> = new Set([
  "EAI_AGAIN",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EPIPE",
  "ETIMEDOUT",
]);

/** What decides how long to wait, and the call that this is a part of. */
interface Reason {
  readonly kind: RetryKind;
  readonly retryAfter?: number | undefined;
  readonly trace?: RequestTrace | undefined;
}

/** One session's quota of retries: when everything fails, retries stop, and a struggling service gets no more load. */
export interface Retries {
  /**
   * Waits until it is time for another attempt.
   *
   * @returns what it took from the quota; `undefined` when there is to be no other attempt.
   * @throws what `onRetry` throws, and the signal's reason once it is aborted.
   */
  next(
    policy: RetryPolicy,
    failure: Omit<RetryInfo, "delay"> & Reason,
    signal?: AbortSignal,
  ): Promise<number | undefined>;
  /** Gives back what the attempt that succeeded had taken. */
  refund(cost: number): void;
}

/**
 * @param defaultAttempts What the environment says. Asked at the first failure, for most sessions never have one.
 * @param random For the jitter.
 */
export function createRetries(
  defaultAttempts: () => Promise<number> = async () => DEFAULT_ATTEMPTS,
  random: () => number = Math.random,
): Retries {
  let tokens = QUOTA;
  let attempts: Promise<number> | undefined;
  return {
    async next(policy, { kind, retryAfter = 0, trace, ...failure }, signal) {
      // An invoker of a user's own needs no profile, and a broken one must not take the failure's place.
      const fromEnvironment = async (): Promise<number> => {
        attempts ??= defaultAttempts().catch(() => DEFAULT_ATTEMPTS);
        return attempts;
      };
      if (failure.attempt >= (policy.attempts ?? (await fromEnvironment()))) return undefined;
      const cost = COST[kind];
      if (tokens < cost) return undefined;
      tokens -= cost;
      const limit = Math.min(BASE_DELAY_MS[kind] * 2 ** (failure.attempt - 1), DEFAULT_MAX_DELAY);
      const backoff = Math.floor(random() * limit);
      const hinted = Math.max(backoff, Math.min(retryAfter, backoff + MAX_HINT_MS));
      const delay = Math.min(hinted, policy.maxDelay);
      await policy.onRetry?.({ ...failure, delay });
      traceRetry({ ...failure, delay, ...(trace !== undefined && { parent: trace }) });
      // Its own rejection is an AbortError, whatever the signal's reason.
      await wait(delay, undefined, { signal }).catch(() => signal?.throwIfAborted());
      return cost;
    },
    refund(cost) {
      tokens = Math.min(QUOTA, tokens + cost);
    },
  };
}

/** The same invoker, whose failures are followed by another attempt where that is safe and of use. */
export function retryInvoker(inner: Invoker, retries: Retries): Invoker {
  async function invoke(invocation: Invocation, signal?: AbortSignal) {
    const { retry, request, target, trace, progress = startProgress() } = invocation;
    const corrected = new Set<Correction>();
    let taken = FIRST_TRY_REFUND;
    for (;;) {
      // Until an invoker says otherwise, what was handed to it may be on its way.
      progress.sent = true;
      progress.attempts++;
      try {
        const result = await attempt(inner, invocation, progress.attempts, signal);
        retries.refund(taken);
        const own = result?.attempts ?? 1;
        progress.attempts += own - 1;
        return progress.attempts === own ? result : { ...result, attempts: progress.attempts };
      } catch (error) {
        if (signal?.aborted || !(error instanceof InvokeError)) throw error;
        asFirstThrown(error);
        const kind = kindOf(error, invocation.repeatable === true, corrected);
        endAttempt(progress, error);
        if (kind === undefined || retry === undefined) throw error;
        const { retryAfter } = error;
        const failure = { request, target, attempt: progress.attempts, error, kind, retryAfter, trace };
        const cost = await retries.next(retry, failure, signal);
        if (cost === undefined) throw error;
        taken = cost;
      }
    }
  }
  return {
    invoke,
    ...(inner.locate && { locate: inner.locate.bind(inner) }),
    ...(inner.close && { close: inner.close.bind(inner) }),
  };
}

function attempt(
  inner: Invoker,
  invocation: Invocation,
  number: number,
  signal: AbortSignal | undefined,
): Promise<InvocationResult> {
  if (!areAttemptsTraced()) return deliver(inner, invocation, signal);
  const { request, target, payload, trace } = invocation;
  const message = { request, target, attempt: number, eventSize: payload.length };
  return traceAttempt(trace === undefined ? message : { ...message, parent: trace }, () =>
    deliver(inner, invocation, signal),
  );
}

/** Until status and headers are known: a stream that breaks before that has given nothing to anybody. */
async function deliver(
  inner: Invoker,
  invocation: Invocation,
  signal: AbortSignal | undefined,
): Promise<InvocationResult> {
  return readHead(await inner.invoke(invocation, signal));
}

/** `Retry-After`, seconds or a date, as milliseconds from now: RFC 9110, 10.2.3. */
export function readRetryAfter(value: string | null | undefined): number | undefined {
  if (value === null || value === undefined) return undefined;
  const delay = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return delay >= 0 ? delay : undefined;
}

/** A call that has not begun. */
export function startProgress(): Progress {
  return { attempts: 0, mayHaveRun: false, sent: false };
}

const firstThrown = new WeakMap<InvokeError, Pick<InvokeError, "outcome" | "attempts">>();

/** An invoker may keep an error and throw it again: what the last call made of it is nothing that it says of this one. */
function asFirstThrown(error: InvokeError): void {
  const { outcome, attempts } = firstThrown.get(error) ?? error;
  firstThrown.set(error, { outcome, attempts });
  Object.assign(error, { outcome, attempts });
}

/** An error speaks for the whole call: what an earlier attempt may have done, the last one can't undo. */
function endAttempt(progress: Progress, error: InvokeError): void {
  const outcome = error.outcome === "not-started" && progress.mayHaveRun ? "unknown" : error.outcome;
  progress.attempts += error.attempts - 1;
  progress.mayHaveRun = outcome !== "not-started";
  progress.sent = false;
  Object.assign(error, { outcome, attempts: progress.attempts });
}

function kindOf(error: InvokeError, repeatable: boolean, corrected: Set<Correction>): RetryKind | undefined {
  const { code, status, outcome, corrected: correction } = error;
  if (code === CLOSED) return undefined;
  if (outcome === "completed" || (outcome === "unknown" && !repeatable)) return undefined;
  if (correction !== undefined) {
    if (corrected.has(correction)) return undefined;
    corrected.add(correction);
    return "correction";
  }
  if (status === 429 || THROTTLING.has(code)) return "throttling";
  if (outcome === "unknown" || NOT_READY.has(code)) return "transient";
  if (status === undefined) return UNREACHED.has(code) ? "transient" : undefined;
  return repeatable && (status === 503 || status === 504) ? "transient" : undefined;
}
