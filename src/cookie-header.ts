/** The `Cookie` header of a request: the caller's own cookies, and those that are kept. */
import type { HeaderList } from "./formats/format.ts";
import { checkHeader, isToken } from "./formats/headers.ts";

/** Cookies by name, as a request or a session gives them. `undefined` takes one of the session's away. */
export type CookiesInput = Readonly<Record<string, string | undefined>>;

/** Cookies kept from one request to the next. */
export interface CookieKeeper {
  /** Is there nothing to send? Then nobody needs to know where a request goes. */
  readonly isEmpty: boolean;
  /** Those for a URL, each as `name=value`. */
  cookiesFor(address: CookieAddress): readonly string[];
  keep(address: CookieAddress, setCookie: readonly string[]): Promise<void>;
}

/** A cookie jar, and the URL that a request has to it. */
export interface CookieAddress {
  /** One a function, and one for the web. */
  readonly jar: string;
  readonly url: string;
}

/** The jar of the web. */
export const WEB_JAR = "web";

/** Headers with kept cookies besides their own, which go before those of the same name. */
export function withCookies(headers: HeaderList, kept: readonly string[]): HeaderList {
  if (kept.length === 0) return headers;
  const own = cookiesOf(headers);
  const names = new Set(own.map(nameOf));
  return withPairs(headers, [...own, ...kept.filter((pair) => !names.has(nameOf(pair)))]);
}

/**
 * Headers with these cookies in the place of their own of the same name.
 *
 * @throws {TypeError} for a name or a value that a `Cookie` header can't hold. The value is not shown.
 */
export function withOwnCookies(headers: [string, string][], cookies: CookiesInput): [string, string][] {
  const given = Object.entries(cookies);
  if (given.length === 0) return headers;
  const own = cookiesOf(headers).filter((pair) => !Object.hasOwn(cookies, nameOf(pair)));
  const pairs = given.flatMap(([name, value]) => (value === undefined ? [] : [cookiePair(name, value)]));
  return withPairs(headers, [...own, ...pairs]);
}

/** @throws {TypeError} when it is no object by name. What it is may be a secret, and is not shown. */
export function checkCookies(cookies: CookiesInput): CookiesInput {
  if (typeof cookies === "object" && cookies !== null && !(Symbol.iterator in cookies)) return cookies;
  throw new TypeError("cookies have to be an object by name");
}

/** @throws {TypeError} when a `Cookie` header can't hold it. */
export function cookiePair(name: string, value: string): string {
  if (!isToken(name)) throw new TypeError(`${JSON.stringify(name)} is no name of a cookie`);
  if (typeof value !== "string" || value.includes(";") || checkHeader("Cookie", value) !== value) {
    throw new TypeError(`the cookie ${name} has to be a string without ; and without spaces around it`);
  }
  return `${name}=${value}`;
}

function withPairs(headers: HeaderList, pairs: readonly string[]): [string, string][] {
  const fields = headers.flatMap(([name, value]): [string, string][] => (isCookie(name) ? [] : [[name, value]]));
  if (pairs.length > 0) fields.push(["Cookie", pairs.join("; ")]);
  return fields;
}

/** Of all `Cookie` fields: two are one list (RFC 9113, 8.2.3). */
function cookiesOf(headers: HeaderList): string[] {
  const pairs = headers.flatMap(([name, value]) => (isCookie(name) ? value.split(";") : []));
  return pairs.map((pair) => pair.trim()).filter((pair) => pair !== "");
}

function isCookie(name: string): boolean {
  return name.toLowerCase() === "cookie";
}

function nameOf(pair: string): string {
  return (pair.split("=", 1)[0] ?? "").trim();
}
