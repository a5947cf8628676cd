/**
 * One application whose answers stream, put behind the streaming adapter of each framework in the files `streaming-*.ts`.
 * What is answered is the same everywhere and is here; how it becomes a response is each framework's own affair. The
 * expectations in `../support/streaming-expectations.ts` run over all of them.
 *
 * | route | answer |
 * |---|---|
 * | ANY `/two` | {@link FIRST}, and {@link SECOND} when the test lets it |
 * | ANY `/late` | {@link FIRST}, when the test lets it |
 * | ANY `/text` | {@link TEXT}, a byte at a time |
 * | ANY `/status/:code` | that status; `status CODE`, or nothing for 204 |
 * | GET `/headers` | 201 with {@link HEADERS} and {@link COOKIES} |
 * | GET `/cookie` | a single one, {@link DATED_COOKIE} |
 * | GET `/nuls` | {@link NUL_PIECES} |
 * | GET `/empty` | 200 without a body |
 * | GET `/nothing` | 200 with a body that ends before anything is in it |
 * | GET `/large` | {@link largePieces}, {@link LARGE_BYTES} or as many as `?bytes=` says |
 * | GET `/redirect` | 302 to `/text` |
 * | GET `/gzip` | {@link FIRST} and {@link SECOND} as in `/two`, in that content encoding |
 * | POST `/echo` | the bytes it got, with the request's content type |
 * | GET `/error` | throws |
 * | GET `/midway` | {@link FIRST}, and throws when the test lets it |
 * | GET `/endless` | bytes for as long as somebody takes them |
 * | anything else | the framework's own 404 |
 *
 * App and test are one process: `?key=` names the {@link Source} by which a test holds and watches an answer.
 */
// Defines the global `awslambda`, which has to be there before an app calls it.
import "../../src/emulator/index.ts";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createGzip } from "node:zlib";
import { COOKIES, DATED_COOKIE, TEXT } from "./app.ts";

export { COOKIES, DATED_COOKIE };

/** A handler made by `awslambda.streamifyResponse`. The adapters' own types are narrower. */
export type StreamingHandler = (event: never, stream: never, context: never) => unknown;

/** Pieces of a body. */
type Pieces = AsyncIterable<Uint8Array>;

/** What a framework is asked. */
export interface Question {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly contentType: string | undefined;
  readonly body: Uint8Array;
}

