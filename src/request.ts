/** What a caller gave to `fetch`, as plain data: a method, a header list, a body. No `Request` object is made. */
import { basicAuthorization } from "./auth.ts";
import type { EventRequest, HeaderList } from "./formats/format.ts";
import { checkHeader, findHeader, isToken } from "./formats/headers.ts";
import { listenForAbort } from "./invoke/abortable.ts";
import type { RequestOptions } from "./options.ts";
import type { LambdaUrl } from "./target.ts";
import { VERSION } from "./version.ts";

/**
 * Headers as callers give them: whatever `fetch` takes, an object whose values may be arrays (`undefined` leaves a
 * header out), or pairs. Pairs and arrays keep the values of one name apart, which a `Headers` object can't.
 */
export type HeadersInput =
  | NonNullable<RequestInit["headers"]>
  | Iterable<readonly [name: string, value: string]>
  | Readonly<Record<string, string | readonly string[] | undefined>>;

/** What `fetch` takes as a body. */
export type BodyInput = NonNullable<RequestInit["body"]> | AsyncIterable<Uint8Array>;

/** The second argument of our `fetch`: the standard's, and `lambda`. */
export interface LambdaRequestInit extends Omit<RequestInit, "headers" | "body"> {
  /** Names keep their casing, and pairs and arrays keep values of one name apart. */
  headers?: HeadersInput | undefined;
  /** What `fetch` takes. A stream is collected first: an event is one JSON document. */
  body?: BodyInput | null | undefined;
  /** Options of this request alone. They do not survive a `Request` object. */
  lambda?: RequestOptions | undefined;
}

/** A request read: everything that a redirect may change. */
export interface ReadRequest {
  readonly method: string;
  readonly headers: HeaderList;
  readonly body: string | Uint8Array | null;
}

/** What these bytes or this text are, where the body says so itself. */
interface ReadBody {
  readonly body: string | Uint8Array | null;
  readonly contentType?: string;
}

/** What reading a request needs besides the request. */
interface ReadOptions {
  /** Of the URL. */
  readonly userinfo?: readonly [string, string] | undefined;
  /** Ends a body that is still being read. */
  readonly signal?: AbortSignal | undefined;
  readonly limit?: BodyLimit | undefined;
  /** Must a stream not be ended in the middle, be it too long? */
  readonly isReadToEnd?: boolean;
}

/** How much of a body is read at most. */
export interface BodyLimit {
  readonly bytes: number;
  /** What to throw where there is more. */
  exceeded(size: number): Error;
}

/** What text is where its sender does not say. */
export const TEXT_TYPE = "text/plain;charset=UTF-8";
const NORMALIZED_METHODS = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"]);

/**
 * Reads method, headers and body as `fetch` does: https://fetch.spec.whatwg.org/#dom-request
 *
 * @returns a promise only where the body is not at hand.
 * @throws {TypeError} where `fetch` throws one; the message says what to change.
 */
export function readRequest(
  input: string | URL | Request,
  init: LambdaRequestInit,
  options: ReadOptions = {},
): ReadRequest | Promise<ReadRequest> {
  const { userinfo } = options;
  const request = requestOf(input);
  const method = checkMethod(init.method ?? request?.method ?? "GET");
  const headers = readHeaders(init.headers ?? request?.headers ?? []);
  const given = init.body ?? null;
  const fromRequest = given === null ? (request?.body ?? null) : null;
  if ((method === "GET" || method === "HEAD") && (given !== null || fromRequest !== null)) {
    throw new TypeError(`a ${method} request can't have a body; send it with POST, or put it into the query`);
  }
  const withBody = ({ body, contentType }: ReadBody): ReadRequest => {
    if (contentType !== undefined && findHeader(headers, "content-type") === undefined) {
      headers.push(["Content-Type", contentType]);
    }
    if (userinfo !== undefined && findHeader(headers, "authorization") === undefined) {
      headers.push(["Authorization", basicAuthorization(...userinfo)]);
    }
    return { method, headers, body };
  };
  const atHand = bodyAtHand(given);
  if (fromRequest === null && atHand !== undefined) return withBody(atHand);
  const reading = { ...options, isReadToEnd: isPlatformForm(headers) };
  if (fromRequest === null) return readBody(given as BodyInput, reading).then(withBody);
  return collect(fromRequest, reading).then((body) => withBody({ body }));
}

