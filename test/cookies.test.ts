import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { json } from "node:stream/consumers";
import { inspect } from "node:util";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { SavedCookies } from "../src/cookies.ts";
import { ConfigurationError, InvalidTargetError } from "../src/errors.ts";
import { createFetch } from "../src/fetch.ts";
import type { PayloadFormat } from "../src/formats/formats.ts";
import type { RestApiEvent } from "../src/formats/rest-api.ts";
import type { Invoker } from "../src/invoke/invoker.ts";
import { Session } from "../src/session.ts";
import type { SessionOptions, SessionRequestOptions } from "../src/session-options.ts";
import { listening } from "./support/sockets.ts";

const APP = "http+lambda://app/";
const ARN = "arn:aws:lambda:eu-west-1:123456789012:function:app";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  for (const close of closers.splice(0)) await close();
});

interface Seen {
  readonly name: string;
  readonly event: RestApiEvent;
}

/** Functions of any name, which set what `?set=` says, a cookie each, and note what they were sent. */
function jarred(options: SessionOptions = {}): { session: Session; seen: Seen[]; invoker: Invoker } {
  const seen: Seen[] = [];
  const invoker: Invoker = {
    async invoke({ target, payload }) {
      const event = JSON.parse(Buffer.from(payload).toString()) as RestApiEvent;
      seen.push({ name: target.functionName, event });
      return { payload: Buffer.from(JSON.stringify(setting(event))) };
    },
  };
  return { session: new Session({ invoker, ...options }), seen, invoker };
}

function setting({ multiValueQueryStringParameters }: RestApiEvent): object {
  const set = multiValueQueryStringParameters?.set ?? [];
  return { statusCode: 200, multiValueHeaders: { "Set-Cookie": set }, body: "" };
}

/** What a function was sent last, as the Cookie fields that it has. */
function lastCookies(seen: readonly Seen[]): string[] | undefined {
  return Object.entries(seen.at(-1)?.event.multiValueHeaders ?? {}).find(([name]) => /^cookie$/i.test(name))?.[1];
}

async function cookieAfter(
  { session, seen }: { session: Session; seen: Seen[] },
  url = APP,
  options: SessionRequestOptions = {},
): Promise<string[] | undefined> {
  await session.get(url, options);
  return lastCookies(seen);
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  const { origin, undo } = await listening(server);
  closers.push(undo);
  return origin;
}

/** A Session of a Lambda API on this machine, whose functions are those of `jarred`. */
async function onAws(options: SessionOptions): Promise<{ session: Session; seen: Seen[] }> {
  const seen: Seen[] = [];
  const endpoint = await serve(async (request: IncomingMessage, response) => {
    const name = decodeURIComponent(request.url?.split("/")[3] ?? "");
    const event = (await json(request)) as RestApiEvent;
    seen.push({ name, event });
    response.end(JSON.stringify(setting(event)));
  });
  const session = new Session({ endpoint, region: "eu-west-1", ...options });
  closers.push(() => session.close());
  return { session, seen };
}

const KEYS = { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "secret" };

