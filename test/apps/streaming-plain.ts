/** The streaming application as a function that writes by itself, with nothing but Lambda's own means. */
import { once } from "node:events";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createBrotliCompress } from "node:zlib";
import {
  type Answer,
  answerTo,
  FIRST,
  MIDWAY_MESSAGE,
  NUL_PIECES,
  type Question,
  SECOND,
  type StreamingHandler,
  sourceOf,
  toPrelude,
} from "./streaming-app.ts";

/** The two events that it takes. */
export interface ProxyEvent {
  readonly version?: "2.0";
  readonly httpMethod?: string;
  readonly path?: string;
  readonly multiValueQueryStringParameters?: Readonly<Record<string, readonly string[]>> | null;
  readonly rawPath?: string;
  readonly rawQueryString?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | null;
  readonly isBase64Encoded: boolean;
  readonly requestContext: { readonly http?: { readonly method: string } };
}

/** What the tests of Lambda's own API, which has no paths, ask of it: `{ "run": … }`. */
export interface Task {
  readonly run: TaskName;
  readonly key?: string | undefined;
}

/** What only a function can do that writes by itself. */
export type TaskName =
  | "end alone"
  | "end with a chunk"
  | "no prelude"
  | "no prelude, bytes"
  | "objects"
  | "no status"
  | "early head"
  | "throws at once"
  | "throws at the end"
  | "own copy"
  | "late prelude"
  | "encodings"
  | "corked"
  | "compressed by a pipeline"
  | "no status there is"
  | "redirects, and goes on"
  | "prints"
  | "two"
  | "endless";

const PRELUDE = { statusCode: 201, headers: { "Content-Type": "text/plain", "X-One": "1" } };

const tasks: Readonly<Record<TaskName, (stream: Writable, key: string) => unknown>> = {
  /** In AWS's runtime, `end` alone sends no prelude. */
  "end alone": async (stream) => void awslambda.HttpResponseStream.from(stream, PRELUDE).end(),
  "end with a chunk": async (stream) => void awslambda.HttpResponseStream.from(stream, PRELUDE).end("no prelude"),
  "no prelude": async (stream) => {
    stream.write("just ");
    stream.end("bytes");
  },
  "no prelude, bytes": async (stream) => {
    for (const piece of NUL_PIECES) stream.write(piece);
    stream.end();
  },
  /** What is no text and no bytes is JSON. */
  objects: async (stream) => {
    const response = awslambda.HttpResponseStream.from(stream, PRELUDE);
    for (const chunk of [{ a: 1 }, [2], 3]) response.write(chunk);
    response.end();
  },
  "no status": async (stream) => {
    const response = awslambda.HttpResponseStream.from(stream, { headers: { "X-One": "1" } });
    response.end(response.write("ok") ? "!" : "?");
  },
  "early head": async (stream, key) => {
    const response = awslambda.HttpResponseStream.from(stream, PRELUDE);
    response.write("");
    await sourceOf(key).released;
    response.end("late");
  },
  "throws at once": async () => {
    throw new RangeError("at once");
  },
  "throws at the end": async (stream) => {
    const response = awslambda.HttpResponseStream.from(stream, PRELUDE);
    for (const piece of [FIRST, SECOND, FIRST]) response.write(piece);
    throw new RangeError(MIDWAY_MESSAGE);
  },
  /** As `HttpResponseStream.from` of AWS's runtime does it, and copies of it in libraries. */
  "own copy": async (stream) => {
    const hooked = stream as Writable & { _onBeforeFirstWrite?: (write: (chunk: unknown) => void) => void };
    hooked._onBeforeFirstWrite = (write) => {
      write(JSON.stringify(PRELUDE));
      write(new Uint8Array(8));
    };
    hooked.write(FIRST);
    hooked.end(SECOND);
  },
  /** AWS's runtime takes none any more when something is written. */
  "late prelude": async (stream) => {
    stream.write(FIRST);
    awslambda.HttpResponseStream.from(stream, PRELUDE).end(SECOND);
  },
  encodings: async (stream) => {
    const response = awslambda.HttpResponseStream.from(stream, PRELUDE);
    response.write("\u00fc", "latin1");
    response.write("c3bc", "hex");
    await new Promise<void>((resolve) => response.write("YWI=", "base64", () => resolve()));
    await new Promise<void>((resolve) => response.write(new Uint8Array([0, 1, 2, 3]).subarray(1, 3), () => resolve()));
    response.end("\u00fc");
  },
  corked: async (stream) => {
    const response = awslambda.HttpResponseStream.from(stream, PRELUDE);
    response.cork();
    response.write(FIRST);
    response.write(SECOND);
    response.uncork();
    response.end();
  },
  "compressed by a pipeline": async (stream, key) => {
    const headers = { "Content-Type": "text/plain", "Content-Encoding": "br" };
    const response = awslambda.HttpResponseStream.from(stream, { ...PRELUDE, headers });
    await pipeline(Readable.from(bodyOf("/two", key) ?? []), createBrotliCompress(), response);
  },
  "no status there is": (stream, key) =>
    write(bodyOf("/endless", key), awslambda.HttpResponseStream.from(stream, { statusCode: "none" })),
  "redirects, and goes on": (stream, key) => {
    const prelude = { statusCode: 302, headers: { Location: "/text" } };
    return write(bodyOf("/endless", key), awslambda.HttpResponseStream.from(stream, prelude));
  },
  prints: async (stream) => {
    console.log("printed by the function");
    stream.end("ok");
  },
  two: (stream, key) => write(bodyOf("/two", key), stream).then(() => stream.end()),
  endless: (stream, key) => write(bodyOf("/endless", key), stream),
};

