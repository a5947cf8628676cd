/**
 * Payload 2.0: what `http-api` and `function-url` have in common, which is nearly all.
 *
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 */
import type { Target } from "../target.ts";
import { bodyLength, decodeBody, encodeBody, isListedText } from "./body.ts";
import { type EventRequest, InvalidResultError, type ResponseParts } from "./format.ts";
import { cookieHeaders, findHeader, hostOf, isHopByHop, mergeResultHeaders } from "./headers.ts";
import { type JsonText, json, NOTHING } from "./json.ts";
import { decodeStatus } from "./status.ts";
import { firstLabel, forwardedFor, requestTime, SOURCE_IP, STAGE, traceId } from "./synthetic.ts";
import { type JoinedValues, joinedValues, joinValue, list, type SingleValues } from "./values.ts";

/** The event. What is absent has no key: some frameworks take a `null` for a value. */
export interface PayloadV2Event {
  version: "2.0";
  routeKey: string;
  rawPath: string;
  rawQueryString: string;
  cookies?: string[];
  headers: SingleValues;
  queryStringParameters?: SingleValues;
  requestContext: {
    accountId: string;
    apiId: string;
    domainName: string;
    domainPrefix: string;
    http: { method: string; path: string; protocol: string; sourceIp: string; userAgent: string };
    requestId: string;
    routeKey: string;
    stage: string;
    time: string;
    timeEpoch: number;
  };
  body?: string;
  isBase64Encoded: boolean;
}

/** Where the two differ. */
export interface Differences {
  readonly rawPath: string;
  readonly accountId: string;
  readonly requestId: string;
  /** Headers that the service adds, besides those of both. */
  readonly added: readonly (readonly [name: string, value: string])[];
  /** Do cookies stay among the headers as well? */
  readonly keepsCookieHeader: boolean;
}

export function writeV2(request: EventRequest, target: Target, differences: Differences): JsonText {
  const now = Date.now();
  const headers = joinHeaders(request);
  const host = headers.get("host") ?? hostOf(target);
  headers.set("host", host);
  headers.set("x-amzn-trace-id", headers.get("x-amzn-trace-id") ?? traceId(now));
  headers.set("x-forwarded-for", forwardedFor(headers.get("x-forwarded-for")));
  headers.set("x-forwarded-port", "443");
  headers.set("x-forwarded-proto", "https");
  for (const [name, value] of differences.added) headers.set(name, value);
  const cookies = (headers.get("cookie") ?? "").split(/; ?/).filter((cookie) => cookie !== "");
  if (!differences.keepsCookieHeader) headers.delete("cookie");
  const query = joinQuery(request.query);
  const { body, isBase64Encoded } = encodeBody(request.body, isListedText(findHeader(request.headers, "content-type")));
  const label = firstLabel(host);
  return json`{
    "version":"2.0",
    "routeKey":"$default",
    "rawPath":"${differences.rawPath}",
    "rawQueryString":"${request.query}",
    ${cookies.length === 0 ? NOTHING : json`"cookies":${list(cookies)},`}
    "headers":${joinedValues(headers)},
    ${query.size === 0 ? NOTHING : json`"queryStringParameters":${joinedValues(query)},`}
    "requestContext":{
      "accountId":"${differences.accountId}",
      "apiId":"${label}",
      "domainName":"${host}",
      "domainPrefix":"${label}",
      "http":{
        "method":"${request.method}",
        "path":"${decodePath(request.path)}",
        "protocol":"HTTP/1.1",
        "sourceIp":"${SOURCE_IP}",
        "userAgent":"${headers.get("user-agent") ?? ""}"
      },
      "requestId":"${differences.requestId}",
      "routeKey":"$default",
      "stage":"${STAGE}",
      "time":"${requestTime(now)}",
      "timeEpoch":${now}
    },
    ${body === null ? NOTHING : json`"body":"${body}",`}
    "isBase64Encoded":${isBase64Encoded}
  }`;
}

/** Names in lower case; the values of one name are joined with a comma and no space. */
function joinHeaders({ headers, body }: EventRequest): JoinedValues {
  const joined: JoinedValues = new Map();
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    // Two Cookie fields are one list: RFC 9113, 8.2.3.
    if (!isHopByHop(lower)) joinValue(joined, lower, value, lower === "cookie" ? "; " : ",");
  }
  // A caller's own count may be wrong, and an adapter would wait for the rest.
  if (body !== null || joined.has("content-length")) joined.set("content-length", String(bodyLength(body ?? "")));
  return joined;
}

function joinQuery(query: string): JoinedValues {
  const joined: JoinedValues = new Map();
  // With a `?`, for the parser takes one away.
  for (const [name, value] of new URLSearchParams(`?${query}`)) joinValue(joined, name, value, ",");
  return joined;
}

/** What is no percent-encoded UTF-8 stays as it is. */
export function decodePath(path: string): string {
  return path.replace(/(?:%[0-9a-f]{2})+/gi, (encoded) => {
    try {
      return decodeURIComponent(encoded);
    } catch {
      return encoded;
    }
  });
}

/**
 * A result with a `statusCode` is a response; of any other, the whole is the body, as JSON. A string loses its quotes.
 */
export function decodeV2(result: unknown): ResponseParts {
  const { statusCode, headers, multiValueHeaders, cookies, body, isBase64Encoded } = Object(result) as Record<
    string,
    unknown
  >;
  if (statusCode === undefined) {
    return { status: 200, headers: [["content-type", "application/json"]], body: decodeBody(result ?? "null", false) };
  }
  if (statusCode === null) throw new InvalidResultError("statusCode is null, not a whole number from 200 to 599");
  const fields = [...cookieHeaders(cookies), ...mergeResultHeaders(headers, multiValueHeaders)];
  if (findHeader(fields, "content-type") === undefined) fields.push(["content-type", "application/json"]);
  return { status: decodeStatus(statusCode), headers: fields, body: decodeBody(body, isBase64Encoded) };
}