describe("what a function sets comes back to it", () => {
  test("from the next request on, whatever its method", async () => {
    const { session, seen } = jarred();
    await session.post(APP, { params: { set: ["a=1", "b=2; HttpOnly"] }, json: {} });
    expect(lastCookies(seen)).toBeUndefined();
    for (const method of ["GET", "POST", "DELETE", "REPORT"]) {
      await session.request(method, APP);
      expect(lastCookies(seen)).toEqual(["a=1; b=2"]);
    }
    await session.fetch("http+lambda://app/x?y=1");
    expect(lastCookies(seen)).toEqual(["a=1; b=2"]);
  });

  test("from the first answer on that sets one, after many that did not", async () => {
    const jar = jarred();
    for (let round = 0; round < 3; round++) expect(await cookieAfter(jar)).toBeUndefined();
    await jar.session.get(APP, { params: { set: "a=1" } });
    expect(await cookieAfter(jar)).toEqual(["a=1"]);
  });

  test("with paths", async () => {
    const jar = jarred();
    await jar.session.get("http+lambda://app/shop/cart", { params: { set: ["here=1", "admin=2; Path=/admin"] } });
    expect(await cookieAfter(jar, "http+lambda://app/shop/pay")).toEqual(["here=1"]);
    expect(await cookieAfter(jar, "http+lambda://app/admin/users")).toEqual(["admin=2"]);
    expect(await cookieAfter(jar, "http+lambda://app/shopping")).toBeUndefined();
  });

  test.each(["a=; Max-Age=0", "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"])("%s removes it", async (removal) => {
    const jar = jarred();
    await jar.session.get(APP, { params: { set: ["a=1", "b=2"] } });
    await jar.session.get(APP, { params: { set: removal } });
    expect(await cookieAfter(jar)).toEqual(["b=2"]);
    expect(await jar.session.cookies.get(APP)).toEqual({ b: "2" });
  });

  test("a time limit holds from when it was set, however busy the session is", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const jar = jarred();
    await jar.session.get(APP, { params: { set: ["a=1; Max-Age=60", "b=2"] } });
    for (let minute = 0; minute < 3; minute++) {
      vi.setSystemTime(Date.now() + 19_000);
      expect(await cookieAfter(jar)).toEqual(["a=1; b=2"]);
    }
    vi.setSystemTime(Date.now() + 3_000);
    expect(await cookieAfter(jar)).toEqual(["b=2"]);
  });

  test("Secure, __Secure- and __Host- hold, and their misuse is passed over", async () => {
    const jar = jarred();
    const good = ["a=1; Secure", "__Secure-b=2; Secure", "__Host-c=3; Secure; Path=/"];
    const bad = ["__Secure-d=4", "__Host-e=5; Path=/", "__Host-f=6; Secure; Path=/x", "__Host-g=7; Secure; Domain=app"];
    await jar.session.get(APP, { params: { set: [...bad, ...good] } });
    expect(await cookieAfter(jar)).toEqual(["a=1; __Secure-b=2; __Host-c=3"]);
  });

  test("what is no cookie is passed over, and the answer is good", async () => {
    const jar = jarred();
    const response = await jar.session.get(APP, {
      params: { set: ["nonsense", "=1", "; ;", "a=1; Domain=b.c", "d=2"] },
    });
    expect(response.status).toBe(200);
    expect(response.headers.getSetCookie()).toHaveLength(5);
    expect(await cookieAfter(jar)).toEqual(["d=2"]);
  });

  test("from an answer of any status, also one that throws", async () => {
    const sent: unknown[] = [];
    const handler = async ({ headers }: RestApiEvent) => {
      sent.push(headers.Cookie);
      return { statusCode: 503, headers: { "Set-Cookie": `a=${sent.length}` } };
    };
    const session = new Session({ functions: { app: handler }, raiseForStatus: true });
    for (let round = 0; round < 3; round++) await expect(session.get(APP)).rejects.toThrow("503");
    expect(sent).toEqual([undefined, "a=1", "a=2"]);
  });

  test("two first answers at once lose none", async () => {
    const { session, seen } = jarred();
    const names = Array.from({ length: 20 }, (_, index) => `c${index}`);
    await Promise.all(names.map((name) => session.get(APP, { params: { set: `${name}=1` } })));
    await session.get(APP);
    expect(lastCookies(seen)?.[0]?.split("; ").sort()).toEqual(names.map((name) => `${name}=1`).sort());
  });

  // tough-cookie takes these names for reserved domains.
  test.each(["test", "local", "localhost", "example", "invalid", "onion", "com", "co-uk", "127", "My_App", "a--b"])(
    "a function may be named %s",
    async (name) => {
      const jar = jarred();
      const url = `http+lambda://${name}/`;
      await jar.session.get(url, { params: { set: "a=1" } });
      expect(await cookieAfter(jar, url)).toEqual(["a=1"]);
      expect(await jar.session.cookies.get(url)).toEqual({ a: "1" });
    },
  );
});

describe("through every payload format", () => {
  const SET = ["a=1; Path=/; HttpOnly", "b=x=y,z; Path=/"];
  const results: Record<PayloadFormat, object> = {
    "rest-api": { statusCode: 200, multiValueHeaders: { "Set-Cookie": SET } },
    "http-api": { statusCode: 200, cookies: SET },
    "function-url": { statusCode: 200, cookies: SET },
    alb: { statusCode: 200, headers: { "Set-Cookie": SET[0], "set-cookie": SET[1] } },
    "alb-multi-value": { statusCode: 200, multiValueHeaders: { "Set-Cookie": SET } },
  };

  /** Wherever the format puts them. */
  function cookiesIn(event: Record<string, Record<string, unknown> & string[]>): unknown {
    if (event.cookies !== undefined) return event.cookies;
    const { headers, multiValueHeaders } = event;
    return headers?.cookie ?? headers?.Cookie ?? multiValueHeaders?.cookie ?? multiValueHeaders?.Cookie;
  }

  test.each<[PayloadFormat, unknown]>([
    ["rest-api", "a=1; b=x=y,z"],
    ["http-api", ["a=1", "b=x=y,z"]],
    ["function-url", ["a=1", "b=x=y,z"]],
    ["alb", "a=1; b=x=y,z"],
    ["alb-multi-value", ["a=1; b=x=y,z"]],
  ])("%s", async (payloadFormat, sent) => {
    const events: Parameters<typeof cookiesIn>[0][] = [];
    const app = async (event: (typeof events)[number]) => {
      events.push(event);
      return results[payloadFormat];
    };
    const session = new Session({ functions: { app }, payloadFormat });
    const first = await session.get(APP);
    expect(first.headers.getSetCookie()).toEqual(SET);
    await session.get(APP);
    expect(events.map(cookiesIn)).toEqual([undefined, sent]);
  });
});

