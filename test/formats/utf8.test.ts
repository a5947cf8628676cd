import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeUtf8 } from "../../src/formats/utf8.ts";

const LARGE = 64 * 1024;

test("text of any script and length is what Node makes of its bytes", () => {
  const character = fc.constantFrom("a", '"', "\n", "\0", "é", "\u0080", "ÿ", "Ā", "€", "日", "\ufeff", "\ufffd", "😀");
  const unit = fc.array(character, { minLength: 1, maxLength: 5 }).map((characters) => characters.join(""));
  const length = fc.oneof(fc.integer({ min: LARGE - 4, max: LARGE + 4 }), fc.integer({ min: 0, max: 3 * LARGE }));
  fc.assert(
    fc.property(unit, unit, unit, length, (head, middle, tail, size) => {
      const bytes = Buffer.from(head + middle.repeat(size / middle.length) + tail);
      expect(decodeUtf8(bytes) === bytes.toString()).toBe(true);
    }),
  );
});

test.each([
  ["a byte that begins nothing", [0xff]],
  ["half of a character", [0xe6, 0x97]],
  ["half of a character of Latin-1", [0xc3]],
  ["a surrogate", [0xed, 0xa0, 0xbd]],
  ["more bytes than a character has", [0xc3, 0xa9, 0xa9]],
  ["more bytes than a character needs", [0xc0, 0x80]],
])("so are bytes that are no UTF-8: %s, anywhere", (_, wrong) => {
  for (const text of ["a", "é", "日"].map((character) => Buffer.from(character.repeat(LARGE)))) {
    for (const bytes of [Buffer.from([...wrong, ...text]), Buffer.from([...text, ...wrong, ...text])]) {
      expect(decodeUtf8(bytes) === bytes.toString()).toBe(true);
    }
    const cut = Buffer.from([...text, ...wrong]);
    expect(decodeUtf8(cut) === cut.toString()).toBe(true);
  }
});

test("a few characters of another script, or of ours in another, are what they are", () => {
  for (const [few, many] of ["日a", "aé", "aĀ", "a😀", "日😀", "é日"].map((pair) => [...pair] as [string, string])) {
    for (const before of [0, 1, 63, 64, 100_000]) {
      const bytes = Buffer.from(`${many.repeat(before)}${few}${many.repeat(100_000)}`);
      expect(decodeUtf8(bytes) === bytes.toString()).toBe(true);
    }
  }
});
