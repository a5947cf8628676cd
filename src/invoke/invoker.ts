/** The seam: where invocations go. AWS, a handler in this process and a user's mock all implement {@link Invoker}. */
import type { RequestSummary } from "../errors.ts";
import type { Target } from "../target.ts";

/** Bytes of an event at most, 6 MB: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
export const MAX_EVENT: number = 6 * 1024 * 1024;

/** One delivery of an event to a function. */
export interface Invocation {
  readonly target: Target;
  /** The event: UTF-8 JSON. */
  readonly payload: Uint8Array;
  /** Ask for the last 4 KB of the function's log. */
  readonly logs: boolean;
  /** The HTTP request that the event stands for; errors name it. */
  readonly request: RequestSummary;
}

/** What came of an invocation that a function answered, be it with a failure. */
export interface InvocationResult {
  /** What the function returned: JSON, or whatever bytes a streaming function wrote. */
  readonly payload: Uint8Array;
  /** Set when the function failed; `payload` then says how. AWS says `Unhandled`. */
  readonly functionError?: string;
  readonly requestId?: string;
  /** The version that ran: digits, or `$LATEST`. */
  readonly executedVersion?: string;
  readonly traceId?: string;
  /** The region it ran in. */
  readonly region?: string;
  /** The end of the function's log, decoded, when asked for. */
  readonly logs?: string;
  /** How often it was sent. Default: 1. */
  readonly attempts?: number;
}

/**
 * Where invocations go.
 *
 * @example
 * const mock: Invoker = {
 *   invoke: async () => ({ payload: Buffer.from('{"statusCode":200,"body":"hello"}') }),
 * };
 * const session = new Session({ invoker: mock });
 */
export interface Invoker {
  /**
   * Delivers one event.
   *
   * @throws {InvokeError} when the call was refused or no answer came; never for a function that failed.
   * @throws the signal's own reason once it is aborted.
   */
  invoke(invocation: Invocation, signal?: AbortSignal): Promise<InvocationResult>;
  /** Frees sockets and the like. */
  close?(): Promise<void>;
}
