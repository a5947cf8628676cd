/** A result that streams is the same response as the same bytes at once. */
import { Readable } from "node:stream";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Format, InvalidResultError } from "../../src/formats/format.ts";
import { FORMATS } from "../../src/formats/formats.ts";
import { decodePrelude, decodeResult } from "../../src/formats/result.ts";
import { MAX_RESULT, writeFrame } from "../../src/formats/stream.ts";
import type { InvocationEnd, InvocationResult, PayloadStream } from "../../src/invoke/invoker.ts";
import { readHead } from "../../src/invoke/stream-head.ts";

const NULS = "\0".repeat(8);
const PRELUDE = '{"statusCode":201,"headers":{"content-type":"text/plain"}}';
const formats: readonly Format[] = Object.values(FORMATS);

/** A response, or why there is none; the body as text of one byte a character. */
interface Seen {
  readonly status?: number;
  readonly headers?: Format extends { decode(result: unknown): { readonly headers: infer Headers } } ? Headers : never;
  readonly body?: string;
  readonly error?: string;
}

const latin = (body: string | Uint8Array): string => Buffer.from(body as Uint8Array).toString("latin1");

function seen(decode: () => ReturnType<Format["decode"]>): Seen {
  try {
    const { status, headers, body } = decode();
    return { status, headers, body: latin(body) };
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidResultError);
    return { error: (error as Error).message };
  }
}

interface Source {
  readonly payload: PayloadStream;
  /** How many pieces were taken by now. */
  readonly taken: () => number;
  readonly isEnded: () => boolean;
}

function sourceOf(pieces: readonly Uint8Array[], end: InvocationEnd = {}): Source {
  let [taken, isEnded] = [0, false];
  async function* payload(): AsyncGenerator<Uint8Array, InvocationEnd, undefined> {
    try {
      for (const piece of pieces) {
        taken++;
        yield piece;
      }
      return end;
    } finally {
      isEnded = true;
    }
  }
  return { payload: payload(), taken: () => taken, isEnded: () => isEnded };
}

/** The result, its body read to the end. */
async function whole(pieces: readonly Uint8Array[]): Promise<InvocationResult & { readonly payload: Uint8Array }> {
  const result = await readHead({ payload: sourceOf(pieces).payload });
  return { ...result, payload: await bytesOf(result.payload) };
}

async function bytesOf(payload: InvocationResult["payload"]): Promise<Uint8Array> {
  if (payload instanceof Uint8Array) return payload;
  const pieces: Uint8Array[] = [];
  for await (const piece of payload) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** By every format. */
function streamed({ prelude, payload }: InvocationResult & { readonly payload: Uint8Array }): Seen[] {
  return formats.map((format) =>
    seen(() =>
      prelude === undefined ? decodeResult(format, payload) : { ...decodePrelude(format, prelude), body: payload },
    ),
  );
}

function buffered(bytes: Uint8Array): Seen[] {
  // The one difference: a stream of nothing is a response without a body, and a result of nothing is no response.
  const nothing = { status: 200, headers: [["content-type", "application/octet-stream"]], body: "" } as const;
  return formats.map((format) => (bytes.length === 0 ? nothing : seen(() => decodeResult(format, bytes))));
}

function cutAt(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const cuts = [0, ...[...places].sort((a, b) => a - b), bytes.length];
  return cuts.slice(1).map((end, index) => bytes.subarray(cuts[index], end));
}

/** For each list of cuts, the pieces between them are the response that the whole is. */
async function expectSame(bytes: Uint8Array, cuts: Iterable<readonly number[]>): Promise<void> {
  const expected = JSON.stringify(buffered(bytes));
  // Most cuts come to the same result, by which all formats are asked once.
  const agreed = new Set<string>();
  for (const places of cuts) {
    const result = await whole(cutAt(bytes, places));
    const key = `${JSON.stringify(result.prelude)} ${latin(result.payload)}`;
    if (agreed.has(key)) continue;
    expect(JSON.stringify(streamed(result)), `${latin(bytes).slice(0, 300)} cut at ${places}`).toBe(expected);
    agreed.add(key);
  }
}

const response = fc.record(
  {
    statusCode: fc.oneof(fc.integer({ min: 200, max: 599 }), fc.constantFrom<unknown>("201", 99, 1000, null, "x")),
    headers: fc.oneof(fc.dictionary(fc.constantFrom("a", "content-type", "ß", ""), fc.string({ unit: "grapheme" }))),
    multiValueHeaders: fc.dictionary(fc.constantFrom("a", "set-cookie"), fc.array(fc.string())),
    cookies: fc.array(fc.string({ unit: "grapheme", maxLength: 8 }), { maxLength: 2 }),
    body: fc.oneof(fc.string({ unit: "grapheme" }), fc.constant(null)),
    isBase64Encoded: fc.boolean(),
  },
  { requiredKeys: [] },
);
const withNuls = fc
  .array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 255 })), { maxLength: 30 })
  .map((bytes) => Buffer.from(bytes));
