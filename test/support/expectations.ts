/**
 * What a web application behind a function has to look like from the caller's side: one list, run over every
 * application in `../apps`, by every payload format that its adapter takes and every way to a function.
 */
import { gzipSync } from "node:zlib";
import { expect } from "vitest";
import type { PayloadFormat } from "../../src/formats/formats.ts";
import { BYTES, COOKIES, DATED_COOKIE, DOCUMENT, type Echo, type Fields, TEXT } from "../apps/app.ts";

/** `fetch` on the application under test; the path begins with `/`. */
export type Call = (path: string, init?: CallInit) => Promise<Response>;

interface CallInit {
  method?: string;
  headers?: [string, string][] | Record<string, string>;
  body?: string | Uint8Array | URLSearchParams | FormData | Blob;
  redirect?: "manual";
}

export type AppName =
  | "express"
  | "koa"
  | "fastify-serverless-http"
  | "serverless-express"
  | "fastify"
  | "hono"
  | "powertools"
  | "middy"
  | "srvx"
  | "flask";

export interface Expectation {
  readonly name: string;
  /** Where it can't be met because the event or the result has no place for it, whoever reads them. */
  readonly lostBy?: Losses;
  /** How large its body is, if it takes long for that. */
  readonly megabytes?: number;
  run(call: Call): Promise<void>;
}

/** What a payload format can't hold. */
interface Loss {
  readonly reason: string;
  /** What arrives instead: exactly, for this is documented behaviour as well. */
  run(call: Call, app: AppName): Promise<void>;
}

type Losses = Readonly<Partial<Record<PayloadFormat, Loss>>>;

const LAST_VALUE = "of a name that occurs several times, the last value arrives";
const GROUPED = "the values of one name are put together";
const GROUPED_QUERY: Echo["query"] = [
  ["a", "1"],
  ["a", "3"],
  ["b", "2"],
];

// Of two cookies, what adapters put in an `alb` result. The others use `multiValueHeaders`, which a load balancer does not
// read in this mode, or spell the header in several ways.
const KEPT_COOKIES: Readonly<Partial<Record<AppName, readonly string[]>>> = {
  express: [],
  koa: [],
  "fastify-serverless-http": [],
  "serverless-express": [COOKIES[0]],
  hono: [COOKIES[0]],
  middy: [COOKIES[1]],
  srvx: [COOKIES[1]],
};

const OCTETS = "application/octet-stream";
const TEXT_TYPE = "text/plain; charset=utf-8";

const methods: Expectation[] = [
  ...["GET", "OPTIONS"].map((method) => ({
    name: `${method} arrives, with no body`,
    async run(call: Call): Promise<void> {
      expect(await echoed(call, "/echo", { method })).toMatchObject({ method, path: "/echo", body: "" });
    },
  })),
  ...["POST", "PUT", "PATCH", "DELETE"].flatMap((method) => [
    {
      name: `${method} arrives with its body`,
      async run(call: Call): Promise<void> {
        expect(bodyOf(await echoed(call, "/echo", { method, body: "hello" })).toString()).toBe("hello");
        expect(await echoed(call, "/echo", { method, body: "hello" })).toMatchObject({ method, path: "/echo" });
      },
    },
    {
      name: `${method} arrives without a body`,
      async run(call: Call): Promise<void> {
        expect(await echoed(call, "/echo", { method })).toMatchObject({ method, body: "" });
      },
    },
  ]),
  {
    name: "HEAD gets the head alone",
    async run(call) {
      const response = await call("/echo", { method: "HEAD" });
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toMatch(/^application\/json/);
      expect(await response.text()).toBe("");
    },
  },
];

const paths: Expectation[] = [
  samePath("a percent-encoded path stays as it is", "/echo/a%2Fb%20c"),
  samePath("an encoded percent sign and an encoded plus stay", "/echo/100%25/1%2B1"),
  samePath("characters that need no encoding stay", "/echo/~a.b-c_d/(x)!y*z/@user/k=v;w,u:t/1+1/$1&2"),
  samePath("percent-encoding in lower case stays", "/echo/%c3%bc%2f"),
  samePath("an encoded question mark stays", "/echo/what%3F/b"),
  samePath("an encoded number sign stays", "/echo/c%23/b"),
  samePath("two slashes inside of a path stay two", "/echo/a//b"),
  samePath("a trailing slash stays", "/echo/a/"),
  samePath("no trailing slash is added", "/echo/a"),
  samePath("a path in Unicode arrives percent-encoded", "/echo/größe/世界/😀"),
  {
    name: "dot segments are resolved",
    async run(call) {
      expect((await echoed(call, "/echo/a/./b/../c")).path).toBe("/echo/a/c");
    },
  },
  {
    name: "a fragment is not sent",
    async run(call) {
      expect(await echoed(call, "/echo/a?b=1#c")).toMatchObject({ path: "/echo/a", query: [["b", "1"]] });
    },
  },
];

