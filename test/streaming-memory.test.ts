/** A body that streams is never held as a whole, and nobody sends faster than it is read. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { pipeline } from "node:stream/promises";
import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { Emulator } from "../src/emulator/index.ts";
import { type Handler, handlerInvoker } from "../src/invoke/handler.ts";
import type { ResponseStream } from "../src/invoke/response-stream.ts";
import { Session } from "../src/session.ts";
import type { SessionOptions } from "../src/session-options.ts";
import {
  type Connection,
  chunked,
  complete,
  HEAD,
  LAST,
  payload,
  prelude,
  type Step,
  stalled,
  streamingLambda,
  write,
} from "./support/streaming-lambda.ts";

const URL_OF_APP = "http+lambda://app/";
const KB = 1024;
const MB = 1024 * KB;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function session(options: SessionOptions): Session {
  const credentials = { accessKeyId: "a", secretAccessKey: "b" };
  const made = new Session({ region: "eu-west-1", credentials, responseStreaming: true, retry: false, ...options });
  closers.push(() => made.close());
  return made;
}

/** Reads as many bytes at least, or all there are, with a turn of the event loop after each piece. */
async function read(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  limit: number,
  onPiece: (size: number) => void | Promise<void> = () => undefined,
): Promise<number> {
  let size = 0;
  while (size < limit) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    await onPiece(size);
    await turn();
  }
  return size;
}

const readerOf = (response: Response): ReadableStreamDefaultReader<Uint8Array> =>
  (response.body as ReadableStream<Uint8Array>).getReader();

