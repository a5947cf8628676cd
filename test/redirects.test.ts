import { createServer, type Server } from "node:http";
import { json } from "node:stream/consumers";
import { inspect } from "node:util";
import { afterEach, describe, expect, test, vi } from "vitest";
import { ConfigurationError, TooManyRedirectsError, UnsafeRedirectError } from "../src/errors.ts";
import { createFetch, type LambdaFetch } from "../src/fetch.ts";
import type { RestApiEvent } from "../src/formats/rest-api.ts";
import type { Invocation, Invoker } from "../src/invoke/invoker.ts";
import type { LambdaOptions } from "../src/options.ts";
import type { LambdaRequestInit } from "../src/request.ts";
import { LambdaResponse } from "../src/response.ts";
import { Session } from "../src/session.ts";
import type { Target } from "../src/target.ts";
import { listening } from "./support/sockets.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

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
    const response = await createFetch({ invoker: onlyOnce(invoker) })(from as "http+lambda:");
    expect([response.status, response.url, response.redirected]).toEqual([200, url, true]);
    expect(hops).toHaveLength(1);
  });

  /** Answers the second invocation itself. */
  function onlyOnce(invoker: Invoker): Invoker {
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
    // The function's name is no more than another host then.
    const options = { fetch: web({}).fetch };
    expect((await follow("https://app/to", { init: { headers }, options })).response.url).toBe("https://app/to");
  });

  test.each([
    ["http+lambda://app/from", "api.example.com:443", "https://api.example.com/to"],
    ["http+lambda://app/from", "api.example.com:443", "https://api.example.com:443/to"],
    ["http+lambda://app/from", "api.example.com:80", "http://api.example.com/to"],
    ["http+lambda://app/from", "API.Example.com", "https://api.example.com/to"],
    ["http+lambda://app/from", "b\u00fccher.example", "https://b\u00fccher.example/to"],
    ["http+lambda://app/from", "[::1]:3000", "http://[::1]:3000/to"],
    // A URL makes an address of a number.
    ["http+lambda://2026/from", undefined, "https://2026/to"],
    ["http+lambda://0x7f/from", undefined, "https://0x7f/to"],
  ])("%s with the Host %s, written as a URL writes it: %s", async (url, host, location) => {
    const fetch = vi.fn();
    const init = host === undefined ? {} : { headers: { Host: host } };
    const { response } = await follow(location, { url, init, options: { fetch } });
    expect(response.url).toBe(url.replace("/from", "/to"));
    expect(fetch).not.toHaveBeenCalled();
  });

  test("another port or scheme's port is another host", async () => {
    for (const location of ["https://app:8443/to", "https://app:80/to", "http://app:443/to", "https://app./to"]) {
      const { response } = await follow(location, { options: { fetch: web({}).fetch } });
      expect(response.url, location).toBe(location);
    }
  });

  test("a Host that no URL can hold leads nowhere else", async () => {
    const { response } = await follow("/to", { init: { headers: { Host: "a b" } } });
    expect(response.url).toBe("http+lambda://app/to");
  });

  test("nothing is looked up", async () => {
    const { invoker, hops } = redirecting("http+lambda://prod.app/to");
    const locate = vi.fn();
    const fetch = createFetch({ invoker: { ...invoker, locate }, followTo: ["users"] });
    expect((await fetch("http+lambda://app/from")).url).toBe("http+lambda://prod.app/to");
    expect(hops).toHaveLength(2);
    expect(locate).not.toHaveBeenCalled();
  });

  test("where an invoker is mounted on a part of it", async () => {
    const { invoker, hops } = redirecting("https://app/to");
    const located = { ...invoker, locate: async () => ({ region: "eu-west-1", accountId: "123456789012" }) };
    const session = new Session({ invoker: located });
    session.mount("http+lambda://app/from", invoker);
    const response = await session.get("http+lambda://app/from", { headers: { Authorization: "secret" } });
    expect(response.url).toBe("http+lambda://app/to");
    expect(hops[1]?.event.headers).toMatchObject({ Authorization: "secret" });
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
      [status, "OPTIONS", "OPTIONS", true],
      [status, "REPORT", "REPORT", true],
    ]),
    [303, "GET", "GET", false],
    [303, "HEAD", "HEAD", false],
    [303, "POST", "GET", false],
    [303, "PUT", "GET", false],
    [303, "PATCH", "GET", false],
    [303, "DELETE", "GET", false],
    [303, "OPTIONS", "GET", false],
    [303, "REPORT", "GET", false],
    ...([307, 308] as const).flatMap((status): [number, string, string, boolean][] => [
      [status, "GET", "GET", false],
      [status, "HEAD", "HEAD", false],
      [status, "POST", "POST", true],
      [status, "PUT", "PUT", true],
      [status, "PATCH", "PATCH", true],
      [status, "DELETE", "DELETE", true],
      [status, "OPTIONS", "OPTIONS", true],
      [status, "REPORT", "REPORT", true],
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

  test.each([301, 302, 303])("%i of a POST without a body", async (statusCode) => {
    const { hops } = await follow("/to", { statusCode, init: { method: "POST" } });
    expect(hops.map(({ event }) => event.httpMethod)).toEqual(["POST", "GET"]);
  });

  test("a method given in small letters is the same", async () => {
    const { hops } = await follow("/to", { init: { method: "post", body: "x" } });
    expect(hops.map(({ event }) => event.httpMethod)).toEqual(["POST", "GET"]);
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
    const error = await rejection(createFetch({ invoker })("http+lambda://app/from", { method: "PUT" }));
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

const SECRETS = {
  ...{ Authorization: "1", cookie: "a=2", Host: "api.example.com", "Proxy-Authorization": "4", "X-Api-Key": "5" },
  ...{ "x-auth-token": "6", "X-CSRF-Token": "7", "X-XSRF-TOKEN": "8", "X-Amz-Security-Token": "9" },
};
const HARMLESS = { "X-Id": "7", Accept: "text/html", "X-Api-Key-Id": "k", "User-Agent": "me", "Accept-Language": "de" };

/** A header's name, as somebody who looks for it would find it. */
function namesOf(headers: object): string[] {
  return Object.keys(headers).map((name) => name.toLowerCase());
}

describe("out of the function, to another: followTo", () => {
  const users = "http+lambda://users/to";
  const HERE = { region: "eu-west-1", accountId: "123456789012" };
  const usersArn = ARN.replace(/app$/, "users");

  /** Functions of one account and region, as far as the URL says nothing else. */
  function located(location: string, where: object = HERE): ReturnType<typeof redirecting> & { locate: typeof vi.fn } {
    const { invoker, hops } = redirecting(location);
    const locate = vi.fn(async (target: Target) => ({ ...where, ...target }));
    return { invoker: { ...invoker, locate }, hops, locate: locate as never };
  }

  test.each<[followTo: string[], location: string, url: string]>([
    [["users"], users, "http+lambda://users/to"],
    [["orders", "users"], users, "http+lambda://users/to"],
    [["us*"], users, "http+lambda://users/to"],
    [["*"], users, "http+lambda://users/to"],
    [["users"], "//users/to?a=1#b", "http+lambda://users/to?a=1"],
    [["users"], "http+lambda://prod.users/to", "http+lambda://prod.users/to"],
    [["users"], "http+lambda://users%3A7/to", "http+lambda://users%3A7/to"],
    [["users"], `http+lambda://${usersArn}/to`, `http+lambda://${usersArn}/to`],
    [["users"], `http+lambda://${usersArn}%3Aprod/to`, `http+lambda://${usersArn}%3Aprod/to`],
    [[usersArn], users, "http+lambda://users/to"],
    [[usersArn], `http+lambda://${usersArn}/to`, `http+lambda://${usersArn}/to`],
    [
      [usersArn.replace("123456789012", "999999999999")],
      `http+lambda://${usersArn.replace("123456789012", "999999999999")}/to`,
      `http+lambda://${usersArn.replace("123456789012", "999999999999")}/to`,
    ],
    [
      [usersArn.replace("eu-west-1", "us-east-1").replace("users", "*")],
      `http+lambda://${usersArn.replace("eu-west-1", "us-east-1")}/to`,
      `http+lambda://${usersArn.replace("eu-west-1", "us-east-1")}/to`,
    ],
  ])("%j: to %s", async (patterns, location, url) => {
    const { invoker, hops } = located(location);
    const followTo = patterns.map((pattern) => decodeURIComponent(pattern));
    const response = await createFetch({ invoker, followTo })("http+lambda://app/from");
    // A qualifier behind a name is written before it.
    expect(response.url).toBe(url.replace("users%3A7", "7.users"));
    expect([response.status, response.redirected, hops.length]).toEqual([200, true, 2]);
    expect(response.invocation.functionName).toBe("users");
    expect(response.history.map((one) => one.invocation.functionName)).toEqual(["app"]);
  });

  test.each<[followTo: string[], location: string]>([
    [[], users],
    [["orders"], users],
    [["Users"], users],
    [["user"], users],
    [["users-*"], users],
    // A name alone is none in another account or region.
    [["users", "*"], `http+lambda://${usersArn.replace("123456789012", "999999999999")}/to`],
    [["users", "*"], `http+lambda://${usersArn.replace("eu-west-1", "us-east-1")}/to`],
    [["app", "*"], `http+lambda://${ARN.replace("eu-west-1", "us-east-1")}/to`],
    [[usersArn], `http+lambda://${usersArn.replace("eu-west-1", "us-east-1")}/to`],
    [[usersArn.replace("eu-west-1", "us-east-1")], users],
    [["*"], "lambda://users/to"],
    [["*"], "http+lambda:users"],
    [["*"], "http+lambda://a b/to"],
  ])("%j: not to %s, which is never invoked", async (patterns, location) => {
    const { invoker, hops } = located(location);
    const fetch = vi.fn();
    const followTo = patterns.map((pattern) => decodeURIComponent(pattern));
    const error = await rejection(createFetch({ invoker, followTo, fetch })("http+lambda://app/from"));
    expect(error).toBeInstanceOf(UnsafeRedirectError);
    expect(error).toMatchObject({ location, target: { functionName: "app" } });
    expect(hops.map(({ target }) => target.functionName)).toEqual(["app"]);
    expect(fetch).not.toHaveBeenCalled();
  });

  test("without it, nothing is invoked and nothing looked up", async () => {
    const credentials = vi.fn(async () => ({ accessKeyId: "a", secretAccessKey: "b", accountId: "123456789012" }));
    const app = async () => ({ statusCode: 302, headers: { location: users } });
    const users_ = vi.fn();
    const functions = { app, users: users_ };
    const init = { credentials, region: "eu-west-1", functions };
    await expect(createFetch(init)("http+lambda://app/")).rejects.toThrow(UnsafeRedirectError);
    await expect(new Session(init).get("http+lambda://app/", { followTo: ["orders"] })).rejects.toThrow(
      UnsafeRedirectError,
    );
    expect(users_).not.toHaveBeenCalled();
    expect(credentials).not.toHaveBeenCalled();
    const { invoker, hops, locate } = located(users);
    await expect(createFetch({ invoker, followTo: ["orders-*"] })("http+lambda://app/from")).rejects.toThrow(
      'redirects out of itself, to "http+lambda://users/to", which is not followed: a function must not choose',
    );
    expect(hops).toHaveLength(1);
    expect(locate).not.toHaveBeenCalled();
  });

  test("a name and an ARN are two functions where the account is unknown", async () => {
    const { invoker, hops } = located(`http+lambda://${ARN}/to`, { region: "eu-west-1" });
    const fetch = createFetch({ invoker });
    await expect(fetch("http+lambda://app/from")).rejects.toThrow(UnsafeRedirectError);
    await expect(fetch("http+lambda://app/from", { lambda: { followTo: ["app"] } })).rejects.toThrow(
      UnsafeRedirectError,
    );
    expect(hops).toHaveLength(2);
    const followTo = [decodeURIComponent(ARN)];
    expect((await fetch("http+lambda://app/from", { lambda: { followTo } })).url).toBe(`http+lambda://${ARN}/to`);
  });

  test("a name and an ARN are one where the credentials name the account, and nothing is taken away", async () => {
    const asked: string[] = [];
    const server = createServer(async (request, response) => {
      asked.push(request.url ?? "");
      const { path, headers } = (await json(request)) as RestApiEvent;
      const location = path === "/from" ? `http+lambda://${ARN}/to` : "http+lambda://app/end";
      const answer = path === "/end" ? { body: headers.Authorization } : { statusCode: 302, headers: { location } };
      response.end(JSON.stringify(answer));
    });
    const endpoint = await listen(server);
    const credentials = { accessKeyId: "a", secretAccessKey: "b", accountId: "123456789012" };
    await using session = new Session({ endpoint, region: "eu-west-1", credentials });
    const headers = { Authorization: "secret" };
    const response = await session.get("http+lambda://app/from", { headers });
    expect(response.url).toBe("http+lambda://app/end");
    expect(await response.text()).toBe("secret");
    expect(asked.map((url) => decodeURIComponent(url.split("/")[3] ?? ""))).toEqual([
      "app",
      decodeURIComponent(ARN),
      "app",
    ]);
    const elsewhere = { ...credentials, accountId: "999999999999" };
    await using other = new Session({ endpoint, region: "eu-west-1", credentials: elsewhere });
    await expect(other.get("http+lambda://app/from", { headers })).rejects.toThrow(UnsafeRedirectError);
    expect(asked).toHaveLength(4);
  });

  test("what is meant for the first alone is taken away, and the rest goes along", async () => {
    const { invoker, hops } = located(users);
    const fetch = createFetch({ invoker, followTo: ["users"] });
    await fetch("http+lambda://app/from", { headers: { ...SECRETS, ...HARMLESS } });
    expect(hops[0]?.event.headers).toMatchObject({ ...SECRETS, ...HARMLESS });
    const headers = hops[1]?.event.headers ?? {};
    expect(headers).toMatchObject(HARMLESS);
    expect(namesOf(headers).filter((name) => namesOf(SECRETS).includes(name))).toEqual(["host"]);
    expect(headers.Host).toBe("users");
  });

  test("user and password of the URL, of the Location and of the session stay behind", async () => {
    const { invoker, hops } = located("http+lambda://eve:pw@users/to");
    await createFetch({ invoker, followTo: ["users"] })("http+lambda://ada:secret@app/from");
    await new Session({ invoker, followTo: ["users"], auth: ["ada", "secret"] }).get("http+lambda://app/from");
    const authorizations = hops.map(({ event }) => event.headers.Authorization);
    expect(authorizations).toEqual(["Basic YWRhOnNlY3JldA==", undefined, "Basic YWRhOnNlY3JldA==", undefined]);
  });

  test("method and body go by the rules of fetch", async () => {
    for (const [statusCode, method, body] of [
      [307, "POST", "a=1"],
      [308, "PUT", "a=1"],
      [303, "POST", null],
    ] as const) {
      const init = { method: method as string, body: "a=1" };
      const { hops } = await follow(users, { statusCode, init, options: { followTo: ["users"] } });
      expect([hops[1]?.event.httpMethod, hops[1]?.event.body]).toEqual([body === null ? "GET" : method, body]);
    }
  });

  test("of a session, and of a request, which takes its place", async () => {
    const { invoker, hops } = redirecting(users);
    const session = new Session({ invoker, followTo: ["users"] });
    expect((await session.get("http+lambda://app/from")).status).toBe(200);
    await expect(session.get("http+lambda://app/from", { followTo: [] })).rejects.toThrow(UnsafeRedirectError);
    await expect(session.get("http+lambda://app/from", { followTo: ["orders"] })).rejects.toThrow(UnsafeRedirectError);
    expect((await session.get("http+lambda://app/from", { followTo: undefined })).status).toBe(200);
    const plain = new Session({ invoker });
    expect((await plain.get("http+lambda://app/from", { followTo: ["users"] })).status).toBe(200);
    await expect(plain.get("http+lambda://app/from")).rejects.toThrow(UnsafeRedirectError);
    expect(hops).toHaveLength(9);
  });

  test.each([["users:prod"], [usersArn], ["https://example.com"], ["a b"]])("%j is no name", async (pattern) => {
    expect(() => createFetch({ followTo: [pattern] })).toThrow(ConfigurationError);
    const { invoker, hops } = redirecting(users);
    const call = createFetch({ invoker })("http+lambda://app/from", { lambda: { followTo: [pattern] } });
    await expect(call).rejects.toThrow(`followTo: ${JSON.stringify(pattern)} is no function's name or ARN`);
    expect(hops).toHaveLength(0);
  });

  test.each(["users", [""], [7], null])("%j is no list of names", (followTo) => {
    expect(() => createFetch({ followTo: followTo as never })).toThrow(ConfigurationError);
  });

  test("from there on, the other function's redirects are its own", async () => {
    const paths: string[] = [];
    const functions = {
      app: async ({ path }: RestApiEvent) => {
        paths.push(`app${path}`);
        return { statusCode: 302, headers: { location: users } };
      },
      users: async ({ path, headers }: RestApiEvent) => {
        paths.push(`users${path}`);
        if (path === "/end") return { body: headers.Host };
        return { statusCode: 302, headers: { location: path === "/to" ? "https://users/b" : "/end" } };
      },
    };
    const fetch = createFetch({ functions, followTo: ["users"] });
    const response = await fetch("http+lambda://app/");
    expect(await response.text()).toBe("users");
    expect(paths).toEqual(["app/", "users/to", "users/b", "users/end"]);
    expect(response.history.map(({ url }) => url)).toEqual([
      "http+lambda://app/",
      "http+lambda://users/to",
      "http+lambda://users/b",
    ]);
  });

  test("the way back has to be allowed as well", async () => {
    const to = (location: string) => async () => ({ statusCode: 302, headers: { location } });
    const functions = { app: to(users), users: to("http+lambda://app/") };
    const error = await rejection(createFetch({ functions, followTo: ["users"] })("http+lambda://app/"));
    expect(error).toBeInstanceOf(UnsafeRedirectError);
    expect(error).toMatchObject({ target: { functionName: "users" }, location: "http+lambda://app/" });
    const loop = createFetch({ functions, followTo: ["users", "app"], maxRedirects: 3 })("http+lambda://app/");
    await expect(loop).rejects.toThrow("GET http+lambda://users/to: redirected more than 3 times");
  });

  test("no kept cookies go over, neither function's; within the other its own do", async () => {
    const sent: unknown[][] = [];
    const functions = {
      app: async ({ path, headers }: RestApiEvent) => {
        sent.push(["app", path, headers.Cookie]);
        return { statusCode: 302, headers: { location: users, "Set-Cookie": "app=2; Domain=users" } };
      },
      users: async ({ path, headers }: RestApiEvent) => {
        sent.push(["users", path, headers.Cookie]);
        if (path !== "/to") return { statusCode: 200 };
        return { statusCode: 302, headers: { location: "/b", "Set-Cookie": "fresh=3" } };
      },
    };
    const session = new Session({ functions, followTo: ["users"], cookies: { own: "0" } });
    await session.cookies.set("http+lambda://app/", "app=1");
    await session.cookies.set(users, "users=1");
    await session.get("http+lambda://app/");
    expect(sent).toEqual([
      ["app", "/", "own=0; app=1"],
      ["users", "/to", undefined],
      ["users", "/b", "users=1; fresh=3"],
    ]);
  });
});

describe("out of the function, onto the web", () => {
  const location = "https://www.example.com/to?a=1";

  test.each<[method: string, status: number, then: string]>([
    ...[301, 302, 303, 307, 308].flatMap((status): [string, number, string][] => [
      ["GET", status, "GET"],
      ["HEAD", status, "HEAD"],
    ]),
    ...[301, 302, 303].map((status): [string, number, string] => ["POST", status, "GET"]),
    ...["PUT", "PATCH", "DELETE", "OPTIONS", "REPORT"].map((method): [string, number, string] => [method, 303, "GET"]),
  ])("%s with %i goes, as a %s", async (method, statusCode, then) => {
    const { fetch, calls } = web({ [location]: () => new Response(then === "HEAD" ? null : "arrived") });
    const hasBody = method !== "GET" && method !== "HEAD";
    const init = { method, ...(hasBody && { body: "x", headers: { "Content-Type": "text/x" } }) };
    const { response, hops } = await follow(location, { statusCode, init, options: { fetch } });
    expect([response.status, response.url, response.redirected]).toEqual([200, location, true]);
    expect(await response.text()).toBe(then === "HEAD" ? "" : "arrived");
    expect(hops).toHaveLength(1);
    expect(calls.map(({ url, init }) => [url, init.method, init.body, init.redirect])).toEqual([
      [location, then, null, "manual"],
    ]);
    expect(calls[0]?.headers.has("content-type")).toBe(false);
  });

  test.each<[method: string, status: number]>([
    ...[307, 308].flatMap((status) =>
      ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "REPORT"].map((method): [string, number] => [method, status]),
    ),
    ...[301, 302].flatMap((status) =>
      ["PUT", "PATCH", "DELETE", "OPTIONS", "REPORT"].map((method): [string, number] => [method, status]),
    ),
  ])("%s with %i is refused, with a body or without", async (method, statusCode) => {
    for (const body of ["secret", null]) {
      const { fetch, calls } = web({});
      const error = await rejection(follow(location, { statusCode, init: { method, body }, options: { fetch } }));
      expect(error).toBeInstanceOf(UnsafeRedirectError);
      expect(error.message).toContain(`onto the web, only GET and HEAD go, and this is a ${method}`);
      expect(error).toMatchObject({ location, request: { method, url: "http+lambda://app/from" } });
      expect(calls).toEqual([]);
    }
  });

  test("what is meant for the function alone is taken away, and the rest goes along", async () => {
    const { fetch, calls } = web({});
    await follow(location, { init: { headers: { ...SECRETS, ...HARMLESS } }, options: { fetch } });
    const names = [...(calls[0]?.headers.keys() ?? [])];
    expect(names.sort()).toEqual(namesOf(HARMLESS).sort());
    expect(calls[0]?.headers.get("x-id")).toBe("7");
  });

  test("user and password, of either URL or of the session, stay behind", async () => {
    const { fetch, calls } = web({});
    const away = "https://eve:pw@www.example.com/to#top";
    const options = { fetch };
    expect((await follow(away, { url: "http+lambda://ada:secret@app/from", options })).response.url).toBe(
      "https://www.example.com/to",
    );
    const { invoker } = redirecting(away);
    await new Session({ invoker, fetch, auth: ["ada", "secret"], cookies: { own: "1" } }).get("http+lambda://app/from");
    expect(calls.map(({ url, headers }) => [url, [...headers.keys()]])).toEqual([
      ["https://www.example.com/to", []],
      ["https://www.example.com/to", []],
    ]);
  });

  test("kept cookies stay behind, and those of the answer are kept for the web", async () => {
    const { fetch, calls } = web({ [location]: () => new Response("", { headers: { "Set-Cookie": "web=2" } }) });
    const { invoker } = redirecting(location);
    const session = new Session({ invoker, fetch });
    await session.cookies.set("http+lambda://app/", "app=1");
    await session.cookies.set(location, "web=1");
    await session.get("http+lambda://app/from");
    expect(calls[0]?.headers.has("cookie")).toBe(false);
    expect(await session.cookies.get(location)).toEqual({ web: "2" });
    await session.get(location);
    expect(calls[1]?.headers.get("cookie")).toBe("web=2");
  });

  test("the response is that of the page, with the invocation of the last function", async () => {
    const page = () => new Response("gone", { status: 404, statusText: "Nowhere", headers: { "x-a": "1" } });
    const { fetch } = web({ [location]: page });
    const functions = {
      app: async ({ path }: RestApiEvent) => ({
        statusCode: 302,
        headers: { location: path === "/" ? "/b" : location },
        body: "moved",
      }),
    };
    const response = await createFetch({ functions, fetch })("http+lambda://prod.app/");
    expect(response).toBeInstanceOf(LambdaResponse);
    expect(response).toMatchObject({ status: 404, statusText: "Nowhere", ok: false, url: location, redirected: true });
    expect(response.headers.get("x-a")).toBe("1");
    expect(response.history.map(({ url, status }) => [url, status])).toEqual([
      ["http+lambda://prod.app/", 302],
      ["http+lambda://prod.app/b", 302],
    ]);
    for (const one of response.history) expect(one).toBeInstanceOf(LambdaResponse);
    expect(await response.history[0]?.text()).toBe("moved");
    expect(response.invocation).toBe(response.history[1]?.invocation);
    expect(response.invocation).toMatchObject({ functionName: "app", qualifier: "prod", attempts: 1 });
    expect(response.elapsed).toBeGreaterThanOrEqual(response.history[1]?.elapsed ?? Number.NaN);
    expect(() => response.raiseForStatus()).toThrow(`GET ${location}: 404 Nowhere (client error)`);
    const copy = response.clone();
    expect([copy.url, copy.redirected, await copy.text(), await response.text()]).toEqual([
      ...[location, true, "gone", "gone"],
    ]);
  });

  test.each([204, 205, 304])("a page without a body: %i", async (status) => {
    const { fetch } = web({ [location]: () => new Response(null, { status }) });
    const { response } = await follow(location, { options: { fetch } });
    expect([response.status, response.body, await response.text()]).toEqual([status, null, ""]);
  });

  test("its body streams", async () => {
    const stream: { controller?: ReadableStreamDefaultController<Uint8Array> } = {};
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void Object.assign(stream, { controller }) });
    const { fetch } = web({ [location]: () => new Response(body as never) });
    const { response } = await follow(location, { options: { fetch } });
    const reader = response.body?.getReader();
    for (const text of ["one", "two"]) {
      stream.controller?.enqueue(Buffer.from(text));
      expect(Buffer.from((await reader?.read())?.value as Uint8Array).toString()).toBe(text);
    }
    stream.controller?.close();
    expect((await reader?.read())?.done).toBe(true);
  });

  test("its redirects are followed by the web's rules, and counted with the others", async () => {
    const to = (url: string) => () => new Response("moved", { status: 302, headers: { location: url } });
    const { fetch, calls } = web({
      [location]: to("/b"),
      "https://www.example.com/b": to("https://other.example/c"),
      "https://other.example/c": () => new Response("arrived"),
    });
    const { response } = await follow(location, { options: { fetch, maxRedirects: 3 } });
    expect(response).toBeInstanceOf(LambdaResponse);
    expect([response.url, await response.text()]).toEqual(["https://other.example/c", "arrived"]);
    expect(calls).toHaveLength(3);
    expect(response.history.map(({ url }) => url)).toEqual([
      "http+lambda://app/from",
      location,
      "https://www.example.com/b",
    ]);
    for (const one of response.history) expect(one).toBeInstanceOf(LambdaResponse);
    expect(response.invocation.functionName).toBe("app");
    const error = await rejection(follow(location, { options: { fetch, maxRedirects: 2 } }));
    expect(error).toBeInstanceOf(TooManyRedirectsError);
    expect(error.message).toBe("GET https://www.example.com/b: redirected more than 2 times");
    expect(error).not.toHaveProperty("target");
  });

  test.each(["http+lambda://app/", "http+lambda://users/", "HTTP+LAMBDA://app/x", `http+lambda://${ARN}/`])(
    "a page never leads back to a function: %s",
    async (back) => {
      const { fetch } = web({ [location]: () => new Response(null, { status: 302, headers: { location: back } }) });
      const { invoker, hops } = redirecting(location);
      for (const send of [createFetch({ invoker, fetch, followTo: ["*"] }), new Session({ invoker, fetch }).fetch]) {
        hops.length = 0;
        const error = await rejection(send("http+lambda://app/from", { lambda: { followTo: ["app", "users"] } }));
        expect(error).toBeInstanceOf(UnsafeRedirectError);
        expect(error).toMatchObject({ location: back, request: { method: "GET", url: location } });
        expect(error.message).toContain("no web page may make its reader invoke a function");
        expect(hops).toHaveLength(1);
      }
    },
  );

  test("a page that leads off the web leads nowhere", async () => {
    for (const off of ["file:///etc/passwd", "data:text/html,hi", "lambda://app/", "http+lambda:", "https://["]) {
      const { fetch, calls } = web({
        [location]: () => new Response(null, { status: 301, headers: { location: off } }),
      });
      const error = await rejection(follow(location, { options: { fetch } }));
      expect(error).toBeInstanceOf(UnsafeRedirectError);
      expect(error.message).toContain("for it leads off the web");
      expect(calls).toHaveLength(1);
    }
  });

  test.each(["manual", "error"] as const)("nothing is fetched with redirect: %s", async (redirect) => {
    const { fetch, calls } = web({});
    const call = follow(location, { init: { redirect }, options: { fetch } });
    if (redirect === "error") await expect(call).rejects.toThrow(TypeError);
    else expect((await call).response).toMatchObject({ status: 302, url: "http+lambda://app/from" });
    expect(calls).toEqual([]);
  });

  test("a failure there is that of the fetch", async () => {
    const failure = new TypeError("fetch failed");
    const { fetch } = web({ [location]: () => Promise.reject(failure) });
    await expect(follow(location, { options: { fetch } })).rejects.toBe(failure);
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

interface WebCall {
  readonly url: string;
  readonly init: RequestInit;
  readonly headers: Headers;
}

/** The web in the place of the platform's fetch: answers by URL. */
function web(pages: Readonly<Record<string, () => Response | Promise<Response>>>): {
  fetch: typeof globalThis.fetch;
  calls: WebCall[];
} {
  const calls: WebCall[] = [];
  const fetch = async (url: string, init: RequestInit): Promise<Response> => {
    calls.push({ url, init, headers: new Headers(init.headers) });
    return (pages[url] ?? (() => new Response("a page")))();
  };
  return { fetch: fetch as typeof globalThis.fetch, calls };
}

async function listen(server: Server): Promise<string> {
  const { origin, undo } = await listening(server);
  closers.push(undo);
  return origin;
}

async function rejection(promise: Promise<unknown>): Promise<Error> {
  const [result] = await Promise.allSettled([promise]);
  if (result.status === "fulfilled") throw new Error("it was not refused");
  return result.reason as Error;
}
