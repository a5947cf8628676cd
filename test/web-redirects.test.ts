import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { setImmediate } from "node:timers/promises";
import { inspect } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, describe, expect, test, vi } from "vitest";
import { TimeoutError, TooManyRedirectsError, UnsafeRedirectError } from "../src/errors.ts";
import { createFetch } from "../src/fetch.ts";
import type { RestApiEvent } from "../src/formats/rest-api.ts";
import { LambdaResponse } from "../src/response.ts";
import { Session } from "../src/session.ts";
import { listening } from "./support/sockets.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  vi.useRealTimers();
  for (const close of closers.splice(0)) close();
});

interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Site {
  readonly origin: string;
  readonly received: Received[];
}

type Pages = Readonly<Record<string, string | ((response: ServerResponse, request: Received) => unknown)>>;

/** A server that redirects (302) from a path to what is said of it, or has a listener for it; all else it echoes. */
async function serve(pages: Pages = {}): Promise<Site> {
  const received: Received[] = [];
  const server = createServer(async (incoming, response) => {
    const { method = "", url = "", headers } = incoming;
    const request = { method, url, headers, body: await text(incoming) };
    received.push(request);
    const page = pages[url.replace(/\?.*/, "")];
    if (typeof page === "string") response.writeHead(302, { location: page }).end("moved");
    else if (page !== undefined) page(response, request);
    else response.end(JSON.stringify(request));
  });
  const { origin, undo } = await listening(server);
  closers.push(undo);
  return { origin, received };
}

const redirect = (status: number, location: string, headers: Record<string, string> = {}) => {
  return (response: ServerResponse) => void response.writeHead(status, { location, ...headers }).end("moved");
};

/** A function that redirects to the path or URL in its query. */
const app = async ({ queryStringParameters, httpMethod, headers }: RestApiEvent) => {
  const location = queryStringParameters?.to;
  const statusCode = Number(queryStringParameters?.status ?? 302);
  return location === undefined ? { body: `${httpMethod} ${headers.Cookie}` } : { statusCode, headers: { location } };
};
const appTo = (location: string): string => `http+lambda://app/?to=${encodeURIComponent(location)}`;

async function rejection(promise: Promise<unknown>): Promise<Error> {
  const [result] = await Promise.allSettled([promise]);
  if (result.status === "fulfilled") throw new Error("it was not refused");
  return result.reason as Error;
}

