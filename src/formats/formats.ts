/** All payload formats, by the name that the option `payloadFormat` takes. */
import { alb, albMultiValue } from "./alb.ts";
import type { Format } from "./format.ts";
import { functionUrl } from "./function-url.ts";
import { httpApi } from "./http-api.ts";
import { restApi } from "./rest-api.ts";

/** The name of an event source whose events a function can be sent. */
export type PayloadFormat = "rest-api" | "http-api" | "function-url" | "alb" | "alb-multi-value";

export const FORMATS: Readonly<Record<PayloadFormat, Format>> = {
  "rest-api": restApi,
  "http-api": httpApi,
  "function-url": functionUrl,
  alb,
  "alb-multi-value": albMultiValue,
};

const ALB = '"alb" or "alb-multi-value"';
const PAYLOAD_2 = '"http-api" or "function-url"';
const ANY_OTHER = '"http-api", "function-url" or "alb"';

// What functions say that were written for one event source and got another's event, as `type message`.
const EXPECTATIONS: readonly (readonly [says: RegExp, formats: string])[] = [
  // Python's KeyError, JavaScript's TypeError, Rust's serde and the validators name the key that the other event has.
  [/^KeyError 'elb'$|missing field `elb`/, ALB],
  [/requestContext[\s"',.?[\]]+elb\b/, ALB],
  [/undefined \(reading 'targetGroupArn'\)/, ALB],
  [/\b(?:rawPath|rawQueryString|routeKey)\b/, PAYLOAD_2],
  [/^KeyError 'http'$|missing field `http`/, PAYLOAD_2],
  [/requestContext[\s"',.?[\]]+http\b/, PAYLOAD_2],
  // `event.requestContext.http.method`, and nothing in the message tells it from another's: so the hint says "if".
  [/undefined \(reading 'method'\)/, PAYLOAD_2],
  // serverless-express
  [/Unable to determine event source based on event/, ANY_OTHER],
  // Mangum
  [/unable to infer a handler to use for the event/, ANY_OTHER],
  // Powertools for TypeScript, which gives this error no message
  [/^InvalidEventError $/, ANY_OTHER],
  // lambda_http
  [/the data doesn't match any of those services' events/, ANY_OTHER],
  // Bref
  [/expected to be invoked with a API Gateway or ALB event/, ANY_OTHER],
];

/** Which formats to try, where a function's error says that it expects another event; `undefined` where it doesn't. */
export function expectedFormats(errorType: string | undefined, errorMessage: string): string | undefined {
  const said = `${errorType ?? ""} ${errorMessage}`;
  return EXPECTATIONS.find(([says]) => says.test(said))?.[1];
}
