/** What Lambda's Node.js runtime makes of what a function throws: https://docs.aws.amazon.com/lambda/latest/dg/nodejs-exceptions.html */
import { errorPayload } from "../../invoke/handler-result.ts";

/** A failure of the runtime's own, `Runtime.HandlerNotFound` and the like. */
export class RuntimeError extends Error {
  /** @param facts What the log says beside it. */
  constructor(name: string, message: string, facts: object = {}) {
    super(message);
    Object.defineProperty(this, "name", { value: `Runtime.${name}` });
    Object.assign(this, facts);
  }
}

/** What an async handler fails with that waits for something which can't come any more. */
export function neverSettled(): RuntimeError {
  return new RuntimeError("NodeJsExit", "The event loop is empty, but the handler's promise has not been settled");
}

/** What is thrown, for the log: with all that the error has beside: its `code`, its `cause`. */
export function errorLog(error: unknown): string {
  try {
    const whole = error instanceof Error ? error : new Error(String(error));
    return JSON.stringify(whole, (_key, value: unknown) => {
      if (!(value instanceof Error)) return value;
      const { name, message, stack } = value;
      return { errorType: name, errorMessage: message, ...value, stack: String(stack).split("\n") };
    });
  } catch {
    return errorPayload(error);
  }
}
