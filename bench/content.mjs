// What goes up and comes down in the part `large`: the same for every contestant, and known to the server.
import { createHash } from "node:crypto";

export const SMALL_ANSWER = { items: [{ id: 1, sku: "A-1", name: "Crème brûlée", price: 4.5 }], next: null };
export const SMALL_BODY = { sku: "A-1", quantity: 2, note: "no sugar" };

// Prose: some of it is not ASCII, and a few characters in a hundred need a backslash in JSON.
const LINE = 'Crème brûlée for 4: "the best", said the guests at table 12, and asked for more.\n';

/** A text of so many bytes in UTF-8. */
function textOf(size) {
  const lineSize = Buffer.byteLength(LINE);
  return LINE.repeat(size / lineSize) + ".".repeat(size % lineSize);
}

/** So many bytes that no encoding makes smaller. */
function bytesOf(size) {
  return createHash("shake256", { outputLength: size }).update("lambda-requests").digest();
}

/** A text or bytes, by the name that the server's functions have for them. */
export function contentOf(kind, size) {
  return kind === "text" ? textOf(size) : bytesOf(size);
}

export function digestOf(content) {
  return createHash("sha256").update(content).digest("hex");
}
