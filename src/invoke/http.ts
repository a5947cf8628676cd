/** HTTP/1.1 over node:http and node:https: one keep-alive agent an origin, and an answer with its bytes, or as they come. */
import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Socket } from "node:net";
import { listenForAbort } from "./abortable.ts";
import { timerOf } from "./duration.ts";
import { type OpenBody, openBody } from "./open-body.ts";

/** What goes over the wire. */
export interface WireRequest {
  readonly protocol: "http:" | "https:";
  readonly hostname: string;
  readonly port: number;
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export interface WireResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** An answer that is still to be read. */
interface OpenResponse extends OpenBody {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** All of it. */
  read(): Promise<Buffer>;
}

/** No answer, or half of one. */
export class NetworkError extends Error {
  override readonly name = "NetworkError";
  /** Node's: `ECONNREFUSED`, `ECONNRESET`, `ENOTFOUND`… */
  readonly code: string;
  /** Was the connection up, so that the request, or a part of it, may have arrived? */
  readonly sent: boolean;

  constructor(cause: NodeJS.ErrnoException, sent: boolean) {
    // A host with several addresses fails with an AggregateError, whose own message is empty.
    const first = cause instanceof AggregateError ? cause.errors[0] : cause;
    super(first?.message || cause.message, { cause });
    // What the parser stumbled over may hold what a function answered, and would be printed with the error.
    if ("rawPacket" in cause) delete cause.rawPacket;
    this.code = cause.code ?? first?.code ?? "ERR_NETWORK";
    this.sent = sent;
  }
}

/** Sends requests and keeps connections; one a client. */
export interface HttpClient {
  /**
   * @param onSend Called when there is a connection, just before the request is written to it.
   * @throws {NetworkError} when no whole answer came.
   * @throws the signal's reason once it is aborted; the socket is closed.
   */
  send(request: WireRequest, signal?: AbortSignal, onSend?: () => void): Promise<WireResponse>;
  /** The same, as soon as there are status and headers. The signal ends what is still being read as well. */
  open(request: WireRequest, signal?: AbortSignal, onSend?: () => void): Promise<OpenResponse>;
  /** Closes every connection; what is under way or waits for one fails. */
  close(): void;
}

/** What an {@link HttpClient} may be told. */
export interface HttpSettings {
  /** Default: no limit. */
  readonly maxSockets?: number | undefined;
  /** Milliseconds for DNS, TCP and TLS together. Default: 10 s. */
  readonly connectTimeout?: number | undefined;
}

// A free socket that the server closes just as a POST is written is a call of unknown outcome. Lambda keeps free
// connections longer than this, and a server that says how long gets a second less.
const FREE_SOCKET_MS = 20_000;
const HINT_MARGIN_MS = 1_000;
// As long as the platform's fetch waits. Where no packet comes back, TCP alone would try for two minutes.
const CONNECT_TIMEOUT_MS = 10_000;
// Lambda answers with 6 MB at most, emulators with whatever a function returns. This one only bounds memory.
const MAX_ANSWER = 200 * 1024 * 1024;
/** The code of an answer that is larger. */
export const ANSWER_TOO_LARGE = "ERR_ANSWER_TOO_LARGE";
/** The code of a call that `close()` ended. */
export const CLOSED = "ERR_CLOSED";
// TCP probes, so that a call of 15 minutes lives through a NAT gateway that drops what is idle for 350 s.
const PROBE_AFTER_MS = 1_000;

export function createHttpClient(settings: HttpSettings = {}): HttpClient {
  const { maxSockets = Number.POSITIVE_INFINITY, connectTimeout = CONNECT_TIMEOUT_MS } = settings;
  const agents = new Map<string, HttpAgent>();
  const underWay = new Set<() => void>();

  function agentFor({ protocol, hostname, port }: WireRequest): HttpAgent {
    const origin = `${protocol}//${hostname}:${port}`;
    let agent = agents.get(origin);
    if (agent === undefined) {
      // No timeout: none may cut a call in flight.
      agent = new (protocol === "https:" ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets });
      dropFreeSockets(agent);
      agents.set(origin, agent);
    }
    return agent;
  }

  const exchangeOf = (request: WireRequest, signal?: AbortSignal, onSend: () => void = () => undefined): Exchange => ({
    ...{ wire: request, agent: agentFor(request), signal, onSend, connectTimeout, underWay },
  });

  return {
    send: (request, signal, onSend) => exchange(exchangeOf(request, signal, onSend), readWhole),
    open: (request, signal, onSend) => exchange(exchangeOf(request, signal, onSend), openResponse),
    close() {
      // The agent alone would forget those that wait, and the others would look as if the server had gone.
      for (const end of underWay) end();
      for (const agent of agents.values()) agent.destroy();
      agents.clear();
    },
  };
}

/** One request, and what it needs. */
interface Exchange {
  readonly wire: WireRequest;
  readonly agent: HttpAgent;
  readonly signal: AbortSignal | undefined;
  readonly onSend: () => void;
  readonly connectTimeout: number;
  /** What `close()` ends. */
  readonly underWay: Set<() => void>;
}

/** What an exchange gives to whoever reads its answer. */
interface Reading {
  /** What an error of the answer's stream means: the signal's reason, or that the connection was lost. */
  errorOf(error: unknown): unknown;
  /** The answer is read. */
  finish(): void;
}