describe("a body of 200 MB that is read slowly", () => {
  // In a process of its own, so that only the client's memory is measured.
  const SERVER = `
    const { createServer } = require("node:net");
    const { once } = require("node:events");
    process.once("message", ({ first, piece, count, last }) => {
      const [head, body, end] = [first, piece, last].map((text) => Buffer.from(text, "base64"));
      const server = createServer((socket) => {
        socket.on("error", () => {});
        socket.once("data", async () => {
          socket.write(head);
          for (let sent = 0; sent < count && !socket.destroyed; sent++) {
            await new Promise((done) => socket.write(body, done));
          }
          socket.write(end);
        });
      });
      server.listen(0, "127.0.0.1", () => process.send(server.address().port));
    });
    process.once("disconnect", () => process.exit());
  `;

  async function serve(first: Buffer, piece: Buffer, count: number): Promise<string> {
    const child: ChildProcess = spawn(process.execPath, ["-e", SERVER], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    closers.push(() => child.disconnect());
    const last = Buffer.concat([chunked(complete()), LAST]);
    const [head, body, end] = [first, piece, last].map((bytes) => bytes.toString("base64"));
    child.send({ first: head, piece: body, count, last: end });
    const [port] = (await once(child, "message")) as [number];
    return `http://127.0.0.1:${port}`;
  }

  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;

  /** Twice: the bytes of buffers are let go in the background, and counted as gone with the collection after that. */
  async function collect(): Promise<void> {
    for (let count = 0; count < 2; count++) {
      gc();
      await turn();
    }
    gc();
  }

  /** What is held, in MB: garbage is left to the collector, and counts for the peak alone. */
  interface Held {
    readonly rss: number;
    readonly heap: number;
    readonly arrayBuffers: number;
  }

  function held(): Held {
    const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
    return { rss: rss / MB, heap: heapUsed / MB, arrayBuffers: arrayBuffers / MB };
  }

  const both = ({ heap, arrayBuffers }: Held): number => heap + arrayBuffers;
  const show = (name: string, { rss, heap, arrayBuffers }: Held): string =>
    `${name.padEnd(28)} rss ${rss.toFixed(1)} MB, heap ${heap.toFixed(1)} MB, array buffers ${arrayBuffers.toFixed(1)} MB`;

  const CHUNK = 64 * KB;
  const zeros = gzipSync(Buffer.alloc(CHUNK));
  test.each<[name: string, headers: object, piece: Buffer, count: number]>([
    ["as it is", {}, payload(Buffer.alloc(CHUNK, "x")), (200 * MB) / CHUNK],
    ["in pieces of 1 KB", {}, payload(Buffer.alloc(KB, "x")), (20 * MB) / KB],
    ["compressed a thousandfold", { "content-encoding": "gzip" }, payload(zeros), (200 * MB) / CHUNK],
  ])("is not held: %s", async (name, headers, piece, count) => {
    const endpoint = await serve(Buffer.concat([HEAD, chunked(prelude({ headers }))]), chunked(piece), count);
    const one = session({ endpoint });
    // What is loaded and compiled with the first call is none of it.
    const warm = readerOf(await one.get(URL_OF_APP));
    await read(warm, 2 * MB);
    await warm.cancel();
    await collect();
    const before = held();
    // Without garbage, as it is every so many MB, and at its highest with garbage.
    let [live, peak] = [{ rss: 0, heap: 0, arrayBuffers: 0 }, before];
    let collected = 0;
    const begin = performance.now();
    const size = await read(readerOf(await one.get(URL_OF_APP)), Number.POSITIVE_INFINITY, async (size) => {
      const now = held();
      if (both(now) > both(peak)) peak = now;
      if (size - collected < 10 * MB) return;
      collected = size;
      await collect();
      const left = held();
      if (both(left) > both(live)) live = left;
    });
    const seconds = (performance.now() - begin) / 1000;
    await collect();
    const after = held();
    console.log(
      [
        `${size / MB} MB, ${name}, in ${seconds.toFixed(1)} s`,
        show("before", before),
        show("most, with garbage", peak),
        show("most, without garbage", live),
        show("after", after),
      ].join("\n"),
    );
    expect(size).toBeGreaterThanOrEqual(20 * MB);
    expect(both(live) - both(before)).toBeLessThan(16);
    expect(both(peak) - both(before)).toBeLessThan(64);
    expect(both(after) - both(before)).toBeLessThan(8);
  });
});

describe("a client that stops reading holds up", () => {
  // What Linux's kernel takes at most between two ends on one machine, 6 MB and 4, and what is read ahead.
  const IN_BETWEEN = 12 * MB;
  const TOTAL = 64 * MB;
  const PIECE = Buffer.alloc(64 * KB, "x");

  test("the server", async () => {
    let refused = 0;
    let isOver = false;
    const send: Step = async ({ socket }) => {
      for (let sent = 0; sent < TOTAL && !socket.destroyed; sent += PIECE.length) {
        const bytes = chunked(payload(PIECE));
        if (!socket.write(bytes)) {
          refused++;
          await write(socket, "");
        }
      }
      isOver = true;
    };
    const server = await streamingLambda({ steps: [HEAD, chunked(prelude({})), send, chunked(complete()), LAST] });
    closers.push(() => server.close());
    const reader = readerOf(await session({ endpoint: server.endpoint }).get(URL_OF_APP));
    const connection = server.connections[0] as Connection;
    let size = await read(reader, MB);
    await stalled(connection);
    const first = connection.socket.bytesWritten - connection.socket.writableLength;
    console.log(
      `after ${size} bytes were read, the server could write ${first}, and its write said no ${refused} times`,
    );
    expect(refused).toBeGreaterThan(0);
    expect(first).toBeLessThan(size + IN_BETWEEN);
    // As much as is read, and no more.
    size += await read(reader, 16 * MB);
    await stalled(connection);
    const second = connection.socket.bytesWritten - connection.socket.writableLength;
    expect(second).toBeGreaterThan(first);
    expect(second).toBeLessThan(size + IN_BETWEEN);
    expect(isOver).toBe(false);
    size += await read(reader, Number.POSITIVE_INFINITY);
    expect(size).toBe(TOTAL);
  });

  /** A handler that streams, and how far it has come. */
  function source(total: number): { handler: Handler; made: () => number; ended: Promise<unknown> } {
    let made = 0;
    let end = (_how: unknown): void => undefined;
    const ended = new Promise<unknown>((resolve) => {
      end = resolve;
    });
    async function* pieces(): AsyncGenerator<Buffer, void, undefined> {
      while (made < total) {
        made += PIECE.length;
        yield PIECE;
      }
    }
    const { awslambda } = globalThis as unknown as {
      awslambda: {
        streamifyResponse(handler: (event: unknown, stream: ResponseStream) => Promise<void>): Handler;
        HttpResponseStream: { from(stream: ResponseStream, prelude: object): ResponseStream };
      };
    };
    const handler = awslambda.streamifyResponse(async (_event, stream) => {
      const body = awslambda.HttpResponseStream.from(stream, { statusCode: 201 });
      await pipeline(pieces(), body).then(end, (error: unknown) => {
        end(error);
        throw error;
      });
    });
    return { handler, made: () => made, ended };
  }

  /** When nothing more is made, for many turns of the event loop. */
  async function paused(made: () => number): Promise<number> {
    let [before, turns] = [-1, 0];
    while (turns < 50) {
      await turn();
      turns = made() === before ? turns + 1 : 0;
      before = made();
    }
    return before;
  }

  test.each<[name: string, inBetween: number, start: (handler: Handler) => Promise<SessionOptions>]>([
    [
      "a handler behind the emulator",
      IN_BETWEEN,
      async (handler) => {
        const emulator = await Emulator.start({ quiet: true, functions: { app: handler } });
        closers.push(() => emulator.close());
        return { endpoint: emulator.endpoint };
      },
    ],
    ["a handler in this process", 512 * KB, async (handler) => ({ invoker: handlerInvoker(handler) })],
  ])("%s", async (name, inBetween, start) => {
    const { handler, made, ended } = source(TOTAL);
    const response = await session(await start(handler)).get(URL_OF_APP);
    expect(response.status).toBe(201);
    const reader = readerOf(response);
    let size = await read(reader, MB);
    const first = await paused(made);
    console.log(`${name}: after ${size} bytes were read, it had made ${first}`);
    expect(first).toBeLessThan(size + inBetween);
    size += await read(reader, 16 * MB);
    const second = await paused(made);
    expect(second).toBeGreaterThan(first);
    expect(second).toBeLessThan(size + inBetween);
    size += await read(reader, Number.POSITIVE_INFINITY);
    expect(size).toBe(TOTAL);
    expect(await ended).toBeUndefined();

    // And one that goes away ends it.
    const other = source(Number.POSITIVE_INFINITY);
    const cancelled = await session(await start(other.handler)).get(URL_OF_APP);
    await cancelled.body?.cancel();
    expect(await other.ended).toMatchObject({ code: "ERR_STREAM_PREMATURE_CLOSE" });
  });
});
