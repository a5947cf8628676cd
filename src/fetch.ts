/** The way of a request, from top to bottom. */
import { withDeadline } from "./deadline.ts";
import {
  FunctionError,
  type FunctionFailure,
  PayloadTooLargeError,
  type RequestSummary,
  TimeoutError,
  TooManyRedirectsError,
} from "./errors.ts";
import { type EventRequest, type Format, InvalidResultError, type ResponseParts } from "./formats/format.ts";
import { expectedFormats, FORMATS } from "./formats/formats.ts";
import { findHeader } from "./formats/headers.ts";
import { decodeResult } from "./formats/result.ts";
import { describeInvocation } from "./invocation-info.ts";
import { abortable } from "./invoke/abortable.ts";
import { readFunctionFailure } from "./invoke/function-failure.ts";
import { type Invocation, type InvocationResult, MAX_EVENT } from "./invoke/invoker.ts";
import {
  type LambdaOptions,
  mergeRequestOptions,
  normalizeOptions,
  type RequestSettings,
  type Settings,
} from "./options.ts";
import { followWithin, locationOf, redirectedRequest } from "./redirects.ts";
import {
  type LambdaRequestInit,
  type ReadRequest,
  readRequest,
  requestOf,
  signalAndRedirect,
  toEventRequest,
} from "./request.ts";
import { type LambdaResponse, toResponse } from "./response.ts";
import { type LambdaUrl, parseLambdaUrl, type Target, withQualifier } from "./target.ts";

/** The URLs whose response is surely a {@link LambdaResponse}. */
export type LambdaUrlText = `http+lambda:${string}`;

/** A `fetch` for functions as well: use it wherever a `typeof fetch` is wanted. */
export interface LambdaFetch {
  (input: LambdaUrlText, init?: LambdaRequestInit): Promise<LambdaResponse>;
  (input: string | URL | Request, init?: LambdaRequestInit): Promise<Response>;
}

/** A `fetch` with what it holds open. */
export interface Client {
  readonly fetch: LambdaFetch;
  close(): Promise<void>;
}

/**
 * Makes a `fetch` that calls functions by `http+lambda://function/path` and passes all other URLs on.
 *
 * @param options Each has its default in the environment; see {@link LambdaOptions}.
 * @throws {ConfigurationError} for an unknown option, or a value that can't be.
 * @example
 * const fetch = createFetch({ region: "eu-west-1", logs: true });
 * const response = await fetch("http+lambda://orders/v1?limit=10");
 * console.log(response.status, await response.json(), response.invocation.requestId);
 */
export function createFetch(options: LambdaOptions = {}): LambdaFetch {
  return createClient(normalizeOptions(options)).fetch;
}

let fromEnvironment: LambdaFetch | undefined;

/**
 * `fetch` for AWS Lambda, configured from the environment on first use. Takes and gives what the standard `fetch` does;
 * https://fetch.spec.whatwg.org/#fetch-method
 *
 * @throws {InvalidTargetError} when the URL names no valid function.
 * @throws {ConfigurationError} when there is no region or there are no credentials.
 * @throws {PayloadTooLargeError} when the event is over 6 MB.
 * @throws {InvokeError} when Lambda refused the call or no answer came. A function that failed is a 502 response.
 * @throws {TypeError} where the standard `fetch` throws one.
 * @example
 * const response = await fetch("http+lambda://orders/v1", { method: "POST", body: JSON.stringify({ id: 1 }) });
 */
export const fetch: LambdaFetch = ((input: string | URL | Request, init?: LambdaRequestInit) => {
  fromEnvironment ??= createFetch();
  return fromEnvironment(input, init);
}) as LambdaFetch;

/** The same with a way to close it. */
export function createClient(settings: Settings): Client {
  return {
    fetch: (async (input: string | URL | Request, given?: LambdaRequestInit | null) => {
      const init = given ?? {};
      const url = locate(input, settings.schemes);
      if (url === undefined) return settings.fetch(input as string, init as RequestInit);
      return call(settings, url, input, init);
    }) as LambdaFetch,
    async close() {
      const invokers = new Set([settings.invoker, ...settings.functions.values()]);
      await Promise.all([...invokers].map((invoker) => invoker.close?.()));
    },
  };
}

function locate(input: string | URL | Request, schemes: readonly string[]): LambdaUrl | undefined {
  const url = requestOf(input)?.url;
  if (url === undefined) return parseLambdaUrl(input as string | URL, schemes);
  return URL.canParse(url) ? parseLambdaUrl(new URL(url), schemes) : undefined;
}

/** URL and request in, response out, redirects followed. */
async function call(
  settings: Settings,
  url: LambdaUrl,
  input: string | URL | Request,
  init: LambdaRequestInit,
): Promise<LambdaResponse> {
  const start = performance.now();
  let started = false;
  const options = mergeRequestOptions(settings.request, init.lambda);
  const { signal, redirect = options.redirect } = signalAndRedirect(input, init);

  return withDeadline(signal, options.timeout, onTimeout, async (signal) => {
    // A body that is a stream may never end.
    let request = await abortable(readRequest(input, init, url.userinfo), signal);
    let current = { ...url, target: qualified(url.target, options, init) };
    const history: LambdaResponse[] = [];
    for (;;) {
      started = true;
      const response = await send(settings, options, current, request, { start, history: [...history], signal });
      const location = locationOf(response.status, response.headers);
      if (location === undefined || redirect === "manual") return finish(response, options, current, request);
      if (redirect === "error")
        throw new TypeError(`${request.method} ${current.href}: redirected, with redirect: "error"`);
      history.push(response);
      if (history.length > options.maxRedirects) throw tooManyRedirects(options, current, request);
      const host = findHeader(request.headers, "host");
      const next = followWithin(current, location, host, { method: request.method, schemes: settings.schemes });
      // The qualifier of an option is in no URL that a redirect could be relative to.
      current = next.target.qualifier === undefined ? { ...next, target: qualified(next.target, options, init) } : next;
      request = redirectedRequest(request, response.status);
    }
  });

  function onTimeout(): TimeoutError {
    const method = init.method ?? requestOf(input)?.method ?? "GET";
    const request = { method, url: url.href };
    const state = started ? "the function may still be running" : "nothing was sent";
    return new TimeoutError(`no answer within ${options.timeout} ms; ${state}`, {
      outcome: started ? "unknown" : "not-started",
      request,
      target: url.target,
    });
  }
}

