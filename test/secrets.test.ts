/** No error, and no dump of a session, shows a credential: whatever is planted, whoever repeats it, however it is printed. */
import { Console } from "node:console";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createNetServer } from "node:net";
import { PassThrough } from "node:stream";
import { buffer, text as readText } from "node:stream/consumers";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  ConfigurationError,
  FunctionError,
  HTTPError,
  InvalidTargetError,
  InvokeError,
  PayloadTooLargeError,
  TimeoutError,
  TooManyRedirectsError,
  UnsafeRedirectError,
} from "../src/errors.ts";
import { createFetch } from "../src/fetch.ts";
import type { PayloadFormat } from "../src/formats/formats.ts";
import { awsInvoker } from "../src/invoke/aws.ts";
import type { Invoker } from "../src/invoke/invoker.ts";
import type { LambdaOptions } from "../src/options.ts";
import { Session } from "../src/session.ts";
import type { SessionOptions, SessionRequestOptions } from "../src/session-options.ts";
import { CLOSED_PORT } from "./support/sockets.ts";

const SECRET_KEY = "0SecretKey0/wJalrXUtnFEMI";
const TOKEN = "0SessionToken0IQoJb3JpZ2lu==";
const URL_PASSWORD = "0PasswordOfTheUrl0";
const AUTH_PASSWORD = "0PasswordOfTheOption0";
const BEARER = "0BearerToken0.e30";
const JAR_COOKIE = "0CookieOfTheJar0";
const OPTION_COOKIE = "0CookieOfTheOption0";
const HEADER_COOKIE = "0CookieOfTheHeader0";
const SET_COOKIE = "0CookieThatIsSet0";
const API_KEY = "0ApiKey0";
const base64 = (text: string): string => Buffer.from(text).toString("base64");
const SECRETS = [
  ...[SECRET_KEY, TOKEN, URL_PASSWORD, AUTH_PASSWORD, BEARER, JAR_COOKIE, OPTION_COOKIE, HEADER_COOKIE, SET_COOKIE],
  ...[API_KEY, base64(`ada:${URL_PASSWORD}`), base64(`ada:${AUTH_PASSWORD}`)],
];
const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: SECRET_KEY, sessionToken: TOKEN };

const APP = "http+lambda://orders/v1";
const WITH_PASSWORD = `http+lambda://ada:${URL_PASSWORD}@orders/v1`;

/** The three ways in which a caller says who it is. */
type Way = "in the URL" | "in the option auth" | "in a header";
const WAYS: readonly Way[] = ["in the URL", "in the option auth", "in a header"];
const PAYLOAD_FORMATS: readonly PayloadFormat[] = ["rest-api", "http-api", "function-url", "alb", "alb-multi-value"];

/** A request as it arrived at the server in Lambda's place. */
interface Arrived {
  readonly rawHeaders: readonly string[];
  readonly headers: Readonly<Record<string, unknown>>;
  /** The event. */
  readonly body: string;
  /** All of it. */
  readonly text: string;
}

type Respond = (arrived: Arrived, response: ServerResponse) => void;

let respond: Respond = (_arrived, response) => response.end("{}");
let endpoint: string;
let arrived: Arrived[] = [];
const closers: (() => void)[] = [];