/** Is its body read already? */
export function isRead(request: Pick<ReadRequest, "method" | "headers"> & { body: unknown }): request is ReadRequest {
  const { body } = request;
  return body === null || typeof body === "string" || body instanceof Uint8Array;
}

// https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2
const IDEMPOTENT: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);
// Some apps take the method from one of these.
const METHOD_OVERRIDES = ["x-http-method-override", "x-http-method", "x-method-override"];

/** Does it do no harm if the function is sent it twice, as far as HTTP says? */
export function isRepeatable({ method, headers }: ReadRequest): boolean {
  if (!IDEMPOTENT.has(method)) return false;
  return METHOD_OVERRIDES.every((name) => IDEMPOTENT.has(findHeader(headers, name)?.toUpperCase() ?? "GET"));
}

/** The input where it is a `Request`, be it of another realm. */
export function requestOf(input: string | URL | Request): Request | undefined {
  return typeof input === "string" || input instanceof URL ? undefined : input;
}

/**
 * What is said of signal and redirect: by `init`, or by a `Request`, of which `follow` is the default and says nothing.
 *
 * @throws {TypeError} when `redirect` is no word of `fetch`.
 */
export function signalAndRedirect(
  input: string | URL | Request,
  { signal, redirect }: LambdaRequestInit,
): Pick<LambdaRequestInit, "signal" | "redirect"> {
  if (redirect !== undefined && !["follow", "manual", "error"].includes(redirect)) {
    throw new TypeError(`redirect has to be "follow", "manual" or "error", not ${JSON.stringify(redirect)}`);
  }
  const from = requestOf(input);
  const chosenSignal = signal === undefined ? from?.signal : signal;
  const chosenRedirect = redirect ?? (from?.redirect === "follow" ? undefined : from?.redirect);
  const chosen: Pick<LambdaRequestInit, "signal" | "redirect"> = {};
  if (chosenSignal !== undefined) chosen.signal = chosenSignal;
  if (chosenRedirect !== undefined) chosen.redirect = chosenRedirect;
  return chosen;
}

/** The request as a format encodes it: with the headers that `fetch` fills in. */
export function toEventRequest({ method, headers, body }: ReadRequest, { path, query }: LambdaUrl): EventRequest {
  const filled = [...headers];
  const fill = (name: string, value: string): void => {
    if (findHeader(headers, name.toLowerCase()) === undefined) filled.push([name, value]);
  };
  fill("Accept", "*/*");
  fill("Accept-Encoding", "gzip, deflate, br");
  fill("User-Agent", `lambda-requests/${VERSION}`);
  if (body === null && (method === "POST" || method === "PUT")) fill("Content-Length", "0");
  return { method, path, query, headers: filled, body };
}

/** A list of checked fields. */
export function readHeaders(headers: HeadersInput): [name: string, value: string][] {
  const list: [string, string][] = [];
  const pairs = Symbol.iterator in Object(headers) ? (headers as Iterable<readonly string[]>) : Object.entries(headers);
  for (const pair of pairs) {
    if (typeof pair === "string" || pair.length !== 2) {
      throw new TypeError("headers have to be pairs of a name and a value, a Headers object, or an object");
    }
    const [name, value] = pair as [string, string | readonly string[] | undefined];
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) list.push([name, checkHeader(name, String(one))]);
  }
  return list;
}

function checkMethod(method: string): string {
  if (!isToken(method)) throw new TypeError(`${JSON.stringify(method)} is no HTTP method`);
  const upper = method.toUpperCase();
  if (upper === "CONNECT" || upper === "TRACK") throw new TypeError(`the method ${upper} can't be sent to a function`);
  return NORMALIZED_METHODS.has(upper) ? upper : method;
}

