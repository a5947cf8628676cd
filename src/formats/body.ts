/** Bytes <-> the text or base64 of an event's and a result's `body`. */
import { isUtf8 } from "node:buffer";
import { asBuffer } from "./as-buffer.ts";
import { InvalidResultError } from "./format.ts";
import { JsonText, quotable } from "./json.ts";
import { kindOf, show } from "./show.ts";

const TEXT_TYPE = /^(?:text\/.*|application\/(?:json|xml|javascript|x-www-form-urlencoded)|.*\+(?:json|xml))$/;

/** Are bytes of this content type text, as far as the type says? No type: yes, if they are valid UTF-8. */
export function isTextType(contentType: string | undefined): boolean {
  const essence = contentType?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  return essence === "" || TEXT_TYPE.test(essence);
}

/** The types that HTTP API, Function URL and load balancer pass on as text. No type, or a form: base64. */
export function isListedText(contentType: string | undefined): boolean {
  const essence = contentType?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  return /^(?:text\/.*|application\/(?:json|javascript|xml))$/.test(essence);
}

/** How many bytes it is. */
export function bodyLength(body: string | Uint8Array): number {
  return typeof body === "string" ? Buffer.byteLength(body) : body.length;
}

/** A body as an event holds it. */
export interface EncodedBody {
  /** As it stands between quotes; `null` where it is empty. */
  readonly body: JsonText | null;
  readonly isBase64Encoded: boolean;
}

/**
 * As text when `isText` says that its type is one and its bytes are valid UTF-8, so that they come out again as they were;
 * as base64 otherwise.
 */
export function encodeBody(body: string | Uint8Array | null, isText: boolean): EncodedBody {
  if (body === null || body.length === 0) return { body: null, isBase64Encoded: false };
  if (typeof body === "string") return isText ? asText(body) : asBase64(Buffer.from(body));
  const bytes = asBuffer(body);
  return isText && isUtf8(bytes) ? asText(bytes.toString("utf8")) : asBase64(bytes);
}

function asText(body: string): EncodedBody {
  return { body: quotable(body), isBase64Encoded: false };
}

function asBase64(bytes: Buffer): EncodedBody {
  return { body: new JsonText(bytes.toString("base64")), isBase64Encoded: true };
}

/** A result's `body`: text, or bytes where it was base64. An object, which only a Function URL takes, is its JSON. */
export function decodeBody(body: unknown, isBase64Encoded: unknown): string | Uint8Array {
  const encoded = isTrue(isBase64Encoded);
  if (body === undefined || body === null || body === "") return new Uint8Array();
  if (typeof body === "string") return encoded ? decodeBase64(body) : body.toWellFormed();
  if (encoded) throw new InvalidResultError(`isBase64Encoded is true, but body is ${kindOf(body)}, not a string`);
  return toJson(body);
}

/** What a parser reads, a writer may find too deep. */
function toJson(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw new InvalidResultError(`body is ${kindOf(value)} that can't be written as JSON: ${(error as Error).message}`);
  }
}

function isTrue(flag: unknown): boolean {
  if (flag === undefined || flag === null || flag === false || flag === true) return flag === true;
  if (typeof flag === "string" && /^(?:true|false)$/i.test(flag)) return flag.toLowerCase() === "true";
  throw new InvalidResultError(`isBase64Encoded is ${show(flag)}, neither true nor false`);
}

/** Line breaks may be skipped, as MIME encoders write them. */
function decodeBase64(text: string): Uint8Array {
  const bytes = fromBase64(text) ?? fromBase64(text.replace(/[\r\n]/g, ""));
  if (bytes === undefined) throw new InvalidResultError("isBase64Encoded is true, but body is not base64");
  return bytes;
}

/** `undefined` where anything in it is no base64, which Node's decoder skips. */
export function fromBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  return bytes.length === decodedLength(text) ? bytes : undefined;
}

function decodedLength(base64: string): number {
  let length = base64.length;
  while (length > 0 && length > base64.length - 2 && base64[length - 1] === "=") length--;
  // Four characters are three bytes; one alone is none, and something was skipped.
  return length % 4 === 1 ? -1 : Math.floor((length * 3) / 4);
}
