/**
 * `lambda-requests/opentelemetry`: calls as OpenTelemetry's spans and metrics, and their context on its way to the
 * function. Needs `@opentelemetry/api`.
 *
 * @packageDocumentation
 */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import {
  type MeterProvider,
  metrics,
  propagation,
  type TextMapPropagator,
  type TracerProvider,
  trace,
} from "@opentelemetry/api";
import { ConfigurationError } from "../errors.ts";
import { checkOptionNames } from "../invoke/option-names.ts";
import { VERSION } from "../version.ts";
import { createCallSpans, safely, type Telemetry } from "./call-spans.ts";
import { instrumentsOf, SCOPE } from "./instruments.ts";

/** Options of {@link instrument}. */
export interface OpenTelemetryOptions {
  /**
   * Where spans go.
   * @default the global one of @opentelemetry/api
   */
  readonly tracerProvider?: TracerProvider | undefined;
  /**
   * Where metrics go.
   * @default the global one of @opentelemetry/api
   */
  readonly meterProvider?: MeterProvider | undefined;
  /**
   * What writes a span's context into the headers that the function finds in its event.
   * @default the global one of @opentelemetry/api
   */
  readonly propagator?: TextMapPropagator | undefined;
}

/** What {@link instrument} returns. */
export interface Instrumentation {
  /** From now on, calls that begin are not heard of. Spans of those under way end with them. */
  disable(): void;
  /** The same. */
  [Symbol.dispose](): void;
}

/**
 * Tells OpenTelemetry of every call of a function in this process, whichever `Session` or `fetch` it comes from:
 *
 * - A client span by the HTTP conventions, named after the method. `server.address` is the function's name; there is no
 *   `server.port`. It ends with the response, or with the body of a streamed one: when that is here, has failed, was
 *   cancelled, or is collected as garbage.
 * - In it, for every attempt, a client span `Lambda.Invoke` or `Lambda.InvokeWithResponseStream` by the AWS SDK's
 *   conventions, which ends when status and headers are known; and before a further attempt an event, `retry`.
 * - The histogram `http.client.request.duration` and the counter `lambda_requests.retries`.
 *
 * The function finds the span's context among the headers of its event, as the propagator writes it (`traceparent`,
 * `tracestate`, `baggage`), where the caller gave no header of that name. AWS is not told of it.
 *
 * `error.type` is a status from 400 on, the `code` of a `LambdaRequestsError`, or the name of another error; a call that
 * its caller has aborted is none. Errors are no events of a span: the conventions have given that up. The variable
 * `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS` lists the methods that are named, in place of HTTP's own.
 *
 * Call it once, when the process starts. A second call tells of everything a second time. Global providers may be set
 * later than that; a call that has begun before is told of in part or not at all.
 *
 * The conventions: https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client-span,
 * https://opentelemetry.io/docs/specs/semconv/http/http-metrics/#http-client,
 * https://opentelemetry.io/docs/specs/semconv/faas/faas-spans/#outgoing-invocations and
 * https://opentelemetry.io/docs/specs/semconv/cloud-providers/aws-sdk/.
 *
 * @throws {ConfigurationError} for an unknown option, or a value that can't be.
 * @example
 * instrument();
 * await using session = new Session({ region: "eu-west-1" });
 * await session.get("http+lambda://orders/v1");
 */
export function instrument(options: OpenTelemetryOptions = {}): Instrumentation {
  checkOptions(options);
  const tracer = (options.tracerProvider ?? trace).getTracer(SCOPE, VERSION);
  const propagator: Telemetry["propagator"] = options.propagator ?? propagation;
  const instruments = instrumentsOf(() => options.meterProvider ?? metrics.getMeterProvider());
  const spans = createCallSpans({ tracer, propagator, instruments });
  const starts = [
    listen("request:start", spans.startCall),
    listen("invoke:start", spans.startAttempt),
    listen("invoke:retry", spans.tellRetry),
  ];
  const ends = [
    listen("request:asyncEnd", spans.endCall, stopIfOver),
    listen("invoke:asyncEnd", spans.endAttempt, stopIfOver),
  ];
  let isDisabled = false;

  function stopIfOver(): void {
    if (isDisabled && spans.isIdle()) for (const stop of ends) stop();
  }

  function disable(): void {
    isDisabled = true;
    for (const stop of starts) stop();
    stopIfOver();
  }

  return { disable, [Symbol.dispose]: disable };
}

const OPTIONS = {
  tracerProvider: "getTracer",
  meterProvider: "getMeter",
  propagator: "inject",
} as const satisfies Record<keyof OpenTelemetryOptions, string>;

/** @throws {ConfigurationError} */
function checkOptions(options: OpenTelemetryOptions): void {
  checkOptionNames(options, Object.keys(OPTIONS));
  for (const [name, method] of Object.entries(OPTIONS)) {
    const value = options[name as keyof OpenTelemetryOptions] as Readonly<Record<string, unknown>> | null | undefined;
    if (value === undefined || typeof value?.[method] === "function") continue;
    throw new ConfigurationError(`the option ${name} has to be an object with a method ${method}`);
  }
}

/** @returns what ends it. */
function listen<Message>(event: string, react: (message: Message) => void, then?: () => void): () => void {
  const name = `tracing:lambda-requests:${event}`;
  const listener = (message: unknown): void => {
    safely(() => react(message as Message));
    then?.();
  };
  subscribe(name, listener);
  return () => unsubscribe(name, listener);
}