/** Of a body that is text or bytes. */
function bodyAtHand(body: BodyInput | null): ReadBody | undefined {
  if (body === null) return { body: null };
  if (typeof body === "string") return { body: body.toWellFormed(), contentType: TEXT_TYPE };
  if (body instanceof URLSearchParams) {
    return { body: body.toString(), contentType: "application/x-www-form-urlencoded;charset=UTF-8" };
  }
  if (body instanceof Uint8Array) return { body };
  if (body instanceof ArrayBuffer) return { body: new Uint8Array(body) };
  if (ArrayBuffer.isView(body)) return { body: new Uint8Array(body.buffer, body.byteOffset, body.byteLength) };
  return undefined;
}

async function readBody(body: BodyInput, options: ReadOptions): Promise<ReadBody> {
  if (Symbol.asyncIterator in Object(body)) return { body: await collect(body as AsyncIterable<Uint8Array>, options) };
  if (!(body instanceof Blob || body instanceof FormData)) {
    throw new TypeError(
      "the body has to be a string, bytes, a Blob, FormData, URLSearchParams or a stream; " +
        "for JSON, send JSON.stringify(value) or use the option json of a Session",
    );
  }
  // Before it is read, for its stream does not bear to be ended in the middle.
  const { limit } = options;
  const least = leastSizeOf(body);
  if (limit !== undefined && least > limit.bytes) throw limit.exceeded(least);
  // The platform knows how to write multipart bodies.
  const response = new Response(body as ConstructorParameters<typeof Response>[0]);
  const contentType = response.headers.get("content-type");
  const bytes = new Uint8Array(await response.arrayBuffer());
  return contentType === null ? { body: bytes } : { body: bytes, contentType };
}

/**
 * A form that a `Request` was made of. Its stream does not bear to be ended in the middle (undici in Node 24: a rejection that
 * nobody can handle), and all of it is in memory anyway.
 */
function isPlatformForm(headers: HeaderList): boolean {
  return /boundary=-*formdata-undici/.test(findHeader(headers, "content-type") ?? "");
}

/** Bytes at least: those of the content, without what a form has around it. */
function leastSizeOf(body: Blob | FormData): number {
  if (body instanceof Blob) return body.size;
  let size = 0;
  for (const [, value] of body) size += typeof value === "string" ? Buffer.byteLength(value) : value.size;
  return size;
}

/**
 * All of a stream; an aborted call ends it. Not by way of a `Response`, which in Node never ends when an iterable yields an
 * empty chunk.
 */
async function collect(
  chunks: AsyncIterable<Uint8Array>,
  { signal, limit, isReadToEnd = false }: ReadOptions,
): Promise<Uint8Array> {
  const reader = chunks instanceof ReadableStream ? readerOf(chunks) : chunks[Symbol.asyncIterator]();
  // What it says to that is nobody's concern any more.
  const end = (): void => void Promise.resolve(reader.return?.(signal?.reason)).catch(() => undefined);
  const forget = signal && listenForAbort(signal, end);
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of { [Symbol.asyncIterator]: () => reader }) {
      if (!(chunk instanceof Uint8Array)) throw new TypeError("the chunks of a body have to be Uint8Arrays");
      size += chunk.length;
      // The loop ends the stream: nobody is to send gigabytes for an event that can't be.
      const isTooMuch = limit !== undefined && size > limit.bytes;
      if (isTooMuch && !isReadToEnd) throw limit.exceeded(size);
      if (!isTooMuch) parts.push(chunk);
    }
  } finally {
    forget?.();
  }
  if (limit !== undefined && size > limit.bytes) throw limit.exceeded(size);
  return Buffer.concat(parts);
}

/** A stream's own iterator waits for the chunk that it has asked for before it can be ended. */
function readerOf(stream: ReadableStream<Uint8Array>): AsyncIterator<Uint8Array> {
  // Refuses a stream of which something has been read already: its rest would pass for the whole.
  new Response(stream as ConstructorParameters<typeof Response>[0]);
  const reader = stream.getReader();
  return {
    next: () => reader.read() as Promise<IteratorResult<Uint8Array>>,
    return: async (reason) => {
      await reader.cancel(reason);
      return { done: true, value: undefined };
    },
  };
}
