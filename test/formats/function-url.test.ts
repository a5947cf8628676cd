import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createFetch } from "../../src/fetch.ts";
import { type EventRequest, InvalidResultError } from "../../src/formats/format.ts";
import { type FunctionUrlEvent, functionUrl } from "../../src/formats/function-url.ts";
import { httpApi } from "../../src/formats/http-api.ts";
import type { Target } from "../../src/target.ts";

type Fields = [name: string, value: string][];

const app: Target = { functionName: "app" };
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** The event as a function gets it: through JSON. */
function encode(request: Partial<EventRequest> = {}, target: Target = app): FunctionUrlEvent {
  const whole = { method: "GET", path: "/", query: "", headers: [], body: null, ...request };
  return JSON.parse(JSON.stringify(functionUrl.encode(whole, target))) as FunctionUrlEvent;
}

describe("encode", () => {
  afterEach(() => void vi.useRealTimers());

  test("a whole event, with every key that AWS sends and no other", () => {
    vi.setSystemTime("2026-07-10T19:19:06.671Z");
    const headers: Fields = [
      ["Content-Type", "application/json"],
      ["Cookie", "session=abc123; theme=dark"],
      ["User-Agent", "test/1"],
      ["X-Probe", "first"],
      ["x-probe", "second"],
    ];
    const query = "repeat=one&redirect=https%3A%2F%2Fx%2Fa&plus=a+b&encoded=a%2Bb&empty=&repeat=two";
    const request = { method: "POST", path: "/v1/space%20value", query, headers, body: '{"x":"ü"}' };
    const event = encode(request, { functionName: "my_Fn", accountId: "123456789012" });
    expect(event).toEqual({
      version: "2.0",
      routeKey: "$default",
      rawPath: "/v1/space%20value",
      rawQueryString: query,
      cookies: ["session=abc123", "theme=dark"],
      headers: {
        ...{ "content-length": "10", "content-type": "application/json", cookie: "session=abc123; theme=dark" },
        ...{ host: "my-Fn", "user-agent": "test/1", "x-probe": "first,second" },
        ...{ "x-amzn-tls-cipher-suite": "TLS_AES_128_GCM_SHA256", "x-amzn-tls-version": "TLSv1.3" },
        ...{ "x-amzn-trace-id": expect.stringMatching(/^Root=1-6a5145aa-[0-9a-f]{24}$/) },
        ...{ "x-forwarded-for": "127.0.0.1", "x-forwarded-port": "443", "x-forwarded-proto": "https" },
      },
      queryStringParameters: { repeat: "one,two", redirect: "https://x/a", plus: "a b", encoded: "a+b", empty: "" },
      requestContext: {
        accountId: "anonymous",
        apiId: "my-Fn",
        domainName: "my-Fn",
        domainPrefix: "my-Fn",
        http: {
          ...{ method: "POST", path: "/v1/space value", protocol: "HTTP/1.1", sourceIp: "127.0.0.1" },
          userAgent: "test/1",
        },
        requestId: expect.stringMatching(UUID),
        routeKey: "$default",
        stage: "$default",
        time: "10/Jul/2026:19:19:06 +0000",
        timeEpoch: 1783711146671,
      },
      body: '{"x":"ü"}',
      isBase64Encoded: false,
    });
    expect(Object.keys(event), "in AWS's order").toEqual([
      ...["version", "routeKey", "rawPath", "rawQueryString", "cookies", "headers", "queryStringParameters"],
      ...["requestContext", "body", "isBase64Encoded"],
    ]);
  });

  test("what is absent has no key, and nothing is null", () => {
    const event = encode();
    expect(Object.keys(event)).toEqual([
      ...["version", "routeKey", "rawPath", "rawQueryString", "headers", "requestContext", "isBase64Encoded"],
    ]);
    expect(event.rawQueryString).toBe("");
    expect(event.isBase64Encoded).toBe(false);
    expect(Object.keys(event.requestContext)).toEqual([
      ...["accountId", "apiId", "domainName", "domainPrefix", "http", "requestId", "routeKey", "stage", "time"],
      "timeEpoch",
    ]);
    expect(event.requestContext.http.userAgent).toBe("");
    expect(Object.keys(event.headers).sort()).toEqual([
      ...["host", "x-amzn-tls-cipher-suite", "x-amzn-tls-version", "x-amzn-trace-id"],
      ...["x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"],
    ]);
    expect(JSON.stringify(event)).not.toContain("null");
  });

  test.each([
    // path, decoded
    ["/", "/"],
    ["/a//b/", "/a//b/"],
    ["//a", "//a"],
    ["/slash%2Fvalue", "/slash/value"],
    ["/space%20value", "/space value"],
    ["/plus+%2B", "/plus++"],
    ["/question%3Fvalue", "/question?value"],
    ["/hash%23value", "/hash#value"],
    ["/%CE%BB-%e4%b8%96", "/λ-世"],
    ["/pa2%25Fth/1", "/pa2%Fth/1"],
    ["/no-utf-8%FF", "/no-utf-8%FF"],
    ["/no-hex%zz%2", "/no-hex%zz%2"],
  ])("path %s: rawPath as it is, http.path decoded", (path, decoded) => {
    const { rawPath, requestContext } = encode({ path });
    expect(rawPath).toBe(path);
    expect(requestContext.http.path).toBe(decoded);
  });

  test.each<[string, Record<string, string> | undefined]>([
    ["", undefined],
    ["&&", undefined],
    ["a=1&b=2&a=3&a=", { a: "1,3,", b: "2" }],
    ["empty=&flag&=x", { empty: "", flag: "", "": "x" }],
    ["q=a+b&r=a%20b&s=1%2B1", { q: "a b", r: "a b", s: "1+1" }],
    ["a%5B%5D=%2Fbar&a[]=1,2", { "a[]": "/bar,1,2" }],
    ["?a=%zz", { "?a": "%zz" }],
  ])("query %s", (query, expected) => {
    const event = encode({ query });
    expect(event.rawQueryString, "as it was sent").toBe(query);
    expect(event.queryStringParameters).toEqual(expected);
    expect("queryStringParameters" in event).toBe(expected !== undefined);
  });

  test("a query parameter and a header named __proto__ are just that", () => {
    const event = encode({ query: "__proto__=1", headers: [["__proto__", "2"]] });
    expect(Object.entries(event.queryStringParameters ?? {})).toEqual([["__proto__", "1"]]);
    expect(Object.entries(event.headers)).toContainEqual(["__proto__", "2"]);
  });

  test.each<[string, Fields, string | undefined, string[] | undefined]>([
    ["none", [], undefined, undefined],
    ["an empty one", [["Cookie", ""]], "", undefined],
    ["one", [["cookie", "a=1"]], "a=1", ["a=1"]],
    ["several", [["COOKIE", "a=1; b=2; c"]], "a=1; b=2; c", ["a=1", "b=2", "c"]],
    [
      "in two fields",
      [
        ["Cookie", "a=1; b=2"],
        ["cookie", "c=3"],
      ],
      "a=1; b=2; c=3",
      ["a=1", "b=2", "c=3"],
    ],
  ])("cookies are doubled, as a header and apart: %s", (_name, headers, header, cookies) => {
    const event = encode({ headers });
    expect(event.headers.cookie).toBe(header);
    expect(event.cookies).toEqual(cookies);
    expect("cookies" in event).toBe(cookies !== undefined);
  });

  test.each<[string, string | Uint8Array | null, Fields, string | undefined]>([
    ["no body: none", null, [], undefined],
    ["no body, and the caller says so", null, [["Content-Length", "0"]], "0"],
    ["no body, and the caller says otherwise", null, [["Content-Length", "5"]], "0"],
    ["an empty body", "", [], "0"],
    ["text, counted in bytes", "ü€", [], "5"],
    ["bytes", new Uint8Array(7), [], "7"],
    ["the caller's count, which is wrong", "abc", [["content-length", "99"]], "3"],
  ])("content-length of %s", (_name, body, headers, length) => {
    expect(encode({ method: "POST", headers, body }).headers["content-length"]).toBe(length);
  });

  const DROPPED = ["Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade"];
  test.each(DROPPED)("%s does not reach the function", (name) => {
    expect(encode({ headers: [[name, "1"]] }).headers).not.toHaveProperty(name.toLowerCase());
  });

  test.each(["Accept-Encoding", "Authorization", "Content-MD5", "Expect", "Origin", "Via", "X-Amz-Date"])(
    "%s does",
    (name) => {
      expect(encode({ headers: [[name, "1"]] }).headers[name.toLowerCase()]).toBe("1");
    },
  );

  test("X-Forwarded-For is appended to; port, protocol and TLS are set; a trace id stays", () => {
    const headers: Fields = [
      ["X-Forwarded-For", "203.0.113.7"],
      ["X-Forwarded-Port", "80"],
      ["X-Forwarded-Proto", "http"],
      ["X-Amzn-Tls-Version", "none"],
      ["X-Amzn-Trace-Id", "Root=1-0-1"],
    ];
    expect(encode({ headers }).headers).toMatchObject({
      ...{ "x-forwarded-for": "203.0.113.7, 127.0.0.1", "x-forwarded-port": "443", "x-forwarded-proto": "https" },
      ...{ "x-amzn-tls-version": "TLSv1.3", "x-amzn-trace-id": "Root=1-0-1" },
    });
  });

  test("the caller's own Host names the URL", () => {
    const host = "abc123.lambda-url.us-west-2.on.aws";
    const { headers, requestContext } = encode({ headers: [["Host", host]] });
    expect(headers.host).toBe(host);
    expect(requestContext).toMatchObject({ domainName: host, domainPrefix: "abc123", apiId: "abc123" });
  });

  test("ids are new in each event", () => {
    const ids = Array.from({ length: 20 }, () => encode()).flatMap(({ requestContext, headers }) => [
      requestContext.requestId,
      headers["x-amzn-trace-id"],
    ]);
    expect(new Set(ids).size).toBe(40);
  });

  test.each<[string | undefined, boolean]>([
    ["application/json", false],
    ["text/plain", false],
    ["TEXT/csv; charset=utf-8", false],
    ["application/javascript", false],
    ["application/xml", false],
    ["multipart/form-data; boundary=x", true],
    ["idk", true],
    [undefined, true],
    ["", true],
    ["application/x-www-form-urlencoded", true],
    ["application/problem+json", true],
    ["image/svg+xml", true],
    ["application/octet-stream", true],
  ])("a body of type %j: base64 is %s", (type, isBase64Encoded) => {
    const headers: Fields = type === undefined ? [] : [["Content-Type", type]];
    const body = Buffer.from("größe=1");
    const expected = { body: isBase64Encoded ? body.toString("base64") : "größe=1", isBase64Encoded };
    expect(encode({ method: "POST", headers, body })).toMatchObject(expected);
    expect(encode({ method: "POST", headers, body: body.toString() })).toMatchObject(expected);
  });

  test("what is no UTF-8 is base64, whatever the type says", () => {
    const headers: Fields = [["Content-Type", "application/json"]];
    const event = encode({ method: "POST", headers, body: Buffer.from([0x22, 0xff, 0x22]) });
    expect(event).toMatchObject({ body: "Iv8i", isBase64Encoded: true });
  });

  test("an empty body has no key", () => {
    for (const body of [null, "", new Uint8Array()]) {
      const event = encode({ method: "POST", headers: [["Content-Type", "image/png"]], body });
      expect(event).not.toHaveProperty("body");
      expect(event.isBase64Encoded).toBe(false);
    }
  });
});

