/** A Lambda handler in this process, as an {@link Invoker}: for tests and local work, with what AWS would give it. */
import { randomUUID } from "node:crypto";
import { finished } from "node:stream/promises";
import { ConfigurationError } from "../errors.ts";
import { MAX_RESULT } from "../formats/stream.ts";
import { functionArn, type Target } from "../target.ts";
import { abortable } from "./abortable.ts";
import { defineAwslambda, isStreaming } from "./awslambda.ts";
import { type InvocationLog, logLine, startLog } from "./handler-log.ts";
import { errorPayload, isThenable, toJson } from "./handler-result.ts";
import type { Invocation, InvocationEnd, InvocationResult, Invoker } from "./invoker.ts";
import { parseObject } from "./json.ts";
import { checkOptionNames } from "./option-names.ts";
import { collect, payloadOf, ResponseStream } from "./response-stream.ts";

/**
 * A Lambda handler: `async (event, context)`, `(event, context, callback)`, or one made by
 * `awslambda.streamifyResponse`. Typed so that a handler of any event is one.
 */
export type Handler = (event: never, context: never, callback: never) => unknown;

/**
 * The second argument of a handler: https://docs.aws.amazon.com/lambda/latest/dg/nodejs-context.html. It has a
 * `clientContext` as well where the caller gave one, in whatever form the caller gave it.
 */
export interface HandlerContext {
  /** May be set, as on AWS; here nothing waits for the event loop. */
  callbackWaitsForEmptyEventLoop: boolean;
  /** As the URL names it. */
  readonly functionName: string;
  /** The version that the URL names; `$LATEST` where it names none, or an alias. */
  readonly functionVersion: string;
  /** With the qualifier, and with made-up parts where the URL names no region or account. */
  readonly invokedFunctionArn: string;
  /** Always `"128"`, AWS's default. */
  readonly memoryLimitInMB: string;
  /** A new UUID each invocation. */
  readonly awsRequestId: string;
  /** `/aws/lambda/` and the function's name. */
  readonly logGroupName: string;
  /** In the form of AWS's; one each invocation. */
  readonly logStreamName: string;
  /** The caller's `tenantId`, where it gave one. */
  readonly tenantId?: string;
  /** Milliseconds of the 15 minutes that a function may run at most. Nothing is enforced in this process. */
  getRemainingTimeInMillis(): number;
  /** The old form of the callback. */
  done(error?: Error | string | null, result?: unknown): void;
  /** `done(error)`. */
  fail(error: Error | string): void;
  /** `done(null, result)`. */
  succeed(result?: unknown): void;
}

/** Options of {@link handlerInvoker}. */
export interface HandlerOptions {
  /** Don't print on the terminal what the handler prints. Default: `false`. */
  readonly quiet?: boolean;
  /** How long the handler's module took to load, in ms: the first invocation reports it. Default: not reported. */
  readonly initDuration?: number | undefined;
}

const MAX_DURATION_MS = 15 * 60 * 1000;
const MEMORY_MB = 128;

/**
 * An invoker that runs a handler in this process. Event and result go through JSON, as on AWS; what the handler throws
 * becomes the error payload that Lambda's Node.js runtime makes.
 *
 * What one process can't enforce, it doesn't: memory, the timeout, one invocation at a time, its own environment
 * variables. A handler that returns neither a promise nor a value, and has no third parameter, answers `null`.
 *
 * With the first invocation that has `logs` or `quiet`, `console.*` and the `write` of `process.stdout` and
 * `process.stderr` are wrapped, and stay so as long as the process lives.
 *
 * @throws {ConfigurationError} for a handler that is no function, and for an unknown option.
 * @example
 * const session = new Session({ invoker: handlerInvoker(async (event) => ({ statusCode: 200, body: "hello" })) });
 * await session.get("http+lambda://anything/").text(); // "hello"
 */
