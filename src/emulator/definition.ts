/** A function of the emulator, ready to be invoked. */
import type { Invocation, InvocationResult } from "../invoke/invoker.ts";

/** One invocation, as the API takes it. */
export interface FunctionCall extends Invocation {
  /** Lambda's id of it: in the answer's headers, and in the function's context and log. */
  readonly requestId: string;
  /** `Root=…;Parent=…;Sampled=…`: in the answer's headers, and in the function's `_X_AMZN_TRACE_ID`. */
  readonly traceId: string;
}

/** One version of a function, ready to be invoked. */
export interface FunctionRunner {
  /** The version that it is: digits, or `$LATEST`. */
  readonly version: string;
  /**
   * Runs the function once. A function that failed is a result with a `functionError`.
   *
   * @throws {ApiError} when Lambda would refuse the call: all environments are busy.
   */
  run(call: FunctionCall, signal?: AbortSignal): Promise<InvocationResult>;
  /** Ends everything that it has started. */
  close(): Promise<void>;
}