describe("a Session on the web", () => {
  test("follows by itself: the response is the last one's, and says so", async () => {
    const other = await serve();
    const { origin, received } = await serve({ "/a": "/b?x=1#top", "/b": "c", "/c": `${other.origin}/d` });
    const response = await new Session().get(`${origin}/a`);
    expect(response).not.toBeInstanceOf(LambdaResponse);
    expect([response.status, response.redirected, response.url]).toEqual([200, true, `${other.origin}/d`]);
    expect(((await response.json()) as Received).url).toBe("/d");
    expect(received.map(({ url }) => url)).toEqual(["/a", "/b?x=1", "/c"]);
    const direct = await new Session().get(`${origin}/x`);
    expect([direct.redirected, direct.url]).toEqual([false, `${origin}/x`]);
  });

  test("params go to the first alone", async () => {
    const { origin, received } = await serve({ "/a": "/b" });
    await new Session({ params: { p: 1 } }).get(`${origin}/a`);
    expect(received.map(({ url }) => url)).toEqual(["/a?p=1", "/b"]);
  });

  test.each<[status: number, method: string, then: string]>([
    ...[301, 302].flatMap((status): [number, string, string][] => [
      [status, "GET", "GET"],
      [status, "HEAD", "HEAD"],
      [status, "POST", "GET"],
      [status, "PUT", "PUT"],
      [status, "DELETE", "DELETE"],
    ]),
    [303, "GET", "GET"],
    [303, "HEAD", "HEAD"],
    [303, "POST", "GET"],
    [303, "PUT", "GET"],
    [303, "DELETE", "GET"],
    ...[307, 308].flatMap((status): [number, string, string][] => [
      [status, "GET", "GET"],
      [status, "HEAD", "HEAD"],
      [status, "POST", "POST"],
      [status, "PATCH", "PATCH"],
    ]),
  ])("%i of a %s: a %s, as the platform's fetch does it", async (status, method, then) => {
    const { origin, received } = await serve({ "/a": redirect(status, "/b") });
    const hasBody = method !== "GET" && method !== "HEAD";
    const init = { method, headers: { "X-Id": "7" }, ...(hasBody && { body: '{"a":1}' }) };
    const response = await new Session().fetch(`${origin}/a`, init);
    expect([response.status, response.url, response.redirected]).toEqual([200, `${origin}/b`, true]);
    await fetch(`${origin}/a`, init);
    const [ours, platforms] = [received[1], received[3]].map((one) => {
      const { method, url, body, headers } = one as Received;
      return {
        method,
        url,
        body,
        type: headers["content-type"],
        id: headers["x-id"],
        length: headers["content-length"],
      };
    });
    expect(ours?.method).toBe(then);
    expect(ours?.body).toBe(hasBody && then === method ? '{"a":1}' : "");
    expect(ours).toEqual(platforms);
  });

  test.each([200, 201, 300, 304, 404])("%i with a Location is no redirect", async (status) => {
    const { origin, received } = await serve({ "/a": redirect(status, "/b") });
    const response = await new Session().get(`${origin}/a`);
    expect([response.status, response.redirected]).toEqual([status, false]);
    expect(received).toHaveLength(1);
  });

  test.each<[string, () => NonNullable<Parameters<Session["post"]>[1]>, string]>([
    ["a form", () => ({ data: { a: 1 } }), "a=1"],
    ["bytes", () => ({ data: Buffer.from("bytes") }), "bytes"],
    ["a Blob", () => ({ data: new Blob(["blob"], { type: "text/x" }) }), "blob"],
    ["files", () => ({ files: { f: "hello" } }), "hello"],
  ])("307 sends %s a second time", async (_name, options, part) => {
    const { origin, received } = await serve({ "/a": redirect(307, "/b") });
    await new Session().post(`${origin}/a`, options());
    const [first, second] = received;
    for (const { body } of received) expect(body).toContain(part);
    expect(second?.headers["content-type"]?.replace(/boundary=.*/, "")).toBe(
      first?.headers["content-type"]?.replace(/boundary=.*/, ""),
    );
  });

  test("a stream can't be sent twice", async () => {
    const { origin, received } = await serve({ "/a": redirect(307, "/b"), "/c": redirect(303, "/d") });
    const stream = () => new Blob(["streamed"]).stream();
    async function* chunks() {
      yield Buffer.from("chunks");
    }
    for (const data of [stream(), chunks()]) {
      const error = await rejection(new Session().post(`${origin}/a`, { data }));
      expect(error).toBeInstanceOf(TypeError);
      expect(error.message).toBe(`POST ${origin}/a: redirected, and a stream can't be sent twice`);
    }
    expect(received.map(({ url, body }) => [url, body])).toEqual([
      ["/a", "streamed"],
      ["/a", "chunks"],
    ]);
    // A GET does without it.
    expect((await new Session().post(`${origin}/c`, { data: stream() })).url).toBe(`${origin}/d`);
  });

  test("what is meant for one origin stays there; the rest goes along", async () => {
    const other = await serve({ "/c": "/d" });
    const { origin, received } = await serve({ "/a": "/b", "/b": `${other.origin}/c` });
    const secrets = { Cookie: "own=1", "Proxy-Authorization": "p", "X-Api-Key": "k", "X-CSRF-Token": "t" };
    const session = new Session({ auth: ["ada", "secret"], headers: secrets, cookies: { mine: "2" } });
    await session.get(`${origin}/a`, { headers: { "X-Id": "7" } });
    const names = ["authorization", "cookie", "proxy-authorization", "x-api-key", "x-csrf-token", "x-id"];
    const shown = ({ headers }: Received) => names.filter((name) => headers[name] !== undefined);
    expect(received.map(shown)).toEqual([names, names]);
    expect(received[1]?.headers.authorization).toBe("Basic YWRhOnNlY3JldA==");
    // Not even on the way from there to itself.
    expect(other.received.map(shown)).toEqual([["x-id"], ["x-id"]]);
  });

  test("user and password of the URL go within its origin, those of a Location nowhere", async () => {
    const other = await serve();
    const pages = { "/a": "", "/b": "" };
    const { origin, received } = await serve(pages);
    pages["/a"] = `${origin.replace("//", "//eve:sesame@")}/b`;
    pages["/b"] = `${other.origin.replace("//", "//eve:sesame@")}/c`;
    const response = await new Session().get(`${origin.replace("//", "//ada:pw@")}/a`);
    expect(received.map(({ headers }) => headers.authorization)).toEqual(["Basic YWRhOnB3", "Basic YWRhOnB3"]);
    expect(other.received.map(({ headers }) => headers.authorization)).toEqual([undefined]);
    expect(response.url).toBe(`${other.origin}/c`);
  });

  test("each hop is sent the cookies of its own host, the fresh ones too", async () => {
    const other = await serve();
    const elsewhere = other.origin.replace("127.0.0.1", "localhost");
    const { origin, received } = await serve({
      "/a": redirect(302, "/b", { "set-cookie": "fresh=1" }),
      "/b": redirect(302, `${elsewhere}/c`, { "set-cookie": "gone=; Max-Age=0" }),
    });
    const session = new Session();
    await session.cookies.set(origin, "gone=1");
    await session.cookies.set(elsewhere, "theirs=1");
    await session.get(`${origin}/a`);
    expect(received.map(({ headers }) => headers.cookie)).toEqual(["gone=1", "gone=1; fresh=1"]);
    expect(other.received.map(({ headers }) => headers.cookie)).toEqual(["theirs=1"]);
    expect(await session.cookies.get(origin)).toEqual({ fresh: "1" });
  });

  test("maxRedirects, of a session and of a request", async () => {
    const { origin, received } = await serve({ "/loop": "/loop", "/a": "/b", "/b": "/c" });
    const error = await rejection(new Session().put(`${origin}/loop`));
    expect(error).toBeInstanceOf(TooManyRedirectsError);
    expect(error.message).toBe(`PUT ${origin}/loop: redirected more than 20 times`);
    expect(received).toHaveLength(21);
    const session = new Session({ maxRedirects: 1 });
    await expect(session.get(`${origin}/a`)).rejects.toThrow(`GET ${origin}/b: redirected more than 1 times`);
    expect((await session.get(`${origin}/a`, { maxRedirects: 2 })).url).toBe(`${origin}/c`);
    await expect(session.get(`${origin}/b`, { maxRedirects: 0 })).rejects.toThrow(TooManyRedirectsError);
  });

  test("manual: the redirect itself, whose body can be read", async () => {
    const { origin, received } = await serve({ "/a": "http+lambda://app/" });
    for (const send of [
      () => new Session().get(`${origin}/a`, { allowRedirects: false }),
      () => new Session({ redirect: "manual" }).get(`${origin}/a`),
      () => new Session().fetch(`${origin}/a`, { redirect: "manual" }),
      () => new Session().fetch(new Request(`${origin}/a`, { redirect: "manual" })),
    ]) {
      const response = await send();
      expect([response.status, response.redirected, response.url]).toEqual([302, false, `${origin}/a`]);
      expect(response.headers.get("location")).toBe("http+lambda://app/");
      expect(await response.text()).toBe("moved");
    }
    expect(received).toHaveLength(4);
  });

  test("error: a TypeError", async () => {
    const { origin, received } = await serve({ "/a": "/b" });
    for (const send of [
      () => new Session().fetch(`${origin}/a`, { redirect: "error" }),
      () => new Session({ redirect: "error" }).get(`${origin}/a`),
      () => new Session().fetch(new Request(`${origin}/a`, { redirect: "error" })),
    ]) {
      const error = await rejection(send());
      expect(error).toBeInstanceOf(TypeError);
      expect(error.message).toBe(`GET ${origin}/a: redirected, with redirect: "error"`);
    }
    expect(received.map(({ url }) => url)).toEqual(["/a", "/a", "/a"]);
  });

  test("a Request with a body", async () => {
    const { origin, received } = await serve({ "/a": redirect(303, "/b") });
    const request = new Request(`${origin}/a`, { method: "POST", headers: { "X-Id": "7" }, body: "hi" });
    expect((await new Session().fetch(request)).url).toBe(`${origin}/b`);
    expect(received.map(({ method, body, headers }) => [method, body, headers["x-id"]])).toEqual([
      ["POST", "hi", "7"],
      ["GET", "", "7"],
    ]);
  });
});

