import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readFrame, writeFrame } from "../../src/formats/stream.ts";

const NULS = "\0".repeat(8);
const PRELUDE = '{"statusCode":201}';

describe("a frame", () => {
  test("is the prelude as JSON, eight NULs, the body", () => {
    const frame = writeFrame({ statusCode: 201 }, Buffer.from("héllo"));
    expect(Buffer.from(frame).toString()).toBe(`${PRELUDE}${NULS}héllo`);
  });

  test.each([
    ["no body", `${PRELUDE}${NULS}`, ""],
    ["a body", `${PRELUDE}${NULS}hello`, "hello"],
    ["a body that begins with NULs", `${PRELUDE}${NULS}\0\0x`, "\0\0x"],
    ["a body with a delimiter of its own", `${PRELUDE}${NULS}a${NULS}b`, `a${NULS}b`],
    ["white space around the prelude", ` ${PRELUDE}\n${NULS}x`, "x"],
  ])("%s", (_name, text, body) => {
    const frame = readFrame(Buffer.from(text));
    expect(frame?.prelude).toEqual({ statusCode: 201 });
    expect(Buffer.from(frame?.body ?? []).toString()).toBe(body);
  });

  test("in the middle of a larger buffer", () => {
    const bytes = Buffer.from(`xx${PRELUDE}${NULS}hello-xx`);
    const part = new Uint8Array(bytes.buffer, bytes.byteOffset + 2, bytes.length - 5);
    expect(Buffer.from(readFrame(part)?.body ?? []).toString()).toBe("hello");
  });

  test.each([
    ["nothing", ""],
    ["JSON alone", PRELUDE],
    ["seven NULs", `${PRELUDE}${"\0".repeat(7)}x`],
    ["NULs alone", NULS],
    ["NULs first", `${NULS}${PRELUDE}`],
    ["a prelude that is no JSON", `{"statusCode":${NULS}x`],
    ["bytes that happen to hold NULs", `\x89PNG\r\n${NULS}`],
  ])("%s is none", (_name, text) => {
    expect(readFrame(Buffer.from(text, "latin1"))).toBeUndefined();
  });

  test("its delimiter begins within the first 16 KB", () => {
    const overhead = JSON.stringify({ a: "" }).length;
    const prelude = (size: number) => ({ a: "x".repeat(size - overhead) });
    const body = Buffer.from("hello");
    expect(readFrame(writeFrame(prelude(16 * 1024), body))?.prelude).toEqual(prelude(16 * 1024));
    expect(readFrame(writeFrame(prelude(16 * 1024 + 1), body))).toBeUndefined();
  });
});

test("for all preludes and bytes: what was written is read", () => {
  const headers = fc.dictionary(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), {
    noNullPrototype: true,
  });
  const prelude = fc.record({
    statusCode: fc.integer(),
    headers,
    cookies: fc.array(fc.string({ unit: "binary", maxLength: 20 })),
  });
  const byte = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 255 }));
  const body = fc.array(byte, { maxLength: 100 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(prelude, body, (prelude, body) => {
      const frame = readFrame(writeFrame(prelude, body));
      expect(frame?.prelude).toEqual(JSON.parse(JSON.stringify(prelude)));
      expect(body.equals(frame?.body ?? Buffer.from("none"))).toBe(true);
    }),
  );
});
