/** UTF-8 of megabytes as text, on Nodes whose own decoder goes byte by byte from the first that is not ASCII. */
import { isAscii, isUtf8, transcode } from "node:buffer";

// Of 4 MB, with a few accents, Node 20 and 22 make text in 13 ms, twice what JSON.parse takes after it, and over another encoding
// in 5 to 7; of as much Japanese in 26 and in 2. Node 24, Bun and Deno are as fast by themselves.
const IS_SLOW = Number.parseInt(process.versions.node, 10) < 24;
// Below this, any way is as good.
const LARGE = 64 * 1024;

/** The text that `bytes.toString()` gives. */
export function decodeUtf8(bytes: Buffer): string {
  // Of what is no UTF-8, it is Node's to say what each byte becomes.
  if (!IS_SLOW || bytes.length < LARGE || isAscii(bytes) || !isUtf8(bytes)) return bytes.toString();
  return asLatin1(bytes) ?? transcode(bytes, "utf8", "utf16le").toString("utf16le");
}

/** Half as long as UTF-16, in memory and to parse; `undefined` where a character has no place in it. */
function asLatin1(bytes: Buffer): string | undefined {
  // Text in another script has a byte like this in every few, and each would take long to be put a question mark for.
  for (let index = 0; index < bytes.length; index += 16) {
    if ((bytes[index] as number) > 0xc3) return undefined;
  }
  const text = transcode(bytes, "utf8", "latin1").toString("latin1");
  return Buffer.byteLength(text) === bytes.length ? text : undefined;
}
