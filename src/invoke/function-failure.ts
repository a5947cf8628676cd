/** What a function that failed returned in place of a result: one shape a runtime. */
import type { FunctionFailure, FunctionFailureKind } from "../errors.ts";
import { show } from "../formats/show.ts";
import { parseObject } from "./json.ts";

/** What the payload of a failure may hold. */
type Payload = Readonly<Record<string, unknown>>;

// Causes have causes; a payload that nests forever is none that a runtime wrote.
const MAX_CAUSES = 10;

/**
 * Reads the payload of an invocation with a `FunctionError`. Node says `trace`, the other runtimes `stackTrace`, Go with
 * an object a line; Java and .NET nest causes; a custom runtime may return anything.
 *
 * @param logs The end of the function's log, where it was asked for: it alone tells some kinds of death apart.
 */
export function readFunctionFailure(payload: Uint8Array, logs = ""): FunctionFailure {
  const text = Buffer.from(payload).toString("utf8");
  const failure = parseObject(text) ?? {};
  const { errorType, errorMessage } = failure;
  const stackTrace = stackOf(failure);
  const message = typeof errorMessage === "string" ? errorMessage : text;
  return {
    kind: kindOf(typeof errorType === "string" ? errorType : undefined, message, logs),
    ...(typeof errorType === "string" && { errorType }),
    errorMessage: message,
    ...(stackTrace !== undefined && { stackTrace }),
  };
}

/** The payload of a failure, from what a stream ended with: a code, and mostly the JSON that a payload would have been. */
export function endFailure(code: string, details: Uint8Array): Uint8Array {
  const text = Buffer.from(details).toString("utf8");
  if (typeof parseObject(text)?.errorMessage === "string") return details;
  return Buffer.from(JSON.stringify({ errorType: code, errorMessage: text || code }));
}

/** What to do about it; `undefined` where the function's own message is all that is known. */
export function failureAdvice(kind: FunctionFailureKind): string | undefined {
  switch (kind) {
    case "timeout":
      return "It ran into its own time limit: raise the function's timeout, or give it less to do.";
    case "out-of-memory":
      return "It needs more memory than it has: raise the function's memory size.";
    case "crash":
      return "Its process ended before it answered; its log (the option logs) says more.";
    case "too-large":
      return (
        "Lambda returns at most 6 MB at once: return less, put it into S3 and return a link, or let the function stream " +
        "its response."
      );
    case "exception":
      return undefined;
  }
}

function kindOf(errorType: string | undefined, message: string, logs: string): FunctionFailureKind {
  // In 2024 Lambda's own timeouts still had no type. An exception that has one may speak of any task.
  const timedOut = /Task timed out after \d+\.\d\d seconds/.test(message);
  if (errorType === "Sandbox.Timedout" || (errorType === undefined && timedOut)) return "timeout";
  if (errorType === "Function.ResponseSizeTooLarge") return "too-large";
  // The report of its log says so where the payload does not; `signal: killed` is what the kernel does then.
  const isOutOfMemory =
    /OutOfMemory|^(?:MemoryError|Function<NoMemoryError>)$/.test(errorType ?? "") ||
    (errorType === "Runtime.ExitError" &&
      (message.includes("signal: killed") || /Runtime\.OutOfMemory|heap out of memory/.test(logs)));
  if (isOutOfMemory) return "out-of-memory";
  // The process never answered: it ended, could not be started, or one of its extensions ended.
  return /^(?:Runtime\.(?:ExitError|Invalid\w*)|Extension\.\w+)$/.test(errorType ?? "") ? "crash" : "exception";
}

function stackOf(failure: Payload): string[] | undefined {
  const lines: string[] = [];
  let current: unknown = failure;
  for (let depth = 0; depth < MAX_CAUSES && isObject(current); depth++) {
    const { errorType, errorMessage, stackTrace, trace, cause } = current;
    if (depth > 0)
      lines.push(`Caused by: ${[errorType, errorMessage].filter((part) => typeof part === "string").join(": ")}`);
    const own = stackTrace ?? trace;
    if (Array.isArray(own)) for (const line of own) lines.push(stackLine(line));
    else if (depth === 0) return undefined;
    current = cause;
  }
  return lines;
}

function isObject(value: unknown): value is Payload {
  return typeof value === "object" && value !== null;
}

function stackLine(line: unknown): string {
  if (typeof line === "string") return line;
  const { path, line: number, label } = Object(line) as { path?: unknown; line?: unknown; label?: unknown };
  if (typeof path !== "string" || typeof number !== "number") return show(line);
  return `${path}:${number} ${typeof label === "string" ? label : ""}`.trimEnd();
}
