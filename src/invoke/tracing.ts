/**
 * What this library tells whoever listens, on channels of `node:diagnostics_channel`:
 * https://nodejs.org/api/diagnostics_channel.html#tracingchannel-channels. Without listeners it costs a look.
 *
 * A message is one object from its start to its end, so that a listener can keep what belongs to it in a WeakMap. It
 * shows no body, no header and no credential. A `result` or `response` is the caller's own: who reads its body takes it.
 */
import { channel, type TracingChannel, tracingChannel } from "node:diagnostics_channel";
import type { InvokeError, RequestSummary } from "../errors.ts";
import type { HeaderList } from "../formats/format.ts";
import type { PayloadFormat } from "../formats/formats.ts";
import { checkHeader, findHeader } from "../formats/headers.ts";
import type { Target } from "../target.ts";
import type { InvocationResult, InvocationType, RetryInfo } from "./invoker.ts";

/** Of the tracing channel `lambda-requests:request`: one call of a function's URL, retries and redirects included. */
export interface RequestTrace {
  readonly request: RequestSummary;
  readonly target: Target;
  readonly payloadFormat: PayloadFormat;
  readonly invocationType: InvocationType;
  readonly responseStreaming: boolean;
  /** Adds a header to the request, where neither the caller nor another listener gave one. Heard on `start` alone. */
  setHeader(name: string, value: string): void;
  /** How often an event was sent, over all redirects. */
  attempts: number;
  /** The response, once there is one. The body of a streamed one may still be on its way: `invocation.completed`. */
  result?: Response;
  /** What the call rejected with. */
  error?: unknown;
}

/** Of the tracing channel `lambda-requests:invoke`: one attempt to deliver an event. */
export interface InvokeTrace {
  /** The call that it is a part of; absent when nobody listened as that began. */
  readonly parent?: RequestTrace;
  readonly request: RequestSummary;
  readonly target: Target;
  /** From 1 on; each redirect begins anew. */
  readonly attempt: number;
  /** Bytes of the event. */
  readonly eventSize: number;
  /** What Lambda answered, but for the payload; of a streamed result, as much as is known when status and headers are. */
  result?: Omit<InvocationResult, "payload" | "prelude" | "logs"> & { readonly resultSize?: number };
  /** Why it failed: an {@link InvokeError} says with which `outcome`. */
  error?: unknown;
}

/** Of the channel `tracing:lambda-requests:invoke:retry`: an attempt failed, and is about to be followed by another. */
export interface RetryTrace extends RetryInfo {
  readonly parent?: RequestTrace;
}

type Channel<Message extends object> = TracingChannel<unknown, Message>;

const requests: Channel<RequestTrace> = tracingChannel("lambda-requests:request");
const attempts: Channel<InvokeTrace> = tracingChannel("lambda-requests:invoke");
const retries = channel("tracing:lambda-requests:invoke:retry");

/** Does anybody listen to calls? */
export function areRequestsTraced(): boolean {
  return isHeard(requests);
}

/** Does anybody listen to attempts? */
export function areAttemptsTraced(): boolean {
  return isHeard(attempts);
}

/** Tells of a call. The headers that listeners set on `start` are there when `run` is called. */
export function traceRequest(
  facts: Omit<RequestTrace, "setHeader" | "attempts">,
  run: (trace: RequestTrace, added: HeaderList) => Promise<Response>,
): Promise<Response> {
  const added: [name: string, value: string][] = [];
  const trace: RequestTrace = {
    ...facts,
    attempts: 0,
    setHeader(name, value) {
      const isNew = findHeader(added, name.toLowerCase()) === undefined;
      const checked = checkHeader(name, value);
      if (isNew) added.push([name, checked]);
    },
  };
  return traced(
    requests,
    trace,
    () => run(trace, added),
    (response) => response,
  );
}

/** Tells of an attempt. */
export function traceAttempt(trace: InvokeTrace, run: () => Promise<InvocationResult>): Promise<InvocationResult> {
  return traced(attempts, trace, run, ({ payload, prelude: _content, logs: _text, ...facts }) => ({
    ...facts,
    ...(payload instanceof Uint8Array && { resultSize: payload.length }),
  }));
}

/** Tells that there will be another attempt. */
export function traceRetry(retry: RetryTrace): void {
  if (retries.hasSubscribers) retries.publish(retry);
}

function isHeard<Message extends object>({ start, end, asyncStart, asyncEnd, error }: Channel<Message>): boolean {
  return [start, end, asyncStart, asyncEnd, error].some(({ hasSubscribers }) => hasSubscribers);
}

/** `tracePromise`, whose messages would hold the whole of a result. */
async function traced<Result, Told, Message extends { result?: Told; error?: unknown }>(
  { start, end, asyncStart, asyncEnd, error }: Channel<Message>,
  message: Message,
  run: () => Promise<Result>,
  tell: (result: Result) => Told,
): Promise<Result> {
  const over = (): void => asyncStart.runStores(message, () => asyncEnd.publish(message));
  const running = start.runStores(message, () => {
    const promise = run();
    end.publish(message);
    return promise;
  });
  try {
    const result = await running;
    message.result = tell(result);
    over();
    return result;
  } catch (reason) {
    message.error = reason;
    error.publish(message);
    over();
    throw reason;
  }
}