const queries: Expectation[] = [
  sameQuery("no query is no query", "", []),
  sameQuery("an empty query is no query", "?", []),
  sameQuery(
    "a name that occurs twice has two values",
    "?a=1&a=2",
    [
      ["a", "1"],
      ["a", "2"],
    ],
    { alb: [LAST_VALUE, [["a", "2"]]] },
  ),
  sameQuery(
    "equal values of one name stay two",
    "?a=1&a=1",
    [
      ["a", "1"],
      ["a", "1"],
    ],
    { alb: [LAST_VALUE, [["a", "1"]]] },
  ),
  sameQuery(
    "names that take turns stay in their order",
    "?a=1&b=2&a=3",
    [
      ["a", "1"],
      ["b", "2"],
      ["a", "3"],
    ],
    {
      "rest-api": [GROUPED, GROUPED_QUERY],
      "alb-multi-value": [GROUPED, GROUPED_QUERY],
      alb: [
        LAST_VALUE,
        [
          ["a", "3"],
          ["b", "2"],
        ],
      ],
    },
  ),
  sameQuery("an empty value stays", "?empty=&b=1", [
    ["empty", ""],
    ["b", "1"],
  ]),
  sameQuery("a name without a value has the empty one", "?flag", [["flag", ""]]),
  sameQuery("a plus is a space", "?q=a+b", [["q", "a b"]]),
  sameQuery("an encoded space is a space", "?q=a%20b", [["q", "a b"]]),
  sameQuery("an encoded plus is a plus", "?q=1%2B1", [["q", "1+1"]]),
  sameQuery("an encoded & does not separate", "?q=a%26b%3Dc", [["q", "a&b=c"]]),
  sameQuery("an encoded = in a name does not separate", "?a%3Db=c", [["a=b", "c"]]),
  sameQuery("a second = belongs to the value", "?q=a=b", [["q", "a=b"]]),
  sameQuery("an encoded percent sign is decoded once", "?q=%2525", [["q", "%25"]]),
  sameQuery("slashes, question marks and hashes, encoded or not", "?a=x%2Fy/z&b=%3F?&c=%23", [
    ["a", "x/y/z"],
    ["b", "??"],
    ["c", "#"],
  ]),
  sameQuery("a comma does not split a value", "?ids=1,2%2C3", [["ids", "1,2,3"]]),
  sameQuery("a semicolon does not split a value", "?q=a;b=c", [["q", "a;b=c"]], {
    "rest-api": [
      "a query is split at `;` as well",
      [
        ["q", "a"],
        ["b", "c"],
      ],
    ],
  }),
  sameQuery("an encoded semicolon does not split a value", "?q=a%3Bb", [["q", "a;b"]]),
  sameQuery(
    "brackets in names stay",
    "?filter[name]=x&ids[]=1&ids[]=2",
    [
      ["filter[name]", "x"],
      ["ids[]", "1"],
      ["ids[]", "2"],
    ],
    {
      alb: [
        LAST_VALUE,
        [
          ["filter[name]", "x"],
          ["ids[]", "2"],
        ],
      ],
    },
  ),
  sameQuery("encoded brackets in names are brackets", "?filter%5Bname%5D=x", [["filter[name]", "x"]]),
  sameQuery("names and values in Unicode", "?größe=世界&q=😀", [
    ["größe", "世界"],
    ["q", "😀"],
  ]),
  sameFields(
    "the framework's own query object has both values of a name",
    "?a=1&a=2&b=3",
    { a: ["1", "2"], b: "3" },
    { a: "2", b: "3" },
  ),
  sameFields("the framework's own query object has empty values", "?a=&b=1", { a: "", b: "1" }),
  sameFields("the framework's own query object is decoded", "?b=x+y&ü=%C3%A4", { b: "x y", ü: "ä" }),
];

