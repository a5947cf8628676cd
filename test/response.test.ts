import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { inspect } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import * as zlib from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FunctionError, HTTPError } from "../src/errors.ts";
import { createFetch } from "../src/fetch.ts";
import { writeFrame } from "../src/formats/stream.ts";
import { parseReport } from "../src/invocation-info.ts";
import type { Invocation, InvocationResult } from "../src/invoke/invoker.ts";
import type { LambdaRequestInit } from "../src/request.ts";
import { LambdaResponse, type ResponseFacts } from "../src/response.ts";

const URL_ = "http+lambda://app/v1?a=1";

/** The response to this result of a function. */
function answer(result: unknown, init: LambdaRequestInit = {}): Promise<LambdaResponse> {
  return createFetch({ functions: { app: async () => result } })(URL_, init);
}

function bytesAnswer(bytes: Uint8Array, headers: Record<string, string> = {}, init?: LambdaRequestInit) {
  const body = Buffer.from(bytes).toString("base64");
  return answer({ statusCode: 200, headers, body, isBase64Encoded: true }, init);
}

/** The response where an invoker answers so. */
function invoked(
  result: Omit<InvocationResult, "payload"> & { payload?: string | Uint8Array },
  init?: LambdaRequestInit,
  url = URL_,
) {
  const invocations: Invocation[] = [];
  const invoke = async (invocation: Invocation): Promise<InvocationResult> => {
    invocations.push(invocation);
    return { ...result, payload: Buffer.from(result.payload ?? "{}") };
  };
  return { invocations, response: createFetch({ invoker: { invoke } })(url as typeof URL_, init) };
}

test("it is a Response, and says what a Response says", async () => {
  const headers = { "content-type": "text/plain", "X-One": "1" };
  const response: Response = await answer({ statusCode: 201, headers, body: "hello" });
  expect(response).toBeInstanceOf(Response);
  expect(response).toBeInstanceOf(LambdaResponse);
  expect(response).toMatchObject({ status: 201, statusText: "Created", ok: true, redirected: false, url: URL_ });
  expect(response.headers.get("x-one")).toBe("1");
  expect(response).toMatchObject({ history: [], elapsed: expect.any(Number) });
});

test.each([
  [200, "OK", true],
  [299, "", true],
  [300, "Multiple Choices", false],
  [404, "Not Found", false],
  [418, "I'm a Teapot", false],
  [500, "Internal Server Error", false],
  [599, "", false],
])("status %i", async (statusCode, statusText, ok) => {
  expect(await answer({ statusCode })).toMatchObject({ status: statusCode, statusText, ok });
});

test("cookies stay apart, other repeated headers are joined", async () => {
  const multiValueHeaders = { "Set-Cookie": ["a=1; Path=/", "b=2, 3"], Vary: ["Accept", "Cookie"] };
  const { headers } = await answer({ multiValueHeaders });
  expect(headers.getSetCookie()).toEqual(["a=1; Path=/", "b=2, 3"]);
  expect(headers.get("vary")).toBe("Accept, Cookie");
});

