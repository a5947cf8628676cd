/**
 * The framed result of a streaming function: a JSON prelude with status and headers, eight NULs, the body's bytes.
 * A buffered Invoke of such a function returns the frame as it is; a streaming one, in pieces that may end anywhere.
 */
import { asBuffer } from "./as-buffer.ts";
import { createJsonScan } from "./json-scan.ts";

const DELIMITER = Buffer.alloc(8);
// API Gateway wants the delimiter within the first 16 KB:
// https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
const MAX_PRELUDE = 16 * 1024;
/** Bytes of the result of a function that does not stream, 6 MB and 100. A larger one fails the invocation. */
export const MAX_RESULT: number = 6 * 1024 * 1024 + 100;

/** A frame taken apart. */
export interface Frame {
  readonly prelude: Readonly<Record<string, unknown>>;
  readonly body: Uint8Array;
}

/** `undefined` when the bytes are no frame, which a function that streams without a prelude returns. */
export function readFrame(payload: Uint8Array): Frame | undefined {
  const bytes = asBuffer(payload);
  const end = bytes.subarray(0, MAX_PRELUDE + DELIMITER.length).indexOf(DELIMITER);
  if (end < 0) return undefined;
  try {
    const prelude: unknown = JSON.parse(bytes.toString("utf8", 0, end));
    if (typeof prelude !== "object" || prelude === null || Array.isArray(prelude)) return undefined;
    return { prelude: prelude as Record<string, unknown>, body: bytes.subarray(end + DELIMITER.length) };
  } catch {
    return undefined;
  }
}

/** The frame's bytes; the other direction. */
export function writeFrame(prelude: object, body: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(JSON.stringify(prelude)), DELIMITER, body]);
}

const MANY = 1024;

/** A result that comes in pieces, and is no JSON alone: what its body begins with, and the prelude, if it has one. */
export type FrameStart = Pick<Frame, "body"> & Partial<Frame>;

/** Takes a result apart that comes in pieces. */
export interface FrameReader {
  /** The next piece; `undefined` as long as it is open whether the result is a frame, mere bytes, or JSON. */
  read(piece: Uint8Array): FrameStart | undefined;
  /** All that has come while it was open. */
  bytes(): Uint8Array;
}

/**
 * A function that does not stream may be called as if it did, and its result is JSON. So bytes that may still become that,
 * be it after megabytes, are kept; any others are passed on at once.
 */
export function createFrameReader(): FrameReader {
  const scan = createJsonScan();
  const pieces: Uint8Array[] = [];
  let size = 0;
  let loose = 0;
  /** Where the bytes can't go on as JSON. */
  let jsonStop: number | undefined;
  const bytes = (): Uint8Array => (pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces));
  return {
    bytes,
    read(piece) {
      if (piece.length === 0) return undefined;
      pieces.push(piece);
      // A million pieces of a byte each would take a hundred times their memory.
      if (++loose === MANY) {
        pieces.push(Buffer.concat(pieces.splice(-MANY)));
        loose = 0;
      }
      const stop = jsonStop === undefined ? scan(piece) : undefined;
      if (stop !== undefined) jsonStop = size + stop;
      size += piece.length;
      if (jsonStop === undefined) return size > MAX_RESULT ? { body: bytes() } : undefined;
      const all = bytes();
      const delimiter = all.subarray(jsonStop, jsonStop + DELIMITER.length);
      if (jsonStop > MAX_PRELUDE || delimiter.some((byte) => byte !== 0)) return { body: all };
      return delimiter.length < DELIMITER.length ? undefined : (readFrame(all) ?? { body: all });
    },
  };
}
