/**
 * Why an invocation failed that got no answer from its runtime, and what Lambda says of that:
 * https://docs.aws.amazon.com/lambda/latest/dg/nodejs-exceptions.html and the page of each runtime.
 */
import { MAX_RESULT } from "../../formats/stream.ts";

/** A failure that Lambda, and not the function, reports. */
export interface Failure {
  /** Of the REPORT line. */
  readonly status: "error" | "timeout";
  /** Of the REPORT line. */
  readonly errorType: string;
  /** The payload of the invocation with this id. */
  payload(requestId: string): Uint8Array;
  /** What the log says of it, without the end of the line; `undefined` when the runtime has said it already. */
  line(requestId: string): string | undefined;
}

/** How a process has ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** It could not be started. */
  readonly error?: Error;
}

// In the words of Go, which Lambda's own process manager is written in.
const SIGNALS: Readonly<Partial<Record<NodeJS.Signals, string>>> = {
  SIGABRT: "aborted",
  SIGBUS: "bus error",
  SIGFPE: "floating point exception",
  SIGHUP: "hangup",
  SIGILL: "illegal instruction",
  SIGINT: "interrupt",
  SIGKILL: "killed",
  SIGPIPE: "broken pipe",
  SIGQUIT: "quit",
  SIGSEGV: "segmentation fault",
  SIGTERM: "terminated",
  SIGTRAP: "trace/breakpoint trap",
};

/** The process ended before it had answered. */
export function exitFailure({ code, signal, error }: Exit): Failure {
  if (error !== undefined) return ofRuntime("Runtime.InvalidEntrypoint", error.message);
  if (signal !== null) {
    const name = SIGNALS[signal] ?? signal.slice("SIG".length).toLowerCase();
    return ofRuntime("Runtime.ExitError", `Runtime exited with error: signal: ${name}`);
  }
  const text =
    code === 0 ? "Runtime exited without providing a reason" : `Runtime exited with error: exit status ${code}`;
  return ofRuntime("Runtime.ExitError", text);
}

/** It was ended since it took more memory than it may. The payload does not say so on AWS either, only the log does. */
export function memoryFailure(): Failure {
  const exit = exitFailure({ code: null, signal: "SIGKILL" });
  const errorType = "Runtime.OutOfMemory";
  return { ...exit, errorType, line: (requestId) => exit.line(requestId)?.replace(exit.errorType, errorType) };
}

/** It was ended since it took longer than it may. */
export function timeoutFailure(timeout: number): Failure {
  const text = `Task timed out after ${(timeout / 1000).toFixed(2)} seconds`;
  return {
    status: "timeout",
    errorType: "Sandbox.Timedout",
    payload: (requestId) => toJson("Sandbox.Timedout", `RequestId: ${requestId} Error: ${text}`),
    line: (requestId) => `${new Date().toISOString()} ${requestId} ${text}`,
  };
}

/** The runtime said itself why it can't start. */
export function initFailure(payload: Uint8Array): Failure {
  return { status: "error", errorType: errorTypeOf(payload), payload: () => payload, line: () => undefined };
}

/** The connection on which a result came has broken. */
export function truncated(requestId: string): Uint8Array {
  return toJson("Runtime.TruncatedResponse", `RequestId: ${requestId} Error: The response was cut off before its end`);
}

/** A result that is larger than one may be. */
export function tooLarge(): Uint8Array {
  const text = `Response payload size exceeded maximum allowed payload size (${MAX_RESULT} bytes).`;
  return toJson("Function.ResponseSizeTooLarge", text);
}

/** A result in a form that there is none of. */
export function invalidMode(): Uint8Array {
  return toJson(
    "Runtime.InvalidResponseModeHeader",
    "The header Lambda-Runtime-Function-Response-Mode can be streaming",
  );
}

/** The payload of a runtime that posted no more than a type. */
export function bareError(errorType: string): Uint8Array {
  return toJson(errorType, "");
}

function ofRuntime(errorType: string, text: string): Failure {
  return {
    status: "error",
    errorType,
    payload: (requestId) => toJson(errorType, `RequestId: ${requestId} Error: ${text}`),
    line: (requestId) => `RequestId: ${requestId} Error: ${text}\n${errorType}`,
  };
}

function toJson(errorType: string, errorMessage: string): Uint8Array {
  return Buffer.from(JSON.stringify({ errorType, errorMessage }));
}

function errorTypeOf(payload: Uint8Array): string {
  try {
    const { errorType } = JSON.parse(Buffer.from(payload).toString("utf8")) as { errorType?: unknown };
    if (typeof errorType === "string") return errorType;
  } catch {
    // It need not be JSON.
  }
  return "Runtime.Unknown";
}
