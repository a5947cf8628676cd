/**
 * `function-url`: the event of a Lambda Function URL, and the result that it takes.
 *
 * https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
 */
import { randomUUID } from "node:crypto";
import type { Target } from "../target.ts";
import { type EventRequest, type Format, makeFormat } from "./format.ts";
import type { JsonText } from "./json.ts";
import { decodeV2, type PayloadV2Event, writeV2 } from "./payload-v2.ts";

/** The event of a Function URL. */
export type FunctionUrlEvent = PayloadV2Event;

/**
 * The payload format `function-url`. It leaves the path as it came, and gives cookies twice: as `cookies` and as a header.
 *
 * @example
 * const request = { method: "GET", path: "/a%20b", query: "", headers: [["Cookie", "a=1; b=2"]], body: null } as const;
 * const event = functionUrl.encode(request, { functionName: "orders" });
 * event.rawPath; // "/a%20b"
 * event.cookies; // ["a=1", "b=2"]
 */
export const functionUrl: Format<FunctionUrlEvent> = makeFormat("function-url", write, decodeV2);

function write(request: EventRequest, target: Target): JsonText {
  return writeV2(request, target, {
    rawPath: request.path,
    // Of a URL without authorization; one with it would say who called, in an `authorizer`.
    accountId: "anonymous",
    requestId: randomUUID(),
    added: [
      ["x-amzn-tls-cipher-suite", "TLS_AES_128_GCM_SHA256"],
      ["x-amzn-tls-version", "TLSv1.3"],
    ],
    keepsCookieHeader: true,
  });
}
