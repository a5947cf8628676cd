/** Bytes that come piece by piece: never taken for something else as long as they may still be JSON. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createJsonScan } from "../../src/formats/json-scan.ts";

/** Where in all of the bytes it stops; `undefined` when it lets them pass. */
function stopOf(...pieces: readonly (string | Uint8Array)[]): number | undefined {
  const scan = createJsonScan();
  let size = 0;
  for (const piece of pieces) {
    const bytes = Buffer.from(piece);
    const stop = scan(bytes);
    if (stop !== undefined) return size + stop;
    size += bytes.length;
  }
  return undefined;
}

function cutAt(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const cuts = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return cuts.slice(1).map((end, index) => bytes.subarray(cuts[index], end));
}

/** As a result is read: what is no UTF-8 is replaced, which JSON has nothing against in its texts. */
function isJson(bytes: Uint8Array): boolean {
  try {
    JSON.parse(Buffer.from(bytes).toString("utf8"));
    return true;
  } catch {
    return false;
  }
}

const places = fc.array(fc.nat(), { maxLength: 10 });

describe("for all JSON values", () => {
  const value = fc.oneof(
    fc.json({ stringUnit: "binary" }).map((text) => JSON.parse(text) as unknown),
    fc.jsonValue({ stringUnit: "binary", maxDepth: 4 }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string({ unit: "binary" }),
    fc.string({ unit: fc.constantFrom("\\", '"', "\0", "\n", "{", "}", "\u2028", "\ud800", "é", "u") }),
  );
  const space = fc.constantFrom(undefined, 0, 1, 4, "\t", " \n\r\t");
  const around = fc.constantFrom("", " ", "\n", "\r\n\t ");
  const text = fc
    .tuple(value, space, around, around)
    .map(([value, space, before, after]) => Buffer.from(before + JSON.stringify(value, undefined, space) + after));

  test("it never stops, cut anywhere", () => {
    fc.assert(
      fc.property(text, places, (bytes, places) => {
        expect(isJson(bytes)).toBe(true);
        expect(stopOf(bytes)).toBeUndefined();
        expect(stopOf(...cutAt(bytes, places))).toBeUndefined();
        expect(stopOf(...[...bytes].map((byte) => Uint8Array.of(byte)))).toBeUndefined();
      }),
      { numRuns: 2000 },
    );
  });

  test("it stops at whatever is behind them but white space", () => {
    fc.assert(
      fc.property(text, fc.uint8Array({ minLength: 1, maxLength: 1 }), places, (bytes, [byte = 0], places) => {
        const more = Buffer.concat([bytes, Buffer.from("\n"), Buffer.of(byte)]);
        const expected = " \t\r\n".includes(String.fromCharCode(byte)) ? undefined : more.length - 1;
        expect(stopOf(more)).toBe(expected);
        expect(stopOf(...cutAt(more, places))).toBe(expected);
      }),
      { numRuns: 1000 },
    );
  });

  test("it stops at a NUL within them, or behind them", () => {
    fc.assert(
      fc.property(text, fc.nat(), places, (bytes, place, places) => {
        const at = place % (bytes.length + 1);
        const broken = Buffer.concat([bytes.subarray(0, at), Buffer.of(0), bytes.subarray(at)]);
        // Behind a backslash, which only a parser could tell from an escape, it looks the other way.
        const stop = stopOf(broken);
        if (bytes[at - 1] !== 0x5c) expect(stop).toBe(at);
        expect(stopOf(...cutAt(broken, places))).toBe(stop);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("for all bytes", () => {
  const token = fc.constantFrom(
    ...["{", "}", "[", "]", '"', "\\", ",", ":", " ", "\n", "\t", "\r", "0", "1", "-", "+", ".", "e", "E", "true"],
    ...["false", "null", '"a"', '"a":', "{}", "[]", "x", "é", "\\u00e9", "\\n", "\0", "\x1f", "\x7f", "\u00a0", "/"],
  );
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
    fc.array(token, { maxLength: 12 }).map((tokens) => Buffer.from(tokens.join(""))),
    // In texts, any bytes from the space on are JSON when they are read as UTF-8.
    fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.concat([Buffer.from('"'), bytes, Buffer.from('"')])),
  );

  test("what is JSON passes; what is stopped is none, and nothing that could begin any", () => {
    const seen = { json: 0, passed: 0, stopped: 0 };
    fc.assert(
      fc.property(bytes, places, fc.uint8Array({ maxLength: 10 }), (bytes, places, more) => {
        const stop = stopOf(bytes);
        expect(stopOf(...cutAt(bytes, places))).toBe(stop);
        if (isJson(bytes)) {
          seen.json++;
          expect(stop).toBeUndefined();
        } else if (stop === undefined) seen.passed++;
        else {
          seen.stopped++;
          // Whatever were to come in its place and behind it.
          expect(stop).toBeLessThan(bytes.length);
          expect(isJson(Buffer.concat([bytes.subarray(0, stop + 1), more]))).toBe(false);
          expect(stopOf(bytes.subarray(0, stop))).toBeUndefined();
        }
      }),
      { numRuns: 20_000 },
    );
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(300);
  });

  test("what is refused can't be completed: `{`, `[`, `\"` and the like are", () => {
    const completions = ["", '"', "}", "]", '"}', '"]', "null", ":null}", '":null}', "0", "]}", "}]", "\n"];
    fc.assert(
      fc.property(
        fc.array(token, { maxLength: 5 }).map((tokens) => tokens.join("")),
        (text) => {
          const stop = stopOf(text);
          for (const completion of completions) {
            if (isJson(Buffer.from(text + completion))) expect(stop, text).toBeUndefined();
          }
        },
      ),
      { numRuns: 5000 },
    );
  });
});

describe("typical text is let go early", () => {
  test.each<[name: string, text: string | Uint8Array, stop: number]>([
    ["a word", "hello", 0],
    ["a sentence that begins with letters of `true`", "true story", 5],
    ["a word of letters of `true`, `false` and `null`, and others", "unreal dreams", 7],
    ["a log with its level in brackets", "[INFO] x", 1],
    ["a log with a number in brackets", "[12] x", 5],
    ["a log with a date", "2024-11-22T10:00:00Z START", 10],
    ["a date alone", "2024/11/22", 4],
    ["a template", "{a} b", 4],
    ["two templates", "{a}{b}", 3],
    ["CSS", "a{color:red}", 1],
    ["lines of JSON", '{"a":1}\n{"a":2}\n', 8],
    ["lines of lists", "[1]\r\n[2]", 5],
    ["lines of numbers", "1\n2\n", 2],
    ["lines of texts", '"a"\n"b"', 4],
    ["objects without anything between", '{"a":1}{"a":2}', 7],
    ["CSV", "1,2", 1],
    ["a range", "1:2", 1],
    ["two numbers", "1 2", 2],
    ["HTML", "<html>", 0],
    ["XML with white space before it", "\n  <?xml", 3],
    ["server-sent events", "data: x", 0],
    ["a comment of server-sent events", ": ping", 0],
    ["an event of server-sent events", "event: x", 1],
    ["Markdown", "# Title", 0],
    ["a list in Markdown", "- one", 2],
    ["bold text in Markdown", "**x**", 0],
    ["a quote that goes on", '"To be," he said', 9],
    ["a quote of two lines", '"To be,\nor not"', 7],
    ["a tab in a text", '{"a":"\t"}', 6],
    ["a NUL in a text", '"\0"', 1],
    ["the last control character in a text", '"\x1f"', 1],
    ["a NUL", "\0", 0],
    ["a NUL behind JSON", '{"statusCode":200}\0', 18],
    ["a NUL within JSON", '{"statusCode":\0', 14],
    ["something closed that was not open", "}", 0],
    ["a list closed once too often", "[1]]", 3],
    ["a comma at the beginning", ",1", 0],
    ["a comment", "// x", 0],
    ["single quotes", "{'a':1}", 1],
    ["a byte-order mark", "\ufeff{}", 0],
    ["a space that is none of JSON's", "\u00a0{}", 0],
    ["a vertical tab", "\v1", 0],
    ["a picture", Buffer.from([0x89, 0x50, 0x4e, 0x47]), 0],
    ["another picture", Buffer.from([0xff, 0xd8, 0xff]), 0],
    ["something gzipped", Buffer.from([0x1f, 0x8b]), 0],
    ["a PDF", "%PDF-1.7", 0],
    ["an archive", "PK\x03\x04", 0],
  ])("%s", (_name, text, stop) => {
    const bytes = Buffer.from(text);
    expect(stopOf(bytes)).toBe(stop);
    expect(stopOf(...[...bytes].map((byte) => Uint8Array.of(byte)))).toBe(stop);
    for (let cut = 0; cut <= bytes.length; cut++) {
      expect(stopOf(bytes.subarray(0, cut), bytes.subarray(cut)), `cut at ${cut}`).toBe(stop);
    }
  });

  // Only a parser would know better; what they are is known at the end, or at the size of the largest result.
  test.each([
    ["nothing", ""],
    ["white space", " \r\n\t"],
    ["half a text", '"hello'],
    ["a text with a quote in it", '"he said \\"no\\" to it'],
    ["a backslash at the end", '"\\'],
    ["brackets alone", "[[[["],
    ["other brackets than were open", '{"a":1]'],
    ["a word of letters of `true`, `false` and `null`", "fluster"],
    ["separators where none belong", "[,:,]"],
  ])("%s passes", (_name, text) => {
    expect(stopOf(text)).toBeUndefined();
  });
});

test("it takes a time that grows with the bytes, whatever they are", () => {
  const scan = createJsonScan();
  for (let count = 0; count < 96; count++) expect(scan(Buffer.alloc(64 * 1024, "["))).toBeUndefined();
  const one = createJsonScan();
  expect(one(Buffer.from('"'))).toBeUndefined();
  for (let count = 0; count < 100_000; count++) expect(one(Buffer.from("\\\\"))).toBeUndefined();
});