describe("decode", () => {
  const decoded = (result: unknown): { status: number; headers: Fields; body: string } => {
    const { status, headers, body } = functionUrl.decode(result);
    return { status, headers: headers as Fields, body: Buffer.from(body).toString() };
  };

  test.each<[unknown, string]>([
    [JSON.parse('{"hello": "world"}'), '{"hello":"world"}'],
    [["hello", 3, true], '["hello",3,true]'],
    ["hello", "hello"],
    [3, "3"],
    [3.1, "3.1"],
    [true, "true"],
    [null, "null"],
    [{ body: "x", headers: { a: "1" } }, '{"body":"x","headers":{"a":"1"}}'],
  ])("without statusCode, the whole is the body: %j", (result, body) => {
    expect(decoded(result)).toEqual({ status: 200, headers: [["content-type", "application/json"]], body });
  });

  test("a status in text, cookies before headers, an object for a body", () => {
    const result = { statusCode: "418", cookies: ["a=1"], headers: { "Set-Cookie": "b=2" }, body: { any: "object" } };
    expect(decoded(result)).toEqual({
      status: 418,
      headers: [
        ["set-cookie", "a=1"],
        ["Set-Cookie", "b=2"],
        ["content-type", "application/json"],
      ],
      body: '{"any":"object"}',
    });
  });

  test("for any JSON, what http-api makes of it", () => {
    const outcome = (decode: typeof functionUrl.decode, result: unknown): unknown => {
      try {
        return decode(result);
      } catch (error) {
        return [error instanceof InvalidResultError, (error as Error).message];
      }
    };
    const results = fc.oneof(
      fc.jsonValue(),
      fc.record({
        statusCode: fc.oneof(fc.integer({ min: 190, max: 610 }), fc.constantFrom("200", "x", null)),
        headers: fc.dictionary(fc.constantFrom("a", "A", "content-type"), fc.jsonValue()),
        cookies: fc.array(fc.string()),
        body: fc.jsonValue(),
      }),
    );
    fc.assert(
      fc.property(results, (result) => {
        expect(outcome(functionUrl.decode, result)).toEqual(outcome(httpApi.decode, result));
      }),
    );
  });
});