describe("reading it", () => {
  type Reader = "text" | "json" | "bytes" | "arrayBuffer" | "blob" | "formData";
  const READERS: Reader[] = ["text", "json", "bytes", "arrayBuffer", "blob", "formData"];
  // JSON and a form at once.
  const form = () => answer({ headers: { "content-type": "application/x-www-form-urlencoded" }, body: "12" });

  test("each reader", async () => {
    expect(await (await form()).text()).toBe("12");
    expect(await (await form()).json()).toBe(12);
    expect(await (await form()).bytes()).toEqual(Uint8Array.of(49, 50));
    expect(new Uint8Array(await (await form()).arrayBuffer())).toEqual(Uint8Array.of(49, 50));
    const blob = await (await form()).blob();
    expect([blob.type, blob.size, await blob.text()]).toEqual(["application/x-www-form-urlencoded", 2, "12"]);
    expect([...(await (await form()).formData())]).toEqual([["12", ""]]);
  });

  test.each(READERS)("%s, and then none", async (reader) => {
    for (const second of READERS) {
      const response = await form();
      expect(response.bodyUsed).toBe(false);
      const reading = response[reader]();
      expect(response.bodyUsed).toBe(true);
      await reading;
      expect(response.bodyUsed).toBe(true);
      await expect(response[second](), second).rejects.toThrow(TypeError);
      expect(() => response.clone()).toThrow(TypeError);
      expect(response.bodyUsed).toBe(true);
    }
  });

  test("two readers at the same time", async () => {
    const response = await form();
    const [first, second] = await Promise.allSettled([response.text(), response.json()]);
    expect(first).toEqual({ status: "fulfilled", value: "12" });
    expect(second).toMatchObject({ status: "rejected", reason: expect.any(TypeError) });
  });

  test.each([
    ["a byte-order mark", [0xef, 0xbb, 0xbf, 0x37]],
    ["no UTF-8", [0x61, 0xff, 0xc3, 0x28, 0xed, 0xa0, 0x80]],
    ["nothing", []],
    ["no JSON", [0x7b]],
    ["JSON", [0x20, 0x37, 0x0a]],
  ])("text and JSON are read as the standard's: %s", async (_name, octets) => {
    const bytes = Uint8Array.from(octets);
    const settled = async (response: Response) => {
      const [text, json] = await Promise.allSettled([response.clone().text(), response.json()]);
      return [text, json.status === "fulfilled" ? json.value : json.reason.name];
    };
    // The platform's own readers, on a charset that they ignore.
    const type = { "content-type": "text/plain; charset=iso-8859-1" };
    expect(await settled(await bytesAnswer(bytes, type))).toEqual(
      await settled(new Response(bytes, { headers: type })),
    );
  });

  test("JSON that is none", async () => {
    const response = await answer({ body: "<html>" });
    await expect(response.json()).rejects.toThrow(SyntaxError);
    expect(response.bodyUsed).toBe(true);
  });

  test("the bytes are the caller's own", async () => {
    const response = await answer({ body: "hello" });
    const copy = response.clone();
    const bytes = await response.bytes();
    expect(bytes.buffer.byteLength).toBe(5);
    bytes.fill(0);
    expect(await copy.text()).toBe("hello");
  });

  test("a multipart form", async () => {
    const sent = new FormData();
    sent.append("file", new Blob([Uint8Array.of(0, 255)], { type: "x/y" }), "ü.bin");
    const { headers, body } = { headers: new Response(sent).headers, body: new Response(sent) };
    const type = body.headers.get("content-type") ?? headers.get("content-type") ?? "";
    const response = await bytesAnswer(new Uint8Array(await body.arrayBuffer()), { "content-type": type });
    const file = (await response.formData()).get("file") as File;
    expect([file.name, file.type, file.size]).toEqual(["ü.bin", "x/y", 2]);
  });

  test("a form that is none", async () => {
    await expect((await answer({ body: "{}" })).formData()).rejects.toThrow(TypeError);
  });
});

describe("its stream", () => {
  const collect = async (body: Response["body"]): Promise<string> => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of body ?? []) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  };

  test("is read once", async () => {
    const response = await answer({ body: "héllo" });
    const { body } = response;
    expect(body).toBeInstanceOf(ReadableStream);
    expect(response.body).toBe(body);
    expect(response.bodyUsed).toBe(false);
    expect(await collect(body)).toBe("héllo");
    expect(response.bodyUsed).toBe(true);
    await expect(response.text()).rejects.toThrow(TypeError);
  });

  test.each(["text", "json", "bytes", "arrayBuffer", "blob"] as const)("does not hinder %s", async (reader) => {
    const response = await answer({ body: '"x"' });
    expect(response.body?.locked).toBe(false);
    const standard = await new Response('"x"', { headers: response.headers })[
      reader === "bytes" ? "arrayBuffer" : reader
    ]();
    const expected = reader === "bytes" ? new Uint8Array(standard as ArrayBuffer) : standard;
    expect(await response[reader]()).toEqual(expected);
    expect(response.bodyUsed).toBe(true);
  });

  test("a reader locks it", async () => {
    const response = await answer({ body: "x" });
    const reader = response.body?.getReader();
    expect(response.body?.locked).toBe(true);
    await expect(response.text()).rejects.toThrow(TypeError);
    expect(() => response.clone()).toThrow(TypeError);
    reader?.releaseLock();
    expect(await response.text()).toBe("x");
  });

  test("is gone after another reader", async () => {
    const response = await answer({ body: "x" });
    await response.text();
    expect(await collect(response.body)).toBe("");
    expect(response.bodyUsed).toBe(true);
    expect(() => new Response(response.body)).toThrow(TypeError);
  });

  test("can be cancelled", async () => {
    const response = await answer({ body: "x" });
    await response.body?.cancel();
    expect(response.bodyUsed).toBe(true);
    await expect(response.text()).rejects.toThrow(TypeError);
  });

  test("goes into another Response, as servers and frameworks do it", async () => {
    const response = await answer({ statusCode: 201, headers: { "x-one": "1" }, body: "héllo" });
    const passedOn = new Response(response.body, response);
    expect([passedOn.status, passedOn.statusText, passedOn.headers.get("x-one")]).toEqual([201, "Created", "1"]);
    expect(await passedOn.text()).toBe("héllo");
    expect(response.bodyUsed).toBe(true);
  });
});

