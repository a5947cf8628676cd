// The frames of `application/vnd.amazon.eventstream`, each as one chunk of a chunked HTTP body, made once and written often.
import { crc32 } from "node:zlib";

/** What a function writes at a time: the beginning of a page, then what a stream of Node holds. */
const FIRST_PIECE = 1024;
const PIECE = 64 * 1024;
const PRELUDE = Buffer.concat([
  Buffer.from(JSON.stringify({ statusCode: 200, headers: { "content-type": "application/octet-stream" } })),
  Buffer.alloc(8),
]);
const FULL = payloadChunk(bytes(PIECE));
const END = Buffer.concat([frame("InvokeComplete", "application/json", Buffer.from("{}")), Buffer.from("0\r\n\r\n")]);

/** The answer of a function that streams so many bytes, in the order in which to write it. */
export function* streamOf(size) {
  const first = Math.min(size, FIRST_PIECE);
  // With the prelude, as what a function writes before its first byte leaves Lambda.
  yield Buffer.concat([payloadChunk(PRELUDE), payloadChunk(bytes(first))]);
  let left = size - first;
  for (; left >= PIECE; left -= PIECE) yield FULL;
  if (left > 0) yield payloadChunk(bytes(left));
  yield END;
}

function bytes(size) {
  return Buffer.alloc(size, "lambda-requests ");
}

function payloadChunk(payload) {
  return frame("PayloadChunk", "application/octet-stream", payload);
}

function frame(type, contentType, payload) {
  const headers = Buffer.concat([
    header(":event-type", type),
    header(":content-type", contentType),
    header(":message-type", "event"),
  ]);
  const size = 16 + headers.length + payload.length;
  const prelude = uint32(size, headers.length);
  const checked = Buffer.concat([prelude, uint32(crc32(prelude)), headers, payload]);
  return Buffer.concat([Buffer.from(`${size.toString(16)}\r\n`), checked, uint32(crc32(checked)), Buffer.from("\r\n")]);
}

function header(name, value) {
  const STRING = 7;
  return Buffer.concat([
    Buffer.from([name.length]),
    Buffer.from(name),
    Buffer.from([STRING, value.length >> 8, value.length & 255]),
    Buffer.from(value),
  ]);
}

function uint32(...values) {
  const buffer = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => {
    buffer.writeUInt32BE(value, 4 * index);
  });
  return buffer;
}
