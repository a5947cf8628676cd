import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { TooManyRedirectsError, UnsafeRedirectError } from "../src/errors.ts";
import { createFetch, type LambdaFetch } from "../src/fetch.ts";
import type { RestApiEvent } from "../src/formats/rest-api.ts";
import type { Invocation, Invoker } from "../src/invoke/invoker.ts";
import type { LambdaOptions } from "../src/options.ts";
import type { LambdaRequestInit } from "../src/request.ts";
import type { LambdaResponse } from "../src/response.ts";
import { Session } from "../src/session.ts";
import type { Target } from "../src/target.ts";

interface Hop {
  readonly target: Target;
  readonly event: RestApiEvent;
}

/** Every function of this invoker redirects from `/from` to `location`, and answers everything else with 200. */
function redirecting(location: string, statusCode = 302): { invoker: Invoker; hops: Hop[] } {
  const hops: Hop[] = [];
  const invoke = async ({ target, payload }: Invocation) => {
    const event = JSON.parse(Buffer.from(payload).toString()) as RestApiEvent;
    hops.push({ target, event });
    const redirect = { statusCode, headers: { location }, body: "moved" };
    const result = event.path === "/from" ? redirect : { statusCode: 200, body: "arrived" };
    return { payload: Buffer.from(JSON.stringify(result)) };
  };
  return { invoker: { invoke }, hops };
}

interface Followed {
  readonly response: LambdaResponse;
  readonly hops: Hop[];
}

async function follow(
  location: string,
  {
    url = "http+lambda://app/from",
    statusCode = 302,
    init = {},
    options = {},
  }: {
    url?: string;
    statusCode?: number;
    init?: LambdaRequestInit;
    options?: LambdaOptions;
  } = {},
): Promise<Followed> {
  const { invoker, hops } = redirecting(location, statusCode);
  const response = await createFetch({ invoker, ...options })(url as "http+lambda:", init);
  return { response, hops };
}

const ARN = "arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Aapp";

describe("within the function", () => {
  test.each<[from: string, location: string, url: string]>([
    ["http+lambda://app/from", "/to", "http+lambda://app/to"],
    ["http+lambda://app/from", "to?a=1#b", "http+lambda://app/to?a=1"],
    ["http+lambda://app/from", "?a=1", "http+lambda://app/from?a=1"],
    ["http+lambda://app/from?a=1", "", "http+lambda://app/from?a=1"],
    ["http+lambda://app/from", "../x/./y/..", "http+lambda://app/x/"],
    ["http+lambda://app/from", "/a%2Fb c/ü", "http+lambda://app/a%2Fb%20c/%C3%BC"],
    ["http+lambda://app/from", "http+lambda://app/to", "http+lambda://app/to"],
    ["http+lambda://app/from", "HTTP+LAMBDA://app/to", "http+lambda://app/to"],
    ["http+lambda://app/from", "//app/to", "http+lambda://app/to"],
    // What frameworks build from the Host.
    ["http+lambda://app/from", "https://app/to?a=1#b", "http+lambda://app/to?a=1"],
    ["http+lambda://app/from", "http://app/to", "http+lambda://app/to"],
    ["http+lambda://app/from", "https://app", "http+lambda://app/"],
    ["http+lambda://app/from", "https://app//two/slashes", "http+lambda://app//two/slashes"],
    ["http+lambda://My_App/from", "https://my-app/to", "http+lambda://My_App/to"],
    ["http+lambda://prod.app/from", "https://app/to", "http+lambda://prod.app/to"],
    [`http+lambda://${ARN}/from`, "/to", `http+lambda://${ARN}/to`],
    [`http+lambda://${ARN}/from`, "https://app/to", `http+lambda://${ARN}/to`],
    [`http+lambda://${ARN}%3Aprod/from`, "to", `http+lambda://${ARN}%3Aprod/to`],
  ])("%s to %s", async (from, location, url) => {
    // A Location that leads back is followed once.
    const { invoker, hops } = redirecting(location);
    const response = await createFetch({ invoker: once(invoker) })(from as "http+lambda:");
    expect([response.status, response.url, response.redirected]).toEqual([200, url, true]);
    expect(hops).toHaveLength(1);
  });

  /** Answers the second invocation itself. */
  function once(invoker: Invoker): Invoker {
    let called = false;
    return {
      async invoke(invocation) {
        if (called) return { payload: Buffer.from("{}") };
        called = true;
        return invoker.invoke(invocation);
      },
    };
  }

  test("the second request is one to the same function", async () => {
    const { hops } = await follow("/to?a=1", { url: `http+lambda://${ARN}/from` });
    const target = { functionName: "app", region: "eu-west-1", accountId: "123456789012", partition: "aws" };
    expect(hops.map((hop) => hop.target)).toEqual([target, target]);
    expect(hops[1]?.event).toMatchObject({ path: "/to", queryStringParameters: { a: "1" }, httpMethod: "GET" });
  });

  test("the caller's own Host is the one to build URLs from", async () => {
    const headers = { Host: "api.example.com:8443" };
    const { response } = await follow("https://api.example.com:8443/to", { init: { headers } });
    expect(response.url).toBe("http+lambda://app/to");
    await expect(follow("https://app/to", { init: { headers } })).rejects.toThrow(UnsafeRedirectError);
  });

  test.each([
    ["http+lambda://app/from", "http+lambda://prod.app/to", "prod"],
    ["http+lambda://prod.app/from", "http+lambda://app%3A7/to", "7"],
    ["http+lambda://prod.app/from", "http+lambda://app/to", undefined],
    ["http+lambda://prod.app/from", "http+lambda://$LATEST.app/to", "$LATEST"],
  ])("versions and aliases are one function: %s to %s", async (url, location, qualifier) => {
    const { response, hops } = await follow(location, { url });
    expect(hops[1]?.target.qualifier).toBe(qualifier);
    expect(response.invocation.qualifier).toBe(qualifier);
  });

  test.each(["/to", "https://app/to", "http+lambda://app/to"])(
    "the qualifier of an option holds on the way to %s",
    async (location) => {
      const qualifier = "prod";
      for (const extra of [{ options: { qualifier } }, { init: { lambda: { qualifier } } }]) {
        const { hops } = await follow(location, extra);
        expect(hops.map(({ target }) => target.qualifier)).toEqual(["prod", "prod"]);
      }
    },
  );

  test("headers, user and password come along", async () => {
    const headers = { "X-Id": "7", Cookie: "a=1" };
    const { hops } = await follow("/to", { url: "http+lambda://ada:secret@app/from", init: { headers } });
    expect(hops[1]?.event.headers).toMatchObject({ ...headers, Authorization: "Basic YWRhOnNlY3JldA==" });
  });

  test("the option schemes", async () => {
    const options = { schemes: ["lambda:"] };
    const { response } = await follow("https://app/to", { url: "lambda://app/from", options });
    expect(response.url).toBe("lambda://app/to");
    const away = follow("http+lambda://app/to", { url: "lambda://app/from", options });
    await expect(away).rejects.toThrow(UnsafeRedirectError);
  });
});

