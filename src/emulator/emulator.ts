/// <reference lib="esnext.disposable" preserve="true" />
/**
 * A local Lambda API over handlers: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html and
 * https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html
 */
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ConfigurationError, InvalidTargetError } from "../errors.ts";
import { type InvocationResult, type InvocationType, MAX_EVENT } from "../invoke/invoker.ts";
import { checkOptionNames } from "../invoke/option-names.ts";
import { functionArn, parseFunction, type Target, UNKNOWN_ACCOUNT, withQualifier } from "../target.ts";
import { ApiError } from "./api-error.ts";
import { type FindFunction, type FunctionTable, loadFunctions } from "./functions.ts";
import { sendStream } from "./send-stream.ts";
import { checkSignature } from "./signature.ts";

/** Options of {@link Emulator.start}. */
export interface EmulatorOptions {
  /** Handlers, or files that export one, by function name: `{ orders: handler, users: "./users.mjs#handler" }`. */
  readonly functions: FunctionTable;
  /**
   * The port on 127.0.0.1.
   * @default 0: a free one
   */
  readonly port?: number | undefined;
  /**
   * Don't print on the terminal what the functions print.
   * @default false
   */
  readonly quiet?: boolean | undefined;
}

const INVOKE_PATH = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/;
const STREAM_PATH = /^\/2021-11-15\/functions\/([^/]+)\/response-streaming-invocations$/;

/**
 * A local Lambda: AWS's own clients, and ours, call the handlers behind it by the Invoke API, at once or as a stream, on
 * loopback and with any credentials. Handlers run in this process; see `handlerInvoker` for what that can't enforce.
 *
 * @example
 * await using emulator = await Emulator.start({ functions: { orders: handler, users: "./users.mjs" } });
 * const session = new Session({ endpoint: emulator.endpoint, region: "us-east-1" });
 */
