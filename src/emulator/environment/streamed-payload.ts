/** A result that a runtime streams, as {@link PayloadStream}, or all of it at once. */
import { MAX_RESULT } from "../../formats/stream.ts";
import { abortable, listenForAbort } from "../../invoke/abortable.ts";
import type { InvocationEnd, PayloadStream } from "../../invoke/invoker.ts";
import type { ResponseBody } from "./response-body.ts";

/** Who stops reading stops nothing: the function runs on, as on AWS, and what it writes goes nowhere. */
export function streamedPayload(
  body: ResponseBody,
  ended: Promise<InvocationEnd>,
  signal: AbortSignal | undefined,
): PayloadStream {
  if (signal?.aborted) body.discard();
  const forget = signal && listenForAbort(signal, body.discard);
  const iterator: AsyncIterator<Uint8Array, InvocationEnd | undefined> = {
    async next() {
      const piece = await abortable(body.read(), signal);
      if (piece !== undefined) return { done: false, value: piece };
      forget?.();
      return { done: true, value: await ended };
    },
    async return() {
      forget?.();
      body.discard();
      return { done: true, value: undefined };
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}

/** All of it; `undefined` when that is more than a result may have. */
export async function wholeBody(body: ResponseBody): Promise<Buffer | undefined> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for (let piece = await body.read(); piece !== undefined; piece = await body.read()) {
    pieces.push(piece);
    size += piece.length;
    if (size <= MAX_RESULT) continue;
    body.discard();
    return undefined;
  }
  return Buffer.concat(pieces);
}