describe("method and body, by the rules of fetch", () => {
  const headers = {
    ...{ "Content-Type": "text/css", "Content-Encoding": "x", "Content-Language": "en", "Content-Location": "/" },
    ...{ "X-Id": "7", Accept: "text/html" },
  };

  test.each<[status: number, method: string, then: string, withBody: boolean]>([
    ...([301, 302] as const).flatMap((status): [number, string, string, boolean][] => [
      [status, "GET", "GET", false],
      [status, "HEAD", "HEAD", false],
      [status, "POST", "GET", false],
      [status, "PUT", "PUT", true],
      [status, "PATCH", "PATCH", true],
      [status, "DELETE", "DELETE", true],
      [status, "REPORT", "REPORT", true],
    ]),
    [303, "GET", "GET", false],
    [303, "HEAD", "HEAD", false],
    [303, "POST", "GET", false],
    [303, "PUT", "GET", false],
    [303, "DELETE", "GET", false],
    [303, "REPORT", "GET", false],
    ...([307, 308] as const).flatMap((status): [number, string, string, boolean][] => [
      [status, "GET", "GET", false],
      [status, "HEAD", "HEAD", false],
      [status, "POST", "POST", true],
      [status, "PUT", "PUT", true],
    ]),
  ])("%i of a %s: a %s", async (statusCode, method, then, withBody) => {
    const hasBody = method !== "GET" && method !== "HEAD";
    const init = { method, headers, ...(hasBody && { body: "a{}" }) };
    const { hops } = await follow("/to", { statusCode, init });
    const event = hops[1]?.event;
    expect([event?.httpMethod, event?.body]).toEqual([then, withBody ? "a{}" : null]);
    expect(event?.headers).toMatchObject({ "X-Id": "7", Accept: "text/html" });
    // They describe a body. A GET that stays a GET keeps what it had.
    const described = Object.keys(event?.headers ?? {}).filter((name) => name.startsWith("Content-"));
    expect(described).toEqual(hasBody && !withBody ? [] : Object.keys(headers).slice(0, 4));
  });

  test("a stream is sent a second time", async () => {
    const body = new Blob(["streamed"]).stream();
    const { hops } = await follow("/to", { statusCode: 307, init: { method: "POST", body } });
    expect(
      hops.map(({ event }) => Buffer.from(event.body ?? "", event.isBase64Encoded ? "base64" : "utf8").toString()),
    ).toEqual(["streamed", "streamed"]);
  });

  test.each([200, 201, 300, 304, 305, 306, 400, 500])("%i with a Location is no redirect", async (statusCode) => {
    const { response } = await follow("/to", { statusCode });
    expect([response.status, response.redirected, response.headers.get("location")]).toEqual([
      statusCode,
      false,
      "/to",
    ]);
  });

  test("a redirect without a Location is an answer", async () => {
    const response = await createFetch({ functions: { app: async () => ({ statusCode: 302 }) } })("http+lambda://app/");
    expect([response.status, response.redirected]).toEqual([302, false]);
  });
});