describe("from the web to a function", () => {
  test.each([
    "http+lambda://app/",
    "http+lambda://users/x",
    "HTTP+LAMBDA://prod.app/",
    "http+lambda://eve:sesame@app/",
  ])("never: %s", async (location) => {
    const spy = vi.fn();
    for (const status of [301, 302, 303, 307, 308]) {
      const { origin, received } = await serve({ "/a": redirect(status, location) });
      const session = new Session({ functions: { app: spy, users: spy }, followTo: ["*", "app", "users"] });
      for (const method of ["GET", "POST"]) {
        const error = await rejection(session.request(method, `${origin}/a`, { followTo: ["app", "users"] }));
        expect(error).toBeInstanceOf(UnsafeRedirectError);
        expect(error).toMatchObject({ code: "ERR_UNSAFE_REDIRECT", request: { method, url: `${origin}/a` } });
        expect(error.message).toContain("no web page may make its reader invoke a function");
        expect(error.message).toContain("allowRedirects: false");
        expect(error).not.toHaveProperty("target");
        expect(inspect(error)).not.toContain("sesame");
      }
      expect(received).toHaveLength(2);
    }
    expect(spy).not.toHaveBeenCalled();
  });

  test("nor by other schemes, nor with a mount, nor from a function's page", async () => {
    const spy = vi.fn(async () => new Response("mounted"));
    const { origin } = await serve({ "/a": "lambda://app/", "/b": "http+lambda://other/" });
    const session = new Session({ functions: { app }, schemes: ["http+lambda:", "lambda:"], followTo: ["*"] });
    session.mount("http+lambda://other", spy as never);
    for (const path of ["/a", "/b"]) {
      await expect(session.get(origin + path)).rejects.toThrow(UnsafeRedirectError);
      await expect(session.get(appTo(origin + path))).rejects.toThrow("no web page may make its reader invoke");
    }
    expect(spy).not.toHaveBeenCalled();
  });

  test("nor back to the function that led onto the web", async () => {
    const paths: string[] = [];
    const counted = async (event: RestApiEvent) => {
      paths.push(event.path);
      return app(event);
    };
    const { origin, received } = await serve({ "/a": "http+lambda://app/back" });
    for (const fetch of [
      createFetch({ functions: { app: counted } }),
      new Session({ functions: { app: counted } }).fetch,
    ]) {
      const error = await rejection(fetch(appTo(`${origin}/a`), { lambda: { followTo: ["app", "*"] } }));
      expect(error).toBeInstanceOf(UnsafeRedirectError);
      expect(error).toMatchObject({ location: "http+lambda://app/back", request: { url: `${origin}/a` } });
    }
    expect(paths).toEqual(["/", "/"]);
    expect(received).toHaveLength(2);
  });

  test("manual leaves it to the caller", async () => {
    const { origin } = await serve({ "/a": "http+lambda://app/" });
    const session = new Session({ functions: { app } });
    const { headers } = await session.get(`${origin}/a`, { allowRedirects: false });
    expect(await session.get(headers.get("location") ?? "").text()).toBe("GET undefined");
  });
});

