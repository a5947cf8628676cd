/** Undoes `Content-Encoding`, as `fetch` does: https://fetch.spec.whatwg.org/#handle-content-codings */
import type { Transform } from "node:stream";
import { PayloadTooLargeError } from "./errors.ts";

// As many as `fetch` undoes. Each costs time, and a short header can name a million.
const MAX_CODINGS = 5;

/**
 * The decoded bytes. A coding that is not known stays as it is, and so does what stands before it.
 * Not what {@link decodeStream} gives of one piece, put together: for a small body that took 1.6 times as long.
 *
 * @param limit Bytes at most, after each coding: a few bytes can stand for gigabytes.
 * @throws {PayloadTooLargeError} when they are more.
 * @throws {TypeError} when the bytes are not what the header says, or the header says too much.
 */
export async function decodeContent(
  bytes: Uint8Array,
  contentEncoding: string | undefined,
  limit: number = Number.POSITIVE_INFINITY,
): Promise<Uint8Array> {
  let decoded = bytes;
  for (const coding of codingsOf(contentEncoding)) {
    const makeDecoder = await decoderOf(coding);
    if (makeDecoder === undefined || decoded.length === 0) break;
    try {
      decoded = await collect(makeDecoder(decoded), decoded, limit);
    } catch (cause) {
      if (cause instanceof PayloadTooLargeError) throw cause;
      throw notSoEncoded(coding, cause);
    }
  }
  return decoded;
}

/** How far a decoder may go. */
interface DecodeLimit {
  /** After each coding. */
  readonly bytes: number;
  /** Ends decoders that nobody waits for any more. */
  readonly signal: AbortSignal;
}

/**
 * The same for bytes that are still to come: whatever can be decoded is given at once, and no more is asked for than is read.
 * Errors of `pieces` come through as they are.
 *
 * @throws {PayloadTooLargeError} when they are more.
 * @throws {TypeError} when the bytes are not what the header says, or the header says too much.
 */
export async function* decodeStream(
  pieces: AsyncIterable<Uint8Array>,
  contentEncoding: string,
  limit: DecodeLimit,
): AsyncGenerator<Uint8Array, void, undefined> {
  let decoded = pieces;
  for (const coding of codingsOf(contentEncoding)) {
    const makeDecoder = await decoderOf(coding);
    if (makeDecoder === undefined) break;
    decoded = decodeOne(decoded, coding, makeDecoder, limit);
  }
  yield* decoded;
}

type MakeDecoder = (beginning: Uint8Array) => Transform;

async function* decodeOne(
  pieces: AsyncIterable<Uint8Array>,
  coding: string,
  makeDecoder: MakeDecoder,
  { bytes, signal }: DecodeLimit,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { addAbortSignal, pipeline } = await import("node:stream");
  const iterator = pieces[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done) return;
  let broken: { readonly cause: unknown } | undefined;
  async function* all(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield first.value;
      yield* { [Symbol.asyncIterator]: () => iterator };
    } catch (cause) {
      broken = { cause };
      throw cause;
    }
  }
  const decoder = addAbortSignal(signal, makeDecoder(first.value));
  // Its outcome is the decoder's own.
  pipeline(all(), decoder, () => undefined);
  let size = 0;
  try {
    for await (const piece of decoder as AsyncIterable<Buffer>) {
      size += piece.length;
      checkSize(size, bytes);
      yield piece;
    }
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof PayloadTooLargeError) throw cause;
    throw broken === undefined ? notSoEncoded(coding, cause) : broken.cause;
  }
}

/** In the order in which they are to be undone. @throws {TypeError} when they are too many. */
function codingsOf(contentEncoding: string | undefined): string[] {
  const codings = (contentEncoding ?? "")
    .toLowerCase()
    .split(",")
    .map((coding) => coding.trim())
    .filter(Boolean);
  if (codings.length > MAX_CODINGS) {
    throw new TypeError(`the response has ${codings.length} content-encodings; at most ${MAX_CODINGS} are undone`);
  }
  return codings.reverse();
}

function notSoEncoded(coding: string, cause: unknown): TypeError {
  return new TypeError(`the response says content-encoding: ${coding}, but its body is not ${coding}`, { cause });
}

/** `undefined` for a coding that is not known. */
async function decoderOf(coding: string): Promise<MakeDecoder | undefined> {
  // Loaded here because most answers are not compressed.
  const zlib = await import("node:zlib");
  const { constants } = zlib;
  // Browsers take a stream that ends too early as far as it goes; so does `fetch`.
  const lenient = { flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH };
  switch (coding) {
    case "gzip":
    case "x-gzip":
      return () => zlib.createGunzip(lenient);
    case "deflate":
      // With zlib's header, as the standard has it, or without, as some servers do.
      return (bytes) =>
        ((bytes[0] ?? 0) & 0x0f) === 0x08 ? zlib.createInflate(lenient) : zlib.createInflateRaw(lenient);
    case "br":
      return () =>
        zlib.createBrotliDecompress({
          flush: constants.BROTLI_OPERATION_FLUSH,
          finishFlush: constants.BROTLI_OPERATION_FLUSH,
        });
    case "zstd":
      // From Node 22.15 on.
      return (zlib as { createZstdDecompress?: () => Transform }).createZstdDecompress;
    case "identity": {
      const { PassThrough } = await import("node:stream");
      return () => new PassThrough();
    }
    default:
      return undefined;
  }
}

async function collect(decoder: Transform, bytes: Uint8Array, limit: number): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  decoder.end(bytes);
  for await (const chunk of decoder as AsyncIterable<Buffer>) {
    size += chunk.length;
    checkSize(size, limit);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** @throws {PayloadTooLargeError} when it is over the limit. */
export function checkSize(size: number, limit: number): void {
  if (size <= limit) return;
  const message = `the body of the response is over ${limit} bytes; the option maxResponseSize allows more`;
  throw new PayloadTooLargeError(message, { size, limit });
}
