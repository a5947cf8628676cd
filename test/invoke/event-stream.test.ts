/** Messages of event streams, with smithy's codec as the judge of what is one. */
import { crc32 } from "node:zlib";
import { EventStreamCodec } from "@smithy/core/event-streams";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import {
  createMessageDecoder,
  decodeMessages,
  EventStreamError,
  encodeMessage,
  type Message,
} from "../../src/invoke/event-stream.ts";

type SmithyMessage = Parameters<EventStreamCodec["encode"]>[0];
type SmithyHeaders = SmithyMessage["headers"];

const smithy = new EventStreamCodec(
  (input) => Buffer.from(input).toString("utf8"),
  (input) => Buffer.from(input, "utf8"),
);

/** A message in which a payload is compared by its bytes, and shown as hex. */
interface Seen {
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: string;
}

const PRELUDE = 12;
const CHECKSUM = 4;

async function* each(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  yield* pieces;
}

async function decode(...pieces: readonly Uint8Array[]): Promise<Seen[]> {
  const messages: Seen[] = [];
  for await (const message of decodeMessages(each(pieces))) messages.push(ours(message));
  return messages;
}

/** What came before the error, and what it says. */
async function failure(...pieces: readonly Uint8Array[]): Promise<{ messages: number; said: string }> {
  let messages = 0;
  try {
    for await (const _message of decodeMessages(each(pieces))) messages++;
  } catch (error) {
    expect(error).toBeInstanceOf(EventStreamError);
    return { messages, said: (error as Error).message };
  }
  throw new Error(`it is an event stream, of ${messages} messages`);
}

function ours({ headers, payload }: Message): Seen {
  return { headers: { ...headers }, payload: Buffer.from(payload).toString("hex") };
}

/** The same of smithy's: ours leaves headers out that are no text. */
function theirs(bytes: Uint8Array): Seen {
  const { headers, body } = smithy.decode(bytes);
  return { headers: textsIn(headers), payload: Buffer.from(body).toString("hex") };
}

function textsIn(headers: SmithyHeaders): Record<string, string> {
  const texts = Object.entries(headers).flatMap(([name, header]) =>
    header.type === "string" ? [[name, header.value] as const] : [],
  );
  return Object.fromEntries(texts);
}

function theirsRefuses(bytes: Uint8Array): boolean {
  try {
    smithy.decode(bytes);
    return false;
  } catch {
    return true;
  }
}

/** Any bytes, put into the frame of a message whose checksums are right. */
function framed(block: Uint8Array, payload: Uint8Array = new Uint8Array(), lengths: Partial<Lengths> = {}): Buffer {
  const { total = PRELUDE + block.length + payload.length + CHECKSUM, headers = block.length } = lengths;
  const lengthsBytes = Buffer.alloc(8);
  lengthsBytes.writeUInt32BE(total, 0);
  lengthsBytes.writeUInt32BE(headers, 4);
  const before = Buffer.concat([lengthsBytes, checksumOf(lengthsBytes), block, payload]);
  return Buffer.concat([before, checksumOf(before)]);
}

interface Lengths {
  readonly total: number;
  readonly headers: number;
}

function checksumOf(bytes: Uint8Array): Buffer {
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(bytes));
  return checksum;
}

/** One header as bytes. */
function header(name: string, type: number, ...value: number[]): Buffer {
  return Buffer.concat([Buffer.from([Buffer.byteLength(name)]), Buffer.from(name), Buffer.from([type, ...value])]);
}

/** Cuts bytes where it is told to. */
function cutAt(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const cuts = [0, ...[...places].sort((a, b) => a - b), bytes.length];
  return cuts.slice(1).map((end, index) => bytes.subarray(cuts[index], end));
}