describe("a jar a function", () => {
  test.each([
    ["versions and aliases share it", "http+lambda://app/", "http+lambda://prod.app/", true],
    ["written otherwise", "http+lambda://prod.app/", "http+lambda://app%3A7/", true],
    ["with $LATEST", "http+lambda://$LATEST.app/", "http+lambda://app/", true],
    ["an ARN and its versions", `http+lambda://${ARN}/`, `http+lambda://${ARN}:prod/`, true],
    ["another name", "http+lambda://app/", "http+lambda://app2/", false],
    ["another case", "http+lambda://app/", "http+lambda://App/", false],
    // Both have the host my-app.
    ["a name of the same host", "http+lambda://my_app/", "http+lambda://my-app/", false],
    ["an alias of the name", "http+lambda://app/", "http+lambda://app.users/", false],
    ["another region", `http+lambda://${ARN}/`, `http+lambda://${ARN.replace("eu-west-1", "eu-west-2")}/`, false],
    ["another account", `http+lambda://${ARN}/`, `http+lambda://${ARN.replace("1234", "9999")}/`, false],
    // Nobody says which account or region the name means.
    ["an ARN and a name", `http+lambda://${ARN}/`, "http+lambda://app/", false],
    ["an account and none", "http+lambda://123456789012:function:app/", "http+lambda://app/", false],
  ])("%s: %s and %s", async (_name, one, other, shared) => {
    const jar = jarred();
    await jar.session.get(one, { params: { set: "a=1; Path=/" } });
    expect(await cookieAfter(jar, other)).toEqual(shared ? ["a=1"] : undefined);
    expect(await cookieAfter(jar, one)).toEqual(["a=1"]);
    expect(await jar.session.cookies.get(other)).toEqual(shared ? { a: "1" } : {});
  });

  test("the qualifier of an option is none of its own either", async () => {
    const jar = jarred();
    await jar.session.get(APP, { params: { set: "a=1" }, qualifier: "prod" });
    expect(await cookieAfter(jar, APP, { qualifier: "7" })).toEqual(["a=1"]);
  });

  test.each([
    "users",
    ".users",
    "app",
    ".app",
    "com",
    ".com",
    "",
    ".",
    "*",
    "app.users",
    "lambda",
    "localhost",
    "0.0.0.0",
  ])("no Domain reaches another function: %j", async (domain) => {
    const jar = jarred();
    await jar.session.get(APP, { params: { set: `a=1; Domain=${domain}` } });
    for (const name of ["users", "com", "prod.users", "app.users", "users.app2", "app-users", "localhost"]) {
      expect(await cookieAfter(jar, `http+lambda://${name}/`), name).toBeUndefined();
    }
    const kept = ["app", ".app", "", "."].includes(domain);
    expect(await cookieAfter(jar)).toEqual(kept ? ["a=1"] : undefined);
  });

  test("nor does a Host that two functions are given", async () => {
    const jar = jarred();
    const headers = { Host: "www.example.com" };
    await jar.session.get(APP, { headers, params: { set: "a=1; Domain=example.com" } });
    expect(await cookieAfter(jar, "http+lambda://users/", { headers })).toBeUndefined();
    expect(await cookieAfter(jar, APP, { headers })).toEqual(["a=1"]);
  });

  test("within a function, cookies go by the Host that it is given", async () => {
    const jar = jarred();
    const shop = { headers: { host: "shop.example.com" } };
    await jar.session.get(APP, { ...shop, params: { set: ["a=1", "b=2; Domain=example.com"] } });
    expect(await cookieAfter(jar, APP, shop)).toEqual(["a=1; b=2"]);
    expect(await cookieAfter(jar, APP, { headers: { Host: "api.example.com" } })).toEqual(["b=2"]);
    expect(await cookieAfter(jar)).toBeUndefined();
  });

  test("a Host, or a function's name, that no URL can hold keeps cookies all the same", async () => {
    const jar = jarred();
    await jar.session.get(APP, { headers: { Host: "a b" }, params: { set: "a=1" } });
    expect(await cookieAfter(jar, APP, { headers: { Host: "a b" } })).toEqual(["a=1"]);
    const dotted = "http+lambda://my%2Efn%2E1/";
    await jar.session.get(dotted, { params: { set: "b=2" } });
    expect(await cookieAfter(jar, dotted)).toEqual(["b=2"]);
    expect(await jar.session.cookies.get(dotted)).toEqual({ b: "2" });
  });
});

