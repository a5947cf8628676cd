/**
 * `rest-api`: the event of an API Gateway REST API (Lambda proxy integration, payload 1), and the result it takes.
 *
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
 */
import { randomUUID } from "node:crypto";
import { type Target, UNKNOWN_ACCOUNT } from "../target.ts";
import { decodeBody, encodeBody, isTextType } from "./body.ts";
import { type EventRequest, type Format, InvalidResultError, makeFormat, type ResponseParts } from "./format.ts";
import { cookieHeaders, findHeader, hostOf, mergeResultHeaders } from "./headers.ts";
import { type JsonText, json, NULL } from "./json.ts";
import { kindOf, show } from "./show.ts";
import { decodeStatus } from "./status.ts";
import { extendedRequestId, firstLabel, forwardedFor, requestTime, SOURCE_IP, STAGE, traceId } from "./synthetic.ts";
import {
  addValue,
  lastValue,
  type MultiValues,
  multiValues,
  type SingleValues,
  singleValues,
  type Values,
} from "./values.ts";

/** The event. Every key is always there; what is absent is `null`. */
export interface RestApiEvent {
  resource: string;
  path: string;
  httpMethod: string;
  headers: SingleValues;
  multiValueHeaders: MultiValues;
  queryStringParameters: SingleValues | null;
  multiValueQueryStringParameters: MultiValues | null;
  pathParameters: SingleValues | null;
  stageVariables: null;
  requestContext: {
    resourceId: string;
    resourcePath: string;
    httpMethod: string;
    extendedRequestId: string;
    requestTime: string;
    path: string;
    accountId: string;
    protocol: string;
    stage: string;
    domainPrefix: string;
    requestTimeEpoch: number;
    requestId: string;
    identity: {
      cognitoIdentityPoolId: null;
      accountId: null;
      cognitoIdentityId: null;
      caller: null;
      sourceIp: string;
      principalOrgId: null;
      accessKey: null;
      cognitoAuthenticationType: null;
      cognitoAuthenticationProvider: null;
      userArn: null;
      userAgent: string | null;
      user: null;
    };
    domainName: string;
    deploymentId: string;
    apiId: string;
  };
  body: string | null;
  isBase64Encoded: boolean;
}

/** Names that API Gateway spells its own way; all others keep the caller's casing. */
const FORCED_CASING = new Map(
  [
    "Authorization",
    "Host",
    "User-Agent",
    "X-Amzn-Trace-Id",
    "X-Forwarded-For",
    "X-Forwarded-Port",
    "X-Forwarded-Proto",
  ].map((name) => [name.toLowerCase(), name]),
);

/** What API Gateway keeps from the function. */
const STRIPPED = new Set([
  "connection",
  "content-length",
  "content-md5",
  "expect",
  "max-forwards",
  "proxy-authenticate",
  "server",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "www-authenticate",
]);

/** Keys of a result; REST answers 502 to any other. `cookies` and `base64Encoded` are tolerated there as well. */
const RESULT_KEYS = new Set([
  "statusCode",
  "statusDescription",
  "headers",
  "multiValueHeaders",
  "cookies",
  "body",
  "isBase64Encoded",
  "base64Encoded",
]);

/**
 * The payload format `rest-api`.
 *
 * @example
 * const request = { method: "GET", path: "/a%20b", query: "x=1&x=2", headers: [], body: null } as const;
 * const event = restApi.encode(request, { functionName: "orders" });
 * event.path; // "/a%20b"
 * event.multiValueQueryStringParameters; // { x: ["1", "2"] }
 */
export const restApi: Format<RestApiEvent> = makeFormat("rest-api", write, decode);