const requestHeaders: Expectation[] = [
  {
    name: "a header arrives, whatever its casing",
    async run(call) {
      const { headers } = await echoed(call, "/echo", { headers: { "X-MiXeD-Case": "Value", accept: "text/x" } });
      expect(headers).toMatchObject({ "x-mixed-case": "Value", accept: "text/x" });
    },
  },
  {
    name: "a header that occurs twice has both values, in order",
    lostBy: {
      alb: {
        reason: LAST_VALUE,
        async run(call) {
          expect(await twice(call)).toEqual(["two"]);
        },
      },
    },
    async run(call) {
      expect(await twice(call)).toEqual(["one", "two"]);
    },
  },
  {
    name: "punctuation in a header's value stays",
    async run(call) {
      const value = `W/"a,b"; q="x y"; z=\\"1\\" <https://example.com/?a=1&b=%20>`;
      expect((await echoed(call, "/echo", { headers: { "X-Value": value } })).headers["x-value"]).toBe(value);
    },
  },
  {
    name: "the Authorization header arrives",
    async run(call) {
      const { headers } = await echoed(call, "/echo", { headers: { Authorization: "Bearer abc.def" } });
      expect(headers.authorization).toBe("Bearer abc.def");
    },
  },
  {
    name: "the Cookie header arrives, with all its cookies",
    async run(call) {
      const cookies = ["a=1", "b=x%20y", 'c="q=1,2"', "d="];
      const response = await call("/cookies/seen", { headers: { Cookie: cookies.join("; ") } });
      expect(String(await response.json()).split(/; ?/)).toEqual(cookies);
    },
  },
  {
    name: "Host is the function's name; Accept, Accept-Encoding and User-Agent are filled in",
    async run(call) {
      const { headers } = await echoed(call, "/echo");
      expect(headers).toMatchObject({ host: "app", accept: "*/*" });
      expect(headers["accept-encoding"]).toMatch(/gzip/);
      expect(headers["user-agent"]).toMatch(/./);
    },
  },
  {
    name: "what the caller says is not filled in",
    async run(call) {
      const given = {
        host: "example.com",
        "user-agent": "me/1",
        "accept-encoding": "identity",
        "content-type": "text/x",
      };
      const { headers } = await echoed(call, "/echo", { method: "POST", headers: given, body: "x" });
      expect(headers).toMatchObject(given);
    },
  },
  {
    name: "the content type is filled in from the body",
    async run(call) {
      const typeOf = async (body: NonNullable<CallInit["body"]>): Promise<string | undefined> =>
        (await echoed(call, "/echo", { method: "POST", body })).headers["content-type"];
      expect(await typeOf("text")).toBe("text/plain;charset=UTF-8");
      expect(await typeOf(new URLSearchParams("a=1"))).toBe("application/x-www-form-urlencoded;charset=UTF-8");
      expect(await typeOf(new Blob(["x"], { type: "image/x-y" }))).toBe("image/x-y");
      expect(await typeOf(new FormData())).toMatch(/^multipart\/form-data; ?boundary=/);
    },
  },
];

const requestBodies: Expectation[] = [
  {
    name: "text in Unicode arrives byte for byte",
    async run(call) {
      const echo = await echoed(call, "/echo", {
        method: "POST",
        headers: { "Content-Type": "text/plain" },
        body: TEXT,
      });
      expect(bodyOf(echo)).toEqual(Buffer.from(TEXT));
    },
  },
  {
    name: "every byte arrives",
    async run(call) {
      const headers = { "Content-Type": "application/octet-stream" };
      expect(bodyOf(await echoed(call, "/echo", { method: "POST", headers, body: BYTES }))).toEqual(BYTES);
    },
  },
  {
    name: "every byte arrives without a content type",
    async run(call) {
      expect(bodyOf(await echoed(call, "/echo", { method: "POST", body: BYTES }))).toEqual(BYTES);
    },
  },
  {
    name: "a gzipped body arrives gzipped",
    async run(call) {
      const headers = { "Content-Type": "application/json", "Content-Encoding": "gzip" };
      const body = gzipSync(JSON.stringify(DOCUMENT));
      const echo = await echoed(call, "/echo", { method: "POST", headers, body });
      expect(echo.headers["content-encoding"]).toBe("gzip");
      expect(bodyOf(echo)).toEqual(body);
    },
  },
  {
    name: "of a larger buffer, its part alone arrives",
    async run(call) {
      const body = Buffer.from("before|the part|behind").subarray(7, 15);
      expect(bodyOf(await echoed(call, "/echo", { method: "POST", body })).toString()).toBe("the part");
    },
  },
  {
    name: "a form arrives",
    async run(call) {
      const body = new URLSearchParams([
        ["a", "1"],
        ["a", "2"],
        ["name", "Zoë & Söhne + 1 = 😀"],
        ["empty", ""],
      ]);
      const response = await call("/form", { method: "POST", body });
      expect(await response.json()).toEqual({ a: ["1", "2"], name: "Zoë & Söhne + 1 = 😀", empty: "" });
    },
  },
  {
    name: "JSON arrives",
    async run(call) {
      const sent = { text: TEXT, list: [1, 2.5, null, true], nested: { "": {} } };
      expect(await postJson(call, JSON.stringify(sent))).toEqual({ received: sent });
    },
  },
  {
    name: "JSON with escapes, lone surrogates and NUL arrives",
    async run(call) {
      const sent = String.raw`{"lone":"\ud83d","pair":"\ud83d\ude00","nul":"\u0000","quote":"\"\\\/"}`;
      expect(await postJson(call, sent)).toEqual({ received: JSON.parse(sent) });
    },
  },
  {
    name: "an empty string is an empty body",
    async run(call) {
      expect(await echoed(call, "/echo", { method: "POST", body: "" })).toMatchObject({ method: "POST", body: "" });
    },
  },
];

