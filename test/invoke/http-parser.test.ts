import { request } from "node:http";
import { Duplex } from "node:stream";
import { buffer } from "node:stream/consumers";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AnswerHead, createAnswerParser } from "../../src/invoke/http-parser.ts";

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** What our parser makes of an answer that comes in these pieces, and then the connection ends. */
function parse(pieces: readonly Buffer[]): { answers: Answer[]; heads: AnswerHead[] } {
  const answers: Answer[] = [];
  const heads: AnswerHead[] = [];
  let body: Buffer[] = [];
  const parser = createAnswerParser({
    onHead(head) {
      heads.push(head);
      body = [];
    },
    onBody: (piece) => void body.push(piece),
    onEnd() {
      const { status, headers } = heads.at(-1) as AnswerHead;
      answers.push({ status, headers: { ...headers }, body: Buffer.concat(body).toString("latin1") });
    },
  });
  for (const piece of pieces) parser.read(piece);
  parser.end();
  return { answers, heads };
}

/** What Node's own client makes of it, over a connection that is in memory. */
function parseByNode(bytes: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
    const sent = request({ method: "POST", createConnection: () => socket as never });
    sent.once("error", reject);
    sent.once("response", async (response) => {
      const { statusCode = 0, headers } = response;
      try {
        resolve({ status: statusCode, headers, body: (await buffer(response)).toString("latin1") });
      } catch (error) {
        reject(error);
      }
    });
    sent.end();
    setImmediate(() => {
      socket.push(bytes);
      socket.push(null);
    });
  });
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % bytes.length))].toSorted((a, b) => a - b);
  return [...at, bytes.length].map((end, index) => bytes.subarray(at[index - 1] ?? 0, end));
}

const tokens = fc.stringMatching(/^[a-zA-Z][\w!#$%&'*+.^`|~-]{0,12}$/);
const values = fc.stringMatching(/^(?:[!-~\x80-\xff](?:[ \t!-~\x80-\xff]{0,20}[!-~\x80-\xff])?)?$/);
const spaces = fc.stringMatching(/^[ \t]{0,3}$/);
// What decides about framing is made below; of what Node takes one alone, one is given.
const RESERVED = /^(?:content-length|transfer-encoding|connection|upgrade|keep-alive|set-cookie|trailer)$/i;
const fields = fc.uniqueArray(
  fc.record({ name: tokens.filter((name) => !RESERVED.test(name)), before: spaces, value: values, after: spaces }),
  { selector: ({ name }) => name.toLowerCase(), maxLength: 8 },
);
const bodies = fc.string({ unit: "binary", maxLength: 300 }).map((text) => Buffer.from(text));
const chunkSizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });
const framings = fc.constantFrom("length", "chunks", "end" as const);

interface Written {
  readonly status: number;
  readonly framing: "length" | "chunks" | "end";
  readonly fields: readonly { name: string; before: string; value: string; after: string }[];
  readonly body: Buffer;
  readonly sizes: readonly number[];
}