/** What a framework is to answer. */
export interface Answer {
  readonly status: number;
  /** Names may repeat. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly cookies: readonly string[];
  readonly body: Pieces | null;
}

export const FIRST = "first\n";
export const SECOND = "second\n";
export const LONG_TEXT: string = TEXT.repeat(5);
const HEADERS: Answer["headers"] = [
  ["X-One", "1"],
  ["X-Many", "a"],
  ["X-Many", "b"],
  ["Cache-Control", "no-store"],
];
export const MIDWAY_MESSAGE = "broken on purpose, midway";
export const ERROR_MESSAGE = "broken on purpose";

/** A body that begins with NULs, has eight and more of them over and inside of its pieces, and every byte there is. */
export const NUL_PIECES: readonly Uint8Array[] = [
  Buffer.alloc(16),
  Buffer.from("a\0\0\0"),
  Buffer.from("\0\0\0\0\0"),
  Buffer.from('{"statusCode":418}'),
  Buffer.alloc(8),
  Uint8Array.from({ length: 256 }, (_, index) => index),
  Buffer.from([0]),
];

export const LARGE_BYTES: number = 50 * 1024 * 1024;
/** An endless body stops here, so that what does not hold it back fails and does not hang. */
const ENDLESS_BYTES = 96 * 1024 * 1024;
const PIECE_BYTES = 64 * 1024;

/** How a test holds an answer back, and sees what becomes of it. */
export interface Source {
  readonly key: string;
  /** Lets the answer go on. */
  release(): void;
  readonly released: Promise<void>;
  /** Bytes that were asked of it. */
  produced: number;
  /** Was it told that nobody wants more of it, or did it come to its end? */
  isStopped: boolean;
}

const sources = new Map<string, Source>();

export function createSource(): Source {
  const key = randomUUID();
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const source: Source = { key, released, release: () => release(), produced: 0, isStopped: false };
  sources.set(key, source);
  return source;
}

export function sourceOf(key: string): Source {
  const source = sources.get(key);
  if (source === undefined) throw new Error("the test has made no such source");
  return source;
}

/** `undefined` is for the framework's own 404. @throws what is to fail the framework. */
export function answerTo({ method, path, query, contentType, body }: Question): Answer | undefined {
  const named = (): Source => sourceOf(query.get("key") ?? "");
  const code = Number(/^\/status\/(\d{3})$/.exec(path)?.[1]);
  if (code > 0) return code === 204 ? bodyless(code) : text(code, [`status ${code}`]);
  switch (path) {
    case "/two":
      return { ...text(200, []), body: two(named()) };
    case "/late":
      return { ...text(200, []), body: late(named()) };
    case "/text":
      return { ...text(200, []), body: byByte(LONG_TEXT) };
    case "/headers":
      return { ...text(201, ["ok"]), headers: [...text(201, []).headers, ...HEADERS], cookies: COOKIES };
    case "/cookie":
      return { ...text(200, ["ok"]), cookies: [DATED_COOKIE] };
    case "/nuls":
      return octets(piecesOf(NUL_PIECES));
    case "/empty":
      return { ...text(200, []), headers: [...text(200, []).headers, ["X-One", "1"]], body: null };
    case "/nothing":
      return { ...text(200, []), headers: [...text(200, []).headers, ["X-One", "1"]] };
    case "/large":
      return octets(piecesOf(largePieces(Number(query.get("bytes") ?? LARGE_BYTES))));
    case "/redirect":
      return { ...bodyless(302), headers: [["Location", "/text"]] };
    case "/gzip":
      return {
        ...text(200, []),
        headers: [...text(200, []).headers, ["Content-Encoding", "gzip"]],
        body: gzip(named()),
      };
    case "/error":
      throw new Error(ERROR_MESSAGE);
    case "/midway":
      return { ...text(200, []), body: midway(named()) };
    case "/endless":
      return octets(endless(named()));
    case "/echo":
      if (method !== "POST") return undefined;
      return { ...octets(piecesOf([body])), headers: [["Content-Type", contentType ?? "none"]] };
    default:
      return undefined;
  }
}

/** Of which no two are the same. */
export function* largePieces(bytes: number = LARGE_BYTES): Generator<Uint8Array, void, undefined> {
  for (let start = 0; start < bytes; start += PIECE_BYTES) {
    const piece = Buffer.alloc(PIECE_BYTES, "0123456789abcdefghijklmnopqrstuvwxyz-");
    piece.writeUInt32BE(start);
    yield piece;
  }
}

/** As a standard `Response`, for the frameworks that take one. */
export function toWebResponse({ status, headers, cookies, body }: Answer): Response {
  const list = new Headers(headers.map(([name, value]): [string, string] => [name, value]));
  for (const cookie of cookies) list.append("Set-Cookie", cookie);
  return new Response(body === null ? null : toWebStream(body), { status, headers: list });
}

/** What is before the body of a function that writes for itself. */
export function toPrelude({ status, headers, cookies }: Answer): Record<string, unknown> {
  const joined: Record<string, string> = {};
  for (const [name, value] of headers) joined[name] = name in joined ? `${joined[name]}, ${value}` : value;
  return { statusCode: status, headers: joined, ...(cookies.length > 0 && { cookies }) };
}

/** No more is asked of the pieces than is read, and they are told when it is cancelled. */
function toWebStream(pieces: Pieces): ReadableStream<Uint8Array> {
  const iterator = pieces[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await iterator.next();
        if (next.done) controller.close();
        else controller.enqueue(next.value);
      },
      async cancel() {
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

function text(status: number, pieces: readonly string[]): Answer {
  const body = piecesOf(pieces.map((piece) => Buffer.from(piece)));
  return { status, headers: [["Content-Type", "text/plain; charset=utf-8"]], cookies: [], body };
}

function octets(body: Pieces): Answer {
  return { status: 200, headers: [["Content-Type", "application/octet-stream"]], cookies: [], body };
}

function bodyless(status: number): Answer {
  return { status, headers: [], cookies: [], body: null };
}

async function* piecesOf(pieces: Iterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  // Not all of them in one turn of the event loop.
  for (const piece of pieces) yield await piece;
}

async function* byByte(body: string): AsyncGenerator<Uint8Array, void, undefined> {
  for (const byte of Buffer.from(body)) yield Buffer.of(byte);
}

async function* two(source: Source): AsyncGenerator<Uint8Array, void, undefined> {
  yield Buffer.from(FIRST);
  await source.released;
  yield Buffer.from(SECOND);
}

async function* late(source: Source): AsyncGenerator<Uint8Array, void, undefined> {
  await source.released;
  yield Buffer.from(FIRST);
}

async function* midway(source: Source): AsyncGenerator<Uint8Array, void, undefined> {
  yield Buffer.from(FIRST);
  await source.released;
  throw new Error(MIDWAY_MESSAGE);
}

async function* gzip(source: Source): AsyncGenerator<Uint8Array, void, undefined> {
  const coder = createGzip();
  const pieces: Buffer[] = [];
  coder.on("data", (piece: Buffer) => pieces.push(piece));
  coder.write(FIRST);
  await new Promise<void>((resolve) => coder.flush(() => resolve()));
  // Since Node 26, what was flushed comes in several pieces, the last of them behind this.
  await new Promise((resolve) => setImmediate(resolve));
  yield Buffer.concat(pieces.splice(0));
  await source.released;
  coder.end(SECOND);
  await once(coder, "end");
  yield Buffer.concat(pieces);
}

async function* endless(source: Source): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    while (source.produced < ENDLESS_BYTES) {
      source.produced += PIECE_BYTES;
      yield Buffer.alloc(PIECE_BYTES, 1);
    }
  } finally {
    source.isStopped = true;
  }
}
