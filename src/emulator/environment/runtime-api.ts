/**
 * Lambda's Runtime API, from which a runtime takes its events and to which it gives its results:
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 *
 * Each environment has a server of its own, on a random port of the loopback interface: `AWS_LAMBDA_RUNTIME_API` holds no more
 * than a host and a port, so nothing else could tell two environments apart.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { MAX_RESULT } from "../../formats/stream.ts";
import { deferred } from "./deferred.ts";
import { bareError, invalidMode, tooLarge } from "./failure.ts";
import { type ResponseBody, receiveBody } from "./response-body.ts";

/** An event, and what a runtime is told beside it. */
export interface RuntimeEvent {
  readonly requestId: string;
  readonly payload: Uint8Array;
  /** In milliseconds since 1970. */
  readonly deadline: number;
  readonly functionArn: string;
  readonly traceId: string;
  /** JSON. */
  readonly clientContext: string | undefined;
  readonly tenantId: string | undefined;
}

/** What a runtime answered to an event. */
export type Answer =
  | { readonly kind: "result"; readonly payload: Uint8Array }
  | { readonly kind: "stream"; readonly body: ResponseBody }
  | { readonly kind: "failure"; readonly payload: Uint8Array }
  /** The connection broke in the middle of it. */
  | { readonly kind: "truncated" };

/** One event, on its way through a runtime. Neither promise settles when the runtime ends before. */
export interface Exchange {
  readonly answered: Promise<Answer>;
  /** It asks for the next event: it is done with this one. */
  readonly over: Promise<void>;
}

/** The Runtime API of one environment. */
export interface RuntimeApi {
  /** `127.0.0.1:PORT`. */
  readonly address: string;
  /** The runtime asks for its first event: it has started. */
  readonly ready: Promise<void>;
  /** It says that it can't start, and why. */
  readonly initError: Promise<Uint8Array>;
  /** Gives the runtime an event, as soon as it asks for one. */
  deliver(event: RuntimeEvent): Exchange;
  close(): void;
}

const ROOT = "/2018-06-01/runtime";
const INVOCATION = /^\/2018-06-01\/runtime\/invocation\/([^/]+)\/(response|error)$/;
// The trailers of a result that failed midway hold a whole stack.
const MAX_HEADERS = 1024 * 1024;

interface Current {
  readonly event: RuntimeEvent;
  state: "waiting" | "sent" | "answering" | "answered";
  answer(answer: Answer): void;
  end(): void;
}

