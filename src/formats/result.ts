/** A function's result as bytes, and the response in it. */
import { asBuffer } from "./as-buffer.ts";
import type { Format, ResponseParts } from "./format.ts";
import { decodeLongBase64 } from "./long-base64.ts";
import { type Frame, readFrame } from "./stream.ts";
import { decodeUtf8 } from "./utf8.ts";

/**
 * A result is JSON, which the format reads; the frame of a function that streams; or the bytes of one that streams without
 * a prelude, which a Function URL answers with 200 and `application/octet-stream`.
 *
 * @throws {InvalidResultError} when it is no response.
 */
export function decodeResult(format: Format, payload: Uint8Array): ResponseParts {
  const bytes = asBuffer(payload);
  const parts = decodeLongBase64(format, bytes);
  if (parts !== undefined) return parts;
  const json = parse(bytes);
  if (json !== undefined) return format.decode(json.value);
  const frame = readFrame(payload);
  if (frame === undefined) {
    // A copy: a body is its response's own, and these bytes may be an invoker's.
    return { status: 200, headers: [["content-type", "application/octet-stream"]], body: Buffer.from(payload) };
  }
  return { ...decodePrelude(format, frame.prelude), body: frame.body };
}

/**
 * Status and headers of a function that streams. A prelude has four keys, all of them optional, and any other is ignored.
 *
 * @throws {InvalidResultError} when it is no response.
 */
export function decodePrelude(
  format: Format,
  { statusCode = 200, headers, multiValueHeaders, cookies }: Frame["prelude"],
): Omit<ResponseParts, "body"> {
  const { status, headers: list } = format.decode({ statusCode, headers, multiValueHeaders, cookies });
  return { status, headers: list };
}

/** No bytes at all are `null`: some emulators answer so for a function that returns nothing. */
function parse(payload: Buffer): { readonly value: unknown } | undefined {
  if (payload.length === 0) return { value: null };
  try {
    return { value: JSON.parse(decodeUtf8(payload)) };
  } catch {
    return undefined;
  }
}