describe("a name and its ARN", () => {
  const url = `http+lambda://${ARN}/`;

  test("are one function where the credentials name their account", async () => {
    const jar = await onAws({ credentials: { ...KEYS, accountId: "123456789012" } });
    await jar.session.get(APP, { params: { set: "a=1" } });
    expect(await cookieAfter(jar, url)).toEqual(["a=1"]);
    expect(await cookieAfter(jar, "http+lambda://123456789012:function:app:prod/")).toEqual(["a=1"]);
    expect(await cookieAfter(jar, url.replace("eu-west-1", "us-east-1"))).toBeUndefined();
    expect(await cookieAfter(jar, url.replace("123456789012", "999999999999"))).toBeUndefined();
    expect(await jar.session.cookies.get(url)).toEqual({ a: "1" });
    expect(jar.seen.map(({ name }) => name)).toEqual([
      "app",
      ARN,
      "123456789012:function:app",
      ARN.replace("eu-west-1", "us-east-1"),
      ARN.replace("123456789012", "999999999999"),
    ]);
  });

  test("are one where the environment does", async () => {
    vi.stubEnv("AWS_ACCESS_KEY_ID", KEYS.accessKeyId);
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", KEYS.secretAccessKey);
    vi.stubEnv("AWS_ACCOUNT_ID", "123456789012");
    const jar = await onAws({});
    await jar.session.get(url, { params: { set: "a=1" } });
    expect(await cookieAfter(jar)).toEqual(["a=1"]);
  });

  test("are two where nobody does", async () => {
    const jar = await onAws({ credentials: KEYS });
    await jar.session.get(APP, { params: { set: "a=1" } });
    expect(await cookieAfter(jar, url)).toBeUndefined();
    expect(await cookieAfter(jar)).toEqual(["a=1"]);
  });

  test("are two where it is another's", async () => {
    const jar = await onAws({ credentials: { ...KEYS, accountId: "999999999999" } });
    await jar.session.get(url, { params: { set: "a=1" } });
    expect(await cookieAfter(jar)).toBeUndefined();
  });

  test("no credentials are asked for as long as no cookie is kept", async () => {
    const credentials = vi.fn(async () => ({ ...KEYS, accountId: "123456789012" }));
    const locate = vi.fn(async () => ({}));
    const { invoker } = jarred();
    const session = new Session({ invoker: { ...invoker, locate }, credentials });
    await session.get(APP);
    expect(locate).not.toHaveBeenCalled();
    await session.get(APP, { params: { set: "a=1" } });
    expect(locate).toHaveBeenCalledTimes(1);
    expect(credentials).not.toHaveBeenCalled();
  });
});