const space = fc.constantFrom(0, 1, 2, "\t");
const json = fc.oneof(fc.tuple(response, space), fc.tuple(fc.jsonValue({ maxDepth: 3 }), space));
const asJson = ([value, space]: [unknown, number | string]): Buffer =>
  Buffer.from(JSON.stringify(value, undefined, space));
const token = fc.constantFrom(
  ...["{", "}", "[", "]", '"', "\\", ",", ":", " ", "\n", "0", "-1.5e3", "true", "null", "x", "é", "\x1f", PRELUDE],
  ...["\0", "\0".repeat(7), NULS, '"a":1', "{}", '{"statusCode":"x"}', '{"headers":{"a":"😀"}}'],
);

/** Results of every kind, and what is nearly one. */
const payloads: Readonly<Record<string, fc.Arbitrary<Buffer>>> = {
  "frames, with NULs in their bodies": fc.tuple(json, withNuls).map(([value, body]) => {
    return Buffer.concat([asJson(value), Buffer.from(NULS), body]);
  }),
  "results that are JSON": json.map(asJson),
  "JSON, cut off": fc.tuple(json, fc.nat()).map(([value, length]) => {
    const bytes = asJson(value);
    return bytes.subarray(0, length % (bytes.length + 1));
  }),
  "frames with another number of NULs": fc.tuple(json, fc.nat({ max: 20 }), withNuls).map(([value, count, body]) => {
    return Buffer.concat([asJson(value), Buffer.alloc(count), body]);
  }),
  "two JSON values": fc.tuple(json, fc.constantFrom("", " ", "\n", "\0"), json).map(([first, between, second]) => {
    return Buffer.concat([asJson(first), Buffer.from(between), asJson(second)]);
  }),
  "any text": fc.string({ unit: "binary", maxLength: 80 }).map((text) => Buffer.from(text)),
  "any bytes": fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
  "NULs first": withNuls.map((bytes) => Buffer.concat([Buffer.from(NULS), bytes])),
  "tokens of JSON and NULs": fc.array(token, { maxLength: 8 }).map((tokens) => Buffer.from(tokens.join(""))),
};

describe("for all payloads, a stream of them is the response that they are at once", () => {
  describe.each(Object.entries(payloads))("%s", (_name, payload) => {
    test("cut at every byte", async () => {
      await fc.assert(
        fc.asyncProperty(payload, async (bytes) => {
          await expectSame(
            bytes,
            Array.from({ length: bytes.length + 1 }, (_, cut) => [cut]),
          );
        }),
        { numRuns: 60 },
      );
    });

    test("cut into bytes", async () => {
      await fc.assert(
        fc.asyncProperty(payload, async (bytes) => expectSame(bytes, [[...bytes.keys()]])),
        { numRuns: 200 },
      );
    });

    test("cut anywhere", async () => {
      await fc.assert(
        fc.asyncProperty(payload, fc.array(fc.nat(), { maxLength: 12 }), async (bytes, places) =>
          expectSame(bytes, [places.map((place) => place % (bytes.length + 1))]),
        ),
        { numRuns: 400 },
      );
    });
  });

  test("preludes of about 16 KB", async () => {
    const fixed = JSON.stringify({ statusCode: 201, headers: { a: "" } }).length;
    for (let size = 16_380; size <= 16_394; size++) {
      const prelude = { statusCode: 201, headers: { a: "x".repeat(size - fixed) } };
      const bytes = Buffer.from(writeFrame(prelude, Buffer.from(`${NULS}hello`)));
      const places = [0, 1, 8192, ...Array.from({ length: 30 }, (_, index) => size - 6 + index)];
      const cuts = places.filter((place) => place <= bytes.length);
      await expectSame(bytes, [...cuts.map((cut) => [cut]), cuts]);
    }
  });

  test("preludes of about 16 KB in characters of several bytes", async () => {
    const fixed = Buffer.byteLength(JSON.stringify({ headers: { a: "" } }));
    for (let spaces = 0; spaces < 8; spaces++) {
      const count = Math.floor((16_384 - fixed) / 4);
      const text = `${"😀".repeat(count)}${" ".repeat(spaces)}`;
      const bytes = Buffer.from(writeFrame({ headers: { a: text } }, Buffer.from("ü")));
      const cuts = [1, 17, 18, 19, 20, 16_381, 16_384, 16_390];
      await expectSame(bytes, [...cuts.map((cut) => [cut]), cuts]);
    }
  });

  test("a result of 6 MB, the largest there is", async () => {
    const body = "x".repeat(MAX_RESULT - JSON.stringify({ statusCode: 200, body: "" }).length);
    const bytes = Buffer.from(JSON.stringify({ statusCode: 200, body }));
    expect(bytes).toHaveLength(MAX_RESULT);
    const result = await whole(cutAt(bytes, [1, 100_000, 6_000_000]));
    expect(result.prelude).toBeUndefined();
    const [first] = streamed(result);
    expect([first?.status, first?.body === body]).toEqual([200, true]);
  });

  test("JSON that is larger than any result is the body itself", async () => {
    const bytes = Buffer.from(JSON.stringify({ statusCode: 201, body: "x".repeat(MAX_RESULT) }));
    const { payload, taken } = sourceOf(cutAt(bytes, [1, MAX_RESULT, MAX_RESULT + 1, MAX_RESULT + 2]));
    const result = await readHead({ payload });
    expect(taken()).toBe(3);
    expect(result.prelude).toEqual({ statusCode: 200, headers: { "content-type": "application/octet-stream" } });
    expect(bytes.equals(await bytesOf(result.payload))).toBe(true);
  });
});

