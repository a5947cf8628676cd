import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { escaped, JsonText, json, NOTHING, quotable } from "../../src/formats/json.ts";
import {
  addValue,
  joinedValues,
  joinValue,
  list,
  multiValues,
  singleValues,
  type Values,
} from "../../src/formats/values.ts";

const text = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }));

describe("a string in quotes", () => {
  test("is what JSON.stringify makes of it", () => {
    fc.assert(
      fc.property(text, (value) => {
        expect(`"${escaped(value)}"`).toBe(JSON.stringify(value));
      }),
    );
  });

  test.each([
    ["every code unit", Array.from({ length: 0x10000 }, (_, code) => String.fromCharCode(code))],
    ["each of them in the middle", Array.from({ length: 0x10000 }, (_, code) => `a${String.fromCharCode(code)}b`)],
  ])("%s", (_, values) => {
    expect(values.filter((value) => `"${escaped(value)}"` !== JSON.stringify(value))).toEqual([]);
  });
});

describe("a document", () => {
  test("holds what it was given, whatever that is", () => {
    fc.assert(
      fc.property(text, text, fc.integer(), fc.boolean(), (first, second, third, fourth) => {
        const { text: written } = json`{
          "first":"${first}",
          "inner":${json`{"second":"${second}","third":${third}}`},
          "fourth":${fourth}
        }`;
        expect(written).toBe(JSON.stringify({ first, inner: { second, third }, fourth }));
      }),
    );
  });

  test("has no line breaks but those of its values, and leaves out what is nothing", () => {
    const { text: written } = json`{
      "a":"${"\n  b"}",
      ${NOTHING}
      "c":${new JsonText("[1]")}
    }`;
    expect(written).toBe('{"a":"\\n  b","c":[1]}');
  });
});

describe("a document of which parts are long", () => {
  const long = fc.tuple(text, fc.integer({ min: 65_530, max: 65_540 })).map(([tail, size]) => "é".repeat(size) + tail);

  test("is the same, as text and as bytes", () => {
    fc.assert(
      fc.property(text, fc.oneof(text, long), fc.oneof(text, long), (a, b, c) => {
        const body = new JsonText(escaped(b));
        const inner = json`{"b":${json`"${body}"`},"c":"${new JsonText(escaped(c))}"}`;
        const document = json`{"a":"${a}","inner":${inner},"end":true}`;
        const expected = JSON.stringify({ a, inner: { b, c }, end: true });
        expect(String(document) === expected).toBe(true);
        expect(Buffer.compare(document.toBytes(), Buffer.from(expected))).toBe(0);
      }),
      { numRuns: 50 },
    );
  });

  test("text of any length is what JSON.stringify makes of it, however much of it is escaped", () => {
    const character = fc.constantFrom("a", "é", "日", "😀", '"', "\n", "\ud83d", "\ude00");
    const characters = fc.array(character, { minLength: 1, maxLength: 7 });
    const lengths = fc.oneof(fc.integer({ min: 65_530, max: 65_540 }), fc.integer({ min: 0, max: 200_000 }));
    fc.assert(
      fc.property(characters, text, lengths, (unit, head, length) => {
        const long = (head + unit.join("").repeat(length / unit.length)).slice(0, length);
        const document = json`{"body":"${quotable(long)}"}`;
        const expected = JSON.stringify({ body: long });
        expect(String(document) === expected).toBe(true);
        expect(Buffer.compare(document.toBytes(), Buffer.from(expected))).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  test("a long part is a piece of its own", () => {
    const body = new JsonText("x".repeat(100_000));
    const document = json`{"inner":${json`{"body":"${body}"}`},"end":1}`;
    expect(document.before).toContain(body.text);
    expect(String(document)).toBe(`{"inner":{"body":"${body.text}"},"end":1}`);
  });
});

describe("the maps of an event", () => {
  const pairs = fc.array(fc.tuple(fc.oneof(fc.constantFrom("a", "b", "__proto__", "constructor"), text), text));

  test("hold the last value of a name, and all of them", () => {
    fc.assert(
      fc.property(pairs, (given) => {
        const values: Values = new Map();
        for (const [name, value] of given) addValue(values, name, value);
        const expected = new Map<string, string[]>();
        for (const [name, value] of given) expected.set(name, [...(expected.get(name) ?? []), value]);
        expect(entries(multiValues(values))).toEqual(Object.entries(Object.fromEntries(expected)));
        const last = [...expected].map(([name, all]) => [name, all.at(-1)]);
        expect(entries(singleValues(values))).toEqual(Object.entries(Object.fromEntries(last)));
      }),
    );
  });

  test("a list may be empty", () => {
    expect(list([]).text).toBe("[]");
    expect(list(['"', ""]).text).toBe('["\\"",""]');
  });

  test("or the values joined", () => {
    const values = new Map<string, string>();
    for (const [name, value] of [
      ["a", "1"],
      ["__proto__", "2"],
      ["a", ""],
    ] as const) {
      joinValue(values, name, value, ",");
    }
    expect(joinedValues(values).text).toBe('{"a":"1,","__proto__":"2"}');
  });

  function entries({ text: written }: JsonText): [string, unknown][] {
    return Object.entries(JSON.parse(written) as object);
  }
});
