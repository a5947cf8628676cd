/** Reads ahead of whoever reads. A web stream's own queue would be lost with an error; here the error comes behind it. */

/** Gives pieces in their order, `undefined` behind the last, and what the source has thrown where it broke off. */
export type NextPiece = () => Promise<Uint8Array | undefined>;

/** @param limit As soon as so many bytes are waiting to be read, no more are asked for. */
export function readAhead(source: AsyncIterator<Uint8Array, unknown>, limit: number): NextPiece {
  const waiting: Uint8Array[] = [];
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
      notify();
    }
    isFilling = false;
  }

  void fill();
  return async () => {
    for (;;) {
      const piece = waiting.shift();
      if (piece !== undefined) {
        size -= piece.length;
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
