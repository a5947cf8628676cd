/** From a request to the invocation that stands for it, measured before it is sent. */
import { PayloadTooLargeError, type RequestSummary } from "./errors.ts";
import type { EventRequest, Format } from "./formats/format.ts";
import { FORMATS } from "./formats/formats.ts";
import {
  type Invocation,
  type InvocationType,
  MAX_CLIENT_CONTEXT,
  maxEvent,
  type Progress,
  type RetryPolicy,
} from "./invoke/invoker.ts";
import type { RequestSettings, RetrySettings } from "./options.ts";
import { isRepeatable, type ReadRequest, toEventRequest } from "./request.ts";
import type { LambdaUrl, Target } from "./target.ts";

/** An invocation with what is to be done about statuses. */
type RequestInvocation = Invocation & { readonly retry?: RetryPolicy & RetrySettings };

/** @throws {PayloadTooLargeError} when it is more than Lambda takes. */
export function makeInvocation(
  request: ReadRequest,
  url: LambdaUrl,
  { payloadFormat, invocationType, clientContext, logs, retry }: RequestSettings,
  { progress, onRetry }: { progress: Progress; onRetry: RetryPolicy["onRetry"] | undefined },
): RequestInvocation {
  const { target } = url;
  const summary = { method: request.method, url: url.href };
  const about = { target, request: summary, invocationType };
  const unsafe = retry !== false && retry.unsafe;
  const context = clientContext === undefined ? undefined : encodeClientContext(clientContext, about);
  const policy = retry === false || onRetry === undefined ? retry : { ...retry, onRetry };
  return {
    target,
    request: summary,
    invocationType,
    payload: encodeEvent(FORMATS[payloadFormat], toEventRequest(request, url), about),
    logs,
    // To ask twice whether one may invoke a function does not run it.
    repeatable: invocationType === "DryRun" || unsafe || isRepeatable(request),
    progress,
    ...(context !== undefined && { clientContext: context }),
    ...(policy !== false && { retry: policy }),
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
  const payload = isHopeless ? undefined : Buffer.from(JSON.stringify(format.encode(event, target)));
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
