/**
 * The Lambda API's ways to invoke a function, on bare node:http and as strict as AWS's own:
 * https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html,
 * https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html and, deprecated,
 * https://docs.aws.amazon.com/lambda/latest/api/API_InvokeAsync.html
 */
import { createHash, randomBytes, randomUUID } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { type InvocationResult, MAX_CLIENT_CONTEXT, MAX_EVENT, maxEvent } from "../invoke/invoker.ts";
import { parseObject } from "../invoke/json.ts";
import { functionArn, type Target } from "../target.ts";
import { ApiError, badContent, checkMembers, RoutingError, refuse, serviceError, tooLarge } from "./api-error.ts";
import type { FunctionCall, FunctionRunner } from "./definition.ts";
import { ConnectionFault } from "./faults.ts";
import { FUNCTION_NAME, notFound, QUALIFIER, readTarget } from "./function-name.ts";
import { encodeLogs, goneSignal, sendStream } from "./send-stream.ts";
import { type Admission, admit, checkSignature, PREFLIGHT } from "./signature.ts";

/** What an API stands on. */
export interface ApiOptions extends Admission {
  /** Finds what a call names; `undefined` when there is none. `qualifier` is absent, `$LATEST`, a version or an alias. */
  find(target: Target): FunctionRunner | undefined;
  /**
   * Takes an event that nobody waits for.
   *
   * @throws {ApiError} when it can't be queued.
   */
  queue(call: FunctionCall): void;
  /** Told of each call that names a function and is well-formed. */
  onCall?(call: FunctionCall): void;
}

/** One way to invoke. */
interface Operation {
  readonly path: RegExp;
  readonly types: readonly string[];
  readonly maxQueued: number;
}

const INVOKE: Operation = {
  path: /^\/2015-03-31\/functions\/([^/]+)\/invocations$/,
  types: ["DryRun", "RequestResponse", "Event"],
  maxQueued: maxEvent("Event"),
};
const INVOKE_STREAM: Operation = {
  path: /^\/2021-11-15\/functions\/([^/]+)\/response-streaming-invocations$/,
  types: ["DryRun", "RequestResponse"],
  maxQueued: 0,
};
const INVOKE_ASYNC: Operation = {
  path: /^\/2014-11-13\/functions\/([^/]+)\/invoke-async\/?$/,
  types: ["Event"],
  maxQueued: 256 * 1024,
};

/**
 * The listener of an HTTP server that is a Lambda API. Of a client that waits for `100 Continue`, Node takes care.
 */
export function createApi(options: ApiOptions): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    answer(options, request, response).catch(() => response.destroy());
  };
}

async function answer(options: ApiOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const given = request.headers["x-amzn-requestid"];
  const requestId = isUuid(given) ? given : randomUUID();
  response.setHeader("x-amzn-RequestId", requestId);
  try {
    await invoke(options, request, response, requestId);
  } catch (error) {
    // Half an answer can't be taken back, only broken off.
    const isBrokenOff = response.headersSent || response.destroyed || error instanceof ConnectionFault;
    if (isBrokenOff) response.destroy();
    else await refuse(request, response, error instanceof ApiError ? error : serviceError(error));
  }
}

async function invoke(
  options: ApiOptions,
  request: IncomingMessage,
  response: ServerResponse,
  requestId: string,
): Promise<void> {
  const forPage = admit(request.headers, options);
  for (const [name, value] of Object.entries(forPage)) response.setHeader(name, value);
  if (request.method === "OPTIONS" && request.headers.origin !== undefined) {
    return void response.writeHead(204, PREFLIGHT).end();
  }
  const route = findOperation(request);
  const { region } = checkSignature(request.headers);
  const payload = await readPayload(request, route.operation);
  const call = readCall({ ...route, region, requestId, payload }, request.headers);
  const runner = options.find(call.target);
  if (runner === undefined) throw notFound(call.target);
  if (call.invocationType !== "DryRun") checkPayload(payload, call, route.operation);
  options.onCall?.(call);

  const facts = { "x-amzn-Remapped-Content-Length": "0", "X-Amzn-Trace-Id": call.traceId };
  if (call.invocationType === "DryRun") return void response.writeHead(204, facts).end();
  if (call.invocationType === "Event") {
    options.queue(call);
    return void response.writeHead(202, { ...facts, "Content-Length": 0 }).end();
  }
  // On AWS, a function runs on when its caller has gone. Only of one that streams, nobody will read any more.
  const result = await runner.run(call, ...(call.responseStreaming ? [goneSignal(response)] : []));
  for (const [name, value] of Object.entries(facts)) response.setHeader(name, value);
  response.setHeader("X-Amz-Executed-Version", result.executedVersion ?? runner.version);
  if (call.responseStreaming) await sendStream(response, result);
  else sendResult(response, result);
}

