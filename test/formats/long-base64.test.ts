import fc from "fast-check";
import { expect, test } from "vitest";
import type { ResponseParts } from "../../src/formats/format.ts";
import { FORMATS } from "../../src/formats/formats.ts";
import { decodeLongBase64 } from "../../src/formats/long-base64.ts";
import { decodeResult } from "../../src/formats/result.ts";

const LONG = 64 * 1024;
const formats = Object.values(FORMATS);
const content = Buffer.from(Array.from({ length: LONG }, (_, index) => (index * 7919) % 251));
const base64 = content.toString("base64");

/** What the format makes of all of it, or what it says against it. */
function outcome(decode: () => ResponseParts | undefined): unknown {
  try {
    const parts = decode();
    return parts && { ...parts, body: Buffer.from(parts.body).toString("base64") };
  } catch (error) {
    return String(error);
  }
}

test.each([
  ["body after headers", { statusCode: 200, headers: { etag: '"a"' }, body: base64, isBase64Encoded: true }],
  ["body first", { body: base64, isBase64Encoded: true, statusCode: 200, headers: { "content-type": "image/png" } }],
  ["no padding", { statusCode: 200, body: base64.replace(/=+$/, ""), isBase64Encoded: true }],
  ["another alphabet", { statusCode: 200, body: content.toString("base64url"), isBase64Encoded: true }],
  ["a flag in words", { statusCode: 200, body: base64, isBase64Encoded: "True" }],
  [
    "a character that takes two bytes",
    { statusCode: 200, headers: { "x-name": "é" }, body: base64, isBase64Encoded: true },
  ],
  [
    "a long header after it",
    { statusCode: 200, body: base64, isBase64Encoded: true, headers: { x: "y".repeat(LONG) } },
  ],
])("a long body of base64 is cut out: %s", (_, result) => {
  for (const text of [JSON.stringify(result), JSON.stringify(result, undefined, 2)]) {
    for (const format of formats) {
      const parts = decodeLongBase64(format, Buffer.from(text));
      expect(parts && content.equals(Buffer.from(parts.body))).toBe(true);
      expect({ ...parts, body: undefined }).toEqual({ ...format.decode(result), body: undefined });
    }
  }
});

const json = (body: string, rest = '"statusCode":200,"isBase64Encoded":true') => `{${rest},"body":"${body}"}`;

test.each([
  ["text", json(base64, '"statusCode":200')],
  ["text whose flag says so", json(base64, '"statusCode":200,"isBase64Encoded":false')],
  ["of two bodies, the short one comes last", json(`${base64}","body":"YQ==`)],
  ["a short body, and something long", json("YQ==", `"statusCode":200,"isBase64Encoded":true,"x":"${base64}"`)],
  ["a body within", json("YQ==", `"statusCode":200,"isBase64Encoded":true,"headers":{"body":"${base64}"}`)],
  ["a key that is long", `{"${base64}":"body","statusCode":200,"isBase64Encoded":true}`],
  ["an array", `["${base64}"]`],
  ["a string", `"${base64}"`],
  ["a long gap between strings", `{"body":"a",${" ".repeat(LONG)}"statusCode":200}`],
  ["escaped solidi", json(base64.replaceAll("/", "\\/"))],
  ["escaped line breaks", json(base64.replace(/.{76}/g, "$&\\r\\n"))],
  ["line breaks as they are", json(base64.replace(/.{76}/g, "$&\r\n"))],
  ["a character that is no base64", json(`${base64.slice(0, 70_000)}*${base64.slice(70_001)}`)],
  ["a character that is not ASCII", json(`${base64.slice(0, 70_000)}é${base64.slice(70_001)}`)],
  ["a byte that is no UTF-8", json(`${base64.slice(0, 70_000)}\xff${base64.slice(70_001)}`)],
  ["a sign of its end, in its middle", json(`${base64.slice(0, 70_000)}====${base64.slice(70_004)}`)],
  ["a quote that is escaped, and a long string behind it", json("x", `"a":"\\"","b":"${base64}","statusCode":200`)],
  ["no end", json(base64).slice(0, -2)],
  ["what is no status", json(base64, '"statusCode":"no","isBase64Encoded":true')],
])("anything else is left to the plain way, which makes of it what it always does: %s", (_, text) => {
  for (const bytes of [Buffer.from(text), Buffer.from(text, "latin1")]) {
    for (const format of formats) {
      expect(decodeLongBase64(format, bytes)).toBeUndefined();
    }
  }
});

test("REST API's own flag is heard before the other", () => {
  const bytes = Buffer.from(json(base64, '"statusCode":200,"isBase64Encoded":true,"base64Encoded":false'));
  expect(decodeResult(FORMATS["rest-api"], bytes).body).toBe(base64);
  expect(decodeResult(FORMATS["http-api"], bytes).body).toEqual(content);
});

test("without a status, the one format has a response, and the other JSON", () => {
  const text = json(base64, '"isBase64Encoded":true');
  expect(decodeResult(FORMATS["rest-api"], Buffer.from(text)).body).toEqual(content);
  expect(decodeResult(FORMATS["http-api"], Buffer.from(text)).body).toBe(text);
});

test("for any result, it is what JSON.parse and the format would make of it", () => {
  const piece = fc.constantFrom(base64, base64.slice(0, -3), "YQ==", "a\\n", '\\"', "é", "=", "*", "\\/", "\n", "");
  const pieces = fc.oneof(fc.constant([base64]), fc.array(piece, { maxLength: 3 }));
  const string = pieces.map((parts) => `"${parts.join("")}"`);
  const value = fc.oneof(string, fc.constantFrom("true", "false", "200", "null", "{}", '["a"]', '"TRUE"'));
  const key = fc.constantFrom("statusCode", "body", "isBase64Encoded", "base64Encoded", "headers", "cookies", 'x\\"');
  const member = fc.oneof(fc.tuple(key, value), fc.tuple(fc.constant("body"), string));
  const usual = fc.subarray(['"statusCode":200', '"isBase64Encoded":true']);
  const space = fc.constantFrom("", " ", "\n  ");
  const result = fc
    .tuple(usual, fc.array(member, { maxLength: 3 }), usual, space)
    .map(([before, members, after, gap]) => {
      const pairs = members.map(([name, text]) => `"${name}":${gap}${text}`);
      return `{${[...before, ...pairs, ...after].join(`,${gap}`)}}`;
    });
  let cut = 0;
  fc.assert(
    fc.property(result, fc.constantFrom(...formats), (text, format) => {
      const bytes = Buffer.from(text);
      const parts = outcome(() => decodeLongBase64(format, bytes));
      if (parts === undefined) return;
      cut++;
      expect(parts).toEqual(outcome(() => format.decode(JSON.parse(text))));
    }),
    { numRuns: 1000 },
  );
  expect(cut).toBeGreaterThan(20);
});
