/** From a request to the invocation that stands for it, measured before it is sent. */
import { createHash } from "node:crypto";
import { PayloadTooLargeError, type RequestSummary } from "./errors.ts";
import type { EventRequest, Format } from "./formats/format.ts";
import { FORMATS } from "./formats/formats.ts";
import { findHeader } from "./formats/headers.ts";
import {
  type Invocation,
  type InvocationType,
  isExecutionName,
  MAX_CLIENT_CONTEXT,
  maxEvent,
  type Progress,
  type RetryPolicy,
} from "./invoke/invoker.ts";
import type { RequestTrace } from "./invoke/tracing.ts";
import type { RequestSettings, RetrySettings } from "./options.ts";
import { type BodyLimit, isRepeatable, type ReadRequest, toEventRequest } from "./request.ts";
import type { LambdaUrl, Target } from "./target.ts";

/** An invocation with what is to be done about statuses. */
type RequestInvocation = Invocation & { readonly retry?: RetryPolicy & RetrySettings };

/** What the call knows that the invocation is a part of. */
interface CallFacts {
  readonly progress: Progress;
  readonly onRetry: RetryPolicy["onRetry"] | undefined;
  readonly trace: RequestTrace | undefined;
  /** Has a redirect led here? */
  readonly isRedirected: boolean;
}

/** @throws {PayloadTooLargeError} when it is more than Lambda takes. */
export function makeInvocation(
  request: ReadRequest,
  url: LambdaUrl,
  options: RequestSettings,
  { progress, onRetry, trace, isRedirected }: CallFacts,
): RequestInvocation {
  const { payloadFormat, invocationType, responseStreaming, clientContext, tenantId, logs, retry } = options;
  const { target } = url;
  const summary = { method: request.method, url: url.href };
  const about = { target, request: summary, invocationType };
  const unsafe = retry !== false && retry.unsafe;
  const context = clientContext === undefined ? undefined : encodeClientContext(clientContext, about);
  const executionName = executionNameOf(request, options, isRedirected ? summary : undefined);
  // Field by field, for every call passes here, and to spread what may be absent is slow.
  const invocation: { -readonly [Name in keyof RequestInvocation]: RequestInvocation[Name] } = {
    target,
    request: summary,
    invocationType,
    payload: encodeEvent(FORMATS[payloadFormat], toEventRequest(request, url), about),
    logs,
    // To ask twice whether one may invoke a function does not run it, and neither does a name that an execution has.
    repeatable: invocationType === "DryRun" || executionName !== undefined || unsafe || isRepeatable(request),
    progress,
  };
  // What is queued, or only asked, has no answer to stream.
  if (responseStreaming && invocationType === "RequestResponse") invocation.responseStreaming = true;
  if (context !== undefined) invocation.clientContext = context;
  if (tenantId !== undefined) invocation.tenantId = tenantId;
  if (executionName !== undefined) invocation.durableExecutionName = executionName;
  if (retry !== false) invocation.retry = onRetry === undefined ? retry : policyWith(retry, onRetry);
  if (trace !== undefined) invocation.trace = trace;
  return invocation;
}

function policyWith(
  { attempts, unsafe, maxDelay, statuses }: RetrySettings,
  onRetry: NonNullable<RetryPolicy["onRetry"]>,
): RetryPolicy & RetrySettings {
  const policy = { unsafe, maxDelay, statuses, onRetry };
  return attempts === undefined ? policy : { ...policy, attempts };
}

/**
 * The name of a durable function's execution, by which Lambda knows a call that it has had already. With another event it
 * would refuse the name, so what a redirect leads to has one of its own, the same whenever the call is repeated.
 */
function executionNameOf(
  { headers }: ReadRequest,
  { durable, durableExecutionName }: RequestSettings,
  redirectedTo: RequestSummary | undefined,
): string | undefined {
  const name = durableExecutionName ?? (durable ? findHeader(headers, "idempotency-key") : undefined);
  if (name === undefined || name === "") return undefined;
  if (redirectedTo === undefined && isExecutionName(name)) return name;
  const { method = "", url = "" } = redirectedTo ?? {};
  return createHash("sha256").update([name, method, url].join("\n")).digest("hex");
}

/** How much of a body there is any use in reading: as many bytes as an event may have. */
export function bodyLimit(
  invocationType: InvocationType,
  { method, url, target }: RequestSummary & { readonly target: Target },
): BodyLimit {
  const bytes = maxEvent(invocationType);
  return {
    bytes,
    exceeded: (size) =>
      new PayloadTooLargeError(
        `the body has at least ${size} bytes, Lambda takes an event of ${bytes}; the rest of it was not read. Nothing was sent`,
        { size, limit: bytes, request: { method, url }, target },
      ),
  };
}

/** @throws {PayloadTooLargeError} when it is more than Lambda takes. */
function encodeEvent(
  format: Format,
  event: EventRequest,
  { target, request, invocationType }: { target: Target; request: RequestSummary; invocationType: InvocationType },
): Uint8Array {
  const limit = maxEvent(invocationType);
  // A body that is too large by itself is not encoded first: its event might not even fit into a string.
  const isHopeless = (event.body?.length ?? 0) > limit;
  const payload = isHopeless ? undefined : format.toPayload(event, target);
  if (payload !== undefined && payload.length <= limit) return payload;
  const size = payload?.length ?? event.body?.length ?? 0;
  const url = request.url.length > 200 ? `${request.url.slice(0, 200)}…` : request.url;
  const kind = invocationType === "Event" ? " of one that is queued" : "";
  throw new PayloadTooLargeError(
    `the event is ${isHopeless ? "over " : ""}${size} bytes, Lambda takes ${limit}${kind}; ${largestPart(event)}. Nothing was sent`,
    { size, limit, request: { ...request, url }, target },
  );
}

/**
 * The client context as its header holds it.
 *
 * @throws {PayloadTooLargeError} when it is more than Lambda takes.
 * @throws {TypeError} when JSON can't hold it.
 */
function encodeClientContext(
  context: object,
  { target, request }: { target: Target; request: RequestSummary },
): string {
  const encoded = Buffer.from(JSON.stringify(context)).toString("base64");
  if (encoded.length <= MAX_CLIENT_CONTEXT) return encoded;
  throw new PayloadTooLargeError(
    `the option clientContext is ${encoded.length} characters of base64, Lambda takes ${MAX_CLIENT_CONTEXT}. Nothing was sent`,
    { size: encoded.length, limit: MAX_CLIENT_CONTEXT, target, request },
  );
}

function largestPart({ path, query, headers, body }: EventRequest): string {
  const isBytes = body !== null && typeof body !== "string";
  const sizes: [part: string, size: number, unit: string][] = [
    [
      "body",
      body?.length ?? 0,
      isBytes ? "bytes; unless they are text, base64 makes them a third larger" : "characters",
    ],
    ["headers", headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0), "characters"],
    ["query", query.length, "characters"],
    ["path", path.length, "characters"],
  ];
  const [part, size, unit] = sizes.reduce((a, b) => (b[1] > a[1] ? b : a));
  return `the largest part is the ${part} (${size} ${unit})`;
}
