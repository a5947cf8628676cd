/**
 * Reads answers in HTTP/1.1, as they come: https://www.rfc-editor.org/rfc/rfc9112. Strict as Node's own parser, whose names for
 * what is wrong it uses; that parser judges it in the tests.
 *
 * Our own because `node:http` does not give its parser away, and with it costs five times as much as its sockets alone.
 */
import { isToken } from "../formats/headers.ts";

/** Header fields by their names in lower case, with nothing but them. Values of one name are joined, as `Headers` does. */
export type WireHeaders = Readonly<Record<string, string | undefined>>;

/** Status and headers of an answer. */
export interface AnswerHead {
  readonly status: number;
  readonly headers: WireHeaders;
  /** Of its body, where it says so beforehand. */
  readonly length: number | undefined;
  /** May its connection be used again? */
  readonly isKeptAlive: boolean;
}

/** Who is told of an answer's parts. */
export interface AnswerListener {
  onHead(head: AnswerHead): void;
  onBody(piece: Buffer): void;
  onEnd(): void;
}

/** One parser reads the answers of one connection. */
export interface AnswerParser {
  /** @throws an error with a code such as `HPE_INVALID_CONSTANT` when it is no HTTP; nothing is to be read after that. */
  read(bytes: Buffer): void;
  /** No more bytes will come: the end of an answer that says nothing of its own. */
  end(): void;
}

// As Node's own: enough for every answer, and a bound for what a server can make a client keep.
const MAX_HEAD = 16 * 1024;
const HEAD_END = "\r\n\r\n";
const START = "HTTP/1.";
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?(?:\r\n|$)/;
/** What the value of a field must not hold: it would begin another line, or be lost on its way. */
export const NOT_ON_A_LINE: RegExp = /[^\t\x20-\x7e\x80-\xff]/;
/** Of these a second value is a mistake of whoever stands on the way; the first one counts. */
const SINGLE: ReadonlySet<string> = new Set(["age", "content-type", "date", "retry-after"]);
const NO_BODY: ReadonlySet<number> = new Set([204, 304]);

/** What comes next. */
type State = "head" | "body" | "chunk-size" | "chunk" | "chunk-end" | "trailers" | "rest";

export function createAnswerParser(listener: AnswerListener): AnswerParser {
  let state: State = "head";
  // Of a line, or of a head, that has not all come.
  let held = "";
  // Of the body, or of the chunk.
  let left = 0;

  /** What is held and the bytes up to `mark`, which is taken off as well; `undefined` when there is none yet. */
  function takeUntil(mark: string, bytes: Buffer, position: number): { text: string; next: number } | undefined {
    if (held === "") {
      const end = bytes.indexOf(mark, position, "latin1");
      if (end >= 0) return { text: bytes.toString("latin1", position, end), next: end + mark.length };
    }
    const before = held.length;
    // No more than is needed to see that it is too much.
    held += bytes.toString("latin1", position, Math.min(bytes.length, position + MAX_HEAD + 1));
    const end = held.indexOf(mark, Math.max(0, before - mark.length));
    if (end < 0) return undefined;
    const text = held.slice(0, end);
    held = "";
    return { text, next: position + end + mark.length - before };
  }

  function finish(): void {
    state = "head";
    listener.onEnd();
  }

  /** The position behind what it has read. */
  function readHead(bytes: Buffer, position: number): number {
    const taken = takeUntil(HEAD_END, bytes, position);
    const text = taken?.text ?? held;
    const begin = text.slice(0, START.length);
    if (!START.startsWith(begin)) throw broken("HPE_INVALID_CONSTANT", "it does not begin with HTTP/1");
    if (text.length > MAX_HEAD) throw broken("HPE_HEADER_OVERFLOW", `its headers are over ${MAX_HEAD} bytes`);
    if (taken === undefined) return bytes.length;

    const head = parseHead(text);
    const { status, headers } = head;
    if (status === 101) throw new Error("the server switched to another protocol");
    // What is said in between is for those who asked for it.
    if (status < 200) return taken.next;
    if (headers["transfer-encoding"] !== undefined) state = "chunk-size";
    else if (head.length === undefined) state = "rest";
    else {
      state = "body";
      left = head.length;
    }
    listener.onHead(head);
    if (state === "body" && left === 0) finish();
    return taken.next;
  }

  function readBody(bytes: Buffer, position: number): number {
    const end = Math.min(bytes.length, position + left);
    left -= end - position;
    listener.onBody(bytes.subarray(position, end));
    if (left === 0) {
      if (state === "chunk") state = "chunk-end";
      else finish();
    }
    return end;
  }

  /** Lines between the bytes of a chunked body. */
  function readLine(bytes: Buffer, position: number): number {
    const taken = takeUntil("\r\n", bytes, position);
    const line = taken?.text ?? held;
    if (state === "chunk-end" && !"\r".startsWith(line)) throw broken("HPE_STRICT", "a chunk is longer than it says");
    if (line.length > MAX_HEAD) throw broken("HPE_HEADER_OVERFLOW", `it has a line of over ${MAX_HEAD} bytes`);
    if (taken === undefined) return bytes.length;
    if (state === "chunk-end") state = "chunk-size";
    else if (state === "trailers") readTrailer(line);
    else {
      left = chunkSize(line);
      state = left === 0 ? "trailers" : "chunk";
    }
    return taken.next;
  }

  /** They are of no use to us. */
  function readTrailer(line: string): void {
    if (line === "") finish();
    else if (NOT_ON_A_LINE.test(line) || !isToken(line.slice(0, line.indexOf(":")))) throw badField();
  }

  return {
    read(bytes) {
      for (let position = 0; position < bytes.length; ) {
        if (state === "head") position = readHead(bytes, position);
        else if (state === "body" || state === "chunk") position = readBody(bytes, position);
        else if (state === "rest") {
          listener.onBody(bytes.subarray(position));
          return;
        } else position = readLine(bytes, position);
      }
    },
    end() {
      if (state === "rest") finish();
    },
  };
}