export function handlerInvoker(handler: Handler, options: HandlerOptions = {}): Invoker {
  if (typeof handler !== "function") throw new ConfigurationError("the handler has to be a function");
  checkOptionNames(options, ["quiet", "initDuration"] satisfies (keyof HandlerOptions)[]);
  const { quiet = false, initDuration } = options;
  defineAwslambda();
  let init = initDuration;
  return {
    async invoke(invocation, signal) {
      signal?.throwIfAborted();
      const { invocationType = "RequestResponse" } = invocation;
      if (invocationType === "DryRun") return { payload: new Uint8Array() };
      const first = init;
      init = undefined;
      if (invocationType === "Event") {
        // Nobody waits for it, and what it throws is in its own log.
        const requestId = randomUUID();
        void runInvocation(handler, invocation, { quiet, initDuration: first, requestId });
        return { payload: new Uint8Array(), requestId };
      }
      // Seen from outside, an aborted invocation ends at once; the handler, which nobody can stop, runs on.
      return abortable(runInvocation(handler, invocation, { quiet, initDuration: first }, signal), signal);
    },
  };
}

/** How one invocation is run. */
export interface RunOptions {
  readonly quiet: boolean;
  readonly initDuration: number | undefined;
  readonly requestId?: string;
}

/** Runs a handler once, whatever the invocation's type. */
export async function runInvocation(
  handler: Handler,
  invocation: Invocation,
  options: RunOptions,
  signal?: AbortSignal,
): Promise<InvocationResult> {
  const running = startInvocation(invocation, options);
  if (isStreaming(handler)) {
    const stream = new ResponseStream();
    const ended = running.capture(() => runStreaming(handler, stream, running));
    if (invocation.responseStreaming) return { ...running.facts, payload: payloadOf(stream, ended, signal) };
    const bytes = await collect(stream);
    const { functionError, errorDetails = "", ...end } = await ended;
    const answer =
      functionError === undefined ? checkSize(bytes) : { functionError, payload: Buffer.from(errorDetails) };
    return { ...running.facts, ...end, ...answer };
  }
  const answer = await running
    .capture(() => callHandler(handler, running.readEvent(), running.context))
    .then((result) => checkSize(Buffer.from(toJson(result))))
    .catch((error: unknown) => ({ payload: Buffer.from(running.failed(error)), functionError: "Unhandled" }));
  return { ...running.facts, ...answer, ...running.finish() };
}

/** One invocation while it runs. */
interface Running {
  readonly context: HandlerContext;
  /** What is known before it is over. */
  readonly facts: Omit<InvocationResult, "payload">;
  /** Each invocation parses the event anew: a handler that changes its event changes nobody else's. */
  readEvent(): unknown;
  capture<Result>(run: () => Promise<Result>): Promise<Result>;
  /** The payload of what was thrown. */
  failed(error: unknown): string;
  /** The log, where it was asked for. */
  finish(): { readonly logs?: string };
}

function startInvocation(
  { target, payload, logs, clientContext, tenantId }: Invocation,
  { quiet, initDuration, requestId = randomUUID() }: RunOptions,
): Running {
  const context = makeContext(target, { requestId, clientContext, tenantId });
  const log = logs || quiet ? startLog({ requestId, quiet }) : undefined;
  const start = performance.now();
  log?.append(`START RequestId: ${requestId} Version: ${context.functionVersion}\n`);
  return {
    context,
    facts: {
      requestId,
      executedVersion: context.functionVersion,
      ...(target.region !== undefined && { region: target.region }),
    },
    readEvent: () => JSON.parse(Buffer.from(payload).toString("utf8")),
    capture: async (run) => (log === undefined ? run() : log.capture(run)),
    failed(error) {
      const failure = errorPayload(error);
      log?.append(logLine(requestId, "ERROR", `Invoke Error\t${failure}`));
      return failure;
    },
    finish() {
      if (log === undefined) return {};
      finishLog(log, requestId, performance.now() - start, initDuration);
      return logs ? { logs: log.tail().toString("utf8") } : {};
    },
  };
}

