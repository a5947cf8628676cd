/**
 * The public test vectors of the working group that wrote RFC 6265, where they are at hand: HTTP_STATE_VECTORS is the path of
 * `tests/data/parser.json` of https://github.com/abarth/http-state. Our own, in cookie-vectors.test.ts, always run.
 */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { RestApiEvent } from "../src/formats/rest-api.ts";
import { Session } from "../src/session.ts";

interface Vector {
  readonly test: string;
  readonly received: readonly string[];
  readonly sent: readonly { readonly name: string; readonly value: string }[];
  readonly "sent-to"?: string;
}

/** What comes out differently, by name, and why that is right. */
const DIFFERENCES: readonly [names: RegExp, reason: string][] = [
  [/^(?:0010|ATTRIBUTE00(?:0[1245789]|1[0-3]|2[56]))$/, "a function is https, so it gets its Secure cookies back"],
  [/^(?:0002|COMMA000[67])$/, "the vectors are of 2011, and this cookie was good until 2019"],
  [/^(?:CHARSET000[1-4]|DISABLED_CHROMIUM002[23])$/, "a result with a header that HTTP forbids is a 502"],
  [/^DOMAIN0017$/, "a jar is one function's, so a public suffix can be its domain"],
  [/^DISABLED_PATH0029$/, "paths are compared as they are (RFC 6265, 5.1.4), not decoded"],
];

test("http-state's vectors", async ({ skip }) => {
  const file = process.env.HTTP_STATE_VECTORS;
  if (file === undefined) return skip("HTTP_STATE_VECTORS does not say where they are");
  const vectors = JSON.parse(readFileSync(file, "utf8")) as Vector[];
  expect(vectors.length).toBeGreaterThan(200);
  for (const vector of vectors) {
    const as = DIFFERENCES.some(([names]) => names.test(vector.test)) ? "differs" : "agrees";
    const wanted = vector.sent.map(({ name, value }) => `${name}=${value}`).join("; ");
    expect([vector.test, (await answerTo(vector)) === wanted ? "agrees" : "differs"]).toEqual([vector.test, as]);
  }
});

/** The `Cookie` header that is sent after this vector's cookies were received; empty where there is none. */
async function answerTo({ test, received, "sent-to": to = `/cookie-parser-result?${test}` }: Vector): Promise<string> {
  let cookie: string | undefined;
  const app = async ({ path, headers }: RestApiEvent): Promise<object> => {
    cookie = headers.Cookie;
    return { statusCode: 200, multiValueHeaders: path === "/cookie-parser" ? { "Set-Cookie": received } : {} };
  };
  const session = new Session({ functions: { app } });
  await session.get(`http+lambda://app/cookie-parser?${test}`, { headers: { Host: "home.example.org:8888" } });
  const { host, pathname, search } = new URL(to, "http://home.example.org:8888/");
  await session.get(`http+lambda://app${pathname}${search}`, { headers: { Host: host } });
  return cookie ?? "";
}