describe("a clone and the garbage collector", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;

  test.each(["buffered", "streamed"])("%s: its body is there as long as it is", async (kind) => {
    const original = await answer({ statusCode: 200, body: "hello" });
    const response =
      kind === "buffered" ? original : new LambdaResponse(new Blob(["hello"]).stream(), {}, factsOf(original));
    expect(response.body).not.toBeNull();
    const copy = response.clone();
    for (let turn = 0; turn < 5; turn++) {
      collect();
      await new Promise(setImmediate);
    }
    expect([await response.text(), await copy.text()]).toEqual(["hello", "hello"]);
  });

  function factsOf({ invocation, history, elapsed, url }: LambdaResponse): ResponseFacts {
    return { request: { method: "GET", url }, target: { functionName: "app" }, invocation, history, elapsed };
  }
});

describe("a clone", () => {
  test("is read apart from the original", async () => {
    const original = await answer({ statusCode: 203, headers: { "x-one": "1" }, body: "hello" });
    const copies = [original.clone(), original.clone().clone()];
    for (const response of [original, ...copies]) {
      expect(response).toBeInstanceOf(LambdaResponse);
      expect(response).toMatchObject({ status: 203, statusText: "Non-Authoritative Information", url: URL_, ok: true });
      expect(response.headers.get("x-one")).toBe("1");
      expect(response.invocation).toEqual(original.invocation);
      expect([response.history, response.elapsed, response.redirected]).toEqual([[], original.elapsed, false]);
      expect(response.bodyUsed).toBe(false);
      expect(await response.text()).toBe("hello");
    }
  });

  test("has headers of its own", async () => {
    const original = await answer({ headers: { "x-one": "1" } });
    const copy = original.clone();
    copy.headers.set("x-one", "2");
    expect(original.headers.get("x-one")).toBe("1");
  });

  test("of a response whose stream was looked at", async () => {
    const original = await answer({ body: "hello" });
    expect(original.body).not.toBeNull();
    const copy = original.clone();
    expect([await copy.text(), copy.url]).toEqual(["hello", URL_]);
    expect(original.bodyUsed).toBe(false);
    expect(await original.clone().text()).toBe("hello");
    expect(await original.text()).toBe("hello");
  });

  test("raises as the original does", async () => {
    const copy = (await answer({ statusCode: 404 })).clone();
    expect(() => copy.raiseForStatus()).toThrow(`GET ${URL_}: 404 Not Found (client error)`);
  });
});

describe("without a body", () => {
  const checkEmpty = async (response: LambdaResponse): Promise<void> => {
    expect(response.body).toBeNull();
    expect(await response.clone().text()).toBe("");
    expect((await response.clone().arrayBuffer()).byteLength).toBe(0);
    expect((await response.blob()).size).toBe(0);
    expect(response.bodyUsed).toBe(false);
  };

  test.each([204, 205, 304])("%i, whatever the function returned", async (statusCode) => {
    const encoded = { "content-encoding": "gzip" };
    const results = [{}, { body: null }, { body: "" }, { body: "surplus" }, { body: "no gzip", headers: encoded }];
    for (const result of results) {
      const response = await answer({ statusCode, ...result });
      expect(response.status).toBe(statusCode);
      await checkEmpty(response);
    }
  });

  test("HEAD keeps the head as it is", async () => {
    const headers = { "content-length": "1234", "content-encoding": "gzip", "content-type": "text/html" };
    const response = await answer({ statusCode: 200, headers, body: "surplus" }, { method: "HEAD" });
    expect(Object.fromEntries(response.headers)).toEqual(headers);
    await checkEmpty(response);
  });

  test("304 keeps the length of what it stands for", async () => {
    const response = await answer({ statusCode: 304, headers: { "content-length": "1234", etag: '"1"' } });
    expect(response.headers.get("content-length")).toBe("1234");
  });
});

