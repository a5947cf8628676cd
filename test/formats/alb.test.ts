import { describe, expect, test } from "vitest";
import { createFetch } from "../../src/fetch.ts";
import { type AlbEvent, type AlbMultiValueEvent, alb, albMultiValue } from "../../src/formats/alb.ts";
import { type EventRequest, InvalidResultError } from "../../src/formats/format.ts";
import type { Target } from "../../src/target.ts";

type Fields = [name: string, value: string][];

const app: Target = { functionName: "app" };
const TRACE = expect.stringMatching(/^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$/);

/** The events of both modes as a function gets them: through JSON. */
function encode(request: Partial<EventRequest> = {}, target: Target = app): [AlbEvent, AlbMultiValueEvent] {
  const whole = { method: "GET", path: "/", query: "", headers: [], body: null, ...request };
  const events = [alb.encode(whole, target), albMultiValue.encode(whole, target)];
  return JSON.parse(JSON.stringify(events)) as [AlbEvent, AlbMultiValueEvent];
}

/** Its headers with all their values; in the other mode the last one of each is all there is. */
function headersOf(request: Partial<EventRequest>): Record<string, string[]> {
  const [{ headers }, { multiValueHeaders }] = encode(request);
  expect(headers).toEqual({ ...lastOf(multiValueHeaders), "x-amzn-trace-id": expect.any(String) });
  return multiValueHeaders;
}

function lastOf(values: Record<string, string[]>): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(values).map(([name, all]) => [name, all.at(-1)]));
}