describe("out of the function: refused", () => {
  test.each([
    ["http+lambda://app/from", "http+lambda://users/to"],
    ["http+lambda://app/from", "http+lambda://App/to"],
    ["http+lambda://app/from", "http+lambda://app.users/to"],
    ["http+lambda://app/from", `http+lambda://${ARN}/to`],
    [`http+lambda://${ARN}/from`, "http+lambda://app/to"],
    [`http+lambda://${ARN}/from`, `http+lambda://${ARN.replace("123456789012", "999999999999")}/to`],
    [`http+lambda://${ARN}/from`, `http+lambda://${ARN.replace("eu-west-1", "us-east-1")}/to`],
    ["http+lambda://app/from", "//users/to"],
    ["http+lambda://app/from", "https://example.com/to"],
    ["http+lambda://app/from", "https://app:8443/to"],
    ["http+lambda://app/from", "https://app.example.com/to"],
    ["http+lambda://prod.app/from", "https://prod.app/to"],
    ["http+lambda://app/from", "http://169.254.169.254/latest/meta-data/"],
    ["http+lambda://app/from", "file:///etc/passwd"],
    ["http+lambda://app/from", "data:text/html,hi"],
    ["http+lambda://app/from", "lambda://app/to"],
    ["http+lambda://app/from", "http+lambda:app"],
    ["http+lambda://app/from", "http+lambda:///to"],
    ["http+lambda://app/from", "http+lambda://app:7/to"],
    ["http+lambda://app/from", "http+lambda://a b/to"],
    ["http+lambda://app/from", "https://[nonsense"],
    ["http+lambda://app/from", "https://"],
  ])("%s to %s", async (url, location) => {
    const { invoker, hops } = redirecting(location);
    const other: unknown[] = [];
    const fetch = createFetch({ invoker, fetch: (async (input: unknown) => other.push(input)) as never });
    const error = await rejection(fetch(url, { method: "PUT" }));
    expect(error).toBeInstanceOf(UnsafeRedirectError);
    expect(error).toMatchObject({ name: "UnsafeRedirectError", code: "ERR_UNSAFE_REDIRECT", location });
    expect(error).toMatchObject({ request: { method: "PUT", url }, target: { functionName: "app" } });
    expect(error.message).toContain(`PUT ${url}: app redirects out of itself, to ${JSON.stringify(location)}`);
    expect(error.message).toContain('redirect: "manual"');
    expect(hops).toHaveLength(1);
    expect(other).toEqual([]);
  });

  test("a user and a password in the Location are not repeated", async () => {
    const { invoker } = redirecting("https://ada:sesame@app.evil/to");
    const error = await rejection(createFetch({ invoker })("http+lambda://app/from"));
    expect(error).toMatchObject({ name: "UnsafeRedirectError", location: "https://app.evil/to" });
    expect(inspect(error)).not.toContain("sesame");
  });

  test("after a redirect within it", async () => {
    const locations = ["/b", "http+lambda://users/"];
    const fetch = createFetch({
      functions: { app: async () => ({ statusCode: 302, headers: { location: locations.shift() } }) },
    });
    expect(await rejection(fetch("http+lambda://app/a"))).toMatchObject({
      location: "http+lambda://users/",
      request: { url: "http+lambda://app/b" },
    });
  });
});

