// Whether a contestant does what is being measured. A wrong answer ends the process, and with it the benchmark.
import { deepStrictEqual } from "node:assert";
import { contentOf, digestOf, SMALL_ANSWER, SMALL_BODY } from "../content.mjs";

/** The app's answer, and that the request has arrived as it was meant. */
export async function checkCalls(client) {
  const body = JSON.stringify(SMALL_BODY);
  deepStrictEqual(await client.get(), SMALL_ANSWER);
  deepStrictEqual(await client.post(undefined, SMALL_BODY), SMALL_ANSWER);
  deepStrictEqual(await client.get("digest"), { method: "GET", path: "/items", limit: "1", ...sizeAndDigest("") });
  const posted = { method: "POST", path: "/items", limit: null, ...sizeAndDigest(body) };
  deepStrictEqual(await client.post("digest", SMALL_BODY), posted);
}

export function isRight(answer) {
  return answer.items[0].sku === "A-1";
}

export async function checkUp(client, content) {
  const arrived = { method: "PUT", path: "/file", limit: null, ...sizeAndDigest(content) };
  deepStrictEqual(await client.up("digest", content), arrived);
}

export async function checkDown(client, kind, size) {
  const content = await client.down(`${kind}-${size}`, kind);
  const isSame =
    kind === "text" ? content === contentOf(kind, size) : Buffer.compare(content, contentOf(kind, size)) === 0;
  if (!isSame) throw new Error(`a wrong answer: ${content.length} of ${size} of ${kind}`);
}

function sizeAndDigest(content) {
  return { size: Buffer.byteLength(content), sha256: digestOf(content) };
}
