/** The seam: where invocations go. AWS, a handler in this process and a user's mock all implement {@link Invoker}. */
import type { InvokeError, RequestSummary } from "../errors.ts";
import type { Target } from "../target.ts";
import type { RequestTrace } from "./tracing.ts";

/** Bytes of an event at most, 6 MB: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
export const MAX_EVENT: number = 6 * 1024 * 1024;
/** Of one that is queued (`Event`), 1 MB: the same page. */
const MAX_ASYNC_EVENT: number = 1024 * 1024;
/** Characters of a client context in base64 at most: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html */
export const MAX_CLIENT_CONTEXT = 3583;

/** Can it be the name of a durable function's execution? The same page. */
export function isExecutionName(value: unknown): value is string {
  return typeof value === "string" && /^[A-Za-z0-9_-]{1,64}$/.test(value);
}

/** Wait for the result, only queue the event, or only ask whether the caller may invoke the function. */
export type InvocationType = "RequestResponse" | "Event" | "DryRun";

/** Bytes of an event at most, by what is to become of it. */
export function maxEvent(invocationType: InvocationType | undefined): number {
  return invocationType === "Event" ? MAX_ASYNC_EVENT : MAX_EVENT;
}

/** One delivery of an event to a function. */
export interface Invocation {
  readonly target: Target;
  /** The event: UTF-8 JSON. */
  readonly payload: Uint8Array;
  /** Ask for the last 4 KB of the function's log. */
  readonly logs: boolean;
  /** The HTTP request that the event stands for; errors name it. */
  readonly request: RequestSummary;
  /** Default: `RequestResponse`. */
  readonly invocationType?: InvocationType;
  /** Give the result as it comes, by `InvokeWithResponseStream`. Default: `false`, all of it at once. */
  readonly responseStreaming?: boolean;
  /** Base64 of the JSON that the function finds in `context.clientContext`. */
  readonly clientContext?: string;
  /** The tenant whose execution environment a tenant-isolated function runs in. */
  readonly tenantId?: string;
  /**
   * Of a durable function: a second invocation of the same name gives what the first one came to. An invoker has to send it,
   * or to refuse the call, for `repeatable` stands on it.
   */
  readonly durableExecutionName?: string;
  /** Does it do no harm if the function runs twice? Default: `false`. */
  readonly repeatable?: boolean;
  /** When to deliver it again after a failure. Default: never. */
  readonly retry?: RetryPolicy;
  /** Where an invoker writes how far it has come. */
  readonly progress?: Progress;
  /** The call that it is a part of, when somebody listens to the channel `lambda-requests:request`. */
  readonly trace?: RequestTrace;
}

/** Is it one for `InvokeWithResponseStream`? What is queued has no answer, and only `Invoke` takes it and dry runs. */
export function isStreamed({ responseStreaming, invocationType = "RequestResponse" }: Invocation): boolean {
  return responseStreaming === true && invocationType === "RequestResponse";
}

/** When to deliver an event again. */
export interface RetryPolicy {
  /** Deliveries at most. Default: `AWS_MAX_ATTEMPTS`, the profile's `max_attempts`, or 3. */
  readonly attempts?: number;
  /** Milliseconds between two deliveries at most. */
  readonly maxDelay: number;
  /** Called before each further delivery. What it throws ends the call. */
  readonly onRetry?: (retry: RetryInfo) => unknown;
}

/** A failed attempt that is about to be followed by another. */
export interface RetryInfo {
  readonly request: RequestSummary;
  readonly target: Target;
  /** The number of the attempt that failed, from 1 on. */
  readonly attempt: number;
  /** Milliseconds until the next one. */
  readonly delay: number;
  /** Why it failed; absent when `response` is why. */
  readonly error?: InvokeError;
  /** The answer whose status is one of `retry.statuses`. Its body can be read. */
  readonly response?: Response;
}

/** How far a call has come: what its error has to say if it is cut off. */
export interface Progress {
  /** How often the event was delivered. */
  attempts: number;
  /** May an earlier attempt have run the function? */
  mayHaveRun: boolean;
  /** May the attempt under way have reached the function? An invoker that can tell sets it as soon as it sends. */
  sent: boolean;
}

/** What came of an invocation that a function answered, be it with a failure. */
export interface InvocationResult {
  /**
   * What the function returned: JSON, or whatever bytes a streaming function wrote. As it comes, where `responseStreaming`
   * asked for that.
   */
  readonly payload: Uint8Array | PayloadStream;
  /**
   * The JSON at the head of a streaming function's result, where it stands before `payload` no more. Default: whatever
   * `payload` begins with.
   */
  readonly prelude?: Readonly<Record<string, unknown>>;
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
  /** Of a durable function: what Lambda calls this execution of it. */
  readonly durableExecutionArn?: string;
  /** How often the invoker sent it. Default: 1. */
  readonly attempts?: number;
}

/**
 * A result as it comes: any stream of Node's, of the web's, or a generator. Its iterator's return value, if there is one, is
 * the {@link InvocationEnd}; it throws an `InvokeError` when the rest is lost, and `return()` ends the connection.
 */
export interface PayloadStream {
  [Symbol.asyncIterator](): PayloadIterator;
  /**
   * Has each piece memory of its own, which nobody looks at again? A body then gives it on as it is, to whoever may transfer it.
   *
   * @default false: pieces are copied
   */
  readonly transferable?: boolean;
}

/** Gives the bytes of a result as they come. */
// biome-ignore lint/suspicious/noConfusingVoidType: what a generator returns that returns nothing
export type PayloadIterator = AsyncIterator<Uint8Array, InvocationEnd | undefined | void>;

/** What is known only when the last byte of a {@link PayloadStream} is here. */
export interface InvocationEnd {
  /** Set when the function failed after it had begun to answer, or before: AWS's `ErrorCode`. */
  readonly functionError?: string;
  /** What is said of that, mostly the JSON of an error. */
  readonly errorDetails?: string;
  /** The end of the function's log, decoded, when asked for. */
  readonly logs?: string;
}

/** Where a function is, as far as its URL leaves it open. */
export interface FunctionLocation {
  readonly region?: string;
  readonly accountId?: string;
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
  /**
   * Where a call to this target would go: the region, and the account as far as the credentials name it. Cookies and
   * redirects go by it. Without it, two names are two functions.
   */
  locate?(target: Target): Promise<FunctionLocation>;
  /** Frees sockets and the like. */
  close?(): Promise<void>;
}
