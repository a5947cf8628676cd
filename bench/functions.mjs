// The functions behind the server, each answering what its name says. What they answer is made once: a warm call of
// `orders` costs the server no JSON.
import { contentOf, digestOf, SMALL_ANSWER } from "./content.mjs";

const JSON_TYPE = { "content-type": "application/json" };
const SMALL = resultOf(200, JSON_TYPE, JSON.stringify(SMALL_ANSWER));
const TAKEN = resultOf(201, JSON_TYPE, '{"taken":true}');
const WELCOME = resultOf(200, { ...JSON_TYPE, "set-cookie": "sid=4711; Path=/; HttpOnly" }, '{"welcome":true}');
const FORBIDDEN = resultOf(403, JSON_TYPE, '{"message":"log in first"}');
const contents = new Map();

/** Which take their event: the others only have it counted. */
export const READERS = new Set(["digest", "shop"]);

/** The result of a function, as the bytes of its JSON; `undefined` where there is no such function. */
export function resultFor(name, event) {
  const [, kind, size] = /^(text|binary)-(\d+)$/.exec(name) ?? [];
  if (kind !== undefined) return contentResult(kind, Number(size));
  if (name === "orders") return SMALL;
  if (name === "upload") return TAKEN;
  if (name === "shop") return shop(event);
  if (name === "digest") return digest(JSON.parse(event.toString()));
  return undefined;
}

/** An app that one has to log in to, and that knows its visitors by a cookie. */
function shop(event) {
  if (event.includes('"/login"')) return WELCOME;
  return event.includes("sid=4711") ? SMALL : FORBIDDEN;
}

/** What has arrived, to be compared with what was sent. */
function digest({ httpMethod, path, queryStringParameters, body, isBase64Encoded }) {
  const bytes = Buffer.from(body ?? "", isBase64Encoded ? "base64" : "utf8");
  const seen = { method: httpMethod, path, limit: queryStringParameters?.limit ?? null };
  return resultOf(200, JSON_TYPE, JSON.stringify({ ...seen, size: bytes.length, sha256: digestOf(bytes) }));
}

function contentResult(kind, size) {
  const name = `${kind}-${size}`;
  if (!contents.has(name)) {
    const content = contentOf(kind, size);
    const isText = kind === "text";
    const type = isText ? "text/plain; charset=utf-8" : "application/octet-stream";
    contents.set(name, resultOf(200, { "content-type": type }, isText ? content : content.toString("base64"), !isText));
  }
  return contents.get(name);
}

function resultOf(statusCode, headers, body, isBase64Encoded = false) {
  return Buffer.from(JSON.stringify({ statusCode, headers, body, isBase64Encoded }));
}