const roundTrips: Expectation[] = [
  bytesComeBack("every byte comes back", OCTETS, () => BYTES),
  bytesComeBack("bytes labelled JSON that are no UTF-8 come back", "application/json", () => invalidUtf8()),
  bytesComeBack("a byte-order mark comes back", "text/csv", () => Buffer.from(`\uFEFF${TEXT}`)),
  bytesComeBack("line ends and NUL come back", "text/plain", () => Buffer.from("a\r\nb\nc\rd\0\u2028e")),
  { ...bytesComeBack("a megabyte of text comes back", TEXT_TYPE, () => textOf(1_000_000)), megabytes: 1 },
  { ...bytesComeBack("a megabyte of bytes comes back", OCTETS, () => Buffer.alloc(1_000_000, BYTES)), megabytes: 1 },
  { ...bytesComeBack("5 MB of text come back", TEXT_TYPE, () => textOf(5_000_000)), megabytes: 5 },
  // In base64 they are 6.0 MB; Lambda takes 6.29.
  { ...bytesComeBack("4.5 MB of bytes come back", OCTETS, () => Buffer.alloc(4_500_000, BYTES)), megabytes: 4.5 },
  {
    name: "a multipart form with files comes back",
    async run(call) {
      const form = new FormData();
      form.set("name", "Zoë");
      form.append("file", new Blob([BYTES], { type: "image/x-y" }), "größe.bin");
      form.append("file", new Blob([TEXT], { type: "text/plain" }), 'two "2".txt');
      form.append("file", new Blob([]), "empty");
      const response = await call("/bytes", { method: "POST", body: form });

      const bytes = Buffer.from(await response.clone().arrayBuffer());
      expect(bytes.includes(BYTES), "the file's bytes are in the body").toBe(true);
      const received = await response.formData();
      expect(received.get("name")).toBe("Zoë");
      const files = received.getAll("file") as File[];
      expect(files.map(({ name, type }) => [name, type])).toEqual([
        ["größe.bin", "image/x-y"],
        ['two "2".txt', "text/plain"],
        ["empty", "application/octet-stream"],
      ]);
      const contents = await Promise.all(files.map((file) => file.arrayBuffer()));
      expect(contents.map((content) => Buffer.from(content))).toEqual([BYTES, Buffer.from(TEXT), Buffer.alloc(0)]);
    },
  },
];

