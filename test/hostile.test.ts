/** Input that was made to do harm, and endpoints that never end: each is a response or a short clear error. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { Transform } from "node:stream";
import { finished } from "node:stream/promises";
import { brotliCompressSync, createGzip, deflateSync, gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { InvalidTargetError, InvokeError, PayloadTooLargeError, UnsafeRedirectError } from "../src/errors.ts";
import { createFetch } from "../src/fetch.ts";
import type { PayloadFormat } from "../src/formats/formats.ts";
import type { RestApiEvent } from "../src/formats/rest-api.ts";
import type { Invoker } from "../src/invoke/invoker.ts";
import type { LambdaOptions } from "../src/options.ts";
import type { LambdaResponse } from "../src/response.ts";
import { Session } from "../src/session.ts";
import { type FaultyLambda, faultyLambda, http } from "./support/faulty-lambda.ts";

const APP = "http+lambda://app/";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** A fetch whose functions all return these bytes. */
function returning(
  payload: string | Uint8Array,
  options: LambdaOptions = {},
): (url?: string) => Promise<LambdaResponse> {
  const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
  const invoker: Invoker = { invoke: async () => ({ payload: bytes }) };
  const fetch = createFetch({ invoker, ...options });
  return (url = APP) => fetch(url as "http+lambda:");
}

/** A session whose functions answer with their event; and how often they were called. */
function echoing(): { session: Session; calls: () => number } {
  let calls = 0;
  const invoke: Invoker["invoke"] = async ({ payload }) => {
    calls++;
    return { payload: Buffer.from(JSON.stringify({ statusCode: 200, body: Buffer.from(payload).toString() })) };
  };
  return { session: new Session({ invoker: { invoke } }), calls: () => calls };
}

describe("line breaks and NULs", () => {
  const EVIL = ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\u0000b"];

  test.each(EVIL)("in a header's value, %j, are refused and not repeated", async (value) => {
    const { session, calls } = echoing();
    for (const headers of [{ "X-A": value }, { Cookie: value }, { Authorization: value }, { Host: value }]) {
      const error = await session.get(APP, { headers }).catch((error: unknown) => error);
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toMatch(/^the value of the header [\w-]+ holds U\+000[0AD], which HTTP/);
    }
    expect(calls()).toBe(0);
  });

  test.each(EVIL)(
    "in a header's name, a cookie, a method, a qualifier or a function's name, %j, are refused",
    async (text) => {
      const { session, calls } = echoing();
      const attempts: (() => Promise<unknown>)[] = [
        () => session.get(APP, { headers: { [text]: "1" } }),
        () => session.get(APP, { cookies: { [text]: "1" } }),
        () => session.get(APP, { cookies: { sid: text } }),
        () => session.request(text, APP),
        () => session.get(APP, { qualifier: text }),
        () => session.get(`http+lambda://${text}/`),
        () => session.get(`http+lambda://${encodeURIComponent(text)}/`),
        () => session.get(`http+lambda://app/${text}`),
        () => session.get(`http+lambda://app/?q=${text}`),
      ];
      for (const attempt of attempts) {
        const error = (await attempt().catch((error: unknown) => error)) as Error;
        expect(error instanceof TypeError || error instanceof InvalidTargetError, String(attempt)).toBe(true);
        expect(error.message).not.toMatch(/\p{Cc}/u);
      }
      expect(calls()).toBe(0);
    },
  );

  test("in params and form fields are data, and arrive as they were", async () => {
    const { session } = echoing();
    const value = "a\r\nb\u0000c";
    const query = await session.get(APP, { params: { q: value } }).json<RestApiEvent>();
    expect(query.queryStringParameters).toEqual({ q: value });
    const form = await session.post(APP, { data: { q: value } }).json<RestApiEvent>();
    expect(new URLSearchParams(form.body ?? "").get("q")).toBe(value);
  });
});

