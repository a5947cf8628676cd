/** Header fields: what HTTP allows in them, and the maps of a result. */
import type { Target } from "../target.ts";
import { type HeaderList, InvalidResultError } from "./format.ts";
import { kindOf, show } from "./show.ts";

// They are about a connection, and there is none between a caller and a function: RFC 9110, 7.6.1.
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Is it a header of a connection, not of a message? */
export function isHopByHop(lowerCaseName: string): boolean {
  return HOP_BY_HOP.has(lowerCaseName);
}

// RFC 9110, 5.6.2 (token) and 5.5 (field value); as `fetch`, values are limited to U+00FF.
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones that a value must not hold
const NOT_A_VALUE = /[\u0000\r\n]|[^\u0000-\u00ff]/;

/** Is it an HTTP token: a method, a header name? */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/**
 * The value without surrounding white space, as `fetch` normalises it.
 *
 * @throws {TypeError} when HTTP forbids the name or the value. The value, which may be a secret, is not shown.
 */
export function checkHeader(name: string, value: string): string {
  if (!isToken(name)) throw new TypeError(`${show(name)} is no header name`);
  const trimmed = trimValue(value);
  const bad = NOT_A_VALUE.exec(trimmed);
  if (bad !== null) {
    const code = (bad[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
    throw new TypeError(`the value of the header ${name} holds U+${code}, which HTTP does not allow there`);
  }
  return trimmed;
}

/** HTTP's own white space only, where `trim` takes more; and a loop, where `/\s+$/` takes quadratic time. */
function trimValue(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isSpace(value.charCodeAt(start))) start++;
  while (end > start && isSpace(value.charCodeAt(end - 1))) end--;
  return value.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d;
}

/** The `Host` of an event where the caller gave none: the function's name, as far as a host name can hold it. */
export function hostOf(target: Target): string {
  return target.functionName.replace(/[^a-zA-Z0-9.-]/g, "-");
}

/** The last value of a header, whatever its casing. */
export function findHeader(headers: HeaderList, lowerCaseName: string): string | undefined {
  for (let index = headers.length - 1; index >= 0; index--) {
    const [name, value] = headers[index] as HeaderList[number];
    // The lengths first, which cost nothing to compare.
    if (name.length === lowerCaseName.length && name.toLowerCase() === lowerCaseName) return value;
  }
  return undefined;
}

/**
 * The header fields of a result: those of `multiValueHeaders` first, then those of `headers`, as API Gateway merges
 * them. A pair that is in both maps is one field, and so is a value that an adapter joined with a comma in `headers`
 * and kept apart in `multiValueHeaders`.
 */
export function mergeResultHeaders(headers: unknown, multiValueHeaders: unknown): [string, string][] {
  const fields: [string, string][] = [];
  const isRepeated = addMultiValues(fields, multiValueHeaders);
  for (const [name, value] of entriesOf("headers", headers)) {
    // Some adapters put an array here, which no AWS service takes; the meaning is plain.
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one === null || one === undefined) continue;
      const text = resultHeader("headers", name, one);
      if (!isRepeated?.(name, text)) fields.push([name, text]);
    }
  }
  return fields;
}

/** @returns whether it has a value already, alone or joined; nothing where it has none. */
function addMultiValues(
  fields: [string, string][],
  multiValueHeaders: unknown,
): ((name: string, value: string) => boolean) | undefined {
  const entries = entriesOf("multiValueHeaders", multiValueHeaders);
  if (entries.length === 0) return undefined;
  const apart = new Map<string, string[]>();
  for (const [name, values] of entries) {
    if (!Array.isArray(values)) {
      throw new InvalidResultError(`multiValueHeaders[${show(name)}] is ${kindOf(values)}, not an array`);
    }
    const texts = values.map((value) => resultHeader("multiValueHeaders", name, value));
    const known = apart.get(name.toLowerCase());
    if (known === undefined) apart.set(name.toLowerCase(), texts);
    // Not spread into arguments, of which there can't be a hundred thousand.
    else for (const text of texts) known.push(text);
    for (const text of texts) fields.push([name, text]);
  }
  // Looked up, where a search would take quadratic time.
  const repeated = new Map([...apart].map(([name, texts]) => [name, new Set([...texts, ...joined(texts)])]));
  return (name, value) => repeated.get(name.toLowerCase())?.has(value) === true;
}

/** One `Set-Cookie` field for each entry of a result's `cookies`. */
export function cookieHeaders(cookies: unknown): [string, string][] {
  if (cookies === undefined || cookies === null) return [];
  if (!Array.isArray(cookies)) throw new InvalidResultError(`cookies is ${kindOf(cookies)}, not an array`);
  return cookies.map((cookie) => ["set-cookie", resultHeader("cookies", "set-cookie", cookie)]);
}

function entriesOf(key: string, map: unknown): [string, unknown][] {
  if (map === undefined || map === null) return [];
  if (typeof map !== "object" || Array.isArray(map)) {
    throw new InvalidResultError(`${key} is ${kindOf(map)}, not an object`);
  }
  return Object.entries(map);
}

function resultHeader(key: string, name: string, value: unknown): string {
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") {
    throw new InvalidResultError(`${key}[${show(name)}] is ${kindOf(value)}, not a string`);
  }
  try {
    return checkHeader(name, String(value));
  } catch (error) {
    throw new InvalidResultError(`in ${key}, ${(error as Error).message}`);
  }
}

function joined(values: readonly string[]): string[] {
  return values.length > 1 ? [values.join(", "), values.join(",")] : [];
}
