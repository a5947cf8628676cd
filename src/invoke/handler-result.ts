/** What a handler returns or throws, as Lambda's Node.js runtime sends it: in this process, and in one of its own. */
import { types } from "node:util";

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function";
}

/** @throws when JSON can't hold it. */
export function toJson(result: unknown): string {
  try {
    return JSON.stringify(result === undefined ? null : result) ?? "null";
  } catch (cause) {
    throw new Error("Unable to stringify response body", { cause });
  }
}

/** The payload of a failure: https://docs.aws.amazon.com/lambda/latest/dg/nodejs-exceptions.html */
export function errorPayload(error: unknown): string {
  try {
    if (types.isNativeError(error) || error instanceof Error) {
      const { name, message, stack = "" } = error;
      return JSON.stringify({ errorType: name, errorMessage: message, trace: stack.split("\n") });
    }
    return JSON.stringify({ errorType: typeof error, errorMessage: String(error), trace: [] });
  } catch {
    return JSON.stringify({
      errorType: "handled",
      errorMessage:
        "callback called with Error argument, but there was a problem while retrieving one or more of its message, " +
        "name, and stack",
    });
  }
}