describe("the option cookies", () => {
  test("of the session and of a request, which goes before it", async () => {
    const jar = jarred({ cookies: { theme: "dark", lang: "en" } });
    expect(await cookieAfter(jar)).toEqual(["theme=dark; lang=en"]);
    expect(await cookieAfter(jar, APP, { cookies: { theme: "light" } })).toEqual(["theme=light; lang=en"]);
    expect(await cookieAfter(jar, APP, { cookies: { theme: undefined } })).toEqual(["lang=en"]);
    expect(await cookieAfter(jar, APP, { cookies: { theme: undefined, lang: undefined } })).toBeUndefined();
    expect(await cookieAfter(jar, APP, { cookies: { id: "7", empty: "" } })).toEqual([
      "theme=dark; lang=en; id=7; empty=",
    ]);
    await jar.session.fetch("http+lambda://users/");
    expect(lastCookies(jar.seen)).toEqual(["theme=dark; lang=en"]);
    expect(await jar.session.cookies.get(APP)).toEqual({});
  });

  test("goes before the jar's of the same name", async () => {
    const jar = jarred({ cookies: { a: "own" } });
    await jar.session.get(APP, { params: { set: ["a=jar", "b=jar"] } });
    expect(await cookieAfter(jar)).toEqual(["a=own; b=jar"]);
    expect(await cookieAfter(jar, APP, { cookies: { b: "own" } })).toEqual(["a=own; b=own"]);
    // Takes away the session's, not what the function has set.
    expect(await cookieAfter(jar, APP, { cookies: { a: undefined } })).toEqual(["a=jar; b=jar"]);
  });

  test("a Cookie header of the caller's own is kept, and the jar adds what is not in it", async () => {
    const jar = jarred();
    await jar.session.get(APP, { params: { set: ["a=jar", "b=jar", "A=jar"] } });
    for (const name of ["Cookie", "cookie"]) {
      const headers = { [name]: "a=1; c=3;d = 4 ; e" };
      expect(await cookieAfter(jar, APP, { headers })).toEqual(["a=1; c=3; d = 4; e; b=jar; A=jar"]);
    }
    expect(await cookieAfter(jar, APP, { headers: { Cookie: "a=1; a=2" } })).toEqual(["a=1; a=2; b=jar; A=jar"]);
    expect(await cookieAfter(jar, APP, { headers: { Cookie: "" } })).toEqual(["a=jar; b=jar; A=jar"]);
  });

  test("two Cookie fields are one list", async () => {
    const jar = jarred({ cookies: { c: "session" } });
    await jar.session.get(APP, { params: { set: ["a=jar", "d=jar"] } });
    const headers: [string, string][] = [
      ["Cookie", "a=1"],
      ["cookie", "b=2; c=3"],
    ];
    expect(await cookieAfter(jar, APP, { headers })).toEqual(["a=1; b=2; c=session; d=jar"]);
  });

  test("a Cookie header is untouched where there is nothing to add", async () => {
    const jar = jarred();
    const Cookie = "a=1;b=2 ;; c";
    expect(await cookieAfter(jar, APP, { headers: { Cookie } })).toEqual([Cookie]);
  });

  test("over the Cookie header of the session's and of the request's headers", async () => {
    const jar = jarred({ headers: { Cookie: "a=1; b=2" }, cookies: { b: "own" } });
    expect(await cookieAfter(jar)).toEqual(["a=1; b=own"]);
    expect(await cookieAfter(jar, APP, { cookies: { a: undefined } })).toEqual(["b=own"]);
  });

  test("the hooks see the caller's own, and what they set goes before the jar's", async () => {
    const hooks = {
      beforeRequest: ({ headers }: { headers: Headers }) => headers.append("Cookie", "b=hook"),
    } as unknown as NonNullable<SessionOptions["hooks"]>;
    const jar = jarred({ hooks, cookies: { a: "own" } });
    await jar.session.get(APP, { params: { set: ["b=jar", "c=jar"] } });
    expect(await cookieAfter(jar)).toEqual(["a=own; b=hook; c=jar"]);
  });

  test.each<[name: string, value: unknown]>([
    ["a b", "1"],
    ["", "1"],
    ["a=b", "1"],
    ["a;b", "1"],
    ["a", "sesame;b"],
    ["a", " sesame"],
    ["a", "sesame\n"],
    ["a", "sesame\r\nX: y"],
    ["a", "sesame\u20ac"],
    ["a", 7],
    ["a", null],
  ])("refuses %j = %j, and does not show it", async (name, value) => {
    const cookies = { [name]: value } as Record<string, string>;
    const { session, seen } = jarred();
    expect(() => new Session({ cookies })).toThrow(TypeError);
    const [result] = await Promise.allSettled([session.get(APP, { cookies })]);
    expect(result).toMatchObject({ status: "rejected", reason: expect.any(TypeError) });
    expect(inspect(result)).not.toContain("sesame");
    expect(seen).toHaveLength(0);
  });

  test.each([true, 1, "a=1", null, ["a=1"]])("%j is none", (cookies) => {
    expect(() => new Session({ cookies: cookies as never })).toThrow(ConfigurationError);
  });

  test("false: none are kept, and a request's own are sent", async () => {
    const jar = jarred({ cookies: false });
    await jar.session.get(APP, { params: { set: "a=1" } });
    await jar.session.cookies.set(APP, "b=2");
    expect(await cookieAfter(jar)).toBeUndefined();
    expect(await cookieAfter(jar, APP, { cookies: { c: "3" } })).toEqual(["c=3"]);
  });
});

