/** What a function whose answers stream has to look like from the caller's side: one list, run over every application. */
import { createHash } from "node:crypto";
import { expect } from "vitest";
import { FunctionError } from "../../src/errors.ts";
import type { PayloadFormat } from "../../src/formats/formats.ts";
import type { LambdaResponse } from "../../src/response.ts";
import type { SessionRequestOptions } from "../../src/session-options.ts";
import {
  COOKIES,
  createSource,
  DATED_COOKIE,
  ERROR_MESSAGE,
  FIRST,
  LARGE_BYTES,
  LONG_TEXT,
  largePieces,
  MIDWAY_MESSAGE,
  NUL_PIECES,
  SECOND,
  type Source,
} from "../apps/streaming-app.ts";

export type StreamingAppName = "plain" | "hono" | "fastify" | "middy" | "powertools" | "srvx";

export type StreamingCall = (path: string, options?: CallOptions) => Promise<LambdaResponse>;

interface CallOptions extends SessionRequestOptions {
  readonly method?: string;
}

export interface StreamingExpectation {
  readonly name: string;
  /** Does it take so long that once a way is enough? */
  readonly isLarge?: boolean;
  run(call: StreamingCall, app: StreamingAppName): Promise<void>;
}

/** What an adapter does wrong, by its own code: expectations that have to fail there, so that a mended one is noticed. */
interface StreamingFailure {
  readonly apps: readonly StreamingAppName[];
  readonly formats?: readonly PayloadFormat[];
  readonly reason: string;
  /** Names of expectations. */
  readonly cases: readonly string[];
}

const ENDS_AT_ONCE = "a body that ends at once: status and headers are here all the same";
const SINGLE_COOKIE = "a single cookie, with a comma in it";
const SEVERAL_COOKIES = "several cookies";
const BYTES_POSTED = "POST: bytes arrive, and come back";
const BROKEN_OFF = "what throws midway breaks the body off, with what it had answered by then";
const BROKEN_OFF_AT_ONCE = "what throws midway is a 502 to who does not stream";
const TOLD = [
  "the application is told when the body is cancelled",
  "the application is told when the loop over the body is left",
  "the application is told when the signal is aborted",
];

export const streamingFailures: readonly StreamingFailure[] = [
  {
    apps: ["hono", "middy", "powertools"],
    reason:
      "they only end the stream of a body that turns out to be empty, and Lambda's sends no prelude without a write",
    cases: [ENDS_AT_ONCE],
  },
  {
    apps: ["hono"],
    reason: "Hono stops reading the body, and does not cancel it",
    cases: TOLD,
  },
  {
    apps: ["fastify"],
    reason: "light-my-request stops asking for more, and does not tell the stream that was sent",
    cases: TOLD,
  },
  {
    apps: ["powertools"],
    reason: "Powertools puts `headers` alone into the prelude: of several cookies the last, or none",
    cases: [SEVERAL_COOKIES],
  },
  {
    apps: ["powertools"],
    formats: ["rest-api"],
    reason: "Powertools splits cookies at every comma, and leaves out what are several then",
    cases: [SINGLE_COOKIE],
  },
  {
    apps: ["powertools"],
    reason: "Powertools decodes a base64 body as UTF-8, whatever it holds",
    cases: [BYTES_POSTED],
  },
  {
    apps: ["srvx"],
    reason: "srvx ends the stream before it throws, and behind the end AWS's runtime can tell of no error",
    cases: [BROKEN_OFF, BROKEN_OFF_AT_ONCE],
  },
];

/** Why an expectation has to fail; `undefined` when it has to be met. */
export function streamingFailureOf(
  app: StreamingAppName,
  format: PayloadFormat,
  { name }: StreamingExpectation,
): string | undefined {
  return streamingFailures.find(
    ({ apps, formats = [format], cases }) => apps.includes(app) && formats.includes(format) && cases.includes(name),
  )?.reason;
}

