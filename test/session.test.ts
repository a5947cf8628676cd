import { getEventListeners } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { inspect } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, expectTypeOf, test, vi } from "vitest";
import type { PreparedRequest } from "../src/auth.ts";
import { HTTPError, TimeoutError } from "../src/errors.ts";
import type { RestApiEvent } from "../src/formats/rest-api.ts";
import { handlerInvoker } from "../src/invoke/handler.ts";
import type { Invocation, Invoker } from "../src/invoke/invoker.ts";
import type { ParamsInput } from "../src/prepare.ts";
import type { HeadersInput } from "../src/request.ts";
import { LambdaResponse } from "../src/response.ts";
import { Session } from "../src/session.ts";
import type { SessionOptions, SessionRequestOptions } from "../src/session-options.ts";

const APP = "http+lambda://app/";
const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString("base64")}`;

/** A session whose functions all answer with the event they got. */
function echoing(options: SessionOptions = {}): Session {
  const invoke = async ({ payload }: Invocation) => {
    const body = Buffer.from(payload).toString();
    return { payload: Buffer.from(JSON.stringify({ statusCode: 200, body })) };
  };
  return new Session({ invoker: { invoke }, ...options });
}

/** The event that came of this call. */
async function sent(
  session: Session,
  options?: SessionRequestOptions,
  method = "POST",
  url = APP,
): Promise<RestApiEvent> {
  return session.request(method, url, options).json<RestApiEvent>();
}

function bytesOf({ body, isBase64Encoded }: RestApiEvent): Buffer {
  return Buffer.from(body ?? "", isBase64Encoded ? "base64" : "utf8");
}

/** An invoker that answers with this text, and says when it is closed. */
function saying(answer: string, closed: string[] = []): Invoker {
  return {
    invoke: async () => ({ payload: Buffer.from(JSON.stringify({ body: answer })) }),
    close: async () => void closed.push(answer),
  };
}

describe("the verbs", () => {
  test.each(["get", "options", "head", "post", "put", "patch", "delete"] as const)("%s", async (verb) => {
    let method = "";
    const handler = async (event: RestApiEvent) => {
      method = event.httpMethod;
      return { statusCode: 204 };
    };
    const session = new Session({ functions: { app: handler } });
    expect(await session[verb](APP)).toMatchObject({ status: 204, url: APP });
    expect(method).toBe(verb.toUpperCase());
  });

  test.each([
    ["trace", "TRACE"],
    ["patch", "PATCH"],
    ["Report", "REPORT"],
    ["M-SEARCH", "M-SEARCH"],
  ])("request(%j)", async (method, expected) => {
    expect((await sent(echoing(), {}, method)).httpMethod).toBe(expected);
  });

  test("are bound, and so are request and fetch", async () => {
    const { get, request, fetch } = echoing();
    expect(await get(APP).json<RestApiEvent>()).toMatchObject({ httpMethod: "GET" });
    expect(await request("PUT", APP).json<RestApiEvent>()).toMatchObject({ httpMethod: "PUT" });
    expect(await (await fetch(APP)).json<RestApiEvent>()).toMatchObject({ httpMethod: "GET" });
  });

  test("take URL objects", async () => {
    expect((await echoing().get(new URL("http+lambda://prod.app/v1"))).url).toBe("http+lambda://prod.app/v1");
  });

  test("are typed by the URL's scheme", () => {
    const { get, fetch } = echoing();
    expectTypeOf(() => get(APP)).returns.resolves.toEqualTypeOf<LambdaResponse>();
    expectTypeOf(() => get("https://example.com/")).returns.resolves.toEqualTypeOf<Response>();
    expectTypeOf(() => fetch(APP)).returns.resolves.toEqualTypeOf<LambdaResponse>();
    expectTypeOf(() => get(APP).json<number>()).returns.resolves.toEqualTypeOf<number>();
    expectTypeOf(fetch).toExtend<typeof globalThis.fetch>();
  });
});

describe("the promise of a response", () => {
  const session = new Session({ invoker: saying('{"a":1}') });

  test("can be read at once", async () => {
    expect(await session.get(APP).json<{ a: number }>()).toEqual({ a: 1 });
    expect(await session.get(APP).text()).toBe('{"a":1}');
    expect(await session.get(APP).bytes()).toEqual(Uint8Array.from(Buffer.from('{"a":1}')));
    expect((await session.get(APP).arrayBuffer()).byteLength).toBe(7);
    expect((await session.get(APP).blob()).type).toBe("application/json");
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const form = new Session({ functions: { app: async () => ({ headers, body: "a=1" }) } });
    expect((await form.get(APP).formData()).get("a")).toBe("1");
    expect(await session.request("POST", APP).json()).toEqual({ a: 1 });
  });

  test("is a promise", async () => {
    const promise = session.get(APP);
    expect(promise).toBeInstanceOf(Promise);
    const response = await promise;
    expect(response).toBeInstanceOf(LambdaResponse);
    expect(await promise.text()).toBe('{"a":1}');
    expect(response.bodyUsed).toBe(true);
  });

  test("its readers reject as it does", async () => {
    const broken = session.get("http+lambda://a b/");
    for (const reader of ["json", "text", "bytes", "arrayBuffer", "blob", "formData"] as const) {
      await expect(broken[reader](), reader).rejects.toThrow(/can't hold " "/);
    }
  });
});

describe("params", () => {
  test.each<[string, ParamsInput, string]>([
    ["numbers, booleans, big numbers", { a: 1.5, b: false, c: 10n, d: "" }, "?a=1.5&b=false&c=10&d="],
    ["arrays repeat", { a: [1, "x", true] }, "?a=1&a=x&a=true"],
    [
      "null, undefined and empty arrays are left out",
      { a: null, b: undefined, c: [], d: [null, 1, undefined] },
      "?d=1",
    ],
    [
      "pairs",
      [
        ["a", 1],
        ["b", 2],
        ["a", null],
        ["a", 3],
      ],
      "?a=1&a=3&b=2",
    ],
    ["text", "?a=1&b=x+y&a=2", "?a=1&a=2&b=x+y"],
    ["URLSearchParams", new URLSearchParams("a=1&a=2"), "?a=1&a=2"],
    ["a Map", new Map([["a", 1]]), "?a=1"],
    ["what has to be encoded", { "ä b": "1&2=3+4#;/?" }, "?%C3%A4+b=1%262%3D3%2B4%23%3B%2F%3F"],
    ["nothing", {}, ""],
  ])("%s", async (_name, params, query) => {
    expect((await echoing().get("http+lambda://app/v1", { params })).url).toBe(`http+lambda://app/v1${query}`);
    expect((await echoing({ params }).get("http+lambda://app/v1")).url).toBe(`http+lambda://app/v1${query}`);
  });

  test("a name and a value arrive as they were", async () => {
    const params = { "ä b": "1&2=3+4#;/?" };
    expect((await sent(echoing(), { params }, "GET")).queryStringParameters).toEqual(params);
  });

  test.each([
    ["http+lambda://app/?b=0", { a: 1 }, "http+lambda://app/?b=0&a=1"],
    ["http+lambda://app/?a=0", { a: 1 }, "http+lambda://app/?a=0&a=1"],
    ["http+lambda://app?b=%2B", { a: 1 }, "http+lambda://app/?b=%2B&a=1"],
    ["http+lambda://app/v1?#top", { a: 1 }, "http+lambda://app/v1?a=1"],
    ["http+lambda://app:prod", { a: 1 }, "http+lambda://prod.app/?a=1"],
    ["http+lambda://app/?a=b c", {}, "http+lambda://app/?a=b%20c"],
  ])("those of the URL stay: %s", async (url, params, expected) => {
    expect((await echoing().get(url, { params })).url).toBe(expected);
  });

  test("the request's take the place of the session's; null takes one away", async () => {
    const session = echoing({ params: { a: 1, b: [2, 3] } });
    const urlWith = async (params?: ParamsInput, url = APP) => (await session.get(url, { params })).url;
    expect(await urlWith()).toBe("http+lambda://app/?a=1&b=2&b=3");
    expect(await urlWith({ b: 4, c: 5 })).toBe("http+lambda://app/?a=1&b=4&c=5");
    expect(await urlWith({ b: null })).toBe("http+lambda://app/?a=1");
    expect(await urlWith({ a: undefined, b: [] })).toBe(APP);
    expect(await urlWith({ a: 9 }, "http+lambda://app/?a=0")).toBe("http+lambda://app/?a=0&a=9&b=2&b=3");
    expect((await session.fetch(APP)).url).toBe("http+lambda://app/?a=1&b=2&b=3");
    session.params = { z: 1 };
    expect(await urlWith()).toBe("http+lambda://app/?z=1");
  });
});