describe("session.cookies", () => {
  test("get: by name, what would be sent", async () => {
    const { session } = jarred();
    expect(await session.cookies.get(APP)).toEqual({});
    await session.get("http+lambda://app/x/y", { params: { set: ["a=1", "b=2; Path=/", "c=; HttpOnly"] } });
    expect(await session.cookies.get("http+lambda://app/x/z")).toEqual({ a: "1", b: "2", c: "" });
    expect(await session.cookies.get(new URL(APP))).toEqual({ b: "2" });
    expect(await session.cookies.get("http+lambda://users/x/y")).toEqual({});
    await expect(session.cookies.get("http+lambda://a b/")).rejects.toThrow(InvalidTargetError);
  });

  test("get: of two of one name, the one that is sent first", async () => {
    const { session } = jarred();
    await session.get(APP, { params: { set: ["a=long; Path=/x", "a=short; Path=/"] } });
    expect(await session.cookies.get("http+lambda://app/x")).toEqual({ a: "long" });
    expect(await session.cookies.get(APP)).toEqual({ a: "short" });
  });

  test("get: a cookie named __proto__ is one", async () => {
    const { session } = jarred();
    await session.get(APP, { params: { set: "__proto__=1" } });
    expect(Object.entries(await session.cookies.get(APP))).toEqual([["__proto__", "1"]]);
    expect(Object.keys((await session.cookies.export()).jars)).toHaveLength(1);
  });

  test("set: as if the function had", async () => {
    const jar = jarred();
    await jar.session.cookies.set("http+lambda://prod.app/x/y", "a=1; Secure; HttpOnly");
    await jar.session.cookies.set(new URL(APP), "b=2; Path=/");
    expect(await cookieAfter(jar, "http+lambda://app/x/")).toEqual(["a=1; b=2"]);
    await jar.session.cookies.set("http+lambda://app/x/y", "a=; Max-Age=0");
    expect(await cookieAfter(jar, "http+lambda://app/x/")).toEqual(["b=2"]);
  });

  test("set: Max-Age counts from then", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const jar = jarred();
    await jar.session.cookies.set(APP, "a=1; Max-Age=60");
    vi.setSystemTime(Date.now() + 40_000);
    expect(await cookieAfter(jar)).toEqual(["a=1"]);
    vi.setSystemTime(Date.now() + 40_000);
    expect(await cookieAfter(jar)).toBeUndefined();
  });

  test.each([
    "sesame",
    "",
    "=sesame",
    "a=sesame; Domain=users",
    "__Host-a=sesame",
    "a=sesame\u0001",
    "a=sesame\nb",
    "a=sesame\u20ac",
  ])("set: %j is refused, and not shown", async (setCookie) => {
    const { session } = jarred();
    const [result] = await Promise.allSettled([session.cookies.set(APP, setCookie)]);
    expect(result).toMatchObject({ status: "rejected", reason: expect.any(TypeError) });
    expect(String((result as PromiseRejectedResult).reason)).toContain("this is no cookie that app can set: ");
    expect(inspect(result)).not.toContain("sesame");
    expect(await session.cookies.get(APP)).toEqual({});
  });

  test("clear", async () => {
    const jar = jarred();
    await jar.session.get(APP, { params: { set: "a=1" } });
    await jar.session.get("http+lambda://users/", { params: { set: "b=2" } });
    jar.session.cookies.clear();
    expect(await cookieAfter(jar)).toBeUndefined();
    expect(await cookieAfter(jar, "http+lambda://users/")).toBeUndefined();
    expect(await jar.session.cookies.export()).toEqual({ version: 1, jars: {} });
    await jar.session.get(APP, { params: { set: "c=3" } });
    expect(await cookieAfter(jar)).toEqual(["c=3"]);
  });

  test("export and import: into another session, through JSON", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const first = jarred();
    const set = ["z=1", "y=2; Path=/x; Max-Age=60", "x=3; Secure; HttpOnly; SameSite=Lax", "w=4; Domain=app"];
    await first.session.get(APP, { params: { set } });
    await first.session.get("http+lambda://users/", { params: { set: `long=5; Max-Age=${"9".repeat(30)}` } });
    const text = JSON.stringify(await first.session.cookies.export());

    const second = jarred();
    await second.session.cookies.import(JSON.parse(text));
    expect(await cookieAfter(second, "http+lambda://app/x")).toEqual(["y=2; z=1; x=3; w=4"]);
    expect(await cookieAfter(second, "http+lambda://users/")).toEqual(["long=5"]);
    expect(await cookieAfter(second, "http+lambda://other/")).toBeUndefined();
    expect(JSON.parse(JSON.stringify(await second.session.cookies.export())).jars).toHaveProperty("::app");
    vi.setSystemTime(Date.now() + 61_000);
    expect(await cookieAfter(second, "http+lambda://app/x")).toEqual(["z=1; x=3; w=4"]);

    const late = jarred();
    await late.session.cookies.import(JSON.parse(text));
    expect(await cookieAfter(late, "http+lambda://app/x")).toEqual(["z=1; x=3; w=4"]);
  });

  test("import: adds to what is there, and replaces what is the same", async () => {
    const first = jarred();
    await first.session.get(APP, { params: { set: ["a=new", "b=new"] } });
    const second = jarred();
    await second.session.get(APP, { params: { set: ["a=old", "c=old"] } });
    await second.session.cookies.import(await first.session.cookies.export());
    expect(await second.session.cookies.get(APP)).toEqual({ a: "new", b: "new", c: "old" });
    // A copy: neither session sees what the other is sent from now on.
    await second.session.get(APP, { params: { set: "a=newer" } });
    expect(await first.session.cookies.get(APP)).toEqual({ a: "new", b: "new" });
  });

  const cookie = { key: "a", value: "1", domain: "app", path: "/", hostOnly: true };
  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["null", null],
    ["text", "cookies"],
    ["an array", []],
    ["an object", {}],
    ["no version", { jars: {} }],
    ["another version", { version: 2, jars: {} }],
    ["no jars", { version: 1 }],
    ["jars that are null", { version: 1, jars: null }],
    ["jars that are text", { version: 1, jars: "x" }],
    ["a jar that is null", { version: 1, jars: { "::app": null } }],
    ["a jar that is a number", { version: 1, jars: { "::app": 7 } }],
    ["a jar without cookies", { version: 1, jars: { "::app": {} } }],
    ["cookies that are none", { version: 1, jars: { "::app": { cookies: {} } } }],
    ...[null, 7, "a=1", [], {}, { key: "a" }, { ...cookie, key: 7 }, { ...cookie, domain: null }].map(
      (one): [string, unknown] => [`a cookie that is ${JSON.stringify(one)}`, one],
    ),
    ["a cookie that ends at no time", { ...cookie, expires: "whenever" }],
  ])("import: %s is refused, and nothing is kept of it", async (name, given) => {
    const saved = name.startsWith("a cookie") ? { version: 1, jars: { "::app": { cookies: [cookie, given] } } } : given;
    const { session } = jarred();
    await expect(session.cookies.import(saved as SavedCookies)).rejects.toThrow(ConfigurationError);
    expect(await session.cookies.get(APP)).toEqual({});
    await session.cookies.import({ version: 1, jars: { "::app": { cookies: [cookie] } } });
    expect(await session.cookies.get(APP)).toEqual({ a: "1" });
  });

  test("neither a session nor its cookies show a value", async () => {
    const { session } = jarred({ cookies: { own: "sesame1" } });
    await session.get(APP, { params: { set: "a=sesame2" } });
    for (const shown of [inspect(session, { depth: 9, showHidden: true }), inspect(session.cookies, { depth: 9 })]) {
      expect(shown).not.toContain("sesame");
    }
    expect(JSON.stringify([session, session.cookies])).not.toContain("sesame");
  });
});

