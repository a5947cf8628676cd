/** A result that comes in pieces: when it is known what it is, and that it is what the whole would be. */
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { createFrameReader, type FrameStart, MAX_RESULT, readFrame, writeFrame } from "../../src/formats/stream.ts";

const NULS = "\0".repeat(8);
const PRELUDE = '{"statusCode":201}';

/** How many pieces it took, what was known then, and what had come by then. */
interface Start {
  readonly pieces: number;
  readonly start: FrameStart | undefined;
  readonly bytes: string;
}

function startOf(pieces: readonly (string | Uint8Array)[]): Start {
  const reader = createFrameReader();
  for (const [index, piece] of pieces.entries()) {
    const start = reader.read(Buffer.from(piece));
    if (start !== undefined) return { pieces: index + 1, start, bytes: "" };
  }
  return { pieces: pieces.length, start: undefined, bytes: Buffer.from(reader.bytes()).toString("latin1") };
}

const textOf = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();

describe("a frame", () => {
  const frame = `${PRELUDE}${NULS}`;

  test.each<[name: string, pieces: string[], taken: number, body: string]>([
    ["in one piece", [`${frame}hello`, " world"], 1, "hello"],
    ["whose body is still to come", [frame, "hello"], 1, ""],
    ["whose delimiter is in a piece of its own", [PRELUDE, NULS, "hello"], 2, ""],
    ["whose delimiter comes in three", [PRELUDE, "\0", "\0\0\0\0\0\0", "\0x", "y"], 4, "x"],
    ["whose body begins with NULs", [`${frame}\0\0x`], 1, "\0\0x"],
    ["whose body begins with eight NULs", [PRELUDE, `${NULS}${NULS}x`], 2, `${NULS}x`],
    ["with white space around the prelude", [" \r\n\t", `${PRELUDE} \n`, `${NULS}x`], 3, "x"],
    ["cut within a text of the prelude", ['{"statusCo', 'de":201}', NULS], 3, ""],
    ["with empty pieces", ["", PRELUDE, "", NULS, "x"], 4, ""],
  ])("%s", (_name, pieces, taken, body) => {
    const { pieces: count, start } = startOf(pieces);
    expect(count).toBe(taken);
    expect(start?.prelude).toEqual({ statusCode: 201 });
    expect(textOf(start?.body)).toBe(body);
  });

  test("whose prelude has characters of several bytes, escapes and braces in its texts, cut anywhere", () => {
    const prelude = { headers: { a: 'größe {[ "世界" ]} \\', "😀": "\u0000\n" }, cookies: ["a=}", "]"] };
    const bytes = Buffer.from(writeFrame(prelude, Buffer.from("body")));
    for (let cut = 0; cut <= bytes.length; cut++) {
      const reader = createFrameReader();
      const start = reader.read(bytes.subarray(0, cut)) ?? reader.read(bytes.subarray(cut));
      expect(start?.prelude, `cut at ${cut}`).toEqual(prelude);
    }
  });
});

describe("mere bytes", () => {
  // What they are is known with the first piece that can't be JSON.
  test.each<[name: string, pieces: (string | Uint8Array)[], taken: number]>([
    ["text", ["hello", " world"], 1],
    ["text, cut within its first word", ["n", "o news"], 2],
    ["a log", ["[INFO] listening", "\n"], 1],
    ["HTML", ["<html>", "</html>"], 1],
    ["server-sent events", ["data: 1\n\n", "data: 2\n\n"], 1],
    ["a picture", [Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), "x"], 1],
    ["something gzipped", [Buffer.from([0x1f, 0x8b, 8, 0]), "x"], 1],
    ["a byte-order mark", [Buffer.from([0xef, 0xbb, 0xbf, 0x7b]), "}"], 1],
    ["lines of JSON", ['{"a":1}\n', '{"a":2}\n', '{"a":3}\n'], 2],
    ["lines of numbers", ["1\n", "2\n", "3\n"], 2],
    ["lines of texts", ['"a"\n', '"b"\n'], 2],
    ["lines of lists, several at once", ["[1]\n[2]\n", "[3]\n"], 1],
    ["CSV that begins with numbers", ["1,2,3\n", "4,5,6\n"], 1],
    ["a text in quotes that goes on", ['"well', '", he said'], 2],
    ["a NUL alone", ["\0", "x"], 2],
    ["NULs at the beginning", [NULS, PRELUDE], 1],
    ["seven NULs behind a prelude", [`${PRELUDE}${"\0".repeat(7)}x`, "y"], 1],
    ["seven NULs, and then another byte", [PRELUDE, "\0".repeat(7), "x"], 3],
    ["eight NULs behind a prelude that is no object", [`[1]${NULS}`, "x"], 1],
    ["eight NULs behind a prelude that is no JSON", [`{"a":}${NULS}`, "x"], 1],
    ["eight NULs within a prelude", [`{"a":${NULS}`, "1}"], 1],
    ["eight NULs within a text of a prelude", [`{"a":"${NULS}`, '"}'], 1],
  ])("%s", (_name, pieces, taken) => {
    const { pieces: count, start } = startOf(pieces);
    expect(count).toBe(taken);
    expect(start?.prelude).toBeUndefined();
    const read = Buffer.concat(pieces.slice(0, taken).map((piece) => Buffer.from(piece)));
    expect(read.equals(start?.body ?? Buffer.from("none"))).toBe(true);
  });
});