const text = fc.string({ unit: "binary", maxLength: 40 });
// A plain object, which is what smithy takes, can't hold `__proto__`.
const name = fc.string({ unit: "binary", minLength: 1, maxLength: 60 }).filter((one) => one !== "__proto__");
const payload = fc.uint8Array({ maxLength: 300 });
const long = fc.uint8Array({ minLength: 8, maxLength: 8 });
const smithyHeader = fc.oneof(
  fc.record({ type: fc.constant("boolean" as const), value: fc.boolean() }),
  fc.record({ type: fc.constant("byte" as const), value: fc.integer({ min: -128, max: 127 }) }),
  fc.record({ type: fc.constant("short" as const), value: fc.integer({ min: -32768, max: 32767 }) }),
  fc.record({ type: fc.constant("integer" as const), value: fc.integer() }),
  fc.record({ type: fc.constant("long" as const), value: long.map((bytes) => ({ bytes, valueOf: () => 0 })) }),
  fc.record({ type: fc.constant("binary" as const), value: fc.uint8Array({ maxLength: 40 }) }),
  fc.record({ type: fc.constant("string" as const), value: text }),
  fc.record({ type: fc.constant("timestamp" as const), value: fc.date({ noInvalidDate: true }) }),
  fc.record({ type: fc.constant("uuid" as const), value: fc.uuid() }),
);
const smithyMessage: fc.Arbitrary<SmithyMessage> = fc.record({
  headers: fc.dictionary(name, smithyHeader, { maxKeys: 12, noNullPrototype: true }) as fc.Arbitrary<SmithyHeaders>,
  body: payload,
});

const EMPTY = "000000100000000005c248eb7d98c8ff";
const HI =
  "0000006c0000005ab25efdcf0b3a6576656e742d7479706507000c5061796c6f61644368756e6b0d3a636f6e74656e742d747970650700186170706c69636174696f6e2f6f637465742d73747265616d0d3a6d6573736167652d747970650700056576656e7468691162e469";
const CHUNK_HEADERS = {
  ":event-type": "PayloadChunk",
  ":content-type": "application/octet-stream",
  ":message-type": "event",
};

describe("known bytes", () => {
  test.each([
    ["the empty message", EMPTY, { headers: {}, payload: "" }],
    ["a chunk that says hi", HI, { headers: CHUNK_HEADERS, payload: "6869" }],
  ])("%s", async (_name, hex, seen) => {
    const bytes = Buffer.from(hex, "hex");
    expect(await decode(bytes)).toEqual([seen]);
    expect(theirs(bytes)).toEqual(seen);
    const encoded = encodeMessage({ headers: seen.headers, payload: Buffer.from(seen.payload, "hex") });
    expect(encoded.toString("hex")).toBe(hex);
  });

  test("a stream without any has no messages", async () => {
    expect(await decode()).toEqual([]);
    expect(await decode(new Uint8Array(), new Uint8Array())).toEqual([]);
  });

  test("in the middle of larger buffers", async () => {
    const within = Buffer.concat([Buffer.alloc(3, 1), Buffer.from(HI, "hex"), Buffer.alloc(3, 1)]);
    const [first, second] = [within.subarray(3, 40), within.subarray(40, -3)];
    const asArray = (bytes: Buffer) => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    expect(await decode(asArray(first), asArray(second))).toEqual([{ headers: CHUNK_HEADERS, payload: "6869" }]);
  });
});