describe("data", () => {
  const FORM = "application/x-www-form-urlencoded;charset=UTF-8";

  test.each<[string, () => SessionRequestOptions["data"], string, string | undefined]>([
    ["an object", () => ({ a: 1, "b c": "ü&", d: true }), "a=1&b+c=%C3%BC%26&d=true", FORM],
    ["arrays repeat, null is left out", () => ({ a: [1, 2], b: null, c: undefined }), "a=1&a=2", FORM],
    ["an object without a prototype", () => Object.assign(Object.create(null), { a: 1 }), "a=1", FORM],
    ["an empty object", () => ({}), "", FORM],
    [
      "pairs",
      () => [
        ["a", 1],
        ["b", 2],
        ["a", 3],
      ],
      "a=1&b=2&a=3",
      FORM,
    ],
    ["a Map", () => new Map([["a", "1"]]), "a=1", FORM],
    ["URLSearchParams", () => new URLSearchParams("a=1"), "a=1", FORM],
    ["text", () => "a=1", "a=1", "text/plain;charset=UTF-8"],
    ["bytes", () => Buffer.from([0, 255]), "\0\u00ff", undefined],
    ["a Blob", () => new Blob(["x"], { type: "text/css" }), "x", "text/css"],
    ["a stream", () => new Blob(["x"]).stream(), "x", undefined],
    [
      "an async iterable",
      () => ({
        async *[Symbol.asyncIterator]() {
          yield Buffer.from("x");
        },
      }),
      "x",
      undefined,
    ],
    ["null", () => null, "", undefined],
    ["undefined", () => undefined, "", undefined],
  ])("%s", async (_name, make, body, type) => {
    const event = await sent(echoing(), { data: make() });
    expect(bytesOf(event).toString("latin1")).toBe(body);
    expect(event.headers["Content-Type"]).toBe(type);
  });

  test("a type of the request's, or of the session's", async () => {
    const own = await sent(echoing(), { data: { a: 1 }, headers: { "content-type": "text/x" } });
    expect(own.multiValueHeaders["content-type"]).toEqual(["text/x"]);
    expect(own.headers).not.toHaveProperty("Content-Type");
    const shared = await sent(echoing({ headers: { "Content-Type": "text/y" } }), { json: 1 });
    expect(shared.multiValueHeaders["content-type"]).toEqual(["text/y"]);
    expect(shared.headers).not.toHaveProperty("Content-Type");
  });
});

describe("json", () => {
  test.each([
    [{ a: [1, "ü", null] }, '{"a":[1,"ü",null]}'],
    [[], "[]"],
    [null, "null"],
    [false, "false"],
    [0, "0"],
    ["", '""'],
    [new Date(0), '"1970-01-01T00:00:00.000Z"'],
    [{ a: undefined }, "{}"],
  ])("%j", async (json, body) => {
    const event = await sent(echoing(), { json });
    expect([event.body, event.headers["Content-Type"]]).toEqual([body, "application/json"]);
  });

  test("undefined is none", async () => {
    expect((await sent(echoing(), { json: undefined, data: "x" })).body).toBe("x");
    expect((await sent(echoing(), { json: 1, data: undefined, files: undefined })).body).toBe("1");
  });

  test("another JSON type", async () => {
    const { headers } = await sent(echoing(), {
      json: {},
      headers: { "Content-Type": "application/merge-patch+json" },
    });
    expect(headers["Content-Type"]).toBe("application/merge-patch+json");
  });
});

