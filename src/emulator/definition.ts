/** A function of the emulator: what it is, and how it is to be run. */
import type { Handler } from "../invoke/handler.ts";
import type { Invocation, InvocationResult } from "../invoke/invoker.ts";

/** How one version of a function is run: https://docs.aws.amazon.com/lambda/latest/dg/configuration-function-common.html */
export interface VersionDefinition {
  /**
   * A handler, which runs in this process; or the file of one, `./orders.mjs` or `./orders.mjs#handler`, relative to the
   * current folder, which runs in processes of its own.
   * @default none: there is a `command` instead
   */
  readonly handler?: Handler | string | undefined;
  /**
   * A command that speaks the Lambda Runtime API, in place of a handler: a `bootstrap` of any language.
   * @default none
   */
  readonly command?: string | undefined;
  /**
   * The folder that it runs in, Lambda's `/var/task`.
   * @default the current folder, or that of a `handler` outside of it
   */
  readonly folder?: string | undefined;
  /**
   * Milliseconds that an invocation may take. A handler in this process can't be stopped, and has none.
   * @default 3000, AWS's own
   */
  readonly timeout?: number | undefined;
  /**
   * MB of memory that an execution environment may take, 128 to 10240. A handler in this process has no limit.
   * @default 128, AWS's own
   */
  readonly memorySize?: number | undefined;
  /**
   * Environment variables, over those that Lambda sets. A handler in this process has those of the process.
   * @default none
   */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /**
   * How many invocations may run at a time; further ones are refused with a 429, as with reserved concurrency.
   * @default 1000, an AWS account's own
   */
  readonly concurrency?: number | undefined;
}

/** A function with its versions and aliases; what stands beside them is `$LATEST`. */
export interface FunctionDefinition extends VersionDefinition {
  /**
   * Published versions by number. What one does not say is as in `$LATEST`.
   * @default none
   */
  readonly versions?: Readonly<Record<string, VersionDefinition>> | undefined;
  /**
   * Aliases by name: a version, or several with the share of invocations that each gets, `{ "1": 0.9, "2": 0.1 }`.
   * @default none
   */
  readonly aliases?: Readonly<Record<string, string | Readonly<Record<string, number>>>> | undefined;
}

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
  /** It is asked for nothing more: what it has started ends when it has nothing to do. */
  retire?(): void;
}