describe("a function's name that would lead elsewhere", () => {
  test.each([
    ...[
      "a%2Fb",
      "a%2F..%2Fb",
      "%2E%2E",
      "%2e%2e%2finvocations",
      "..",
      ".",
      "%2E",
      "...",
      "a%5Cb",
      "a%3Fb",
      "a%23b",
      "a%00b",
    ],
    ...[
      "a%2Fb%3Aprod",
      "%2Fa",
      "%252F",
      "a%20b",
      "%E2%80%AE",
      "a;b",
      "a,b",
      "a@b%2Fc",
      "-%2F-",
      "a%0Ab",
      "*",
      "orders*",
    ],
  ])("%s", async (name) => {
    const { session, calls } = echoing();
    const error = await session.get(`http+lambda://${name}/`).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(InvalidTargetError);
    expect(calls()).toBe(0);
  });

  test("is one segment of the path of the Invoke API, whatever it is", async () => {
    const { endpoint, heads } = await lambda(() => http(200, {}, "{}"));
    const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" };
    const session = new Session({ endpoint, region: "eu-west-1", credentials });
    closers.push(() => session.close());
    await session.get("http+lambda://a%2Eb%2E%2Ec/");
    await session.get("http+lambda://arn:aws:lambda:eu-west-1:123456789012:function:app:$LATEST/");
    expect(heads.map((head) => head.split(" ")[1])).toEqual([
      "/2015-03-31/functions/a.b..c/invocations",
      "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Aapp/invocations?Qualifier=%24LATEST",
    ]);
  });
});