describe("files", () => {
  async function received(options: SessionRequestOptions): Promise<[string, unknown][]> {
    const event = await sent(echoing(), options);
    const type = event.headers["Content-Type"] ?? "";
    expect(type).toMatch(/^multipart\/form-data; boundary=/);
    const form = await new Response(bytesOf(event), { headers: { "content-type": type } }).formData();
    const entries = [...form].map(async ([field, value]): Promise<[string, unknown]> => {
      if (typeof value === "string") return [field, value];
      return [field, [value.name, Buffer.from(await value.arrayBuffer()).toString("latin1"), value.type]];
    });
    return Promise.all(entries);
  }
  const OCTETS = "application/octet-stream";

  test.each<[string, NonNullable<SessionRequestOptions["files"]>, unknown[]]>([
    ["text", { a: "hello" }, ["a", "hello", OCTETS]],
    ["bytes", { a: Uint8Array.of(0, 255) }, ["a", "\0\u00ff", OCTETS]],
    ["a Blob", { a: new Blob(["x"], { type: "text/css" }) }, ["a", "x", "text/css"]],
    ["a File", { a: new File(["x"], "größe.txt", { type: "text/plain" }) }, ["größe.txt", "x", "text/plain"]],
    ["a name", { a: ["b.txt", "x"] }, ["b.txt", "x", OCTETS]],
    ["a name and a type", { a: ["b.png", Uint8Array.of(1), "image/png"] }, ["b.png", "\u0001", "image/png"]],
    ["a Blob by another name", { a: ["c", new Blob(["x"], { type: "text/css" })] }, ["c", "x", "text/css"]],
    ["a Blob by another type", { a: ["c", new Blob(["x"], { type: "text/css" }), "text/x"] }, ["c", "x", "text/x"]],
    ["an empty file", { a: ["empty.txt", ""] }, ["empty.txt", "", OCTETS]],
  ])("%s", async (_name, files, expected) => {
    expect(await received({ files })).toEqual([["a", expected]]);
  });

  test("several, of one field and of two", async () => {
    const files = { a: [new File(["1"], "1.txt"), new File(["2"], "2.txt")], b: [["3.txt", "3"], "4"] as const };
    expect(await received({ files })).toEqual([
      ["a", ["1.txt", "1", OCTETS]],
      ["a", ["2.txt", "2", OCTETS]],
      ["b", ["3.txt", "3", OCTETS]],
      ["b", ["b", "4", OCTETS]],
    ]);
  });

  test("with the other fields of the form", async () => {
    const file: [string, unknown] = ["f", ["f", "x", OCTETS]];
    const fields: [string, string][] = [
      ["a", "1"],
      ["a", "ü"],
    ];
    for (const data of [{ a: [1, "ü"], b: null }, fields, new URLSearchParams(fields)]) {
      expect(await received({ data, files: { f: "x" } })).toEqual([...fields, file]);
    }
    expect(await received({ data: { a: 1 }, files: {} })).toEqual([["a", "1"]]);
  });
});

describe("headers", () => {
  const own = ({ multiValueHeaders }: RestApiEvent): Record<string, string[]> =>
    Object.fromEntries(
      Object.entries(multiValueHeaders).filter(([name]) => /^x-/i.test(name) && !/^x-(amzn|forw)/i.test(name)),
    );

  test.each<[string, HeadersInput | undefined, Record<string, string[]>]>([
    ["none of its own", undefined, { "x-a": ["1"], "x-b": ["2"] }],
    ["another value", { "X-A": "3" }, { "X-A": ["3"], "x-b": ["2"] }],
    [
      "several values",
      [
        ["x-A", "3"],
        ["X-a", "4"],
      ],
      { "x-A": ["3", "4"], "x-b": ["2"] },
    ],
    ["an array", { "X-A": ["3", "4"] }, { "X-A": ["3", "4"], "x-b": ["2"] }],
    ["undefined takes one away", { "X-A": undefined, "X-C": "5" }, { "x-b": ["2"], "X-C": ["5"] }],
    ["an empty value does not", { "x-a": "" }, { "x-a": [""], "x-b": ["2"] }],
    ["Headers", new Headers({ "X-A": "3" }), { "x-a": ["3"], "x-b": ["2"] }],
  ])("%s", async (_name, headers, expected) => {
    const session = echoing({ headers: { "X-A": "1", "X-B": "2" } });
    expect(own(await sent(session, { headers }))).toEqual(expected);
    expect(own(await (await session.fetch(APP, { headers: headers ?? {} })).json())).toEqual(expected);
  });

  test("those of the session may be changed", async () => {
    const session = echoing({ headers: [["X-A", "1"]] });
    session.headers.set("X-B", "2");
    session.headers.append("X-A", "3");
    expect(own(await sent(session))).toEqual({ "x-a": ["1, 3"], "x-b": ["2"] });
    session.headers.delete("x-a");
    expect(own(await sent(session))).toEqual({ "x-b": ["2"] });
  });

  test("one request's do not stay", async () => {
    const session = echoing();
    await sent(session, { headers: { "X-A": "1" }, json: {} });
    expect(own(await sent(session))).toEqual({});
    expect([...session.headers]).toEqual([]);
  });
});

describe("auth", () => {
  const authorization = async (session: Session, options: SessionRequestOptions = {}, url = APP) =>
    (await sent(session, options, "GET", url)).multiValueHeaders.Authorization?.join("; ");
  const session = () => echoing({ auth: ["session", "pw"] });
  const url = "http+lambda://url:p%40w@app/";

  test("a pair is Basic, in UTF-8", async () => {
    expect(await authorization(echoing(), { auth: ["ada", "sécret:1"] })).toBe(basic("ada:sécret:1"));
    expect(await authorization(echoing({ auth: ["", ""] }))).toBe(basic(":"));
  });

  test("the nearest one is sent, and no other", async () => {
    expect(await authorization(echoing())).toBeUndefined();
    expect(await authorization(session())).toBe(basic("session:pw"));
    expect(await authorization(session(), {}, url)).toBe(basic("url:p@w"));
    expect(await authorization(session(), { headers: { authorization: "Bearer x" } })).toBe("Bearer x");
    expect(await authorization(session(), { headers: { authorization: "Bearer x" } }, url)).toBe("Bearer x");
    expect(await authorization(session(), { auth: ["own", "pw"] }, url)).toBe(basic("own:pw"));
    expect(await authorization(session(), { auth: ["own", "pw"], headers: { authorization: "Bearer x" } })).toBe(
      basic("own:pw"),
    );
  });

  test("null is none", async () => {
    expect(await authorization(session(), { auth: null })).toBeUndefined();
    expect(await authorization(session(), { auth: null }, url)).toBeUndefined();
    expect(await authorization(session(), { auth: null, headers: { Authorization: "Bearer x" } })).toBe("Bearer x");
    expect(await authorization(echoing({ auth: null }))).toBeUndefined();
    expect(await authorization(session(), { auth: undefined })).toBe(basic("session:pw"));
  });

  test("the session's may be changed", async () => {
    const changed = session();
    changed.auth = ["new", "pw"];
    expect(await authorization(changed)).toBe(basic("new:pw"));
    changed.auth = null;
    expect(await authorization(changed)).toBeUndefined();
  });

  test("a function sees the request as it will be sent, and changes it", async () => {
    const seen: PreparedRequest[] = [];
    const auth = async (request: PreparedRequest): Promise<void> => {
      await Promise.resolve();
      seen.push({ ...request });
      request.headers.set("X-Signature", `of ${request.method} ${request.url} ${request.body}`);
    };
    const event = await sent(
      echoing({ auth, params: { a: 1 } }),
      { json: { b: 2 } },
      "PUT",
      "http+lambda://u:p@prod.app/v1",
    );
    // The URL's own user is nearer than the session's auth.
    expect(seen).toEqual([]);
    expect(event.headers).not.toHaveProperty("X-Signature");

    const signed = await sent(
      echoing({ auth, params: { a: 1 } }),
      { json: { b: 2 } },
      "PUT",
      "http+lambda://prod.app/v1",
    );
    expect(signed.headers["x-signature"]).toBe('of PUT http+lambda://prod.app/v1?a=1 {"b":2}');
    expect(seen[0]?.headers.get("content-type")).toBe("application/json");
  });

  test("a function that fails", async () => {
    const auth = (): never => {
      throw new RangeError("no token");
    };
    await expect(echoing({ auth }).get(APP)).rejects.toThrow(new RangeError("no token"));
  });
});

