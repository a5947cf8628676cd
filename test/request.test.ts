import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createFetch } from "../src/fetch.ts";
import type { RestApiEvent } from "../src/formats/rest-api.ts";
import type { BodyInput, HeadersInput, LambdaRequestInit } from "../src/request.ts";
import { VERSION } from "../src/version.ts";

const APP = "http+lambda://app/";

/** The event that a function gets. */
async function received(input: string | URL | Request, init?: LambdaRequestInit): Promise<RestApiEvent> {
  let event: RestApiEvent | undefined;
  const handler = async (one: RestApiEvent) => {
    event = one;
    return { statusCode: 204 };
  };
  const response = await createFetch({ functions: { app: handler } })(input, init);
  expect(response.status).toBe(204);
  if (event === undefined) throw new Error("the function was not called");
  return event;
}

function bytesOf({ body, isBase64Encoded }: RestApiEvent): Buffer {
  return Buffer.from(body ?? "", isBase64Encoded ? "base64" : "utf8");
}

/** Without the headers that fetch and the event's format add. */
function ownHeaders({ multiValueHeaders }: RestApiEvent): Record<string, string[]> {
  const added = /^(?:accept|accept-encoding|user-agent|host|x-amzn-.*|x-forwarded-.*)$/i;
  return Object.fromEntries(Object.entries(multiValueHeaders).filter(([name]) => !added.test(name)));
}

describe("the method", () => {
  test.each([
    [undefined, "GET"],
    ["get", "GET"],
    ["Head", "HEAD"],
    ["options", "OPTIONS"],
    ["post", "POST"],
    ["pUt", "PUT"],
    ["delete", "DELETE"],
    ["PATCH", "PATCH"],
    // As in fetch, which upper-cases only those of its own list.
    ["patch", "patch"],
    ["TRACE", "TRACE"],
    ["REPORT", "REPORT"],
    ["M-SEARCH", "M-SEARCH"],
  ])("%s", async (method, expected) => {
    const event = await received(APP, method === undefined ? {} : { method });
    expect(event.httpMethod).toBe(expected);
  });
});

describe("the body", () => {
  const TEXT = "text/plain;charset=UTF-8";
  const view = Uint8Array.from([0, 255, 1, 254, 2, 253, 3, 252]);
  const chunks = ["he", "", "llo"].map((text) => Buffer.from(text));
  const stream = (): ReadableStream<Uint8Array> =>
    new ReadableStream({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(chunk);
        controller.close();
      },
    });
  async function* generate(): AsyncGenerator<Uint8Array> {
    yield* chunks;
  }

  test.each<[string, () => BodyInput | null | undefined, string | Uint8Array, string | undefined]>([
    ["a string", () => "héllo", "héllo", TEXT],
    ["an empty string", () => "", "", TEXT],
    ["null", () => null, "", undefined],
    ["undefined", () => undefined, "", undefined],
    ["a Uint8Array", () => view, view, undefined],
    ["a part of a Uint8Array", () => view.subarray(2, 4), view.slice(2, 4), undefined],
    ["a Buffer", () => Buffer.from("hello"), "hello", undefined],
    ["an ArrayBuffer", () => view.slice().buffer, view, undefined],
    ["a DataView", () => new DataView(view.buffer, 1, 3), view.slice(1, 4), undefined],
    ["a Uint16Array", () => new Uint16Array(view.buffer, 2, 2), view.slice(2, 6), undefined],
    ["an empty Uint8Array", () => new Uint8Array(), "", undefined],
    ["a Blob", () => new Blob(["hello"]), "hello", undefined],
    ["a Blob with a type", () => new Blob([view], { type: "image/PNG" }), view, "image/png"],
    ["a File", () => new File(["a,b"], "a.csv", { type: "text/csv" }), "a,b", "text/csv"],
    [
      "URLSearchParams",
      () =>
        new URLSearchParams([
          ["a b", "1&2"],
          ["a b", "ü"],
        ]),
      "a+b=1%262&a+b=%C3%BC",
      "application/x-www-form-urlencoded;charset=UTF-8",
    ],
    ["a ReadableStream", stream, "hello", undefined],
    ["an async iterable", generate, "hello", undefined],
    ["a Node stream", () => Readable.from(chunks), "hello", undefined],
    [
      "a stream without a chunk",
      () => new ReadableStream({ start: (controller) => controller.close() }),
      "",
      undefined,
    ],
  ])("%s", async (_name, make, expected, type) => {
    const event = await received(APP, { method: "POST", body: make() as BodyInput });
    expect(bytesOf(event)).toEqual(Buffer.from(expected));
    expect(ownHeaders(event)).toEqual(type === undefined ? {} : { "Content-Type": [type] });
    expect(event.body === null).toBe(expected.length === 0);
  });

  test("a type of the caller's own stays, in any casing", async () => {
    const bodies = ["{}", new Blob(["{}"], { type: "text/css" }), new URLSearchParams()];
    for (const body of bodies) {
      const headers = { "content-TYPE": "application/json" };
      expect(ownHeaders(await received(APP, { method: "POST", headers, body }))).toEqual({
        "content-TYPE": ["application/json"],
      });
    }
  });

  test("FormData", async () => {
    const form = new FormData();
    form.append("name", "Zoë");
    form.append("name", 'x"y\r\n');
    form.append("file", new Blob([view], { type: "image/x-y" }), "größe.bin");
    const event = await received(APP, { method: "POST", body: form });
    const type = event.headers["Content-Type"] ?? "";
    expect(type).toMatch(/^multipart\/form-data; boundary=\S+$/);
    expect(event.isBase64Encoded).toBe(true);

    const back = await new Response(bytesOf(event), { headers: { "content-type": type } }).formData();
    expect(back.getAll("name")).toEqual(["Zoë", 'x"y\r\n']);
    const file = back.get("file") as File;
    expect([file.name, file.type]).toEqual(["größe.bin", "image/x-y"]);
    expect(new Uint8Array(await file.arrayBuffer())).toEqual(view);
  });

  test("lone surrogates become U+FFFD, as in fetch", async () => {
    for (const body of ["a\ud83d", "\ude00b", "\ud83d\ud83d\ude00"]) {
      const standard = await new Response(body).text();
      expect((await received(APP, { method: "POST", body })).body).toBe(standard);
    }
    const form = await received(APP, { method: "POST", body: new URLSearchParams([["a", "\ud83d"]]) });
    expect(form.body).toBe("a=%EF%BF%BD");
  });

  test.each(["DELETE", "OPTIONS", "PATCH", "REPORT"])("%s may have one", async (method) => {
    expect((await received(APP, { method, body: "x" })).body).toBe("x");
  });

  test.each(["GET", "HEAD"])("%s may have null or none", async (method) => {
    expect((await received(APP, { method, body: null })).body).toBeNull();
  });
});