describe("redirects", () => {
  test("what one sets goes along to where it leads", async () => {
    const sent: [string, unknown][] = [];
    const app = async ({ path, headers }: RestApiEvent) => {
      sent.push([path, headers.Cookie]);
      const next = { "/login": "/check", "/check": "/home" }[path];
      if (next === undefined) return { statusCode: 200, headers: { "Set-Cookie": "last=3" } };
      return { statusCode: 303, headers: { location: next, "Set-Cookie": `at${path.slice(1)}=1; Path=/` } };
    };
    const session = new Session({ functions: { app } });
    await session.post("http+lambda://app/login", { data: { user: "ada" } });
    expect(sent).toEqual([
      ["/login", undefined],
      ["/check", "atlogin=1"],
      ["/home", "atlogin=1; atcheck=1"],
    ]);
    expect(await session.cookies.get(APP)).toEqual({ atlogin: "1", atcheck: "1", last: "3" });
  });

  test("a cookie that one removes does not go along", async () => {
    const sent: unknown[] = [];
    const app = async ({ path, headers }: RestApiEvent) => {
      sent.push(headers.Cookie);
      return path === "/"
        ? { statusCode: 302, headers: { location: "/b", "Set-Cookie": "a=; Max-Age=0" } }
        : { statusCode: 200 };
    };
    const session = new Session({ functions: { app } });
    await session.cookies.set(APP, "a=1");
    await session.get(APP);
    expect(sent).toEqual(["a=1", undefined]);
  });

  test.each(["manual", "error"] as const)("kept from one that is not followed: %s", async (redirect) => {
    const app = async () => ({ statusCode: 302, headers: { location: "/b", "Set-Cookie": "a=1" } });
    const session = new Session({ functions: { app }, redirect });
    await Promise.allSettled([session.get(APP)]);
    expect(await session.cookies.get(APP)).toEqual({ a: "1" });
  });
});