describe("encode", () => {
  test("a whole event of each mode, with every key that AWS sends and no other", () => {
    const headers: Fields = [
      ["Content-Type", "application/json"],
      ["Cookie", "session=abc123; theme=dark"],
      ["User-Agent", "test/1"],
      ["X-Probe", "first"],
      ["x-probe", "second"],
    ];
    const query = "repeat=one&redirect=https%3A%2F%2Fx%2Fa&plus=a+b&encoded=a%2Bb&empty=&repeat=two";
    const request = { method: "POST", path: "/v1/space%20value", query, headers, body: '{"x":"ü"}' };
    const target = { functionName: "my-fn", region: "eu-west-1", accountId: "123456789012" };
    const [single, multi] = encode(request, target);
    const targetGroupArn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/my-fn/0000000000000000";
    const common = {
      requestContext: { elb: { targetGroupArn } },
      httpMethod: "POST",
      path: "/v1/space%20value",
      body: '{"x":"ü"}',
      isBase64Encoded: false,
    };
    expect(single).toEqual({
      ...common,
      queryStringParameters: {
        ...{ repeat: "two", redirect: "https%3A%2F%2Fx%2Fa", plus: "a+b", encoded: "a%2Bb", empty: "" },
      },
      headers: {
        ...{ "content-length": "10", "content-type": "application/json", cookie: "session=abc123; theme=dark" },
        ...{ host: "my-fn", "user-agent": "test/1", "x-amzn-trace-id": TRACE, "x-forwarded-for": "127.0.0.1" },
        ...{ "x-forwarded-port": "443", "x-forwarded-proto": "https", "x-probe": "second" },
      },
    });
    expect(multi).toEqual({
      ...common,
      multiValueQueryStringParameters: {
        ...{ repeat: ["one", "two"], redirect: ["https%3A%2F%2Fx%2Fa"], plus: ["a+b"], encoded: ["a%2Bb"] },
        empty: [""],
      },
      multiValueHeaders: {
        ...{ "content-length": ["10"], "content-type": ["application/json"], host: ["my-fn"] },
        ...{ cookie: ["session=abc123; theme=dark"], "user-agent": ["test/1"], "x-amzn-trace-id": [TRACE] },
        ...{ "x-forwarded-for": ["127.0.0.1"], "x-forwarded-port": ["443"], "x-forwarded-proto": ["https"] },
        "x-probe": ["first", "second"],
      },
    });
    const keys = (query: string, headers: string): string[] => [
      ...["requestContext", "httpMethod", "path", query, headers, "body", "isBase64Encoded"],
    ];
    expect(Object.keys(single), "in AWS's order").toEqual(keys("queryStringParameters", "headers"));
    expect(Object.keys(multi)).toEqual(keys("multiValueQueryStringParameters", "multiValueHeaders"));
  });

  test("without query and body, there is an empty map and an empty string", () => {
    const [single, multi] = encode();
    for (const event of [single, multi]) {
      expect(event).toMatchObject({ httpMethod: "GET", path: "/", body: "", isBase64Encoded: false });
      expect(JSON.stringify(event)).not.toContain("null");
    }
    expect(single.queryStringParameters).toEqual({});
    expect(multi.multiValueQueryStringParameters).toEqual({});
    expect(Object.keys(single.headers).sort()).toEqual([
      ...["host", "x-amzn-trace-id", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"],
    ]);
  });

  test.each<[Target, string]>([
    [{ functionName: "app" }, "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/app/0000000000000000"],
    [
      { functionName: "app", partition: "aws-cn", region: "cn-north-1", accountId: "123456789012" },
      "arn:aws-cn:elasticloadbalancing:cn-north-1:123456789012:targetgroup/app/0000000000000000",
    ],
  ])("the target group of %j", (target, targetGroupArn) => {
    for (const { requestContext } of encode({}, target)) expect(requestContext).toEqual({ elb: { targetGroupArn } });
  });

  test.each(["/", "/a/", "//a//b", "/slash%2Fvalue", "/%3F%23%25", "/%ce%bb+@", "/no-hex%zz"])(
    "path %s stays",
    (path) => {
      expect(encode({ path }).map((event) => event.path)).toEqual([path, path]);
    },
  );

  test.each<[string, Record<string, string[]>]>([
    ["", {}],
    ["&&", {}],
    ["a=1&b=2&a=3", { a: ["1", "3"], b: ["2"] }],
    ["a=1&a=1", { a: ["1", "1"] }],
    ["empty=&flag&=x", { empty: [""], flag: [""], "": ["x"] }],
    ["q=a+b&r=a%20b&s=1%2B1", { q: ["a+b"], r: ["a%20b"], s: ["1%2B1"] }],
    ["u=https%3A%2F%2Fx&v=https://x/?y", { u: ["https%3A%2F%2Fx"], v: ["https://x/?y"] }],
    ["a=b=c&a%3Db=%26", { a: ["b=c"], "a%3Db": ["%26"] }],
    ["a%5B%5D=1&a[]=2", { "a%5B%5D": ["1"], "a[]": ["2"] }],
    ["a=1;b=2", { a: ["1;b=2"] }],
    ["%=1&a=%zz", { "%": ["1"], a: ["%zz"] }],
    ["?a=1", { "?a": ["1"] }],
    ["toString=1&constructor=2", { toString: ["1"], constructor: ["2"] }],
  ])("query %s stays encoded", (query, expected) => {
    const [single, multi] = encode({ query });
    expect(multi.multiValueQueryStringParameters).toEqual(expected);
    expect(single.queryStringParameters).toEqual(lastOf(expected));
  });

  test("a query parameter and a header named __proto__ are just that", () => {
    const [single, multi] = encode({ query: "__proto__=1", headers: [["__proto__", "2"]] });
    expect(Object.entries(single.queryStringParameters)).toEqual([["__proto__", "1"]]);
    expect(Object.entries(multi.multiValueQueryStringParameters)).toEqual([["__proto__", ["1"]]]);
    expect(Object.entries(single.headers)).toContainEqual(["__proto__", "2"]);
    expect(Object.entries(multi.multiValueHeaders)).toContainEqual(["__proto__", ["2"]]);
  });

  describe("headers", () => {
    test("names are in lower case; all values of one name, or the last", () => {
      const headers: Fields = [
        ["tEsT-HEADeR", "aValUE"],
        ["X-A", "1"],
        ["x-a", "a, b"],
        ["X-a", ""],
      ];
      const event = headersOf({ headers });
      expect(event).toMatchObject({ "test-header": ["aValUE"], "x-a": ["1", "a, b", ""] });
      expect(Object.keys(event).filter((name) => name !== name.toLowerCase())).toEqual([]);
    });

    const DROPPED = ["Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade"];
    test.each(DROPPED)("%s does not reach the function", (name) => {
      expect(headersOf({ headers: [[name, "1"]] })).not.toHaveProperty(name.toLowerCase());
    });

    test.each(["Accept", "Authorization", "Content-MD5", "Cookie", "Expect", "Origin", "Via", "X-Amzn-Trace-Id"])(
      "%s does",
      (name) => {
        expect(headersOf({ headers: [[name, "1"]] })[name.toLowerCase()]).toEqual(["1"]);
      },
    );

    test.each<[string, string | Uint8Array | null, Fields, string[] | undefined]>([
      ["no body: none", null, [], undefined],
      ["no body, and the caller says so", null, [["Content-Length", "0"]], ["0"]],
      ["no body, and the caller says otherwise", null, [["Content-Length", "5"]], ["0"]],
      ["an empty body", "", [], ["0"]],
      ["text, counted in bytes", "ü€", [], ["5"]],
      ["bytes", new Uint8Array(7), [], ["7"]],
      ["the caller's count, which is wrong", "abc", [["content-length", "99"]], ["3"]],
      ["two of them", "abc", Array(2).fill(["Content-Length", "3"]), ["3"]],
    ])("content-length of %s", (_name, body, headers, length) => {
      expect(headersOf({ method: "POST", headers, body })["content-length"]).toEqual(length);
    });

    test("X-Forwarded-For is appended to, the port and the protocol are set", () => {
      const headers: Fields = [
        ["X-Forwarded-For", "203.0.113.7"],
        ["x-forwarded-for", "10.0.0.1"],
        ["X-Forwarded-Port", "80"],
        ["X-Forwarded-Proto", "http"],
      ];
      expect(headersOf({ headers })).toMatchObject({
        ...{ "x-forwarded-for": ["203.0.113.7, 10.0.0.1, 127.0.0.1"], "x-forwarded-port": ["443"] },
        ...{ "x-forwarded-proto": ["https"] },
      });
    });

    test("Host is the function, or the caller's own", () => {
      expect(encode({}, { functionName: "My_Fn" })[0].headers.host).toBe("My-Fn");
      expect(headersOf({ headers: [["HOST", "lb.example.com:8080"]] }).host).toEqual(["lb.example.com:8080"]);
    });

    test("trace ids are new in each event", () => {
      const ids = Array.from({ length: 20 }, () => encode()[0].headers["x-amzn-trace-id"]);
      expect(new Set(ids).size).toBe(20);
    });
  });

  describe("the body", () => {
    const bodyOf = (body: string | Uint8Array | null, headers: Fields): [string, boolean] => {
      const [single, multi] = encode({ method: "POST", headers, body });
      expect([multi.body, multi.isBase64Encoded]).toEqual([single.body, single.isBase64Encoded]);
      return [single.body, single.isBase64Encoded];
    };
    const bytes = Buffer.from('{"größe":1}');

    test.each([
      ...["text/plain", "text/x-anything", "application/json", "application/xml", "application/javascript"],
      ...["application/json; charset=utf-8", "Text/Plain ; charset=iso-8859-1"],
    ])("%j is text", (type) => {
      expect(bodyOf(bytes, [["Content-Type", type]])).toEqual(['{"größe":1}', false]);
      expect(bodyOf(bytes.toString(), [["Content-Type", type]])).toEqual(['{"größe":1}', false]);
    });

    test.each([
      ...["", "application/x-www-form-urlencoded", "application/problem+json", "image/svg+xml", "image/png"],
      ...["multipart/form-data; boundary=x", "application/octet-stream", "application/jsonx", "idk"],
    ])("%j is base64", (type) => {
      expect(bodyOf(bytes, [["Content-Type", type]])).toEqual([bytes.toString("base64"), true]);
      expect(bodyOf(bytes.toString(), [["Content-Type", type]])).toEqual([bytes.toString("base64"), true]);
    });

    test("no type is base64", () => {
      expect(bodyOf(bytes, [])).toEqual([bytes.toString("base64"), true]);
    });

    test.each(["gzip", "identity", ""])("text with the content-encoding %j is base64", (encoding) => {
      const headers: Fields = [
        ["Content-Type", "text/plain"],
        ["Content-Encoding", encoding],
      ];
      expect(bodyOf("hi", headers)).toEqual(["aGk=", true]);
    });

    test("what is no UTF-8 is base64, whatever the type says", () => {
      expect(bodyOf(Buffer.from([0x61, 0xc3]), [["Content-Type", "text/plain"]])).toEqual(["YcM=", true]);
    });

    test.each<[string, Fields]>([
      ["no type", []],
      ["an image", [["Content-Type", "image/png"]]],
      ["gzip", [["Content-Encoding", "gzip"]]],
    ])("an empty one is an empty string (%s)", (_name, headers) => {
      for (const body of [null, "", new Uint8Array()]) expect(bodyOf(body, headers)).toEqual(["", false]);
    });
  });
});

describe.each([alb, albMultiValue])("decode, $name", ({ decode }) => {
  const decoded = (result: unknown): { status: number; headers: Fields; body: string } => {
    const { status, headers, body } = decode(result);
    return { status, headers: headers as Fields, body: Buffer.from(body).toString() };
  };

  test("a whole result", () => {
    const result = {
      ...{ statusCode: 201, statusDescription: "201 Created", isBase64Encoded: false },
      ...{ headers: { "Content-Type": "text/plain", ETag: '"1"' }, body: "héllo" },
    };
    const headers = [
      ["Content-Type", "text/plain"],
      ["ETag", '"1"'],
    ];
    expect(decoded(result)).toEqual({ status: 201, headers, body: "héllo" });
  });

  test.each<[string, object, Fields]>([
    ["none, and no type is made up", {}, []],
    ["null", { headers: null, multiValueHeaders: null }, []],
    [
      "Mangum: repeated names as variants of casing",
      { headers: { "content-type": "text/plain", "set-cookie": "a=1", "Set-cookie": "b=2", "sEt-cookie": "a=1" } },
      [
        ["content-type", "text/plain"],
        ["set-cookie", "a=1"],
        ["Set-cookie", "b=2"],
        ["sEt-cookie", "a=1"],
      ],
    ],
    [
      "lambda_http: one value in the one map, all in the other",
      {
        headers: { "content-type": "text/html", "set-cookie": "b=2" },
        multiValueHeaders: { "content-type": ["text/html"], "set-cookie": ["a=1", "b=2"] },
      },
      [
        ["content-type", "text/html"],
        ["set-cookie", "a=1"],
        ["set-cookie", "b=2"],
      ],
    ],
    [
      "serverless-http: the multi-value map alone",
      { multiValueHeaders: { "content-type": ["text/plain"], "x-many": ["1", "2"] } },
      [
        ["content-type", "text/plain"],
        ["x-many", "1"],
        ["x-many", "2"],
      ],
    ],
    [
      "a number, a boolean, null",
      { headers: { a: 1, b: false, c: null } },
      [
        ["a", "1"],
        ["b", "false"],
      ],
    ],
    ["cookies, which no load balancer knows", { cookies: ["a=1"] }, []],
    ["a header named __proto__", JSON.parse('{"headers":{"__proto__":"1"}}'), [["__proto__", "1"]]],
  ])("headers: %s", (_name, result, headers) => {
    expect(decoded({ statusCode: 200, ...result }).headers).toEqual(headers);
  });

  test("every status that a Response can hold, as a number or as text", () => {
    for (let status = 200; status <= 599; status++) {
      expect(decode({ statusCode: status }).status).toBe(status);
      expect(decode({ statusCode: String(status) }).status).toBe(status);
    }
  });

  test.each<[string, object, string]>([
    ["absent", {}, ""],
    ["null", { body: null }, ""],
    ["empty base64", { body: "", isBase64Encoded: true }, ""],
    ["text that looks like base64", { body: "aGk=" }, "aGk="],
    ["base64", { body: "aGk=", isBase64Encoded: true }, "hi"],
    ["base64, said in text", { body: "aGk=", isBase64Encoded: "true" }, "hi"],
    ["a number", { body: 0 }, "0"],
    ["an object", { body: { a: [1] } }, '{"a":[1]}'],
  ])("body: %s", (_name, result, body) => {
    expect(decoded({ statusCode: 200, ...result }).body).toBe(body);
  });

  const NO_STATUS = /^the function returned an object without statusCode, which a load balancer requires$/;
  test.each<[string, unknown, RegExp]>([
    ["null", null, /^the function returned null; a load balancer takes an object with statusCode, headers and body$/],
    ["a string", "hello", /^the function returned a string \(.+\);/],
    ["a number", 3, /^the function returned a number \(.+\);/],
    ["an array", [{ statusCode: 200 }], /^the function returned an array \(.+\);/],
    ["no statusCode", {}, NO_STATUS],
    ["no statusCode, but a body", { headers: {}, body: "x" }, NO_STATUS],
    ["statusCode null", { statusCode: null }, NO_STATUS],
    ["status text", { statusCode: "200 OK" }, /^statusCode is "200 OK", not a whole number from 200 to 599$/],
    ["status 600", { statusCode: 600 }, /^statusCode is 600,/],
    ["status 0", { statusCode: 0 }, /^statusCode is 0,/],
    ["headers as text", { statusCode: 200, headers: "a" }, /^headers is a string \(.+\), not an object$/],
    ["an object", { statusCode: 200, headers: { "x-a": {} } }, /^headers\["x-a"\] is an object \(.+\), not a string$/],
    [
      "a multi-value header as text",
      { statusCode: 200, multiValueHeaders: { a: "1" } },
      /^multiValueHeaders\["a"\] is a string \(.+\), not an array$/,
    ],
    ["no base64", { statusCode: 200, body: "a b", isBase64Encoded: true }, /^isBase64Encoded is true, but body is not/],
    ["isBase64Encoded 0", { statusCode: 200, isBase64Encoded: 0 }, /^isBase64Encoded is 0, neither true nor false$/],
  ])("refused: %s", (_name, result, message) => {
    expect(() => decode(result)).toThrow(InvalidResultError);
    expect(() => decode(result)).toThrow(message);
  });
});

describe.each(["alb", "alb-multi-value"] as const)("through fetch, %s", (payloadFormat) => {
  const answer = (result: unknown): Promise<Response> =>
    createFetch({ payloadFormat, functions: { app: async () => result } })("http+lambda://app/");

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

  test("case variants of one name are one header with all values", async () => {
    const headers = { "x-a": "1", "X-A": "2", "set-cookie": "a=1", "Set-cookie": "b=2" };
    const response = await answer({ statusCode: 200, headers });
    expect(response.headers.get("x-a")).toBe("1, 2");
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
  });

  test("connection headers of the function are dropped", async () => {
    const headers = { connection: "close", "transfer-encoding": "chunked", "keep-alive": "1", "x-a": "1" };
    const response = await answer({ statusCode: 200, headers });
    expect(Object.fromEntries(response.headers)).toEqual({ "content-length": "0", "x-a": "1" });
  });

  test("a result that is no response is a 502 that says why", async () => {
    const response = await answer({ body: "hello" });
    expect(response.status).toBe(502);
    expect(await response.text()).toBe(
      "app returned no HTTP response: the function returned an object without statusCode, which a load balancer requires",
    );
  });
});
