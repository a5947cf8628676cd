/**
 * `http-api`: the event of an API Gateway HTTP API, payload 2.0, and the result that it takes.
 *
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 */
import { type Target, UNKNOWN_ACCOUNT } from "../target.ts";
import { type EventRequest, type Format, makeFormat } from "./format.ts";
import type { JsonText } from "./json.ts";
import { decodePath, decodeV2, type PayloadV2Event, writeV2 } from "./payload-v2.ts";
import { extendedRequestId } from "./synthetic.ts";

/** The event of an HTTP API. */
export type HttpApiEvent = PayloadV2Event;

/**
 * The payload format `http-api`. It decodes the path, so that `%2F` and `/` are the same to the function, and moves cookies
 * out of the headers.
 *
 * @example
 * const request = { method: "GET", path: "/a%20b", query: "x=1&x=2", headers: [], body: null } as const;
 * const event = httpApi.encode(request, { functionName: "orders" });
 * event.rawPath; // "/a b"
 * event.queryStringParameters; // { x: "1,2" }
 */
export const httpApi: Format<HttpApiEvent> = makeFormat("http-api", write, decodeV2);

function write(request: EventRequest, target: Target): JsonText {
  return writeV2(request, target, {
    // A decoded `?` ends the path.
    rawPath: decodePath(request.path).split("?", 1)[0] ?? "/",
    accountId: target.accountId ?? UNKNOWN_ACCOUNT,
    requestId: extendedRequestId(),
    added: request.body === null ? [["content-length", "0"]] : [],
    keepsCookieHeader: false,
  });
}
