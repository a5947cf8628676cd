/** From the options of a Session's method to a URL, headers and a body. */
import { findHeader } from "./formats/headers.ts";
import { joinValue } from "./formats/values.ts";
import type { BodyInput, HeadersInput } from "./request.ts";
import { readHeaders } from "./request.ts";
import { parseLambdaUrl, quote } from "./target.ts";

/** A value of `params` or of a form; an array repeats its name, `undefined` and `null` leave it out. */
export type ParamValue = string | number | boolean | bigint | null | undefined;

/** Query parameters, or the fields of a form. */
export type ParamsInput =
  | string
  | URLSearchParams
  | Iterable<readonly [name: string, value: ParamValue]>
  | Readonly<Record<string, ParamValue | readonly ParamValue[]>>
  // For interfaces, which have no index signature; their values are checked when they are read.
  | object;

/** One file of `files`: its content, or its name, content and type. */
export type FileInput =
  | Blob
  | string
  | Uint8Array
  | readonly [name: string, content: Blob | string | Uint8Array, type?: string];

/** The options that make a body; at most one of `data` and `json`, and `files` only with an object of `data`. */
export interface BodyOptions {
  /**
   * Text, bytes, a Blob, a stream or FormData as they are; an object or pairs as a form.
   * @default none
   */
  readonly data?: BodyInput | Exclude<ParamsInput, string> | null | undefined;
  /**
   * Anything that `JSON.stringify` takes.
   * @default none
   */
  readonly json?: unknown;
  /**
   * Files of a multipart form, by field.
   * @default none
   */
  readonly files?: Readonly<Record<string, FileInput | readonly FileInput[]>> | undefined;
}

/** A URL ready to be fetched. */
export interface LocatedUrl {
  readonly href: string;
  readonly userinfo?: readonly [string, string];
}

/** The canonical URL with all params, its user and password apart. */
export function locateUrl(url: string | URL, params: readonly ParamsInput[], schemes: readonly string[]): LocatedUrl {
  const lambda = parseLambdaUrl(url, schemes);
  if (lambda !== undefined) {
    const { userinfo } = lambda;
    const located = { href: withParams(lambda.href, params) };
    return userinfo === undefined ? located : { ...located, userinfo };
  }
  if (!URL.canParse(String(url))) {
    throw new TypeError(`${quote(String(url))} is no URL; a function's begins with ${schemes[0]}//`);
  }
  const other = new URL(url);
  const { username, password } = other;
  other.username = "";
  other.password = "";
  other.hash = "";
  const located = { href: withParams(other.href, params) };
  if (username === "" && password === "") return located;
  return { ...located, userinfo: [decodeUserinfo(username), decodeUserinfo(password)] };
}

function decodeUserinfo(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new TypeError("the user and password before @ are not percent-encoded UTF-8");
  }
}

/** Later params take the place of earlier ones of the same name, `null` takes them away; those of the URL stay. */
function withParams(href: string, params: readonly ParamsInput[]): string {
  const byName = new Map<string, string[]>();
  for (const input of params) {
    const names = new Map<string, string[]>();
    for (const [name, value] of paramEntries(input)) {
      names.set(name, [...(names.get(name) ?? []), ...paramTexts(name, value)]);
    }
    for (const [name, values] of names) byName.set(name, values);
  }
  const pairs = [...byName].flatMap(([name, values]) => values.map((value): [string, string] => [name, value]));
  const query = new URLSearchParams(pairs).toString();
  if (query === "") return href;
  return `${href}${href.includes("?") ? "&" : "?"}${query}`;
}

function paramPairs(input: ParamsInput): [string, string][] {
  return paramEntries(input).flatMap(([name, value]) =>
    paramTexts(name, value).map((text): [string, string] => [name, text]),
  );
}

function paramEntries(input: ParamsInput): (readonly [name: string, value: ParamValue | readonly ParamValue[]])[] {
  if (typeof input === "string") return [...new URLSearchParams(input)];
  return Symbol.iterator in input ? [...input] : Object.entries(input);
}

function paramTexts(name: string, value: ParamValue | readonly ParamValue[]): string[] {
  return (Array.isArray(value) ? value : [value])
    .filter((one) => one !== null && one !== undefined)
    .map((one) => paramText(name, one));
}

