/** {@link LambdaResponse}: a `Response` that knows about its invocation. */
import { STATUS_CODES } from "node:http";
import { checkSize, decodeContent } from "./content-encoding.ts";
import { HTTPError, PayloadTooLargeError, type RequestSummary } from "./errors.ts";
import { bodyLength } from "./formats/body.ts";
import type { HeaderList, ResponseParts } from "./formats/format.ts";
import { findHeader, isHopByHop } from "./formats/headers.ts";
import type { InvocationInfo } from "./invocation-info.ts";
import { readEvents, readJsonLines, type ServerSentEvent } from "./read-stream.ts";
import type { Target } from "./target.ts";

/** Everything about a response that is not its status, headers and body. */
export interface ResponseFacts {
  readonly request: RequestSummary;
  /** Absent where a function has redirected onto the web. */
  readonly target?: Target;
  readonly invocation: InvocationInfo;
  readonly history: readonly LambdaResponse[];
  readonly elapsed: number;
  /** Held with its body: the platform cancels that of a response that nobody holds any more. */
  readonly source?: Response;
}

type BodyOf = ConstructorParameters<typeof Response>[0];

/**
 * A standard `Response`, with its readers as methods and its facts as accessors: on some platforms' types they are plain
 * properties, which no class could override.
 */
interface StandardResponse {
  readonly body: Response["body"];
  readonly bodyUsed: boolean;
  readonly headers: Response["headers"];
  readonly ok: boolean;
  readonly redirected: boolean;
  readonly status: number;
  readonly statusText: string;
  readonly type: Response["type"];
  readonly url: string;
  arrayBuffer(): Promise<ArrayBuffer>;
  blob(): ReturnType<Response["blob"]>;
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
  clone(): Response;
  formData(): ReturnType<Response["formData"]>;
  json<Value = unknown>(): Promise<Value>;
  text(): Promise<string>;
}

const StandardResponse: new (body?: BodyOf, init?: ResponseInit) => StandardResponse =
  Response as unknown as typeof StandardResponse;

/** Statuses with which a `Response` has no body: https://fetch.spec.whatwg.org/#null-body-status */
const NULL_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

/**
 * A standard `Response`, with what is known about the call. `fetch` and a `Session` return it; it is not made by hand.
 *
 * @example
 * const response = await session.get("http+lambda://orders/v1", { logs: true });
 * response.raiseForStatus();
 * console.log(response.status, response.invocation.requestId, response.invocation.report?.billedDuration);
 */
export class LambdaResponse extends StandardResponse {
  /**
   * What is known about the invocation: request id, version, logs. Where a function has redirected onto the web, that
   * function's.
   */
  readonly invocation: InvocationInfo;
  /** The redirects that led here, oldest first. */
  readonly history: readonly LambdaResponse[];
  /** Milliseconds from the call to this response, redirects included. */
  readonly elapsed: number;
  readonly #facts: ResponseFacts;
  /** Of a clone. The platform cancels the body of a response that nobody holds any more. */
  // biome-ignore lint/correctness/noUnusedPrivateClassMembers: held, not read
  #source: unknown;

  /** Made by `fetch` and a `Session`, which know the facts. */
  constructor(body: BodyOf, init: ResponseInit, facts: ResponseFacts) {
    super(body, init);
    this.#facts = facts;
    this.invocation = facts.invocation;
    this.history = facts.history;
    this.elapsed = facts.elapsed;
  }

  /** The canonical URL that answered. */
  override get url(): string {
    return this.#facts.request.url;
  }

  override get redirected(): boolean {
    return this.history.length > 0;
  }

