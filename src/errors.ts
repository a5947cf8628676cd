/**
 * Every error that lambda-requests throws by itself, as a tree:
 *
 * ```text
 * LambdaRequestsError
 * ├── InvalidTargetError     the URL names no valid function; nothing was sent
 * ├── ConfigurationError     no region, no credentials, an option that can't be; nothing was sent
 * ├── PayloadTooLargeError   the event is over Lambda's limit, and nothing was sent; or a body over `maxResponseSize`
 * ├── InvokeError            Lambda refused the call, or it did not arrive; `outcome` says what is certain
 * │   └── TimeoutError       the `timeout` option ran out
 * ├── FunctionError          the function failed (only with `functionErrors: "throw"`)
 * ├── HTTPError              `raiseForStatus()` on a 4xx or 5xx response
 * ├── TooManyRedirectsError  more redirects than `maxRedirects`
 * └── UnsafeRedirectError    a redirect to where a function, or a web page, must not send its caller
 * ```
 *
 * An aborted call rejects with its signal's own reason, and an argument that `fetch` would refuse as well (a header
 * with a newline, a body on GET, two kinds of body) throws a `TypeError`, as `fetch` does.
 *
 * Messages name the method, the URL and the function. They never hold a credential, and neither do the fields.
 */
import type { Target } from "./target.ts";

/** The request an error is about: what is needed to recognise it, and nothing secret. */
export interface RequestSummary {
  readonly method: string;
  /** The canonical URL, without user and password. */
  readonly url: string;
}

/** What is certain about an invocation that failed: see {@link InvokeError.outcome}. */
export type Outcome = "not-started" | "unknown" | "completed";

/** What every error of this library may say about itself. */
export interface ErrorDetails {
  readonly request?: RequestSummary | undefined;
  readonly target?: Target | undefined;
  readonly cause?: unknown;
}

/**
 * The root of the tree: `error instanceof LambdaRequestsError` tells this library's errors from all others.
 *
 * @example
 * try {
 *   await session.get("http+lambda://orders/v1");
 * } catch (error) {
 *   if (error instanceof LambdaRequestsError) console.error(error.code, error.message);
 * }
 */
export class LambdaRequestsError extends Error {
  // On the prototype, so that the stack begins with it, and as text, so that a minifier leaves it alone.
  static {
    LambdaRequestsError.prototype.name = "LambdaRequestsError";
  }

  // `declare`: what is absent is no property, where a class field would be one with the value undefined.
  /** Stable: a constant of ours (`ERR_…`), an AWS error name, or a network code of Node. Match on this. */
  readonly code: string;
  declare readonly request?: RequestSummary;
  declare readonly target?: Target;

  constructor(message: string, code: string, { request, target, cause }: ErrorDetails = {}) {
    super(request === undefined ? message : `${request.method} ${request.url}: ${message}`);
    if (cause !== undefined) Object.defineProperty(this, "cause", { value: cause, configurable: true, writable: true });
    this.code = code;
    if (request !== undefined) this.request = request;
    if (target !== undefined) this.target = target;
  }
}

/**
 * The URL names no valid function. `code` is `ERR_INVALID_TARGET`; the message says which part is wrong.
 *
 * @example
 * try {
 *   await session.get("http+lambda://orders/items");
 * } catch (error) {
 *   if (error instanceof InvalidTargetError) console.error(error.message);
 * }
 */
export class InvalidTargetError extends LambdaRequestsError {
  static {
    InvalidTargetError.prototype.name = "InvalidTargetError";
  }

  constructor(message: string, details?: ErrorDetails) {
    super(message, "ERR_INVALID_TARGET", details);
  }
}

/**
 * A setting is missing or can't be. `code` is `ERR_CONFIGURATION`; the message lists where a value was looked for.
 *
 * @example
 * try {
 *   await session.get("http+lambda://orders/items");
 * } catch (error) {
 *   if (error instanceof ConfigurationError) console.error(error.message);
 * }
 */
export class ConfigurationError extends LambdaRequestsError {
  static {
    ConfigurationError.prototype.name = "ConfigurationError";
  }

  constructor(message: string, details?: ErrorDetails) {
    super(message, "ERR_CONFIGURATION", details);
  }
}

/**
 * The event is larger than Lambda takes; nothing was sent. Or, from the readers of a response, its decoded body is
 * larger than `maxResponseSize`. `code` is `ERR_PAYLOAD_TOO_LARGE`.
 *
 * @example
 * try {
 *   await session.get("http+lambda://orders/items");
 * } catch (error) {
 *   if (error instanceof PayloadTooLargeError) console.error(error.size - error.limit, "bytes too many");
 * }
 */
