/**
 * Whether bytes that come piece by piece may still become one JSON value. It looks at each byte once and keeps no value: what
 * it lets pass may turn out to be none, what it refuses is none.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FIRST_PRINTABLE = 0x20;
const bytesOf = (text: string): ReadonlySet<number> => new Set(Buffer.from(text));
const SPACE = bytesOf(" \t\r\n");
const OPENING = bytesOf("{[");
const CLOSING = bytesOf("}]");
const SEPARATOR = bytesOf(",:");
/** Of numbers, `true`, `false` and `null`. */
const SCALAR = bytesOf("+-.0123456789Eeaflnrstu");

/** @returns a function that takes the next piece, and says where in it the bytes can't go on as a JSON value. */
export function createJsonScan(): (piece: Uint8Array) => number | undefined {
  let depth = 0;
  let inString = false;
  let isEscaped = false;
  let inScalar = false;
  let isOver = false;

  /** Does this byte, outside of a string, fit behind those before it? */
  function takes(byte: number): boolean {
    if (SPACE.has(byte)) {
      isOver ||= inScalar;
      return true;
    }
    if (isOver) return false;
    if (SCALAR.has(byte)) {
      inScalar ||= depth === 0;
      return true;
    }
    if (inScalar) return false;
    if (byte === QUOTE) inString = true;
    else if (OPENING.has(byte)) depth++;
    else if (CLOSING.has(byte) && depth > 0) isOver = --depth === 0;
    else return depth > 0 && SEPARATOR.has(byte);
    return true;
  }

  return (piece) => {
    for (let index = 0; index < piece.length; index++) {
      const byte = piece[index] as number;
      if (!inString) {
        if (!takes(byte)) return index;
      } else if (isEscaped) isEscaped = false;
      else if (byte < FIRST_PRINTABLE) return index;
      else if (byte === BACKSLASH) isEscaped = true;
      else if (byte === QUOTE) {
        inString = false;
        isOver = depth === 0;
      }
    }
    return undefined;
  };
}
