/** A result with megabytes of base64, which are cut out of it: JSON.parse would look at each character, and copy them all. */
import { randomBytes } from "node:crypto";
import { fromBase64 } from "./body.ts";
import type { Format, ResponseParts } from "./format.ts";

// Below this, the one way is as good as the other.
const LONG = 64 * 1024;
const QUOTE = 0x22;

/** `undefined` where there is no such body, or it has to be read with care. */
export function decodeLongBase64(format: Format, payload: Buffer): ResponseParts | undefined {
  const place = payload.length < LONG ? undefined : findLong(payload);
  if (place === undefined) return undefined;
  // Has the place of the long text while the rest is decoded. Nobody else has these bytes: if they come out as the body, the text
  // was the body, and base64.
  const standIn = randomBytes(24);
  const rest = `${payload.subarray(0, place.start)}${standIn.toString("base64")}${payload.subarray(place.end)}`;
  const parts = decodeRest(format, rest);
  if (parts === undefined || typeof parts.body === "string" || !standIn.equals(parts.body)) return undefined;
  // Not `latin1`, of which more than 1 MB is a string outside of the heap, collected so late that 4 MB took 40 MB more.
  const body = fromBase64(payload.toString("utf8", place.start, place.end));
  return body && { ...parts, body };
}

/** What is between two quotes that are far apart; whether it is a string is not known yet. */
function findLong(bytes: Buffer): { readonly start: number; readonly end: number } | undefined {
  for (let end = -1; ; ) {
    const start = bytes.indexOf(QUOTE, end + 1) + 1;
    // Headers that come before a body are shorter, and other text has many quotes.
    if (start === 0 || start > LONG) return undefined;
    end = bytes.indexOf(QUOTE, start);
    if (end === -1) return undefined;
    if (end - start >= LONG) return { start, end };
  }
}

function decodeRest(format: Format, rest: string): ResponseParts | undefined {
  try {
    return format.decode(JSON.parse(rest));
  } catch {
    return undefined;
  }
}