/** The apps whose adapter lets the function fail, and makes no 500 of it. */
const FAILING: readonly StreamingAppName[] = ["plain", "middy", "srvx"];
const NULS = Buffer.concat(NUL_PIECES);
// What lies between the two ends: buffers of the streams, and of the kernel's sockets.
export const HELD_BYTES: number = 32 * 1024 * 1024;

const heads: StreamingExpectation[] = [
  ...[200, 201, 404, 500].map((status) => ({
    name: `status ${status}, its content type and its body`,
    async run(call: StreamingCall): Promise<void> {
      const response = await call(`/status/${status}`);
      expect(response.status).toBe(status);
      expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
      expect(await response.text()).toBe(`status ${status}`);
    },
  })),
  {
    name: "the framework's 404",
    async run(call) {
      const response = await call("/nowhere");
      expect(response.status).toBe(404);
      await response.text();
    },
  },
  {
    name: "204 has no body",
    async run(call) {
      const response = await call("/status/204");
      expect([response.status, response.body, await response.text()]).toEqual([204, null, ""]);
      await response.invocation.completed;
    },
  },
  {
    name: "several headers, and one that has two values",
    async run(call) {
      const response = await call("/headers");
      expect(response.status).toBe(201);
      const { headers } = response;
      const values = ["x-one", "x-many", "cache-control"].map((name) => headers.get(name)?.split(/, ?/));
      expect(values).toEqual([["1"], ["a", "b"], ["no-store"]]);
      expect(await response.text()).toBe("ok");
    },
  },
  {
    name: "several cookies",
    async run(call) {
      const response = await call("/headers");
      expect(response.headers.getSetCookie()).toEqual(COOKIES);
      await response.text();
    },
  },
  {
    name: "a single cookie, with a comma in it",
    async run(call) {
      const response = await call("/cookie");
      expect(response.headers.getSetCookie()).toEqual([DATED_COOKIE]);
      await response.text();
    },
  },
  {
    name: "HEAD gets the head alone",
    async run(call) {
      const response = await call("/text", { method: "HEAD" });
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
      expect(await response.text()).toBe("");
      await response.invocation.completed;
    },
  },
  {
    name: "a redirect is followed to an answer that streams",
    async run(call) {
      const response = await call("/redirect");
      expect([response.status, response.redirected, new URL(response.url).pathname]).toEqual([200, true, "/text"]);
      expect(response.history.map(({ status }) => status)).toEqual([302]);
      expect(await response.text()).toBe(LONG_TEXT);
    },
  },
  {
    name: "a redirect that is not followed",
    async run(call) {
      const response = await call("/redirect", { allowRedirects: false });
      expect([response.status, response.headers.get("location")]).toEqual([302, "/text"]);
      await response.text();
    },
  },
];

