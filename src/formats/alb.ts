/**
 * `alb` and `alb-multi-value`: the events of an Application Load Balancer, without and with multi-value headers, and the
 * results that it takes.
 *
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
 */
import { type Target, UNKNOWN_ACCOUNT } from "../target.ts";
import { bodyLength, decodeBody, encodeBody, isListedText } from "./body.ts";
import { type EventRequest, type Format, InvalidResultError, type ResponseParts } from "./format.ts";
import {
  addValue,
  emptyValues,
  findHeader,
  hostOf,
  isHopByHop,
  type MultiValues,
  mergeResultHeaders,
  type SingleValues,
} from "./headers.ts";
import { kindOf } from "./show.ts";
import { decodeStatus } from "./status.ts";
import { forwardedFor, traceId } from "./synthetic.ts";

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
export const alb: Format<AlbEvent> = {
  name: "alb",
  encode(request, target) {
    const { headers, query, body, isBase64Encoded, ...event } = encode(request, target);
    return { ...event, queryStringParameters: query.single, headers: headers.single, body, isBase64Encoded };
  },
  decode,
};

/**
 * The payload format `alb-multi-value`. Names and values of the query stay percent-encoded.
 *
 * @example
 * const request = { method: "GET", path: "/", query: "q=a%20b&q=c", headers: [], body: null } as const;
 * albMultiValue.encode(request, { functionName: "orders" }).multiValueQueryStringParameters; // { q: ["a%20b", "c"] }
 */
export const albMultiValue: Format<AlbMultiValueEvent> = {
  name: "alb-multi-value",
  encode(request, target) {
    const { headers, query, body, isBase64Encoded, ...event } = encode(request, target);
    const maps = { multiValueQueryStringParameters: query.multi, multiValueHeaders: headers.multi };
    return { ...event, ...maps, body, isBase64Encoded };
  },
  decode,
};

interface Values {
  readonly single: SingleValues;
  readonly multi: MultiValues;
}

function encode(request: EventRequest, target: Target): CommonEvent & { headers: Values; query: Values } {
  const isText =
    isListedText(findHeader(request.headers, "content-type")) &&
    findHeader(request.headers, "content-encoding") === undefined;
  const { body, isBase64Encoded } = encodeBody(request.body, isText);
  return {
    requestContext: { elb: { targetGroupArn: targetGroupArn(target) } },
    httpMethod: request.method,
    path: request.path,
    query: encodeQuery(request.query),
    headers: encodeHeaders(request, target),
    body: body ?? "",
    isBase64Encoded,
  };
}

function encodeHeaders(request: EventRequest, target: Target): Values {
  const values = { single: emptyValues<string>(), multi: emptyValues<string[]>() };
  for (const [name, value] of request.headers) {
    const lower = name.toLowerCase();
    if (!isHopByHop(lower)) addValue(values.single, values.multi, lower, value);
  }
  // A caller's own count may be wrong, and an adapter would wait for the rest.
  const { body } = request;
  if (body !== null || "content-length" in values.single) set("content-length", String(bodyLength(body ?? "")));
  if (values.single.host === undefined) set("host", hostOf(target));
  if (values.single["x-amzn-trace-id"] === undefined) set("x-amzn-trace-id", traceId(new Date()));
  set("x-forwarded-for", forwardedFor(values.multi["x-forwarded-for"]?.join(", ")));
  set("x-forwarded-port", "443");
  set("x-forwarded-proto", "https");
  return values;

  function set(name: string, value: string): void {
    values.single[name] = value;
    values.multi[name] = [value];
  }
}

/** As on the wire: a load balancer decodes neither names nor values. */
function encodeQuery(query: string): Values {
  const values = { single: emptyValues<string>(), multi: emptyValues<string[]>() };
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const [name, value] = equals < 0 ? [pair, ""] : [pair.slice(0, equals), pair.slice(equals + 1)];
    addValue(values.single, values.multi, name, value);
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
