import { afterEach, describe, expect, test, vi } from "vitest";
import { createFetch } from "../../src/fetch.ts";
import { type EventRequest, InvalidResultError } from "../../src/formats/format.ts";
import { type HttpApiEvent, httpApi } from "../../src/formats/http-api.ts";
import type { Target } from "../../src/target.ts";

type Fields = [name: string, value: string][];

const app: Target = { functionName: "app" };

/** The event as a function gets it: through JSON. */
function encode(request: Partial<EventRequest> = {}, target: Target = app): HttpApiEvent {
  const whole = { method: "GET", path: "/", query: "", headers: [], body: null, ...request };
  return JSON.parse(JSON.stringify(httpApi.encode(whole, target))) as HttpApiEvent;
}

describe("encode", () => {
  afterEach(() => void vi.useRealTimers());

  test("a whole event, with every key that AWS sends and no other", () => {
    vi.setSystemTime("2026-07-10T19:19:05.766Z");
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
      rawPath: "/v1/space value",
      rawQueryString: query,
      cookies: ["session=abc123", "theme=dark"],
      headers: {
        ...{ "content-length": "10", "content-type": "application/json", host: "my-Fn", "user-agent": "test/1" },
        ...{ "x-amzn-trace-id": expect.stringMatching(/^Root=1-6a5145a9-[0-9a-f]{24}$/), "x-probe": "first,second" },
        ...{ "x-forwarded-for": "127.0.0.1", "x-forwarded-port": "443", "x-forwarded-proto": "https" },
      },
      queryStringParameters: { repeat: "one,two", redirect: "https://x/a", plus: "a b", encoded: "a+b", empty: "" },
      requestContext: {
        accountId: "123456789012",
        apiId: "my-Fn",
        domainName: "my-Fn",
        domainPrefix: "my-Fn",
        http: {
          ...{ method: "POST", path: "/v1/space value", protocol: "HTTP/1.1", sourceIp: "127.0.0.1" },
          userAgent: "test/1",
        },
        requestId: expect.stringMatching(/^[A-Za-z0-9+/]{15}=$/),
        routeKey: "$default",
        stage: "$default",
        time: "10/Jul/2026:19:19:05 +0000",
        timeEpoch: 1783711145766,
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
    expect(event.requestContext.accountId).toBe("000000000000");
    expect(event.requestContext.http.userAgent).toBe("");
    expect(Object.keys(event.headers).sort()).toEqual([
      ...["content-length", "host", "x-amzn-trace-id", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"],
    ]);
    expect(JSON.stringify(event)).not.toContain("null");
  });

  test.each([
    // path, decoded
    ["/", "/"],
    ["/a/", "/a/"],
    ["/a//b", "/a//b"],
    ["//a", "//a"],
    ["/slash%2Fvalue", "/slash/value"],
    ["/space%20value", "/space value"],
    ["/plus+%2B", "/plus++"],
    ["/hash%23value", "/hash#value"],
    ["/%CE%BB-%e4%b8%96", "/λ-世"],
    ["/%25", "/%"],
    ["/a%00b", "/a\0b"],
    ["/no-utf-8%FF", "/no-utf-8%FF"],
    ["/no-hex%zz%2", "/no-hex%zz%2"],
    ["/@:;,=&$!'()*~", "/@:;,=&$!'()*~"],
  ])("path %s is decoded", (path, decoded) => {
    const { rawPath, requestContext } = encode({ path });
    expect(rawPath).toBe(decoded);
    expect(requestContext.http.path).toBe(decoded);
  });

  test.each([
    ["/question%3Fvalue", "/question"],
    ["/%3F", "/"],
    ["/a%3fb%3Fc/d", "/a"],
  ])("a decoded ? ends rawPath: %s", (path, rawPath) => {
    expect(encode({ path }).rawPath).toBe(rawPath);
  });

  test.each<[string, Record<string, string> | undefined]>([
    ["", undefined],
    ["&", undefined],
    ["a=1", { a: "1" }],
    ["a=1&b=2&a=3", { a: "1,3", b: "2" }],
    ["a=1&a=1", { a: "1,1" }],
    ["a=&a=", { a: "," }],
    ["a=1,2&a=3", { a: "1,2,3" }],
    ["empty=&flag&=x", { empty: "", flag: "", "": "x" }],
    ["q=a+b&r=a%20b&s=1%2B1", { q: "a b", r: "a b", s: "1+1" }],
    ["a=1;b=2", { a: "1;b=2" }],
    ["a=b=c&a%3Db=%26", { a: "b=c", "a=b": "&" }],
    ["q=%2525&u=%C3%BC&s=https://x/?y", { q: "%25", u: "ü", s: "https://x/?y" }],
    ["?a=1", { "?a": "1" }],
    ["a[]=1&a[]=2&f%5Bx%5D=3", { "a[]": "1,2", "f[x]": "3" }],
    ["%=1&a=%zz", { "%": "1", a: "%zz" }],
    ["toString=1&constructor=2", { toString: "1", constructor: "2" }],
  ])("query %s", (query, expected) => {
    const event = encode({ query });
    expect(event.rawQueryString, "as it was sent").toBe(query);
    expect(event.queryStringParameters).toEqual(expected);
    expect("queryStringParameters" in event).toBe(expected !== undefined);
  });

  test("a query parameter and a header named __proto__ are just that", () => {
    const headers: Fields = [
      ["__proto__", "2"],
      ["__PROTO__", "3"],
    ];
    const event = encode({ query: "__proto__=1&__proto__=2", headers });
    expect(Object.entries(event.queryStringParameters ?? {})).toEqual([["__proto__", "1,2"]]);
    expect(Object.entries(event.headers)).toContainEqual(["__proto__", "2,3"]);
  });

  describe("headers", () => {
    const headersOf = (headers: Fields, rest: Partial<EventRequest> = {}): Record<string, string> =>
      encode({ headers, ...rest }).headers;

    test("names are in lower case, values of one name joined with a comma and no space, in order", () => {
      const headers: Fields = [
        ["tEsT-HEADeR", "aValUE"],
        ["X-A", "1"],
        ["x-b", "only"],
        ["x-a", ""],
        ["X-a", "a, b"],
      ];
      const event = headersOf(headers);
      expect(event).toMatchObject({ "test-header": "aValUE", "x-a": "1,,a, b", "x-b": "only" });
      expect(Object.keys(event).filter((name) => name !== name.toLowerCase())).toEqual([]);
    });

    const DROPPED = ["Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade"];
    test.each(DROPPED)("%s does not reach the function", (name) => {
      for (const spelled of [name, name.toLowerCase(), name.toUpperCase()]) {
        expect(headersOf([[spelled, "1"]])).not.toHaveProperty(name.toLowerCase());
      }
    });

    const KEPT = [
      ...["Accept", "Accept-Encoding", "Age", "Authorization", "Content-Encoding", "Content-MD5", "Content-Type"],
      ...["Date", "Expect", "Max-Forwards", "Origin", "Pragma", "Range", "Referer", "Server", "User-Agent", "Via"],
      ...["X-Amz-Date", "X-HTTP-Method-Override"],
    ];
    test.each(KEPT)("%s does", (name) => {
      const event = encode({ headers: [[name, "1"]] });
      expect(event.headers[name.toLowerCase()]).toBe("1");
      expect(event.requestContext.http.method, "X-HTTP-Method-Override is not applied").toBe("GET");
    });

    test.each<[string, Fields, string[] | undefined]>([
      ["none", [], undefined],
      ["an empty one", [["Cookie", ""]], undefined],
      ["one", [["cookie", "a=1"]], ["a=1"]],
      ["several", [["COOKIE", "a=1; b=2; c"]], ["a=1", "b=2", "c"]],
      ["without a space, and with an end", [["Cookie", "a=1;b=2;"]], ["a=1", "b=2"]],
      ["quoted, with = and a comma", [["Cookie", 'a="x,y"; b=c=d']], ['a="x,y"', "b=c=d"]],
      [
        "in two fields",
        [
          ["Cookie", "a=1; b=2"],
          ["cookie", "c=3"],
        ],
        ["a=1", "b=2", "c=3"],
      ],
    ])("cookies are moved out of them: %s", (_name, headers, cookies) => {
      const event = encode({ headers });
      expect(event.cookies).toEqual(cookies);
      expect("cookies" in event).toBe(cookies !== undefined);
      expect(event.headers).not.toHaveProperty("cookie");
    });

    test.each<[string, string | Uint8Array | null, Fields, string]>([
      ["no body", null, [], "0"],
      ["an empty body", "", [], "0"],
      ["text, counted in bytes", "ü€", [], "5"],
      ["bytes", new Uint8Array(7), [], "7"],
      ["the caller's count, which is wrong", "abc", [["Content-Length", "99"]], "3"],
      ["two of them", "abc", Array(2).fill(["content-length", "3"]), "3"],
      ["a count of nothing", null, [["Content-Length", "5"]], "0"],
    ])("content-length of %s", (_name, body, headers, length) => {
      expect(headersOf(headers, { method: "POST", body })["content-length"]).toBe(length);
    });

    test("X-Forwarded-For is appended to, the port and the protocol are set", () => {
      const headers: Fields = [
        ["X-Forwarded-For", "203.0.113.7, 10.0.0.1"],
        ["X-Forwarded-Port", "80"],
        ["x-forwarded-proto", "http"],
      ];
      expect(headersOf(headers)).toMatchObject({
        ...{ "x-forwarded-for": "203.0.113.7, 10.0.0.1, 127.0.0.1", "x-forwarded-port": "443" },
        ...{ "x-forwarded-proto": "https" },
      });
    });

    test("the caller's own trace id stays", () => {
      expect(headersOf([["X-Amzn-Trace-Id", "Root=1-0-1"]])["x-amzn-trace-id"]).toBe("Root=1-0-1");
    });
  });

  test.each([
    ["orders", "orders", "orders"],
    ["Orders_API", "Orders-API", "Orders-API"],
    ["my.fn_2", "my.fn-2", "my"],
  ])("Host of %s", (functionName, host, prefix) => {
    const target = { functionName, qualifier: "prod", region: "eu-west-1", accountId: "123456789012" };
    const { headers, requestContext } = encode({}, target);
    expect(headers.host).toBe(host);
    expect(requestContext).toMatchObject({ domainName: host, domainPrefix: prefix, apiId: prefix });
  });

  test("the caller's own Host", () => {
    const { headers, requestContext } = encode({ headers: [["Host", "api.example.com"]] });
    expect(headers.host).toBe("api.example.com");
    expect(requestContext).toMatchObject({ domainName: "api.example.com", domainPrefix: "api", apiId: "api" });
  });

  test("ids are new in each event", () => {
    const ids = Array.from({ length: 20 }, () => encode()).flatMap(({ requestContext, headers }) => [
      requestContext.requestId,
      headers["x-amzn-trace-id"],
    ]);
    expect(new Set(ids).size).toBe(40);
  });

  describe("the body", () => {
    const bodyOf = (body: string | Uint8Array | null, type?: string): [string | undefined, boolean] => {
      const headers: Fields = type === undefined ? [] : [["Content-Type", type]];
      const event = encode({ method: "POST", headers, body });
      expect("body" in event).toBe(event.body !== undefined);
      return [event.body, event.isBase64Encoded];
    };
    const bytes = Buffer.from('{"größe":1}');

    test.each([
      ...["text/plain", "text/html", "text/x-anything", "application/json", "application/xml"],
      ...["application/javascript", "application/json; charset=utf-8", "Text/Plain ; charset=iso-8859-1"],
      ...["APPLICATION/JSON", "application/json;"],
    ])("%j is text", (type) => {
      expect(bodyOf(bytes, type)).toEqual(['{"größe":1}', false]);
      expect(bodyOf(bytes.toString(), type)).toEqual(['{"größe":1}', false]);
    });

    test.each([
      ...[undefined, "", " ", "application/x-www-form-urlencoded", "application/problem+json", "image/svg+xml"],
      ...["application/octet-stream", "image/png", "multipart/form-data; boundary=x", "application/jsonx"],
      ...["application/json-seq", "xtext/plain", "application/xml-dtd", "idk", "application/ld+json; a=text/plain"],
    ])("%j is base64", (type) => {
      expect(bodyOf(bytes, type)).toEqual([bytes.toString("base64"), true]);
      expect(bodyOf(bytes.toString(), type)).toEqual([bytes.toString("base64"), true]);
    });

    test.each([
      ["a lone byte", [0xff]],
      ["a cut sequence", [0x61, 0xc3]],
      ["an encoded surrogate", [0xed, 0xa0, 0x80]],
      ["an overlong encoding", [0xc0, 0xaf]],
    ])("what is no UTF-8 is base64, whatever the type says: %s", (_name, octets) => {
      expect(bodyOf(Buffer.from(octets), "text/plain")).toEqual([Buffer.from(octets).toString("base64"), true]);
    });

    test("a byte-order mark, NULs and line breaks stay", () => {
      expect(bodyOf(Buffer.from([0xef, 0xbb, 0xbf, 0x61]), "application/json")).toEqual(["\ufeffa", false]);
      expect(bodyOf(Buffer.from("\0\r\n"), "text/plain")).toEqual(["\0\r\n", false]);
    });

    test("the encoding of the content is not looked at", () => {
      const headers: Fields = [
        ["Content-Type", "text/plain"],
        ["Content-Encoding", "identity"],
      ];
      expect(encode({ method: "POST", headers, body: "hi" })).toMatchObject({ body: "hi", isBase64Encoded: false });
    });

    test.each(["text/plain", "image/png", undefined])("an empty one has no key (%s)", (type) => {
      for (const body of [null, "", new Uint8Array()]) expect(bodyOf(body, type)).toEqual([undefined, false]);
    });
  });
});

const JSON_TYPE: [string, string] = ["content-type", "application/json"];
const COOKIES: Fields = [
  ["set-cookie", "a=1; Path=/"],
  ["set-cookie", "b=2; HttpOnly"],
];

describe("decode", () => {
  const decoded = (result: unknown): { status: number; headers: Fields; body: string } => {
    const { status, headers, body } = httpApi.decode(result);
    return { status, headers: headers as Fields, body: Buffer.from(body).toString() };
  };

  test("a whole result", () => {
    const result = {
      statusCode: 201,
      headers: { "Content-Type": "text/plain", ETag: '"1"' },
      cookies: ["a=1; Path=/", "b=2; HttpOnly"],
      body: "héllo",
      isBase64Encoded: false,
    };
    const headers = [...COOKIES, ["Content-Type", "text/plain"], ["ETag", '"1"']];
    expect(decoded(result)).toEqual({ status: 201, headers, body: "héllo" });
  });

  test.each<[string, unknown, string]>([
    ["an object, written anew", JSON.parse('{"hello": "world"}'), '{"hello":"world"}'],
    ["an empty object", {}, "{}"],
    ["an object with body and headers", { body: "x", headers: { a: "1" } }, '{"body":"x","headers":{"a":"1"}}'],
    ["an object whose key is in another casing", { statuscode: 404 }, '{"statuscode":404}'],
    ["a returned error", { errorMessage: "x" }, '{"errorMessage":"x"}'],
    ["an array", ["hello", 3, true], '["hello",3,true]'],
    ["a string, without quotes", "hello", "hello"],
    ["a string that is JSON", '{"statusCode":404}', '{"statusCode":404}'],
    ["an empty string", "", ""],
    ["an integer", 3, "3"],
    ["zero", 0, "0"],
    ["a float", 3.1, "3.1"],
    ["true", true, "true"],
    ["false", false, "false"],
    ["null", null, "null"],
  ])("without statusCode, the whole is the body: %s", (_name, result, body) => {
    expect(decoded(result)).toEqual({ status: 200, headers: [JSON_TYPE], body });
  });

  test("a key without a value is no statusCode", () => {
    expect(decoded({ statusCode: undefined, a: 1 }).body).toBe('{"a":1}');
  });

  test("every status that a Response can hold, as a number or as text", () => {
    for (let status = 200; status <= 599; status++) {
      expect(httpApi.decode({ statusCode: status }).status).toBe(status);
      expect(httpApi.decode({ statusCode: String(status) }).status).toBe(status);
    }
  });

  test.each<[string, object, Fields]>([
    ["none: JSON, as AWS says", {}, [JSON_TYPE]],
    ["null", { headers: null, multiValueHeaders: null, cookies: null }, [JSON_TYPE]],
    ["a type in another casing", { headers: { "CONTENT-type": "x/y" } }, [["CONTENT-type", "x/y"]]],
    ["a boolean and a number", { headers: { a: true, b: 0 } }, [["a", "true"], ["b", "0"], JSON_TYPE]],
    ["null is left out", { headers: { a: null, c: "" } }, [["c", ""], JSON_TYPE]],
    ["an array", { headers: { a: ["1", null, "2"] } }, [["a", "1"], ["a", "2"], JSON_TYPE]],
    ["a joined value stays joined", { headers: { a: "1,2" } }, [["a", "1,2"], JSON_TYPE]],
    [
      "case variants of one name are all kept",
      { headers: { "x-a": "1", "X-A": "2", "X-a": "1" } },
      [["x-a", "1"], ["X-A", "2"], ["X-a", "1"], JSON_TYPE],
    ],
    [
      "multiValueHeaders, once",
      { headers: { "x-a": "1", "x-b": "3, 4" }, multiValueHeaders: { "x-a": ["1", "2"], "x-b": ["3", "4"] } },
      [["x-a", "1"], ["x-a", "2"], ["x-b", "3"], ["x-b", "4"], JSON_TYPE],
    ],
    ["cookies", { cookies: ["a=1; Path=/", "b=2; HttpOnly"] }, [...COOKIES, JSON_TYPE]],
    ["no cookies", { cookies: [] }, [JSON_TYPE]],
    [
      "cookies go before a Set-Cookie header",
      { headers: { "Set-Cookie": "c=3" }, cookies: ["a=1; Path=/", "b=2; HttpOnly"] },
      [...COOKIES, ["Set-Cookie", "c=3"], JSON_TYPE],
    ],
    ["a header named __proto__", JSON.parse('{"headers":{"__proto__":"1"}}'), [["__proto__", "1"], JSON_TYPE]],
  ])("headers: %s", (_name, result, headers) => {
    expect(decoded({ statusCode: 200, ...result }).headers).toEqual(headers);
  });

  test.each<[string, object, string]>([
    ["absent", {}, ""],
    ["null", { body: null }, ""],
    ["empty", { body: "" }, ""],
    ["empty base64", { body: "", isBase64Encoded: true }, ""],
    ["text", { body: "ü" }, "ü"],
    ["text that looks like base64", { body: "aGk=", isBase64Encoded: false }, "aGk="],
    ["base64", { body: "aGk=", isBase64Encoded: true }, "hi"],
    ["base64, said in text", { body: "aGk=", isBase64Encoded: "true" }, "hi"],
    ["no base64, said in text", { body: "aGk=", isBase64Encoded: "False" }, "aGk="],
    ["base64Encoded is REST's alone", { body: "aGk=", base64Encoded: true }, "aGk="],
    ["a number", { body: 1.5 }, "1.5"],
    ["a boolean", { body: false }, "false"],
    ["an object", { body: { a: [1] } }, '{"a":[1]}'],
    ["an array", { body: [1, "2"] }, '[1,"2"]'],
  ])("body: %s", (_name, result, body) => {
    expect(decoded({ statusCode: 200, ...result }).body).toBe(body);
  });

  test("keys that AWS does not know are ignored", () => {
    expect(decoded({ statusCode: 200, statusDescription: "OK", wrongValue: 1, body: "x" }).body).toBe("x");
  });

  test.each<[string, object, RegExp]>([
    ["status null", { statusCode: null }, /^statusCode is null, not a whole number from 200 to 599$/],
    ["status text", { statusCode: "test" }, /^statusCode is "test", not a whole number from 200 to 599$/],
    ["an empty status", { statusCode: "" }, /^statusCode is "",/],
    ["status 199", { statusCode: 199 }, /^statusCode is 199,/],
    ["status 100, as text", { statusCode: "100" }, /^statusCode is "100",/],
    ["status 600", { statusCode: 600 }, /^statusCode is 600,/],
    ["status 200.5", { statusCode: 200.5 }, /^statusCode is 200.5,/],
    ["a boolean status", { statusCode: true }, /^statusCode is true,/],
    ["a status object", { statusCode: { a: 1 } }, /^statusCode is {"a":1},/],
    ["headers as text", { headers: "a: b" }, /^headers is a string \(.+\), not an object$/],
    ["headers as pairs", { headers: [["a", "b"]] }, /^headers is an array \(.+\), not an object$/],
    ["a header that is an object", { headers: { "x-a": {} } }, /^headers\["x-a"\] is an object \(.+\), not a string$/],
    [
      "multiValueHeaders",
      { multiValueHeaders: { a: "1" } },
      /^multiValueHeaders\["a"\] is a string \(.+\), not an array$/,
    ],
    ["cookies as text", { cookies: "a=1" }, /^cookies is a string \(.+\), not an array$/],
    ["a cookie that is null", { cookies: [null] }, /^cookies\["set-cookie"\] is null, not a string$/],
    ["a newline in a cookie", { cookies: ["a=1\nb"] }, /^in cookies, the value of the header set-cookie holds U\+000A/],
    ["a bad header name", { headers: { "a b": "1" } }, /^in headers, "a b" is no header name$/],
    ["a newline in a value", { headers: { a: "1\r\nb: 2" } }, /^in headers, the value of the header a holds U\+000D/],
    ["a value beyond Latin-1", { headers: { a: "€" } }, /^in headers, the value of the header a holds U\+20AC/],
    ["isBase64Encoded 1", { isBase64Encoded: 1 }, /^isBase64Encoded is 1, neither true nor false$/],
    ["isBase64Encoded text", { isBase64Encoded: "yes" }, /^isBase64Encoded is "yes", neither true nor false$/],
    [
      "an object as base64",
      { body: {}, isBase64Encoded: true },
      /^isBase64Encoded is true, but body is an object \(.+\), not a string$/,
    ],
    ["text as base64", { body: "héllo!", isBase64Encoded: true }, /^isBase64Encoded is true, but body is not base64$/],
  ])("refused: %s", (_name, result, message) => {
    expect(() => httpApi.decode({ statusCode: 200, ...result })).toThrow(InvalidResultError);
    expect(() => httpApi.decode({ statusCode: 200, ...result })).toThrow(message);
  });
});

describe("through fetch", () => {
  const answer = (result: unknown): Promise<Response> =>
    createFetch({ payloadFormat: "http-api", functions: { app: async () => result } })("http+lambda://app/");

  test.each([204, 205, 304])("%i has no body, whatever the function returned", async (statusCode) => {
    for (const body of ["x", "", null, { a: 1 }]) {
      const response = await answer({ statusCode, headers: { etag: '"1"' }, body });
      expect([response.status, response.body, response.headers.get("etag")]).toEqual([statusCode, null, '"1"']);
      expect(await response.text()).toBe("");
    }
  });

  test("304 keeps the length of what it stands for", async () => {
    const response = await answer({ statusCode: 304, headers: { "Content-Length": "1234" } });
    expect(response.headers.get("content-length")).toBe("1234");
  });

  test.each(["0", "1", "99999"])("a content-length that lies (%s) is mended", async (length) => {
    const response = await answer({ statusCode: 200, headers: { "Content-Length": length }, body: "héllo" });
    expect(response.headers.get("content-length")).toBe("6");
    expect(await response.text()).toBe("héllo");
  });

  test("a result that is no response is a 502 that says why", async () => {
    const response = await answer({ statusCode: 200, headers: { "x-a": {} } });
    expect(response.status).toBe(502);
    expect(await response.text()).toBe('app returned no HTTP response: headers["x-a"] is an object ({}), not a string');
  });

  test("two cookies stay two", async () => {
    const response = await answer({ statusCode: 200, cookies: ["a=1, x", "b=2"], headers: { "Set-Cookie": "c=3" } });
    expect(response.headers.getSetCookie()).toEqual(["a=1, x", "b=2", "c=3"]);
  });
});