const bodies: StreamingExpectation[] = [
  {
    name: "the first byte is here before the last is written",
    async run(call) {
      const source = createSource();
      const response = await call("/two", { params: { key: source.key } });
      const reader = readerOf(response);
      expect(await reader.read()).toBe(FIRST);
      source.release();
      expect(await reader.read()).toBe(SECOND);
      expect(await reader.read()).toBeUndefined();
    },
  },
  {
    name: "answers that stream at the same time don't wait for each other",
    async run(call) {
      const sources = [createSource(), createSource(), createSource()];
      const responses = await Promise.all(sources.map(({ key }) => call("/two", { params: { key } })));
      const readers = responses.map(readerOf);
      expect(await Promise.all(readers.map((reader) => reader.read()))).toEqual([FIRST, FIRST, FIRST]);
      for (const index of [1, 2, 0]) {
        sources[index]?.release();
        expect(await readers[index]?.read()).toBe(SECOND);
      }
    },
  },
  {
    name: "a clone has the same bytes, each as it comes",
    async run(call) {
      const source = createSource();
      const response = await call("/two", { params: { key: source.key } });
      const [one, other] = [readerOf(response.clone()), readerOf(response)];
      expect([await one.read(), await other.read()]).toEqual([FIRST, FIRST]);
      source.release();
      expect([await one.read(), await other.read()]).toEqual([SECOND, SECOND]);
    },
  },
  {
    name: "runs of NULs, at the start and over pieces, and every byte",
    async run(call) {
      const response = await call("/nuls");
      expect(response.headers.get("content-type")).toBe("application/octet-stream");
      expect(Buffer.from(await response.arrayBuffer()).equals(NULS)).toBe(true);
    },
  },
  {
    name: "text in pieces of one byte",
    async run(call) {
      expect(await (await call("/text")).text()).toBe(LONG_TEXT);
    },
  },
  {
    name: "no body: status and headers are here all the same",
    async run(call) {
      const response = await call("/empty");
      expect([response.status, response.headers.get("x-one"), await response.text()]).toEqual([200, "1", ""]);
      expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    },
  },
  {
    name: "a body that ends at once: status and headers are here all the same",
    async run(call) {
      const response = await call("/nothing");
      expect([response.status, response.headers.get("x-one"), await response.text()]).toEqual([200, "1", ""]);
    },
  },
  {
    name: "gzip is decoded as it comes",
    async run(call) {
      const source = createSource();
      const response = await call("/gzip", { params: { key: source.key } });
      const reader = readerOf(response);
      expect(await reader.read()).toBe(FIRST);
      source.release();
      expect(await reader.read()).toBe(SECOND);
      expect(await reader.read()).toBeUndefined();
    },
  },
  {
    name: "50 MB",
    isLarge: true,
    async run(call) {
      const hash = createHash("sha256");
      let size = 0;
      for await (const piece of bodyOf(await call("/large"))) {
        size += piece.length;
        hash.update(piece);
      }
      expect([size, hash.digest("hex")]).toEqual([LARGE_BYTES, largeHash()]);
    },
  },
  ...(
    [
      ["JSON", "application/json", '{"größe":"世界"}'],
      ["text", "text/plain; charset=utf-8", LONG_TEXT],
      ["bytes", "application/octet-stream", NULS],
    ] as const
  ).map(([name, type, body]) => ({
    name: `POST: ${name} arrive, and come back`,
    async run(call: StreamingCall): Promise<void> {
      const response = await call("/echo", { method: "POST", data: body, headers: { "Content-Type": type } });
      expect([response.status, response.headers.get("content-type")]).toEqual([200, type]);
      expect(Buffer.from(await response.arrayBuffer()).equals(Buffer.from(body))).toBe(true);
    },
  })),
];

const failures: StreamingExpectation[] = [
  {
    name: "what throws before the first byte is a 502 with the error, or the framework's own 500",
    async run(call, app) {
      const response = await call("/error");
      if (FAILING.includes(app)) {
        expect([response.status, response.invocation.functionError?.errorMessage]).toEqual([502, ERROR_MESSAGE]);
        expect(await response.text()).toBe(ERROR_MESSAGE);
      } else {
        expect([response.status, response.invocation.functionError]).toEqual([500, undefined]);
        expect(await response.text()).toMatch(/internal/i);
      }
    },
  },
  {
    name: BROKEN_OFF,
    async run(call, app) {
      const source = createSource();
      const response = await call("/midway", { params: { key: source.key }, logs: true });
      const { invocation } = response;
      const reader = readerOf(response);
      expect([response.status, await reader.read()]).toEqual([200, FIRST]);
      const completed = invocation.completed.catch((error: unknown) => error);
      source.release();
      const error: unknown = await reader.read().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(FunctionError);
      expect(await completed).toBe(error);
      const { errorMessage, message, logs } = error as FunctionError;
      // Fastify destroys its response, whatever for.
      expect(errorMessage).toBe(app === "fastify" ? "response destroyed before completion" : MIDWAY_MESSAGE);
      expect(message).toContain(`had answered with ${FIRST.length} bytes`);
      expect(invocation.functionError?.errorMessage).toBe(errorMessage);
      expect([logs, invocation.logs]).toEqual([expect.stringContaining("REPORT"), logs]);
    },
  },
  {
    name: BROKEN_OFF_AT_ONCE,
    async run(call) {
      const source = createSource();
      source.release();
      const response = await call("/midway", { params: { key: source.key }, responseStreaming: false });
      expect([response.status, response.invocation.functionError?.kind]).toEqual([502, "exception"]);
    },
  },
  {
    name: "what is larger than Lambda returns at once is a 502 to who does not stream",
    async run(call) {
      const response = await call("/large", { params: { bytes: 7 * 1024 * 1024 }, responseStreaming: false });
      expect([response.status, response.invocation.functionError?.kind]).toEqual([502, "too-large"]);
    },
  },
];