/** @param text Without the empty line that ends it. */
function parseHead(text: string): AnswerHead {
  const [, minor, digits] = STATUS_LINE.exec(text) ?? [];
  if (digits === undefined) throw broken("HPE_INVALID_STATUS", "its first line has no status");
  const status = Number(digits);
  const headers = parseFields(text);
  const { connection = "", "content-length": length, "transfer-encoding": coding } = headers;
  if (coding !== undefined) {
    // Two ends that differ: whoever stands on the way may take the other one.
    if (length !== undefined) throw broken("HPE_UNEXPECTED_CONTENT_LENGTH", "it has both a length and chunks");
    if (coding.toLowerCase() !== "chunked") {
      throw broken("HPE_INVALID_TRANSFER_ENCODING", "its transfer encoding is not chunked");
    }
  } else if (length?.includes(",")) {
    throw broken("HPE_UNEXPECTED_CONTENT_LENGTH", "it has two lengths");
  } else if (length !== undefined && !/^\d{1,15}$/.test(length)) {
    throw broken("HPE_INVALID_CONTENT_LENGTH", "its length is no number");
  }
  const hasNoBody = NO_BODY.has(status);
  const hasEnd = hasNoBody || length !== undefined || coding !== undefined;
  const isClosed = /(?:^|,)\s*close\s*(?:,|$)/i.test(connection);
  return {
    status,
    headers: hasNoBody ? { ...headers, "transfer-encoding": undefined } : headers,
    length: hasNoBody ? 0 : length === undefined ? undefined : Number(length),
    isKeptAlive: hasEnd && !isClosed && (minor === "1" || /keep-alive/i.test(connection)),
  };
}

// As AWS spells them. A name that is known need not be looked at, nor put into lower case: a third of the time for a head,
// together with fields that are not kept in a hash table, as those of an object without any prototype are.
const NAMES: ReadonlyMap<string, string> = new Map(
  [
    "Connection",
    "Content-Length",
    "Content-Type",
    "Date",
    "X-Amz-Executed-Version",
    "X-Amz-Function-Error",
    "X-Amz-Log-Result",
    "X-Amzn-Remapped-Content-Length",
    "X-Amzn-Trace-Id",
    "x-amzn-RequestId",
  ].map((name) => [name, name.toLowerCase()]),
);
const NOTHING: object = Object.freeze(Object.create(null));

function parseFields(text: string): Record<string, string> {
  const fields = Object.create(NOTHING) as Record<string, string>;
  let start = text.indexOf("\r\n") + 2;
  if (start === 1) return fields;
  while (start < text.length) {
    const found = text.indexOf("\r\n", start);
    const end = found < 0 ? text.length : found;
    const colon = text.indexOf(":", start);
    if (colon < 0 || colon > end) throw badField();
    const name = fieldName(text.slice(start, colon));
    const value = trimmed(text, colon + 1, end);
    if (NOT_ON_A_LINE.test(value)) throw badField();
    const known = fields[name];
    if (known === undefined) fields[name] = value;
    else if (!SINGLE.has(name)) fields[name] = `${known}, ${value}`;
    start = end + 2;
  }
  return fields;
}

function fieldName(spelled: string): string {
  const known = NAMES.get(spelled);
  if (known !== undefined) return known;
  if (!isToken(spelled)) throw badField();
  return spelled.toLowerCase();
}

/** HTTP's own white space only, where `trim` takes more. */
function trimmed(text: string, start: number, end: number): string {
  let [first, last] = [start, end];
  while (first < last && isSpace(text.charCodeAt(first))) first++;
  while (last > first && isSpace(text.charCodeAt(last - 1))) last--;
  return text.slice(first, last);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** Its size, before extensions that nobody uses. */
function chunkSize(line: string): number {
  const digits = /^([\da-f]{1,12})[ \t]*(?:;[^\r\n]*)?$/i.exec(line)?.[1];
  if (digits === undefined) throw broken("HPE_INVALID_CHUNK_SIZE", "the size of a chunk is no number");
  return Number.parseInt(digits, 16);
}

function badField(): Error {
  return broken("HPE_INVALID_HEADER_TOKEN", "one of its header fields is none");
}

/** @param code As Node's parser has it. */
export function broken(code: string, what: string): Error {
  return Object.assign(new Error(`the answer is no HTTP: ${what}`), { code });
}
