/**
 * Messages of AWS's binary event streams: lengths, a checksum of those, headers, a payload, a checksum of everything.
 * https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html#streaming-event-stream describes them;
 * smithy's codec judges this one in the tests.
 */
import { crc32 } from "node:zlib";
import { asBuffer } from "../formats/as-buffer.ts";

/** One message. */
export interface Message {
  /** Of text, such as `:event-type`. Headers of other types are checked and left out: nothing here has any. */
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: Uint8Array;
}

/** Bytes that are no event stream, or not all of one. */
export class EventStreamError extends Error {
  override readonly name = "EventStreamError";
}

// total length, headers' length, checksum of both; and the message's checksum at its end
const PRELUDE_BYTES = 12;
const CHECKSUM_BYTES = 4;
const STRING = 7;
/** Bytes of a value, by type: true, false, byte, short, int, long, -, -, timestamp, UUID. Two have a length before them. */
const VALUE_BYTES: readonly (number | undefined)[] = [0, 0, 1, 2, 4, 8, undefined, undefined, 8, 16];
// Those of AWS's own C library; they bound what a broken length makes us wait for.
const MAX_MESSAGE = 24 * 1024 * 1024;
const MAX_HEADERS = 128 * 1024;

/** The messages in a stream of bytes, wherever the pieces end. @throws {EventStreamError} */
export async function* decodeMessages(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Message, void, undefined> {
  let waiting: Buffer[] = [];
  let size = 0;
  // So few until the length is known: no message is as short.
  let needed = PRELUDE_BYTES;
  for await (const given of pieces) {
    const piece = asBuffer(given);
    waiting.push(piece);
    size += piece.length;
    while (size >= needed) {
      // Pieces are joined when all of a message is there, and without what is behind it: no byte is copied twice.
      const bytes = waiting.length === 1 ? (waiting[0] as Buffer) : Buffer.concat(waiting, needed);
      if (needed === PRELUDE_BYTES) {
        needed = messageLength(bytes);
        continue;
      }
      yield decodeMessage(bytes.subarray(0, needed));
      size -= needed;
      waiting = size === 0 ? [] : [piece.subarray(piece.length - size)];
      needed = PRELUDE_BYTES;
    }
  }
  if (size > 0) throw new EventStreamError(`it ends ${size} bytes into a message`);
}

/** The length that a message says of itself. @throws {EventStreamError} */
function messageLength(bytes: Buffer): number {
  const total = bytes.readUInt32BE(0);
  const headers = bytes.readUInt32BE(4);
  if (crc32(bytes.subarray(0, 8)) !== bytes.readUInt32BE(8)) {
    throw new EventStreamError("the checksum of a message's lengths is wrong");
  }
  if (total < PRELUDE_BYTES + headers + CHECKSUM_BYTES || total > MAX_MESSAGE || headers > MAX_HEADERS) {
    throw new EventStreamError(`a message can't have ${total} bytes, ${headers} of them headers`);
  }
  return total;
}

/** A whole message whose lengths have been checked. @throws {EventStreamError} */
function decodeMessage(message: Buffer): Message {
  const end = message.length - CHECKSUM_BYTES;
  if (crc32(message.subarray(0, end)) !== message.readUInt32BE(end)) {
    throw new EventStreamError("the checksum of a message is wrong");
  }
  const body = PRELUDE_BYTES + message.readUInt32BE(4);
  return { headers: decodeHeaders(message.subarray(PRELUDE_BYTES, body)), payload: message.subarray(body, end) };
}

function decodeHeaders(bytes: Buffer): Record<string, string> {
  const headers: Record<string, string> = {};
  let offset = 0;
  const take = (length: number): Buffer => {
    const part = bytes.subarray(offset, offset + length);
    if (part.length < length) throw new EventStreamError("a header is longer than all of them");
    offset += length;
    return part;
  };
  while (offset < bytes.length) {
    const name = take(take(1).readUInt8()).toString();
    const type = take(1).readUInt8();
    if (type >= VALUE_BYTES.length) throw new EventStreamError(`a header has the unknown type ${type}`);
    const value = take(VALUE_BYTES[type] ?? take(2).readUInt16BE());
    if (type === STRING) headers[name] = value.toString();
  }
  return headers;
}

/** One message as bytes; the other direction. */
export function encodeMessage({ headers, payload }: Message): Buffer {
  const fields = Object.entries(headers).map(([name, value]) => {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(Buffer.byteLength(value));
    return Buffer.concat([
      Buffer.from([Buffer.byteLength(name)]),
      Buffer.from(name),
      Buffer.from([STRING]),
      length,
      Buffer.from(value),
    ]);
  });
  const block = Buffer.concat(fields);
  const message = Buffer.alloc(PRELUDE_BYTES + block.length + payload.length + CHECKSUM_BYTES);
  message.writeUInt32BE(message.length, 0);
  message.writeUInt32BE(block.length, 4);
  message.writeUInt32BE(crc32(message.subarray(0, 8)), 8);
  block.copy(message, PRELUDE_BYTES);
  message.set(payload, PRELUDE_BYTES + block.length);
  message.writeUInt32BE(crc32(message.subarray(0, -CHECKSUM_BYTES)), message.length - CHECKSUM_BYTES);
  return message;
}
