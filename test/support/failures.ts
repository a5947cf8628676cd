/**
 * What frameworks and their adapters do wrong, by their own code: the expectations that have to fail there, so that a
 * mended adapter is noticed. What a payload format itself can't hold is `lostBy` in `./expectations.ts`.
 */
import type { PayloadFormat } from "../../src/formats/formats.ts";
import type { AppName, Expectation } from "./expectations.ts";

export interface Failure {
  readonly apps: readonly AppName[];
  readonly formats: readonly PayloadFormat[];
  readonly reason: string;
  /** Names of expectations. */
  readonly cases: readonly string[];
}

const V2: readonly PayloadFormat[] = ["http-api", "function-url"];
const ALB: readonly PayloadFormat[] = ["alb", "alb-multi-value"];
const ALL: readonly PayloadFormat[] = ["rest-api", ...V2, ...ALB];
const SERVERLESS_HTTP: readonly AppName[] = ["express", "koa", "fastify-serverless-http"];

const TWICE_SENT = "a header that occurs twice has both values, in order";
const TWICE_ANSWERED = "a header that the application sends twice";
const PLUS = "a plus is a space: ?q=a+b";
const QUERY_OBJECT_DECODED = "the framework's own query object is decoded: ?b=x+y&ü=%C3%A4";
const NUMBER_SIGN = "an encoded number sign stays: /echo/c%23/b";
const ENCODED_QUERIES = [
  PLUS,
  "an encoded space is a space: ?q=a%20b",
  "an encoded plus is a plus: ?q=1%2B1",
  "an encoded & does not separate: ?q=a%26b%3Dc",
  "an encoded = in a name does not separate: ?a%3Db=c",
  "an encoded percent sign is decoded once: ?q=%2525",
  "slashes, question marks and hashes, encoded or not: ?a=x%2Fy/z&b=%3F?&c=%23",
  "a comma does not split a value: ?ids=1,2%2C3",
  "an encoded semicolon does not split a value: ?q=a%3Bb",
  "encoded brackets in names are brackets: ?filter%5Bname%5D=x",
  "names and values in Unicode: ?größe=世界&q=😀",
  QUERY_OBJECT_DECODED,
];

export const failures: readonly Failure[] = [
  {
    apps: SERVERLESS_HTTP,
    formats: ["rest-api"],
    reason: "serverless-http overwrites a repeated header with its last value, which it takes from `headers`",
    cases: [TWICE_SENT],
  },
  {
    apps: SERVERLESS_HTTP,
    formats: ["alb-multi-value"],
    reason: "serverless-http adds the values joined with a comma to the values themselves: `a`, `b` and `a, b`",
    cases: [TWICE_ANSWERED],
  },
  {
    apps: ["serverless-express"],
    formats: ["rest-api"],
    reason: "serverless-express takes the path from `pathParameters.proxy`, where API Gateway drops a trailing slash",
    cases: ["a trailing slash stays: /echo/a/"],
  },
  {
    apps: ["serverless-express"],
    formats: ["alb"],
    reason: "serverless-express keeps the first value of a header that the application sends several times",
    cases: [TWICE_ANSWERED],
  },
  {
    apps: ["serverless-express"],
    formats: ALL,
    reason: "Express 5's own 404 page listens to the socket of the request, and serverless-express's has no `on`: 500",
    cases: ["the framework's 404"],
  },
  {
    apps: ["fastify", "fastify-serverless-http"],
    formats: ["http-api"],
    reason: "Fastify decodes the path, which the format has decoded already, and answers 400 if that can't be done",
    cases: ["an encoded percent sign and an encoded plus stay: /echo/100%25/1%2B1"],
  },
  {
    apps: ["fastify", "hono", "powertools", "srvx"],
    formats: ["http-api"],
    reason:
      "@fastify/aws-lambda, Hono, Powertools and srvx make a URL of the decoded path, where `#` begins a fragment",
    cases: [NUMBER_SIGN],
  },
  {
    apps: ["fastify"],
    formats: V2,
    reason: "@fastify/aws-lambda takes the query from the map in which values are joined, and splits it at every comma",
    cases: ["names that take turns stay in their order: ?a=1&b=2&a=3", "a comma does not split a value: ?ids=1,2%2C3"],
  },
  {
    apps: ["fastify"],
    formats: ALB,
    reason: "@fastify/aws-lambda decodes a load balancer's query without taking a plus for a space",
    cases: [PLUS, QUERY_OBJECT_DECODED],
  },
  {
    apps: ["hono"],
    formats: ["alb-multi-value"],
    reason: "Hono joins the values of a repeated header with a semicolon",
    cases: [TWICE_SENT],
  },
  {
    apps: ["powertools"],
    formats: ALL,
    reason: "Powertools decodes a base64 body as UTF-8, whatever it holds",
    cases: [
      "every byte arrives",
      "every byte arrives without a content type",
      "a gzipped body arrives gzipped",
      "every byte comes back",
      "bytes labelled JSON that are no UTF-8 come back",
      "a megabyte of bytes comes back",
      "4.5 MB of bytes come back",
      "a multipart form with files comes back",
    ],
  },
  {
    apps: ["powertools"],
    formats: ALL,
    reason: "Powertools splits cookies at every comma",
    cases: ["a cookie with an expiry date, which has a comma"],
  },
  {
    apps: ["powertools"],
    formats: ["rest-api"],
    reason: "Powertools takes the last value of a repeated header first, and appends the others",
    cases: [TWICE_SENT],
  },
  {
    apps: ["powertools", "srvx"],
    formats: ALB,
    reason: "Powertools and srvx take a load balancer's query, which is still encoded, for decoded",
    cases: ENCODED_QUERIES,
  },
  {
    apps: ["middy"],
    formats: V2,
    reason: "http-event-normalizer leaves the map of the query as it is: values of one name joined with a comma",
    cases: ["the framework's own query object has both values of a name: ?a=1&a=2&b=3"],
  },
  {
    apps: ["middy"],
    formats: ALB,
    reason: "http-event-normalizer leaves the map of the query as it is: encoded",
    cases: [QUERY_OBJECT_DECODED],
  },
  {
    apps: ["srvx"],
    formats: ["rest-api"],
    reason: "srvx reads `headers` alone, which has the last value of a repeated header",
    cases: [TWICE_SENT],
  },
  {
    apps: ["srvx"],
    formats: ALL,
    reason:
      "srvx goes by the content type alone, and writes text types as UTF-8 even if they are compressed or are no UTF-8",
    cases: [
      "gzip is decoded, and the header stays",
      "deflate is decoded, and the header stays",
      "br is decoded, and the header stays",
      "bytes labelled JSON that are no UTF-8 come back",
    ],
  },
];

export function failureOf(app: AppName, format: PayloadFormat, { name }: Expectation): Failure | undefined {
  return failures.find(
    ({ apps, formats, cases }) => apps.includes(app) && formats.includes(format) && cases.includes(name),
  );
}