/** Where a request goes. */
interface Route {
  readonly operation: Operation;
  readonly path: string;
  readonly name: string;
  readonly qualifier: string | undefined;
}

function findOperation({ url = "/", method }: IncomingMessage): Route {
  // Not by way of a URL object, which would take `//host/path` for another host, and resolve dot segments.
  const [path = "/", query = ""] = url.split("?", 2);
  const operation = [INVOKE, INVOKE_STREAM, INVOKE_ASYNC].find((one) => one.path.test(path));
  if (operation === undefined || method !== "POST") throw new RoutingError();
  const qualifier = operation === INVOKE_ASYNC ? null : new URLSearchParams(query).get("Qualifier");
  const name = decode(operation.path.exec(path)?.[1] ?? "");
  return { operation, path, name, qualifier: qualifier ?? undefined };
}

/** A name that is not percent-encoded UTF-8 is no name as it is. */
function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

interface Received extends Route {
  readonly region: string;
  readonly requestId: string;
  readonly payload: Buffer;
}

/** @throws {ApiError} for a name or a header that can't be. */
function readCall(received: Received, headers: IncomingHttpHeaders): FunctionCall {
  const { operation, path, name, qualifier, region, requestId, payload } = received;
  // InvokeAsync knows none of these.
  const header = (key: string): string | undefined =>
    operation === INVOKE_ASYNC ? undefined : headers[key]?.toString();
  const type = header("x-amz-invocation-type");
  const logType = header("x-amz-log-type");
  const tenantId = header("x-amz-tenant-id");
  const executionName = operation === INVOKE ? header("x-amz-durable-execution-name") : undefined;
  checkMembers([
    [QUALIFIER, qualifier],
    [FUNCTION_NAME, name],
    [{ member: "invocationType", values: operation.types }, type],
    [{ member: "logType", values: ["None", "Tail"] }, logType],
    [{ member: "tenantId", pattern: String.raw`[a-zA-Z0-9\._:\/=+\-@ ]+`, maxLength: 256 }, tenantId],
    [{ member: "durableExecutionName", pattern: "[a-zA-Z0-9-_]+", maxLength: 64 }, executionName],
  ]);
  const clientContext = header("x-amz-client-context");
  if (clientContext !== undefined) checkClientContext(clientContext);
  const givenId = headers["x-amzn-requestid"];
  if (givenId !== undefined && !isUuid(givenId)) throw badContent("The header x-amzn-RequestId has to be a UUID.");

  const target = readTarget(name, qualifier, region);
  const invocationType =
    operation === INVOKE_ASYNC || type === "Event" ? "Event" : type === "DryRun" ? "DryRun" : "RequestResponse";
  const waits = invocationType === "RequestResponse";
  return {
    target,
    payload: payload.length === 0 ? Buffer.from("{}") : payload,
    // What is queued has no answer to put a log into, and is given no client context.
    logs: waits && logType === "Tail",
    request: { method: "POST", url: path },
    invocationType,
    ...(waits && operation === INVOKE_STREAM && { responseStreaming: true }),
    ...(waits && clientContext !== undefined && { clientContext }),
    ...(tenantId !== undefined && { tenantId }),
    ...(executionName !== undefined && { durableExecutionName: executionName }),
    requestId,
    traceId: traceOf(header("x-amzn-trace-id"), target),
  };
}

