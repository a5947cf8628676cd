import { existsSync, readFileSync } from "node:fs";
import type { APIGatewayProxyEvent } from "aws-lambda";
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createFetch } from "../../src/fetch.ts";
import { type EventRequest, InvalidResultError } from "../../src/formats/format.ts";
import { type RestApiEvent, restApi } from "../../src/formats/rest-api.ts";
import type { Handler } from "../../src/invoke/handler.ts";
import type { Target } from "../../src/target.ts";

type Fields = [name: string, value: string][];

const app: Target = { functionName: "app" };
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** The event as a function gets it: through JSON. */
function encode(request: Partial<EventRequest> = {}, target: Target = app): RestApiEvent {
  const whole = { method: "GET", path: "/", query: "", headers: [], body: null, ...request };
  return JSON.parse(JSON.stringify(restApi.encode(whole, target))) as RestApiEvent;
}

describe("encode", () => {
  afterEach(() => void vi.useRealTimers());

  test("a whole event, with every key that AWS sends and no other", () => {
    vi.setSystemTime("2026-07-10T19:19:04.007Z");
    const headers: Fields = [
      ["Content-Type", "application/json"],
      ["user-agent", "test/1"],
      ["X-Id", "7"],
    ];
    const request = { method: "POST", path: "/v1/a%20b/", query: "a=1&a=2&b=", headers, body: '{"x":"ü"}' };
    const added = { "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Port": "443", "X-Forwarded-Proto": "https" };
    const trace = expect.stringMatching(/^Root=1-6a5145a8-[0-9a-f]{24}$/);
    expect(encode(request, { functionName: "my_Fn", accountId: "123456789012" })).toEqual({
      resource: "/{proxy+}",
      path: "/v1/a%20b/",
      httpMethod: "POST",
      headers: {
        ...{ "Content-Type": "application/json", "User-Agent": "test/1", "X-Id": "7" },
        ...{ Host: "my-Fn", ...added, "X-Amzn-Trace-Id": trace },
      },
      multiValueHeaders: {
        ...{ "Content-Type": ["application/json"], "User-Agent": ["test/1"], "X-Id": ["7"] },
        ...{ Host: ["my-Fn"], "X-Forwarded-For": ["127.0.0.1"], "X-Forwarded-Port": ["443"] },
        ...{ "X-Forwarded-Proto": ["https"], "X-Amzn-Trace-Id": [trace] },
      },
      queryStringParameters: { a: "2", b: "" },
      multiValueQueryStringParameters: { a: ["1", "2"], b: [""] },
      pathParameters: { proxy: "v1/a%20b" },
      stageVariables: null,
      requestContext: {
        resourceId: expect.stringMatching(/^[0-9a-z]{6}$/),
        resourcePath: "/{proxy+}",
        httpMethod: "POST",
        extendedRequestId: expect.stringMatching(/^[A-Za-z0-9+/]{15}=$/),
        requestTime: "10/Jul/2026:19:19:04 +0000",
        path: "/v1/a%20b/",
        accountId: "123456789012",
        protocol: "HTTP/1.1",
        stage: "$default",
        domainPrefix: "my-Fn",
        requestTimeEpoch: 1783711144007,
        requestId: expect.stringMatching(UUID),
        identity: {
          ...{ cognitoIdentityPoolId: null, accountId: null, cognitoIdentityId: null, caller: null },
          ...{ sourceIp: "127.0.0.1", principalOrgId: null, accessKey: null, cognitoAuthenticationType: null },
          ...{ cognitoAuthenticationProvider: null, userArn: null, userAgent: "test/1", user: null },
        },
        domainName: "my-Fn",
        deploymentId: expect.stringMatching(/^[0-9a-z]{6}$/),
        apiId: "my-Fn",
      },
      body: '{"x":"ü"}',
      isBase64Encoded: false,
    });
  });

  test("what is absent is null, and there all the same", () => {
    const event = encode();
    expect(event).toMatchObject({
      ...{ resource: "/", path: "/", pathParameters: null, stageVariables: null },
      ...{ queryStringParameters: null, multiValueQueryStringParameters: null, body: null, isBase64Encoded: false },
    });
    expect(event.requestContext).toMatchObject({ resourcePath: "/", accountId: "000000000000" });
    expect(event.requestContext.identity.userAgent).toBeNull();
    expect(event).not.toHaveProperty("version");
    expect(event.requestContext).not.toHaveProperty("authorizer");
  });

  test("its type is that of @types/aws-lambda, but for what AWS leaves out on an open API", () => {
    type Context = APIGatewayProxyEvent["requestContext"];
    type Identity = Omit<Context["identity"], "apiKey" | "apiKeyId" | "clientCert">;
    type Open = Omit<APIGatewayProxyEvent, "requestContext"> & {
      requestContext: Omit<Context, "authorizer" | "identity"> & { identity: Identity };
    };
    const event: Open = encode();
    expect(event.requestContext.identity).not.toHaveProperty("apiKey");
  });

  test.each([
    // path, event.path, proxy
    ["/", "/", undefined],
    ["/a", "/a", "a"],
    ["/a/", "/a/", "a"],
    ["/a//b", "/a//b", "a//b"],
    ["/a%2Fb%2f%20+@", "/a%2Fb%2f%20+@", "a%2Fb%2f%20+@"],
    ["//a", "/a", "a"],
    ["///a//", "/a//", "a/"],
    ["//", "/", undefined],
  ])("path %s", (path, expected, proxy) => {
    const event = encode({ path });
    expect(event.path).toBe(expected);
    expect(event.pathParameters).toEqual(proxy === undefined ? null : { proxy });
    const resource = proxy === undefined ? "/" : "/{proxy+}";
    expect([event.resource, event.requestContext.resourcePath]).toEqual([resource, resource]);
    expect(event.requestContext.path, "keeps its leading slashes").toBe(path);
  });

  test.each<[string, Record<string, string[]> | null]>([
    ["", null],
    ["&", null],
    ["a=1", { a: ["1"] }],
    ["a=1&b=2&a=3", { a: ["1", "3"], b: ["2"] }],
    ["a=1&a=1", { a: ["1", "1"] }],
    ["empty=&flag&=x", { empty: [""], flag: [""], "": ["x"] }],
    ["q=a+b&r=a%20b&s=1%2B1", { q: ["a b"], r: ["a b"], s: ["1+1"] }],
    ["a=1;b=2;a=3", { a: ["1", "3"], b: ["2"] }],
    ["a=1%3B2", { a: ["1;2"] }],
    ["a=b=c&a%3Db=%26", { a: ["b=c"], "a=b": ["&"] }],
    ["q=%2525&u=%C3%BC&s=https://x/?y", { q: ["%25"], u: ["ü"], s: ["https://x/?y"] }],
    ["?a=1", { "?a": ["1"] }],
    ["a[]=1&a[]=2", { "a[]": ["1", "2"] }],
    ["%=1&a=%zz", { "%": ["1"], a: ["%zz"] }],
    ["toString=1&constructor=2", { toString: ["1"], constructor: ["2"] }],
  ])("query %s", (query, expected) => {
    const event = encode({ query });
    expect(event.multiValueQueryStringParameters).toEqual(expected);
    const last =
      expected && Object.fromEntries(Object.entries(expected).map(([name, values]) => [name, values.at(-1)]));
    expect(event.queryStringParameters).toEqual(last);
  });

  test("a query parameter and a header named __proto__ are just that", () => {
    const { queryStringParameters: query, headers } = encode({ query: "__proto__=1", headers: [["__proto__", "2"]] });
    expect(Object.entries(query ?? {})).toEqual([["__proto__", "1"]]);
    expect(Object.entries(headers)).toContainEqual(["__proto__", "2"]);
  });

  test("headers keep the caller's casing, but for those that API Gateway owns", () => {
    const names = ["tEsT-HEADeR", "x-lower", "cookie", "ACCEPT"];
    const forced = {
      ...{ aUTHORIZATION: "Authorization", hOST: "Host", "uSER-aGENT": "User-Agent" },
      ...{ "x-amzn-TRACE-id": "X-Amzn-Trace-Id" },
    };
    const headers: Fields = [...names, ...Object.keys(forced)].map((name) => [name, `of ${name}`]);
    const event = encode({ headers });
    for (const name of names) {
      expect(event.headers[name]).toBe(`of ${name}`);
      expect(event.multiValueHeaders[name]).toEqual([`of ${name}`]);
    }
    for (const [name, spelled] of Object.entries(forced)) {
      expect(event.headers).not.toHaveProperty(name);
      expect(event.headers[spelled]).toBe(`of ${name}`);
      expect(event.multiValueHeaders[spelled]).toEqual([`of ${name}`]);
    }
  });

  test("of a repeated header the last value is in the one map, all are in the other", () => {
    const headers: Fields = [
      ["X-A", "1"],
      ["x-b", "1"],
      ["x-a", "2"],
      ["X-a", ""],
    ];
    const event = encode({ headers });
    expect(event.headers).toMatchObject({ "X-A": "", "x-b": "1" });
    expect(event.multiValueHeaders).toMatchObject({ "X-A": ["1", "2", ""], "x-b": ["1"] });
    expect(Object.keys(event.headers).filter((name) => /^x-a$/i.test(name))).toEqual(["X-A"]);
    expect(Object.keys(event.headers)).toEqual(Object.keys(event.multiValueHeaders));
  });

  const DROPPED = [
    ...["Connection", "Content-Length", "Content-MD5", "Expect", "Max-Forwards", "Proxy-Authenticate", "Server"],
    ...["TE", "Trailer", "Transfer-Encoding", "Upgrade", "WWW-Authenticate"],
  ];
  test.each(DROPPED)("%s does not reach the function", (name) => {
    for (const spelled of [name, name.toLowerCase(), name.toUpperCase()]) {
      const event = encode({ headers: [[spelled, "1"]] });
      const names = [...Object.keys(event.headers), ...Object.keys(event.multiValueHeaders)];
      expect(names.map((known) => known.toLowerCase())).not.toContain(name.toLowerCase());
    }
  });

  const KEPT = [
    ...["Accept", "Accept-Charset", "Age", "Content-Encoding", "Content-Type", "Cookie", "Date", "Keep-Alive"],
    ...["Origin", "Pragma", "Proxy-Authorization", "Range", "Referer", "Via", "Warn", "X-HTTP-Method-Override"],
  ];
  test.each(KEPT)("%s does", (name) => {
    const event = encode({ method: "GET", headers: [[name, "1"]] });
    expect(event.headers[name]).toBe("1");
    expect(event.httpMethod, "X-HTTP-Method-Override is not applied").toBe("GET");
  });

  test("an Authorization that is a SigV4 signature is for API Gateway; any other is the function's", () => {
    const signature = "AWS4-HMAC-SHA256 Credential=AKIA/20260710/us-east-1/execute-api/aws4_request, Signature=00";
    const signed = encode({ headers: [["authorization", signature]] });
    expect(JSON.stringify(signed)).not.toContain("AKIA");
    const asymmetric = encode({ headers: [["authorization", "AWS4-ECDSA-P256-SHA256 Credential=AKIA/x"]] });
    expect(JSON.stringify(asymmetric)).not.toContain("AKIA");
    const bearer = encode({ headers: [["authorization", "Bearer x"]] });
    expect(bearer.headers.Authorization).toBe("Bearer x");
  });

  test("X-Forwarded-For is appended to, the port and the protocol are set", () => {
    const headers: Fields = [
      ["x-forwarded-for", "203.0.113.7, 10.0.0.1"],
      ["x-forwarded-port", "80"],
      ["x-forwarded-proto", "http"],
    ];
    const event = encode({ headers });
    expect(event.headers).toMatchObject({
      ...{ "X-Forwarded-For": "203.0.113.7, 10.0.0.1, 127.0.0.1", "X-Forwarded-Port": "443" },
      ...{ "X-Forwarded-Proto": "https" },
    });
    expect(event.multiValueHeaders["X-Forwarded-For"]).toEqual(["203.0.113.7, 10.0.0.1, 127.0.0.1"]);
  });

  test.each([
    ["orders", "orders", "orders"],
    ["Orders_API", "Orders-API", "Orders-API"],
    ["my.fn_2", "my.fn-2", "my"],
  ])("Host of %s", (functionName, host, prefix) => {
    const target = {
      functionName,
      qualifier: "prod",
      region: "eu-west-1",
      accountId: "123456789012",
      partition: "aws",
    };
    const { headers, multiValueHeaders, requestContext } = encode({}, target);
    expect(headers.Host).toBe(host);
    expect(multiValueHeaders.Host).toEqual([host]);
    expect(requestContext).toMatchObject({ domainName: host, domainPrefix: prefix, apiId: prefix });
    expect(requestContext.accountId).toBe("123456789012");
  });

  test("the caller's own Host", () => {
    const { headers, requestContext } = encode({ headers: [["host", "api.example.com:8443"]] });
    expect(headers.Host).toBe("api.example.com:8443");
    expect(requestContext).toMatchObject({ domainName: "api.example.com:8443", domainPrefix: "api" });
  });

  test("ids are new in each event", () => {
    const ids = Array.from({ length: 20 }, () => encode()).flatMap(({ requestContext, headers }) => [
      requestContext.requestId,
      requestContext.extendedRequestId,
      headers["X-Amzn-Trace-Id"],
    ]);
    expect(new Set(ids).size).toBe(60);
  });

  test.each([
    ["2026-01-02T03:04:05.000Z", "02/Jan/2026:03:04:05 +0000"],
    ["2024-02-29T23:59:59.999Z", "29/Feb/2024:23:59:59 +0000"],
    ["2026-03-01T00:00:00.000Z", "01/Mar/2026:00:00:00 +0000"],
    ["2026-04-30T12:00:00.000Z", "30/Apr/2026:12:00:00 +0000"],
    ["2026-05-05T05:05:05.000Z", "05/May/2026:05:05:05 +0000"],
    ["2026-06-10T10:10:10.000Z", "10/Jun/2026:10:10:10 +0000"],
    ["2026-07-31T00:00:00.000Z", "31/Jul/2026:00:00:00 +0000"],
    ["2026-08-01T00:00:00.000Z", "01/Aug/2026:00:00:00 +0000"],
    ["2026-09-09T09:09:09.000Z", "09/Sep/2026:09:09:09 +0000"],
    ["2026-10-10T10:10:10.000Z", "10/Oct/2026:10:10:10 +0000"],
    ["2026-11-22T11:22:33.000Z", "22/Nov/2026:11:22:33 +0000"],
    ["2026-12-31T23:59:59.000Z", "31/Dec/2026:23:59:59 +0000"],
  ])("requestTime of %s", (now, expected) => {
    vi.setSystemTime(now);
    const { requestContext } = encode();
    expect(requestContext.requestTime).toBe(expected);
    expect(requestContext.requestTimeEpoch).toBe(Date.parse(now));
  });

  describe("the body", () => {
    const encodeBody = (body: string | Uint8Array | null, type?: string): [string | null, boolean] => {
      const headers: Fields = type === undefined ? [] : [["content-type", type]];
      const event = encode({ method: "POST", headers, body });
      return [event.body, event.isBase64Encoded];
    };
    const bytes = Buffer.from('{"größe":1}');

    test.each([
      ...["text/plain", "text/html", "text/x-anything", "application/json", "application/xml"],
      ...["application/javascript", "application/x-www-form-urlencoded", "application/problem+json", "image/svg+xml"],
      ...["application/vnd.api+json; charset=utf-8", "Text/Plain ; charset=iso-8859-1", "APPLICATION/JSON", "", " "],
    ])("%j is text", (type) => {
      expect(encodeBody(bytes, type)).toEqual(['{"größe":1}', false]);
      expect(encodeBody(bytes.toString(), type)).toEqual(['{"größe":1}', false]);
    });

    test.each([
      ...["application/octet-stream", "image/png", "multipart/form-data; boundary=x", "application/jsonx"],
      ...["application/pdf", "application/json-seq", "xtext/plain", "application/xml-dtd", "nonsense"],
    ])("%j is base64", (type) => {
      expect(encodeBody(bytes, type)).toEqual([bytes.toString("base64"), true]);
      expect(encodeBody(bytes.toString(), type)).toEqual([bytes.toString("base64"), true]);
    });

    test("no type: text, where the bytes are", () => {
      expect(encodeBody(bytes)).toEqual(['{"größe":1}', false]);
      expect(encodeBody(Buffer.from([0xff]))).toEqual(["/w==", true]);
    });

    test.each([
      ["a lone byte", [0xff]],
      ["a cut sequence", [0x61, 0xc3]],
      ["an encoded surrogate", [0xed, 0xa0, 0x80]],
      ["an overlong encoding", [0xc0, 0xaf]],
    ])("what is no UTF-8 is base64, whatever the type says: %s", (_name, octets) => {
      expect(encodeBody(Buffer.from(octets), "text/plain")).toEqual([Buffer.from(octets).toString("base64"), true]);
    });

    test("of two types the last one counts, as in the single-value map", () => {
      const types: Fields = [
        ["content-type", "image/png"],
        ["Content-Type", "text/plain"],
      ];
      expect(encode({ method: "POST", headers: types, body: bytes }).isBase64Encoded).toBe(false);
      expect(encode({ method: "POST", headers: types.reverse(), body: bytes }).isBase64Encoded).toBe(true);
    });

    test("a byte-order mark stays", () => {
      expect(encodeBody(Buffer.from([0xef, 0xbb, 0xbf, 0x61]), "application/json")).toEqual(["\ufeffa", false]);
    });

    test("NULs and line breaks are text", () => {
      expect(encodeBody(Buffer.from("\0\r\n"), "text/plain")).toEqual(["\0\r\n", false]);
    });

    test("a part of a larger buffer is that part", () => {
      const whole = Uint8Array.from(Buffer.from("xhellox"));
      expect(encodeBody(whole.subarray(1, 6), "text/plain")).toEqual(["hello", false]);
      expect(encodeBody(whole.subarray(1, 6), "image/png")).toEqual(["aGVsbG8=", true]);
    });

    test.each(["text/plain", "image/png", undefined])("empty is null (%s)", (type) => {
      for (const body of [null, "", new Uint8Array()]) expect(encodeBody(body, type)).toEqual([null, false]);
    });
  });
});

