/**
 * The framed result of a streaming function: a JSON prelude with status and headers, eight NULs, the body's bytes.
 * A buffered Invoke of such a function returns the frame as it is.
 */

const DELIMITER = Buffer.alloc(8);
// API Gateway wants the delimiter within the first 16 KB:
// https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
const MAX_PRELUDE = 16 * 1024;

/** A frame taken apart. */
export interface Frame {
  readonly prelude: Readonly<Record<string, unknown>>;
  readonly body: Uint8Array;
}

/** `undefined` when the bytes are no frame, which a function that streams without a prelude returns. */
export function readFrame(payload: Uint8Array): Frame | undefined {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
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
