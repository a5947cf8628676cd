/**
 * `alb` and `alb-multi-value`: the events of an Application Load Balancer, without and with multi-value headers, and the
 * results that it takes.
 *
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
 */
import { type Target, UNKNOWN_ACCOUNT } from "../target.ts";
import { bodyLength, decodeBody, encodeBody, isListedText } from "./body.ts";
import { type EventRequest, type Format, InvalidResultError, makeFormat, type ResponseParts } from "./format.ts";
import { findHeader, hostOf, isHopByHop, mergeResultHeaders } from "./headers.ts";
import { type JsonText, json, NOTHING } from "./json.ts";
import { kindOf } from "./show.ts";
import { decodeStatus } from "./status.ts";
import { forwardedFor, traceId } from "./synthetic.ts";
import { addValue, type MultiValues, multiValues, type SingleValues, singleValues, type Values } from "./values.ts";

interface CommonEvent {
  requestContext: { elb: { targetGroupArn: string } };
  httpMethod: string;
  path: string;
  /** `""` when there is none. */
  body: string;
  isBase64Encoded: boolean;
}

/** The event of a target group without multi-value headers: the last value of a name wins. */
export interface AlbEvent extends CommonEvent {
  queryStringParameters: SingleValues;
  headers: SingleValues;
}

/** The event of a target group with multi-value headers. */
export interface AlbMultiValueEvent extends CommonEvent {
  multiValueQueryStringParameters: MultiValues;
  multiValueHeaders: MultiValues;
}

/**
 * The payload format `alb`. Names and values of the query stay percent-encoded.
 *
 * @example
 * const request = { method: "GET", path: "/", query: "q=a%20b&q=c", headers: [], body: null } as const;
 * alb.encode(request, { functionName: "orders" }).queryStringParameters; // { q: "c" }
 */
export const alb: Format<AlbEvent> = makeFormat(
  "alb",
  (request, target) =>
    write(
      request,
      target,
      ({ headers, query }) => json`
        "queryStringParameters":${singleValues(query)},
        "headers":${singleValues(headers)},`,
    ),
  decode,
);

/**
 * The payload format `alb-multi-value`. Names and values of the query stay percent-encoded.
 *
 * @example
 * const request = { method: "GET", path: "/", query: "q=a%20b&q=c", headers: [], body: null } as const;
 * albMultiValue.encode(request, { functionName: "orders" }).multiValueQueryStringParameters; // { q: ["a%20b", "c"] }
 */
export const albMultiValue: Format<AlbMultiValueEvent> = makeFormat(
  "alb-multi-value",
  (request, target) =>
    write(
      request,
      target,
      ({ headers, query }) => json`
        "multiValueQueryStringParameters":${multiValues(query)},
        "multiValueHeaders":${multiValues(headers)},`,
    ),
  decode,
);

/** What the two write differently. */
type WriteMaps = (maps: { readonly headers: Values; readonly query: Values }) => JsonText;

function write(request: EventRequest, target: Target, writeMaps: WriteMaps): JsonText {
  const isText =
    isListedText(findHeader(request.headers, "content-type")) &&
    findHeader(request.headers, "content-encoding") === undefined;
  const { body, isBase64Encoded } = encodeBody(request.body, isText);
  return json`{
    "requestContext":{"elb":{"targetGroupArn":"${targetGroupArn(target)}"}},
    "httpMethod":"${request.method}",
    "path":"${request.path}",
    ${writeMaps({ headers: encodeHeaders(request, target), query: readQuery(request.query) })}
    "body":"${body ?? NOTHING}",
    "isBase64Encoded":${isBase64Encoded}
  }`;
}

function encodeHeaders(request: EventRequest, target: Target): Values {
  const headers: Values = new Map();
  for (const [name, value] of request.headers) {
    const lower = name.toLowerCase();
    if (!isHopByHop(lower)) addValue(headers, lower, value);
  }
  // A caller's own count may be wrong, and an adapter would wait for the rest.
  const { body } = request;
  if (body !== null || headers.has("content-length")) headers.set("content-length", [String(bodyLength(body ?? ""))]);
  if (!headers.has("host")) headers.set("host", [hostOf(target)]);
  if (!headers.has("x-amzn-trace-id")) headers.set("x-amzn-trace-id", [traceId(Date.now())]);
  headers.set("x-forwarded-for", [forwardedFor(headers.get("x-forwarded-for")?.join(", "))]);
  headers.set("x-forwarded-port", ["443"]);
  headers.set("x-forwarded-proto", ["https"]);
  return headers;
}

/** As on the wire: a load balancer decodes neither names nor values. */
function readQuery(query: string): Values {
  const values: Values = new Map();
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const [name, value] = equals < 0 ? [pair, ""] : [pair.slice(0, equals), pair.slice(equals + 1)];
    addValue(values, name, value);
  }
  return values;
}

function decode(result: unknown): ResponseParts {
  if (typeof result !== "object" || result === null || Array.isArray(result)) {
    throw new InvalidResultError(
      `the function returned ${kindOf(result)}; a load balancer takes an object with statusCode, headers and body`,
    );
  }
  const { statusCode, headers, multiValueHeaders, body, isBase64Encoded } = result as Record<string, unknown>;
  if (statusCode === undefined || statusCode === null) {
    throw new InvalidResultError("the function returned an object without statusCode, which a load balancer requires");
  }
  return {
    status: decodeStatus(statusCode),
    headers: mergeResultHeaders(headers, multiValueHeaders),
    body: decodeBody(body, isBase64Encoded),
  };
}

function targetGroupArn(target: Target): string {
  const { functionName, partition = "aws", region = "us-east-1", accountId = UNKNOWN_ACCOUNT } = target;
  return `arn:${partition}:elasticloadbalancing:${region}:${accountId}:targetgroup/${functionName}/0000000000000000`;
}