describe("the head is known as soon as it can be", () => {
  const picture = Buffer.from([0x89, 0x50, 0x4e, 0x47]);
  test.each<[name: string, pieces: (string | Uint8Array)[], taken: number]>([
    ["text", ["hello", "world"], 1],
    ["HTML", ["<!doctype html>", "<p>"], 1],
    ["server-sent events", ["data: 1\n\n", "data: 2\n\n"], 1],
    ["a comment of server-sent events", [":\n\n", "data: 2\n\n"], 1],
    ["a picture", [picture, picture], 1],
    ["lines of JSON, the first of them with its end", ['{"a":1}\n', '{"a":2}\n', '{"a":3}\n'], 2],
    ["lines of JSON, the second in halves", ['{"a":1}\n', '{"a"', ":2}\n"], 2],
    ["lines of JSON, all at once", ['{"a":1}\n{"a":2}\n', '{"a":3}\n'], 1],
    ["a frame, with the last NUL of its delimiter", [PRELUDE, "\0".repeat(7), "\0", "x"], 3],
    ["a frame without a body so far", [`${PRELUDE}${NULS}`, "x"], 1],
  ])("%s", async (_name, pieces, expected) => {
    const { payload, taken } = sourceOf(pieces.map((piece) => Buffer.from(piece)));
    const result = await readHead({ payload });
    expect(result.payload).not.toBeInstanceOf(Uint8Array);
    expect(taken()).toBe(expected);
    expect(latin(await bytesOf(result.payload))).toBe(
      pieces
        .map((piece) => latin(Buffer.from(piece)))
        .join("")
        .replace(`${PRELUDE}${NULS}`, ""),
    );
  });

  test("and no piece is taken before it is asked for", async () => {
    const { payload, taken } = sourceOf(["a", "b", "c"].map((text) => Buffer.from(`${text}!`)));
    const result = await readHead({ payload });
    const iterator = (result.payload as PayloadStream)[Symbol.asyncIterator]();
    expect(await iterator.next()).toEqual({ done: false, value: Buffer.from("a!") });
    expect(taken()).toBe(1);
    expect(await iterator.next()).toEqual({ done: false, value: Buffer.from("b!") });
    expect(taken()).toBe(2);
  });
});