/** One request, one invocation, one response. */
async function send(
  settings: Settings,
  options: RequestSettings,
  url: LambdaUrl,
  request: ReadRequest,
  { start, history, signal }: { start: number; history: readonly LambdaResponse[]; signal: AbortSignal | undefined },
): Promise<LambdaResponse> {
  const { target } = url;
  const summary = { method: request.method, url: url.href };
  const event = toEventRequest(request, url);
  const format = FORMATS[options.payloadFormat];
  const payload = encodeEvent(format, event, target, summary);

  const sent = performance.now();
  const invoker = settings.functions.get(target.functionName) ?? settings.invoker;
  const invocation: Invocation = { target, payload, logs: options.logs, request: summary };
  // An invoker of a user's own may not look at its signal.
  const result = await abortable(invoker.invoke(invocation, signal), signal);
  const elapsed = performance.now() - sent;
  if (!(result?.payload instanceof Uint8Array)) {
    throw new TypeError(`the invoker of ${target.functionName} has to give a result with a payload of bytes`);
  }

  const functionError = result.functionError === undefined ? undefined : readFunctionFailure(result.payload);
  const parts = functionError === undefined ? resultParts(format, result, target) : failureParts(format, functionError);
  const info = describeInvocation(result, {
    target,
    elapsed,
    payloadFormat: options.payloadFormat,
    ...(functionError !== undefined && { functionError }),
  });
  const facts = { request: summary, target, invocation: info, history, elapsed: performance.now() - start };
  return toResponse(parts, request.method, facts);
}

function encodeEvent(format: Format, event: EventRequest, target: Target, request: RequestSummary): Uint8Array {
  // A body that is too large by itself is not encoded first: its event might not even fit into a string.
  const isHopeless = (event.body?.length ?? 0) > MAX_EVENT;
  const payload = isHopeless ? undefined : Buffer.from(JSON.stringify(format.encode(event, target)));
  if (payload !== undefined && payload.length <= MAX_EVENT) return payload;
  const size = payload?.length ?? event.body?.length ?? 0;
  const url = request.url.length > 200 ? `${request.url.slice(0, 200)}…` : request.url;
  throw new PayloadTooLargeError(
    `the event is ${isHopeless ? "over " : ""}${size} bytes, Lambda takes ${MAX_EVENT}; ${largestPart(event)}. Nothing was sent`,
    { size, limit: MAX_EVENT, request: { ...request, url }, target },
  );
}

function largestPart({ path, query, headers, body }: EventRequest): string {
  const isBytes = body !== null && typeof body !== "string";
  const sizes: [part: string, size: number, unit: string][] = [
    [
      "body",
      body?.length ?? 0,
      isBytes ? "bytes; unless they are text, base64 makes them a third larger" : "characters",
    ],
    ["headers", headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0), "characters"],
    ["query", query.length, "characters"],
    ["path", path.length, "characters"],
  ];
  const [part, size, unit] = sizes.reduce((a, b) => (b[1] > a[1] ? b : a));
  return `the largest part is the ${part} (${size} ${unit})`;
}

function resultParts(format: Format, { payload }: InvocationResult, { functionName }: Target): ResponseParts {
  try {
    return decodeResult(format, payload);
  } catch (error) {
    if (!(error instanceof InvalidResultError)) throw error;
    return textParts(`${functionName} returned no HTTP response: ${error.message}`);
  }
}

/** Its message; and where that shows that the function was written for other events, which ones to send. */
function failureParts({ name }: Format, { errorType, errorMessage }: FunctionFailure): ResponseParts {
  const others = expectedFormats(errorType, errorMessage);
  if (others === undefined || others.includes(`"${name}"`)) return textParts(errorMessage);
  const hint = `The function was sent the event of the payload format "${name}". If it expects another, try ${others}`;
  return textParts(`${errorMessage}\n\n(${hint}, with the option payloadFormat.)`.trimStart());
}

/** The 502 of a function that failed, or whose result is no response. */
function textParts(text: string): ResponseParts {
  return { status: 502, headers: [["content-type", "text/plain; charset=utf-8"]], body: Buffer.from(text) };
}

function finish(
  response: LambdaResponse,
  { functionErrors }: RequestSettings,
  { target, href }: LambdaUrl,
  { method }: ReadRequest,
): LambdaResponse {
  const { functionError } = response.invocation;
  if (functionError === undefined || functionErrors === "response") return response;
  throw new FunctionError(functionError, { response, target, request: { method, url: href } });
}

/** A qualifier given with the request has to agree with the URL's; one given to all requests gives way to it. */
function qualified(target: Target, { qualifier }: RequestSettings, { lambda }: LambdaRequestInit): Target {
  if (qualifier === undefined || (target.qualifier !== undefined && lambda?.qualifier === undefined)) return target;
  return withQualifier(target, qualifier);
}

function tooManyRedirects({ maxRedirects }: RequestSettings, url: LambdaUrl, { method }: ReadRequest): Error {
  const request = { method, url: url.href };
  return new TooManyRedirectsError(`redirected more than ${maxRedirects} times`, { request, target: url.target });
}