describe("hooks", () => {
  test("beforeRequest changes what is sent", async () => {
    const beforeRequest = async (request: PreparedRequest): Promise<void> => {
      expect(request).toMatchObject({ method: "POST", url: APP, body: "old" });
      request.method = "PUT";
      request.url = "http+lambda://users/v2?x=1";
      request.headers.set("X-New", "1");
      request.headers.delete("X-Old");
      request.headers.set("X-Changed", "new");
      request.body = "new";
    };
    const response = await echoing({ hooks: { beforeRequest } }).post(APP, {
      headers: { "X-Old": "1", "X-Changed": "old", "X-Kept": "1" },
      data: "old",
    });
    expect(response.url).toBe("http+lambda://users/v2?x=1");
    const event = (await response.json()) as RestApiEvent;
    expect(event).toMatchObject({ httpMethod: "PUT", path: "/v2", queryStringParameters: { x: "1" }, body: "new" });
    expect(event.headers).toMatchObject({ "x-new": "1", "x-changed": "new", "X-Kept": "1", Host: "users" });
    expect(event.headers).not.toHaveProperty("X-Old");
    expect(event.headers).not.toHaveProperty("X-Changed");
  });

  test("what it does not touch stays as it was, values of one name apart", async () => {
    const headers: [string, string][] = [
      ["X-Many", "1"],
      ["x-many", "2, 3"],
      ["X-Other", "1"],
      ["X-Other", "2"],
    ];
    const beforeRequest = (request: PreparedRequest): void => request.headers.append("x-other", "3");
    const { multiValueHeaders } = await sent(echoing({ hooks: { beforeRequest } }), { headers });
    expect(multiValueHeaders["X-Many"]).toEqual(["1", "2, 3"]);
    expect(multiValueHeaders["x-other"]).toEqual(["1, 2, 3"]);
    expect(multiValueHeaders).not.toHaveProperty("X-Other");
    // And so with auth, which looks at the headers as well.
    const signed = await sent(echoing({ auth: ["a", "b"] }), { headers });
    expect(signed.multiValueHeaders).toMatchObject({ "X-Many": ["1", "2, 3"], "X-Other": ["1", "2"] });
  });

  test("it may answer, and nobody is called", async () => {
    const seen: unknown[] = [];
    const invoker: Invoker = { invoke: () => expect.unreachable() };
    const hooks = {
      beforeRequest: [
        () => undefined,
        async () => new Response("cached", { status: 203 }),
        () => expect.unreachable("those behind it do not run"),
      ],
      afterResponse: (response: Response, request: PreparedRequest) => void seen.push(response.status, request.url),
    };
    const response = await new Session({ invoker, hooks }).get(APP);
    expect([response.status, await response.text()]).toEqual([203, "cached"]);
    expect(seen).toEqual([203, APP]);
    // An answer is raised for as any other.
    const failing = new Session({
      invoker,
      raiseForStatus: true,
      hooks: { beforeRequest: () => new Response(null, { status: 500 }) },
    });
    await expect(failing.get(APP)).rejects.toThrow(HTTPError);
  });

  test("afterResponse sees the response, and may put another in its place", async () => {
    const order: string[] = [];
    const hooks = {
      beforeRequest: [() => void order.push("before 1"), () => void order.push("before 2")],
      afterResponse: [
        (response: Response) => {
          order.push(`after 1: ${response.status}`);
          return new Response("replaced", { status: 201 });
        },
        async (response: Response) => void order.push(`after 2: ${response.status}`),
      ],
    };
    const response = await echoing({ hooks }).get(APP);
    expect([response.status, await response.text()]).toEqual([201, "replaced"]);
    expect(order).toEqual(["before 1", "before 2", "after 1: 200", "after 2: 201"]);
  });

  test("they run after auth, and once with redirects", async () => {
    const urls: string[] = [];
    const handler = async ({ path }: RestApiEvent) =>
      path === "/" ? { statusCode: 302, headers: { location: "/to" } } : { body: "arrived" };
    const beforeRequest = ({ headers, url }: PreparedRequest) =>
      void urls.push(`${url} ${headers.get("authorization")}`);
    const session = new Session({ functions: { app: handler }, auth: ["a", "b"], hooks: { beforeRequest } });
    expect(await session.get(APP).text()).toBe("arrived");
    expect(urls).toEqual([`${APP} ${basic("a:b")}`]);
  });

  test("one that fails", async () => {
    const failing = (): never => {
      throw new RangeError("from the hook");
    };
    for (const hooks of [{ beforeRequest: failing }, { afterResponse: failing }]) {
      await expect(echoing({ hooks }).get(APP)).rejects.toThrow(new RangeError("from the hook"));
    }
  });
});