describe("content codings", () => {
  const TEXT = `${"größe ".repeat(50)}end`;
  const plain = Buffer.from(TEXT);
  const gzipped = zlib.gzipSync(plain);
  const { zstdCompressSync } = zlib as { zstdCompressSync?: (bytes: Uint8Array) => Buffer };

  test.each<[string, Uint8Array, string]>([
    ["gzip", gzipped, TEXT],
    ["x-gzip", gzipped, TEXT],
    ["GZip", gzipped, TEXT],
    ["deflate", zlib.deflateSync(plain), TEXT],
    ["deflate", zlib.deflateRawSync(plain), TEXT],
    ["br", zlib.brotliCompressSync(plain), TEXT],
    ["identity", plain, TEXT],
    ["", plain, TEXT],
    ["gzip, br", zlib.brotliCompressSync(gzipped), TEXT],
    ["deflate,gzip , gzip", zlib.gzipSync(zlib.gzipSync(zlib.deflateSync(plain))), TEXT],
    ["gzip", new Uint8Array(), ""],
    ["br", new Uint8Array(), ""],
    // A coding that nobody knows, and what stands before it, stays.
    ["rot13", plain, TEXT],
    ["rot13, gzip", gzipped, TEXT],
    ["gzip, rot13", plain, TEXT],
    ...(zstdCompressSync === undefined ? [] : [["zstd", zstdCompressSync(plain), TEXT] as const]).map(
      (row) => [...row] as [string, Uint8Array, string],
    ),
  ])("%s", async (encoding, bytes, expected) => {
    const response = await bytesAnswer(bytes, { "content-encoding": encoding });
    expect(await response.clone().text()).toBe(expected);
    expect(response.headers.get("content-encoding"), "stays, as in fetch").toBe(encoding);
    expect(response.headers.get("content-length"), "of what was encoded, as in fetch").toBe(String(bytes.length));
    expect(Buffer.from(await response.arrayBuffer()).toString()).toBe(expected);
  });

  describe("as the platform's fetch", () => {
    const bodies = new Map<string, { encoding: string; bytes: Uint8Array }>();
    const server = createServer((request, response) => {
      const { encoding = "", bytes = plain } = bodies.get(request.url ?? "") ?? {};
      response.writeHead(200, { "content-encoding": encoding, "content-length": bytes.length }).end(bytes);
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

    test.each<[string, string, Uint8Array]>([
      ["gzip", "gzip", gzipped],
      ["gzip that ends too early", "gzip", gzipped.subarray(0, -12)],
      ["gzip with something behind it", "gzip", Buffer.concat([gzipped, Buffer.from("rest")])],
      ["two gzip members", "gzip", Buffer.concat([gzipped, gzipped])],
      ["deflate with a header", "deflate", zlib.deflateSync(plain)],
      ["deflate without", "deflate", zlib.deflateRawSync(plain)],
      ["br", "br", zlib.brotliCompressSync(plain)],
      ["no gzip", "gzip", plain],
      ["no br", "br", plain],
    ])("%s", async (name, encoding, bytes) => {
      const path = `/${encodeURIComponent(name)}`;
      bodies.set(path, { encoding, bytes });
      const read = (response: Response): Promise<string> => response.text().catch((error: Error) => error.name);
      const expected = await read(await globalThis.fetch(origin + path));
      expect(await read(await bytesAnswer(bytes, { "content-encoding": encoding }))).toBe(expected);
    });
  });

  test.each(["gzip", "deflate", "br"])("a body that is no %s: the head is good, reading it fails", async (encoding) => {
    const headers = { "content-encoding": encoding, "x-one": "1" };
    const response = await answer({ statusCode: 203, headers, body: "\u0007 no such thing" });
    expect([response.status, response.headers.get("x-one"), response.url]).toEqual([203, "1", URL_]);
    expect(response.invocation.functionName).toBe("app");
    const message = `the response says content-encoding: ${encoding}, but its body is not ${encoding}`;
    const copy = response.clone();
    await expect(response.text()).rejects.toThrow(new TypeError(message));
    await expect(copy.body?.getReader().read()).rejects.toThrow(message);
    expect(response.bodyUsed).toBe(true);
  });
});

describe("headers about the way here", () => {
  const HOP_BY_HOP = ["Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade"];
  test.each(HOP_BY_HOP)("%s is left out", async (name) => {
    for (const spelled of [name, name.toLowerCase()]) {
      const { headers } = await answer({ headers: { [spelled]: "1" }, multiValueHeaders: { [spelled]: ["2"] } });
      expect(headers.has(name)).toBe(false);
    }
  });

  test.each(["Date", "Server", "Via", "ETag", "X-Amzn-Remapped-Date", "WWW-Authenticate", "Age"])(
    "%s stays",
    async (name) => {
      expect((await answer({ headers: { [name]: "1" } })).headers.get(name)).toBe("1");
    },
  );

  test.each([
    ["too much", "99", "hello", "5"],
    ["too little", "1", "héllo", "6"],
    ["nonsense", "-1, 2", "hello", "5"],
    ["of nothing", "7", "", "0"],
  ])("a Content-Length that says %s is set right", async (_name, length, body, expected) => {
    const { headers } = await answer({ headers: { "Content-Length": length }, body });
    expect(headers.get("content-length")).toBe(expected);
  });

  test("one that is absent is added", async () => {
    expect((await answer({ body: "hello" })).headers.get("content-length")).toBe("5");
  });
});

describe("the invocation", () => {
  test("all that an invoker knows", async () => {
    const known = { requestId: "id-1", executedVersion: "7", traceId: "Root=1-2-3", region: "eu-west-1", attempts: 2 };
    const report =
      "REPORT RequestId: id-1\tDuration: 1.5 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 64 MB\t\n";
    const { response, invocations } = invoked(
      { ...known, logs: report },
      { lambda: { logs: true } },
      "http+lambda://app:prod/v1",
    );
    expect((await response).invocation).toEqual({
      ...known,
      functionName: "app",
      qualifier: "prod",
      elapsed: expect.any(Number),
      payloadFormat: "rest-api",
      logs: report,
      report: { duration: 1.5, billedDuration: 2, memorySize: 128, maxMemoryUsed: 64 },
    });
    const request = { method: "GET", url: "http+lambda://prod.app/v1" };
    expect(invocations).toMatchObject([{ target: { functionName: "app", qualifier: "prod" }, logs: true, request }]);
  });

  test("nothing", async () => {
    const { response, invocations } = invoked({});
    const { invocation } = await response;
    expect(invocation).toEqual({
      functionName: "app",
      attempts: 1,
      elapsed: expect.any(Number),
      payloadFormat: "rest-api",
    });
    expect(invocation.elapsed).toBeGreaterThanOrEqual(0);
    expect(invocations).toMatchObject([{ logs: false }]);
  });

  test("the region is the invoker's, or the URL's", async () => {
    const url = "http+lambda://arn:aws:lambda:eu-west-1:123456789012:function:app/";
    expect((await invoked({}, {}, url).response).invocation.region).toBe("eu-west-1");
    expect((await invoked({ region: "us-east-1" }, {}, url).response).invocation.region).toBe("us-east-1");
  });

  test("the qualifier of the options, of the URL, and of both", async () => {
    const qualifierOf = async (url: string, qualifier?: string, own?: string): Promise<string | undefined> => {
      const fetch = createFetch({
        functions: { app: async () => ({}) },
        ...(qualifier !== undefined && { qualifier }),
      });
      const { invocation } = await fetch(url as typeof URL_, own === undefined ? {} : { lambda: { qualifier: own } });
      return invocation.qualifier;
    };
    expect(await qualifierOf("http+lambda://app/")).toBeUndefined();
    expect(await qualifierOf("http+lambda://app/", "prod")).toBe("prod");
    expect(await qualifierOf("http+lambda://app/", "prod", "dev")).toBe("dev");
    // The URL is nearer than an option for all requests.
    expect(await qualifierOf("http+lambda://blue.app/", "prod")).toBe("blue");
    expect(await qualifierOf("http+lambda://blue.app/", "prod", "blue")).toBe("blue");
  });

  test("elapsed of the call covers that of the invocation", async () => {
    const { elapsed, invocation } = await answer({});
    expect(elapsed).toBeGreaterThanOrEqual(invocation.elapsed);
  });
});

describe("the report in a log", () => {
  const facts = { duration: 12.34, billedDuration: 13, memorySize: 128, maxMemoryUsed: 64 };
  const line =
    "REPORT RequestId: 8f5\tDuration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 64 MB\t";
  const json = (metrics: object): string =>
    JSON.stringify({
      time: "2026-07-10T19:19:04.123Z",
      type: "platform.report",
      record: { requestId: "8f5", metrics, status: "success" },
    });
  const metrics = { durationMs: 12.34, billedDurationMs: 13, memorySizeMB: 128, maxMemoryUsedMB: 64 };

  test.each<[string, string, object | undefined]>([
    ["a warm start", `START RequestId: 8f5 Version: $LATEST\nhello\nEND RequestId: 8f5\n${line}\n`, facts],
    ["a cold start", `${line}Init Duration: 150.01 ms\t\n`, { ...facts, initDuration: 150.01 }],
    ["X-Ray behind it", `${line}\nXRAY TraceId: 1-5b\tSegmentId: 1\tSampled: true\t\n`, facts],
    [
      "the runtime emulator's order",
      "REPORT RequestId: 8f5\tInit Duration: 0.09 ms\tMax Memory Used: 64 MB\tMemory Size: 128 MB\tBilled Duration: 13 ms\tDuration: 12.34 ms\t\n",
      { ...facts, initDuration: 0.09 },
    ],
    ["SnapStart", `${line}Restore Duration: 190.01 ms\tBilled Restore Duration: 180 ms\t\n`, facts],
    [
      "an initialisation that timed out",
      `INIT_REPORT Init Duration: 10009.06 ms\tPhase: init\tStatus: timeout\n${line}\n`,
      facts,
    ],
    ["a line of the function's own that looks like it", `${line}\nREPORT of the day: all is well\n`, facts],
    ["nothing but INIT_REPORT", "INIT_REPORT Init Duration: 10009.06 ms\tPhase: init\tStatus: timeout\n", undefined],
    ["a log that is cut in front", `ello\nEND RequestId: 8f5\n${line}\n`, facts],
    [
      "a report that is cut in front",
      "lled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 64 MB\t\n",
      undefined,
    ],
    ["a report that is cut behind", line.slice(0, -24), undefined],
    ["a report without numbers", line.replaceAll(/\d+(\.\d+)? /g, "? "), undefined],
    ["the function's own REPORT", `REPORT of sales: Duration: 1 ms\n${line}\n`, facts],
    ["REPORT within a line", `the REPORT RequestId: 1\n${line}\nsee REPORT above\n`, facts],
    ["JSON", `{"type":"platform.start"}\n${json(metrics)}\n`, facts],
    ["JSON, a cold start", json({ ...metrics, initDurationMs: 150.01 }), { ...facts, initDuration: 150.01 }],
    ["JSON that is cut", json(metrics).slice(30), undefined],
    ["JSON without numbers", json({ ...metrics, durationMs: "12.34" }), undefined],
    ["JSON without metrics", '{"type":"platform.report"}', undefined],
    ["no report", "hello\n", undefined],
    ["nothing", "", undefined],
  ])("%s", async (_name, logs, expected) => {
    expect(parseReport(logs)).toEqual(expected);
    const { invocation } = await invoked({ logs }).response;
    expect(invocation.report).toEqual(expected);
    expect(invocation.logs).toBe(logs);
  });
});

describe("a function that failed", () => {
  const node = {
    errorType: "TypeError",
    errorMessage: "x is undefined",
    trace: ["TypeError: x", "    at f (a.js:1:2)"],
  };

  test.each<[string, string, object]>([
    [
      "Node.js",
      JSON.stringify(node),
      { kind: "exception", errorType: "TypeError", errorMessage: "x is undefined", stackTrace: node.trace },
    ],
    [
      "Python",
      '{"errorType":"KeyError","errorMessage":"\'a\'","requestId":"1","stackTrace":["  File \\"a.py\\", line 1"]}',
      { kind: "exception", errorType: "KeyError", errorMessage: "'a'", stackTrace: ['  File "a.py", line 1'] },
    ],
    [
      "Go",
      '{"errorType":"errorString","errorMessage":"bad","stackTrace":[{"path":"main.go","line":7,"label":"main"}]}',
      { kind: "exception", errorType: "errorString", errorMessage: "bad", stackTrace: ["main.go:7 main"] },
    ],
    [
      "a timeout",
      '{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: 1 Error: Task timed out after 3.00 seconds"}',
      {
        kind: "timeout",
        errorType: "Sandbox.Timedout",
        errorMessage: "RequestId: 1 Error: Task timed out after 3.00 seconds",
      },
    ],
    ["no JSON", "segmentation fault", { kind: "exception", errorMessage: "segmentation fault" }],
    ["JSON of another kind", '"bad"', { kind: "exception", errorMessage: '"bad"' }],
    ["a proxy response", '{"statusCode":200}', { kind: "exception", errorMessage: '{"statusCode":200}' }],
  ])("in %s is a 502", async (_name, payload, failure) => {
    const response = await invoked({ payload, functionError: "Unhandled", requestId: "id-1" }).response;
    expect([response.status, response.statusText]).toEqual([502, "Bad Gateway"]);
    expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(response.invocation).toMatchObject({ functionError: failure, requestId: "id-1" });
    expect(response.invocation.functionError).toEqual(failure);
    expect(await response.text()).toBe((failure as { errorMessage: string }).errorMessage);
  });

  test('or a FunctionError, with functionErrors: "throw"', async () => {
    const result = { payload: JSON.stringify(node), functionError: "Unhandled", requestId: "id-1" };
    const error: FunctionError = await invoked(result, {
      method: "PUT",
      lambda: { functionErrors: "throw" },
    }).response.then(
      () => expect.unreachable(),
      (error) => error,
    );
    expect(error).toBeInstanceOf(FunctionError);
    expect(error).toMatchObject({
      name: "FunctionError",
      code: "ERR_FUNCTION",
      kind: "exception",
      stackTrace: node.trace,
    });
    expect(error).toMatchObject({
      errorType: "TypeError",
      errorMessage: "x is undefined",
      target: { functionName: "app" },
    });
    expect(error.message).toBe(`PUT ${URL_}: the function failed: TypeError: x is undefined`);
    const response = error.response as LambdaResponse;
    expect([response.status, response.invocation.requestId]).toEqual([502, "id-1"]);
    expect(await response.text()).toBe("x is undefined");
  });

  test("as an option of all requests, and of one", async () => {
    const handler = async (): Promise<never> => {
      throw new RangeError("too far");
    };
    const fetch = createFetch({
      functions: { app: handler, fine: async () => ({ statusCode: 502 }) },
      functionErrors: "throw",
    });
    await expect(fetch(URL_)).rejects.toThrow("the function failed: RangeError: too far");
    expect((await fetch(URL_, { lambda: { functionErrors: "response" } })).status).toBe(502);
    // A 502 of the application's own is an answer.
    expect((await fetch("http+lambda://fine/")).status).toBe(502);
  });
});

describe("a result that is no response", () => {
  test.each<[string, string | Uint8Array, RegExp]>([
    ["nothing", "", /^app returned no HTTP response: the function returned null;/],
    ["null", "null", /^app returned no HTTP response: the function returned null;/],
    ["text", '"hello"', /^app returned no HTTP response: the function returned a string \(.+\);/],
    ["another object", '{"hello":1}', /^app returned no HTTP response: .* the key "hello"/],
    ["a status that can't be", '{"statusCode":42}', /^app returned no HTTP response: statusCode is 42,/],
    [
      "a header that can't be",
      '{"headers":{"a":"b\\nc"}}',
      /^app returned no HTTP response: in headers, .* holds U\+000A/,
    ],
    [
      "a frame whose prelude can't be",
      writeFrame({ statusCode: 42 }, Buffer.from("body")),
      /^app returned no HTTP response: statusCode is 42,/,
    ],
  ])("%s is a 502 that says so", async (_name, payload, message) => {
    const response = await invoked({ payload }, { lambda: { functionErrors: "throw" } }).response;
    expect([response.status, response.headers.get("content-type")]).toEqual([502, "text/plain; charset=utf-8"]);
    expect(response.invocation.functionError).toBeUndefined();
    expect(await response.text()).toMatch(message);
  });

  test("the frame of a streaming function is one", async () => {
    const prelude = { statusCode: 203, headers: { "content-type": "image/png" }, cookies: ["a=1", "b=2"] };
    const response = await invoked({ payload: writeFrame(prelude, Uint8Array.of(0, 255, 0)) }).response;
    expect(response.status).toBe(203);
    expect(response.headers.get("content-type")).toBe("image/png");
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(await response.bytes()).toEqual(Uint8Array.of(0, 255, 0));
  });

  test("a prelude may hold keys that mean nothing", async () => {
    const frame = writeFrame({ status: 404, headers: { "x-a": "1" } }, Buffer.from("body"));
    const response = await invoked({ payload: frame }).response;
    expect([response.status, response.headers.get("x-a"), await response.text()]).toEqual([200, "1", "body"]);
  });

  test("what stands before eight NULs and is no object is no prelude", async () => {
    const bytes = writeFrame([1], Buffer.from("body"));
    const response = await invoked({ payload: bytes }).response;
    expect(response.headers.get("content-type")).toBe("application/octet-stream");
    expect(Buffer.compare(await response.bytes(), bytes)).toBe(0);
  });

  test("so is what a function streams without a prelude", async () => {
    const response = await invoked({ payload: Uint8Array.of(255, 0, 1) }).response;
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/octet-stream"]);
    expect(await response.bytes()).toEqual(Uint8Array.of(255, 0, 1));
  });
});

describe("raiseForStatus", () => {
  test.each([200, 204, 302, 399])("%i: the response itself", async (statusCode) => {
    const response = await answer({ statusCode, headers: { location: "/" } }, { redirect: "manual" });
    expect(response.raiseForStatus()).toBe(response);
  });

  test.each([
    [400, "400 Bad Request (client error)"],
    [404, "404 Not Found (client error)"],
    [499, "499  (client error)"],
    [500, "500 Internal Server Error (server error)"],
    [599, "599  (server error)"],
  ])("%i throws", async (statusCode, text) => {
    const response = await answer(
      { statusCode, headers: { "set-cookie": "hunter2" }, body: "why" },
      { method: "DELETE" },
    );
    let error: unknown;
    try {
      response.raiseForStatus();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(HTTPError);
    expect(error).toMatchObject({ name: "HTTPError", code: "ERR_HTTP_STATUS", status: statusCode });
    expect(error).toMatchObject({ request: { method: "DELETE", url: URL_ }, target: { functionName: "app" } });
    expect((error as HTTPError).message).toBe(`DELETE ${URL_}: ${text}`);
    expect((error as HTTPError).response).toBe(response);
    expect(inspect(error), "no headers in a log").not.toContain("hunter2");
    expect(await response.text()).toBe("why");
  });
});

describe("the bytes that are given are the reader's own", () => {
  const large = Buffer.alloc(100_000, "a");
  const base64 = large.toString("base64");
  const result = { statusCode: 200, headers: { "content-type": "image/png" }, body: base64, isBase64Encoded: true };
  const payload = Buffer.from(JSON.stringify(result));
  const get = createFetch({ invoker: { invoke: async () => ({ payload }) } });

  test("to change them changes no clone", async () => {
    const response = await get("http+lambda://app/");
    const clone = response.clone();
    const second = clone.clone();
    for (const one of [response, clone]) (await one.bytes()).fill(0);
    expect(Buffer.from(await second.arrayBuffer()).equals(large)).toBe(true);
  });

  test("nor what an invoker has given", async () => {
    const kept = Buffer.alloc(100_000, "a");
    const raw = createFetch({ invoker: { invoke: async () => ({ payload: kept }) } });
    for (let call = 0; call < 2; call++) {
      const bytes = await (await raw("http+lambda://app/")).bytes();
      expect(Buffer.from(bytes).equals(large)).toBe(true);
      bytes.fill(0);
    }
  });

  test("and have memory of their own that may be transferred", async () => {
    const response = await get("http+lambda://app/");
    const bytes = await response.bytes();
    const moved = structuredClone(bytes, { transfer: [bytes.buffer] });
    expect(Buffer.from(moved).equals(large)).toBe(true);
    expect(await (await get("http+lambda://app/")).bytes()).toHaveLength(large.length);
  });
});

test.each([
  ["text", "Crème brûlée"],
  ["a byte-order mark, which is taken away from text", "\ufeff{}"],
  ["half a surrogate, which no bytes can hold", "a\ud83d"],
  ["nothing", ""],
])("a body of %s reads the same as text, as bytes and as a stream", async (_, body) => {
  const standard = (): Response => new Response(body);
  const read = async (reader: (response: Response) => Promise<unknown>): Promise<void> => {
    const response = await answer({ statusCode: 200, body });
    expect(response.headers.get("content-length")).toBe(String(Buffer.byteLength(body)));
    expect(await reader(response)).toEqual(await reader(standard()));
  };
  await read((response) => response.text());
  await read(async (response) => Buffer.from(await response.arrayBuffer()).toString("hex"));
  await read(async (response) => buffer(response.body as ReadableStream));
  await read(async (response) => buffer((await response.blob()).stream() as ReadableStream));
  await read((response) => response.clone().text());
});
