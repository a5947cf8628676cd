/** Reads ahead of whoever reads. A web stream's own queue would be lost with an error; here the error comes behind it. */
import { createArrivals } from "./invoke/arrivals.ts";

/**
 * Gives pieces in their order, and what the source has thrown where it broke off.
 *
 * @param limit As soon as so many bytes are waiting to be read, no more are asked for.
 * @param onEnd Called when the source has ended, well or badly, be it that much of it still waits to be read.
 */
export function readAhead(
  source: AsyncIterator<Uint8Array, unknown>,
  limit: number,
  onEnd: () => void,
): () => Promise<IteratorResult<Uint8Array, undefined>> {
  const arrivals = createArrivals<Uint8Array>();
  let size = 0;
  /** Is the source asked already, or at its end? */
  let isFilling = false;

  async function fill(): Promise<void> {
    if (isFilling) return;
    isFilling = true;
    try {
      while (size < limit) {
        const { done, value } = await source.next();
        if (done) {
          arrivals.end();
          return onEnd();
        }
        size += value.length;
        arrivals.add(value);
      }
      isFilling = false;
    } catch (error) {
      arrivals.end({ error });
      onEnd();
    }
  }

  void fill();
  return async () => {
    const next = await arrivals.next();
    if (!next.done) {
      size -= next.value.length;
      void fill();
    }
    return next;
  };
}