  /**
   * Throws for 4xx and 5xx; returns the response itself otherwise.
   *
   * @throws {HTTPError}
   */
  raiseForStatus(): this {
    if (this.status >= 400) throw new HTTPError(this, { request: this.#facts.request, target: this.#facts.target });
    return this;
  }

  /**
   * The events of a `text/event-stream`, each as soon as it is here (with `responseStreaming`; else all at the end). To leave
   * the loop cancels the body. Nothing is asked for again when the stream breaks off: that would run the function again.
   *
   * @throws {HTTPError} for 4xx and 5xx.
   * @throws {TypeError} for a response of another type, or one whose body has been read.
   * @throws {InvokeError | FunctionError} when the stream breaks off.
   * @example
   * const answer = await session.post("http+lambda://chat/", { json: { question: "Why?" }, responseStreaming: true });
   * for await (const { data } of answer.events()) process.stdout.write(data);
   */
  async *events(): AsyncGenerator<ServerSentEvent, void, undefined> {
    this.raiseForStatus();
    const type = this.headers.get("content-type");
    const { body } = this;
    if (body === null) return;
    if (!/^text\/event-stream\s*(?:;|$)/i.test(type ?? "")) {
      const { method, url } = this.#facts.request;
      throw new TypeError(`${method} ${url}: the response is no text/event-stream but ${type ?? "of no type"}`);
    }
    yield* readEvents(this.#unreadBody(body));
  }

  /**
   * The values of a body that has one JSON document a line (`application/x-ndjson`, `application/jsonl`), each as soon as its
   * line is here. To leave the loop cancels the body.
   *
   * @throws {HTTPError} for 4xx and 5xx.
   * @throws {SyntaxError} for a line that is no JSON, and a `TypeError` for a body that has been read.
   * @throws {InvokeError | FunctionError} when the stream breaks off.
   * @example
   * const answer = await session.get("http+lambda://orders/export", { responseStreaming: true });
   * for await (const order of answer.jsonLines<Order>()) console.log(order);
   */
  async *jsonLines<Value = unknown>(): AsyncGenerator<Value, void, undefined> {
    this.raiseForStatus();
    const { body } = this;
    if (body !== null) yield* readJsonLines<Value>(this.#unreadBody(body));
  }

  #unreadBody(body: NonNullable<Response["body"]>): ReadableStream<Uint8Array> {
    if (this.bodyUsed || body.locked) throw new TypeError("Body is unusable: Body has already been read");
    return body as ReadableStream<Uint8Array>;
  }

  override clone(): LambdaResponse {
    const copy = super.clone();
    const { body, status, statusText, headers } = copy;
    const clone = new LambdaResponse(body, { status, statusText, headers }, this.#facts);
    clone.#source = copy;
    return clone;
  }
}

/**
 * A response whose text or bytes are already here. `json()`, `text()` and the like answer from them; a stream, which costs as
 * much as all the rest of a call (some 35 µs), is made only for those who ask for one.
 */
class BufferedResponse extends LambdaResponse {
  readonly #content: string | Uint8Array;
  readonly #fields: HeaderList;
  readonly #facts: ResponseFacts;
  #headers: Headers | undefined;
  #used = false;
  /** Are the bytes those of a clone as well? */
  #isShared = false;
  #standard: Response | undefined;

  /** @param content Of text, the bytes are made for those who ask, as is the `Headers` object of the fields. */
  constructor(content: string | Uint8Array, status: number, fields: HeaderList, facts: ResponseFacts) {
    super(null, { status, statusText: statusTextOf(status) }, facts);
    this.#content = content;
    this.#fields = fields;
    this.#facts = facts;
  }

  override get headers(): Headers {
    this.#headers ??= headersOf(this.#fields);
    return this.#headers;
  }

  /** From the first use of the stream on, a plain `Response` keeps the books. */
  #asStandard(): Response {
    this.#standard ??= new Response(bytesOf(this.#content) as BodyOf, { headers: this.headers });
    return this.#standard;
  }

  async #read<Result>(
    fromContent: (content: string | Uint8Array) => Result,
    fromStandard: (response: Response) => Promise<Result>,
  ) {
    if (this.#standard !== undefined) return fromStandard(this.#standard);
    if (this.#used) throw new TypeError("Body is unusable: Body has already been read");
    this.#used = true;
    return fromContent(this.#content);
  }

  override get body(): Response["body"] {
    const { body } = this.#asStandard();
    if (this.#used) {
      this.#used = false;
      void body?.cancel();
    }
    return body;
  }

  override get bodyUsed(): boolean {
    return this.#used || this.#standard?.bodyUsed === true;
  }

  override arrayBuffer(): Promise<ArrayBuffer> {
    return this.#read(
      (content) => this.#ownBytes(content).buffer,
      (response) => response.arrayBuffer(),
    );
  }

  override bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#read(
      (content) => this.#ownBytes(content),
      async (response) => new Uint8Array(await response.arrayBuffer()),
    );
  }

  override text(): Promise<string> {
    return this.#read(decodeText, (response) => response.text());
  }

  override json<Value = unknown>(): Promise<Value> {
    return this.#read(
      (content) => JSON.parse(decodeText(content)) as Value,
      (response) => response.json() as Promise<Value>,
    );
  }

  /** The bytes themselves where they are nobody else's, and all of their memory; a copy otherwise. */
  #ownBytes(content: string | Uint8Array): Uint8Array<ArrayBuffer> {
    const bytes = bytesOf(content);
    const isWhole = bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer;
    return isWhole && !this.#isShared ? new Uint8Array(bytes.buffer as ArrayBuffer) : new Uint8Array(bytes);
  }

