/** A result becomes a response: whole, or as soon as its status and headers are known. */
import { type AnswerParts, failureParts, resultParts, unansweredParts } from "./answer.ts";
import type { LastingSignal } from "./deadline.ts";
import type { ResponseParts } from "./formats/format.ts";
import { FORMATS } from "./formats/formats.ts";
import { describeInvocation, describeOpenInvocation } from "./invocation-info.ts";
import { readFunctionFailure } from "./invoke/function-failure.ts";
import type { Invocation, InvocationResult } from "./invoke/invoker.ts";
import type { RequestSettings, Settings } from "./options.ts";
import { type LambdaResponse, toResponse } from "./response.ts";
import { type StreamedParts, toStreamedResponse } from "./streamed-response.ts";

/** A result, and the milliseconds that it took. */
interface Delivery {
  readonly result: InvocationResult;
  readonly elapsed: number;
}

/** What the call knows that it is an answer to. */
interface Circumstances {
  readonly options: RequestSettings;
  readonly settings: Settings;
  /** When the call began, by `performance.now()`. */
  readonly begin: number;
  readonly history: readonly LambdaResponse[];
}

/**
 * @param lasting What ends a body that streams. It is over when this throws, or gives a response that does not.
 * @returns a promise where the body has to be decoded first.
 */
export function respond(
  { result, elapsed }: Delivery,
  { target, request }: Pick<Invocation, "request" | "target">,
  { options, settings, history, begin }: Circumstances,
  lasting: LastingSignal | undefined,
): LambdaResponse | Promise<LambdaResponse> {
  const { payloadFormat, invocationType } = options;
  const { maxResponseSize } = settings;
  const { payload } = result;
  const functionError =
    result.functionError !== undefined && payload instanceof Uint8Array
      ? readFunctionFailure(payload, result.logs)
      : undefined;
  const format = FORMATS[payloadFormat];
  const known = { target, elapsed, payloadFormat, functionError };
  const parts = partsOf();
  const isStreamed = !(typeof parts.body === "string" || parts.body instanceof Uint8Array);
  const open = isStreamed ? describeOpenInvocation(result, known) : undefined;
  const facts = {
    request,
    target,
    invocation: open?.info ?? describeInvocation(result, known),
    history: [...history],
    elapsed: performance.now() - begin,
  };
  if (open !== undefined && lasting !== undefined) {
    return toStreamedResponse(parts as StreamedParts, request.method, facts, { open, lasting, maxResponseSize });
  }
  if (!(payload instanceof Uint8Array)) {
    // Behind a prelude that is no response's: nobody will read it.
    void payload[Symbol.asyncIterator]().return?.();
    lasting?.abort(new DOMException("the result is no response", "AbortError"));
  }
  lasting?.end();
  return toResponse(parts as ResponseParts, request.method, facts, maxResponseSize);

  function partsOf(): AnswerParts {
    if (invocationType !== "RequestResponse") return unansweredParts(invocationType);
    return functionError === undefined ? resultParts(format, result, target) : failureParts(format, functionError);
  }
}
