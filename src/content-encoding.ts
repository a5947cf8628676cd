/** Undoes `Content-Encoding`, as `fetch` does: https://fetch.spec.whatwg.org/#handle-content-codings */
import type { Transform } from "node:stream";
import { PayloadTooLargeError } from "./errors.ts";

// As many as `fetch` undoes. Each costs time, and a short header can name a million.
const MAX_CODINGS = 5;

/**
 * The decoded bytes. A coding that is not known stays as it is, and so does what stands before it.
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
  const codings = (contentEncoding ?? "")
    .toLowerCase()
    .split(",")
    .map((coding) => coding.trim())
    .filter(Boolean);
  if (codings.length > MAX_CODINGS) {
    throw new TypeError(`the response has ${codings.length} content-encodings; at most ${MAX_CODINGS} are undone`);
  }
  let decoded = bytes;
  for (const coding of codings.reverse()) {
    if (decoded.length === 0) break;
    const decoder = await decoderOf(coding, decoded);
    if (decoder === undefined) break;
    try {
      decoded = await collect(decoder, decoded, limit);
    } catch (cause) {
      if (cause instanceof PayloadTooLargeError) throw cause;
      throw new TypeError(`the response says content-encoding: ${coding}, but its body is not ${coding}`, { cause });
    }
  }
  return decoded;
}

async function decoderOf(coding: string, bytes: Uint8Array): Promise<Transform | undefined> {
  // Loaded here because most answers are not compressed.
  const zlib = await import("node:zlib");
  const { constants } = zlib;
  // Browsers take a stream that ends too early as far as it goes; so does `fetch`.
  const lenient = { flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH };
  switch (coding) {
    case "gzip":
    case "x-gzip":
      return zlib.createGunzip(lenient);
    case "deflate":
      // With zlib's header, as the standard has it, or without, as some servers do.
      return ((bytes[0] ?? 0) & 0x0f) === 0x08 ? zlib.createInflate(lenient) : zlib.createInflateRaw(lenient);
    case "br":
      return zlib.createBrotliDecompress({
        flush: constants.BROTLI_OPERATION_FLUSH,
        finishFlush: constants.BROTLI_OPERATION_FLUSH,
      });
    case "zstd":
      // From Node 22.15 on.
      return (zlib as { createZstdDecompress?: () => Transform }).createZstdDecompress?.();
    case "identity":
      return new (await import("node:stream")).PassThrough();
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