describe("the option redirect", () => {
  const url = "http+lambda://app/from";
  const manual: [string, (invoker: Invoker) => Promise<Response>][] = [
    ["init", (invoker) => createFetch({ invoker })(url, { redirect: "manual" })],
    ["an option of all requests", (invoker) => createFetch({ invoker, redirect: "manual" })(url)],
    ["init.lambda", (invoker) => createFetch({ invoker })(url, { lambda: { redirect: "manual" } })],
    ["a Request", (invoker) => createFetch({ invoker })(new Request(url, { redirect: "manual" }))],
    ["allowRedirects", (invoker) => new Session({ invoker }).get(url, { allowRedirects: false })],
    ["a Session", (invoker) => new Session({ invoker, redirect: "manual" }).get(url)],
    ["a Session's fetch", (invoker) => new Session({ invoker }).fetch(url, { redirect: "manual" })],
  ];

  test.each(manual)("manual, by %s: the response itself", async (_name, send) => {
    for (const location of ["/to", "http+lambda://users/", "https://["]) {
      const { invoker, hops } = redirecting(location, 307);
      const response = await send(invoker);
      expect([response.status, response.redirected, response.url]).toEqual([307, false, url]);
      expect(response.headers.get("location")).toBe(location);
      expect(await response.text()).toBe("moved");
      expect(hops).toHaveLength(1);
    }
  });

  test("error: a TypeError, as in fetch", async () => {
    const { invoker, hops } = redirecting("/to");
    const error = await rejection(createFetch({ invoker })(url, { redirect: "error" }));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toBe(`GET ${url}: redirected, with redirect: "error"`);
    expect(hops).toHaveLength(1);
    expect((await createFetch({ invoker })("http+lambda://app/to", { redirect: "error" })).status).toBe(200);
  });

  test("the nearest one holds", async () => {
    const { invoker } = redirecting("/to");
    const fetch = createFetch({ invoker, redirect: "manual" });
    expect((await fetch(url, { redirect: "follow" })).status).toBe(200);
    expect((await fetch(url, { lambda: { redirect: "follow" } })).status).toBe(200);
    expect((await fetch(url, { redirect: "manual", lambda: { redirect: "follow" } })).status).toBe(302);
    const session = new Session({ invoker, redirect: "manual" });
    expect((await session.get(url, { allowRedirects: true })).status).toBe(200);
  });
});

describe("several redirects", () => {
  /** `/n` redirects to `/n-1`, `/0` answers. */
  function counting(options: LambdaOptions = {}): { fetch: LambdaFetch; paths: string[] } {
    const paths: string[] = [];
    const handler = async ({ path }: RestApiEvent) => {
      paths.push(path);
      const left = Number(path.slice(1));
      return left === 0
        ? { body: "arrived" }
        : { statusCode: 302, headers: { location: `/${left - 1}` }, body: `at ${left}` };
    };
    return { fetch: createFetch({ functions: { app: handler }, ...options }), paths };
  }

  test("history holds the responses that led here, oldest first", async () => {
    const { fetch, paths } = counting();
    const response = await fetch("http+lambda://app/3");
    expect(paths).toEqual(["/3", "/2", "/1", "/0"]);
    expect(response.history.map(({ url, status }) => [url, status])).toEqual([
      ["http+lambda://app/3", 302],
      ["http+lambda://app/2", 302],
      ["http+lambda://app/1", 302],
    ]);
    expect(response.history.map((one) => one.history.length)).toEqual([0, 1, 2]);
    expect(response.history.map((one) => one.redirected)).toEqual([false, true, true]);
    expect(await Promise.all(response.history.map((one) => one.text()))).toEqual(["at 3", "at 2", "at 1"]);
    expect(await response.text()).toBe("arrived");
    const ids = [response, ...response.history].map(({ invocation }) => invocation.requestId);
    expect(new Set(ids).size).toBe(4);
  });

  test("twenty by default", async () => {
    expect((await counting().fetch("http+lambda://app/20")).history).toHaveLength(20);
    const { fetch, paths } = counting();
    const error = await rejection(fetch("http+lambda://app/21", { method: "PUT" }));
    expect(error).toBeInstanceOf(TooManyRedirectsError);
    expect(error).toMatchObject({ name: "TooManyRedirectsError", code: "ERR_TOO_MANY_REDIRECTS" });
    expect(error.message).toBe("PUT http+lambda://app/1: redirected more than 20 times");
    expect(paths).toHaveLength(21);
  });

  test("as many as maxRedirects says", async () => {
    const { fetch } = counting({ maxRedirects: 2 });
    expect(await (await fetch("http+lambda://app/2")).text()).toBe("arrived");
    await expect(fetch("http+lambda://app/3")).rejects.toThrow("redirected more than 2 times");
    expect((await fetch("http+lambda://app/3", { lambda: { maxRedirects: 3 } })).status).toBe(200);
    await expect(fetch("http+lambda://app/1", { lambda: { maxRedirects: 0 } })).rejects.toThrow(TooManyRedirectsError);
    expect((await fetch("http+lambda://app/0", { lambda: { maxRedirects: 0 } })).status).toBe(200);
  });
});

async function rejection(promise: Promise<unknown>): Promise<Error> {
  const [result] = await Promise.allSettled([promise]);
  if (result.status === "fulfilled") throw new Error("it was not refused");
  return result.reason as Error;
}