export class PayloadTooLargeError extends LambdaRequestsError {
  static {
    PayloadTooLargeError.prototype.name = "PayloadTooLargeError";
  }

  /** Bytes of the event, as JSON; of a response's body, those that were decoded until it was clear. */
  readonly size: number;
  /** Bytes at most. */
  readonly limit: number;

  constructor(message: string, { size, limit, ...details }: ErrorDetails & { size: number; limit: number }) {
    super(message, "ERR_PAYLOAD_TOO_LARGE", details);
    this.size = size;
    this.limit = limit;
  }
}

/** What an {@link InvokeError} knows beside its message. */
export interface InvokeErrorDetails extends ErrorDetails {
  readonly code: string;
  readonly outcome: Outcome;
  readonly status?: number | undefined;
  readonly reason?: string | undefined;
  readonly requestId?: string | undefined;
  readonly attempts?: number | undefined;
  readonly retryAfter?: number | undefined;
  readonly corrected?: Correction | undefined;
}

/** What a failed attempt has put right for the next one: credentials that were over, a clock that was wrong. */
export type Correction = "credentials" | "clock";

/**
 * Lambda refused the call, or no answer came back, or not all of one that streams: then the body errors with it, `outcome` is
 * `unknown`, and `code` may be `ERR_INCOMPLETE_STREAM` (it ended without `InvokeComplete`) or `ERR_EVENT_STREAM` (what came
 * is no event stream).
 *
 * @example
 * try {
 *   await session.get("http+lambda://orders/items");
 * } catch (error) {
 *   if (error instanceof InvokeError) console.error(error.code, error.outcome);
 * }
 */
export class InvokeError extends LambdaRequestsError {
  static {
    InvokeError.prototype.name = "InvokeError";
  }

  /**
   * `not-started`: the function certainly did not run. `unknown`: it may have run, may still be running.
   * `completed`: it ran to its end.
   */
  readonly outcome: Outcome;
  /** The HTTP status of Lambda's answer, when there was one. */
  declare readonly status?: number;
  /** Lambda's `Reason`, such as `ReservedFunctionConcurrentInvocationLimitExceeded`. */
  declare readonly reason?: string;
  /** Lambda's request id, when there was an answer. */
  declare readonly requestId?: string;
  /** How often the call was sent. */
  readonly attempts: number;
  /** Milliseconds after which Lambda's answer says to try again. */
  declare readonly retryAfter?: number;
  /** Set when the same call may pass now. It was sent once more, unless `retry` forbade it. */
  declare readonly corrected?: Correction;

  constructor(message: string, details: InvokeErrorDetails) {
    super(message, details.code, details);
    const { outcome, status, reason, requestId, attempts = 1, retryAfter, corrected } = details;
    this.outcome = outcome;
    this.attempts = attempts;
    if (status !== undefined) this.status = status;
    if (reason !== undefined) this.reason = reason;
    if (requestId !== undefined) this.requestId = requestId;
    if (retryAfter !== undefined) this.retryAfter = retryAfter;
    if (corrected !== undefined) this.corrected = corrected;
  }
}

/**
 * The `timeout` of the call ran out. `code` is `ERR_TIMEOUT`; with the outcome `unknown`, the function may still run.
 *
 * @example
 * try {
 *   await session.get("http+lambda://orders/items");
 * } catch (error) {
 *   if (error instanceof TimeoutError) console.error(error.outcome);
 * }
 */
export class TimeoutError extends InvokeError {
  static {
    TimeoutError.prototype.name = "TimeoutError";
  }

  constructor(message: string, details: ErrorDetails & { readonly outcome: Outcome; readonly attempts?: number }) {
    super(message, { ...details, code: "ERR_TIMEOUT" });
  }
}

/**
 * How a function failed: it ran into its own time limit, its process died, it ran out of memory, it threw (or could not
 * be loaded), or its result was larger than Lambda takes.
 */
export type FunctionFailureKind = "timeout" | "crash" | "out-of-memory" | "exception" | "too-large";

/** What a function that failed said of it. The stack has one line an entry, as its runtime wrote it. */
export interface FunctionFailure {
  readonly kind: FunctionFailureKind;
  /** The runtime's name for it: `TypeError`, `Sandbox.Timedout`, `Runtime.ExitError`… */
  readonly errorType?: string;
  readonly errorMessage: string;
  /** With the lines of its causes behind it, where the runtime tells them. */
  readonly stackTrace?: readonly string[];
}