describe("raiseForStatus", () => {
  const functions = {
    app: async ({ path }: RestApiEvent) => ({ statusCode: Number(path.slice(1)), body: "why" }),
  };

  test("of a session", async () => {
    const session = new Session({ functions, raiseForStatus: true });
    expect((await session.get("http+lambda://app/399")).status).toBe(399);
    const error: HTTPError = await session.get("http+lambda://app/404").then(
      () => expect.unreachable(),
      (error) => error,
    );
    expect(error).toBeInstanceOf(HTTPError);
    expect(error.message).toBe("GET http+lambda://app/404: 404 Not Found (client error)");
    expect(await error.response.text()).toBe("why");
    await expect(session.get("http+lambda://app/500").text()).rejects.toThrow(HTTPError);
    expect((await session.get("http+lambda://app/404", { raiseForStatus: false })).status).toBe(404);
  });

  test("of a request", async () => {
    const session = new Session({ functions });
    expect((await session.get("http+lambda://app/404")).status).toBe(404);
    await expect(session.get("http+lambda://app/404", { raiseForStatus: true })).rejects.toThrow(HTTPError);
  });
});

describe("timeout and signal", () => {
  /** Never answers, and keeps to the contract of an invoker: it ends with the signal's reason. */
  function silent(): { invoker: Invoker; signals: AbortSignal[] } {
    const signals: AbortSignal[] = [];
    const invoke = (_invocation: Invocation, signal?: AbortSignal): Promise<never> =>
      new Promise((_, reject) => {
        if (signal === undefined) return;
        signals.push(signal);
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    return { invoker: { invoke }, signals };
  }

  describe("timeout", () => {
    afterEach(() => void vi.useRealTimers());
    const useTimers = () => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });

    async function timesOut(promise: Promise<unknown>, timeout: number): Promise<TimeoutError> {
      let state: unknown = "pending";
      promise.catch((error: unknown) => {
        state = error;
      });
      await vi.advanceTimersByTimeAsync(timeout - 1);
      expect(state).toBe("pending");
      await vi.advanceTimersByTimeAsync(1);
      expect(state).toBeInstanceOf(TimeoutError);
      expect(vi.getTimerCount()).toBe(0);
      return state as TimeoutError;
    }

    test("of a request and of a session", async () => {
      useTimers();
      const { invoker, signals } = silent();
      const error = await timesOut(new Session({ invoker, timeout: 1000 }).post(APP), 1000);
      expect(error).toMatchObject({ name: "TimeoutError", code: "ERR_TIMEOUT", outcome: "unknown" });
      expect(error).toMatchObject({ request: { method: "POST", url: APP }, target: { functionName: "app" } });
      expect(error.message).toBe(`POST ${APP}: no answer within 1000 ms; the function may still be running`);
      expect(signals[0]?.reason, "is what the invoker is told").toBe(error);
      await timesOut(new Session({ invoker, timeout: 1000 }).get(APP, { timeout: 50 }), 50);
      await timesOut(new Session({ invoker }).fetch(APP, { lambda: { timeout: 50 } }), 50);
    });

    test("of all redirects together", async () => {
      useTimers();
      const location = "/next";
      const slow = () => new Promise((answer) => setTimeout(answer, 40, { statusCode: 302, headers: { location } }));
      await timesOut(
        new Session({ functions: { app: slow } }).get(APP, { timeout: 100 }).catch((error) => {
          // The third handler runs on; nobody waits for it.
          vi.clearAllTimers();
          throw error;
        }),
        100,
      );
    });

    test("of a body that never ends", async () => {
      useTimers();
      const { invoker } = silent();
      await timesOut(new Session({ invoker }).post(APP, { data: new ReadableStream({}), timeout: 100 }), 100);
    });

    test("of another scheme's URL", async () => {
      useTimers();
      const fetch = (_url: unknown, init?: RequestInit) =>
        silent().invoker.invoke({} as never, init?.signal ?? undefined);
      const session = new Session({ fetch: fetch as never });
      const error = await timesOut(session.get("https://u:hunter2@example.com/?a=1", { timeout: 100 }), 100);
      expect(error.message).toBe("GET https://example.com/?a=1: no answer within 100 ms");
    });

    test("leaves no timer behind", async () => {
      useTimers();
      const session = new Session({ invoker: saying("hi"), timeout: 1000 });
      expect(await session.get(APP).text()).toBe("hi");
      await expect(session.get(APP, { headers: { "a b": "" } })).rejects.toThrow(TypeError);
      expect(vi.getTimerCount()).toBe(0);
    });

    test("longer than a timer can be is none", async () => {
      useTimers();
      const session = new Session({ invoker: saying("hi") });
      expect(await session.get(APP, { timeout: Number.POSITIVE_INFINITY }).text()).toBe("hi");
      const { invoker } = silent();
      let ended = false;
      void new Session({ invoker })
        .get(APP, { timeout: 2 ** 40 })
        .finally(() => {
          ended = true;
        })
        .catch(() => undefined);
      await vi.advanceTimersByTimeAsync(10_000);
      expect(ended).toBe(false);
      vi.clearAllTimers();
    });
  });

  describe("signal", () => {
    const reason = new RangeError("changed my mind");

    test("aborted before: nobody is called", async () => {
      const invoker: Invoker = { invoke: () => expect.unreachable() };
      const signal = AbortSignal.abort(reason);
      await expect(new Session({ invoker }).get(APP, { signal })).rejects.toBe(reason);
      await expect(new Session({ invoker }).fetch(new Request(APP, { signal }))).rejects.toBe(reason);
      await expect(new Session({ invoker }).get(APP, { signal: AbortSignal.abort() })).rejects.toMatchObject({
        name: "AbortError",
      });
    });

    test.each([undefined, 60_000])("aborted meanwhile: its own reason (timeout %s)", async (timeout) => {
      const { invoker } = silent();
      const controller = new AbortController();
      const session = new Session({ invoker, timeout });
      const calls = [
        session.get(APP, { signal: controller.signal }),
        session.fetch(APP, { signal: controller.signal }),
        session.fetch(new Request(APP, { signal: controller.signal })),
        session.post(APP, { signal: controller.signal, data: new ReadableStream({}) }),
      ];
      controller.abort(reason);
      for (const call of calls) await expect(call).rejects.toBe(reason);
    });

    test("a handler in this process is not waited for", async () => {
      const controller = new AbortController();
      const session = new Session({ functions: { app: () => new Promise(() => controller.abort(reason)) } });
      await expect(session.get(APP, { signal: controller.signal })).rejects.toBe(reason);
    });

    test("no listener stays on it", async () => {
      const { signal } = new AbortController();
      const session = new Session({ functions: { app: async () => ({}) } });
      await session.get(APP, { signal });
      await session.get(APP, { signal, timeout: 1000 });
      expect(getEventListeners(signal, "abort")).toHaveLength(0);
    });

    test("null is none", async () => {
      const session = new Session({ invoker: saying("hi") });
      expect(await session.get(APP, { signal: null }).text()).toBe("hi");
      const request = new Request(APP, { signal: AbortSignal.abort() });
      expect(await (await session.fetch(request, { signal: null })).text()).toBe("hi");
    });
  });
});