beforeEach(async () => {
  arrived = [];
  endpoint = await serve(async (request, response) => {
    const body = String(await buffer(request));
    const { rawHeaders, headers } = request;
    const lines = rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${rawHeaders[index + 1]}`] : []));
    const text = [`${request.method} ${request.url} HTTP/1.1`, ...lines, "", body].join("\n");
    const one = { rawHeaders, headers, body, text };
    arrived.push(one);
    respond(one, response);
  });
});
afterEach(() => {
  vi.useRealTimers();
  for (const close of closers.splice(0)) close();
});

async function serve(listener: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(listener);
  const port = await listen(server);
  closers.push(() => server.closeAllConnections());
  return `http://127.0.0.1:${port}`;
}

async function listen(server: ReturnType<typeof createNetServer>): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** With a secret in every place that has room for one. */
async function makeSession(way: Way = "in the URL", options: SessionOptions = {}): Promise<Session> {
  const session = new Session({
    ...{ endpoint, credentials, region: "eu-west-1", retry: false },
    cookies: { option: OPTION_COOKIE },
    headers: {
      Cookie: `header=${HEADER_COOKIE}`,
      "X-Api-Key": API_KEY,
      ...(way === "in a header" && { Authorization: `Bearer ${BEARER}` }),
    },
    ...(way === "in the option auth" && { auth: ["ada", AUTH_PASSWORD] }),
    ...options,
  });
  closers.push(() => void session.close());
  await session.cookies.set(APP, `jar=${JAR_COOKIE}; Path=/`);
  return session;
}

const urlFor = (way: Way): string => (way === "in the URL" ? WITH_PASSWORD : APP);

/** Everything that a program, a test runner or a logger prints of an error. */
function shownBy(error: unknown): string[] {
  const all = { depth: 20, maxStringLength: Number.POSITIVE_INFINITY, maxArrayLength: Number.POSITIVE_INFINITY };
  const texts = [inspect(error, all), inspect({ error }, all)];
  const stack: unknown[] = [error];
  for (const current of stack) {
    if (!(current instanceof Error) || stack.length > 50) continue;
    const { name, message, stack: trace = "", cause } = current;
    texts.push(name, message, trace, String(current), JSON.stringify(current), inspect(current, all));
    texts.push(JSON.stringify(Object.entries(current)));
    // Bytes are printed as numbers, which is no better.
    for (const value of Object.values(current)) if (value instanceof Uint8Array) texts.push(String(Buffer.from(value)));
    stack.push(cause, ...(current instanceof AggregateError ? current.errors : []));
  }
  return texts;
}

function expectNoSecret(texts: readonly string[]): void {
  for (const text of texts) {
    for (const secret of SECRETS) {
      if (text.includes(secret)) expect.fail(`${secret} is shown: ${text.slice(0, 1000)}`);
    }
  }
}

/** The error, of which nothing that is printed shows a secret. */
async function safeFailure<Failure extends Error>(
  act: () => unknown,
  kind: abstract new (...args: never[]) => Failure,
): Promise<Failure> {
  let error: unknown;
  try {
    await act();
    error = new Error("it did not fail");
  } catch (reason) {
    error = reason;
  }
  if (!(error instanceof kind)) throw error;
  expectNoSecret(shownBy(error));
  return error;
}

test("what is looked for is found: each secret goes over the wire, or signs", async () => {
  for (const way of WAYS) {
    for (const payloadFormat of PAYLOAD_FORMATS) {
      const session = await makeSession(way, { payloadFormat });
      await session.get(urlFor(way));
      const { text = "" } = arrived.at(-1) ?? {};
      const authorization = {
        "in the URL": `Basic ${base64(`ada:${URL_PASSWORD}`)}`,
        "in the option auth": `Basic ${base64(`ada:${AUTH_PASSWORD}`)}`,
        "in a header": `Bearer ${BEARER}`,
      }[way];
      for (const one of [authorization, JAR_COOKIE, OPTION_COOKIE, HEADER_COOKIE, API_KEY, TOKEN]) {
        expect(text).toContain(one);
      }
    }
  }
  const failing = Object.assign(new Error("x", { cause: new Error(`a ${TOKEN}`) }), { field: SET_COOKIE });
  expect(() => expectNoSecret(shownBy(failing))).toThrow(/is shown/);
  expect(() => expectNoSecret(shownBy(new Error(`x ${URL_PASSWORD}`)))).toThrow(/is shown/);
});

describe("a server that repeats what it was sent", () => {
  const markup = (text: string): string =>
    text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
  const pairs = ({ rawHeaders }: Arrived): string[][] =>
    rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [[name, rawHeaders[index + 1] ?? ""]] : []));
  const eventHeaders = ({ body }: Arrived): [string, string][] => {
    const { headers, multiValueHeaders } = JSON.parse(body) as Record<string, Record<string, unknown> | undefined>;
    return Object.entries(headers ?? multiValueHeaders ?? {}).map(([name, value]) => [name, String(value)]);
  };
  const headersOf = (one: Arrived): string[][] => [...pairs(one), ...eventHeaders(one)];
  const python = (value: unknown): string => JSON.stringify(value).replaceAll('"', "'");

  const ECHOES: Readonly<Record<string, (one: Arrived) => string>> = {
    "as text": ({ text }) => text,
    "the event as text": ({ body }) => body,
    "as text on one line": ({ text }) => text.replaceAll("\n", " "),
    "in a JSON message": ({ text }) => JSON.stringify({ message: text }),
    "the event in a JSON message": ({ body }) => JSON.stringify({ message: body }),
    "the event in a JSON message, behind a word": ({ body }) => JSON.stringify({ Message: `Could not handle ${body}` }),
    "the event's headers in a JSON message": (one) =>
      JSON.stringify({ message: `bad headers ${JSON.stringify(Object.fromEntries(eventHeaders(one)))}` }),
    "the event as JSON in JSON": ({ body }) => JSON.stringify({ message: JSON.stringify({ event: body }) }),
    "the event as JSON in JSON in JSON": ({ body }) =>
      JSON.stringify({ message: JSON.stringify({ error: JSON.stringify({ event: body }) }) }),
    "the headers as JSON": ({ headers }) => JSON.stringify({ message: JSON.stringify(headers) }),
    "the headers as pairs": (one) => JSON.stringify({ message: JSON.stringify(headersOf(one)) }),
    "the headers as Python writes them": (one) =>
      JSON.stringify({ message: python(Object.fromEntries(headersOf(one))) }),
    "the headers as Python's tuples": (one) =>
      headersOf(one)
        .map(([name, value]) => `('${name}', '${value}')`)
        .join(", "),
    "the headers as Ruby writes them": (one) =>
      headersOf(one)
        .map(([name, value]) => `"${name}"=>"${value}"`)
        .join(", "),
    "the headers as Java writes them": (one) =>
      `{${headersOf(one)
        .map(([name, value]) => `${name}=[${value}]`)
        .join(", ")}}`,
    "the headers as Go writes them": (one) =>
      `map[${headersOf(one)
        .map(([name, value]) => `${name}:[${value}]`)
        .join(" ")}]`,
    "the headers as CGI names them": (one) =>
      headersOf(one)
        .map(([name = "", value]) => `HTTP_${name.toUpperCase().replaceAll("-", "_")}=${value}`)
        .join("\n"),
    "the headers with white space between": (one) =>
      headersOf(one)
        .map((pair) => pair.join("\t"))
        .join("\n"),
    "a query": (one) => new URLSearchParams(headersOf(one) as [string, string][]).toString(),
    "the event, encoded as a URL": ({ body }) => encodeURIComponent(body),
    "in all fields of JSON": ({ text, body }) =>
      JSON.stringify({
        Reason: text,
        Type: text,
        code: body,
        __type: body,
        message: body,
        Message: text,
        requestId: text,
      }),
    "as a Reason": ({ text }) => JSON.stringify({ Reason: text, message: "Rate exceeded" }),
    "the session token as a Reason": ({ headers }) => JSON.stringify({ Reason: headers["x-amz-security-token"] }),
    "as objects in JSON": ({ headers, body }) =>
      JSON.stringify({ message: { headers }, error: JSON.parse(body) as object }),
    "in an array of JSON": ({ headers }) => JSON.stringify([{ message: headers }]),
    "JSON that is cut": ({ text }) => JSON.stringify({ message: text }).slice(0, -2),
    "JSON longer than is read": ({ text }) => JSON.stringify({ message: text, filler: "x".repeat(100_000) }),
    "in XML": ({ text }) => `<Error><Code>Broken</Code><Message>${markup(text)}</Message></Error>`,
    "in XML of another kind": ({ text }) => `<?xml version="1.0"?><Echo><Request>${markup(text)}</Request></Echo>`,
    "the event in XML": ({ body }) => `<BrokenException><Message>${markup(body)}</Message></BrokenException>`,
    "the event in XML, not escaped": ({ body }) => `<BrokenException><Message>${body}</Message></BrokenException>`,
    "in attributes of XML": (one) =>
      `<r>${headersOf(one)
        .map(([name = "", value = ""]) => `<header name="${name}">${markup(value)}</header>`)
        .join("\n")}</r>`,
    "in tags of XML": (one) =>
      `<r>${headersOf(one)
        .map(([name, value = ""]) => `<${name}>${markup(value)}</${name}>`)
        .join("\n")}</r>`,
    "in HTML": ({ text }) => `<!DOCTYPE html><html><body><pre>${markup(text)}</pre></body></html>`,
    "in HTML with a title": ({ text }) =>
      `<html><head><title>Oops</title></head><body><pre>${markup(text)}</pre></body></html>`,
    "in the title of HTML": ({ text }) => `<html><head><title>Oops: ${markup(text)}</title></head></html>`,
    "in a table of HTML": (one) =>
      `<table>${headersOf(one)
        .map(([name, value = ""]) => `<tr><td>${name}</td>\n<td>${markup(value)}</td></tr>`)
        .join("")}</table>`,
    "in a list of HTML": (one) =>
      `<dl>${headersOf(one)
        .map(([name, value = ""]) => `<dt>${name}</dt><dd>${markup(value)}</dd>`)
        .join("")}</dl>`,
    "in a comment of HTML": ({ text }) => `<p>Oops</p><!-- ${markup(text)} -->`,
    "as AWS explains a signature": ({ text, headers }) =>
      JSON.stringify({
        message:
          "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access " +
          `Key and signing method. Consult the service documentation for details.\n\nThe Canonical String for this request should have been\n'POST\n/\n\nx-amz-security-token:${headers["x-amz-security-token"]}\n'\n\nThe String-to-Sign should have been\n'AWS4-HMAC-SHA256\n${text}'\n`,
      }),
    "as AWS explains a header": (one) => {
      const [, value] = eventHeaders(one).find(([name]) => name.toLowerCase() === "authorization") ?? [];
      return JSON.stringify({
        message: `'${value}' not a valid key=value pair (missing equal-sign) in Authorization header: '${value}'.`,
      });
    },
    "as AWS explains JSON": ({ body }) =>
      JSON.stringify({
        Type: "User",
        message: `Could not parse request body into json: Unexpected character at [Source: (byte[])"${body.slice(0, 2000)}"; line: 1]`,
      }),
  };

  test.each(Object.entries(ECHOES))("%s", async (_name, echo) => {
    for (const way of WAYS) {
      for (const payloadFormat of PAYLOAD_FORMATS) {
        const session = await makeSession(way, { payloadFormat });
        for (const status of [403, 502]) {
          respond = (one, response) => response.writeHead(status).end(echo(one));
          const error = await safeFailure(() => session.get(urlFor(way)), InvokeError);
          expect(error.status).toBe(status);
          expect(error.message.length).toBeLessThan(1500);
        }
      }
    }
  });

  test.each(["AccessDeniedException", "InvalidSignatureException", "ServiceException", "ResourceNotFoundException"])(
    "under the name %s",
    async (name) => {
      const session = await makeSession();
      for (const echo of Object.values(ECHOES)) {
        respond = (one, response) => response.writeHead(403, { "x-amzn-ErrorType": name }).end(echo(one));
        expect((await safeFailure(() => session.get(WITH_PASSWORD), InvokeError)).code).toBe(name);
      }
    },
  );

  test("what is no secret is still told", async () => {
    respond = ({ text }, response) => response.writeHead(403).end(`no access, says the proxy: ${text}`);
    const error = await safeFailure(async () => (await makeSession()).get(WITH_PASSWORD), InvokeError);
    expect(error.message).toContain(
      "HTTP_403: no access, says the proxy: POST /2015-03-31/functions/orders/invocations",
    );
  });

  // No HTTP, half of it, or none at all: what the parser kept must not be printed.
  test.each<[string, (text: string) => string]>([
    ["as if it were an answer", (text) => text],
    [
      "in a header that can't be",
      (text) => `HTTP/1.1 200 OK\r\nX: ${text.replaceAll("\n", "\r\n")}\r\nbad header\0\r\n\r\n`,
    ],
    ["as the status line", (text) => `HTTP/1.1 ${text.replaceAll("\n", " ")}\r\n\r\n`],
    ["in headers, and is cut off", (text) => `HTTP/1.1 200 OK\r\nX-Echo: ${text.replaceAll("\n", " ")}\r\nContent-`],
    [
      "in an answer that is cut off",
      (text) => `HTTP/1.1 403 No\r\nContent-Length: ${Buffer.byteLength(text) + 9}\r\n\r\n${text}`,
    ],
    ["in a chunk that can't be", (text) => `HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n${text}\r\n`],
    ["behind an answer", (text) => `HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\n{}${text}`],
  ])("%s", async (_name, write) => {
    const port = await listen(
      createNetServer((socket) => {
        socket.on("error", () => undefined);
        socket.once("data", (data) => socket.end(write(String(data))));
      }),
    );
    for (const way of WAYS) {
      const session = await makeSession(way, { endpoint: `http://127.0.0.1:${port}` });
      await safeFailure(() => session.get(urlFor(way)), InvokeError);
    }
  });

  test("and the onRetry hooks are shown no more", async () => {
    const seen: unknown[] = [];
    respond = ({ text }, response) => response.writeHead(429).end(JSON.stringify({ message: text }));
    const hooks = { onRetry: (retry: unknown) => void seen.push(retry) };
    const session = await makeSession("in the URL", { hooks, retry: { attempts: 2, maxDelay: 0 } });
    await safeFailure(() => session.post(WITH_PASSWORD), InvokeError);
    expect(seen).toHaveLength(1);
    expectNoSecret([inspect(seen, { depth: 20 }), JSON.stringify(seen)]);
  });
});

describe.each(WAYS)("with a password or token %s", (way) => {
  const url = urlFor(way);

  test("a URL that names no function", async () => {
    const session = await makeSession(way);
    const fetch = createFetch({ endpoint, credentials, region: "eu-west-1" });
    for (const authority of [
      "",
      "a b",
      "app:$latest",
      "a..b",
      "app:x.y",
      "arn:aws:lambda:x:1:function:app",
      "%zz",
      "a%2Fb",
    ]) {
      const bad = `http+lambda://ada:${URL_PASSWORD}@${authority}/v1`;
      await safeFailure(() => session.get(bad), InvalidTargetError);
      await safeFailure(() => fetch(bad), InvalidTargetError);
    }
    await safeFailure(() => session.get(`http+lambda://ada:${URL_PASSWORD}@p@app:x.y/`), InvalidTargetError);
    await safeFailure(() => session.get(`http+lambda:ada:${URL_PASSWORD}@app/`), InvalidTargetError);
    await safeFailure(() => session.get(`http+lambda://%zz:${URL_PASSWORD}@app/`), InvalidTargetError);
    await safeFailure(() => session.get(`http+lambda://ada:${URL_PASSWORD}\n@app/`), InvalidTargetError);
    await safeFailure(() => session.get(`http://ada:${URL_PASSWORD}@a b/`), TypeError);
    await safeFailure(() => session.get(`//ada:${URL_PASSWORD}@app/`), TypeError);
    await safeFailure(
      () => session.get(WITH_PASSWORD.replace("orders", "x.orders"), { qualifier: "y" }),
      InvalidTargetError,
    );
    await safeFailure(() => session.cookies.get(`http+lambda://ada:${URL_PASSWORD}@a b/`), InvalidTargetError);
  });

  test("an event that is too large, a client context that is, and a response", async () => {
    const session = await makeSession(way, { maxResponseSize: 10 });
    const data = "x".repeat(6_291_456);
    await safeFailure(() => session.post(url, { data }), PayloadTooLargeError);
    await safeFailure(() => session.post(url, { data, invocationType: "Event" }), PayloadTooLargeError);
    await safeFailure(() => session.get(url, { headers: { "X-Big": data } }), PayloadTooLargeError);
    await safeFailure(() => session.get(url, { clientContext: { token: TOKEN.repeat(200) } }), PayloadTooLargeError);
    respond = (_one, response) =>
      response.end(JSON.stringify({ headers: { "Set-Cookie": `s=${SET_COOKIE}` }, body: "x".repeat(11) }));
    await safeFailure(() => session.get(url).text(), PayloadTooLargeError);
  });

  test("a time limit, a lost connection, and none", async () => {
    const session = await makeSession(way);
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const isThere = new Promise<void>((resolve) => {
      respond = () => resolve();
    });
    const late = safeFailure(() => session.post(url, { timeout: 1000 }), TimeoutError);
    await isThere;
    vi.advanceTimersByTime(1000);
    expect((await late).outcome).toBe("unknown");

    respond = (_one, response) => response.destroy();
    expect((await safeFailure(() => session.post(url), InvokeError)).outcome).toBe("unknown");

    const nowhere = await makeSession(way, { endpoint: `http://127.0.0.1:${CLOSED_PORT}` });
    expect((await safeFailure(() => nowhere.post(url), InvokeError)).outcome).toBe("not-started");
  });

  test("a call that is aborted rejects with the reason alone", async () => {
    const session = await makeSession(way);
    const controller = new AbortController();
    respond = () => controller.abort();
    const error = await safeFailure(() => session.get(url, { signal: controller.signal }), DOMException);
    expect(error).toBe(controller.signal.reason);
    await safeFailure(() => session.get(url, { signal: AbortSignal.abort() }), DOMException);
  });

  test("a function that failed, whose log holds its event", async () => {
    const session = await makeSession(way, { functionErrors: "throw", logs: true });
    respond = ({ body }, response) => {
      const log = Buffer.from(`received ${body}`.slice(-4096)).toString("base64");
      response.writeHead(200, { "X-Amz-Function-Error": "Unhandled", "X-Amz-Log-Result": log });
      response.end(JSON.stringify({ errorType: "TypeError", errorMessage: "x is undefined", trace: ["at f"] }));
    };
    const error = await safeFailure(() => session.get(url), FunctionError);
    // Who asks for it has it.
    expect(error.logs).toContain(JAR_COOKIE);
  });

  test("a status that is an error, with a cookie that is set", async () => {
    const session = await makeSession(way, { raiseForStatus: true });
    const headers = { "Set-Cookie": `s=${SET_COOKIE}`, "X-Echo": `Bearer ${BEARER}` };
    respond = (_one, response) => response.end(JSON.stringify({ statusCode: 401, headers, body: JAR_COOKIE }));
    const error = await safeFailure(() => session.get(url), HTTPError);
    expect(error.response.headers.getSetCookie()).toEqual([`s=${SET_COOKIE}`]);
    const web = await serve((_request, response) => response.writeHead(500, headers).end(JAR_COOKIE));
    const href = way === "in the URL" ? web.replace("//", `//ada:${URL_PASSWORD}@`) : web;
    await safeFailure(() => session.get(href), HTTPError);
  });

  const redirecting = (location: string, statusCode = 302): Respond => {
    const headers = { Location: location, "Set-Cookie": `s=${SET_COOKIE}` };
    return (_one, response) => response.end(JSON.stringify({ statusCode, headers }));
  };
  const PRIVATE = `ada:${URL_PASSWORD}@`;

  test("redirects without end, with users and passwords in them", async () => {
    const session = await makeSession(way, { maxRedirects: 2 });
    for (const location of ["/again", `http+lambda://${PRIVATE}orders/again`, `//${PRIVATE}orders/again`]) {
      respond = redirecting(location);
      const error = await safeFailure(() => session.get(url), TooManyRedirectsError);
      expect(error.request?.url).toMatch(/^http\+lambda:\/\/orders\/again$/);
    }
    const web = await serve((request, response) => {
      response.writeHead(302, {
        Location: `http://${PRIVATE}${request.headers.host}/`,
        "Set-Cookie": `s=${SET_COOKIE}`,
      });
      response.end();
    });
    await safeFailure(() => session.get(`${web}/`), TooManyRedirectsError);
  });

  test.each([
    `http+lambda://${PRIVATE}other/`,
    `http+lambda://${PRIVATE}a b/`,
    `http+lambda:${PRIVATE}other/`,
    `HTTP+Lambda://${PRIVATE}other/`,
    `//${PRIVATE}other/`,
    `ftp://${PRIVATE}other/`,
    `file://${PRIVATE}other/`,
    `http://${PRIVATE}other:99999/`,
    `http://${PRIVATE}a b/`,
    `http+lambda://ada:p@${URL_PASSWORD}@other/`,
  ])("a redirect that is not followed, to %s", async (location) => {
    const session = await makeSession(way);
    respond = redirecting(location);
    const error = await safeFailure(() => session.get(url), UnsafeRedirectError);
    expect(error.location).toMatch(/other|a b/);
  });

  test.each([
    `https://${PRIVATE}example.com/`,
    `https:/${PRIVATE}example.com/`,
    `https:${PRIVATE}example.com/`,
    `https:\\\\${PRIVATE}example.com/`,
    `ht\ttps://${PRIVATE}example.com/`,
    `https:////${PRIVATE}example.com/`,
  ])("a redirect with a body onto the web, to %j", async (location) => {
    const session = await makeSession(way);
    respond = redirecting(location, 307);
    await safeFailure(() => session.post(url, { data: "x" }), UnsafeRedirectError);
  });

  test("a redirect from the web to a function, and off the web", async () => {
    const session = await makeSession(way);
    for (const location of [
      `http+lambda://${PRIVATE}orders/`,
      `ftp://${PRIVATE}example.com/`,
      `http://${PRIVATE}x:99999/`,
    ]) {
      const web = await serve((_request, response) => {
        response.writeHead(302, { Location: location, "Set-Cookie": `s=${SET_COOKIE}` }).end();
      });
      await safeFailure(() => session.get(`${web}/`), UnsafeRedirectError);
    }
  });

  test("a redirect that is an error, and one of a stream", async () => {
    const session = await makeSession(way, { redirect: "error" });
    respond = redirecting(`http+lambda://${PRIVATE}orders/again`);
    await safeFailure(() => session.get(url), TypeError);
  });

  test("an invoker that gives no result, and one that fails", async () => {
    const session = await makeSession(way);
    session.mount("http+lambda://orders", { invoke: async () => undefined } as unknown as Invoker);
    await safeFailure(() => session.get(url), TypeError);
  });

  test("the web, where it can't be reached", async () => {
    const session = await makeSession(way);
    await safeFailure(() => session.get(`http://${PRIVATE}127.0.0.1:${CLOSED_PORT}/`), TypeError);
    const echo = await listen(createNetServer((socket) => void socket.once("data", (data) => socket.end(data))));
    await safeFailure(() => session.get(`http://${PRIVATE}127.0.0.1:${echo}/`), TypeError);
    const silent = await serve(() => undefined);
    await safeFailure(() => session.get(silent.replace("//", `//${PRIVATE}`), { timeout: 20 }), TimeoutError);
  });
});

describe("settings", () => {
  test.each<[string, LambdaOptions]>([
    ["a secret key with a line break", { credentials: { ...credentials, secretAccessKey: `${SECRET_KEY}\n` } }],
    ["a token with a space", { credentials: { ...credentials, sessionToken: `${TOKEN} ` } }],
    ["a secret key that is no text", { credentials: { ...credentials, secretAccessKey: [SECRET_KEY] as never } }],
    ["an account that can't be", { credentials: { ...credentials, accountId: "1" } }],
    ["an end that can't be", { credentials: { ...credentials, expiration: new Date(Number.NaN) } }],
    ["a provider of such", { credentials: async () => ({ ...credentials, secretAccessKey: `${SECRET_KEY}\r\n` }) }],
    ["a provider of something else", { credentials: async () => ({ Credentials: credentials }) as never }],
    ["a provider that can't read JSON", { credentials: async () => JSON.parse(SECRET_KEY) as never }],
    [
      "a provider whose command failed",
      {
        credentials: async () => {
          throw new Error(`Command failed: vault --token ${TOKEN}`);
        },
      },
    ],
    ["another region", { region: `eu ${"x"}` }],
  ])("%s", async (_name, options) => {
    const session = new Session({ endpoint, region: "eu-west-1", credentials, ...options });
    await safeFailure(() => session.get(WITH_PASSWORD), ConfigurationError);
    await safeFailure(() => session.cookies.set(WITH_PASSWORD, `s=${SET_COOKIE}`), ConfigurationError);
    await safeFailure(
      () => createFetch({ endpoint, region: "eu-west-1", credentials, ...options })(APP),
      ConfigurationError,
    );
    expect(arrived).toEqual([]);
  });

  test.each<[string, object]>([
    ["credentials as text", { credentials: `AKID:${SECRET_KEY}` }],
    ["credentials by name", { secretAccessKey: SECRET_KEY }],
    ["an endpoint with a password", { endpoint: `http://ada:${URL_PASSWORD}@127.0.0.1:1/` }],
    ["an endpoint with a password and no slashes", { endpoint: `http:ada:${URL_PASSWORD}@127.0.0.1:1/` }],
    ["an endpoint with a token", { endpoint: `http://127.0.0.1:1/?token=${TOKEN}` }],
    ["an endpoint that is no URL", { endpoint: `ada:${URL_PASSWORD}@127.0.0.1:1` }],
    ["cookies as text", { cookies: `a=${OPTION_COOKIE}` }],
    ["auth as text", { auth: `ada:${AUTH_PASSWORD}` }],
    ["auth with a colon too many", { auth: ["a:b", AUTH_PASSWORD, ""] }],
    ["a header with a newline", { headers: { Authorization: `Bearer ${BEARER}\n\nx` } }],
    ["a cookie with a semicolon", { cookies: { a: `${OPTION_COOKIE};` } }],
    ["a cookie with a newline", { cookies: { a: `${OPTION_COOKIE}\nx` } }],
    ["logs", { logs: SECRET_KEY }],
    ["a payload format", { payloadFormat: SECRET_KEY }],
    ["a retry", { retry: SECRET_KEY }],
    ["a client context", { clientContext: TOKEN }],
  ])("%s", async (_name, options) => {
    await safeFailure(() => new Session(options as SessionOptions), Error);
  });

  test.each<[string, SessionRequestOptions]>([
    ["a header with a newline", { headers: { Authorization: `Bearer ${BEARER}\n\nx` } }],
    ["a cookie with a newline", { cookies: { a: `${OPTION_COOKIE}\nx` } }],
    ["a cookie with a semicolon", { cookies: { a: `${OPTION_COOKIE};x` } }],
    ["cookies as text", { cookies: `a=${OPTION_COOKIE}` as never }],
    ["auth as text", { auth: `ada:${AUTH_PASSWORD}` as never }],
    ["a password with a newline", { auth: ["ada", `${AUTH_PASSWORD}\n`] }],
    ["a user with a colon", { auth: ["a:b", AUTH_PASSWORD] }],
    ["a body that can't be", { data: new Map([["password", () => AUTH_PASSWORD]]) as never }],
    ["an unknown option", { Authorization: BEARER } as never],
  ])("of a request: %s", async (_name, options) => {
    const session = await makeSession();
    await safeFailure(() => session.post(WITH_PASSWORD, options), Error);
    expect(arrived).toEqual([]);
  });

  test("cookies that can't be set, kept or imported", async () => {
    const session = await makeSession();
    const set = (cookie: string): Promise<Error> =>
      safeFailure(() => session.cookies.set(WITH_PASSWORD, cookie), TypeError);
    await set(`s=${SET_COOKIE}; Domain=example.com`);
    await set(`s=${SET_COOKIE}\r\nx`);
    await set(`s=${SET_COOKIE}\0`);
    await set(`__Host-s=${SET_COOKIE}; Path=/x`);
    const importing = (saved: unknown): Promise<Error> =>
      safeFailure(() => session.cookies.import(saved as never), ConfigurationError);
    await importing({ version: 1, jars: { a: { cookies: [SET_COOKIE] } } });
    await importing({ version: 1, jars: { a: { cookies: SET_COOKIE } } });
    await importing({ version: SET_COOKIE, jars: {} });
    await importing(SET_COOKIE);
  });
});

describe("a dump", () => {
  /** What console.log writes of a value. */
  async function logged(value: unknown): Promise<string> {
    const stdout = new PassThrough();
    const console = new Console({ stdout, inspectOptions: { depth: 20 } });
    console.log(value);
    console.log("%s %o %O %j", value, value, value, value);
    console.dir(value, { showHidden: true, depth: 20 });
    stdout.end();
    return readText(stdout);
  }

  test.each(WAYS)("of a session with a password or token %s, after it was used", async (way) => {
    const session = await makeSession(way);
    respond = (_one, response) =>
      response.end(JSON.stringify({ headers: { "Set-Cookie": `s=${SET_COOKIE}` }, body: "hello" }));
    await session.get(urlFor(way));
    expect(await session.cookies.get(APP)).toEqual({ jar: JAR_COOKIE, s: SET_COOKIE });
    for (const value of [session, session.cookies, { session }, [session.cookies]]) {
      const hidden = inspect(value, { depth: 20, showHidden: true });
      expectNoSecret([
        await logged(value),
        inspect(value, { depth: 20 }),
        hidden,
        JSON.stringify(value),
        String(value),
      ]);
    }
  });

  test("of an invoker and of a fetch", async () => {
    const invoker = awsInvoker({ endpoint, credentials, region: "eu-west-1" });
    closers.push(() => void invoker.close?.());
    const fetch = createFetch({ endpoint, credentials, region: "eu-west-1" });
    await fetch(WITH_PASSWORD);
    for (const value of [invoker, fetch]) expectNoSecret([await logged(value), inspect(value, { depth: 20 })]);
  });
});