export const handler: StreamingHandler = awslambda.streamifyResponse(
  async (event: ProxyEvent | Task, stream: Writable) => {
    if ("run" in event) return tasks[event.run](stream, event.key ?? "");
    const question = readEvent(event);
    const run = question.query.get("run");
    if (run !== null) return tasks[run as TaskName](stream, question.query.get("key") ?? "");
    const answer = answerTo(question) ?? NOT_FOUND;
    const response = awslambda.HttpResponseStream.from(
      stream,
      event.version === "2.0" ? toPrelude(answer) : toMultiValuePrelude(answer),
    );
    // Without it, an answer that has no body would have no prelude either.
    response.write("");
    if (question.method !== "HEAD") await write(answer.body, response);
    response.end();
  },
);

const NOT_FOUND: Answer = { status: 404, headers: [["Content-Type", "text/plain"]], cookies: [], body: null };

/** As the frameworks' adapters read it. */
export function readEvent(event: ProxyEvent): Question {
  const query = new URLSearchParams(event.rawQueryString);
  for (const [name, values] of Object.entries(event.multiValueQueryStringParameters ?? {})) {
    for (const value of values) query.append(name, value);
  }
  const contentType = Object.entries(event.headers).find(([name]) => name.toLowerCase() === "content-type")?.[1];
  return {
    method: event.httpMethod ?? event.requestContext.http?.method ?? "",
    path: event.path ?? event.rawPath ?? "",
    query,
    contentType,
    body: Buffer.from(event.body ?? "", event.isBase64Encoded ? "base64" : "utf8"),
  };
}

/** No faster than it is taken, and no further than somebody wants it. */
async function write(body: Answer["body"], response: Writable): Promise<void> {
  const closed = once(response, "close");
  for await (const piece of body ?? []) {
    if (!response.write(piece) && !response.destroyed) await Promise.race([once(response, "drain"), closed]);
    if (response.destroyed) return;
  }
}

function bodyOf(path: string, key: string): Answer["body"] {
  const question = { method: "GET", path, query: new URLSearchParams({ key }), contentType: undefined };
  return answerTo({ ...question, body: new Uint8Array() })?.body ?? null;
}

/** As REST APIs have it. */
function toMultiValuePrelude({ status, headers, cookies }: Answer): Record<string, unknown> {
  const multiValueHeaders: Record<string, string[]> = {};
  const all = [...headers, ...cookies.map((cookie) => ["Set-Cookie", cookie] as const)];
  for (const [name, value] of all) multiValueHeaders[name] = [...(multiValueHeaders[name] ?? []), value];
  return { statusCode: status, multiValueHeaders };
}
