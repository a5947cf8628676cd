/**
 * Messages of AWS's binary event streams: lengths, a checksum of those, headers, a payload, a checksum of everything.
 * https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html#streaming-event-stream describes them;
 * smithy's codec judges this one in the tests.
 */
import { crc32 } from "node:zlib";

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

/** Takes messages out of bytes, wherever the pieces of those end. */
export interface MessageDecoder {
  /** The bytes are copied: their memory may be another's after that. @throws {EventStreamError} */
  read(bytes: Uint8Array): void;
  /** There are no more. @throws {EventStreamError} when that is within a message. */
  end(): void;
}

/** @param onMessage Told of each message as soon as it is whole. Its payload has memory that is nobody else's. */
export function createMessageDecoder(onMessage: (message: Message) => void): MessageDecoder {
  const prelude = Buffer.alloc(PRELUDE_BYTES);
  const checksum = Buffer.alloc(CHECKSUM_BYTES);
  let headers = Buffer.alloc(0);
  let payload = new Uint8Array();
  // Most messages have the headers of the one before: to compare them takes a twentieth of the time to read them.
  let known = { bytes: headers, headers: {} };
  // A message is read part by part, each into where it will stay: no byte is copied twice.
  let part: Uint8Array = prelude;
  let filled = 0;
  let size = 0;

  /** The part behind the one that is whole. */
  function nextPart(): Uint8Array {
    if (part === prelude) {
      const lengths = readLengths(prelude);
      headers = Buffer.allocUnsafe(lengths.headers);
      payload = new Uint8Array(lengths.payload);
      return headers;
    }
    if (part === headers) return payload;
    if (part === payload) return checksum;
    if (crc32(payload, crc32(headers, crc32(prelude))) !== checksum.readUInt32BE()) {
      throw new EventStreamError("the checksum of a message is wrong");
    }
    size = 0;
    if (!known.bytes.equals(headers)) known = { bytes: headers, headers: decodeHeaders(headers) };
    onMessage({ headers: known.headers, payload });
    return prelude;
  }

  return {
    read(bytes) {
      for (let position = 0; ; ) {
        const count = Math.min(part.length - filled, bytes.length - position);
        part.set(bytes.subarray(position, position + count), filled);
        position += count;
        filled += count;
        size += count;
        if (filled < part.length) return;
        part = nextPart();
        filled = 0;
      }
    },
    end() {
      if (size > 0) throw new EventStreamError(`it ends ${size} bytes into a message`);
    },
  };
}

/** The messages in a stream of bytes. @throws {EventStreamError} behind those that are before the mistake. */
export async function* decodeMessages(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Message, void, undefined> {
  let messages: Message[] = [];
  const decoder = createMessageDecoder((message) => messages.push(message));
  for await (const piece of pieces) {
    let mistake: { readonly error: unknown } | undefined;
    try {
      decoder.read(piece);
    } catch (error) {
      mistake = { error };
    }
    yield* messages;
    if (mistake !== undefined) throw mistake.error;
    messages = [];
  }
  decoder.end();
}

/** Bytes of the parts that follow, as a message says of itself. @throws {EventStreamError} */
function readLengths(prelude: Buffer): { headers: number; payload: number } {
  const total = prelude.readUInt32BE(0);
  const headers = prelude.readUInt32BE(4);
  if (crc32(prelude.subarray(0, 8)) !== prelude.readUInt32BE(8)) {
    throw new EventStreamError("the checksum of a message's lengths is wrong");
  }
  const payload = total - PRELUDE_BYTES - headers - CHECKSUM_BYTES;
  if (payload < 0 || total > MAX_MESSAGE || headers > MAX_HEADERS) {
    throw new EventStreamError(`a message can't have ${total} bytes, ${headers} of them headers`);
  }
  return { headers, payload };
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