describe("good messages", () => {
  test("for all headers and payloads: ours reads what smithy writes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(smithyMessage, { maxLength: 5 }), async (messages) => {
        const bytes = messages.map((message) => smithy.encode(message));
        expect(await decode(Buffer.concat(bytes))).toEqual(bytes.map(theirs));
        expect(await decode(...bytes)).toEqual(
          messages.map(({ headers, body }) => ({
            headers: textsIn(headers),
            payload: Buffer.from(body).toString("hex"),
          })),
        );
      }),
      { numRuns: 500 },
    );
  });

  test("for all texts: ours writes byte for byte what smithy writes", () => {
    fc.assert(
      fc.property(fc.dictionary(name, text, { noNullPrototype: true }), payload, (headers, body) => {
        const typed = Object.entries(headers).map(([name, value]) => [name, { type: "string", value }] as const);
        const message = { headers: Object.fromEntries(typed) as SmithyHeaders, body };
        const encoded = encodeMessage({ headers, payload: body });
        expect(encoded.toString("hex")).toBe(Buffer.from(smithy.encode(message)).toString("hex"));
      }),
      { numRuns: 500 },
    );
  });

  test("for all cuts: the pieces give what the whole gives", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(smithyMessage, { minLength: 1, maxLength: 5 }),
        fc.infiniteStream(fc.nat()),
        fc.nat({ max: 30 }),
        async (messages, places, count) => {
          const bytes = Buffer.concat(messages.map((message) => smithy.encode(message)));
          // Some at the same place: an empty piece is none.
          const cuts = [...places.take(count)].map((place) => place % (bytes.length + 1));
          expect(await decode(...cutAt(bytes, cuts))).toEqual(await decode(bytes));
        },
      ),
      { numRuns: 500 },
    );
  });

  const messages: SmithyMessage[] = [
    {
      headers: {
        yes: { type: "boolean", value: true },
        no: { type: "boolean", value: false },
        byte: { type: "byte", value: -1 },
        short: { type: "short", value: 300 },
        integer: { type: "integer", value: 70_000 },
        long: { type: "long", value: { bytes: Buffer.alloc(8, 7), valueOf: () => 0 } },
        binary: { type: "binary", value: Buffer.from("bytes") },
        ":event-type": { type: "string", value: "größer" },
        timestamp: { type: "timestamp", value: new Date(0) },
        uuid: { type: "uuid", value: "8b3ba6c4-5a0c-4e5b-9c25-4b5a4b5cdd1b" },
        last: { type: "string", value: "" },
      },
      body: Buffer.from("all ten types"),
    },
    { headers: {}, body: new Uint8Array() },
    { headers: { ":event-type": { type: "string", value: "PayloadChunk" } }, body: Buffer.alloc(30, 0) },
  ];
  const bytes = Buffer.concat(messages.map((message) => smithy.encode(message)));
  const seen = messages.map((message) => theirs(smithy.encode(message)));

  test("headers of the other types are left out", async () => {
    expect(await decode(bytes)).toEqual(seen);
    expect(seen[0]?.headers).toEqual({ ":event-type": "größer", last: "" });
  });

  test("cut at every byte, and at every two", async () => {
    for (let first = 0; first <= bytes.length; first++) {
      expect(await decode(...cutAt(bytes, [first])), `cut at ${first}`).toEqual(seen);
      for (let second = first; second <= bytes.length; second += 7) {
        expect(await decode(...cutAt(bytes, [first, second])), `cut at ${first} and ${second}`).toEqual(seen);
      }
    }
  });

  test("one byte at a time", async () => {
    expect(await decode(...[...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(seen);
  });

  test("a message is given as soon as its last byte is here, and not before", async () => {
    const one = smithy.encode(messages[0] as SmithyMessage);
    const events: string[] = [];
    async function* pieces(): AsyncGenerator<Uint8Array, void, undefined> {
      for (const [index, piece] of cutAt(Buffer.concat([one, one]), [one.length - 1, one.length]).entries()) {
        events.push(`piece ${index}`);
        yield piece;
      }
    }
    for await (const { headers } of decodeMessages(pieces())) events.push(`message ${headers[":event-type"]}`);
    expect(events).toEqual(["piece 0", "piece 1", "message größer", "piece 2", "message größer"]);
  });

  test("to stop reading ends the stream below", async () => {
    let isEnded = false;
    async function* pieces(): AsyncGenerator<Uint8Array, void, undefined> {
      try {
        for (;;) yield bytes;
      } finally {
        isEnded = true;
      }
    }
    for await (const _message of decodeMessages(pieces())) break;
    expect(isEnded).toBe(true);
  });

  test("names of 255 bytes and values of 32767", async () => {
    const headers = { ["n".repeat(255)]: "v".repeat(32_767) };
    const encoded = encodeMessage({ headers, payload: new Uint8Array() });
    expect(await decode(encoded)).toEqual([{ headers, payload: "" }]);
    expect(theirs(encoded)).toEqual({ headers, payload: "" });
  });
});

describe("large messages", () => {
  const large = Buffer.alloc(16 * 1024 * 1024, "0123456789");

  test("of 16 MB in pieces of 1 KB, all read into the same memory", () => {
    const bytes = encodeMessage({ headers: CHUNK_HEADERS, payload: large });
    const memory = Buffer.alloc(1024);
    const seen: Message[] = [];
    const { read, end } = createMessageDecoder((message) => seen.push(message));
    for (let start = 0; start < bytes.length; start += memory.length) {
      const count = bytes.copy(memory, 0, start);
      read(memory.subarray(0, count));
    }
    end();
    expect(seen).toHaveLength(1);
    expect(large.equals(seen[0]?.payload as Uint8Array)).toBe(true);
  });

  test("the memory of a payload is nobody else's", () => {
    const bytes = Buffer.concat(
      ["one", "two"].map((payload) => encodeMessage({ headers: CHUNK_HEADERS, payload: Buffer.from(payload) })),
    );
    const seen: Message[] = [];
    createMessageDecoder((message) => seen.push(message)).read(bytes);
    bytes.fill(0);
    expect(seen.map(({ payload }) => Buffer.from(payload).toString())).toEqual(["one", "two"]);
    expect(seen.map(({ payload }) => payload.buffer.byteLength)).toEqual([3, 3]);
  });

  test("many small ones in one piece are read in a time that grows with their number", async () => {
    const one = Buffer.from(HI, "hex");
    const many = Buffer.concat(Array.from({ length: 20_000 }, () => one));
    const concat = vi.spyOn(Buffer, "concat");
    try {
      let count = 0;
      for await (const _message of decodeMessages(each([many.subarray(0, 5), many.subarray(5)]))) count++;
      expect(count).toBe(20_000);
      expect(concat.mock.calls.length).toBeLessThanOrEqual(2);
    } finally {
      concat.mockRestore();
    }
  });
});

describe("bad messages", () => {
  const good = encodeMessage({ headers: CHUNK_HEADERS, payload: Buffer.from("hi") });

  test("a flipped bit, anywhere: both refuse", async () => {
    for (let bit = 0; bit < good.length * 8; bit++) {
      const bytes = Buffer.from(good);
      const index = bit >> 3;
      bytes.writeUInt8(bytes.readUInt8(index) ^ (1 << (bit & 7)), index);
      const { messages, said } = await failure(bytes);
      expect(messages).toBe(0);
      expect(theirsRefuses(bytes), `bit ${bit}`).toBe(true);
      expect(said).toBe(
        index < PRELUDE ? "the checksum of a message's lengths is wrong" : "the checksum of a message is wrong",
      );
    }
  });

  test("a flipped bit in the second message: the first one is good", async () => {
    const broken = Buffer.from(good);
    broken.writeUInt8(broken.readUInt8(good.length - 6) ^ 1, good.length - 6);
    const bytes = Buffer.concat([good, broken]);
    for (let cut = 0; cut <= bytes.length; cut++) {
      expect(await failure(...cutAt(bytes, [cut]))).toEqual({
        messages: 1,
        said: "the checksum of a message is wrong",
      });
    }
  });

  test("cut off anywhere", async () => {
    const bytes = Buffer.concat([good, good]);
    for (let length = 1; length < bytes.length; length++) {
      if (length === good.length) continue;
      const messages = length > good.length ? 1 : 0;
      const said = `it ends ${length - messages * good.length} bytes into a message`;
      expect(await failure(bytes.subarray(0, length))).toEqual({ messages, said });
      expect(await failure(...[...bytes.subarray(0, length)].map((byte) => Uint8Array.of(byte)))).toEqual({
        messages,
        said,
      });
    }
  });

  // The total is the message's own; smithy is given the whole of what stands there.
  test.each<[name: string, lengths: Partial<Lengths>]>([
    ["no bytes at all", { total: 0 }],
    ["fewer bytes than its lengths and checksums have", { total: 15 }],
    ["more bytes of headers than there are", { headers: good.length }],
    ["one byte of headers more than there are", { headers: good.length - PRELUDE - CHECKSUM + 1 }],
    ["as many bytes of headers as a number can say", { headers: 0xffff_ffff }],
    ["as many bytes as a number can say", { total: 0xffff_ffff }],
    ["a byte more than 24 MB", { total: 24 * 1024 * 1024 + 1 }],
    ["a byte more than 128 KB of headers", { total: 200 * 1024, headers: 128 * 1024 + 1 }],
  ])("a message that says it has %s is refused before it is here", async (_name, lengths) => {
    const { total = good.length, headers = 0 } = lengths;
    const bytes = framed(good.subarray(PRELUDE, -CHECKSUM), new Uint8Array(), { total, headers });
    const said = `a message can't have ${total} bytes, ${headers} of them headers`;
    expect(await failure(bytes)).toEqual({ messages: 0, said });
    expect(await failure(bytes.subarray(0, PRELUDE))).toEqual({ messages: 0, said });
    expect(theirsRefuses(bytes)).toBe(true);
  });

  test("24 MB and 128 KB of headers are not too much", async () => {
    // Its end is waited for.
    const lengths = { total: 24 * 1024 * 1024, headers: 128 * 1024 };
    expect((await failure(framed(new Uint8Array(), new Uint8Array(), lengths))).said).toBe(
      "it ends 16 bytes into a message",
    );
    const fields = Array.from({ length: 16 }, (_, index) =>
      Buffer.concat([header(String.fromCharCode(97 + index), 7, 0x1f, 0xfb), Buffer.alloc(0x1ffb, "x")]),
    );
    const block = Buffer.concat(fields);
    expect(block.length).toBe(128 * 1024);
    const [message] = await decode(framed(block));
    expect(Object.keys(message?.headers ?? {})).toHaveLength(16);
  });

  test("a message that ends a byte later than it says", async () => {
    const bytes = framed(good.subarray(PRELUDE, -CHECKSUM), new Uint8Array(), {
      total: good.length - 1,
      headers: good.length - PRELUDE - CHECKSUM - 2,
    });
    expect((await failure(bytes)).said).toBe("the checksum of a message is wrong");
  });

  test.each([10, 11, 127, 255])("a header of the unknown type %i", async (type) => {
    const bytes = framed(header("name", type, 0, 0));
    expect((await failure(bytes)).said).toBe(`a header has the unknown type ${type}`);
    expect(theirsRefuses(bytes)).toBe(true);
  });

  // Of some, smithy reads the bytes behind them.
  test.each<[name: string, block: Buffer]>([
    ["a name longer than all", Buffer.from([200, 0x61, 7])],
    ["no type", Buffer.from([1, 0x61])],
    ["half a length", header("a", 7, 0)],
    ["no text", header("a", 7, 0, 1)],
    ["a text longer than all", header("a", 7, 0xff, 0xff, 0x61)],
    ["bytes longer than all", header("a", 6, 0, 2, 0x61)],
    ["no byte", header("a", 2)],
    ["half a short", header("a", 3, 1)],
    ["half an integer", header("a", 4, 1, 2)],
    ["half a long", header("a", 5, 1, 2, 3, 4)],
    ["half a timestamp", header("a", 8, 1, 2, 3, 4)],
    ["half a UUID", header("a", 9, 1, 2, 3, 4)],
    ["a whole one before the half", Buffer.concat([header("a", 0), header("b", 5, 1)])],
  ])("a header with %s", async (_name, block) => {
    for (const payload of [Buffer.alloc(0), Buffer.alloc(70_000)]) {
      expect((await failure(framed(block, payload))).said).toBe("a header is longer than all of them");
    }
  });

  test("for all headers of any bytes: what ours takes smithy takes too, and the same", async () => {
    const someHeader = fc
      .tuple(name, fc.integer({ min: 0, max: 11 }), fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 20 }))
      .map(([name, type, value]) => header(name.slice(0, 10), type, ...value));
    const block = fc.oneof(
      fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
      fc.array(someHeader, { maxLength: 4 }).map((fields) => Buffer.concat(fields)),
    );
    let [taken, refused] = [0, 0];
    await fc.assert(
      fc.asyncProperty(block, payload, async (block, payload) => {
        const bytes = framed(block, payload);
        const decoded = await decode(bytes).catch((error: unknown) => {
          expect(error).toBeInstanceOf(EventStreamError);
          return undefined;
        });
        if (decoded === undefined) {
          refused++;
          // Smithy does not mind where headers end. What it took within them would be what it writes.
          if (theirsRefuses(bytes)) return;
          const { headers } = smithy.decode(bytes);
          const written = (() => {
            try {
              return Buffer.from(smithy.formatHeaders(headers));
            } catch {
              return undefined;
            }
          })();
          expect(written?.equals(block) ?? false).toBe(false);
          return;
        }
        taken++;
        // A name that occurs twice, as text and as something else, is the last one's there and the text's here.
        const names = new Set(Object.keys(smithy.decode(bytes).headers));
        expect(names.size).toBeGreaterThanOrEqual(Object.keys(decoded[0]?.headers ?? {}).length);
        expect(decoded[0]?.payload).toBe(theirs(bytes).payload);
        expect(decoded[0]?.headers).toMatchObject(theirs(bytes).headers);
      }),
      { numRuns: 2000 },
    );
    expect(Math.min(taken, refused)).toBeGreaterThan(100);
  });

  test("for all bytes: messages or an EventStreamError, and nothing else", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        await decode(bytes).catch((error: unknown) => expect(error).toBeInstanceOf(EventStreamError));
      }),
    );
  });

  test("what the stream below throws comes through", async () => {
    const lost = new Error("lost");
    // biome-ignore lint/correctness/useYield: it fails before it has anything to give
    async function* pieces(): AsyncGenerator<Uint8Array, void, undefined> {
      throw lost;
    }
    await expect(decodeMessages(pieces()).next()).rejects.toBe(lost);
  });
});
