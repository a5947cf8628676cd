/** What a function that failed returned in place of a result: one shape a runtime. */
import type { FunctionFailure } from "../errors.ts";
import { parseObject } from "./json.ts";

/**
 * Reads the payload of an invocation with a `FunctionError`. Node says `trace`, the other runtimes `stackTrace`, Go with
 * an object a line; a custom runtime may return anything.
 */
export function readFunctionFailure(payload: Uint8Array): FunctionFailure {
  const text = Buffer.from(payload).toString("utf8");
  const failure = parseObject(text);
  const { errorType, errorMessage, stackTrace, trace } = failure ?? {};
  const lines = stackTrace ?? trace;
  return {
    ...(typeof errorType === "string" && { errorType }),
    errorMessage: typeof errorMessage === "string" ? errorMessage : text,
    ...(Array.isArray(lines) && { stackTrace: lines.map(stackLine) }),
  };
}

function stackLine(line: unknown): string {
  if (typeof line === "string") return line;
  const { path, line: number, label } = (line ?? {}) as { path?: unknown; line?: unknown; label?: unknown };
  return path === undefined ? JSON.stringify(line) : `${path}:${number} ${label}`;
}
