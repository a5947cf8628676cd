/** Calls and their attempts as spans, from start to end, with what is measured of them. */
import {
  type Attributes,
  type Context,
  context,
  diag,
  type Span,
  SpanKind,
  type TextMapPropagator,
  type TextMapSetter,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { FunctionError, InvokeError } from "../errors.ts";
import type { InvocationInfo } from "../invocation-info.ts";
import type { InvokeTrace, RequestTrace, RetryTrace } from "../invoke/tracing.ts";
import type { Target } from "../target.ts";
import { type Instruments, SCOPE } from "./instruments.ts";
import { ATTRIBUTES as A, knownMethods, OTHER, OWN_ATTRIBUTES as OWN, withoutSecrets } from "./semantic-conventions.ts";
import { errorType, setError, setFailure } from "./span-error.ts";

/** Where all of it goes. */
export interface Telemetry {
  readonly tracer: Tracer;
  readonly propagator: Pick<TextMapPropagator<RequestTrace>, "inject">;
  instruments(): Instruments;
}

/** What is to be done with each message of the channels. */
interface CallSpans {
  startCall(message: RequestTrace): void;
  startAttempt(message: InvokeTrace): void;
  tellRetry(message: RetryTrace): void;
  endAttempt(message: InvokeTrace): void;
  endCall(message: RequestTrace): void;
  /** Is no call and no attempt under way whose end will have to be heard of? */
  isIdle(): boolean;
}

/** A call under way. It holds nothing of the response: a body that nobody else holds is given up. */
interface OpenCall {
  readonly span: Span;
  /** With the span in it. */
  readonly within: Context;
  readonly begin: number;
  readonly metricAttributes: Attributes;
  /** How often its event was sent. */
  sends: number;
}

/** What came of a call. */
interface Outcome {
  readonly status?: number | undefined;
  readonly invocation?: InvocationInfo | undefined;
  /** Present when it failed, or the body of its response. */
  readonly failure?: { readonly reason: unknown };
}

/** A message that it knows no beginning of is passed over. */
export function createCallSpans({ tracer, propagator, instruments }: Telemetry): CallSpans {
  const methods = knownMethods();
  const calls = new WeakMap<RequestTrace, OpenCall>();
  const attempts = new WeakMap<InvokeTrace, Span>();
  let underWay = 0;

  function startCall(message: RequestTrace): void {
    const { request, target } = message;
    const method = [request.method, request.method.toUpperCase()].find((name) => methods.has(name)) ?? OTHER;
    const metricAttributes = { [A.method]: method, [A.address]: target.functionName };
    const attributes = {
      ...metricAttributes,
      ...(method !== request.method && { [A.originalMethod]: request.method }),
      [A.url]: withoutSecrets(request.url),
      ...functionAttributes(target),
    };
    const around = context.active();
    const name = method === OTHER ? "HTTP" : method;
    const span = tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes }, around);
    const within = trace.setSpan(around, span);
    calls.set(message, { span, within, begin: performance.now(), metricAttributes, sends: 0 });
    underWay++;
    propagator.inject(within, message, INTO_EVENT);
  }

  function startAttempt(message: InvokeTrace): void {
    const { parent, target, attempt } = message;
    const call = parent && calls.get(parent);
    const resends = call === undefined ? attempt - 1 : call.sends++;
    const isStreamed = parent?.responseStreaming && parent.invocationType === "RequestResponse";
    const method = isStreamed ? "InvokeWithResponseStream" : "Invoke";
    const attributes = {
      [A.rpcSystem]: "aws-api",
      [A.rpcService]: "Lambda",
      [A.rpcMethod]: method,
      ...functionAttributes(target),
      ...(resends > 0 && { [A.resendCount]: resends }),
    };
    const around = call?.within ?? context.active();
    attempts.set(message, tracer.startSpan(`Lambda.${method}`, { kind: SpanKind.CLIENT, attributes }, around));
    underWay++;
  }

  function tellRetry({ parent, target, attempt, delay, error, response }: RetryTrace): void {
    const type = error === undefined ? String(response?.status) : errorType(error);
    const attributes = { [OWN.attempt]: attempt, [OWN.delay]: delay / 1000, [A.errorType]: type };
    (parent && calls.get(parent))?.span.addEvent("retry", attributes);
    instruments().retries.add(1, { [A.address]: target.functionName, [A.errorType]: type });
  }

  function endAttempt(message: InvokeTrace): void {
    const span = attempts.get(message);
    if (span === undefined) return;
    attempts.delete(message);
    underWay--;
    try {
      const { result, error, target } = message;
      const refusal = error instanceof InvokeError ? error : undefined;
      const region = result?.region ?? target.region;
      const requestId = result?.requestId ?? refusal?.requestId;
      if (region !== undefined) span.setAttributes({ [A.region]: region, [A.functionRegion]: region });
      if (requestId !== undefined) span.setAttribute(A.requestId, requestId);
      if (refusal !== undefined) span.setAttribute(OWN.outcome, refusal.outcome);
      if (result === undefined) setFailure(span, error);
      else if (result.functionError !== undefined) setError(span, result.functionError);
    } finally {
      span.end();
    }
  }

  function endCall(message: RequestTrace): void {
    const call = calls.get(message);
    if (call === undefined) return;
    calls.delete(message);
    underWay--;
    const { result, error, responseStreaming } = message;
    const facts = factsOf(error instanceof FunctionError ? error.response : result);
    const completed = responseStreaming ? facts.invocation?.completed : undefined;
    if (result === undefined) finish(call, { ...facts, failure: { reason: error } });
    else if (completed === undefined) finish(call, facts);
    else finishWith(completed, call, facts);
  }

  // By itself, so that what waits for the end of a body does not hold the response.
  function finishWith(completed: Promise<unknown>, call: OpenCall, facts: Outcome): void {
    completed.then(
      () => safely(() => finish(call, facts)),
      (reason: unknown) => safely(() => finish(call, { ...facts, failure: { reason } })),
    );
  }

  function finish({ span, within, begin, metricAttributes }: OpenCall, facts: Outcome): void {
    try {
      const { status, invocation, failure } = facts;
      const { region, requestId, report, functionError } = invocation ?? {};
      const answered = status !== undefined && { [A.status]: status };
      span.setAttributes({
        ...answered,
        ...(region !== undefined && { [A.functionRegion]: region }),
        ...(requestId !== undefined && { [A.requestId]: requestId }),
        ...(report?.initDuration !== undefined && { [A.coldStart]: true }),
        ...(functionError !== undefined && { [OWN.functionFailure]: functionError.kind }),
      });
      let type = failure && setFailure(span, failure.reason);
      if (type === undefined && status !== undefined && status >= 400) {
        type = String(status);
        setError(span, type, functionError?.errorMessage);
      }
      const attributes = { ...metricAttributes, ...answered, ...(type !== undefined && { [A.errorType]: type }) };
      instruments().duration.record((performance.now() - begin) / 1000, attributes, within);
    } finally {
      span.end();
    }
  }

  return { startCall, startAttempt, tellRetry, endAttempt, endCall, isIdle: () => underWay === 0 };
}

const INTO_EVENT: TextMapSetter<RequestTrace> = {
  // One that no header can be must not take the others along.
  set: (message, name, value) => safely(() => message.setHeader(name, value)),
};

/** What is thrown where nobody catches it would end the process. */
export function safely(act: () => void): void {
  try {
    act();
  } catch (error) {
    diag.error(`${SCOPE}: some of a call's telemetry is lost`, error);
  }
}

function functionAttributes({ functionName, region }: Target): Attributes {
  const named = { [A.functionName]: functionName, [A.functionProvider]: "aws" };
  return region === undefined ? named : { ...named, [A.functionRegion]: region };
}

/** What a `fetch` of a user's own has answered knows of no invocation. */
function factsOf(response: Response | undefined): Outcome {
  const { status, invocation } = (response ?? {}) as { status?: number; invocation?: InvocationInfo };
  return { status, invocation };
}