/**
 * The function failed, and `functionErrors: "throw"` was set. `code` is `ERR_FUNCTION`.
 *
 * @example
 * try {
 *   await session.get("http+lambda://orders/items");
 * } catch (error) {
 *   if (error instanceof FunctionError) console.error(error.errorType, error.stackTrace);
 * }
 */
export class FunctionError extends LambdaRequestsError implements FunctionFailure {
  static {
    FunctionError.prototype.name = "FunctionError";
  }

  readonly kind: FunctionFailureKind;
  declare readonly errorType?: string;
  readonly errorMessage: string;
  declare readonly stackTrace?: readonly string[];
  /** The end of the function's log, when `logs` was set. */
  declare readonly logs?: string;
  /** The same failure as a response, with its `invocation` (request id, report). */
  readonly response: Response;

  constructor(
    failure: FunctionFailure,
    { response, logs, advice, ...details }: ErrorDetails & { response: Response; logs?: string; advice?: string },
  ) {
    const { kind, errorType, errorMessage, stackTrace } = failure;
    const said = `${errorType === undefined ? "" : `${errorType}: `}${errorMessage}`;
    super(`the function failed: ${advice === undefined ? said : sentences(said, advice)}`, "ERR_FUNCTION", details);
    this.kind = kind;
    this.errorMessage = errorMessage;
    if (errorType !== undefined) this.errorType = errorType;
    if (stackTrace !== undefined) this.stackTrace = stackTrace;
    this.response = response;
    if (logs !== undefined) this.logs = logs;
    // Not enumerable: a dump of the error would otherwise print the response's headers, cookies among them, and a log.
    for (const name of ["response", "logs"]) if (name in this) Object.defineProperty(this, name, { enumerable: false });
  }
}

/** Two sentences, of which the first, which is another's, ends with a full stop or without. */
export function sentences(first: string, second: string): string {
  let end = first.length;
  // A loop, where `/[.\s]+$/` takes quadratic time.
  while (/[.\s]/.test(first.charAt(end - 1))) end--;
  return `${first.slice(0, end)}. ${second}`;
}

/**
 * `raiseForStatus()` found a 4xx or 5xx. `code` is `ERR_HTTP_STATUS`.
 *
 * @example
 * try {
 *   await session.get("http+lambda://orders/items");
 * } catch (error) {
 *   if (error instanceof HTTPError) console.error(await error.response.text());
 * }
 */
export class HTTPError extends LambdaRequestsError {
  static {
    HTTPError.prototype.name = "HTTPError";
  }

  readonly status: number;
  /** The response itself; its body can still be read. */
  readonly response: Response;

  constructor(response: Response, details?: ErrorDetails) {
    const kind = response.status < 500 ? "client error" : "server error";
    super(`${response.status} ${response.statusText} (${kind})`, "ERR_HTTP_STATUS", details);
    this.status = response.status;
    this.response = response;
    Object.defineProperty(this, "response", { enumerable: false });
  }
}

/**
 * The function redirected more often than `maxRedirects`. `code` is `ERR_TOO_MANY_REDIRECTS`.
 *
 * @example
 * try {
 *   await session.get("http+lambda://orders/items");
 * } catch (error) {
 *   if (error instanceof TooManyRedirectsError) console.error(error.request?.url);
 * }
 */
export class TooManyRedirectsError extends LambdaRequestsError {
  static {
    TooManyRedirectsError.prototype.name = "TooManyRedirectsError";
  }

  constructor(message: string, details?: ErrorDetails) {
    super(message, "ERR_TOO_MANY_REDIRECTS", details);
  }
}

/**
 * A redirect that was refused: from a function to another one (a function must not choose what else its caller's
 * credentials invoke), from a function to the web with anything but a GET or HEAD, or from the web to a function.
 * `code` is `ERR_UNSAFE_REDIRECT`; read the `Location` with `redirect: "manual"` and decide.
 *
 * @example
 * try {
 *   await session.get("http+lambda://orders/items");
 * } catch (error) {
 *   if (error instanceof UnsafeRedirectError) console.error(error.location);
 * }
 */
export class UnsafeRedirectError extends LambdaRequestsError {
  static {
    UnsafeRedirectError.prototype.name = "UnsafeRedirectError";
  }

  /** Where the redirect leads, without user and password. */
  readonly location: string;

  constructor(message: string, { location, ...details }: ErrorDetails & { location: string }) {
    super(message, "ERR_UNSAFE_REDIRECT", details);
    this.location = location;
  }
}
