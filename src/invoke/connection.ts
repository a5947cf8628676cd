/** One connection to an origin: a request is written to it, an answer is read from it, and then the next. */
import { connect as connectTcp, isIP, type OnReadOpts, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { timerOf } from "./duration.ts";
import { type AnswerListener, broken, createAnswerParser } from "./http-parser.ts";

/** Where connections go. */
export interface Origin {
  readonly protocol: "http:" | "https:";
  /** An IPv6 address has no brackets here. */
  readonly hostname: string;
  readonly port: number;
}

/** Who has asked for an answer. */
export interface AnswerReader extends AnswerListener {
  /** It will not come, or not whole. */
  onFailure(error: Error): void;
}

export interface Connection {
  /** Writes a request and has its answer read. One at a time. */
  exchange(head: string, body: Uint8Array, reader: AnswerReader): void;
  /** Keeps it while nobody needs it: for so many milliseconds, and without keeping the process alive. */
  keep(milliseconds: number): void;
  /** Takes it into use again; `false` when it is gone. */
  reuse(): boolean;
  pause(): void;
  resume(): void;
  /** Closes it; whoever waits for an answer is told why. */
  destroy(reason?: Error): void;
}

/** What happens to a connection between its exchanges. */
interface ConnectionEvents {
  onConnect(connection: Connection): void;
  /** Its answer has been read, and it may have another. `hint` is what the server said in `Keep-Alive`. */
  onFree(connection: Connection, hint: string | undefined): void;
  /** @param reason Of one that was never up. */
  onClose(connection: Connection, reason: Error | undefined): void;
  /** TLS has something with which the next handshake is shorter. */
  onSession(session: Buffer): void;
}

// What arrives at any connection is read into the same memory, and looked at before anything else is read: a buffer of 64 KB for
// each answer of a few hundred bytes, and as many for one of megabytes, is work for the garbage collector.
const SHARED = Buffer.alloc(64 * 1024);

// TCP probes, so that a call of 15 minutes lives through a NAT gateway that drops what is idle for 350 s.
const PROBE_AFTER_MS = 1_000;

/**
 * @param timeout Milliseconds until it is up: DNS, TCP and TLS.
 * @param session Of an earlier connection.
 */
export function openConnection(
  origin: Origin,
  { timeout, session }: { readonly timeout: number; readonly session: Buffer | undefined },
  events: ConnectionEvents,
): Connection {
  const isSecure = origin.protocol === "https:";
  const onread = { buffer: SHARED, callback: read };
  const { hostname: host, port } = origin;
  const socket = isSecure ? secureSocket(origin, session, onread) : connectTcp({ host, port, onread });
  let reader: AnswerReader | undefined;
  let isUp = false;
  let whyNot: Error | undefined;
  // Of the answer that is being read.
  let hasBegun = false;
  let isOver = false;
  let isKeptAlive = false;
  let hint: string | undefined;

  const parser = createAnswerParser({
    onHead(head) {
      if (isOver) throw broken("HPE_INVALID_CONSTANT", "more came than it said");
      hasBegun = true;
      isKeptAlive = head.isKeptAlive;
      hint = head.headers["keep-alive"];
      reader?.onHead(head);
    },
    onBody: (piece) => reader?.onBody(piece),
    // Told when all that came with it has been looked at.
    onEnd() {
      isOver = true;
    },
  });

  function fail(reason: Error): void {
    const waiting = reader;
    reader = undefined;
    if (!isUp) whyNot ??= reason;
    socket.destroy();
    waiting?.onFailure(reason);
  }

  function finish(): void {
    const done = reader;
    reader = undefined;
    hasBegun = false;
    isOver = false;
    // A request that is answered before it is all written is on its way still.
    const isClean = isKeptAlive && socket.writableLength === 0 && !socket.destroyed;
    if (socket.isPaused()) socket.resume();
    // Free before its caller is told, who may have another request.
    if (isClean) events.onFree(connection, hint);
    else socket.destroy();
    done?.onEnd();
  }

  const connection: Connection = {
    exchange(head, body, given) {
      reader = given;
      // One system call for both.
      socket.cork();
      socket.write(head, "latin1");
      socket.write(body);
      socket.uncork();
    },
    keep(milliseconds) {
      socket.unref();
      socket.setTimeout(milliseconds);
    },
    reuse() {
      if (socket.destroyed) return false;
      socket.ref();
      // None may cut a call in flight.
      socket.setTimeout(0);
      return true;
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    destroy(reason) {
      if (reason === undefined) reader = undefined;
      else fail(reason);
      socket.destroy();
    },
  };

  const late = setTimeout(() => fail(coded(`no connection within ${timeout} ms`, "ETIMEDOUT")), timerOf(timeout));
  socket.once(isSecure ? "secureConnect" : "connect", () => {
    clearTimeout(late);
    isUp = true;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, PROBE_AFTER_MS);
    events.onConnect(connection);
  });
  socket.on("end", () => {
    parser.end();
    if (isOver) finish();
    else if (isUp) fail(hangUp());
  });
  socket.on("timeout", () => socket.destroy());
  socket.on("session", events.onSession);
  socket.on("error", fail);
  socket.on("close", () => {
    clearTimeout(late);
    fail(hangUp());
    events.onClose(connection, whyNot);
  });
  return connection;

  /** @returns whether to read on; it pauses the socket by itself. */
  function read(count: number): boolean {
    // Nobody has asked for anything: the next call must not take it for its answer.
    if (reader === undefined) {
      socket.destroy();
      return true;
    }
    try {
      parser.read(SHARED.subarray(0, count));
    } catch (error) {
      fail(error as Error);
      return true;
    }
    if (isOver) finish();
    return true;
  }

  /** In the words of Node's own client. */
  function hangUp(): Error {
    return coded(hasBegun ? "aborted" : "socket hang up", "ECONNRESET");
  }
}

function secureSocket({ hostname, port }: Origin, session: Buffer | undefined, onread: OnReadOpts): Socket {
  // Node takes `onread` here too, its types don't know: https://nodejs.org/api/tls.html#tlsconnectoptions-callback
  const options: ConnectionOptions & { onread: OnReadOpts } = {
    host: hostname,
    port,
    onread,
    ALPNProtocols: ["http/1.1"],
    // An address has no name to ask for: https://www.rfc-editor.org/rfc/rfc6066#section-3
    ...(isIP(hostname) === 0 && { servername: hostname }),
    ...(session !== undefined && { session }),
  };
  return connectTls(options);
}

/** An error as Node makes them. */
export function coded(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}