describe("allowRedirects", () => {
  const handler = async ({ path }: RestApiEvent) =>
    path === "/" ? { statusCode: 302, headers: { location: "/to" } } : { body: "arrived" };

  test("true by default", async () => {
    const session = new Session({ functions: { app: handler } });
    expect(await session.get(APP).text()).toBe("arrived");
    expect((await session.get(APP, { allowRedirects: false })).status).toBe(302);
    const careful = new Session({ functions: { app: handler }, redirect: "manual" });
    expect((await careful.get(APP)).status).toBe(302);
    expect((await careful.get(APP, { allowRedirects: true })).status).toBe(200);
  });
});

test("an invoker that does not look at its signal is not waited for", async () => {
  const controller = new AbortController();
  const reason = new Error("enough");
  const invoker: Invoker = {
    invoke: () => {
      queueMicrotask(() => controller.abort(reason));
      return new Promise(() => undefined);
    },
  };
  await expect(new Session({ invoker }).get(APP, { signal: controller.signal })).rejects.toBe(reason);
  expect(getEventListeners(controller.signal, "abort")).toEqual([]);
});

test("a session that is logged shows no secret", () => {
  const session = new Session({
    auth: ["ada", "sesame"],
    headers: { Authorization: "Bearer sesame", "X-Api-Key": "sesame" },
    params: { key: "sesame" },
    credentials: { accessKeyId: "AKIA", secretAccessKey: "sesame", sessionToken: "sesame" },
    region: "eu-west-1",
  });
  expect(inspect(session, { depth: 10, showHidden: true })).not.toContain("sesame");
  expect(JSON.stringify(session)).not.toContain("sesame");
});

