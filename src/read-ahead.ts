/** Reads ahead of whoever reads. A web stream's own queue would be lost with an error; here the error comes behind it. */

/** Gives pieces in their order, `undefined` behind the last, and what the source has thrown where it broke off. */
type NextPiece = () => Promise<Uint8Array | undefined>;

/**
 * @param limit As soon as so many bytes are waiting to be read, no more are asked for.
 * @param onEnd Called when the source has ended, well or badly, be it that much of it still waits to be read.
 */
export function readAhead(source: AsyncIterator<Uint8Array, unknown>, limit: number, onEnd: () => void): NextPiece {
  let waiting: Uint8Array[] = [];
  let taken = 0;
  let size = 0;
  let end: { readonly error?: unknown } | undefined;
  let isFilling = false;
  let notify = (): void => undefined;

  async function fill(): Promise<void> {
    if (isFilling) return;
    isFilling = true;
    while (end === undefined && size < limit) {
      try {
        const next = await source.next();
        if (next.done) end = {};
        else {
          waiting.push(next.value);
          size += next.value.length;
        }
      } catch (error) {
        end = { error };
      }
      if (end !== undefined) onEnd();
      notify();
    }
    isFilling = false;
  }

  /** By a place in the list: to shift it for each of many small pieces would take quadratic time. */
  function take(): Uint8Array | undefined {
    const piece = waiting[taken];
    if (piece === undefined) return undefined;
    taken++;
    size -= piece.length;
    if (taken === waiting.length) {
      waiting = [];
      taken = 0;
    }
    return piece;
  }

  void fill();
  return async () => {
    for (;;) {
      const piece = take();
      if (piece !== undefined) {
        void fill();
        return piece;
      }
      if (end !== undefined) {
        if ("error" in end) throw end.error;
        return undefined;
      }
      await new Promise<void>((resolve) => {
        notify = resolve;
      });
    }
  };
}
