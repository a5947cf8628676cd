/** A server in Lambda's place that streams what it is told to, step by step, on raw sockets, and sees who goes away. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { writeFrame } from "../../src/formats/stream.ts";
import { encodeMessage } from "../../src/invoke/event-stream.ts";

/** One client's connection. */
export interface Connection {
  readonly socket: Socket;
  /** When it is closed, by whomever. */
  readonly closed: Promise<void>;
}

/** A part of an answer: bytes to write, or something to do, which may take its time. */
export type Step = Uint8Array | string | ((connection: Connection) => unknown);

/** What becomes of one request. Behind its last step, the connection waits for another. */
export interface Play {
  readonly steps: readonly Step[];
  /** Does the function run? Default: `true`. */
  readonly runs?: boolean;
}

export interface StreamingLambda {
  readonly endpoint: string;
  readonly counts: { connections: number; requests: number; runs: number };
  /** In the order they came. */
  readonly connections: readonly Connection[];
  /** The heads of the requests, as they came. */
  readonly heads: readonly string[];
  close(): void;
}

/** @param script What becomes of the first request, the second…; the last one holds for all that follow. */
export async function streamingLambda(...script: readonly [Play, ...Play[]]): Promise<StreamingLambda> {
  const counts = { connections: 0, requests: 0, runs: 0 };
  const connections: Connection[] = [];
  const heads: string[] = [];

  async function play(connection: Connection): Promise<void> {
    const { steps, runs = true } = script[Math.min(counts.requests, script.length - 1)] as Play;
    counts.requests++;
    if (runs) counts.runs++;
    for (const step of steps) {
      if (connection.socket.destroyed) return;
      await (typeof step === "function" ? step(connection) : write(connection.socket, step));
    }
  }

  const server = createServer((socket) => {
    counts.connections++;
    // Each piece in a packet of its own, as far as that can be had.
    socket.setNoDelay(true);
    socket.on("error", () => undefined);
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    const connection = { socket, closed };
    connections.push(connection);
    let seen = Buffer.alloc(0);
    let answering = Promise.resolve();
    socket.on("data", (chunk) => {
      seen = Buffer.concat([seen, chunk]);
      for (let request = takeRequest(seen); request !== undefined; request = takeRequest(seen)) {
        seen = seen.subarray(request.length);
        heads.push(request.head);
        answering = answering.then(() => play(connection));
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    counts,
    connections,
    heads,
    close() {
      server.close();
      for (const { socket } of connections) socket.destroy();
    },
  };
}

function takeRequest(bytes: Buffer): { head: string; length: number } | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const head = bytes.toString("latin1", 0, end);
  const length = end + 4 + Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
  return bytes.length < length ? undefined : { head, length };
}

/** When the bytes have left this process, or the client has gone. */
export function write(socket: Socket, bytes: Uint8Array | string): Promise<void> {
  return new Promise((resolve) => {
    socket.once("close", resolve);
    socket.write(bytes, () => {
      socket.off("close", resolve);
      resolve();
    });
  });
}

/** An orderly end of the connection. */
export const end: Step = ({ socket }) => void socket.end();
/** A sudden one. */
export const reset: Step = ({ socket }) => void socket.resetAndDestroy();

/** The same bytes again and again, no faster than they are taken, until the client goes. */
export function endless(bytes: Uint8Array): Step {
  return async ({ socket }) => {
    while (!socket.destroyed) await write(socket, bytes);
  };
}

/** Something that is waited for until it is opened. */
export interface Gate {
  readonly passed: Promise<void>;
  open(): void;
}

export function gate(): Gate {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open: () => open() };
}

/** Nobody takes any more of what is written: for many turns of this process's event loop, no byte has moved. */
export async function stalled({ socket }: Connection): Promise<void> {
  let [before, turns] = [-1, 0];
  while (turns < 50) {
    await turn();
    const moved = socket.bytesWritten - socket.writableLength;
    turns = moved === before && socket.writableLength > 0 ? turns + 1 : 0;
    before = moved;
  }
}

// What goes over the wire.

const FIELDS = {
  "Content-Type": "application/vnd.amazon.eventstream",
  "Transfer-Encoding": "chunked",
  "x-amzn-RequestId": "8b3ba6c4-5a0c-4e5b-9c25-4b5a4b5cdd1b",
  "X-Amz-Executed-Version": "$LATEST",
};

/** Status and headers of the answer of Lambda. */
export const HEAD: Buffer = Buffer.from(
  `HTTP/1.1 200 OK\r\n${Object.entries(FIELDS)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("")}\r\n`,
);

/** The end of the answer of Lambda. */
export const LAST: Buffer = Buffer.from("0\r\n\r\n");

/** A chunk of HTTP's. */
export function chunked(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
}

/** An event of Lambda's, as a message. */
export function event(type: string, payload: Uint8Array | string): Buffer {
  const headers = {
    ":event-type": type,
    ":content-type": type === "PayloadChunk" ? "application/octet-stream" : "application/json",
    ":message-type": "event",
  };
  return encodeMessage({ headers, payload: Buffer.from(payload) });
}

/** Bytes of the function's. */
export function payload(bytes: Uint8Array | string): Buffer {
  return event("PayloadChunk", bytes);
}

/** How the invocation ended. */
export function complete(said: object = {}): Buffer {
  return event("InvokeComplete", JSON.stringify(said));
}

/** A message that is no event: `exception` with a JSON body, or `error` with a text. */
export function broken(type: "exception" | "error", code: string, message: string): Buffer {
  const headers =
    type === "exception"
      ? { ":message-type": type, ":exception-type": code, ":content-type": "application/json" }
      : { ":message-type": type, ":error-code": code, ":error-message": message };
  return encodeMessage({ headers, payload: Buffer.from(type === "exception" ? JSON.stringify({ message }) : "") });
}

/** What a function that streams HTTP begins with. */
export function prelude(value: object, body: Uint8Array | string = ""): Buffer {
  return payload(writeFrame(value, Buffer.from(body)));
}

/** The whole answer, each message in a chunk of its own. */
export function answer(...messages: readonly Uint8Array[]): Buffer {
  return Buffer.concat([HEAD, ...messages.map(chunked), LAST]);
}

/** An answer of Lambda that refuses the call. */
export function refusal(status: number, name: string): Play {
  const body = JSON.stringify({ Type: "User", Message: "no" });
  const head = `HTTP/1.1 ${status} X\r\nx-amzn-ErrorType: ${name}\r\nContent-Length: ${body.length}\r\n\r\n`;
  return { steps: [head + body], runs: false };
}
