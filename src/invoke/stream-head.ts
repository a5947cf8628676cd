/** The head of a result that streams: an attempt has succeeded when status and headers are known, and not before. */
import { createFrameReader } from "../formats/stream.ts";
import { endFailure } from "./function-failure.ts";
import type { InvocationEnd, InvocationResult, PayloadIterator, PayloadStream } from "./invoker.ts";

/** A stream without a prelude is what a Function URL makes of it. */
const NO_PRELUDE = { statusCode: 200, headers: { "content-type": "application/octet-stream" } };

/**
 * The same result with its prelude apart, and the body as the payload; or with all of its payload as bytes, where that is how
 * far one had to read: JSON, or a function that failed before it had begun.
 *
 * @returns a promise only where there is something to read.
 */
export function readHead(result: InvocationResult): InvocationResult | Promise<InvocationResult> {
  // An invoker of a user's own may give anything, of which a caller is told elsewhere.
  const payload: InvocationResult["payload"] | undefined = result?.payload;
  if (payload instanceof Uint8Array || !isStream(payload) || result.prelude !== undefined) return result;
  return readStreamHead(result, payload);
}

async function readStreamHead(result: InvocationResult, payload: PayloadStream): Promise<InvocationResult> {
  const iterator = payload[Symbol.asyncIterator]();
  const reader = createFrameReader();
  for (;;) {
    const next = await iterator.next();
    if (next.done) return wholeResult(result, reader.bytes(), next.value ?? {});
    if (!(next.value instanceof Uint8Array)) throw await refusePiece(iterator);
    const start = reader.read(next.value);
    if (start === undefined) continue;
    const rest = continued(start.body, iterator, payload.transferable);
    return { ...result, prelude: start.prelude ?? NO_PRELUDE, payload: rest };
  }
}

function isStream(payload: unknown): payload is PayloadStream {
  return Symbol.asyncIterator in Object(payload);
}

function wholeResult(
  result: InvocationResult,
  bytes: Uint8Array,
  { functionError, errorDetails, logs }: InvocationEnd,
): InvocationResult {
  const whole = { ...result, payload: bytes, ...(logs !== undefined && { logs }) };
  if (functionError !== undefined) {
    const said = errorDetails === undefined ? bytes : Buffer.from(errorDetails);
    return { ...whole, functionError, payload: endFailure(functionError, said) };
  }
  // In a buffered result, no bytes at all would mean that the function returned nothing.
  return bytes.length === 0 ? { ...whole, prelude: NO_PRELUDE } : whole;
}

/** The error of a stream that gives what is no piece. The stream is ended. */
async function refusePiece(iterator: AsyncIterator<unknown>): Promise<TypeError> {
  await iterator.return?.();
  return new TypeError("the payload of an invoker's result has to be a stream of Uint8Arrays");
}

/** What has been read, and then the rest. */
function continued(
  first: Uint8Array,
  iterator: PayloadIterator,
  transferable = false,
): PayloadStream & PayloadIterator {
  let held: Uint8Array | undefined = first;
  return {
    transferable,
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      if (held === undefined) {
        const next = await iterator.next();
        if (!(next.done || next.value instanceof Uint8Array)) throw await refusePiece(iterator);
        return next;
      }
      const value = held;
      held = undefined;
      return { done: false, value };
    },
    async return() {
      held = undefined;
      await iterator.return?.();
      return { done: true, value: undefined };
    },
  };
}