describe("from a function onto the web", () => {
  test.each([
    ["createFetch", () => createFetch({ functions: { app } })],
    ["a Session", () => new Session({ functions: { app } }).fetch],
  ])("by %s, and from there on", async (_name, make) => {
    const other = await serve();
    const { origin, received } = await serve({ "/a": "/b", "/b": `${other.origin}/c` });
    const headers = { Authorization: "secret", Cookie: "a=1", "X-Id": "7" };
    const response = (await make()(appTo(`${origin}/a`), { headers })) as LambdaResponse;
    expect(response).toBeInstanceOf(LambdaResponse);
    expect([response.status, response.url, response.redirected]).toEqual([200, `${other.origin}/c`, true]);
    expect(response.invocation.functionName).toBe("app");
    expect(response.history.map(({ url, status }) => [url, status])).toEqual([
      [appTo(`${origin}/a`), 302],
      [`${origin}/a`, 302],
      [`${origin}/b`, 302],
    ]);
    for (const one of [...received, ...other.received]) {
      expect([one.method, one.headers["x-id"], one.headers.authorization, one.headers.cookie]).toEqual([
        ...["GET", "7", undefined, undefined],
      ]);
      // The platform's own Host, not the function's.
      expect(one.headers.host).toMatch(/^127\.0\.0\.1:\d+$/);
    }
    expect(await response.json()).toMatchObject({ url: "/c" });
  });

  test("a POST with 303 comes as a GET; with 307 it is refused", async () => {
    const { origin, received } = await serve();
    const session = new Session({ functions: { app } });
    const params = { to: `${origin}/a` };
    await session.post("http+lambda://app/", { params: { ...params, status: 303 }, json: { secret: 1 } });
    expect(received).toHaveLength(1);
    expect(received[0]).toMatchObject({ method: "GET", body: "" });
    expect(received[0]?.headers).not.toHaveProperty("content-type");
    const refused = session.post("http+lambda://app/", { params: { ...params, status: 307 }, json: { secret: 1 } });
    await expect(refused).rejects.toThrow("onto the web, only GET and HEAD go, and this is a POST");
    expect(received).toHaveLength(1);
  });

  test("the count of redirects is one, here and there", async () => {
    const { origin, received } = await serve({ "/loop": "/loop" });
    const session = new Session({ functions: { app }, maxRedirects: 4 });
    const error = await rejection(session.get(appTo(appTo(`${origin}/loop`))));
    expect(error).toBeInstanceOf(TooManyRedirectsError);
    expect(error.message).toBe(`GET ${origin}/loop: redirected more than 4 times`);
    expect(received).toHaveLength(3);
  });

  test("a page streams, and is there after garbage collection", async () => {
    let page: ServerResponse | undefined;
    const { origin } = await serve({
      "/a": (response) => {
        page = response;
        response.write("one");
      },
    });
    const response = await new Session({ functions: { app } }).get(appTo(`${origin}/a`));
    // The platform cancels the body of a response that nobody holds.
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    for (let round = 0; round < 5; round++) {
      collect();
      await setImmediate();
    }
    page?.end("two");
    expect(await response.text()).toBe("onetwo");
  });

  test("raiseForStatus and hooks see the page", async () => {
    const { origin } = await serve({ "/404": (response) => response.writeHead(404).end() });
    const seen: string[] = [];
    const hooks = { afterResponse: ({ url }: Response) => void seen.push(url) };
    const session = new Session({ functions: { app }, hooks, raiseForStatus: true });
    await expect(session.get(appTo(`${origin}/404`))).rejects.toThrow(
      `GET ${origin}/404: 404 Not Found (client error)`,
    );
    expect(seen).toEqual([`${origin}/404`]);
  });
});