function write(request: EventRequest, target: Target): JsonText {
  const now = Date.now();
  // API Gateway collapses leading slashes in `path` and `pathParameters`, not in `requestContext.path`.
  const path = request.path.replace(/^\/+/, "/");
  const proxy = path.slice(1).replace(/\/$/, "");
  const resource = path === "/" ? "/" : "/{proxy+}";
  const headers = encodeHeaders(request, target, now);
  const host = lastValue(headers, "Host") ?? "";
  const label = firstLabel(host);
  const userAgent = lastValue(headers, "User-Agent");
  const query = decodeQuery(request.query);
  const { body, isBase64Encoded } = encodeBody(request.body, isTextType(findHeader(request.headers, "content-type")));
  return json`{
    "resource":"${resource}",
    "path":"${path}",
    "httpMethod":"${request.method}",
    "headers":${singleValues(headers)},
    "multiValueHeaders":${multiValues(headers)},
    "queryStringParameters":${query === undefined ? NULL : singleValues(query)},
    "multiValueQueryStringParameters":${query === undefined ? NULL : multiValues(query)},
    "pathParameters":${path === "/" ? NULL : json`{"proxy":"${proxy}"}`},
    "stageVariables":null,
    "requestContext":{
      "resourceId":"000000",
      "resourcePath":"${resource}",
      "httpMethod":"${request.method}",
      "extendedRequestId":"${extendedRequestId()}",
      "requestTime":"${requestTime(now)}",
      "path":"${request.path}",
      "accountId":"${target.accountId ?? UNKNOWN_ACCOUNT}",
      "protocol":"HTTP/1.1",
      "stage":"${STAGE}",
      "domainPrefix":"${label}",
      "requestTimeEpoch":${now},
      "requestId":"${randomUUID()}",
      "identity":{
        "cognitoIdentityPoolId":null,
        "accountId":null,
        "cognitoIdentityId":null,
        "caller":null,
        "sourceIp":"${SOURCE_IP}",
        "principalOrgId":null,
        "accessKey":null,
        "cognitoAuthenticationType":null,
        "cognitoAuthenticationProvider":null,
        "userArn":null,
        "userAgent":${userAgent === undefined ? NULL : json`"${userAgent}"`},
        "user":null
      },
      "domainName":"${host}",
      "deploymentId":"000000",
      "apiId":"${label}"
    },
    "body":${body === null ? NULL : json`"${body}"`},
    "isBase64Encoded":${isBase64Encoded}
  }`;
}

function encodeHeaders(request: EventRequest, target: Target, now: number): Values {
  const headers: Values = new Map();
  const spelled = new Map<string, string>();
  for (const [name, value] of request.headers) {
    const lower = name.toLowerCase();
    if (STRIPPED.has(lower)) continue;
    // A signature is for API Gateway itself, which does not pass it on.
    if (lower === "authorization" && value.startsWith("AWS4-")) continue;
    let spelling = FORCED_CASING.get(lower) ?? spelled.get(lower);
    if (spelling === undefined) {
      spelling = name;
      spelled.set(lower, name);
    }
    addValue(headers, spelling, value);
  }
  if (!headers.has("Host")) headers.set("Host", [hostOf(target)]);
  headers.set("X-Forwarded-For", [forwardedFor(headers.get("X-Forwarded-For")?.join(", "))]);
  headers.set("X-Forwarded-Port", ["443"]);
  headers.set("X-Forwarded-Proto", ["https"]);
  if (!headers.has("X-Amzn-Trace-Id")) headers.set("X-Amzn-Trace-Id", [traceId(now)]);
  return headers;
}

function decodeQuery(query: string): Values | undefined {
  if (query === "") return undefined;
  const values: Values = new Map();
  // REST splits at `;` as well: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
  for (const [name, value] of new URLSearchParams(`?${query.replaceAll(";", "&")}`)) addValue(values, name, value);
  return values.size === 0 ? undefined : values;
}

function decode(result: unknown): ResponseParts {
  if (typeof result !== "object" || result === null || Array.isArray(result)) {
    throw new InvalidResultError(
      `the function returned ${kindOf(result)}; a rest-api result is an object with statusCode, headers and body ` +
        '(with the option payloadFormat "http-api" or "function-url", anything is a response)',
    );
  }
  const unknownKey = Object.keys(result).find((key) => !RESULT_KEYS.has(key));
  if (unknownKey !== undefined) {
    throw new InvalidResultError(
      `the function returned an object with the key ${show(unknownKey)}, which is none of a rest-api result`,
    );
  }
  const { statusCode, headers, multiValueHeaders, cookies, body, isBase64Encoded, base64Encoded } = result as Record<
    string,
    unknown
  >;
  const fields = mergeResultHeaders(headers, multiValueHeaders);
  // Adapters such as srvx give cookies twice; then those among the headers are all of them.
  if (findHeader(fields, "set-cookie") === undefined) {
    for (const field of cookieHeaders(cookies)) fields.push(field);
  }
  if (findHeader(fields, "content-type") === undefined) fields.push(["content-type", "application/json"]);
  return {
    status: decodeStatus(statusCode),
    headers: fields,
    body: decodeBody(body, base64Encoded ?? isBase64Encoded),
  };
}