describe("decode", () => {
  const JSON_TYPE: [string, string] = ["content-type", "application/json"];
  const fieldsOf = (result: object): Fields => restApi.decode(result).headers as Fields;
  const cookies: Fields = [
    ["Set-Cookie", "a=1"],
    ["Set-Cookie", "b=2"],
  ];

  test("a whole result", () => {
    const { status, headers, body } = restApi.decode({
      statusCode: 201,
      headers: { "Content-Type": "text/plain", ETag: '"1"' },
      body: "héllo",
      isBase64Encoded: false,
    });
    expect(status).toBe(201);
    expect(headers).toEqual([
      ["Content-Type", "text/plain"],
      ["ETag", '"1"'],
    ]);
    expect(Buffer.from(body).toString()).toBe("héllo");
  });

  const text = { "Content-Type": "text/plain" };
  const textField: [string, string] = ["Content-Type", "text/plain"];
  test.each<[string, object, Fields]>([
    [
      "Mangum: a map for single values, a map for repeated ones",
      { headers: text, multiValueHeaders: { "Set-Cookie": ["a=1", "b=2"] }, isBase64Encoded: false },
      [...cookies, textField],
    ],
    ["Mangum, payload 2: no key without a value", { headers: { "content-type": "application/json" } }, [JSON_TYPE]],
    [
      "Mangum, ALB: repeated names as variants of casing",
      { headers: { ...text, "set-cookie": "a=1", "Set-cookie": "b=2", "sEt-cookie": "a=1" } },
      [textField, ["set-cookie", "a=1"], ["Set-cookie", "b=2"], ["sEt-cookie", "a=1"]],
    ],
    [
      "serverless-http: repeated values joined in one map, apart in the other",
      { headers: { ...text, "x-many": "a, b" }, multiValueHeaders: { "x-many": ["a", "b"] } },
      [["x-many", "a"], ["x-many", "b"], textField],
    ],
    [
      "serverless-http: joined without a space",
      { headers: { ...text, "X-Many": "a,b" }, multiValueHeaders: { "x-many": ["a", "b"] } },
      [["x-many", "a"], ["x-many", "b"], textField],
    ],
    [
      "serverless-express, apig-wsgi, Powertools for Python: the multi-value map alone",
      { multiValueHeaders: { "Content-Type": ["text/plain"], "Set-Cookie": ["a=1", "b=2"] }, body: "" },
      [textField, ...cookies],
    ],
    [
      "Zappa: the same in both maps",
      {
        headers: { ...text, "Set-Cookie": "b=2" },
        multiValueHeaders: { "Content-Type": ["text/plain"], "Set-Cookie": ["a=1", "b=2"] },
      },
      [textField, ...cookies],
    ],
    ["Zappa, payload 2: no cookies, no body", { headers: text, cookies: [], body: null }, [textField]],
    [
      "@fastify/aws-lambda: cookies",
      { headers: text, cookies: ["a=1", "b=2"] },
      [textField, ["set-cookie", "a=1"], ["set-cookie", "b=2"]],
    ],
    [
      "@fastify/aws-lambda: several cookies",
      { headers: { ...text, "Set-Cookie": "a=1" }, multiValueHeaders: { "Set-Cookie": ["a=1", "b=2"] } },
      [...cookies, textField],
    ],
    [
      "srvx: cookies twice",
      { headers: text, multiValueHeaders: { "Set-Cookie": ["a=1", "b=2"] }, cookies: ["a=1", "b=2"] },
      [...cookies, textField],
    ],
    ["Hono: one map", { headers: text, body: "", isBase64Encoded: false }, [textField]],
    [
      "lambda_http: an empty map, a full one, and a description",
      {
        statusDescription: "200 OK",
        headers: {},
        multiValueHeaders: { "content-type": ["text/html"], "set-cookie": ["a=1", "b=2"] },
      },
      [
        ["content-type", "text/html"],
        ["set-cookie", "a=1"],
        ["set-cookie", "b=2"],
      ],
    ],
  ])("%s", (_name, result, fields) => {
    expect(fieldsOf({ statusCode: 200, ...result })).toEqual(fields);
  });

  describe("headers", () => {
    test.each<[string, object, Fields]>([
      ["no headers", {}, [JSON_TYPE]],
      ["null maps", { headers: null, multiValueHeaders: null, cookies: null }, [JSON_TYPE]],
      ["empty maps", { headers: {}, multiValueHeaders: {} }, [JSON_TYPE]],
      ["another casing of Content-Type", { headers: { "CONTENT-type": "x/y" } }, [["CONTENT-type", "x/y"]]],
      ["a boolean and a number", { headers: { a: true, b: 0 } }, [["a", "true"], ["b", "0"], JSON_TYPE]],
      ["the same in an array", { multiValueHeaders: { a: [false, 1.5] } }, [["a", "false"], ["a", "1.5"], JSON_TYPE]],
      ["null and undefined are left out", { headers: { a: null, b: undefined, c: "" } }, [["c", ""], JSON_TYPE]],
      ["an empty array is none", { multiValueHeaders: { a: [] } }, [JSON_TYPE]],
      ["an array in the single-value map", { headers: { a: ["1", null, "2"] } }, [["a", "1"], ["a", "2"], JSON_TYPE]],
      ["white space around a value", { headers: { a: " \t1 " } }, [["a", "1"], JSON_TYPE]],
      ["Latin-1", { headers: { a: "é\u00ff" } }, [["a", "é\u00ff"], JSON_TYPE]],
      [
        "both maps: multi-value first, with its casing",
        { headers: { "test-multi": "solo" }, multiValueHeaders: { "tesT-Multi": ["multi"] } },
        [["tesT-Multi", "multi"], ["test-multi", "solo"], JSON_TYPE],
      ],
      [
        "a pair in both maps is one field, in any casing of its name",
        { headers: { "X-A": "1" }, multiValueHeaders: { "x-a": ["1", "2"] } },
        [["x-a", "1"], ["x-a", "2"], JSON_TYPE],
      ],
      [
        "equal values of one array stay",
        { multiValueHeaders: { "x-a": ["1", "1"] } },
        [["x-a", "1"], ["x-a", "1"], JSON_TYPE],
      ],
      [
        "a header of its own, with a comma",
        { headers: { "x-a": "1, 3" }, multiValueHeaders: { "x-a": ["1", "2"] } },
        [["x-a", "1"], ["x-a", "2"], ["x-a", "1, 3"], JSON_TYPE],
      ],
      ["a header named __proto__", JSON.parse('{"headers":{"__proto__":"1"}}'), [["__proto__", "1"], JSON_TYPE]],
      [
        "Set-Cookie among the headers goes before cookies",
        { headers: { "set-cookie": "a=1" }, cookies: ["b=2"] },
        [["set-cookie", "a=1"], JSON_TYPE],
      ],
    ])("%s", (_name, result, fields) => {
      expect(fieldsOf(result)).toEqual(fields);
    });
  });

  describe("statusCode", () => {
    test("every status that a Response can hold", () => {
      for (let status = 200; status <= 599; status++) {
        expect(restApi.decode({ statusCode: status }).status).toBe(status);
        expect(restApi.decode({ statusCode: String(status) }).status).toBe(status);
      }
    });

    test.each([{}, { statusCode: null }, { headers: { a: "1" } }])("%j is 200", (result) => {
      expect(restApi.decode(result).status).toBe(200);
    });
  });

  describe("body", () => {
    const bodyOf = (result: object): string => Buffer.from(restApi.decode(result).body).toString("latin1");
    test.each([
      ["absent", {}, ""],
      ["null", { body: null }, ""],
      ["empty", { body: "" }, ""],
      ["empty base64", { body: "", isBase64Encoded: true }, ""],
      ["text", { body: "ü" }, "\u00c3\u00bc"],
      ["text that looks like base64", { body: "dGVzdA==" }, "dGVzdA=="],
      ["a number", { body: 1.5 }, "1.5"],
      ["zero", { body: 0 }, "0"],
      ["a boolean", { body: false }, "false"],
      ["an object", { body: { a: [1] } }, '{"a":[1]}'],
      ["an array", { body: [1, "2"] }, '[1,"2"]'],
      ["base64", { body: "AP+A", isBase64Encoded: true }, "\0\u00ff\u0080"],
      ["base64, said in text", { body: "AP+A", isBase64Encoded: "True" }, "\0\u00ff\u0080"],
      ["no base64, said in text", { body: "AP+A", isBase64Encoded: "false" }, "AP+A"],
      ["base64Encoded goes first", { body: "AP+A", base64Encoded: true, isBase64Encoded: false }, "\0\u00ff\u0080"],
      ["base64Encoded null doesn't", { body: "AP+A", base64Encoded: null, isBase64Encoded: true }, "\0\u00ff\u0080"],
      ["unpadded base64", { body: "aGk", isBase64Encoded: true }, "hi"],
      ["base64 of one byte", { body: "aA==", isBase64Encoded: true }, "h"],
      ["base64 for URLs", { body: "-_8=", isBase64Encoded: true }, "\u00fb\u00ff"],
      ["base64 in lines", { body: "aGVs\r\nbG8g\nd29ybGQ=\r\n", isBase64Encoded: true }, "hello world"],
    ])("%s", (_name, result, expected) => {
      expect(bodyOf(result)).toBe(expected);
    });
  });

  const NOT_BASE64 = /^isBase64Encoded is true, but body is not base64$/;
  test.each<[string, unknown, RegExp]>([
    ["null", null, /the function returned null; a rest-api result is an object with statusCode, headers and body/],
    ["a string", "justAString", /the function returned a string \(.+\);/],
    ["a number", 3, /the function returned a number \(.+\);/],
    ["a boolean", true, /the function returned a boolean \(.+\);/],
    ["an array", [{ statusCode: 200 }], /the function returned an array \(.+\);/],
    ["an unknown key", { statusCode: 200, wrongValue: "x" }, /an object with the key "wrongValue", which is none of/],
    ["a returned error", { errorMessage: "x", errorType: "Error" }, /the key "errorMessage"/],
    ["a key in another casing", { statuscode: 200 }, /the key "statuscode"/],
    ["status text", { statusCode: "test" }, /^statusCode is "test", not a whole number from 200 to 599$/],
    ["status 199", { statusCode: 199 }, /^statusCode is 199,/],
    ["status 101", { statusCode: 101 }, /^statusCode is 101,/],
    ["status 600", { statusCode: 600 }, /^statusCode is 600,/],
    ["status -200", { statusCode: -200 }, /^statusCode is -200,/],
    ["status 200.5", { statusCode: 200.5 }, /^statusCode is 200.5,/],
    ["status 0", { statusCode: 0 }, /^statusCode is 0,/],
    ["an empty status", { statusCode: "" }, /^statusCode is "",/],
    ["a padded status", { statusCode: " 200" }, /^statusCode is " 200",/],
    ["a status in another base", { statusCode: "0xC8" }, /^statusCode is "0xC8",/],
    ["a boolean status", { statusCode: true }, /^statusCode is true,/],
    ["a status object", { statusCode: { a: 1 } }, /^statusCode is {"a":1},/],
    ["headers as text", { headers: "a: b" }, /^headers is a string \(.+\), not an object$/],
    ["headers as pairs", { headers: [["a", "b"]] }, /^headers is an array \(.+\), not an object$/],
    ["a header that is an object", { headers: { "x-a": {} } }, /^headers\["x-a"\] is an object \(.+\), not a string$/],
    ["an array of objects", { headers: { "x-a": [[]] } }, /^headers\["x-a"\] is an array \(.+\), not a string$/],
    ["multiValueHeaders as text", { multiValueHeaders: "a" }, /^multiValueHeaders is a string \(.+\), not an object$/],
    [
      "a multi-value header as text",
      { multiValueHeaders: { a: "1" } },
      /^multiValueHeaders\["a"\] is a string \(.+\), not an array$/,
    ],
    [
      "a multi-value header as null",
      { multiValueHeaders: { a: null } },
      /^multiValueHeaders\["a"\] is null, not an array$/,
    ],
    [
      "null among its values",
      { multiValueHeaders: { a: ["1", null] } },
      /^multiValueHeaders\["a"\] is null, not a string$/,
    ],
    ["a bad header name", { headers: { "a b": "1" } }, /^in headers, "a b" is no header name$/],
    ["an empty header name", { multiValueHeaders: { "": ["1"] } }, /^in multiValueHeaders, "" is no header name$/],
    ["a newline in a value", { headers: { a: "1\r\nb: 2" } }, /^in headers, the value of the header a holds U\+000D/],
    ["a NUL in a value", { headers: { a: "\0" } }, /^in headers, the value of the header a holds U\+0000/],
    ["a value beyond Latin-1", { headers: { a: "€" } }, /^in headers, the value of the header a holds U\+20AC/],
    ["cookies as text", { cookies: "a=1" }, /^cookies is a string \(.+\), not an array$/],
    ["a cookie that is an object", { cookies: [{}] }, /^cookies\["set-cookie"\] is an object \(.+\), not a string$/],
    ["a newline in a cookie", { cookies: ["a=1\nb"] }, /^in cookies, the value of the header set-cookie holds U\+000A/],
    ["isBase64Encoded 1", { body: "aA==", isBase64Encoded: 1 }, /^isBase64Encoded is 1, neither true nor false$/],
    [
      "isBase64Encoded text",
      { body: "", isBase64Encoded: "yes" },
      /^isBase64Encoded is "yes", neither true nor false$/,
    ],
    [
      "an object as base64",
      { body: {}, isBase64Encoded: true },
      /^isBase64Encoded is true, but body is an object \(.+\), not a string$/,
    ],
    [
      "a number as base64",
      { body: 1, isBase64Encoded: true },
      /^isBase64Encoded is true, but body is a number \(.+\), not a string$/,
    ],
    ["text as base64", { body: "héllo!", isBase64Encoded: true }, NOT_BASE64],
    ["one character", { body: "A", isBase64Encoded: true }, NOT_BASE64],
    ["one character too many", { body: "AAAAA", isBase64Encoded: true }, NOT_BASE64],
    ["a space between", { body: "aG kh", isBase64Encoded: true }, NOT_BASE64],
    ["a space behind", { body: "aGk= ", isBase64Encoded: true }, NOT_BASE64],
    ["a tab", { body: "aGVs\tbG8=", isBase64Encoded: true }, NOT_BASE64],
    ["padding in between", { body: "YQ==YQ==", isBase64Encoded: true }, NOT_BASE64],
    ["padding without end", { body: "YQ====", isBase64Encoded: true }, NOT_BASE64],
    ["a data: URL", { body: "data:text/plain;base64,aGk=", isBase64Encoded: true }, NOT_BASE64],
    ["JSON as base64", { body: '{"a":1}', isBase64Encoded: true }, NOT_BASE64],
  ])("refused: %s", (_name, result, message) => {
    expect(() => restApi.decode(result)).toThrow(InvalidResultError);
    expect(() => restApi.decode(result)).toThrow(message);
  });

  test("for all bytes: base64 that lost or gained a character is refused, never shortened", () => {
    const valid = /^(?:[\w+/-]{4})*(?:[\w+/-]{2,3})?={0,2}$/;
    const base64 = fc.uint8Array({ minLength: 1, maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString("base64"));
    const change = fc.tuple(base64, fc.nat(20), fc.constantFrom("", " ", "!", "é", "\0", "="));
    fc.assert(
      fc.property(change, ([text, at, junk]) => {
        const changed = `${text.slice(0, at)}${junk}${text.slice(at + (junk === "" ? 1 : 0))}`;
        const decode = (): number => restApi.decode({ body: changed, isBase64Encoded: true }).body.length;
        if (valid.test(changed)) expect(decode()).toBe(Math.floor((changed.replace(/=+$/, "").length * 3) / 4));
        else expect(decode).toThrow(NOT_BASE64);
      }),
      { numRuns: 500 },
    );
  });
});

describe("there and back through fetch, for all", () => {
  const token = (unit: string) => fc.string({ unit: fc.constantFrom(...unit), minLength: 1, maxLength: 10 });
  const NAME = "abcXYZ019!#$%&'*+-.^_`|~";
  const METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"];

  let seen: RestApiEvent | undefined;
  const echo: Handler = async (event: RestApiEvent) => {
    seen = event;
    const headers = { "content-type": "application/octet-stream" };
    return { statusCode: 200, headers, body: event.body, isBase64Encoded: event.isBase64Encoded };
  };
  const fetch = createFetch({ functions: { app: echo } });
  const send = async (
    rest: string,
    init: Parameters<typeof fetch>[1],
  ): Promise<{ event: RestApiEvent; body: Buffer }> => {
    const response = await fetch(`http+lambda://app${rest}`, init);
    expect(response.status).toBe(200);
    if (seen === undefined) throw new Error("the handler was not called");
    return { event: seen, body: Buffer.from(await response.arrayBuffer()) };
  };

  test("bytes of any content type come back as they were", async () => {
    const types = [
      "text/plain",
      "application/json; charset=utf-8",
      "image/png",
      "application/x-www-form-urlencoded",
      "",
    ];
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.string({ unit: "binary" }).map((text) => Buffer.from(text)),
    );
    await fc.assert(
      fc.asyncProperty(bytes, fc.constantFrom(...types), async (bytes, type) => {
        const { event, body } = await send("/", { method: "POST", headers: { "content-type": type }, body: bytes });
        expect(body.equals(bytes)).toBe(true);
        const received = Buffer.from(event.body ?? "", event.isBase64Encoded ? "base64" : "utf8");
        expect(received.equals(bytes)).toBe(true);
      }),
    );
  });

  test("text comes back, with lone surrogates replaced as fetch does", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: fc.constantFrom("a", "ü", "😀", "\ud83d", "\ude00", "\0", "\ufeff") }),
        async (text) => {
          const { event } = await send("/", { method: "POST", body: text });
          expect(event.body ?? "").toBe(text.toWellFormed());
          expect(event.isBase64Encoded).toBe(false);
        },
      ),
    );
  });

  test("methods arrive, the six of fetch in upper case", async () => {
    const method = fc.oneof(
      token(NAME),
      fc.constantFrom("get", "Post", "patch", "PATCH", "options", "TRACE", "REPORT"),
    );
    await fc.assert(
      fc.asyncProperty(
        method.filter((method) => !/^(?:connect|track|head)$/i.test(method)),
        async (method) => {
          const { event } = await send("/", { method });
          const upper = method.toUpperCase();
          expect(event.httpMethod).toBe(METHODS.includes(upper) ? upper : method);
          expect(event.requestContext.httpMethod).toBe(event.httpMethod);
        },
      ),
    );
  });

  test("paths arrive as WHATWG's parser writes them", async () => {
    const segment = fc.string({
      unit: fc.constantFrom("a", "B", "/", ".", "%2F", "%zz", "ü", " ", "+", "@", ":", ";", "&", "=", "\\"),
    });
    await fc.assert(
      fc.asyncProperty(segment, async (path) => {
        const { event } = await send(`/${path}.`, {});
        const expected = new URL(`http+lambda://app/${path}.`).pathname.replace(/^\/*/, "/");
        expect(event.path).toBe(expected);
        expect(`/${event.pathParameters?.proxy ?? ""}`).toBe(expected.replace(/(.)\/$/, "$1"));
      }),
    );
  });

  test("query parameters arrive decoded, in order", async () => {
    const pairs = fc.array(
      fc.tuple(fc.string({ unit: "binary", maxLength: 5 }), fc.string({ unit: "binary", maxLength: 5 })),
    );
    await fc.assert(
      fc.asyncProperty(pairs, async (pairs) => {
        const { event } = await send(`/?${new URLSearchParams(pairs)}`, {});
        const { single, multi } = grouped(pairs);
        expect(event.multiValueQueryStringParameters ?? {}).toEqual(multi);
        expect(event.queryStringParameters ?? {}).toEqual(single);
        expect(event.queryStringParameters === null).toBe(pairs.length === 0);
      }),
    );
  });

  test("header values arrive, apart and in order, under their first spelling", async () => {
    const value = fc.string({ unit: fc.constantFrom(..."az09 \t,;:=\"'éÿ\u0001\u007f") }).map((text) => text.trim());
    const header = fc.tuple(
      token(NAME).map((name) => `x-${name}`),
      value,
    );
    await fc.assert(
      fc.asyncProperty(fc.array(header, { maxLength: 8 }), async (headers) => {
        const { event } = await send("/", { headers });
        const spelled = new Map<string, string>();
        for (const [name] of headers) if (!spelled.has(name.toLowerCase())) spelled.set(name.toLowerCase(), name);
        const { single, multi } = grouped(
          headers.map(([name, value]) => [spelled.get(name.toLowerCase()) ?? "", value]),
        );
        const own = ([name]: [string, unknown]): boolean => name.startsWith("x-");
        expect(Object.fromEntries(Object.entries(event.multiValueHeaders).filter(own))).toEqual(multi);
        expect(Object.fromEntries(Object.entries(event.headers).filter(own))).toEqual(single);
      }),
    );
  });

  function grouped(pairs: readonly (readonly [string, string])[]): {
    single: Record<string, string>;
    multi: Record<string, string[]>;
  } {
    const multi = new Map<string, string[]>();
    for (const [name, value] of pairs) multi.set(name, [...(multi.get(name) ?? []), value]);
    return {
      single: Object.fromEntries([...multi].map(([name, values]) => [name, values.at(-1) ?? ""])),
      multi: Object.fromEntries(multi),
    };
  }
});

// Events and answers that AWS really sent. They are not part of this project; where they lie beside it, they decide.
const FIXTURES = new URL("../../../shared/fixtures/events/", import.meta.url);
const haveFixtures = existsSync(FIXTURES);

function fixture<Case>(name: string): Case[] {
  return (JSON.parse(readFileSync(new URL(name, FIXTURES), "utf8")) as { cases: Case[] }).cases;
}

describe("what AWS recorded", () => {
  if (!haveFixtures) {
    test("is not here", () =>
      console.info("../shared/fixtures is absent: the recordings of AWS are not compared with"));
    return;
  }

  interface Recorded {
    readonly request: string;
    readonly event: Record<string, unknown>;
  }

  const SENT: Fields = [
    ["User-Agent", "python-requests/testing"],
    ["Accept-Encoding", "gzip, deflate"],
    ["Accept", "*/*"],
    ["Connection", "keep-alive"],
  ];
  const GET_HEADERS: Fields = [...SENT, ["tEsT-HEADeR", "aValUE"], ["authorization", "random-value"]];
  const POST_HEADERS: Fields = [
    ...SENT,
    ["Content-Type", "application/json;charset=utf-8"],
    ["authorization", "Bearer token123;API key456"],
    ["Content-Length", "26"],
  ];
  const BODY = '{"message": "hello world"}';

  /** Every difference that may be, and why. `ours` is what we send instead; without it, only theirs has the key. */
  const EXCUSED: { key: RegExp; request?: RegExp; why: string; ours?: (theirs: unknown) => unknown }[] = [
    {
      key: /^(?:headers|multiValueHeaders)\.CloudFront-.*$/,
      why: "an edge-optimised API is behind CloudFront, a direct call is not",
    },
    { key: /^(?:headers|multiValueHeaders)\.(?:Via|X-Amz-Cf-Id)$/, why: "the same" },
    {
      key: /^requestContext\.stage$/,
      why: "our stage is $default, which frameworks don't cut off",
      ours: () => "$default",
    },
    {
      key: /^requestContext\.path$/,
      why: "it begins with the stage, and ours has none",
      ours: (theirs) => String(theirs).replace(/^\/stage/, ""),
    },
    {
      key: /^(?:resource|requestContext\.resourcePath)$/,
      request: /hardcoded/,
      why: "that API has a resource /hardcoded; ours has the greedy one alone",
      ours: () => "/{proxy+}",
    },
    { key: /^pathParameters$/, request: /hardcoded/, why: "the same", ours: () => ({ proxy: "hardcoded" }) },
    { key: /^body$/, request: /^POST/, why: "the recorder parsed the body's JSON", ours: () => BODY },
  ];

  const cases = fixture<Recorded>("v1-rest-localstack-validated.json");

  test("nine requests", () => {
    expect(cases.map(({ request }) => request.split(" ")[0])).toEqual([...Array(7).fill("GET"), "POST", "GET"]);
  });

  test.each(cases)("event of $request", async ({ request, event: theirs }) => {
    const [, method = "", rest = ""] = /^(\w+) \/stage(\S*)/.exec(request) ?? [];
    const isPost = method === "POST";
    const ours = await eventOf(`http+lambda://111111111111:function:app${rest}`, {
      method,
      headers: isPost ? POST_HEADERS : GET_HEADERS,
      body: isPost ? BODY : null,
    });

    const [theirKeys, ourKeys] = [flatten(theirs), flatten(ours)];
    const values = new Map<string, unknown>();
    for (const [key, value] of theirKeys) {
      const excuse = EXCUSED.find((one) => one.key.test(key) && (one.request ?? /^/).test(request));
      if (excuse !== undefined && excuse.ours === undefined) {
        expect(ourKeys.has(key), key).toBe(false);
        continue;
      }
      expect(ourKeys.has(key), key).toBe(true);
      const our = ourKeys.get(key);
      const placeholder = /"?(<[^>]+>)"?/.exec(JSON.stringify(value))?.[1];
      if (placeholder === undefined) {
        expect(our, key).toEqual(excuse?.ours === undefined ? value : excuse.ours(value));
        continue;
      }
      // Placeholders stand for ids, times and names of that API: where theirs are the same, so are ours.
      const one = Array.isArray(our) ? our[0] : our;
      expect(one, key).toBeTruthy();
      if (!values.has(placeholder)) values.set(placeholder, one);
      expect(one, `${key} is ${placeholder}`).toBe(values.get(placeholder));
    }
    expect([...ourKeys.keys()].filter((key) => !theirKeys.has(key))).toEqual([]);
  });

  test("no excuse is without use", () => {
    const unused = EXCUSED.filter(
      ({ key, request = /^/ }) =>
        !cases.some(
          (one) => request.test(one.request) && [...flatten(one.event).keys()].some((name) => key.test(name)),
        ),
    );
    expect(unused).toEqual([]);
  });

  interface Answered {
    readonly id: string;
    readonly lambda_result: unknown;
    readonly status: number;
    readonly client_headers: Record<string, string> | null;
    readonly client_body: unknown;
  }

  const OTHER_BODIES: Readonly<Record<string, { why: string; body: string | RegExp }>> = {
    "invoke-api-b64-encoded-true": {
      why: "without binaryMediaTypes API Gateway sends base64 as it is; a direct client wants the bytes",
      body: "test-data",
    },
    ...Object.fromEntries(
      Object.entries({
        "invoke-api-wrong-format": /^app returned no HTTP response: .* the key "wrongValue"/,
        "invoke-api-multi-headers-invalid": /^app returned no HTTP response: .*"test-multi-invalid"\] is a string/,
        "invoke-api-invalid-status-code": /^app returned no HTTP response: statusCode is "test"/,
        "invoke-api-just-string": /^app returned no HTTP response: the function returned a string/,
      }).map(([id, body]) => [id, { why: "our 502 says what is wrong", body }]),
    ),
  };
  const answers = fixture<Answered>("responses-v1-rest-validated.json");

  test("fourteen answers, and each of the other bodies is one of them", () => {
    expect(answers).toHaveLength(14);
    expect(answers.map(({ id }) => id)).toEqual(expect.arrayContaining(Object.keys(OTHER_BODIES)));
  });

  test.each(answers)("answer to $id", async ({ id, lambda_result, status, client_headers, client_body }) => {
    const fetch = createFetch({ functions: { app: async () => lambda_result } });
    const response = await fetch("http+lambda://app/");
    expect(response.status).toBe(status);
    const headers = Object.fromEntries(response.headers);
    for (const [name, value] of Object.entries(client_headers ?? {})) expect(headers[name.toLowerCase()]).toBe(value);
    if (client_headers !== null) expect(Object.keys(headers)).toHaveLength(Object.keys(client_headers).length);
    const expected = OTHER_BODIES[id]?.body ?? client_body;
    if (expected instanceof RegExp) expect(await response.text()).toMatch(expected);
    else expect(await response.text()).toBe(expected);
  });

  async function eventOf(url: string, init: { method: string; headers: Fields; body: string | null }): Promise<object> {
    let event: object = {};
    const invoke = async ({ payload }: { payload: Uint8Array }) => {
      event = JSON.parse(Buffer.from(payload).toString());
      return { payload: Buffer.from("{}") };
    };
    await createFetch({ invoker: { invoke } })(url, init);
    return event;
  }

  /** `a.b.c` -> value; arrays and `pathParameters` are values. */
  function flatten(object: object, prefix = ""): Map<string, unknown> {
    return new Map(
      Object.entries(object).flatMap(([key, value]): [string, unknown][] => {
        const isMap = typeof value === "object" && value !== null && !Array.isArray(value);
        const path = `${prefix}${key}`;
        if (!isMap || path === "pathParameters" || path === "body") return [[path, value]];
        return [...flatten(value, `${path}.`)];
      }),
    );
  }
});