describe("limits", () => {
  /** A server that gets a request and answers with no more than `begin`. */
  async function stalling(
    begin?: string,
  ): Promise<{ origin: string; asked: Promise<unknown>; closed: Promise<unknown> }> {
    const asked = deferred<void>();
    const closed = deferred<void>();
    const { origin } = await serve({
      "/a": "/stall",
      "/stall": (response) => {
        response.once("close", () => closed.resolve());
        if (begin !== undefined) response.write(begin);
        asked.resolve();
      },
    });
    return { origin, asked: asked.promise, closed: closed.promise };
  }

  function deferred<Value>() {
    let resolve: (value: Value) => void = () => {};
    const promise = new Promise<Value>((done) => {
      resolve = done;
    });
    return { promise, resolve };
  }

  const starts: [string, (origin: string) => string][] = [
    ["of the web alone", (origin) => `${origin}/a`],
    ["from a function", (origin) => appTo(`${origin}/a`)],
  ];

  test.each(starts)("the time limit ends a hop %s", async (_name, start) => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { origin, asked, closed } = await stalling();
    const call = rejection(new Session({ functions: { app } }).get(start(origin), { timeout: 60_000 }));
    await asked;
    vi.advanceTimersByTime(60_000);
    const error = await call;
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({ code: "ERR_TIMEOUT", outcome: "unknown", attempts: 1 });
    expect(error.message).toBe(`GET ${origin}/stall: no answer within 60000 ms`);
    expect(error).not.toHaveProperty("target");
    await closed;
  });

  test.each(starts)("and the body %s", async (_name, start) => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { origin, closed } = await stalling("begun");
    const response = await new Session({ functions: { app } }).get(start(origin), { timeout: 60_000 });
    const reading = rejection(response.text());
    vi.advanceTimersByTime(60_000);
    expect(await reading).toBeInstanceOf(TimeoutError);
    await closed;
  });

  test.each(starts)("an abort ends a hop %s, with its own reason", async (_name, start) => {
    const { origin, asked, closed } = await stalling();
    const controller = new AbortController();
    const call = rejection(new Session({ functions: { app } }).get(start(origin), { signal: controller.signal }));
    await asked;
    const reason = new Error("changed my mind");
    controller.abort(reason);
    expect(await call).toBe(reason);
    await closed;
  });

  test.each(starts)("an abort ends the body %s", async (_name, start) => {
    const { origin, closed } = await stalling("begun");
    const controller = new AbortController();
    const response = await new Session({ functions: { app } }).get(start(origin), { signal: controller.signal });
    const reading = rejection(response.text());
    const reason = new Error("changed my mind");
    controller.abort(reason);
    expect(await reading).toBe(reason);
    await closed;
  });

  test("by the signal of a Request, and of init.lambda.timeout", async () => {
    const { origin, asked } = await stalling();
    const controller = new AbortController();
    const request = new Request(appTo(`${origin}/a`), { signal: controller.signal });
    const call = rejection(createFetch({ functions: { app } })(request));
    await asked;
    controller.abort(new Error("changed my mind"));
    expect((await call).message).toBe("changed my mind");
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const second = await stalling();
    const timed = rejection(
      createFetch({ functions: { app } })(appTo(`${second.origin}/a`), { lambda: { timeout: 9 } }),
    );
    await second.asked;
    vi.advanceTimersByTime(9);
    expect(await timed).toBeInstanceOf(TimeoutError);
  });
});