const responses: Expectation[] = [
  {
    name: "two cookies are exactly two Set-Cookie, in order",
    lostBy: {
      alb: {
        reason: "a result has one value for each header; of several cookies adapters keep the first, the last or none",
        async run(call, app) {
          expect(await cookies(call)).toEqual(KEPT_COOKIES[app] ?? COOKIES);
        },
      },
    },
    async run(call) {
      expect(await cookies(call)).toEqual(COOKIES);
    },
  },
  {
    name: "a cookie with an expiry date, which has a comma",
    async run(call) {
      expect((await call("/cookies/dated")).headers.getSetCookie()).toEqual([DATED_COOKIE]);
    },
  },
  {
    name: "text in Unicode",
    async run(call) {
      const response = await call("/text");
      expect(response.headers.get("Content-Type")).toMatch(/^text\/plain; ?charset=utf-8$/i);
      expect(await response.text()).toBe(TEXT);
    },
  },
  {
    name: "every byte",
    async run(call) {
      const response = await call("/bytes");
      expect(response.headers.get("content-type")).toBe("application/octet-stream");
      expect(Buffer.from(await response.arrayBuffer())).toEqual(BYTES);
    },
  },
  ...["gzip", "deflate", "br"].map((encoding) => ({
    name: `${encoding} is decoded, and the header stays`,
    async run(call: Call): Promise<void> {
      const response = await call(`/${encoding}`);
      expect(response.headers.get("content-encoding")).toBe(encoding);
      expect(await response.json()).toEqual(DOCUMENT);
    },
  })),
  {
    name: "headers, in any casing",
    async run(call) {
      const { headers } = await call("/headers");
      expect([headers.get("x-one"), headers.get("X-ONE")]).toEqual(["1", "1"]);
      expect(headers.get("cache-control")).toBe("no-store");
    },
  },
  {
    name: "a header that the application sends twice",
    async run(call) {
      expect(split((await call("/headers")).headers.get("x-many"))).toEqual(["a", "b"]);
    },
  },
  {
    name: "an empty body",
    async run(call) {
      const response = await call("/empty");
      expect(response.status).toBe(200);
      expect(await response.text()).toBe("");
    },
  },
  {
    name: "a body as a stream",
    async run(call) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of (await call("/bytes")).body ?? []) chunks.push(chunk);
      expect(Buffer.concat(chunks)).toEqual(BYTES);
    },
  },
  ...[200, 201, 202, 206, 300, 400, 401, 403, 404, 409, 418, 422, 429, 500, 502, 503].map((status) => ({
    name: `status ${status}`,
    async run(call: Call): Promise<void> {
      const response = await call(`/status/${status}`);
      expect(response.status).toBe(status);
      expect(response.ok).toBe(status < 300);
      expect(await response.text()).toBe(`status ${status}`);
    },
  })),
  ...[204, 205, 304].map((status) => ({
    name: `status ${status} has no body`,
    async run(call: Call): Promise<void> {
      const response = await call(`/status/${status}`);
      expect(response.status).toBe(status);
      expect(response.body).toBeNull();
      expect(await response.text()).toBe("");
    },
  })),
  {
    name: "the status of a POST",
    async run(call) {
      const response = await call("/status/422", { method: "POST", body: "x" });
      expect(response.status).toBe(422);
      expect(await response.text()).toBe("status 422");
    },
  },
  {
    name: "the framework's 404",
    async run(call) {
      const response = await call("/nowhere");
      expect([response.status, response.ok]).toEqual([404, false]);
    },
  },
  {
    name: "the framework's 500",
    async run(call) {
      const response = await call("/error");
      expect([response.status, response.ok]).toEqual([500, false]);
    },
  },
  {
    name: "a redirect left alone",
    async run(call) {
      const response = await call("/redirect", { redirect: "manual" });
      expect(response.status).toBe(302);
      expect(response.headers.get("location")).toBe("/text");
    },
  },
  {
    name: "a redirect followed",
    async run(call) {
      const response = await call("/redirect");
      expect([response.status, response.redirected]).toEqual([200, true]);
      expect(new URL(response.url).pathname).toBe("/text");
      expect(await response.text()).toBe(TEXT);
    },
  },
];

const together: Expectation[] = [
  {
    name: "calls at the same time do not mix",
    async run(call) {
      const numbers = Array.from({ length: 25 }, (_, index) => String(index));
      const echoes = await Promise.all(
        numbers.map((body) => echoed(call, `/echo/${body}?q=${body}`, { method: "POST", body })),
      );
      expect(echoes.map(({ path }) => path)).toEqual(numbers.map((number) => `/echo/${number}`));
      expect(echoes.map(({ query }) => query)).toEqual(numbers.map((number) => [["q", number]]));
      expect(echoes.map((echo) => bodyOf(echo).toString())).toEqual(numbers);
    },
  },
];

export const expectations: readonly Expectation[] = [
  ...methods,
  ...paths,
  ...queries,
  ...requestHeaders,
  ...requestBodies,
  ...roundTrips,
  ...responses,
  ...together,
];