describe("through fetch", () => {
  const answer = (result: unknown): Promise<Response> =>
    createFetch({ payloadFormat: "function-url", functions: { app: async () => result } })("http+lambda://app/");

  test.each([204, 205, 304])("%i has no body, whatever the function returned", async (statusCode) => {
    for (const body of ["x", "", null, { a: 1 }]) {
      const response = await answer({ statusCode, headers: { etag: '"1"' }, body });
      expect([response.status, response.body, response.headers.get("etag")]).toEqual([statusCode, null, '"1"']);
      expect(await response.text()).toBe("");
    }
  });

  test.each(["0", "1", "99999"])("a content-length that lies (%s) is mended", async (length) => {
    const response = await answer({ statusCode: 200, headers: { "content-length": length }, body: "héllo" });
    expect(response.headers.get("content-length")).toBe("6");
    expect(await response.text()).toBe("héllo");
  });

  test("nothing returned is null", async () => {
    const response = await answer(undefined);
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/json"]);
    expect(await response.json()).toBeNull();
  });

  test("a result that is no response is a 502 that says why", async () => {
    const response = await answer({ statusCode: "abc" });
    expect(response.status).toBe(502);
    expect(await response.text()).toBe(
      'app returned no HTTP response: statusCode is "abc", not a whole number from 200 to 599',
    );
  });
});