/** Runs a handler that streams. What it throws is in the end that its stream comes to. */
async function runStreaming(handler: Handler, stream: ResponseStream, running: Running): Promise<InvocationEnd> {
  const run = handler as (event: unknown, stream: ResponseStream, context: HandlerContext) => unknown;
  const ended = finished(stream);
  // When the handler throws at once, nobody waits for it below.
  ended.catch(() => undefined);
  try {
    const returned = run(running.readEvent(), stream, running.context);
    if (!isThenable(returned)) throw "Streaming does not support non-async handlers.";
    // One that has returned may still be writing.
    await Promise.all([returned, ended]);
    return running.finish();
  } catch (error) {
    const errorDetails = running.failed(error);
    // Behind the end of an answer, AWS's runtime can say no more than in its log.
    if (stream.writableEnded && !stream.destroyed) return ended.then(running.finish, running.finish);
    stream.close();
    return { functionError: "Unhandled", errorDetails, ...running.finish() };
  }
}

function callHandler(handler: Handler, event: unknown, context: HandlerContext): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const callback = (error?: unknown, result?: unknown): void => {
      if (error === undefined || error === null) resolve(result);
      else reject(error);
    };
    Object.assign(context, { done: callback, fail: reject, succeed: resolve });
    const run = handler as (event: unknown, context: HandlerContext, callback: unknown) => unknown;
    const returned = run(event, context, callback);
    if (isThenable(returned)) returned.then(resolve, reject);
    else if (returned !== undefined || handler.length < 3) resolve(returned);
  });
}

function checkSize(payload: Uint8Array): { payload: Uint8Array; functionError?: string } {
  if (payload.length <= MAX_RESULT) return { payload };
  const failure = {
    errorType: "Function.ResponseSizeTooLarge",
    errorMessage: `Response payload size exceeded maximum allowed payload size (${MAX_RESULT} bytes).`,
  };
  return { payload: Buffer.from(JSON.stringify(failure)), functionError: "Unhandled" };
}

function makeContext(
  target: Target,
  {
    requestId: awsRequestId,
    clientContext,
    tenantId,
  }: { requestId: string; clientContext: string | undefined; tenantId: string | undefined },
): HandlerContext {
  const deadline = performance.now() + MAX_DURATION_MS;
  const functionVersion = /^\d+$/.test(target.qualifier ?? "") ? (target.qualifier ?? "") : "$LATEST";
  const day = new Date().toISOString().slice(0, 10).replaceAll("-", "/");
  const unset = (): void => undefined;
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: target.functionName,
    functionVersion,
    invokedFunctionArn: functionArn(target),
    memoryLimitInMB: String(MEMORY_MB),
    awsRequestId,
    ...(clientContext !== undefined && { clientContext: parseObject(Buffer.from(clientContext, "base64").toString()) }),
    ...(tenantId !== undefined && { tenantId }),
    logGroupName: `/aws/lambda/${target.functionName}`,
    logStreamName: `${day}/[${functionVersion}]${awsRequestId.replaceAll("-", "")}`,
    getRemainingTimeInMillis: () => Math.max(0, Math.round(deadline - performance.now())),
    done: unset,
    fail: unset,
    succeed: unset,
  };
}

function finishLog(log: InvocationLog, requestId: string, duration: number, initDuration: number | undefined): void {
  const used = Math.ceil(process.memoryUsage.rss() / 1024 / 1024);
  const facts = [
    `REPORT RequestId: ${requestId}`,
    `Duration: ${duration.toFixed(2)} ms`,
    `Billed Duration: ${Math.ceil(duration + (initDuration ?? 0))} ms`,
    `Memory Size: ${MEMORY_MB} MB`,
    `Max Memory Used: ${used} MB`,
    ...(initDuration === undefined ? [] : [`Init Duration: ${initDuration.toFixed(2)} ms`]),
  ];
  log.append(`END RequestId: ${requestId}\n${facts.join("\t")}\t\n`);
}