describe("a Request", () => {
  test("gives method, headers and body", async () => {
    const request = new Request("http+lambda://prod.app/a/../v1?b=1", {
      method: "put",
      headers: { "X-Id": "7" },
      body: "héllo",
    });
    const event = await received(request);
    expect(event).toMatchObject({ httpMethod: "PUT", path: "/v1", queryStringParameters: { b: "1" }, body: "héllo" });
    expect(ownHeaders(event)).toEqual({ "content-type": ["text/plain;charset=UTF-8"], "x-id": ["7"] });
    expect(request.bodyUsed).toBe(true);
  });

  test("without a body", async () => {
    const event = await received(new Request(APP));
    expect(event).toMatchObject({ httpMethod: "GET", body: null });
    expect(ownHeaders(event)).toEqual({});
  });

  test("that has been read already is refused, and so is a stream of which a part is missing", async () => {
    const request = new Request(APP, { method: "POST", body: "old" });
    await request.text();
    await expect(received(request)).rejects.toThrow(TypeError);
    const body = new Blob(["a", "b"]).stream();
    const reader = body.getReader();
    await reader.read();
    reader.releaseLock();
    await expect(received(APP, { method: "POST", body })).rejects.toThrow(TypeError);
  });

  test("what the second argument says goes first", async () => {
    const request = new Request(APP, { method: "POST", headers: { a: "1", b: "2" }, body: "old" });
    const event = await received(request, { method: "PATCH", headers: { A: "3" }, body: Buffer.from("new") });
    expect(event).toMatchObject({ httpMethod: "PATCH", body: "new" });
    expect(ownHeaders(event)).toEqual({ A: ["3"] });
    expect(request.bodyUsed).toBe(false);
  });

  test("new headers alone leave the body", async () => {
    const request = new Request(APP, { method: "POST", body: "old" });
    const event = await received(request, { headers: { "Content-Type": "text/css" } });
    expect(event.body).toBe("old");
    expect(ownHeaders(event)).toEqual({ "Content-Type": ["text/css"] });
  });

  test("one of bytes", async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    expect(bytesOf(await received(new Request(APP, { method: "POST", body: bytes })))).toEqual(Buffer.from(bytes));
  });
});

