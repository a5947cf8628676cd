/** The application as a plain handler in middy, over the event as its http-event-normalizer leaves it. */
import { isUtf8 } from "node:buffer";
import { parse } from "node:querystring";
import middy from "@middy/core";
import httpEventNormalizer from "@middy/http-event-normalizer";
import { BYTES, COMPRESSED, COOKIES, DATED_COOKIE, echo, fields, type Handler, isBodyless, TEXT } from "./app.ts";

/** What the normaliser makes of the events: the maps of the query are always there. */
interface NormalizedEvent {
  readonly version?: "2.0";
  readonly httpMethod?: string;
  readonly path?: string;
  readonly rawPath?: string;
  readonly rawQueryString?: string;
  readonly cookies?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[]>>;
  readonly queryStringParameters: Readonly<Record<string, string>>;
  readonly multiValueQueryStringParameters?: Readonly<Record<string, readonly string[]>>;
  readonly body?: string | null;
  readonly isBase64Encoded: boolean;
  readonly requestContext: { readonly elb?: object; readonly http?: { readonly method: string } };
}

interface Result {
  readonly statusCode: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[]>>;
  readonly cookies?: readonly string[];
  readonly body?: string;
  readonly isBase64Encoded?: boolean;
}

const routes: Readonly<Record<string, (event: NormalizedEvent) => Result>> = {
  "GET /query": (event) => json(fields(queryOf(event))),
  "GET /cookies": (event) => setCookies(event, COOKIES),
  "GET /cookies/dated": (event) => setCookies(event, [DATED_COOKIE]),
  "GET /cookies/seen": (event) => json(headersOf(event).cookie ?? ""),
  "GET /text": () => text(200, TEXT),
  "GET /bytes": () => bytes(BYTES, { "Content-Type": "application/octet-stream" }),
  "POST /bytes": (event) =>
    bytes(bodyOf(event), { "Content-Type": headersOf(event)["content-type"] ?? "application/octet-stream" }),
  "POST /form": (event) => json(fields(parse(bodyOf(event).toString()))),
  "POST /json": (event) => json({ received: JSON.parse(bodyOf(event).toString()) }),
  "GET /redirect": () => ({ statusCode: 302, headers: { Location: "/text" } }),
  "GET /headers": () => ({
    ...text(200, "ok"),
    headers: { "Content-Type": "text/plain", "X-One": "1", "X-Many": "a, b", "Cache-Control": "no-store" },
  }),
  "GET /empty": () => text(200, ""),
  "GET /error": () => {
    throw new Error("broken on purpose");
  },
};

export const handler = middy()
  .use(httpEventNormalizer())
  .handler((event): Result => answer(event as unknown as NormalizedEvent))
  .onError((request) => {
    request.response = text(500, "Internal Server Error");
  }) as unknown as Handler;

function answer(event: NormalizedEvent): Result {
  const method = event.httpMethod ?? event.requestContext.http?.method ?? "";
  const path = event.path ?? event.rawPath ?? "";
  if (path === "/echo" || path.startsWith("/echo/")) {
    const url = `${path}?${rawQueryOf(event)}`;
    return json(echo(method, url, Object.entries(headersOf(event)), bodyOf(event)));
  }
  const code = Number(/^\/status\/(\d+)$/.exec(path)?.[1]);
  if (code > 0) return isBodyless(code) ? { statusCode: code } : text(code, `status ${code}`);
  if (Object.hasOwn(COMPRESSED, path.slice(1))) return compressed(path.slice(1));
  return routes[`${method} ${path}`]?.(event) ?? text(404, "not found");
}

/** The maps as they are: every value of a name where the event has them. */
function queryOf(event: NormalizedEvent): Readonly<Record<string, unknown>> {
  return { ...event.queryStringParameters, ...event.multiValueQueryStringParameters };
}

function rawQueryOf(event: NormalizedEvent): string {
  if (event.rawQueryString !== undefined) return event.rawQueryString;
  // Those of a load balancer are still encoded.
  const encode = event.requestContext.elb === undefined ? encodeURIComponent : String;
  return Object.entries(queryOf(event))
    .flatMap(([name, values]) => [values].flat().map((value) => `${encode(name)}=${encode(String(value))}`))
    .join("&");
}

/** Names in lower case, the values of one name joined. */
function headersOf({ headers, multiValueHeaders, cookies }: NormalizedEvent): Readonly<Record<string, string>> {
  const entries = Object.entries({ ...headers, ...multiValueHeaders }).map(([name, values]): [string, string] => [
    name.toLowerCase(),
    [values].flat().join(", "),
  ]);
  return Object.fromEntries([...entries, ...(cookies === undefined ? [] : [["cookie", cookies.join("; ")]])]);
}

function bodyOf({ body, isBase64Encoded }: NormalizedEvent): Buffer {
  return Buffer.from(body ?? "", isBase64Encoded ? "base64" : "utf8");
}

/** Each event source has its own place for several cookies; a load balancer in single mode has none. */
function setCookies(event: NormalizedEvent, cookies: readonly string[]): Result {
  const result = text(200, "ok");
  if (event.version === "2.0") return { ...result, cookies };
  if (event.multiValueHeaders !== undefined) return { ...result, multiValueHeaders: { "Set-Cookie": cookies } };
  return { ...result, headers: { ...result.headers, "Set-Cookie": cookies.at(-1) ?? "" } };
}

function json(value: unknown): Result {
  return { statusCode: 200, headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) };
}

function text(statusCode: number, body: string): Result {
  return { statusCode, headers: { "Content-Type": "text/plain; charset=utf-8" }, body };
}

/** As text where it is: base64 makes it a third larger. */
function bytes(body: Buffer, headers: Readonly<Record<string, string>>): Result {
  const isBase64Encoded = !isUtf8(body);
  return { statusCode: 200, headers, body: body.toString(isBase64Encoded ? "base64" : "utf8"), isBase64Encoded };
}

function compressed(encoding: string): Result {
  const headers = { "Content-Type": "application/json; charset=utf-8", "Content-Encoding": encoding };
  return bytes(COMPRESSED[encoding as keyof typeof COMPRESSED], headers);
}
