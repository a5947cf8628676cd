/** A server in Lambda's place that fails as it is told to, on raw sockets, and counts how often the function ran. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

/** One way in which an invocation can end. */
export interface Fault {
  readonly name: string;
  /** Does the function run before that? */
  readonly runs: boolean;
  /** Does the server act as soon as there is a connection, or the head of a request? Default: once it has all of one. */
  readonly early?: "connection" | "head";
  /** What the server does then. */
  readonly answer: (socket: Socket) => void;
}

export interface FaultyLambda {
  readonly endpoint: string;
  /** Connections, requests that arrived whole, and runs of the function. */
  readonly counts: { connections: number; requests: number; runs: number };
  /** The heads of the requests, as they came. */
  readonly heads: string[];
  close(): void;
}

/** @param script What becomes of the first request, the second…; the last one holds for all that follow. */
export async function faultyLambda(...script: [Fault, ...Fault[]]): Promise<FaultyLambda> {
  const counts = { connections: 0, requests: 0, runs: 0 };
  const heads: string[] = [];
  let done = 0;
  const next = (): Fault => script[Math.min(done, script.length - 1)] as Fault;
  function act(socket: Socket): void {
    const fault = next();
    done++;
    if (fault.runs) counts.runs++;
    fault.answer(socket);
  }
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    counts.connections++;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    let seen = Buffer.alloc(0);
    let isOver = next().early === "connection";
    if (isOver) act(socket);
    socket.on("data", (chunk) => {
      if (isOver) return;
      seen = Buffer.concat([seen, chunk]);
      if (next().early === "head" && seen.includes("\r\n\r\n")) {
        isOver = true;
        return act(socket);
      }
      for (let request = takeRequest(seen); request !== undefined; request = takeRequest(seen)) {
        seen = seen.subarray(request.length);
        heads.push(request.head);
        counts.requests++;
        act(socket);
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    counts,
    heads,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
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

/** An answer in HTTP/1.1; the connection stays open. */
export function http(status: number, headers: Readonly<Record<string, string>>, body: string): string {
  const fields = Object.entries({ "Content-Length": String(Buffer.byteLength(body)), ...headers });
  return `HTTP/1.1 ${status} X\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`;
}

/** The function ran, and this is its result. */
export function result(payload: unknown, headers: Readonly<Record<string, string>> = {}): Fault {
  const body = JSON.stringify(payload);
  return answers(`the result ${body.slice(0, 60)}`, true, http(200, headers, body));
}

/** Lambda refuses the call: the function does not run. */
export function refusal(
  status: number,
  name: string,
  headers: Readonly<Record<string, string>> = {},
  body: object = {},
): Fault {
  const text = JSON.stringify({ Type: "User", message: "no", ...body });
  return answers(`${status} ${name}`, false, http(status, { "x-amzn-ErrorType": name, ...headers }, text));
}

/** Bytes that are a whole answer. The connection stays open: closed behind it, it might take the next request along. */
export function answers(name: string, runs: boolean, bytes: string): Fault {
  return { name, runs, answer: (socket) => socket.write(bytes) };
}

/** Bytes, and then the connection is closed; orderly, or with a reset. */
export function breaks(name: string, runs: boolean, bytes = "", how: "end" | "reset" = "end"): Fault {
  const close = (socket: Socket): void => void (how === "end" ? socket.end() : socket.resetAndDestroy());
  return {
    name,
    runs,
    answer: (socket) => void (bytes === "" ? close(socket) : socket.write(bytes, () => close(socket))),
  };
}