function paramText(name: string, value: unknown): string {
  if (typeof value === "object" || typeof value === "function" || typeof value === "symbol") {
    throw new TypeError(`the parameter ${name} has to be a string, a number, a boolean or an array of these`);
  }
  return String(value);
}

/** The body, and its content type where the platform does not know it. */
export function makeBody({ data, json, files }: BodyOptions): { body: BodyInput | null; contentType?: string } {
  if (json !== undefined && data !== undefined && data !== null) {
    throw new TypeError("a request has one body: give json or data, not both");
  }
  if (json !== undefined && files !== undefined) {
    throw new TypeError("a request has one body: give json or files, not both");
  }
  if (json !== undefined) {
    const text = JSON.stringify(json);
    if (text === undefined) throw new TypeError(`json can't be a ${typeof json}`);
    return { body: text, contentType: "application/json" };
  }
  if (files !== undefined) return { body: multipart(data, files) };
  if (data === undefined || data === null) return { body: null };
  return { body: isForm(data) ? new URLSearchParams(paramPairs(data)) : data };
}

/** An object that is nothing else is a form. */
function isForm(data: NonNullable<BodyOptions["data"]>): data is Exclude<ParamsInput, string> {
  if (Array.isArray(data) || data instanceof Map) return true;
  const prototype: unknown = Object.getPrototypeOf(Object(data));
  return (prototype === Object.prototype || prototype === null) && !(Symbol.asyncIterator in Object(data));
}

function multipart(data: BodyOptions["data"], files: NonNullable<BodyOptions["files"]>): FormData {
  const form = new FormData();
  if (data !== undefined && data !== null) {
    if (!(data instanceof URLSearchParams) && !isForm(data)) {
      throw new TypeError("with files, data has to be an object: the other fields of the form");
    }
    for (const [name, value] of paramPairs(data)) form.append(name, value);
  }
  for (const [field, value] of Object.entries(files)) {
    for (const file of isFileList(value) ? value : [value as FileInput]) appendFile(form, field, file);
  }
  return form;
}

/** `[name, content]` is one file; an array of anything else, several. */
function isFileList(value: FileInput | readonly FileInput[]): value is readonly FileInput[] {
  return Array.isArray(value) && !(typeof value[0] === "string" && value.length >= 2 && value.length <= 3);
}

function appendFile(form: FormData, field: string, file: FileInput): void {
  const [name, content, type] = isNamed(file) ? file : [nameOf(file) ?? field, file];
  if (!(typeof content === "string" || content instanceof Blob || content instanceof Uint8Array)) {
    throw new TypeError(`files.${field} has to be text, bytes or a Blob, or [name, content, type]`);
  }
  const named = type ?? (content instanceof Blob ? content.type : "");
  form.append(field, new Blob([content as never], { type: named }), name);
}

function isNamed(file: FileInput): file is readonly [string, Blob | string | Uint8Array, string?] {
  return Array.isArray(file);
}

function nameOf(file: FileInput): string | undefined {
  const { name } = Object(file) as { name?: unknown };
  return typeof name === "string" ? name : undefined;
}

/** The request's headers over the session's; `undefined` takes one of the session's away. */
export function mergeHeaders(session: Headers, request: HeadersInput | undefined): [string, string][] {
  const own = readHeaders(request ?? []);
  const names = new Set(own.map(([name]) => name.toLowerCase()));
  if (request !== undefined && !(Symbol.iterator in request)) {
    for (const name of Object.keys(request)) names.add(name.toLowerCase());
  }
  return [...[...session].filter(([name]) => !names.has(name)), ...own];
}

/**
 * The fields to send after a hook has had them as `Headers`, in which values of one name are joined: those that it left
 * alone stay as the caller gave them.
 */
export function keepUntouched(given: readonly [string, string][], headers: Headers): [string, string][] {
  const before = new Map<string, string>();
  for (const [name, value] of given) {
    const lower = name.toLowerCase();
    joinValue(before, lower, value, lower === "cookie" ? "; " : ", ");
  }
  const kept = given.filter(([name]) => headers.get(name) === before.get(name.toLowerCase()));
  const changed = [...headers].filter(([name, value]) => before.get(name) !== value && name !== "set-cookie");
  return [...kept, ...changed];
}

/** Adds a field unless the caller has it. */
export function setDefault(headers: [string, string][], name: string, value: string | undefined): void {
  if (value !== undefined && findHeader(headers, name.toLowerCase()) === undefined) headers.push([name, value]);
}