function checkClientContext(context: string): void {
  if (context.length > MAX_CLIENT_CONTEXT) {
    throw badContent(`Client context must be at most ${MAX_CLIENT_CONTEXT} bytes long.`);
  }
  const value = /^[A-Za-z0-9+/]+={0,2}$/.test(context) && parseObject(Buffer.from(context, "base64").toString("utf8"));
  if (!value || Array.isArray(value)) throw badContent("Client context must be a valid Base64-encoded JSON object.");
}

/** The caller's trace, or a new one. https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader */
function traceOf(given: string | undefined, target: Target): string {
  const field = (name: string, form: string): string | undefined =>
    new RegExp(`(?:^|;) *${name}=(${form}) *(?:;|$)`, "i").exec(given ?? "")?.[1];
  const root = field("Root", "1-[0-9a-f]{8}-[0-9a-f]{24}");
  const seconds = Math.floor(Date.now() / 1000)
    .toString(16)
    .padStart(8, "0");
  const parent = root && field("Parent", "[0-9a-f]{16}");
  const hash = createHash("sha256").update(functionArn(target)).digest("hex").slice(0, 8);
  return [
    `Root=${root ?? `1-${seconds}-${randomBytes(12).toString("hex")}`}`,
    `Parent=${parent ?? randomBytes(8).toString("hex")}`,
    `Sampled=${(root && field("Sampled", "[01]")) ?? "0"}`,
    `Lineage=${(root && field("Lineage", "[0-9a-f:|]{1,200}")) ?? `1:${hash}:0`}`,
  ].join(";");
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @throws {ApiError} for what is too large to be queued, or is no JSON. */
function checkPayload(payload: Buffer, { invocationType }: FunctionCall, { maxQueued }: Operation): void {
  if (invocationType === "Event" && payload.length > maxQueued) {
    throw tooLarge(
      `${payload.length} byte payload is too large for the Event invocation type (limit ${maxQueued} bytes)`,
    );
  }
  if (payload.length === 0) return;
  const refusal = "Could not parse request body into json: Could not parse payload into json:";
  let text: string;
  try {
    text = UTF8.decode(payload);
  } catch {
    throw badContent(`${refusal} Invalid UTF-8 start byte 0x${firstInvalid(payload).toString(16)}`);
  }
  try {
    JSON.parse(text);
  } catch (error) {
    throw badContent(`${refusal} ${(error as Error).message}`);
  }
}

/** The first byte that decoding has replaced. */
function firstInvalid(bytes: Buffer): number {
  const replaced = Buffer.from(bytes.toString("utf8"));
  return bytes.find((byte, index) => byte !== replaced[index]) ?? 0;
}

/** All of the body, of which no more is kept than a function may get. */
function readPayload(request: IncomingMessage, operation: Operation): Promise<Buffer> {
  const action = operation === INVOKE_STREAM ? "InvokeWithResponseStream" : "InvokeFunction";
  return new Promise((resolve, reject) => {
    const giveUp = (): void =>
      reject(tooLarge(`Request must be smaller than ${MAX_EVENT} bytes for the ${action} operation`));
    if (Number(request.headers["content-length"] ?? 0) > MAX_EVENT) return giveUp();
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_EVENT) return void chunks.push(chunk);
      chunks.length = 0;
      giveUp();
    });
    request.once("end", () => resolve(Buffer.concat(chunks)));
    request.once("error", reject);
    request.once("close", () => reject(new Error("the client has gone")));
  });
}

function sendResult(response: ServerResponse, result: InvocationResult): void {
  const { payload, functionError, durableExecutionArn, logs } = result;
  if (!(payload instanceof Uint8Array)) throw new TypeError("a result that was not asked to stream has to be bytes");
  response.writeHead(200, {
    "Content-Type": "application/json",
    "Content-Length": payload.length,
    ...(functionError !== undefined && { "X-Amz-Function-Error": functionError }),
    ...(durableExecutionArn !== undefined && { "X-Amz-Durable-Execution-Arn": durableExecutionArn }),
    ...(logs !== undefined && { "X-Amz-Log-Result": encodeLogs(logs) }),
  });
  response.end(payload);
}

function isUuid(value: unknown): value is string {
  return typeof value === "string" && /^[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}$/i.test(value);
}