export async function startRuntimeApi(): Promise<RuntimeApi> {
  const ready = deferred<void>();
  const initError = deferred<Uint8Array>();
  let isReady = false;
  let address = "";
  let asking: ServerResponse | undefined;
  let current: Current | undefined;

  /** Gives the runtime the next event, if it asks for one, is done with the last, and there is one. */
  function proceed(): void {
    if (asking === undefined || current === undefined) return;
    if (current.state === "answered") {
      const { end } = current;
      current = undefined;
      end();
    } else if (current.state === "waiting") {
      current.state = "sent";
      sendEvent(asking, current.event);
      asking = undefined;
    }
  }

  function onNext(response: ServerResponse): void {
    const isUnanswered = current?.state === "sent";
    if (asking !== undefined || isUnanswered) {
      forbid(
        response,
        isUnanswered ? "The event before has not been answered" : "The next event was asked for already",
      );
      return;
    }
    asking = response;
    response.once("close", () => {
      if (asking === response) asking = undefined;
    });
    isReady = true;
    ready.resolve();
    // An answer that breaks off may still be open here: it ends on another connection than this request comes on.
    proceed();
  }

  async function onInitError(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request);
    if (isReady) return forbid(response, "The runtime has started already");
    initError.resolve(errorBody(request, body));
    accept(response);
  }

  async function onAnswer(
    request: IncomingMessage,
    response: ServerResponse,
    { requestId, what }: { requestId: string; what: "response" | "error" },
  ): Promise<void> {
    const answering = current;
    if (answering?.event.requestId !== requestId || answering.state === "waiting") {
      request.resume();
      return refuse(response, 400, "InvalidRequestID", "Invalid request ID");
    }
    if (answering.state !== "sent") {
      request.resume();
      return forbid(response, "The event has been answered already");
    }
    answering.state = "answering";
    const finish = (): void => {
      answering.state = "answered";
      proceed();
    };
    const settle = (answer: Answer): void => {
      answering.answer(answer);
      finish();
    };
    const fail = (payload: Uint8Array): void => settle({ kind: "failure", payload });

    if (what === "error") {
      fail(errorBody(request, await readBody(request)));
      return accept(response);
    }
    const mode = request.headers["lambda-runtime-function-response-mode"];
    if (mode === "streaming") {
      const body = receiveBody(request);
      answering.answer({ kind: "stream", body });
      const { kind } = await body.ended;
      finish();
      return kind === "truncated" ? refuseTruncated(response) : accept(response);
    }
    if (mode !== undefined && mode !== "") {
      request.resume();
      fail(invalidMode());
      return refuse(response, 400, "InvalidFunctionResponseMode", "Invalid function response mode");
    }
    const payload = await readBody(request);
    if (payload === undefined) {
      settle({ kind: "truncated" });
      return refuseTruncated(response);
    }
    if (payload.length > MAX_RESULT) {
      fail(tooLarge());
      const text = `Exceeded maximum allowed payload size (${MAX_RESULT} bytes).`;
      return refuse(response, 413, "RequestEntityTooLarge", text);
    }
    settle({ kind: "result", payload });
    return accept(response);
  }

  function route(request: IncomingMessage, response: ServerResponse): void | Promise<void> {
    const { method, url = "", headers } = request;
    // A runtime calls by the address that it was given; a page in a browser, or by another name, would take events away.
    if (headers.host !== address || headers.origin !== undefined || headers["sec-fetch-site"] !== undefined) {
      request.resume();
      return refuse(response, 403, "Forbidden", "This is the Runtime API of a function");
    }
    if (method === "GET" && url === `${ROOT}/invocation/next`) return onNext(response);
    if (method === "POST" && url === `${ROOT}/init/error`) return onInitError(request, response);
    const [, requestId, what] = INVOCATION.exec(url) ?? [];
    if (method === "POST" && requestId !== undefined) {
      return onAnswer(request, response, { requestId, what: what as "response" | "error" });
    }
    request.resume();
    return refuse(response, 404, "NotFound", `There is no ${method} ${url}`);
  }

  const server = createServer(
    { maxHeaderSize: MAX_HEADERS, requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0 },
    (request, response) => {
      // A runtime that ends in the middle of it; that it ended is seen elsewhere.
      request.on("error", () => undefined);
      response.on("error", () => undefined);
      void route(request, response);
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
  });
  address = `127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    address,
    ready: ready.promise,
    initError: initError.promise,
    deliver(event) {
      const answered = deferred<Answer>();
      const over = deferred<void>();
      current = { event, state: "waiting", answer: answered.resolve, end: over.resolve };
      proceed();
      return { answered: answered.promise, over: over.promise };
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function sendEvent(response: ServerResponse, event: RuntimeEvent): void {
  response.writeHead(200, {
    "Content-Type": "application/json",
    "Content-Length": event.payload.length,
    "Lambda-Runtime-Aws-Request-Id": event.requestId,
    "Lambda-Runtime-Deadline-Ms": String(event.deadline),
    "Lambda-Runtime-Invoked-Function-Arn": event.functionArn,
    "Lambda-Runtime-Trace-Id": toHeader(event.traceId),
    ...(event.clientContext !== undefined && { "Lambda-Runtime-Client-Context": toHeader(event.clientContext) }),
    ...(event.tenantId !== undefined && { "Lambda-Runtime-Aws-Tenant-Id": toHeader(event.tenantId) }),
  });
  response.end(event.payload);
}

/** UTF-8 as it is, which a runtime's own client reads, but none of the controls that end a header. */
function toHeader(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return Buffer.from(text.replace(/[\u0000-\u001f\u007f]/g, " "), "utf8").toString("latin1");
}

/** The whole body, or somewhat more than a result may have; `undefined` when the connection broke before its end. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const pieces: Buffer[] = [];
  let size = 0;
  try {
    for await (const piece of request as AsyncIterable<Buffer>) {
      // The rest is read as well, for a client that would not hear of the refusal before it has sent all.
      if (size <= MAX_RESULT) pieces.push(piece);
      size += piece.length;
    }
  } catch {
    return undefined;
  }
  return Buffer.concat(pieces);
}

/** The error that a runtime posted; where it posted none, what its header says of it. */
function errorBody(request: IncomingMessage, body: Uint8Array = new Uint8Array()): Uint8Array {
  if (body.length > 0) return body.length > MAX_RESULT ? tooLarge() : body;
  const errorType = request.headers["lambda-runtime-function-error-type"];
  return bareError(typeof errorType === "string" ? errorType : "Runtime.Unknown");
}

function accept(response: ServerResponse): void {
  send(response, 202, { status: "OK" });
}

function forbid(response: ServerResponse, errorMessage: string): void {
  refuse(response, 403, "InvalidStateTransition", errorMessage);
}

function refuseTruncated(response: ServerResponse): void {
  refuse(response, 400, "TruncatedHTTPRequest", "HTTP request detected as truncated");
}

function refuse(response: ServerResponse, status: number, errorType: string, errorMessage: string): void {
  send(response, status, { errorMessage, errorType });
}

function send(response: ServerResponse, status: number, body: object): void {
  const json = JSON.stringify(body);
  response
    .writeHead(status, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(json) })
    .end(json);
}