describe("the socket of a response on the way is free again", () => {
  /** A server whose redirect has a body without an end; and when its socket is closed. */
  async function endless(location: string): Promise<{ origin: string; closed: Promise<unknown> }> {
    let close: () => void = () => {};
    const closed = new Promise<void>((resolve) => {
      close = resolve;
    });
    const { origin } = await serve({
      "/a": (response) => {
        response.once("close", close);
        response.writeHead(302, { location });
        response.write("x".repeat(100_000));
      },
    });
    return { origin, closed };
  }

  const session = new Session({ functions: { app } });

  test("of the web", async () => {
    const { origin, closed } = await endless("/b");
    expect((await session.get(`${origin}/a`)).url).toBe(`${origin}/b`);
    await closed;
  });

  test("of the web behind a function", async () => {
    const { origin, closed } = await endless("/b");
    const response = (await session.get(appTo(`${origin}/a`))) as LambdaResponse;
    expect(response.url).toBe(`${origin}/b`);
    await closed;
    expect(response.history[1]).toMatchObject({ status: 302, url: `${origin}/a` });
    await expect(response.history[1]?.text()).rejects.toThrow(TypeError);
  });

  test.each<[string, string, Parameters<Session["get"]>[1], string]>([
    ["too many", "/b", { maxRedirects: 0 }, "TooManyRedirectsError"],
    ["one to a function", "http+lambda://app/", {}, "UnsafeRedirectError"],
    ["one to nowhere", "http://[", {}, "UnsafeRedirectError"],
  ])("of a refused one: %s", async (_name, location, options, name) => {
    const { origin, closed } = await endless(location);
    await expect(session.get(`${origin}/a`, options)).rejects.toMatchObject({ name });
    await closed;
  });

  test('with redirect: "error"', async () => {
    const { origin, closed } = await endless("/b");
    await expect(session.fetch(`${origin}/a`, { redirect: "error" })).rejects.toThrow(TypeError);
    await closed;
  });

  test("of a stream that can't be sent twice", async () => {
    let close: () => void = () => {};
    const closed = new Promise<void>((resolve) => {
      close = resolve;
    });
    const { origin } = await serve({
      "/a": (response) => {
        response.once("close", close);
        response.writeHead(307, { location: "/b" }).write("x");
      },
    });
    await expect(session.post(`${origin}/a`, { data: new Blob(["x"]).stream() })).rejects.toThrow(TypeError);
    await closed;
  });
});

