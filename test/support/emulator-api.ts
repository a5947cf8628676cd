/** The emulator's API on a port of its own, over handlers in this process; and requests of every kind to it. */
import { createServer, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { connect } from "node:net";
import { type ApiOptions, createApi } from "../../src/emulator/api.ts";
import type { FunctionCall, FunctionRunner } from "../../src/emulator/definition.ts";
import { type Handler, handlerInvoker } from "../../src/invoke/handler.ts";
import { listening } from "./sockets.ts";

/** Functions by name, `orders`, or name and qualifier, `orders:prod`. */
export type Functions = Readonly<Record<string, Handler | FunctionRunner>>;

export interface TestApi {
  readonly endpoint: string;
  /** What `onCall` was told, in order. */
  readonly calls: FunctionCall[];
  /** What was queued, in order. Nothing runs it. */
  readonly queued: FunctionCall[];
  close(): void;
}

export async function startApi(functions: Functions, options: Partial<ApiOptions> = {}): Promise<TestApi> {
  const calls: FunctionCall[] = [];
  const queued: FunctionCall[] = [];
  const runners = new Map(
    Object.entries(functions).map(([name, given]) => {
      const version = /:(\d+)$/.exec(name)?.[1] ?? "$LATEST";
      return [name, typeof given === "function" ? runnerOf(given, version) : given] as const;
    }),
  );
  const api = createApi({
    find: ({ functionName, qualifier = "$LATEST" }) =>
      runners.get(qualifier === "$LATEST" ? functionName : `${functionName}:${qualifier}`),
    queue: (call) => void queued.push(call),
    onCall: (call) => void calls.push(call),
    ...options,
  });
  const { origin, undo } = await listening(createServer(api));
  return { endpoint: origin, calls, queued, close: undo };
}

function runnerOf(handler: Handler, version: string): FunctionRunner {
  const invoker = handlerInvoker(handler, { quiet: true });
  return { version, run: (call, signal) => invoker.invoke(call, signal), close: async () => undefined };
}

/** A runner that does as it is told. */
export function runner(run: FunctionRunner["run"], version = "$LATEST"): FunctionRunner {
  return { version, run, close: async () => undefined };
}

/** What a request has to have at least. Signed with nothing: any signature will do. */
export const SIGNED: Readonly<Record<string, string>> = {
  authorization: `AWS4-HMAC-SHA256 Credential=AKID/20260710/eu-west-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=${"0".repeat(64)}`,
  "x-amz-date": "20260710T191904Z",
};

export const invokePath = (name: string): string => `/2015-03-31/functions/${name}/invocations`;
export const streamPath = (name: string): string => `/2021-11-15/functions/${name}/response-streaming-invocations`;
export const asyncPath = (name: string): string => `/2014-11-13/functions/${name}/invoke-async`;

export interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Names as they were written, without their values. */
  readonly names: readonly string[];
  readonly body: Buffer;
  readonly json: unknown;
}

/** A request with the headers of a signed one, and those given over them. */
export function send(endpoint: string, path: string, sent: Sent = {}): Promise<Answer> {
  const { method = "POST", headers = {}, body = method === "POST" ? "{}" : "" } = sent;
  return new Promise((resolve, reject) => {
    const request = httpRequest(endpoint, { path, method, headers: { ...SIGNED, ...headers } }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", reject);
      response.once("end", () => {
        const bytes = Buffer.concat(chunks);
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          names: response.rawHeaders.filter((_, index) => index % 2 === 0),
          body: bytes,
          json: asJson(bytes.toString("utf8")),
        });
      });
    });
    request.once("error", reject);
    request.end(body);
  });
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The head of a request, as text. */
export function head(path: string, headers: Readonly<Record<string, string | number>>): string {
  const lines = Object.entries({ Host: "localhost", ...SIGNED, ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  return `POST ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`;
}

/** What comes back for bytes on a raw socket, until it is closed by the other side or shows what is waited for. */
export function talk(endpoint: string, bytes: readonly (string | Uint8Array)[], until?: RegExp): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(endpoint).port), "127.0.0.1");
    let seen = "";
    const done = (): void => {
      socket.destroy();
      resolve(seen);
    };
    socket.on("data", (chunk) => {
      seen += chunk.toString("latin1");
      if (until?.test(seen)) done();
    });
    // A reset is an end as well.
    socket.on("error", () => undefined);
    socket.once("close", () => resolve(seen));
    for (const part of bytes) socket.write(part);
  });
}