describe("names of Object.prototype", () => {
  const NAMES = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"];
  const FORMATS: PayloadFormat[] = ["rest-api", "http-api", "function-url", "alb", "alb-multi-value"];
  afterEach(() => {
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test.each(FORMATS)("as headers and query keys are data, in %s", async (payloadFormat) => {
    const { session } = echoing();
    for (const name of NAMES) {
      const headers: [string, string][] = [[name, "polluted"]];
      const event = await session
        .get(`${APP}?${name}=polluted&${name}=again`, { headers, payloadFormat })
        .json<Record<string, unknown>>();
      const text = JSON.stringify([event.headers, event.multiValueHeaders]).toLowerCase();
      expect(text).toContain(name.toLowerCase());
      expect(JSON.stringify(event)).toContain("polluted");
    }
  });

  test.each(NAMES)("in a result, as %s, are none of its fields", async (name) => {
    const value = '{"polluted":1,"statusCode":500}';
    const result = `{"statusCode":200,"${name}":${value},"body":"ok"}`;
    const plain = await returning(result, { payloadFormat: "http-api" })();
    expect([plain.status, await plain.text()]).toEqual([200, "ok"]);
    // A REST API takes no key that it does not know.
    const strict = await returning(result)();
    expect([strict.status, await strict.text()]).toEqual([502, expect.stringContaining(`the key "${name}"`)]);
    const header = await returning(`{"statusCode":200,"headers":{"${name}":"x"}}`)();
    expect([header.status, header.headers.get(name)]).toEqual([200, "x"]);
    const inherited = await returning(`{"${name}":${value}}`, { payloadFormat: "function-url" })();
    expect([inherited.status, await inherited.text()]).toEqual([200, `{"${name}":${value}}`]);
  });

  test.each(NAMES)("in the payload of a function that failed, as %s, are none of its fields", async (name) => {
    const payload = Buffer.from(`{"${name}":{"errorType":"polluted","stackTrace":["polluted"]},"errorMessage":"no"}`);
    const fetch = createFetch({ invoker: { invoke: async () => ({ payload, functionError: "Unhandled" }) } });
    const { status, invocation } = await fetch(APP);
    expect([status, invocation.functionError]).toEqual([502, { kind: "exception", errorMessage: "no" }]);
  });

  test.each(NAMES)("%s as an option, a payload format, a function or a cookie", async (name) => {
    const own = JSON.parse(`{"${name}":1}`) as object;
    expect(() => new Session(own)).toThrow("there is no option");
    const { session } = echoing();
    await expect(session.get(APP, own)).rejects.toThrow("there is no option");
    await expect(session.get(APP, { payloadFormat: name as never })).rejects.toThrow("the option payloadFormat");
    const cookies = JSON.parse(`{"${name}":"x"}`) as Record<string, string>;
    const event = await session.get(APP, { cookies }).json<RestApiEvent>();
    expect(event.headers.Cookie).toBe(`${name}=x`);
    const functions = JSON.parse(`{"${name}":1}`) as never;
    expect(() => createFetch({ functions })).toThrow(`functions.${name} has to be a function`);
    // A pattern of followTo is a name, and lets no other be followed.
    const redirect = JSON.stringify({ statusCode: 302, headers: { location: "http+lambda://users/" } });
    await expect(returning(redirect, { followTo: [name] })()).rejects.toBeInstanceOf(UnsafeRedirectError);
    const called = await session.get(`http+lambda://${name}/`);
    expect(called.status).toBe(200);
  });
});

describe("results", () => {
  test("with as many headers as 6 MB hold", async () => {
    const names = Array.from({ length: 400_000 }, (_, i) => `"x${i}":"v"`);
    const response = await returning(`{"statusCode":200,"headers":{${names.join(",")}}}`)();
    expect([response.status, response.headers.get("x399999")]).toEqual([200, "v"]);
  }, 60_000);

  test("with one header of a million values", async () => {
    const values = Array(1_000_000).fill('"v"').join(",");
    const response = await returning(`{"statusCode":200,"multiValueHeaders":{"x":[${values}]}}`)();
    expect(response.headers.get("x")?.length).toBe(1_000_000 * "v, ".length - 2);
  }, 60_000);

  test.each<PayloadFormat>(["rest-api", "http-api"])(
    "with 400,000 cookies, in %s",
    async (payloadFormat) => {
      const cookies = Array(400_000).fill('"c=v"').join(",");
      const response = await returning(`{"statusCode":200,"cookies":[${cookies}]}`, { payloadFormat })();
      expect(response.headers.getSetCookie()).toHaveLength(400_000);
    },
    60_000,
  );

  test("with 100,000 cookies, which a session keeps and sends to that function alone", async () => {
    const cookies = Array.from({ length: 100_000 }, (_, i) => `c${i}=v`);
    const sent: (string | undefined)[] = [];
    const invoke: Invoker["invoke"] = async ({ payload }) => {
      const { headers } = JSON.parse(Buffer.from(payload).toString()) as RestApiEvent;
      sent.push(headers.Cookie);
      return { payload: Buffer.from(JSON.stringify({ statusCode: 200, cookies: sent.length === 1 ? cookies : [] })) };
    };
    const session = new Session({ invoker: { invoke } });
    for (const url of [APP, APP, "http+lambda://users/"]) await session.get(url);
    expect(sent.map((cookie) => cookie?.split("; ").length)).toEqual([undefined, 100_000, undefined]);
  }, 60_000);

  test("with a cookie of millions of attributes", async () => {
    const cookies = [`a=b${";".repeat(3_000_000)}`, `c=d; Expires=${"1 ".repeat(1_000_000)}`];
    const payload = Buffer.from(JSON.stringify({ statusCode: 200, cookies }));
    const session = new Session({ invoker: { invoke: async () => ({ payload }) } });
    await session.get(APP);
    expect(await session.cookies.get(APP)).toEqual({ a: "b", c: "d" });
  }, 60_000);

  test("with a header in two casings, of hundreds of thousands of values", async () => {
    const values = Array(400_000).fill('"v"').join(",");
    const response = await returning(`{"statusCode":200,"multiValueHeaders":{"X":["first"],"x":[${values}]}}`)();
    expect(response.headers.get("x")).toHaveLength("first, v".length + 399_999 * ", v".length);
  }, 60_000);

  test("with a hundred thousand values in each of both maps, which are compared", async () => {
    const list = (prefix: string): string[] => Array.from({ length: 100_000 }, (_, i) => `${prefix}${i}`);
    const [apart, together] = [list("a"), [...list("b"), "a0", "a99999"]];
    const response = await returning(
      JSON.stringify({ statusCode: 200, multiValueHeaders: { x: apart }, headers: { X: together } }),
    )();
    // What is in both is one field.
    expect(response.headers.get("x")).toBe([...apart, ...list("b")].join(", "));
  }, 60_000);

  test("with more content-encodings than five, as fetch counts them", async () => {
    const coded = (count: number): string =>
      JSON.stringify({
        statusCode: 200,
        headers: { "content-encoding": Array(count).fill("identity").join() },
        body: "x",
      });
    expect(await (await returning(coded(5))()).text()).toBe("x");
    for (const count of [6, 500_000]) {
      const response = await returning(coded(count))();
      expect(response.status).toBe(200);
      const error = (await response.text().catch((error: unknown) => error)) as Error;
      expect(error).toBeInstanceOf(TypeError);
      expect(error.message).toBe(`the response has ${count} content-encodings; at most 5 are undone`);
    }
  }, 60_000);

  test("with a header value of 6 MB", async () => {
    const response = await returning(`{"statusCode":200,"headers":{"x":"${"v".repeat(6_000_000)}"}}`)();
    expect(response.headers.get("x")).toHaveLength(6_000_000);
  });

  test.each(["[", '{"a":'])(
    "nested 200,000 deep: %s",
    async (open) => {
      const depth = 200_000;
      const close = open === "[" ? "]" : "}";
      const deep = open.repeat(depth) + (open === "[" ? "" : "1") + close.repeat(depth);
      for (const payload of [
        deep,
        `{"statusCode":200,"body":${deep}}`,
        `{"statusCode":${deep}}`,
        `{"headers":{"x":${deep}}}`,
      ]) {
        for (const payloadFormat of ["rest-api", "http-api"] as const) {
          const response = await returning(payload, { payloadFormat })();
          expect([200, 502]).toContain(response.status);
          if (response.status === 502) expect((await response.text()).length).toBeLessThan(500);
        }
      }
      const failed = {
        payload: Buffer.from(`{"errorMessage":${deep},"stackTrace":[${deep}]}`),
        functionError: "Unhandled",
      };
      const fetch = createFetch({ invoker: { invoke: async () => failed } });
      expect((await fetch(APP)).status).toBe(502);
    },
    60_000,
  );

  test("that redirect to a name made for a pattern of followTo to search for ever", async () => {
    // Letter by letter, with every * taking every part of it, it would be compared for years.
    const name = "a-".repeat(120);
    const location = `http+lambda://${name}/`;
    const result = JSON.stringify({ statusCode: 302, headers: { location } });
    const error = returning(result, { followTo: [`${"*a-".repeat(12)}x`] })();
    await expect(error).rejects.toBeInstanceOf(UnsafeRedirectError);
    const followed = returning(result, { followTo: [`${"*a-".repeat(12)}*-`], maxRedirects: 1 })();
    await expect(followed).rejects.toMatchObject({ name: "TooManyRedirectsError", target: { functionName: name } });
  }, 60_000);

  test.each<[result: string, status: number, text: RegExp]>([
    ['{"statusCode":"abc"}', 502, /statusCode is "abc"/],
    ['{"statusCode":{}}', 502, /statusCode is \{\}/],
    ['{"statusCode":99}', 502, /statusCode is 99/],
    ['{"statusCode":1e400}', 502, /statusCode is/],
    ['{"headers":[]}', 502, /headers is an array/],
    ['{"headers":{"x":{}}}', 502, /headers\["x"\] is an object/],
    ['{"headers":{"x\\r\\ny":"1"}}', 502, /is no header name/],
    ['{"headers":{"x":"a\\r\\nSet-Cookie: b"}}', 502, /holds U\+000D/],
    ['{"headers":{"x":"\\u2028"}}', 502, /holds U\+2028/],
    ['{"multiValueHeaders":{"x":"1"}}', 502, /multiValueHeaders\["x"\] is a string/],
    ['{"multiValueHeaders":7}', 502, /multiValueHeaders is a number/],
    ['{"isBase64Encoded":true,"body":"%%%"}', 502, /body is not base64/],
    ['{"isBase64Encoded":true,"body":{}}', 502, /body is an object/],
    ['{"isBase64Encoded":"maybe"}', 502, /isBase64Encoded is "maybe"/],
    ['{"statusCode":"\u009b31m"}', 502, /statusCode is "\\u009b31m"/],
    ["", 502, /returned no HTTP response: the function returned null/],
    ["null", 502, /returned no HTTP response: the function returned null/],
    // What is no JSON is what a function streamed.
    ['{"statusCode":200,', 200, /^\{"statusCode":200,$/],
  ])("%s is a %i", async (result, status, text) => {
    const response = await returning(result)();
    expect(response.status).toBe(status);
    expect(await response.text()).toMatch(text);
  });

  test("that are no UTF-8, or cut off in the middle, are bytes, and are not called anything else", async () => {
    const whole = Buffer.from('{"statusCode":200,"body":"größe"}');
    for (const payload of [Buffer.from([0xff, 0xfe, 0x00]), whole.subarray(0, -4), Buffer.alloc(1_000_000, 0x80)]) {
      const response = await returning(payload)();
      expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/octet-stream"]);
      expect(Buffer.compare(await response.bytes(), payload)).toBe(0);
    }
  });
});

/** A server whose every answer is made by `write`, which has the socket to itself. */
async function lambda(write: (socket: Socket) => string | undefined): Promise<FaultyLambda> {
  const server = await faultyLambda({
    name: "hostile",
    runs: true,
    answer(socket) {
      const text = write(socket);
      if (text !== undefined) socket.write(text);
    },
  });
  closers.push(() => server.close());
  return server;
}

describe("an endpoint", () => {
  const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" };
  const OK = http(200, {}, '{"statusCode":200,"body":"fine"}');

  /** Writes the same again and again, as fast as it is read, until the client hangs up. */
  function flood(socket: Socket, head: string, chunk: string | Buffer): void {
    const pump = (): void => {
      while (!socket.destroyed && socket.write(chunk));
    };
    socket.on("drain", pump);
    socket.write(head);
    pump();
  }

  /** What the first call ends with; the second has to succeed on the same session. */
  async function afterwards(first: (socket: Socket) => string | undefined, timeout?: number): Promise<InvokeError> {
    let calls = 0;
    const sockets: Socket[] = [];
    const { endpoint } = await lambda((socket) => {
      sockets.push(socket);
      return calls++ === 0 ? first(socket) : OK;
    });
    const session = new Session({ endpoint, region: "eu-west-1", credentials, retry: false });
    closers.push(() => session.close());
    const error = await session
      .get(APP, timeout === undefined ? {} : { timeout })
      .then(() => undefined)
      .catch((error: unknown) => error);
    if (!(error instanceof InvokeError)) throw error ?? new Error("it was answered");
    expect(error.message.length).toBeLessThan(1000);
    expect(await session.get(APP).text()).toBe("fine");
    await allClosed(session, sockets);
    return error;
  }

  /** The connection of the first call goes by itself; once the session is closed, none is left. */
  async function allClosed(session: Session, [first, ...others]: Socket[]): Promise<void> {
    const closed = async (socket: Socket | undefined): Promise<void> => {
      if (socket !== undefined && !socket.destroyed) await once(socket, "close");
    };
    await closed(first);
    await session.close();
    for (const socket of others) await closed(socket);
  }

  test("that sends headers without end is left", async () => {
    const error = await afterwards((socket) => void flood(socket, "HTTP/1.1 200 OK\r\n", "X-A: 1\r\n".repeat(100)));
    expect(error).toMatchObject({ code: "HPE_HEADER_OVERFLOW", outcome: "unknown" });
  });

  test("that sends one header line without end is left", async () => {
    const error = await afterwards((socket) => void flood(socket, "HTTP/1.1 200 OK\r\nX-A: ", "a".repeat(1000)));
    expect(error).toMatchObject({ code: "HPE_HEADER_OVERFLOW", outcome: "unknown" });
  });

  test("that sends a body without end is left after 200 MB, and not asked again", async () => {
    const megabyte = Buffer.alloc(1024 * 1024, 0x20);
    const error = await afterwards(
      (socket) => void flood(socket, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", megabyte),
    );
    expect(error).toMatchObject({ code: "ERR_ANSWER_TOO_LARGE", outcome: "completed", attempts: 1 });
    expect(error.message).toContain("the answer is over 209715200 bytes");
  }, 60_000);

  /** 100s without end, and no answer. */
  function inform(socket: Socket): void {
    const timer = setInterval(() => socket.write("HTTP/1.1 100 Continue\r\n\r\n"), 1);
    socket.once("close", () => clearInterval(timer));
  }

  test("that sends 100s without end, and no answer, is left when the time is up", async () => {
    expect(await afterwards((socket) => void inform(socket), 200)).toMatchObject({ code: "ERR_TIMEOUT" });
  });

  test("that sends 100s without end is left when the caller has had enough", async () => {
    const sockets: Socket[] = [];
    const controller = new AbortController();
    const reason = new Error("enough");
    const { endpoint } = await lambda((socket) => {
      sockets.push(socket);
      if (sockets.length > 1) return OK;
      inform(socket);
      controller.abort(reason);
      return undefined;
    });
    const session = new Session({ endpoint, region: "eu-west-1", credentials });
    closers.push(() => session.close());
    await expect(session.get(APP, { signal: controller.signal })).rejects.toBe(reason);
    expect(await session.get(APP).text()).toBe("fine");
    await allClosed(session, sockets);
  });

  test.each<[string, (socket: Socket) => unknown]>([
    ["orderly", (socket) => socket.end()],
    ["with a reset", (socket) => socket.resetAndDestroy()],
  ])("that closes the connection without an answer, %s", async (_name, close) => {
    const error = await afterwards((socket) => void close(socket));
    expect(error).toMatchObject({ code: "ECONNRESET", outcome: "unknown", attempts: 1 });
  });

  test.each<[string, string]>([
    ["garbage", "\u0000\u0001\u0002\r\n\r\n"],
    ["another protocol's greeting", "220 smtp.example.com ESMTP\r\n"],
    ["a status that is none", "HTTP/1.1 9999 X\r\n\r\n"],
    ["a header without a colon", "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"],
    ["a length that is none", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"],
    ["a length and chunks", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}"],
  ])("that answers with %s", async (_name, bytes) => {
    const error = await afterwards((socket) => {
      socket.end(bytes);
      return undefined;
    });
    expect(error).toMatchObject({ outcome: "unknown", attempts: 1 });
    expect(error.code).toMatch(/^HPE_/);
  });

  test("that promises more than it sends", async () => {
    const error = await afterwards((socket) => {
      socket.end("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{}");
      return undefined;
    });
    expect(error).toMatchObject({ code: "ECONNRESET", outcome: "unknown" });
  });

  test("that sends more than it promised: the rest is no answer to the next call", async () => {
    let calls = 0;
    const injected = http(200, {}, '{"statusCode":200,"body":"injected"}');
    const { endpoint } = await lambda(() => (calls++ === 0 ? OK + injected : OK));
    const session = new Session({ endpoint, region: "eu-west-1", credentials });
    closers.push(() => session.close());
    for (let i = 0; i < 3; i++) expect(await session.get(APP).text()).toBe("fine");
  });
});

describe("a bomb", () => {
  const LIMIT = 10 * 1024 * 1024;
  const GIGABYTE = 1024 * 1024 * 1024;
  let gzip: Buffer;

  beforeAll(async () => {
    // A gigabyte of zeros in a megabyte.
    const packer = createGzip({ level: 9 });
    const parts: Buffer[] = [];
    packer
      .pipe(new Transform({ transform: (chunk: Buffer, _encoding, done) => done(void parts.push(chunk)) }))
      .resume();
    const zeros = Buffer.alloc(16 * 1024 * 1024);
    for (let i = 0; i < GIGABYTE / zeros.length; i++) {
      if (!packer.write(zeros)) await once(packer, "drain");
    }
    packer.end();
    await finished(packer);
    gzip = Buffer.concat(parts);
    expect(gzip.length).toBeLessThan(2 * 1024 * 1024);
  }, 60_000);
  afterAll(() => {
    gzip = Buffer.alloc(0);
  });

  function coded(body: Buffer, encoding: string): string {
    const headers = { "content-encoding": encoding };
    return JSON.stringify({ statusCode: 200, headers, body: body.toString("base64"), isBase64Encoded: true });
  }

  async function defused(
    payload: string,
    limit = LIMIT,
    options: LambdaOptions = { maxResponseSize: limit },
  ): Promise<void> {
    const before = process.memoryUsage().rss;
    const response = await returning(payload, options)();
    expect(response.status).toBe(200);
    expect(response.headers.get("content-encoding")).not.toBeNull();
    for (const read of [() => response.clone().text(), () => response.bytes()]) {
      const error = await read().catch((error: unknown) => error);
      expect(error).toBeInstanceOf(PayloadTooLargeError);
      expect(error).toMatchObject({ code: "ERR_PAYLOAD_TOO_LARGE", limit, request: { url: APP } });
      expect((error as PayloadTooLargeError).size).toBeGreaterThan(limit);
      expect((error as Error).message).toContain("maxResponseSize");
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(limit + 250 * 1024 * 1024);
  }

  test("in gzip", () => defused(coded(gzip, "gzip")), 60_000);
  test("in gzip of gzip", () => defused(coded(gzipSync(gzip), "gzip, gzip")), 60_000);
  test("in deflate", () => defused(coded(deflateSync(Buffer.alloc(100 * 1024 * 1024)), "deflate")), 60_000);
  test(
    "in br",
    () => defused(coded(brotliCompressSync(Buffer.alloc(100 * 1024 * 1024), { params: { 1: 1 } }), "br")),
    60_000,
  );
  test("by default, at 200 MB", () => defused(coded(gzip, "gzip"), 200 * 1024 * 1024, {}), 60_000);

  test("a body as large as the limit is read, be it coded or plain; a byte more is not", async () => {
    const options = { maxResponseSize: 1000 };
    for (const [size, fits] of [
      [1000, true],
      [1001, false],
    ] as const) {
      const plain = JSON.stringify({ statusCode: 200, body: "x".repeat(size) });
      for (const payload of [plain, coded(gzipSync(Buffer.alloc(size)), "gzip")]) {
        const response = await returning(payload, options)();
        expect(response.status).toBe(200);
        const read = response.arrayBuffer();
        if (fits) expect((await read).byteLength).toBe(size);
        else await expect(read).rejects.toThrow(PayloadTooLargeError);
      }
    }
  });
});