describe("a fetch of somebody else's", () => {
  test("on a function's URL has the time limit and the signal too", async () => {
    const session = new Session();
    const inits: RequestInit[] = [];
    session.mount("http+lambda://f", (async (_input: unknown, init: RequestInit) => {
      inits.push(init);
      return new Promise(() => undefined);
    }) as never);
    await expect(session.get("http+lambda://f/", { timeout: 1 })).rejects.toBeInstanceOf(TimeoutError);
    expect(inits[0]?.signal?.aborted).toBe(true);
    expect(inits[0]).not.toHaveProperty("lambda");
    const body = new Blob(["x"]).stream();
    await expect(session.post("http+lambda://f/", { data: body, timeout: 1 })).rejects.toBeInstanceOf(TimeoutError);
    expect(inits[1]).toHaveProperty("duplex", "half");
  });

  test("a caller's signal and the time limit reach a body that stalls", async () => {
    const server = createServer((_request, response) => void response.write("head"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    try {
      const controller = new AbortController();
      const response = await new Session().get(url, { signal: controller.signal, timeout: 60_000 });
      const reading = response.text();
      controller.abort(new RangeError("enough"));
      await expect(reading).rejects.toThrow("enough");
      const late = await new Session().get(url, { timeout: 300 });
      await expect(late.text()).rejects.toBeInstanceOf(TimeoutError);
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test("gets what a Request says to it", async () => {
    const inits: RequestInit[] = [];
    const session = new Session({
      fetch: (async (_input: unknown, init: RequestInit) => {
        inits.push(init);
        return new Response("ok");
      }) as never,
    });
    await session.fetch(
      new Request("https://example.com/", { integrity: "sha256-abc", cache: "no-store" } as RequestInit),
    );
    expect(inits[0]).toMatchObject({ integrity: "sha256-abc", cache: "no-store" });
  });

  test("its bad status is named with the URL", async () => {
    const session = new Session({ raiseForStatus: true });
    session.mount("https://", async () => new Response("no", { status: 404 }));
    await expect(session.get("https://example.com/a")).rejects.toThrow("GET https://example.com/a: 404");
  });
});

test("a time limit that runs out before anything is sent says so", async () => {
  const session = new Session({ invoker: { invoke: () => new Promise(() => undefined) } });
  const endless = new ReadableStream({ pull: () => new Promise(() => undefined) });
  const error = await session.post(APP, { data: endless, timeout: 1 }).catch((error: unknown) => error);
  expect(error).toMatchObject({ name: "TimeoutError", outcome: "not-started" });
  expect(String(error)).toContain("nothing was sent");
  expect(await session.get(APP, { timeout: 1 }).catch((error: unknown) => error)).toMatchObject({ outcome: "unknown" });
});

test.each([undefined, {}, { payload: "{}" }])(
  "an invoker that gives %j is told what it has to give",
  async (result) => {
    const session = new Session({ invoker: { invoke: async () => result as never } });
    await expect(session.get(APP)).rejects.toThrow("the invoker of app has to give a result with a payload of bytes");
  },
);

test("one signal may end many calls that have a time limit, without a warning", async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error): number => warnings.push(warning);
  process.on("warning", onWarning);
  const session = echoing();
  const { signal } = new AbortController();
  await Promise.all(Array.from({ length: 50 }, () => session.get(APP, { signal, timeout: 60_000 })));
  await new Promise(setImmediate);
  process.off("warning", onWarning);
  expect(warnings).toEqual([]);
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

describe("mount of a scheme alone", () => {
  test("catches all of it, and nothing else", async () => {
    const session = echoing();
    const seen: string[] = [];
    session.mount("https://", async (input) => {
      seen.push(String(input));
      return new Response("recorded");
    });
    expect(await session.get("https://example.com/a?b=1").text()).toBe("recorded");
    expect(seen).toEqual(["https://example.com/a?b=1"]);
    expect((await sent(session)).path).toBe("/");
  });
});

describe("mount", () => {
  test("the longest prefix wins, by whole segments", async () => {
    const session = new Session({ invoker: saying("elsewhere") });
    const prefixes = [
      ...[
        "http+lambda://orders",
        "http+lambda://orders/v1/",
        "http+lambda://orders/v1/a/b",
        "http+lambda://orders:prod",
      ],
      ...["http+lambda://users/"],
    ];
    for (const prefix of prefixes) session.mount(prefix, saying(prefix));
    const cases: [url: string, prefix: string][] = [
      ["http+lambda://orders", "http+lambda://orders"],
      ["http+lambda://orders/", "http+lambda://orders"],
      ["http+lambda://orders?a=1", "http+lambda://orders"],
      ["http+lambda://orders/v10", "http+lambda://orders"],
      ["http+lambda://orders/v1", "http+lambda://orders/v1/"],
      ["http+lambda://orders/v1?a=1", "http+lambda://orders/v1/"],
      ["http+lambda://orders/v1/a", "http+lambda://orders/v1/"],
      ["http+lambda://orders/v1/a/b/c", "http+lambda://orders/v1/a/b"],
      ["http+lambda://orders/v1/../v2", "http+lambda://orders"],
      ["http+lambda://prod.orders/x", "http+lambda://orders:prod"],
      ["http+lambda://users", "http+lambda://users/"],
      ["http+lambda://orders-admin/", "elsewhere"],
      ["http+lambda://Orders/", "elsewhere"],
      ["http+lambda://dev.orders/", "elsewhere"],
      ["http+lambda://use", "elsewhere"],
    ];
    for (const [url, prefix] of cases) expect(await session.get(url).text(), url).toBe(prefix);
  });

  test("a scheme alone stands for all functions", async () => {
    const session = new Session({
      invoker: saying("elsewhere"),
      functions: { app: async () => ({ body: "handler" }) },
    });
    session.mount("http+lambda://app/v1", saying("v1"));
    expect(await session.get(APP).text()).toBe("handler");
    session.mount("HTTP+Lambda://", saying("all"));
    expect(await session.get(APP).text()).toBe("all");
    expect(await session.get("http+lambda://users/").text()).toBe("all");
    expect(await session.get("http+lambda://app/v1/x").text()).toBe("v1");
  });

  test("the last one of a prefix holds", async () => {
    const session = new Session({ invoker: saying("elsewhere") });
    session.mount("http+lambda://app", saying("first"));
    session.mount("http+lambda://app/", saying("second"));
    expect(await session.get(APP).text()).toBe("second");
  });

  test("a handler", async () => {
    const session = new Session({ params: { a: 1 } });
    session.mount(
      APP,
      handlerInvoker(async (event: RestApiEvent) => ({ body: event.queryStringParameters?.a })),
    );
    expect(await session.get(APP).text()).toBe("1");
  });

  test("a fetch, of our URLs and of others", async () => {
    const calls: [string, RequestInit][] = [];
    const recorded = (async (url: string, init: RequestInit) => {
      calls.push([url, init]);
      return new Response(`recorded ${url}`);
    }) as typeof globalThis.fetch;
    const session = new Session({ headers: { "X-A": "1" }, fetch: (async () => new Response("elsewhere")) as never });
    session.mount("https://api.example.com/v1", recorded);
    session.mount(APP, recorded);
    expect(await session.post("https://API.example.com/v1/x?b=2", { params: { a: 1 }, json: {} }).text()).toBe(
      "recorded https://api.example.com/v1/x?b=2&a=1",
    );
    expect(await session.get("http+lambda://app/x").text()).toBe("recorded http+lambda://app/x");
    for (const url of ["https://api.example.com/v10", "https://api.example.com/", "https://api.example.com:8443/v1"]) {
      expect(await session.get(url).text(), url).toBe("elsewhere");
    }
    expect(calls[0]?.[1]).toMatchObject({ method: "POST", body: "{}" });
    expect(new Headers(calls[0]?.[1].headers).get("x-a")).toBe("1");
    expect(calls).toHaveLength(2);
  });

  test("a hook may lead there", async () => {
    const beforeRequest = (request: PreparedRequest): void => {
      request.url = "http+lambda://users/";
    };
    const session = new Session({ hooks: { beforeRequest } });
    session.mount("http+lambda://users", saying("users"));
    expect(await session.get(APP).text()).toBe("users");
  });
});

test("functions are answered in this process, all others by the invoker", async () => {
  const functions = {
    app: async ({ path }: RestApiEvent) => ({ body: `app ${path}` }),
    users: async () => ({ body: "users" }),
  };
  const session = new Session({ functions, invoker: saying("elsewhere") });
  expect(await session.get("http+lambda://app/v1").text()).toBe("app /v1");
  expect(await session.get("http+lambda://prod.app/").text()).toBe("app /");
  expect(await session.get("http+lambda://arn:aws:lambda:eu-west-1:123456789012:function:users/").text()).toBe("users");
  expect(await session.get("http+lambda://App/").text()).toBe("elsewhere");
  expect(await session.get("http+lambda://orders/").text()).toBe("elsewhere");
});

describe("fetch", () => {
  test("has the session's defaults", async () => {
    const seen: string[] = [];
    const session = echoing({
      ...{ headers: { "X-A": "1" }, params: { a: 1 }, auth: ["ada", "pw"] },
      hooks: { beforeRequest: ({ method, url }) => void seen.push(`${method} ${url}`) },
    });
    const event: RestApiEvent = await (await session.fetch(APP, { method: "POST", body: "x" })).json();
    expect(event).toMatchObject({ httpMethod: "POST", queryStringParameters: { a: "1" }, body: "x" });
    expect(event.headers).toMatchObject({ "x-a": "1", Authorization: basic("ada:pw") });
    expect(event.headers["Content-Type"] ?? event.headers["content-type"]).toBe("text/plain;charset=UTF-8");
    expect(seen).toEqual(["POST http+lambda://app/?a=1"]);
  });

  test("takes a Request", async () => {
    const request = new Request("http+lambda://prod.app/v1?b=2", {
      method: "PUT",
      headers: { "X-B": "2" },
      body: "höh",
    });
    const session = echoing({ params: { a: 1 }, headers: { "X-A": "1", "X-B": "1" } });
    const response = await session.fetch(request);
    expect(response.url).toBe("http+lambda://prod.app/v1?b=2&a=1");
    const event = (await response.json()) as RestApiEvent;
    expect(event).toMatchObject({ httpMethod: "PUT", path: "/v1" });
    expect(bytesOf(event).toString()).toBe("höh");
    expect(event.headers).toMatchObject({ "x-a": "1", "x-b": "2", "content-type": "text/plain;charset=UTF-8" });
    expect(request.bodyUsed).toBe(true);
  });

  test("what the second argument says goes first", async () => {
    const request = new Request(APP, { method: "PUT", headers: { "X-B": "2" }, body: "old" });
    const init = { method: "POST", headers: { "X-C": "3" }, body: "new", lambda: { qualifier: "prod" } };
    const response = await echoing().fetch(request, init);
    const event = (await response.json()) as RestApiEvent;
    expect(event).toMatchObject({ httpMethod: "POST", body: "new", headers: { "X-C": "3" } });
    expect(event.headers).not.toHaveProperty("x-b");
    expect((response as LambdaResponse).invocation.qualifier).toBe("prod");
  });
});

describe("close", () => {
  test("closes what was given and what was mounted, once each", async () => {
    const closed: string[] = [];
    const shared = saying("shared", closed);
    const session = new Session({ invoker: saying("own", closed), functions: { app: async () => ({}) } });
    session.mount("http+lambda://a", saying("mounted", closed));
    session.mount("http+lambda://b", shared);
    session.mount("https://example.com/", globalThis.fetch);
    await session.close();
    expect(closed.sort()).toEqual(["mounted", "own", "shared"]);
  });

  test("is what await using calls", async () => {
    const closed: string[] = [];
    const session = new Session({ invoker: saying("own", closed) });
    await session[Symbol.asyncDispose]();
    expect(closed).toEqual(["own"]);
  });

  test("of an invoker that holds nothing", async () => {
    await expect(echoing().close()).resolves.toBeUndefined();
    await expect(new Session().close()).resolves.toBeUndefined();
  });
});

describe("URLs of other schemes, on a real server", () => {
  interface Echo {
    readonly method: string;
    readonly url: string;
    readonly headers: Record<string, string>;
    readonly raw: string[];
    readonly body: string;
  }
  const server = createServer(async (request: IncomingMessage, response) => {
    const { method, url = "", headers, rawHeaders: raw } = request;
    if (url === "/redirect") return response.writeHead(302, { location: "/to" }).end();
    const echo = { method, url, headers, raw, body: await text(request) };
    response.writeHead(url.startsWith("/404") ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(echo));
  });
  let origin = "";
  beforeAll(async () => {
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  test("params, headers and auth are the session's", async () => {
    const session = new Session({ params: { a: 1 }, headers: { "X-A": "1" }, auth: ["ada", "pw"] });
    const response = await session.get(`${origin}/v1?b=2#top`, { params: { c: [3, 4] }, headers: { "X-B": "2" } });
    expect(response).not.toBeInstanceOf(LambdaResponse);
    expect(response.url).toBe(`${origin}/v1?b=2&a=1&c=3&c=4`);
    const echo = (await response.json()) as Echo;
    expect(echo).toMatchObject({ method: "GET", url: "/v1?b=2&a=1&c=3&c=4" });
    expect(echo.headers).toMatchObject({ "x-a": "1", "x-b": "2", authorization: basic("ada:pw") });
  });

  test("user and password of the URL", async () => {
    const url = origin.replace("//", "//ada:p%40w@");
    const { headers } = await new Session({ auth: ["session", "pw"] }).get(url).json<Echo>();
    expect(headers.authorization).toBe(basic("ada:p@w"));
    const none = await new Session().get(url, { auth: null }).json<Echo>();
    expect(none.headers).not.toHaveProperty("authorization");
  });

  test.each<[string, SessionRequestOptions, string, string | undefined]>([
    ["json", { json: { a: 1 } }, '{"a":1}', "application/json"],
    ["a form", { data: { a: [1, 2] } }, "a=1&a=2", "application/x-www-form-urlencoded;charset=UTF-8"],
    ["text", { data: "hi" }, "hi", "text/plain;charset=UTF-8"],
    ["bytes", { data: Buffer.from("hi") }, "hi", undefined],
    ["a stream", { data: new Blob(["streamed"]).stream() }, "streamed", undefined],
  ])("%s", async (_name, options, body, type) => {
    const echo = await new Session().post(origin, options).json<Echo>();
    expect([echo.method, echo.body, echo.headers["content-type"]]).toEqual(["POST", body, type]);
  });

  test("the readers of the promise, bytes among them, which Node 20's Response has not", async () => {
    const session = new Session();
    const bytes = await session.put(origin, { data: "hi" }).bytes();
    expect(bytes).toBeInstanceOf(Uint8Array);
    expect(JSON.parse(Buffer.from(bytes).toString())).toMatchObject({ method: "PUT", body: "hi" });
    expect(await session.delete(origin).text()).toContain('"method":"DELETE"');
  });

  test("hooks", async () => {
    const hooks = {
      beforeRequest: (request: PreparedRequest) => void request.headers.set("X-Hook", "1"),
      afterResponse: async (response: Response) => Response.json({ seen: await response.json() }),
    };
    const { seen } = await new Session({ hooks }).get(origin).json<{ seen: Echo }>();
    expect(seen.headers["x-hook"]).toBe("1");
  });

  test("raiseForStatus", async () => {
    const session = new Session({ raiseForStatus: true });
    const error: HTTPError = await session.get(`${origin.replace("//", "//u:hunter2@")}/404`).then(
      () => expect.unreachable(),
      (error) => error,
    );
    expect(error).toBeInstanceOf(HTTPError);
    expect(error.message).toBe(`GET ${origin}/404: 404 Not Found (client error)`);
    expect((await session.get(`${origin}/404`, { raiseForStatus: false })).status).toBe(404);
  });

  test("allowRedirects, and the session's redirect", async () => {
    const url = `${origin}/redirect`;
    expect(await new Session().get(url).json<Echo>()).toMatchObject({ url: "/to" });
    expect((await new Session().get(url, { allowRedirects: false })).status).toBe(302);
    expect((await new Session({ redirect: "manual" }).get(url)).status).toBe(302);
    expect((await new Session({ redirect: "manual" }).get(url, { allowRedirects: true })).status).toBe(200);
  });

  test("a Request", async () => {
    const request = new Request(`${origin}/v1`, { method: "POST", headers: { "X-A": "1" }, body: "hi" });
    const echo = (await (await new Session({ params: { a: 1 } }).fetch(request)).json()) as Echo;
    expect(echo).toMatchObject({ method: "POST", url: "/v1?a=1", body: "hi" });
    expect(echo.headers["x-a"]).toBe("1");
  });
});