const flows: StreamingExpectation[] = [
  {
    name: "the log is known when the body has ended, and not before",
    async run(call) {
      const source = createSource();
      const response = await call("/two", { params: { key: source.key }, logs: true });
      const { completed } = response.invocation;
      const reader = readerOf(response);
      expect(await reader.read()).toBe(FIRST);
      expect(await Promise.race([completed, Promise.resolve("pending")])).toBe("pending");
      expect([response.invocation.logs, response.invocation.report]).toEqual([undefined, undefined]);
      source.release();
      expect(await reader.read()).toBe(SECOND);
      expect(await reader.read()).toBeUndefined();
      const { requestId, logs, report } = await completed;
      expect(logs).toMatch(new RegExp(`^START RequestId: ${requestId} `));
      expect(report).toMatchObject({ duration: expect.any(Number), memorySize: 128 });
    },
  },
  {
    name: "no more is made than is taken, nor after it was cancelled",
    async run(call) {
      const source = createSource();
      const response = await call("/endless", { params: { key: source.key } });
      const reader = bodyOf(response).getReader();
      expect((await reader.read()).value?.[0]).toBe(1);
      await callOthers(call);
      expect(source.produced).toBeLessThan(HELD_BYTES);
      const completed = response.invocation.completed.catch((error: unknown) => error);
      await reader.cancel();
      expect(await completed).toMatchObject({ name: "AbortError" });
      await callOthers(call);
      expect(source.produced).toBeLessThan(HELD_BYTES);
    },
  },
  {
    name: "a signal that is aborted ends the body, with its own reason",
    async run(call) {
      const source = createSource();
      const { response, reader, abort } = await abortable(call, "/endless", source);
      const reason = new Error("no longer wanted");
      abort(reason);
      const ends = async (): Promise<void> => {
        for (let next = await reader.read(); !next.done; next = await reader.read());
      };
      await expect(ends()).rejects.toBe(reason);
      await expect(response.invocation.completed).rejects.toBe(reason);
      await callOthers(call);
      expect(source.produced).toBeLessThan(HELD_BYTES);
    },
  },
  {
    name: "a signal that is aborted while the function writes nothing ends the body at once",
    async run(call) {
      const source = createSource();
      const { reader, abort } = await abortable(call, "/two", source);
      const next = reader.read();
      const reason = new Error("no longer wanted");
      abort(reason);
      await expect(next).rejects.toBe(reason);
      source.release();
      await callOthers(call);
    },
  },
  {
    name: "a signal that is aborted before the first byte ends the call, or its body, at once",
    async run(call) {
      const source = createSource();
      const controller = new AbortController();
      const text = call("/late", { params: { key: source.key }, signal: controller.signal }).then((response) =>
        response.text(),
      );
      await callOthers(call);
      const reason = new Error("no longer wanted");
      controller.abort(reason);
      await expect(text).rejects.toBe(reason);
      // What the application writes now goes nowhere, and breaks nothing.
      source.release();
      await callOthers(call);
    },
  },
  {
    name: "the application is told when the body is cancelled",
    async run(call) {
      const source = createSource();
      const reader = bodyOf(await call("/endless", { params: { key: source.key } })).getReader();
      await reader.read();
      await reader.cancel();
      expect(await isStopped(source, call)).toBe(true);
    },
  },
  {
    name: "the application is told when the loop over the body is left",
    async run(call) {
      const source = createSource();
      for await (const piece of bodyOf(await call("/endless", { params: { key: source.key } }))) {
        expect(piece[0]).toBe(1);
        break;
      }
      expect(await isStopped(source, call)).toBe(true);
    },
  },
  {
    name: "the application is told when the signal is aborted",
    async run(call) {
      const source = createSource();
      (await abortable(call, "/endless", source)).abort(new Error("no longer wanted"));
      expect(await isStopped(source, call)).toBe(true);
    },
  },
];

