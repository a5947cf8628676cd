/** What is an error of a span: https://opentelemetry.io/docs/specs/semconv/general/recording-errors/ */
import { type Span, SpanStatusCode } from "@opentelemetry/api";
import { LambdaRequestsError } from "../errors.ts";
import { ATTRIBUTES, OTHER, withoutSecrets } from "./semantic-conventions.ts";

/** @param message What the type does not say. */
export function setError(span: Span, type: string, message?: string): void {
  span.setAttribute(ATTRIBUTES.errorType, type);
  span.setStatus({ code: SpanStatusCode.ERROR, ...(message !== undefined && { message: withoutSecrets(message) }) });
}

/**
 * Of a call, an attempt or a body that ended with this.
 *
 * @returns the error's type; `undefined` when it was the caller who ended it, which is no error:
 *   https://opentelemetry.io/docs/specs/semconv/http/http-spans/#status
 */
export function setFailure(span: Span, reason: unknown): string | undefined {
  // What is no Error can only be a reason that a caller gave.
  if (!(reason instanceof Error) || reason.name === "AbortError") return undefined;
  const type = errorType(reason);
  setError(span, type, reason.message);
  return type;
}

/** Of few values: our codes, AWS's and Node's, and the names of other errors. */
export function errorType(error: Error): string {
  return error instanceof LambdaRequestsError ? error.code : error.name || OTHER;
}