describe("createFetch and URLs of the web", () => {
  test("they go to the given fetch with the very same arguments", async () => {
    const answer = new Response("theirs", { status: 302, headers: { location: "http+lambda://app/" } });
    const given = vi.fn(async () => answer);
    const fetch = createFetch({ fetch: given as never, redirect: "error", timeout: 1 });
    const init = { method: "POST", headers: { a: "1" }, body: "x", redirect: "follow" as const };
    const request = new Request("https://example.com/");
    const url = new URL("https://example.com/");
    for (const [input, second] of [
      ["https://example.com/a", init],
      [url, init],
      [request, init],
      ["/relative", init],
    ] as const) {
      expect(await fetch(input, second)).toBe(answer);
      const [first, last] = given.mock.lastCall as unknown as [unknown, unknown];
      expect(first).toBe(input);
      expect(last).toBe(second);
    }
    expect(given).toHaveBeenCalledTimes(4);
  });

  test("the platform's follows redirects by itself", async () => {
    const { origin, received } = await serve({ "/a": "/b" });
    const response = await createFetch()(`${origin}/a`);
    expect([response.url, response.redirected]).toEqual([`${origin}/b`, true]);
    expect(received).toHaveLength(2);
  });

  test("a function's redirect goes to the given fetch, which follows none by itself", async () => {
    const calls: [string, RequestInit][] = [];
    const given = async (url: string, init: RequestInit) => {
      calls.push([url, init]);
      return url.endsWith("/a")
        ? new Response(null, { status: 301, headers: { location: "/b" } })
        : new Response("arrived");
    };
    const fetch = createFetch({ functions: { app }, fetch: given as never });
    const lambda = { maxRedirects: 2 };
    const init = { cache: "no-store", keepalive: true, lambda } as const;
    expect((await fetch(appTo("https://example.com/a"), init)).url).toBe("https://example.com/b");
    for (const [, sent] of calls) {
      // What is the platform's goes along, what is ours does not.
      expect(sent).toMatchObject({ method: "GET", body: null, redirect: "manual", cache: "no-store", keepalive: true });
      expect(sent).not.toHaveProperty("lambda");
    }
    expect(calls.map(([url]) => url)).toEqual(["https://example.com/a", "https://example.com/b"]);
  });
});