const SAME_PATHS: readonly (readonly [path: string, method?: string])[] = [
  ["/text"],
  ["/text", "HEAD"],
  ["/headers"],
  ["/cookie"],
  ["/nuls"],
  ["/gzip"],
  ["/empty"],
  ["/redirect"],
  ["/status/201"],
  ["/status/204"],
  ["/status/404"],
  ["/error"],
  ["/nowhere"],
];

const buffered: StreamingExpectation[] = SAME_PATHS.map(([path, method = "GET"]) => ({
  name: `not streamed, ${method} ${path} is the same`,
  async run(call) {
    const source = createSource();
    source.release();
    const [streamed, whole] = await Promise.all(
      [true, false].map(async (responseStreaming) => {
        const options = { method, params: { key: source.key }, responseStreaming, allowRedirects: false };
        const response = await call(path, options);
        // The one changes with the clock, the other is added where all of the body is here.
        const headers = [...response.headers].filter(([name]) => name !== "date" && name !== "content-length");
        return { status: response.status, headers, body: Buffer.from(await response.arrayBuffer()).toString("hex") };
      }),
    );
    expect(streamed).toEqual(whole);
  },
}));

export const streamingExpectations: readonly StreamingExpectation[] = [
  ...heads,
  ...bodies,
  ...failures,
  ...flows,
  ...buffered,
];

/** Text as it comes. */
function readerOf(response: Response): { read(): Promise<string | undefined> } {
  const reader = bodyOf(response).getReader();
  return {
    async read() {
      const { value } = await reader.read();
      return value === undefined ? undefined : Buffer.from(value).toString();
    },
  };
}

export function bodyOf({ body }: Response): ReadableStream<Uint8Array> {
  if (body === null) throw new Error("the response has no body");
  return body as ReadableStream<Uint8Array>;
}

/** Was it told to stop? That may take other calls' time, but no clock. */
export async function isStopped(source: Source, call: StreamingCall): Promise<boolean> {
  for (let round = 0; round < 5 && !source.isStopped; round++) await callOthers(call);
  return source.isStopped;
}

/** While these come and go, whatever nobody holds back goes on. */
async function callOthers(call: StreamingCall): Promise<void> {
  for (let other = 0; other < 5; other++) await (await call("/status/200")).text();
}

/** A call of which the first piece has been read. */
async function abortable(
  call: StreamingCall,
  path: string,
  { key }: Source,
): Promise<{
  response: LambdaResponse;
  reader: { read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }> };
  abort: (reason: Error) => void;
}> {
  const controller = new AbortController();
  const response = await call(path, { params: { key }, signal: controller.signal });
  const reader = bodyOf(response).getReader();
  await reader.read();
  return { response, reader, abort: (reason) => controller.abort(reason) };
}

let expectedHash: string | undefined;

function largeHash(): string {
  if (expectedHash === undefined) {
    const hash = createHash("sha256");
    for (const piece of largePieces()) hash.update(piece);
    expectedHash = hash.digest("hex");
  }
  return expectedHash;
}