/** And the query behind it stays. */
function samePath(name: string, path: string): Expectation {
  const sent = new URL(path, "http://app").pathname;
  const decoded = decodeURIComponent(sent).split("?", 1)[0] ?? "";
  const query = [["q", "1"]];
  const lossy: Losses = {
    "http-api": {
      reason: "the path arrives decoded, and a decoded `?` ends it",
      // Adapters that make a URL of the path encode it again.
      async run(call) {
        const echo = await echoed(call, `${path}?q=1`);
        expect({ ...echo, path: encodedAgain(echo.path) }).toMatchObject({ path: encodedAgain(decoded), query });
      },
    },
  };
  return {
    name: `${name}: ${path}`,
    ...(sent.includes("%") && { lostBy: lossy }),
    async run(call) {
      expect(await echoed(call, `${path}?q=1`)).toMatchObject({ path: sent, query });
    },
  };
}

/** @param lost By format: why it is lost, and what arrives instead. */
function sameQuery(
  name: string,
  query: string,
  expected: Echo["query"],
  lost: Readonly<Partial<Record<PayloadFormat, readonly [reason: string, arrives: Echo["query"]]>>> = {},
): Expectation {
  const losses = Object.entries(lost).map(([format, [reason, arrives]]): [string, Loss] => [
    format,
    { reason, run: (call) => expectQuery(call, query, arrives) },
  ]);
  return {
    name: query === "" ? name : `${name}: ${query}`,
    lostBy: Object.fromEntries(losses),
    run: (call) => expectQuery(call, query, expected),
  };
}

/** @param lost What there is in a query that keeps the last value of a name. */
function sameFields(name: string, query: string, expected: Fields, lost?: Fields): Expectation {
  return {
    name: `${name}: ${query}`,
    ...(lost !== undefined && {
      lostBy: { alb: { reason: LAST_VALUE, run: (call) => expectFields(call, query, lost) } },
    }),
    run: (call) => expectFields(call, query, expected),
  };
}

function bytesComeBack(name: string, type: string, body: () => Buffer): Expectation {
  return {
    name,
    async run(call) {
      const sent = body();
      const response = await call("/bytes", { method: "POST", headers: { "Content-Type": type }, body: sent });
      const received = Buffer.from(await response.arrayBuffer());
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toBe(type);
      // Compared as a whole: a difference of a megabyte takes minutes to print.
      expect(received.length).toBe(sent.length);
      expect(received.equals(sent), "the same bytes").toBe(true);
    },
  };
}

/** What the application saw of a request. */
async function echoed(call: Call, path: string, init?: CallInit): Promise<Echo> {
  const response = await call(path, init);
  expect(response.status).toBe(200);
  return (await response.json()) as Echo;
}

async function postJson(call: Call, body: string): Promise<unknown> {
  const response = await call("/json", { method: "POST", headers: { "Content-Type": "application/json" }, body });
  expect(response.status).toBe(200);
  return await response.json();
}

function bodyOf(echo: Echo): Buffer {
  return Buffer.from(echo.body, "base64");
}

/** The values of a header that may have been sent several times or joined, with or without spaces. */
function split(value: string | null | undefined): string[] {
  return value?.split(/, ?/) ?? [];
}

async function twice(call: Call): Promise<string[]> {
  const { headers } = await echoed(call, "/echo", {
    headers: [
      ["x-twice", "one"],
      ["X-Other", "x"],
      ["x-twice", "two"],
    ],
  });
  return split(headers["x-twice"]);
}

async function cookies(call: Call): Promise<string[]> {
  const response = await call("/cookies");
  expect(await response.text()).toBe("ok");
  return response.headers.getSetCookie();
}

async function expectQuery(call: Call, query: string, expected: Echo["query"]): Promise<void> {
  expect((await echoed(call, `/echo${query}`)).query).toEqual(expected);
}

async function expectFields(call: Call, query: string, expected: Fields): Promise<void> {
  expect(await (await call(`/query${query}`)).json()).toEqual(expected);
}

function encodedAgain(path: string): string {
  return new URL(path.replaceAll("?", "%3F").replaceAll("#", "%23"), "http://app").pathname;
}

function invalidUtf8(): Buffer {
  return Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff, 0xc3, 0x28, 0xed, 0xa0, 0x80]), Buffer.from('"}')]);
}

function textOf(bytes: number): Buffer {
  return Buffer.from(TEXT.repeat(Math.floor(bytes / Buffer.byteLength(TEXT))));
}