describe("what may still be JSON", () => {
  test.each<[name: string, pieces: string[]]>([
    ["nothing", []],
    ["no bytes", ["", ""]],
    ["a response", ['{"statusCode":200,', '"body":"hello"}']],
    ["a response, indented", [JSON.stringify({ statusCode: 200, body: "hello" }, undefined, 2), "\n"]],
    ["null", ["null"]],
    ["half a response", ['{"statusCode":200,"body":"hel']],
    ["a prelude without a delimiter", [PRELUDE]],
    ["a prelude with seven NULs", [PRELUDE, "\0".repeat(7)]],
    ["a long text", ['"', "x".repeat(100_000)]],
  ])("%s is kept", (_name, pieces) => {
    expect(startOf(pieces)).toEqual({
      pieces: pieces.length,
      start: undefined,
      bytes: Buffer.from(pieces.join("")).toString("latin1"),
    });
  });

  test("up to the size of a result that does not stream", () => {
    const piece = Buffer.alloc(64 * 1024, "[");
    const reader = createFrameReader();
    let size = 0;
    while (size + piece.length <= MAX_RESULT) {
      expect(reader.read(piece)).toBeUndefined();
      size += piece.length;
    }
    expect(reader.read(piece.subarray(0, MAX_RESULT - size))).toBeUndefined();
    expect(reader.bytes()).toHaveLength(MAX_RESULT);
    const start = reader.read(piece.subarray(0, 1));
    expect(start?.prelude).toBeUndefined();
    expect(start?.body).toHaveLength(MAX_RESULT + 1);
  });

  test("megabytes of it are put together once, and so is what turns out to be none", () => {
    for (const last of ["", "]x"]) {
      const pieces = [
        "[",
        ...Array.from({ length: 4000 }, () => `"${"x".repeat(1000)}",`),
        last === "" ? "1]" : `1]${last}`,
      ];
      const concat = vi.spyOn(Buffer, "concat");
      try {
        const reader = createFrameReader();
        const start = pieces.map((piece) => reader.read(Buffer.from(piece))).at(-1);
        expect(start === undefined).toBe(last === "");
        expect(start?.body ?? reader.bytes()).toHaveLength(pieces.join("").length);
        // Once at the end; and before that, each thousand of small ones.
        expect(concat.mock.calls.length).toBeLessThanOrEqual(2 + pieces.length / 1024);
      } finally {
        concat.mockRestore();
      }
    }
  });
});

describe("the delimiter begins within the first 16 KB", () => {
  const overhead = JSON.stringify({ a: "" }).length;
  const preludeOf = (size: number): object => ({ a: "x".repeat(size - overhead) });

  test.each([16_383, 16_384, 16_385, 16_384 + 8, 100_000])("a prelude of %i bytes", (size) => {
    const bytes = Buffer.from(writeFrame(preludeOf(size), Buffer.from("hello")));
    const cuts = [1, 16_000, size - 1, size, size + 1, size + 7, size + 8, size + 9].filter(
      (cut) => cut < bytes.length,
    );
    for (const first of cuts) {
      for (const second of cuts.filter((cut) => cut >= first)) {
        const pieces = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)];
        const { start, pieces: taken } = startOf(pieces);
        const read = Buffer.concat(pieces.slice(0, taken));
        const expected = readFrame(read);
        expect(expected === undefined).toBe(size > 16_384);
        expect(start?.prelude).toEqual(expected?.prelude);
        expect(Buffer.from(start?.body ?? []).equals(expected?.body ?? read)).toBe(true);
      }
    }
  });
});

test("behind more than 16 KB, the first byte that is no JSON is enough", () => {
  for (const [size, taken] of [
    [16_384, 3],
    [16_385, 2],
  ] as const) {
    const pieces = [`{"a":"${"x".repeat(size - 8)}"}`, "\0", "\0".repeat(7)];
    expect(startOf(pieces).pieces).toBe(taken);
  }
});

test("for all tokens of JSON and NULs, in all pieces: a frame is one, and JSON is kept", () => {
  const token = fc.constantFrom(
    ...["{", "}", "[", "]", '"', "\\", ",", ":", " ", "\n", "0", "-1.5e3", "true", "null", "x", "é", "\xff", "\x1f"],
    ...["\0", "\0".repeat(7), NULS, '"a"', '"a":1', PRELUDE, `${PRELUDE}${NULS}`, "{}", '{"headers":{"a":"😀"}}'],
  );
  const pieces = fc.array(
    fc.array(token, { maxLength: 4 }).map((tokens) => Buffer.from(tokens.join(""))),
    {
      maxLength: 6,
    },
  );
  const seen = { frame: 0, bytes: 0, json: 0 };
  fc.assert(
    fc.property(pieces, (pieces) => {
      const whole = Buffer.concat(pieces);
      const reader = createFrameReader();
      let start: FrameStart | undefined;
      let taken = 0;
      while (start === undefined && taken < pieces.length) start = reader.read(pieces[taken++] ?? Buffer.alloc(0));
      const rest = Buffer.concat(pieces.slice(taken));
      const frame = readFrame(whole);
      const isJson = canParse(whole);
      // What has come is lost to nobody.
      if (start === undefined) expect(whole.equals(reader.bytes())).toBe(true);
      else expect(isJson).toBe(false);
      if (frame !== undefined && !isJson) {
        seen.frame++;
        expect(start?.prelude).toEqual(frame.prelude);
        expect(Buffer.concat([start?.body ?? Buffer.alloc(0), rest]).equals(frame.body)).toBe(true);
      } else if (start !== undefined) {
        seen.bytes++;
        expect(start.prelude).toBeUndefined();
        expect(Buffer.concat([start.body, rest]).equals(whole)).toBe(true);
      } else seen.json++;
    }),
    { numRuns: 5000 },
  );
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(50);
});

function canParse(bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString());
    return true;
  } catch {
    return false;
  }
}