export class Emulator {
  /** The URL to give to clients: `http://127.0.0.1:40123`. */
  readonly endpoint: string;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /**
   * Loads the functions and listens.
   *
   * @throws {ConfigurationError} when a file can't be loaded or holds no handler, an option is unknown, or the port can't
   * be listened on.
   * @throws {InvalidTargetError} when a name can't be a function's.
   */
  static async start({ functions, port = 0, quiet = false, ...others }: EmulatorOptions): Promise<Emulator> {
    checkOptionNames(others, ["functions", "port", "quiet"]);
    const find = await loadFunctions(functions, { quiet });
    const server = createServer((request, response) => void answer(find, request, response));
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, "127.0.0.1", resolve);
      });
    } catch (cause) {
      throw new ConfigurationError(`can't listen on 127.0.0.1:${port}: ${(cause as Error).message}`, { cause });
    }
    return new Emulator(server);
  }

  /** Stops listening and closes every connection. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

async function answer(find: FindFunction, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const requestId = randomUUID();
  response.setHeader("x-amzn-RequestId", requestId);
  try {
    await invoke(find, request, response);
  } catch (error) {
    // Half an answer can't be taken back, only broken off.
    if (response.headersSent || response.destroyed) return void response.destroy();
    const { status, name, body } =
      error instanceof ApiError
        ? error
        : new ApiError(500, "ServiceException", { Type: "Service", Message: String(error) });
    response.writeHead(status, { "Content-Type": "application/json", "x-amzn-ErrorType": name });
    response.end(JSON.stringify(body));
  }
}

async function invoke(find: FindFunction, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // Not by way of a URL object, which would take `//host/path` for another host, and resolve dot segments.
  const [path = "/", query = ""] = (request.url ?? "/").split("?", 2);
  const streamed = STREAM_PATH.exec(path)?.[1];
  const name = streamed ?? INVOKE_PATH.exec(path)?.[1];
  const payload = await readPayload(request);
  if (name === undefined || request.method !== "POST") {
    throw new ApiError(403, "AccessDeniedException", {
      Message: "Unable to determine service/operation name to be authorized",
    });
  }
  const { region } = checkSignature(request.headers);
  const named = readTarget(name, new URLSearchParams(query).get("Qualifier"), region);
  const target = { region, accountId: UNKNOWN_ACCOUNT, partition: "aws", ...named };
  const invoker = find(target);
  if (invoker === undefined) {
    const arn = functionArn({ qualifier: "$LATEST", ...target });
    throw new ApiError(404, "ResourceNotFoundException", { Type: "User", Message: `Function not found: ${arn}` });
  }

  const type = request.headers["x-amz-invocation-type"] ?? "RequestResponse";
  const types = streamed === undefined ? ["RequestResponse", "Event", "DryRun"] : ["RequestResponse", "DryRun"];
  if (!isType(type) || !types.includes(type)) {
    throw new ApiError(400, "InvalidParameterValueException", {
      Type: "User",
      message: `Unknown invocation type ${type}`,
    });
  }
  if (type === "DryRun") return end(response, 204);
  checkJson(payload);
  const logs = request.headers["x-amz-log-type"] === "Tail";
  const clientContext = request.headers["x-amz-client-context"];
  const tenantId = request.headers["x-amz-tenant-id"];
  const result = await invoker.invoke({
    target,
    payload: payload.length === 0 ? Buffer.from("{}") : payload,
    logs,
    ...(streamed !== undefined && { responseStreaming: true }),
    ...(typeof clientContext === "string" && { clientContext }),
    ...(typeof tenantId === "string" && { tenantId }),
    request: { method: "POST", url: path },
    invocationType: type,
  });
  if (type === "Event") return end(response, 202);
  const { requestId, executedVersion } = result;
  if (requestId !== undefined) response.setHeader("x-amzn-RequestId", requestId);
  if (executedVersion !== undefined) response.setHeader("X-Amz-Executed-Version", executedVersion);
  if (streamed === undefined) sendResult(response, result);
  else await sendStream(response, result);
}

function isType(type: unknown): type is InvocationType {
  return type === "RequestResponse" || type === "Event" || type === "DryRun";
}

function sendResult(response: ServerResponse, { payload, functionError, logs }: InvocationResult): void {
  if (!(payload instanceof Uint8Array)) throw new TypeError("a result that was not asked to stream has to be bytes");
  if (functionError !== undefined) response.setHeader("X-Amz-Function-Error", functionError);
  if (logs !== undefined) response.setHeader("X-Amz-Log-Result", Buffer.from(logs).toString("base64"));
  response.writeHead(200, {
    "Content-Type": "application/json",
    "Content-Length": payload.length,
    "x-amzn-Remapped-Content-Length": "0",
  });
  response.end(payload);
}

function end(response: ServerResponse, status: number): void {
  response.writeHead(status, status === 204 ? {} : { "Content-Length": 0 });
  response.end();
}

function readTarget(name: string, qualifier: string | null, region: string): Target {
  try {
    const target = parseFunction(decodeURIComponent(name));
    if (target.region !== undefined && target.region !== region) {
      throw new ApiError(404, "ResourceNotFoundException", {
        Type: "User",
        Message: `Functions from '${target.region}' are not reachable in this region ('${region}')`,
      });
    }
    if (qualifier === null || qualifier === target.qualifier) return target;
    if (target.qualifier !== undefined) {
      throw new ApiError(400, "InvalidParameterValueException", {
        Type: "User",
        message: "The derived qualifier from the function name does not match the specified qualifier.",
      });
    }
    return withQualifier(target, qualifier);
  } catch (error) {
    if (!(error instanceof InvalidTargetError || error instanceof URIError)) throw error;
    throw new ApiError(400, "ValidationException", { message: `1 validation error detected: ${error.message}` });
  }
}

function checkJson(payload: Buffer): void {
  if (payload.length === 0) return;
  try {
    JSON.parse(payload.toString("utf8"));
  } catch (error) {
    throw new ApiError(400, "InvalidRequestContentException", {
      Type: "User",
      message: `Could not parse request body into json: Could not parse payload into json: ${(error as Error).message}`,
    });
  }
}

async function readPayload(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    // Read to its end all the same: a client that is still writing would not see the answer.
    if (size <= MAX_EVENT) chunks.push(chunk);
  }
  if (size <= MAX_EVENT) return Buffer.concat(chunks);
  throw new ApiError(413, "RequestEntityTooLargeException", {
    Message: `Request must be smaller than ${MAX_EVENT} bytes for the InvokeFunction operation`,
  });
}
