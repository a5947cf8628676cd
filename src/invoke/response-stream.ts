/** Where a function that streams writes in this process, and how that is read: at once, or as it comes. */
import { Writable } from "node:stream";
import { abortable, listenForAbort } from "./abortable.ts";
import type { InvocationEnd, PayloadIterator, PayloadStream } from "./invoker.ts";

/** Where a streaming function writes its answer, no faster than it is taken. */
export class ResponseStream extends Writable {
  /** Called with a `write` of its own before the first: that is how AWS's `HttpResponseStream`, and copies of it, work. */
  _onBeforeFirstWrite: ((write: (chunk: string | Uint8Array) => unknown) => void) | undefined;
  #isWritten = false;
  #offered: { readonly chunk: Buffer; readonly taken: () => void } | undefined;
  #isOver = false;
  #wake = (): void => undefined;

  constructor() {
    super({ decodeStrings: true, objectMode: false });
  }

  /** A part of AWS's API. The answer's type is in the prelude, or nobody asks for it. */
  setContentType(_contentType: string): void {
    if (!this.#isWritten) return;
    const error = new Error("Cannot set content-type, too late.");
    throw Object.assign(error, { name: "Runtime.InvalidStreamingOperation" });
  }

  /** `end` alone sends no prelude, in AWS's runtime as here. */
  override write(chunk: unknown, ...rest: never[]): boolean {
    if (!this.#isWritten) this._onBeforeFirstWrite?.((bytes) => super.write(bytes));
    this.#isWritten = true;
    const bytes = typeof chunk === "string" || chunk instanceof Uint8Array ? chunk : JSON.stringify(chunk);
    return super.write(bytes, ...rest);
  }

  override _write(chunk: Buffer, _encoding: string, taken: () => void): void {
    this.#offered = { chunk, taken };
    this.#wake();
  }

  override _final(done: () => void): void {
    this.close();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#offered = undefined;
    this.close();
    done(error);
  }

  /** Nothing is written from now on, be it that its function has failed. */
  close(): void {
    this.#isOver = true;
    this.#wake();
  }

  /** The next piece, as soon as there is one; `undefined` behind the last. */
  async take(): Promise<Buffer | undefined> {
    while (this.#offered === undefined) {
      if (this.#isOver && (this.destroyed || this.writableLength === 0)) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const { chunk, taken } = this.#offered;
    this.#offered = undefined;
    taken();
    return chunk;
  }
}

/** What the handler writes, as it writes it. Who stops reading stops the handler's stream. */
export function payloadOf(
  stream: ResponseStream,
  ended: Promise<InvocationEnd>,
  signal: AbortSignal | undefined,
): PayloadStream {
  const stop = (): void => void stream.destroy();
  const forget = signal && listenForAbort(signal, stop);
  const iterator: PayloadIterator = {
    async next() {
      const piece = await abortable(stream.take(), signal);
      if (piece !== undefined) return { done: false, value: piece };
      forget?.();
      return { done: true, value: await ended };
    },
    async return() {
      forget?.();
      stop();
      return { done: true, value: undefined };
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}

/** All that the handler writes. */
export async function collect(stream: ResponseStream): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let piece = await stream.take(); piece !== undefined; piece = await stream.take()) pieces.push(piece);
  return Buffer.concat(pieces);
}