describe("mounts", () => {
  interface Mounted {
    readonly session: Session;
    readonly invoked: RestApiEvent[];
    readonly fetched: [url: string, init: RequestInit][];
  }

  /** `/v1` of the function app is fetched, all else invoked; each redirects to where `?to=` says. */
  function mounted(options: ConstructorParameters<typeof Session>[0] = {}): Mounted {
    const invoked: RestApiEvent[] = [];
    const fetched: Mounted["fetched"] = [];
    const invoker = {
      async invoke({ payload }: { payload: Uint8Array }) {
        const event = JSON.parse(Buffer.from(payload).toString()) as RestApiEvent;
        invoked.push(event);
        return { payload: Buffer.from(JSON.stringify(await app(event))) };
      },
      // As on AWS, where a region and mostly an account are known; of what is mounted, they are not.
      locate: async () => ({ region: "eu-west-1", accountId: "123456789012" }),
    };
    const session = new Session({ invoker, ...options });
    const fetch = async (url: string, init: RequestInit) => {
      fetched.push([url, init]);
      const { searchParams } = new URL(url);
      const location = searchParams.get("to");
      if (location === null) return new Response("fetched");
      return new Response("moved", { status: Number(searchParams.get("status") ?? 302), headers: { location } });
    };
    session.mount("http+lambda://app/v1", fetch as typeof globalThis.fetch);
    return { session, invoked, fetched };
  }

  test("from what is invoked to what is fetched: within the function, with all headers", async () => {
    const { session, invoked, fetched } = mounted({ auth: ["ada", "secret"] });
    const params = { to: "/v1/x", status: 307 };
    const response = await session.put("http+lambda://app/v2", { params, json: { a: 1 } });
    expect(await response.text()).toBe("fetched");
    expect(response).toMatchObject({ url: "http+lambda://app/v1/x", redirected: true });
    expect(response.invocation.functionName).toBe("app");
    expect(invoked).toHaveLength(1);
    expect(fetched).toHaveLength(1);
    expect(fetched[0]?.[0]).toBe("http+lambda://app/v1/x");
    expect(fetched[0]?.[1]).toMatchObject({ method: "PUT", body: '{"a":1}', redirect: "manual" });
    expect(new Headers(fetched[0]?.[1].headers).get("authorization")).toBe("Basic YWRhOnNlY3JldA==");
  });

  test.each<[string, () => NonNullable<Parameters<Session["put"]>[1]>, string, RegExp]>([
    ["json", () => ({ json: { a: 1 } }), '{"a":1}', /^application\/json$/],
    ["text", () => ({ data: "hi" }), "hi", /^text\/plain;charset=UTF-8$/],
    ["a form", () => ({ data: { a: 1 } }), "a=1", /^application\/x-www-form-urlencoded;charset=UTF-8$/],
    ["files", () => ({ files: { f: "hello" } }), "hello", /^multipart\/form-data; boundary=/],
    ["a Blob", () => ({ data: new Blob(["blob"], { type: "text/x" }) }), "blob", /^text\/x$/],
  ])("from what is fetched to what is invoked: %s", async (_name, options, body, type) => {
    const { session, invoked, fetched } = mounted();
    const url = `http+lambda://app/v1?status=307&to=${encodeURIComponent("http+lambda://app/v2")}`;
    const response = await session.put(url, { ...options(), headers: { Authorization: "secret" } });
    expect(response).toMatchObject({ status: 200, url: "http+lambda://app/v2" });
    expect(fetched).toHaveLength(1);
    expect(invoked).toHaveLength(1);
    const [event] = invoked;
    expect(event).toMatchObject({ httpMethod: "PUT", path: "/v2", headers: { Authorization: "secret" } });
    expect(Buffer.from(event?.body ?? "", event?.isBase64Encoded ? "base64" : "utf8").toString()).toContain(body);
    expect(event?.headers["Content-Type"]).toMatch(type);
  });

  test("by whole segments, back and forth", async () => {
    const { session, invoked, fetched } = mounted();
    const to = (path: string, next: string): string => `${path}?to=${encodeURIComponent(next)}`;
    const response = await session.get(
      `http+lambda://app${to("/v1", to("/v10", to("https://app/v1/y", "http+lambda://prod.app/v1")))}`,
    );
    // A mount names no qualifier, so that of prod is not under it.
    expect(response.url).toBe("http+lambda://prod.app/v1");
    expect(fetched.map(([url]) => new URL(url).pathname)).toEqual(["/v1", "/v1/y"]);
    expect(invoked.map(({ path }) => path)).toEqual(["/v10", "/v1"]);
  });

  test("out of a mounted function is out of a function", async () => {
    const { session, invoked } = mounted();
    const away = (to: string): string => `http+lambda://app/v1?to=${encodeURIComponent(to)}`;
    await expect(session.get(away("http+lambda://users/"))).rejects.toThrow(UnsafeRedirectError);
    const put = session.put(away("https://example.com/"));
    await expect(put).rejects.toThrow("app redirects out of itself");
    expect(invoked).toHaveLength(0);
  });

  test("a fetch of a part of the web is asked for that part alone", async () => {
    const asked: string[] = [];
    const answering = (name: string, location?: string) =>
      (async (url: string) => {
        asked.push(`${name} ${url}`);
        if (location === undefined) return new Response("arrived");
        return new Response(null, { status: 302, headers: { location } });
      }) as typeof globalThis.fetch;
    const session = new Session({ functions: { app }, fetch: answering("platform", "https://example.com/v1/b") });
    session.mount("https://example.com/v1", answering("v1", "https://example.com/v2/c"));
    session.mount("https://example.com/v2", answering("v2"));
    expect(await session.get(appTo("https://example.com/a")).text()).toBe("arrived");
    expect(asked).toEqual([
      "platform https://example.com/a",
      "v1 https://example.com/v1/b",
      "v2 https://example.com/v2/c",
    ]);
  });
});