function write({ status, framing, fields: list, body, sizes }: Written): Buffer {
  const framed = framing === "chunks" ? chunked(body, sizes) : body;
  const own = { length: `content-LENGTH: ${body.length}\r\n`, chunks: "Transfer-Encoding: Chunked\r\n", end: "" }[
    framing
  ];
  const head = list.map(({ name, before, value, after }) => `${name}:${before}${value}${after}\r\n`).join("");
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status} Any Reason\r\n${head}${own}\r\n`, "latin1"), framed]);
}

function chunked(body: Buffer, sizes: readonly number[]): Buffer {
  const parts: Buffer[] = [];
  for (let start = 0, count = 0; start < body.length; count++) {
    const size = sizes[count % sizes.length] as number;
    const chunk = body.subarray(start, start + size);
    parts.push(
      Buffer.from(`${chunk.length.toString(16)}${count % 2 === 0 ? "" : ";x=1"}\r\n`),
      chunk,
      Buffer.from("\r\n"),
    );
    start += size;
  }
  return Buffer.concat([...parts, Buffer.from("0\r\nX-Trailer: 1\r\n\r\n")]);
}

test("reads what Node's own client reads, however it comes in pieces", async () => {
  const statuses = fc.integer({ min: 200, max: 599 }).filter((status) => status !== 204 && status !== 304);
  const written = fc.record({ status: statuses, framing: framings, fields, body: bodies, sizes: chunkSizes });
  await fc.assert(
    fc.asyncProperty(written, fc.array(fc.nat(), { maxLength: 12 }), async (answer, places) => {
      const bytes = write(answer);
      const { answers } = parse(cut(bytes, places));
      expect(answers).toEqual([await parseByNode(bytes)]);
      expect(answers[0]?.body).toBe(answer.body.toString("latin1"));
    }),
    { numRuns: 300 },
  );
});

const LENGTH_2 = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n";
const CHUNKS = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

test.each<[string, string]>([
  ["another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n"],
  ["another protocol, by its first byte", "\u0000"],
  ["no status", "HTTP/1.1 \r\n\r\n"],
  ["a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n"],
  ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n"],
  ["a header without a colon", "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"],
  ["a header without a name", "HTTP/1.1 200 OK\r\n: x\r\n\r\n"],
  ["a space before the colon", `HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n{}`],
  ["a header that goes on in another line", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n"],
  ["a NUL in a value", "HTTP/1.1 200 OK\r\nX: a\u0000b\r\nContent-Length: 0\r\n\r\n"],
  ["a carriage return in a value", "HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n"],
  ["a length that is negative", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"],
  ["a length with a sign", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}"],
  ["a length in hex", "HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\n{}"],
  ["a length that is empty", "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n{}"],
  ["two lengths", `${LENGTH_2}Content-Length: 3\r\n\r\n{}`],
  ["the same length twice", `${LENGTH_2}Content-Length: 2\r\n\r\n{}`],
  ["a length and chunks", `${LENGTH_2}Transfer-Encoding: chunked\r\n\r\n{}`],
  ["a chunk of no size", `${CHUNKS}\r\n{}\r\n`],
  ["a chunk whose size is no number", `${CHUNKS}xyz\r\n{}\r\n`],
  ["a chunk whose size has a sign", `${CHUNKS}-2\r\n{}\r\n`],
  ["a chunk longer than its size", `${CHUNKS}2\r\n{}}\r\n0\r\n\r\n`],
  ["more bytes than its length", `${LENGTH_2}\r\n{}{}`],
  ["headers without end", `HTTP/1.1 200 OK\r\n${"X-Header: value\r\n".repeat(2000)}`],
])("refuses %s, and so does Node", async (_, text) => {
  const bytes = Buffer.from(text, "latin1");
  const code = /^HPE_[A-Z_]+$/;
  expect(() => parse([bytes])).toThrow(expect.objectContaining({ code: expect.stringMatching(code) }));
  expect(() => parse(cut(bytes, [...bytes.keys()]))).toThrow(
    expect.objectContaining({ code: expect.stringMatching(code) }),
  );
  await expect(parseByNode(bytes)).rejects.toMatchObject({ code: expect.stringMatching(code) });
});

describe("is stricter than Node", () => {
  test.each<[string, string]>([
    ["HTTP/2 on a connection of HTTP/1", "HTTP/2.0 200 OK\r\n\r\n"],
    ["a transfer encoding besides chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"],
  ])("about %s", async (_, text) => {
    const bytes = Buffer.from(text);
    expect(() => parse([bytes])).toThrow(expect.objectContaining({ code: expect.stringMatching(/^HPE_/) }));
    expect(await parseByNode(bytes)).toMatchObject({ status: 200 });
  });
});

test.each<[string, string, boolean]>([
  ["HTTP/1.1", `${LENGTH_2}\r\n{}`, true],
  ["HTTP/1.1, with chunks", `${CHUNKS}0\r\n\r\n`, true],
  ["HTTP/1.1 that closes", `${LENGTH_2}Connection: close\r\n\r\n{}`, false],
  ["HTTP/1.1 that closes, in a list", `${LENGTH_2}Connection: foo, Close\r\n\r\n{}`, false],
  ["HTTP/1.1 that closes, in a second field", `${LENGTH_2}Connection: foo\r\nConnection: close\r\n\r\n{}`, false],
  ["HTTP/1.1 without an end", "HTTP/1.1 200 OK\r\n\r\n{}", false],
  ["HTTP/1.1 without a body", "HTTP/1.1 204 No Content\r\n\r\n", true],
  ["HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", false],
  ["HTTP/1.0 that is kept", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n{}", true],
])("whether a connection may be used again: %s", (_, text, isKeptAlive) => {
  expect(parse([Buffer.from(text)]).heads).toMatchObject([{ isKeptAlive }]);
});

test("interim answers are passed over, and one answer follows another", () => {
  const text = `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${LENGTH_2}\r\n{}${CHUNKS}1\r\na\r\n0\r\n\r\n`;
  for (let size = 1; size < 80; size += 7) {
    const bytes = Buffer.from(text);
    const places = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => index * size);
    expect(parse(cut(bytes, places)).answers.map(({ body }) => body)).toEqual(["{}", "a"]);
  }
});

test("a field that comes twice is joined, but for those of which one must be", () => {
  const text = `${LENGTH_2}X-A: 1\r\nx-a: 2\r\nDate: first\r\nDate: second\r\n__proto__: x\r\n\r\n{}`;
  const { headers } = parse([Buffer.from(text)]).heads[0] as AnswerHead;
  expect({ ...headers }).toMatchObject({ "x-a": "1, 2", date: "first" });
  expect("constructor" in headers, "what no field is named").toBe(false);
  expect(Object.keys(headers)).toContain("__proto__");
});
