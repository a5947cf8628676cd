/**
 * HTTP/1.1 over Node's sockets: a request out, and an answer with its bytes, or as they come.
 *
 * Not over `node:http`, of whose streams and events a call needs few: in one run, a bare POST took 105 µs with it, 43 with undici
 * (whose loading takes as long as two calls of AWS's SDK), and 19 over a socket. And only who writes the bytes knows for certain
 * whether any were written.
 */
import { listenForAbort } from "./abortable.ts";
import { type AnswerBody, createAnswerBody, type MakeDecoder } from "./answer-body.ts";
import { type AnswerReader, type Connection, coded, type Origin } from "./connection.ts";
import { type Caller, type Connections, createConnections } from "./connections.ts";
import { type AnswerHead, NOT_ON_A_LINE, type WireHeaders } from "./http-parser.ts";
import type { OpenBody } from "./open-body.ts";

/** What goes over the wire. */
export interface WireRequest extends Origin {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export interface WireResponse {
  readonly status: number;
  readonly headers: WireHeaders;
  readonly body: Buffer;
}

/** An answer that is still to be read. */
interface OpenResponse<Part> extends Omit<WireResponse, "body"> {
  readonly body: OpenBody<Part>;
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
    // What Node's parser stumbled over may hold what a function answered, and would be printed with the error.
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
  /**
   * The same as soon as there are status and headers, unless the status is an error's. The signal ends what is still being read
   * as well.
   */
  open<Part>(
    request: WireRequest,
    makeDecoder: MakeDecoder<Part>,
    signal?: AbortSignal,
    onSend?: () => void,
  ): Promise<OpenResponse<Part> | WireResponse>;
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

// As long as the platform's fetch waits. Where no packet comes back, TCP alone would try for two minutes.
const CONNECT_TIMEOUT_MS = 10_000;
// Lambda answers with 6 MB at most, emulators with whatever a function returns. This one only bounds memory.
const MAX_ANSWER = 200 * 1024 * 1024;
/** The code of an answer that is larger. */
export const ANSWER_TOO_LARGE = "ERR_ANSWER_TOO_LARGE";
/** The code of a call that `close()` ended. */
export const CLOSED = "ERR_CLOSED";

export function createHttpClient(settings: HttpSettings = {}): HttpClient {
  const { maxSockets = Number.POSITIVE_INFINITY, connectTimeout = CONNECT_TIMEOUT_MS } = settings;
  const origins = new Map<string, Connections>();

  function connectionsTo({ protocol, hostname, port }: Origin): Connections {
    const name = `${protocol}//${hostname}:${port}`;
    let connections = origins.get(name);
    if (connections === undefined) {
      // Not what was given, which may be a request, and would be kept with all that it holds.
      connections = createConnections({ protocol, hostname, port }, maxSockets, connectTimeout);
      origins.set(name, connections);
    }
    return connections;
  }

  return {
    send: (request, signal, onSend) => exchange(connectionsTo(request), { request, signal, onSend }, readWhole),
    open: (request, makeDecoder, signal, onSend) =>
      exchange(connectionsTo(request), { request, signal, onSend }, (reading) => readAsItComes(reading, makeDecoder)),
    close() {
      for (const connections of origins.values()) connections.close(coded("the client was closed", CLOSED));
      origins.clear();
    },
  };
}

/** What is sent, and who is to know. */
interface Sending {
  readonly request: WireRequest;
  readonly signal: AbortSignal | undefined;
  readonly onSend: (() => void) | undefined;
}

/** What an exchange gives to whoever reads its answer. */
interface Reading<Result> {
  readonly connection: Connection;
  resolve(result: Result): void;
  fail(error: unknown): void;
  /** What an error means: the signal's reason, or that the connection was lost. */
  errorOf(error: unknown): unknown;
  /** The answer is read. */
  finish(): void;
}

function exchange<Result>(
  connections: Connections,
  { request, signal, onSend }: Sending,
  makeReader: (reading: Reading<Result>) => AnswerReader,
): Promise<Result> {
  if (signal?.aborted) return Promise.reject(signal.reason);
  // Forgotten as soon as it is sent: a body that streams may be read for minutes.
  let unsent: { readonly head: string; readonly body: Uint8Array } | undefined = {
    head: writeHead(request),
    body: request.body,
  };
  return new Promise((resolve, reject) => {
    let reader: AnswerReader | undefined;
    let forget: (() => void) | undefined;
    // The first one is the cause of those that follow.
    let ended: { readonly reason: unknown } | undefined;
    const finish = (): void => forget?.();
    const errorOf = (error: unknown): unknown => {
      ended ??= { reason: new NetworkError(error as Error, reader !== undefined) };
      return ended.reason;
    };
    const fail = (error: unknown): void => {
      finish();
      reject(errorOf(error));
    };
    const caller: Caller = {
      onConnection(connection) {
        reader = makeReader({ connection, resolve, fail, errorOf, finish });
        onSend?.();
        if (unsent !== undefined) connection.exchange(unsent.head, unsent.body, reader);
        unsent = undefined;
      },
      onFailure: fail,
    };
    if (signal !== undefined) {
      forget = listenForAbort(signal, () => {
        ended = { reason: signal.reason };
        connections.leave(caller);
        (reader ?? caller).onFailure(new Error("aborted"));
      });
    }
    connections.take(caller);
  });
}

/** @throws {TypeError} when a credential or a header of the caller's would become more than a line. It is not shown. */
function writeHead({ method, path, headers }: WireRequest): string {
  let head = `${method} ${path} HTTP/1.1\r\n`;
  for (const name in headers) {
    const value = headers[name] as string;
    if (NOT_ON_A_LINE.test(value)) throw new TypeError(`the header ${name} can't hold a control character`);
    head += `${name}: ${value}\r\n`;
  }
  return `${head}Connection: keep-alive\r\n\r\n`;
}

function readWhole({ connection, resolve, fail, finish }: Reading<WireResponse>): AnswerReader {
  let head: AnswerHead;
  let body: Collector;
  return {
    onHead(given) {
      head = given;
      body = createCollector(head.length);
    },
    onBody: (piece) => body.add(piece),
    onEnd() {
      finish();
      const { status, headers } = head;
      resolve({ status, headers, body: body.bytes() });
    },
    onFailure(error) {
      connection.destroy();
      fail(error);
    },
  };
}

function readAsItComes<Part>(
  reading: Reading<OpenResponse<Part> | WireResponse>,
  makeDecoder: MakeDecoder<Part>,
): AnswerReader {
  const whole = readWhole(reading);
  let body: AnswerBody<Part> | undefined;
  return {
    onHead(head) {
      const { status, headers } = head;
      if (status >= 300) return whole.onHead(head);
      body = createAnswerBody(reading.connection, makeDecoder, reading.finish);
      reading.resolve({ status, headers, body });
    },
    onBody: (piece) => (body === undefined ? whole.onBody(piece) : body.read(piece)),
    onEnd: () => (body === undefined ? whole.onEnd() : body.end()),
    onFailure(error) {
      if (body === undefined) return whole.onFailure(error);
      const reason = reading.errorOf(error);
      if (reason instanceof NetworkError) body.lose(reason);
      else body.abort(reason);
    },
  };
}

interface Collector {
  add(piece: Buffer): void;
  bytes(): Buffer;
}

/** Puts pieces together: at once, where their length is known, so that a large answer is not in memory twice. */
function createCollector(length: number | undefined): Collector {
  const pieces: Buffer[] = [];
  let whole: Buffer | undefined;
  let size = 0;
  return {
    add(piece) {
      size += piece.length;
      if (size > MAX_ANSWER) throw coded(`the answer is over ${MAX_ANSWER} bytes`, ANSWER_TOO_LARGE);
      if (length === undefined || length > MAX_ANSWER) pieces.push(Buffer.from(piece));
      else {
        whole ??= Buffer.allocUnsafe(length);
        piece.copy(whole, size - piece.length);
      }
    },
    bytes: () => whole ?? (pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces, size)),
  };
}
