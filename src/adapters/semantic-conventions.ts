/**
 * The names of OpenTelemetry's semantic conventions that a caller of functions has a use for. As literals, so that the
 * package of the constants is none that anybody has to install; a test compares the two.
 */

/** Attributes of spans and metrics. */
export const ATTRIBUTES = {
  // Stable: https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client-span
  method: "http.request.method",
  originalMethod: "http.request.method_original",
  resendCount: "http.request.resend_count",
  status: "http.response.status_code",
  url: "url.full",
  address: "server.address",
  errorType: "error.type",
  // In development: https://opentelemetry.io/docs/specs/semconv/faas/faas-spans/#outgoing-invocations
  functionName: "faas.invoked_name",
  functionProvider: "faas.invoked_provider",
  functionRegion: "faas.invoked_region",
  // In development: https://opentelemetry.io/docs/specs/semconv/registry/attributes/faas/
  coldStart: "faas.coldstart",
  // In development: https://opentelemetry.io/docs/specs/semconv/cloud-providers/aws-sdk/
  requestId: "aws.request_id",
  rpcSystem: "rpc.system",
  rpcService: "rpc.service",
  rpcMethod: "rpc.method",
  region: "cloud.region",
} as const;

/** Attributes that no convention has. */
export const OWN_ATTRIBUTES = {
  /** Of an attempt that failed: `not-started`, `unknown` or `completed`. */
  outcome: "lambda_requests.outcome",
  /** How a function failed that did: `timeout`, `crash`, `out-of-memory`, `exception` or `too-large`. */
  functionFailure: "lambda_requests.function_failure",
  /** Of the event `retry`: the number of the attempt that failed, from 1 on. */
  attempt: "lambda_requests.retry.attempt",
  /** Of the event `retry`: seconds until the next attempt. */
  delay: "lambda_requests.retry.delay",
} as const;

/** Metrics. */
export const METRICS = {
  // Stable: https://opentelemetry.io/docs/specs/semconv/http/http-metrics/#metric-httpclientrequestduration
  duration: "http.client.request.duration",
} as const;

/** A metric that no convention has. */
export const OWN_METRICS = {
  retries: "lambda_requests.retries",
} as const;

/** What an attribute says where the conventions know no name: of a method, and of an error. */
export const OTHER = "_OTHER";

// RFC 9110, PATCH and QUERY, as the page of HTTP spans has them.
const KNOWN_METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"];

/** The methods that may stand in an attribute, or what the variable of that name says instead. */
export function knownMethods(
  list: string | undefined = process.env.OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS,
): ReadonlySet<string> {
  const methods = (list ?? "").split(",").map((method) => method.trim());
  return new Set(methods.some((method) => method !== "") ? methods : KNOWN_METHODS);
}

/** What signs a URL: the page of HTTP spans, `url.full`. */
const SECRETS =
  /([?&](?:AWSAccessKeyId|Signature|sig|X-Amz-Credential|X-Amz-Security-Token|X-Amz-Signature|X-Goog-Signature)=)[^&#\s]*/g;

/** A URL, or a text that names one, without the secrets that may be in its query. */
export function withoutSecrets(text: string): string {
  return text.replace(SECRETS, "$1REDACTED");
}
