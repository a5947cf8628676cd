/** What a payload format is: one event source of Lambda, both directions. */
import type { Target } from "../target.ts";
import type { JsonText } from "./json.ts";

/** Header fields in the order and the casing of the caller; a name may occur several times. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** An HTTP request as a format encodes it: what would have gone over the wire. */
export interface EventRequest {
  readonly method: string;
  /** Percent-encoded, beginning with `/`. */
  readonly path: string;
  /** Percent-encoded, without `?`; empty when there is none. */
  readonly query: string;
  readonly headers: HeaderList;
  /** Text where the caller gave text, so that it need not be decoded again. */
  readonly body: string | Uint8Array | null;
}

/** An HTTP response as a format decodes it from a function's result. */
export interface ResponseParts {
  readonly status: number;
  readonly headers: HeaderList;
  /** Text where the result held text, so that it need not become bytes first. */
  readonly body: string | Uint8Array;
}

/** A payload format: how a request becomes an event, and a result a response. */
export interface Format<Event extends object = object> {
  readonly name: string;
  encode(request: EventRequest, target: Target): Event;
  /** The same, as the bytes that are sent. */
  toPayload(request: EventRequest, target: Target): Uint8Array;
  /** @throws {InvalidResultError} when the result can't be a response; its message names the key and the value. */
  decode(result: unknown): ResponseParts;
}

/** A format of one that writes events and one that reads results. */
export function makeFormat<Event extends object>(
  name: string,
  write: (request: EventRequest, target: Target) => JsonText,
  decode: (result: unknown) => ResponseParts,
): Format<Event> {
  return {
    name,
    encode: (request, target) => JSON.parse(String(write(request, target))) as Event,
    toPayload: (request, target) => write(request, target).toBytes(),
    decode,
  };
}

/** A function's result that is no response. It becomes a 502 whose text is this message. */
export class InvalidResultError extends Error {
  override readonly name = "InvalidResultError";
}