describe("headers", () => {
  test.each<[string, HeadersInput, Record<string, string[]>]>([
    ["an object", { "X-A": "1", "x-b": "2" }, { "X-A": ["1"], "x-b": ["2"] }],
    ["an object with arrays", { "X-A": ["1", "2"], b: [] }, { "X-A": ["1", "2"] }],
    ["an object with undefined", { "X-A": undefined, b: "1" }, { b: ["1"] }],
    [
      "pairs",
      [
        ["X-A", "1"],
        ["b", "2"],
        ["x-a", "3"],
      ],
      { "X-A": ["1", "3"], b: ["2"] },
    ],
    [
      "any iterable",
      new Map([
        ["X-A", "1"],
        ["b", "2"],
      ]),
      { "X-A": ["1"], b: ["2"] },
    ],
    [
      "Headers",
      new Headers([
        ["X-A", "1"],
        ["x-a", "2"],
      ]),
      { "x-a": ["1, 2"] },
    ],
    [
      "equal pairs",
      [
        ["a", "1"],
        ["a", "1"],
      ],
      { a: ["1", "1"] },
    ],
    ["white space around a value", { a: " \t1 2\r\n" }, { a: ["1 2"] }],
    ["an empty value", { a: "" }, { a: [""] }],
    ["a comma in a value", { a: "1, 2" }, { a: ["1, 2"] }],
    ["Latin-1", { a: "é\u00ff" }, { a: ["é\u00ff"] }],
    [
      "odd names",
      [
        ["!#$%&'*+-.^_`|~", "1"],
        ["__proto__", "2"],
      ],
      JSON.parse('{"!#$%&\'*+-.^_`|~":["1"],"__proto__":["2"]}'),
    ],
    [
      "names that fetch forbids in browsers",
      { Cookie: "a=1; b=2", Origin: "x" },
      { Cookie: ["a=1; b=2"], Origin: ["x"] },
    ],
    ["a value that is no string", { a: 7 as never, b: true as never }, { a: ["7"], b: ["true"] }],
  ])("%s", async (_name, headers, expected) => {
    expect(ownHeaders(await received(APP, { headers }))).toEqual(expected);
  });

  test("what fetch fills in", async () => {
    const { headers } = await received(APP);
    expect(headers).toMatchObject({
      ...{ Accept: "*/*", "Accept-Encoding": "gzip, deflate, br", "User-Agent": `lambda-requests/${VERSION}` },
      Host: "app",
    });
  });

  test("what the caller says instead", async () => {
    const own = { aCCEPT: "text/html", "accept-encoding": "identity", "user-agent": "mine/1", host: "example.com" };
    const { headers, multiValueHeaders } = await received(APP, { headers: own });
    expect(headers).toMatchObject({
      ...{ aCCEPT: "text/html", "accept-encoding": "identity", "User-Agent": "mine/1", Host: "example.com" },
    });
    const names = Object.keys(multiValueHeaders).map((name) => name.toLowerCase());
    expect(new Set(names).size).toBe(names.length);
  });

  test("an empty one is not filled in", async () => {
    const { headers } = await received(APP, { headers: { Accept: "", "User-Agent": "" } });
    expect(headers).toMatchObject({ Accept: "", "User-Agent": "" });
  });
});

describe("user and password of the URL", () => {
  const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;

  test.each([
    ["ada:secret", "ada:secret"],
    ["ada", "ada:"],
    ["ada:a%3Ab%40c", "ada:a:b@c"],
    ["%C3%BC:%E4%B8%96", "ü:世"],
  ])("%s", async (userinfo, decoded) => {
    for (const url of [`http+lambda://${userinfo}@app/v1`, new URL(`http+lambda://${userinfo}@app/v1`)]) {
      const event = await received(url);
      expect(event.headers.Authorization).toBe(basic(decoded));
      expect(JSON.stringify({ ...event, headers: {}, multiValueHeaders: {} })).not.toContain("@");
    }
  });

  test("an Authorization of the caller's own goes first", async () => {
    const { multiValueHeaders } = await received("http+lambda://ada:secret@app/", {
      headers: { authorization: "Bearer x" },
    });
    expect(multiValueHeaders.Authorization).toEqual(["Bearer x"]);
  });
});

describe("a URL of another scheme", () => {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    response.end("from a server");
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

  test("goes to the platform's fetch", async () => {
    const response = await createFetch()(`${origin}/v1?a=1`, {
      method: "POST",
      headers: { "X-Id": "7" },
      body: "hello",
    });
    expect(await response.text()).toBe("from a server");
    expect(requests[0]).toMatchObject({
      method: "POST",
      url: "/v1?a=1",
      headers: { "x-id": "7", "content-length": "5" },
    });
    expect(response.url).toBe(`${origin}/v1?a=1`);
    expect(response).not.toHaveProperty("invocation");
  });

  test("or to the option fetch, with the very arguments", async () => {
    const calls: unknown[][] = [];
    const answer = new Response();
    const own = (async (...args: unknown[]) => {
      calls.push(args);
      return answer;
    }) as typeof globalThis.fetch;
    const fetch = createFetch({ fetch: own });
    const request = new Request("https://example.com/");
    const init = { method: "POST" };
    expect(await fetch("https://example.com/", init)).toBe(answer);
    expect(await fetch(request)).toBe(answer);
    expect(calls[0]?.[0]).toBe("https://example.com/");
    expect(calls[0]?.[1]).toBe(init);
    expect(calls[1]?.[0]).toBe(request);
  });
});