  // These two need the content type, which the platform knows how to read.
  override async blob(): ReturnType<Response["blob"]> {
    return this.#unread().blob();
  }

  override async formData(): ReturnType<Response["formData"]> {
    return this.#unread().formData();
  }

  #unread(): Response {
    if (this.#used) throw new TypeError("Body is unusable: Body has already been read");
    return this.#asStandard();
  }

  override clone(): LambdaResponse {
    if (this.bodyUsed || this.#standard?.body?.locked) {
      throw new TypeError("Response.clone: Body has already been consumed.");
    }
    const fields = this.#headers === undefined ? this.#fields : [...this.#headers];
    const copy = new BufferedResponse(this.#content, this.status, fields, this.#facts);
    this.#isShared = true;
    copy.#isShared = true;
    return copy;
  }
}

// The servers of other runtimes read a Response's body from the inside, where a BufferedResponse has none.
const IS_NODE = !("Bun" in globalThis) && !("Deno" in globalThis);

/** The response that a function's result came to, with its body decoded; a promise of it only where that takes its time. */
export function toResponse(
  parts: ResponseParts,
  method: string,
  facts: ResponseFacts,
  maxResponseSize: number = Number.POSITIVE_INFINITY,
): LambdaResponse | Promise<LambdaResponse> {
  const { status, body } = parts;
  if (hasNoBody(method, status)) return new LambdaResponse(null, responseInit(status, parts.headers), facts);
  // A function's own count may be of what it had before an adapter compressed or encoded it.
  const size = bodyLength(body);
  const fields = parts.headers.filter(([name]) => name.toLowerCase() !== "content-length");
  fields.push(["content-length", String(size)]);
  const withContent = (content: string | Uint8Array): LambdaResponse =>
    IS_NODE
      ? new BufferedResponse(content, status, fields, facts)
      : new LambdaResponse(bytesOf(content) as BodyOf, responseInit(status, fields), facts);
  // Status and headers are good; whoever reads the body is told.
  const unreadable = (error: unknown): LambdaResponse => {
    const reason = readingError(error, facts);
    return new LambdaResponse(
      new ReadableStream({ start: (controller) => controller.error(reason) }) as BodyOf,
      responseInit(status, fields),
      facts,
    );
  };
  try {
    checkSize(size, maxResponseSize);
  } catch (error) {
    return unreadable(error);
  }
  if (findHeader(fields, "content-encoding") === undefined) return withContent(body);
  const encoding = headersOf(fields).get("content-encoding") ?? "";
  return decodeContent(bytesOf(body), encoding, maxResponseSize).then(withContent, unreadable);
}

/** What a reader of the body is told: a limit does not know by itself whose body is over it. */
export function readingError(error: unknown, facts: ResponseFacts): unknown {
  if (!(error instanceof PayloadTooLargeError)) return error;
  return new PayloadTooLargeError(error.message, { ...error, ...facts });
}

/** Status and headers. */
export function responseInit(status: number, fields: HeaderList): ResponseInit & { readonly headers: Headers } {
  return { status, statusText: statusTextOf(status), headers: headersOf(fields) };
}

function statusTextOf(status: number): string {
  return STATUS_CODES[status] ?? "";
}

/** All of them but those that are between two ends of a connection. */
function headersOf(fields: HeaderList): Headers {
  const headers = new Headers();
  for (const [name, value] of fields) {
    if (!isHopByHop(name.toLowerCase())) headers.append(name, value);
  }
  return headers;
}

/** Has a response to this none, whatever the function sent? */
export function hasNoBody(method: string, status: number): boolean {
  return method === "HEAD" || NULL_BODY.has(status);
}

/** The response of a web page to which a function has redirected, with what is known of that function. */
export function fromWeb(source: Response, facts: ResponseFacts): LambdaResponse {
  const { body, status, statusText, headers } = source;
  return new LambdaResponse(body, { status, statusText, headers }, { ...facts, source });
}

// One for all: it keeps nothing from one text to the next.
const UTF8 = new TextDecoder();

/** As `fetch` decodes text: UTF-8 whatever the content type says, without a byte-order mark. */
function decodeText(content: string | Uint8Array): string {
  if (typeof content !== "string") return UTF8.decode(content);
  return content.startsWith("\ufeff") ? content.slice(1) : content;
}

function bytesOf(content: string | Uint8Array): Uint8Array {
  return typeof content === "string" ? Buffer.from(content) : content;
}