function exchange<Result>(
  { wire, agent, signal, onSend, connectTimeout, underWay }: Exchange,
  receive: (response: IncomingMessage, reading: Reading) => Result | Promise<Result>,
): Promise<Result> {
  if (signal?.aborted) return Promise.reject(signal.reason);
  const secure = wire.protocol === "https:";
  const { hostname, port, method, path, headers } = wire;
  const options = { agent, hostname, port, method, path, headers };
  const request: ClientRequest = (secure ? httpsRequest : httpRequest)(options);
  const answer = new Promise<Result>((resolve, reject) => {
    let sent = false;
    let connecting: NodeJS.Timeout | undefined;
    let ended: { readonly reason: unknown } | undefined;

    const end = (reason: unknown): void => {
      ended = { reason };
      finish();
      reject(reason);
      if (request.socket === null) leaveQueue(agent, request);
      request.destroy();
    };
    const onAbort = (): void => end(signal?.reason);
    const onClose = (): void => {
      end(new NetworkError(coded("the client was closed", CLOSED), sent));
    };
    // The first one is the cause of those that follow.
    const errorOf = (error: unknown): unknown => {
      ended ??= { reason: new NetworkError(error as NodeJS.ErrnoException, sent) };
      return ended.reason;
    };
    const onError = (error: unknown): void => {
      finish();
      reject(errorOf(error));
    };
    underWay.add(onClose);
    const forget = signal === undefined ? undefined : listenForAbort(signal, onAbort);
    const finish = (): void => {
      clearTimeout(connecting);
      underWay.delete(onClose);
      forget?.();
    };
    const onConnected = (): void => {
      clearTimeout(connecting);
      sent = true;
      onSend();
    };

    request.once("socket", (socket) => {
      if (!socket.connecting) return onConnected();
      const isLate = (): void => {
        request.destroy(coded(`no connection within ${connectTimeout} ms`, "ETIMEDOUT"));
      };
      connecting = setTimeout(isLate, timerOf(connectTimeout));
      socket.once(secure ? "secureConnect" : "connect", () => {
        onConnected();
        // The agent's `keepAlive` does it for a TLS socket only when that is free for the first time.
        socket.setKeepAlive(true, PROBE_AFTER_MS);
      });
    });
    // `on`: an aborted request emits an error of its own, after ours, that must not go unhandled.
    request.on("error", onError);
    // A 101 that nobody listens for would close the connection without an error, and the call would never end.
    request.once("upgrade", (_response, socket) => {
      socket.destroy();
      onError(new Error("the server switched to another protocol"));
    });
    request.once("response", (response) => {
      const hint = response.headers["keep-alive"];
      if (hint !== undefined) keepAliveHints.set(response.socket, String(hint));
      Promise.resolve(receive(response, { errorOf, finish })).then(resolve, onError);
    });
  });
  // Out here, for what the promise's functions hold stays as long as a body that streams.
  request.end(wire.body);
  return answer;
}

async function readWhole(response: IncomingMessage, { finish }: Reading): Promise<WireResponse> {
  const body = await readBody(response);
  finish();
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}

function openResponse(response: IncomingMessage, { errorOf, finish }: Reading): OpenResponse {
  response.once("close", finish);
  return {
    ...openBody(response, errorOf),
    status: response.statusCode ?? 0,
    headers: response.headers,
    read: () =>
      readBody(response).catch((error: unknown) => {
        throw errorOf(error);
      }),
  };
}

/** For a request that is still in it when a connection goes, the agent would open another. */
function leaveQueue(agent: HttpAgent, request: ClientRequest): void {
  const queues = agent.requests as Record<string, unknown[]>;
  for (const [name, waiting] of Object.entries(queues)) {
    const others = waiting.filter((one) => one !== request);
    if (others.length > 0) queues[name] = others;
    // The agent takes none to be empty.
    else delete queues[name];
  }
}

/** An error as Node makes them. */
function coded(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}

function readBody(response: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    response.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_ANSWER) chunks.push(chunk);
      else response.destroy(coded(`the answer is over ${MAX_ANSWER} bytes`, ANSWER_TOO_LARGE));
    });
    response.once("error", reject);
    response.once("end", () =>
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)),
    );
  });
}

// What a server said in `Keep-Alive` on the connection's last answer.
const keepAliveHints = new WeakMap<object, string>();

/** Node's own agent would put its `timeout` on calls in flight as well. */
function dropFreeSockets(agent: HttpAgent): void {
  const drop = function (this: Socket): void {
    this.destroy();
  };
  const { keepSocketAlive, reuseSocket } = agent as HttpAgent & FreeSocketHooks;
  Object.assign(agent, {
    keepSocketAlive(socket: Socket): boolean {
      const limit = freeSocketLimit(keepAliveHints.get(socket));
      if (!keepSocketAlive.call(agent, socket) || limit <= 0) return false;
      socket.setTimeout(limit, drop);
      return true;
    },
    reuseSocket(socket: Socket, request: ClientRequest): void {
      socket.setTimeout(0, drop);
      reuseSocket.call(agent, socket, request);
    },
  } satisfies FreeSocketHooks);
}

function freeSocketLimit(keepAlive: string | undefined): number {
  const hint = /timeout=(\d+)/i.exec(keepAlive ?? "")?.[1];
  return hint === undefined ? FREE_SOCKET_MS : Math.min(FREE_SOCKET_MS, Number(hint) * 1000 - HINT_MARGIN_MS);
}

// Documented for subclasses, but not typed: https://nodejs.org/docs/latest-v20.x/api/http.html#agentkeepsocketalivesocket
interface FreeSocketHooks {
  keepSocketAlive(socket: Socket): boolean;
  reuseSocket(socket: Socket, request: ClientRequest): void;
}
