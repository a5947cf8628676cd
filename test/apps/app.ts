/**
 * One application, written for each framework in this folder with the framework's own means and put behind its own
 * Lambda adapter. The expectations in `../support/expectations.ts` run over all of them.
 *
 * | route | answer |
 * |---|---|
 * | ANY `/echo`, `/echo/…` | {@link Echo}, as JSON |
 * | GET `/query` | the framework's own query object, as {@link Fields} |
 * | GET `/cookies` | sets {@link COOKIES}; `ok` |
 * | GET `/cookies/dated` | sets {@link DATED_COOKIE}; `ok` |
 * | GET `/cookies/seen` | the request's Cookie header, as a JSON string |
 * | ANY `/status/:code` | that status; `status CODE`, or nothing for 204, 205 and 304 |
 * | GET `/text` | {@link TEXT} as `text/plain; charset=utf-8` |
 * | GET `/bytes` | {@link BYTES} as `application/octet-stream` |
 * | POST `/bytes` | the bytes it got, with the request's content type |
 * | GET `/gzip`, `/deflate`, `/br` | {@link DOCUMENT} in that content encoding |
 * | POST `/form` | the parsed form, as {@link Fields} |
 * | POST `/json` | `{ "received": … }` |
 * | GET `/redirect` | 302 to `/text` |
 * | GET `/headers` | `X-One: 1`, `X-Many: a` and `X-Many: b`, `Cache-Control: no-store`; `ok` |
 * | GET `/empty` | 200 without a body |
 * | GET `/error` | the framework's own 500: the handler throws |
 * | anything else | the framework's own 404 |
 */
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";

/** A Lambda handler. The adapters' own types are narrower: they know which events they take. */
export type Handler = (event: unknown, context: unknown) => Promise<unknown>;

/** A query or a form as frameworks present it. */
export type Fields = Record<string, string | string[]>;

/** What an application saw of a request. */
export interface Echo {
  readonly method: string;
  /** Raw: still percent-encoded. */
  readonly path: string;
  /** Decoded, in order. */
  readonly query: readonly (readonly [name: string, value: string])[];
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The raw bytes in base64. */
  readonly body: string;
}

export const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"] as const;

export const TEXT = "Grüße aus Köln, 世界の皆さん, 😀👩‍👩‍👧\n";

/** Every byte once, in order. */
export const BYTES: Buffer = Buffer.from(Uint8Array.from({ length: 256 }, (_, index) => index));

export const COOKIES: readonly [string, string] = ["a=1; Path=/; HttpOnly", "b=2; Path=/; Max-Age=60"];

/** With a comma, at which a list of header values would be split. */
export const DATED_COOKIE = "c=3; Expires=Wed, 21 Oct 2099 07:28:00 GMT; Secure; SameSite=Lax";

export const DOCUMENT: { readonly gzipped: true; readonly text: string } = { gzipped: true, text: TEXT.repeat(100) };

/** {@link DOCUMENT} in each content encoding, by the name of its route. */
export const COMPRESSED: Readonly<Record<"gzip" | "deflate" | "br", Buffer>> = {
  gzip: gzipSync(JSON.stringify(DOCUMENT)),
  deflate: deflateSync(JSON.stringify(DOCUMENT)),
  br: brotliCompressSync(JSON.stringify(DOCUMENT)),
};

/** The largest body an application takes: what Lambda takes. */
export const BODY_LIMIT: number = 6 * 1024 * 1024;

/** @param url The request's path and query as the framework was given them. */
export function echo(
  method: string,
  url: string,
  headers: Iterable<readonly [string, string | readonly string[] | undefined]>,
  body: Uint8Array,
): Echo {
  const mark = url.indexOf("?");
  return {
    method,
    path: mark < 0 ? url : url.slice(0, mark),
    query: mark < 0 ? [] : [...new URLSearchParams(url.slice(mark))],
    headers: Object.fromEntries([...headers].map(([name, value]) => [name.toLowerCase(), [value].flat().join(", ")])),
    body: Buffer.from(body).toString("base64"),
  };
}

/** A name that occurs once gets a string, one that occurs several times an array. */
export function fields(lists: Readonly<Record<string, unknown>>): Fields {
  const entries = Object.entries(lists).map(([name, value]): [string, string | string[]] => {
    const values = [value].flat().map(String);
    return [name, values.length === 1 ? String(values[0]) : values];
  });
  return Object.fromEntries(entries);
}

/** Every value of each name, as {@link fields} takes them. */
export function lists(pairs: URLSearchParams): Record<string, string[]> {
  return Object.fromEntries([...pairs.keys()].map((name) => [name, pairs.getAll(name)]));
}

/** Whether an answer with this status has no body. */
export function isBodyless(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}

/**
 * Which answers an adapter must give as base64, for the adapters that can go by the header fields alone: all but those
 * that say that they are UTF-8.
 */
export function isBinary(headers: Readonly<Record<string, unknown>>): boolean {
  return "content-encoding" in headers || !/charset=utf-8/i.test(String(headers["content-type"]));
}
