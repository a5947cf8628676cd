/** A client of the Runtime API: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html */
import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";

/** An event, and what the API tells beside it. */
export interface RuntimeInvocation {
  readonly requestId: string;
  /** JSON. */
  readonly event: string;
  /** In milliseconds since 1970. */
  readonly deadline: number;
  readonly functionArn: string;
  readonly traceId: string | undefined;
  /** JSON. */
  readonly clientContext: string | undefined;
  /** JSON. */
  readonly identity: string | undefined;
  readonly tenantId: string | undefined;
}

/** A client of the Runtime API. What it posts is taken once its promise is settled; whether the API liked it is in no answer. */
export interface RuntimeClient {
  next(): Promise<RuntimeInvocation>;
  postResult(requestId: string, result: string): Promise<void>;
  postError(requestId: string, error: string): Promise<void>;
  postInitError(error: string): Promise<void>;
  /** Begins a result that is streamed. */
  openResult(requestId: string): StreamedResult;
}

/** A result on its way. */
export interface StreamedResult {
  /** Settles when more may be written. */
  write(piece: Uint8Array): Promise<void>;
  /** @param error The JSON of what the function failed with. */
  end(error?: string): Promise<void>;
}

/** @param address `127.0.0.1:PORT`. */
export function createRuntimeClient(address: string): RuntimeClient {
  const [host, port] = address.split(":");
  // An idle connection does not keep the event loop busy, for whose end an answer may wait.
  const agent = new Agent({ keepAlive: true });

  function open(method: string, path: string, headers: Record<string, string | number> = {}): ClientRequest {
    const request = httpRequest({ host, port, agent, method, path: `/2018-06-01/runtime/${path}`, headers });
    // The emulator has ended. There is nobody left to tell.
    return request.on("error", () => process.exit(1));
  }

  async function post(path: string, body: string, headers: Record<string, string> = {}): Promise<void> {
    const bytes = Buffer.from(body);
    const type = { "Content-Type": "application/json", "Content-Length": bytes.length };
    await answerTo(open("POST", path, { ...type, ...headers }).end(bytes));
  }

  return {
    async next() {
      const { status, headers, body } = await answerTo(open("GET", "invocation/next").end());
      // A refusal is no event.
      if (status !== 200) process.exit(1);
      const text = (name: string): string | undefined => {
        const value = headers[`lambda-runtime-${name}`];
        return typeof value === "string" ? Buffer.from(value, "latin1").toString("utf8") : undefined;
      };
      return {
        requestId: text("aws-request-id") ?? "",
        event: body,
        deadline: Number(text("deadline-ms")),
        functionArn: text("invoked-function-arn") ?? "",
        traceId: text("trace-id"),
        clientContext: text("client-context"),
        identity: text("cognito-identity"),
        tenantId: text("aws-tenant-id"),
      };
    },
    postResult: (requestId, result) => post(`invocation/${requestId}/response`, result),
    postError: (requestId, error) => post(`invocation/${requestId}/error`, error, errorType(error)),
    postInitError: (error) => post("init/error", error, errorType(error)),
    openResult(requestId) {
      const request = open("POST", `invocation/${requestId}/response`, {
        "Content-Type": "application/octet-stream",
        "Lambda-Runtime-Function-Response-Mode": "streaming",
        "Transfer-Encoding": "chunked",
        Trailer: "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
      });
      const answered = answerTo(request);
      return {
        async write(piece) {
          if (!request.write(piece)) await new Promise<void>((go) => request.once("drain", go));
        },
        async end(error) {
          if (error !== undefined) {
            const body = Buffer.from(error).toString("base64");
            request.addTrailers({ ...errorType(error), "Lambda-Runtime-Function-Error-Body": body });
          }
          request.end();
          await answered;
        },
      };
    },
  };
}

function errorType(error: string): Record<string, string> {
  const { errorType: type } = JSON.parse(error) as { errorType: unknown };
  // A header can't hold everything that an error's name can.
  return { "Lambda-Runtime-Function-Error-Type": String(type).replace(/[^\x20-\x7e]/g, "?") };
}

interface Answered extends Pick<IncomingMessage, "headers"> {
  readonly status: number | undefined;
  readonly body: string;
}

async function answerTo(request: ClientRequest): Promise<Answered> {
  const response = await new Promise<IncomingMessage>((resolve) => request.once("response", resolve));
  response.on("error", () => process.exit(1));
  const pieces: Buffer[] = [];
  for await (const piece of response as AsyncIterable<Buffer>) pieces.push(piece);
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(pieces).toString("utf8") };
}