describe("the web", () => {
  /** Sets what `?set=` says and answers with the Cookie header. */
  async function site(): Promise<string> {
    return serve((request, response) => {
      const set = new URL(request.url ?? "", "http://x").searchParams.getAll("set");
      response.setHeader("Set-Cookie", set);
      response.end(request.headers.cookie ?? "none");
    });
  }

  test("has a jar of its own, by RFC 6265: hosts and paths, and no ports", async () => {
    const origin = await site();
    const session = new Session();
    await session.get(`${origin}/x/y`, { params: { set: ["a=1", "b=2; Path=/", "c=3; Domain=evil.example"] } });
    expect(await session.get(`${origin}/x/z`).text()).toBe("a=1; b=2");
    expect(await session.get(origin).text()).toBe("b=2");
    expect(await session.get(await site()).text()).toBe("b=2");
    expect(await session.get(origin.replace("127.0.0.1", "localhost")).text()).toBe("none");
    expect(await session.get(origin, { cookies: { b: "own", d: "4" } }).text()).toBe("b=own; d=4");
    expect(await session.cookies.get(`${origin}/x/`)).toEqual({ a: "1", b: "2" });
    await session.cookies.set(origin, "e=5");
    expect(await (await session.fetch(origin)).text()).toBe("b=2; e=5");
  });

  test("and functions don't see each other's", async () => {
    const origin = await site();
    const jar = jarred();
    const { host } = new URL(origin);
    const headers = { Host: host };
    await jar.session.get(origin, { params: { set: "web=1" } });
    expect(await cookieAfter(jar, APP, { headers })).toBeUndefined();
    await jar.session.get(APP, { headers, params: { set: "app=2" } });
    expect(await jar.session.get(origin).text()).toBe("web=1");
    expect(await cookieAfter(jar, APP, { headers })).toEqual(["app=2"]);
    // Not even with a function that is named as the key of the web's jar.
    expect(await cookieAfter(jar, "http+lambda://web/")).toBeUndefined();
  });

  test("a public suffix is no domain for a cookie there", async () => {
    const fetch = (async (url: string, init: RequestInit) => {
      const set = new URL(url).searchParams.getAll("set");
      const headers = new Headers(set.map((value): [string, string] => ["Set-Cookie", value]));
      return new Response(new Headers(init.headers).get("cookie") ?? "none", { headers });
    }) as typeof globalThis.fetch;
    const session = new Session({ fetch });
    const set = ["a=1; Domain=com", "b=2; Domain=co.uk", "c=3; Domain=example.co.uk", "d=4"];
    await session.get("https://www.example.co.uk/", { params: { set } });
    expect(await session.get("https://www.example.co.uk/").text()).toBe("c=3; d=4");
    expect(await session.get("https://api.example.co.uk/").text()).toBe("c=3");
    expect(await session.get("https://other.co.uk/").text()).toBe("none");
    // Secure ones keep off a plain connection.
    await session.get("https://www.example.co.uk/", { params: { set: "e=5; Secure" } });
    expect(await session.get("http://www.example.co.uk/").text()).toBe("c=3; d=4");
    expect(await session.get("https://www.example.co.uk/").text()).toBe("c=3; d=4; e=5");
  });

  test.each(["test", "local", "example"])("a host may be named %s", async (host) => {
    const fetch = (async (_url: string, init: RequestInit) =>
      new Response(new Headers(init.headers).get("cookie"), {
        headers: { "Set-Cookie": "a=1" },
      })) as typeof globalThis.fetch;
    const session = new Session({ fetch });
    await session.get(`http://${host}/`);
    expect(await session.get(`http://${host}/`).text()).toBe("a=1");
  });

  test("cookies: false keeps none of it either", async () => {
    const origin = await site();
    const session = new Session({ cookies: false });
    await session.get(origin, { params: { set: "a=1" } });
    expect(await session.get(origin).text()).toBe("none");
  });
});

test("createFetch keeps none", async () => {
  const { invoker, seen } = jarred();
  const fetch = createFetch({ invoker });
  await fetch("http+lambda://app/?set=a=1");
  await fetch(APP);
  expect(lastCookies(seen)).toBeUndefined();
});

test("two sessions share none", async () => {
  const { invoker, seen } = jarred();
  await new Session({ invoker }).get(APP, { params: { set: "a=1" } });
  await new Session({ invoker }).get(APP);
  expect(lastCookies(seen)).toBeUndefined();
});

test("tough-cookie is loaded by a session that is sent a cookie, and by no other", async () => {
  const loaded = vi.fn();
  vi.resetModules();
  vi.doMock("tough-cookie", async (original) => {
    loaded();
    return original();
  });
  try {
    const fresh = await import("../src/session.ts");
    const { invoker } = jarred();
    const session = new fresh.Session({ invoker, cookies: { own: "1" } });
    await session.get(APP, { cookies: { other: "2" } });
    await session.cookies.get(APP);
    await session.cookies.export();
    session.cookies.clear();
    expect(loaded).not.toHaveBeenCalled();
    await session.get(APP, { params: { set: "a=1" } });
    expect(loaded).toHaveBeenCalledTimes(1);
  } finally {
    vi.doUnmock("tough-cookie");
    vi.resetModules();
  }
});