describe("the end of a stream", () => {
  const pieces = (...texts: string[]): Uint8Array[] => texts.map((text) => Buffer.from(text));
  const facts = { requestId: "id", region: "eu-west-1" };

  test("is its iterator's return value", async () => {
    const end = { functionError: "Unhandled", errorDetails: "{}", logs: "log" };
    const result = await readHead({ ...facts, payload: sourceOf(pieces("text!", "more"), end).payload });
    expect(result).toMatchObject(facts);
    expect(result.functionError).toBeUndefined();
    const iterator = (result.payload as PayloadStream)[Symbol.asyncIterator]();
    const read = [await iterator.next(), await iterator.next(), await iterator.next()];
    expect(read.at(-1)).toEqual({ done: true, value: end });
    expect((await iterator.next()).done).toBe(true);
  });

  test.each<[name: string, pieces: Uint8Array[], end: InvocationEnd, payload: string]>([
    [
      "before anything came",
      [],
      { functionError: "Unhandled", errorDetails: '{"errorMessage":"no"}' },
      '{"errorMessage":"no"}',
    ],
    ["with text for details", [], { functionError: "X", errorDetails: "no" }, '{"errorType":"X","errorMessage":"no"}'],
    ["without details", [], { functionError: "X" }, '{"errorType":"X","errorMessage":"X"}'],
    [
      "without details, behind JSON",
      pieces('{"errorMessage":', '"no"}'),
      { functionError: "X" },
      '{"errorMessage":"no"}',
    ],
    [
      "behind half a prelude",
      pieces('{"status'),
      { functionError: "X", errorDetails: '{"errorMessage":"no"}' },
      '{"errorMessage":"no"}',
    ],
    [
      "without details, behind half a prelude",
      pieces('{"a'),
      { functionError: "X" },
      '{"errorType":"X","errorMessage":"{\\"a"}',
    ],
  ])("a function that failed %s: the whole payload says it", async (_name, came, end, payload) => {
    const result = await readHead({ ...facts, payload: sourceOf(came, { ...end, logs: "log" }).payload });
    expect(result).toEqual({ ...facts, functionError: end.functionError, payload: expect.anything(), logs: "log" });
    expect(Buffer.from(result.payload as Uint8Array).toString()).toBe(payload);
  });

  test("a log comes with a result that is JSON", async () => {
    const result = await readHead({ ...facts, payload: sourceOf(pieces("nu", "ll"), { logs: "log" }).payload });
    expect(result).toEqual({ ...facts, payload: Buffer.from("null"), logs: "log" });
  });

  test("an error before the head rejects, and one behind it comes from the body", async () => {
    const lost = new Error("lost");
    async function* losing(...texts: string[]): AsyncGenerator<Uint8Array, undefined, undefined> {
      for (const text of texts) yield Buffer.from(text);
      throw lost;
    }
    for (const texts of [[], ['{"statusCode":'], [PRELUDE, "\0"]]) {
      await expect(readHead({ payload: losing(...texts) })).rejects.toBe(lost);
    }
    const { payload } = await readHead({ payload: losing(`${PRELUDE}${NULS}`) });
    const iterator = (payload as PayloadStream)[Symbol.asyncIterator]();
    expect(await iterator.next()).toEqual({ done: false, value: Buffer.from("") });
    await expect(iterator.next()).rejects.toBe(lost);
  });

  test("who stops reading ends the stream, before the first piece and after", async () => {
    for (const reads of [0, 1, 2]) {
      const { payload, isEnded } = sourceOf(pieces("a!", "b!", "c!"));
      const result = await readHead({ payload });
      const iterator = (result.payload as PayloadStream)[Symbol.asyncIterator]();
      for (let read = 0; read < reads; read++) await iterator.next();
      expect(isEnded()).toBe(false);
      expect(await iterator.return?.()).toEqual({ done: true, value: undefined });
      expect(isEnded()).toBe(true);
      expect((await iterator.next()).done).toBe(true);
    }
  });
});

describe("what an invoker may give", () => {
  test("bytes, a result with its prelude apart, and no result at all stay as they are", async () => {
    const { payload } = sourceOf([]);
    for (const result of [
      { payload: Buffer.from("{}") },
      { payload, prelude: { statusCode: 200 } },
      { payload: "text" },
      { payload: undefined },
      undefined,
      null,
    ]) {
      expect(await readHead(result as InvocationResult)).toBe(result);
    }
  });

  test("a stream of Node's, and one of the web's", async () => {
    for (const make of [Readable.from, ReadableStream.from]) {
      const payload = make([Buffer.from(PRELUDE), Buffer.from(`${NULS}hello`)]) as unknown as PayloadStream;
      const result = await readHead({ payload });
      expect(result.prelude).toMatchObject({ statusCode: 201 });
      expect(latin(await bytesOf(result.payload))).toBe("hello");
    }
    for (const make of [Readable.from, ReadableStream.from]) {
      const result = await readHead({ payload: make([Buffer.from("{}")]) as unknown as PayloadStream });
      expect(result).toEqual({ payload: Buffer.from("{}") });
    }
  });

  const message = "the payload of an invoker's result has to be a stream of Uint8Arrays";
  const noBytes = (piece: unknown): Uint8Array => piece as Uint8Array;

  test.each([["text"], [1], [null], [[1]]])("pieces that are no bytes are refused: %j", async (piece) => {
    await expect(readHead({ payload: sourceOf([noBytes(piece)]).payload })).rejects.toThrow(message);
    await expect(readHead({ payload: sourceOf([Buffer.from("{"), noBytes(piece)]).payload })).rejects.toThrow(message);
    const result = await readHead({ payload: sourceOf([Buffer.from("text!"), noBytes(piece)]).payload });
    await expect(bytesOf(result.payload)).rejects.toThrow(message);
  });

  // A fault of src/invoke/stream-head.ts: nobody else holds the stream, and it is not ended.
  test("a stream that is refused for its pieces is ended", async () => {
    const { payload, isEnded } = sourceOf([noBytes("text"), Buffer.from("more")]);
    await expect(readHead({ payload })).rejects.toThrow(message);
    expect(isEnded()).toBe(true);
  });
});
