/** What an invocation came to, as the parts of a response: the function's own, or a 502 that says what went wrong. */
import type { FunctionFailure } from "./errors.ts";
import { type Format, InvalidResultError, type ResponseParts } from "./formats/format.ts";
import { expectedFormats } from "./formats/formats.ts";
import { decodePrelude, decodeResult } from "./formats/result.ts";
import { failureAdvice } from "./invoke/function-failure.ts";
import type { InvocationResult, InvocationType, PayloadStream } from "./invoke/invoker.ts";
import type { Target } from "./target.ts";

/** The parts of a response whose body may still be on its way. */
export interface AnswerParts extends Omit<ResponseParts, "body"> {
  readonly body: ResponseParts["body"] | PayloadStream;
}

/** What the function returned. */
export function resultParts(
  format: Format,
  { prelude, payload }: InvocationResult,
  { functionName }: Target,
): AnswerParts {
  try {
    if (prelude !== undefined) return { ...decodePrelude(format, prelude), body: payload };
    // Whatever streams has a prelude by now.
    return decodeResult(format, payload as Uint8Array);
  } catch (error) {
    if (!(error instanceof InvalidResultError)) throw error;
    return textParts(`${functionName} returned no HTTP response: ${error.message}`);
  }
}

/** Its message; and where that shows what to do about it, that: which other events to send, or how to return less. */
export function failureParts({ name }: Format, { kind, errorType, errorMessage }: FunctionFailure): ResponseParts {
  const others = expectedFormats(errorType, errorMessage);
  if (others !== undefined && !others.includes(`"${name}"`)) {
    const hint = `The function was sent the event of the payload format "${name}". If it expects another, try ${others}`;
    return textParts(`${errorMessage}\n\n(${hint}, with the option payloadFormat.)`.trimStart());
  }
  return textParts(kind === "too-large" ? `${errorMessage}\n\n(${failureAdvice(kind)})` : errorMessage);
}

/** An event was queued, or it was only asked whether it might be: Lambda's own status, and nothing of the function's. */
export function unansweredParts(invocationType: Exclude<InvocationType, "RequestResponse">): ResponseParts {
  return { status: invocationType === "Event" ? 202 : 204, headers: [], body: new Uint8Array() };
}

function textParts(text: string): ResponseParts {
  return { status: 502, headers: [["content-type", "text/plain; charset=utf-8"]], body: Buffer.from(text) };
}
