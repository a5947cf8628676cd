/** A body that is read no faster than it is asked for, and whose connection is not left to itself. */

/** A stream of Node's, or any other. */
export type Body = AsyncIterable<Uint8Array> &
  Partial<Pick<NodeJS.ReadableStream, "on" | "once" | "resume">> & {
    /** Of an HTTP response: is all of it here? */
    readonly complete?: boolean;
    iterator?(options: { destroyOnReturn: boolean }): AsyncIterable<Uint8Array>;
    destroy?(): void;
  };

/** A body that is still to be read. */
export interface OpenBody<Part> {
  /** To end before the last one ends the connection. */
  readonly parts: AsyncIterable<Part>;
  /** Nothing of use follows: what is left to come is not asked for, and the connection is kept if it comes soon. */
  release(): void;
  /** Nobody wants the rest: the connection is closed, unless that has come or is of no use. */
  close(): void;
}

/** How long the end of a body, of which all of use is here, may take before its connection is worth less than a new one. */
export const RELEASE_MS = 1_000;

/**
 * @param decode Takes the bytes apart.
 * @param errorOf What an error of the stream means.
 */
export function openBody<Part>(
  body: Body,
  decode: (pieces: AsyncIterable<Uint8Array>) => AsyncIterable<Part>,
  errorOf: (error: unknown) => unknown,
): OpenBody<Part> {
  let isReleased = false;
  // It may be lost before anybody reads.
  body.on?.("error", () => undefined);

  async function* pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* body.iterator?.({ destroyOnReturn: false }) ?? body;
    } catch (error) {
      throw errorOf(error);
    } finally {
      close();
    }
  }

  function close(): void {
    if (isReleased || body.complete) drain(body);
    else body.destroy?.();
  }

  return {
    parts: decode(pieces()),
    release() {
      isReleased = true;
    },
    close,
  };
}

function drain(body: Body): void {
  const late = setTimeout(() => body.destroy?.(), RELEASE_MS).unref();
  body.once?.("close", () => clearTimeout(late));
  body.resume?.();
}
