/** The way of a request, from top to bottom. */
import { type CookieAddress, type CookieKeeper, withCookies } from "./cookie-header.ts";
import { type CallSignals, withDeadline } from "./deadline.ts";
import { FunctionError, TimeoutError, TooManyRedirectsError } from "./errors.ts";
import type { HeaderList } from "./formats/format.ts";
import { findHeader } from "./formats/headers.ts";
import { bodyLimit, makeInvocation } from "./invocation.ts";
import { abortable } from "./invoke/abortable.ts";
import { failureAdvice } from "./invoke/function-failure.ts";
import type { Invocation, Invoker, Progress } from "./invoke/invoker.ts";
import { readRetryAfter, startProgress } from "./invoke/retry.ts";
import { areRequestsTraced, type RequestTrace, traceRequest } from "./invoke/tracing.ts";
import {
  type LambdaOptions,
  mergeRequestOptions,
  normalizeOptions,
  type RequestSettings,
  type Settings,
} from "./options.ts";
import { addressOf, fetchFor, type Ground, invokerFor, originAt, type SessionParts } from "./places.ts";
import { type Hop, type HopRequest, isFunction, locationOf, nextHop, type Place } from "./redirects.ts";
import {
  type BodyInput,
  isRead,
  type LambdaRequestInit,
  type ReadRequest,
  readHeaders,
  readRequest,
  requestOf,
  signalAndRedirect,
  TEXT_TYPE,
} from "./request.ts";
import { respond } from "./respond.ts";
import { fromWeb, LambdaResponse } from "./response.ts";
import { letGo, orLetGo } from "./streamed-response.ts";
import { type LambdaUrl, parseLambdaUrl, withQualifier } from "./target.ts";
import { isStream, sendByFetch } from "./web.ts";

/** The URLs whose response is surely a {@link LambdaResponse}. */
export type LambdaUrlText = `http+lambda:${string}`;

/** A `fetch` for functions as well: use it wherever a `typeof fetch` is wanted. */
export interface LambdaFetch {
  (input: LambdaUrlText, init?: LambdaRequestInit): Promise<LambdaResponse>;
  (input: string | URL | Request, init?: LambdaRequestInit): Promise<Response>;
}

/** A `fetch`, and what a Session needs besides. */
export interface Client {
  readonly fetch: LambdaFetch;
  /** The same, with redirects followed by our rules for URLs of other schemes as well. */
  send(url: string, init: LambdaRequestInit): Promise<Response>;
  /** Where the cookies of a URL are kept. */
  addressOf(url: string | URL): Promise<CookieAddress>;
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
 * @throws {UnsafeRedirectError} when a redirect leads to another function.
 * @throws {TypeError} where the standard `fetch` throws one.
 * @example
 * const response = await fetch("http+lambda://orders/v1", { method: "POST", body: JSON.stringify({ id: 1 }) });
 */
export const fetch: LambdaFetch = ((input: string | URL | Request, init?: LambdaRequestInit) => {
  fromEnvironment ??= createFetch();
  return fromEnvironment(input, init);
}) as LambdaFetch;

/** The same with what a Session adds. */
export function createClient(settings: Settings, parts: SessionParts = {}): Client {
  const ground: Ground = { settings, parts };
  return {
    fetch: (async (input: string | URL | Request, given?: LambdaRequestInit | null) => {
      const init = given ?? {};
      const url = locate(input, settings.schemes);
      if (url === undefined) return settings.fetch(input as string, init as RequestInit);
      return await call(ground, url, input, init);
    }) as LambdaFetch,
    async send(url, init) {
      return await call(ground, locate(url, settings.schemes) ?? new URL(url), url, init);
    },
    async addressOf(url) {
      return addressOf(ground, locate(url, settings.schemes) ?? new URL(url));
    },
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

/** One call of `fetch`: what all of its hops share. */
interface Call extends Ground, CallSignals {
  /** When somebody listens. */
  readonly trace: RequestTrace | undefined;
  readonly options: RequestSettings;
  readonly init: LambdaRequestInit;
  readonly begin: number;
  readonly progress: Progress;
  /** The responses that redirected, as far as functions led there. */
  readonly history: LambdaResponse[];
}

// From here on, a function that only hands a promise on is not async, and what is at hand is not awaited: of the fifty promises
// that a call had, each cost about a microsecond.

/** URL and request in, response out. */
function call(ground: Ground, start: Place, input: string | URL | Request, init: LambdaRequestInit): Promise<Response> {
  const options = mergeRequestOptions(ground.settings.request, init.lambda);
  if (!isFunction(start) || !areRequestsTraced()) return followCall(ground, start, input, { init, options });
  const { payloadFormat, invocationType, responseStreaming } = options;
  const request = { method: methodOf(input, init), url: start.href };
  return traceRequest(
    { request, target: start.target, payloadFormat, invocationType, responseStreaming },
    async (trace, added) => await followCall(ground, start, input, { init, options, trace, added }),
  );
}

/** How a call was meant. */
interface Meant {
  readonly init: LambdaRequestInit;
  readonly options: RequestSettings;
  readonly trace?: RequestTrace;
  /** Headers that those who listen have added. */
  readonly added?: HeaderList;
}

/** The same, redirects followed. */
function followCall(
  ground: Ground,
  start: Place,
  input: string | URL | Request,
  { init, options, trace, added }: Meant,
): Promise<Response> {
  const begin = performance.now();
  const { settings, parts } = ground;
  const { signal: own, redirect = options.redirect } = signalAndRedirect(input, init);
  const progress = startProgress();
  // In an object of its own: a timer that knows it must not hold the rest of the call as long as it runs.
  const state: CallState = {
    options,
    progress,
    isAnswered: false,
    place: qualifiedPlace(start, options, init),
    method: methodOf(input, init),
  };

  return withDeadline(own ?? undefined, options.timeout, timeoutOf(state), async (signals) => {
    const { signal, outlasting, lasting } = signals;
    const history: LambdaResponse[] = [];
    let current: Call = {
      settings,
      parts,
      trace,
      options,
      init,
      begin,
      progress,
      signal,
      outlasting,
      lasting,
      history,
    };
    const first = firstRequest(current, state.place, input, added);
    const request = first instanceof Promise ? await first : first;
    let hop: Hop<BodyInput> = { to: state.place, request, leavesFunction: false };
    for (let redirects = 0; ; redirects++) {
      const response = await sendWithCookies(current, hop);
      const location = locationOf(response);
      if (location === undefined || redirect === "manual") {
        state.isAnswered = true;
        return finish(response, current, hop, redirects);
      }
      if (response instanceof LambdaResponse) history.push(response);
      // Its socket is free again: nobody reads what a web page, or a stream, says besides where it leads.
      if (fetchFor(current, hop.to) !== undefined) void response.body?.cancel().catch(() => undefined);
      letGo(response);
      if (redirect === "error")
        throw new TypeError(`${state.method} ${state.place.href}: redirected, with redirect: "error"`);
      if (redirects >= options.maxRedirects) throw tooManyRedirects(options, state.place, state.method);
      const host = findHeader(hop.request.headers, "host");
      const rules = {
        ...settings,
        ...options,
        originOf: (url: LambdaUrl) => abortable(originAt(ground, url), signal),
      };
      hop = await nextHop(hop, { status: response.status, location, host }, rules);
      if (isStream(hop.request.body)) {
        throw new TypeError(`${state.method} ${state.place.href}: redirected, and a stream can't be sent twice`);
      }
      if (hop.leavesFunction) current = { ...current, options: forAnotherFunction(options, settings.request) };
      // The qualifier of an option is in no URL that a redirect could be relative to.
      const named = isFunction(hop.to) && hop.to.target.qualifier !== undefined;
      state.place = named ? hop.to : qualifiedPlace(hop.to, current.options, init);
      state.method = hop.request.method;
      hop = { ...hop, to: state.place };
    }
  });
}

/** How far a call has come, as an error has to say it. */
interface CallState {
  readonly options: RequestSettings;
  readonly progress: Progress;
  place: Place;
  method: string;
  /** Has the caller a response, whose body may still be on its way? */
  isAnswered: boolean;
}

function timeoutOf(state: CallState): () => TimeoutError {
  return () => {
    const { options, progress, place, method, isAnswered } = state;
    const mayHaveRun = progress.sent || progress.mayHaveRun;
    const outcome = mayHaveRun ? "the function may still be running" : "nothing was sent";
    const what = isAnswered ? "the answer was not complete" : "no answer";
    return new TimeoutError(`${what} within ${options.timeout} ms${isFunction(place) ? `; ${outcome}` : ""}`, {
      outcome: mayHaveRun ? "unknown" : "not-started",
      attempts: Math.max(progress.attempts, 1),
      request: { method, url: place.href },
      ...(isFunction(place) && { target: place.target }),
    });
  };
}

/** The request as the caller gave it; its body read, where it becomes an event. */
function firstRequest(
  current: Call,
  place: Place,
  input: string | URL | Request,
  added: HeaderList = [],
): HopRequest<BodyInput> | Promise<HopRequest<BodyInput>> {
  const { init, options, signal } = current;
  if (isFunction(place) && fetchFor(current, place) === undefined) {
    const { userinfo, target, href: url } = place;
    const limit = bodyLimit(options.invocationType, { method: methodOf(input, init), url, target });
    const withAdded = (request: ReadRequest): ReadRequest => {
      const unsaid = added.filter(([name]) => findHeader(request.headers, name.toLowerCase()) === undefined);
      return unsaid.length === 0 ? request : { ...request, headers: [...request.headers, ...unsaid] };
    };
    const read = readRequest(input, init, { userinfo, signal, limit });
    // A body that is a stream may never end.
    return read instanceof Promise ? abortable(read, signal).then(withAdded) : withAdded(read);
  }
  const headers = readHeaders(init.headers ?? []);
  const { method = "GET", body = null } = init;
  // As the platform says it; a function that this is redirected to has to be told as well.
  if (typeof body === "string" && findHeader(headers, "content-type") === undefined) {
    headers.push(["Content-Type", TEXT_TYPE]);
  }
  return { method, headers, body };
}

/** One hop, with the cookies that are kept for where it goes. */
function sendWithCookies(current: Call, hop: Hop<BodyInput>): Promise<Response> {
  const { cookies } = current.parts;
  return cookies === undefined ? send(current, hop.to, hop.request) : sendAndKeep(cookies, current, hop);
}

async function sendAndKeep(cookies: CookieKeeper, current: Call, hop: Hop<BodyInput>): Promise<Response> {
  const host = findHeader(hop.request.headers, "host");
  const addressed = (): Promise<CookieAddress> => abortable(addressOf(current, hop.to, host), current.signal);
  // What a function sends out of itself goes without them.
  const kept = cookies.isEmpty || hop.leavesFunction ? [] : cookies.cookiesFor(await addressed());
  const headers = withCookies(hop.request.headers, kept);
  const response = await send(current, hop.to, { ...hop.request, headers });
  const setCookie = response.headers.getSetCookie();
  if (setCookie.length > 0) await orLetGo(keepCookies(), response);
  return response;

  async function keepCookies(): Promise<void> {
    await cookies.keep(await addressed(), setCookie);
  }
}

/** One hop: to a function by an invocation, to anywhere else by a `fetch`. */
function send(current: Call, place: Place, request: HopRequest<BodyInput>): Promise<Response> {
  // An error speaks of the request that it names, not of those that led there.
  Object.assign(current.progress, startProgress());
  const fetch = fetchFor(current, place);
  return fetch === undefined
    ? sendToFunction(current, place as LambdaUrl, request)
    : sendToWeb(current, place, request, fetch);
}

async function sendToWeb(
  { init, begin, progress, history, outlasting }: Call,
  place: Place,
  request: HopRequest<BodyInput>,
  fetch: typeof globalThis.fetch,
): Promise<Response> {
  progress.sent = true;
  const response = await sendByFetch(fetch, place.href, request, init, outlasting());
  const last = history.at(-1);
  if (last === undefined || response instanceof LambdaResponse) return response;
  const facts = { invocation: last.invocation, history: [...history], elapsed: performance.now() - begin };
  return fromWeb(response, { ...facts, request: { method: request.method, url: place.href } });
}

/** One request, one response; and another invocation, where its status asks for it. */
async function sendToFunction(current: Call, url: LambdaUrl, given: HopRequest<BodyInput>): Promise<LambdaResponse> {
  const { settings, parts, options, progress, signal, trace } = current;
  const isRedirected = current.history.length > 0;
  const request = isRead(given) ? given : await readRequest(url.href, given);
  const invocation = makeInvocation(request, url, options, { progress, onRetry: parts.onRetry, trace, isRedirected });
  const { retry, repeatable, target, request: summary } = invocation;
  const invoker = invokerFor(current, url) as Invoker;
  for (let taken = 0; ; ) {
    const before = progress.attempts;
    let response: LambdaResponse;
    try {
      response = await invoke(current, invoker, invocation);
    } finally {
      if (trace !== undefined) trace.attempts += progress.attempts - before;
    }
    if (retry === undefined || !repeatable || !retry.statuses.includes(response.status)) {
      settings.retries.refund(taken);
      return response;
    }
    const retryAfter = readRetryAfter(response.headers.get("retry-after"));
    const failure = { request: summary, target, attempt: progress.attempts, response, retryAfter, trace };
    const next = settings.retries.next(retry, { ...failure, kind: "transient" }, signal);
    const cost = await orLetGo(next, response);
    if (cost === undefined) return response;
    letGo(response);
    taken = cost;
  }
}

/** One invocation, one response. */
async function invoke(current: Call, invoker: Invoker, invocation: Invocation): Promise<LambdaResponse> {
  const { progress, options, signal: ofCall } = current;
  const lasting = invocation.responseStreaming ? current.lasting() : undefined;
  const signal = lasting?.signal ?? ofCall;
  try {
    const sent = performance.now();
    // An invoker of a user's own may not look at its signal.
    const result = await abortable(invoker.invoke(invocation, signal), signal);
    const elapsed = performance.now() - sent;
    progress.sent = false;
    progress.mayHaveRun ||= options.invocationType !== "DryRun";
    const isRead = result?.payload instanceof Uint8Array;
    if (!isRead && (lasting === undefined || result?.prelude === undefined)) throw noResult(invocation);
    const response = respond({ result, elapsed }, invocation, current, lasting);
    return response instanceof Promise ? await abortable(response, ofCall) : response;
  } catch (error) {
    lasting?.end();
    throw error;
  }
}

function noResult({ target }: Invocation): TypeError {
  return new TypeError(`the invoker of ${target.functionName} has to give a result with a payload of bytes`);
}

function finish(response: Response, { options }: Call, { to, request }: Hop<BodyInput>, redirects: number): Response {
  if (!(response instanceof LambdaResponse)) {
    // The platform, which followed none, does not know.
    return redirects === 0 ? response : Object.defineProperty(response, "redirected", { value: true });
  }
  const { functionError, logs } = response.invocation;
  if (functionError === undefined || options.functionErrors === "response" || !isFunction(to)) return response;
  const advice = failureAdvice(functionError.kind);
  throw new FunctionError(functionError, {
    response,
    ...(logs !== undefined && { logs }),
    ...(advice !== undefined && { advice }),
    target: to.target,
    request: { method: request.method, url: to.href },
  });
}

/** What was given with the request was meant for its function alone; what the session says is for all. */
function forAnotherFunction(options: RequestSettings, ofSession: RequestSettings): RequestSettings {
  const { qualifier, clientContext, tenantId, durable, durableExecutionName } = ofSession;
  return { ...options, qualifier, clientContext, tenantId, durable, durableExecutionName };
}

function methodOf(input: string | URL | Request, { method }: LambdaRequestInit): string {
  return method ?? requestOf(input)?.method ?? "GET";
}

/** A qualifier given with the request has to agree with the URL's; one given to all requests gives way to it. */
function qualifiedPlace(place: Place, { qualifier }: RequestSettings, { lambda }: LambdaRequestInit): Place {
  if (!isFunction(place) || qualifier === undefined) return place;
  if (place.target.qualifier !== undefined && lambda?.qualifier === undefined) return place;
  return { ...place, target: withQualifier(place.target, qualifier) };
}

function tooManyRedirects({ maxRedirects }: RequestSettings, place: Place, method: string): Error {
  const request = { method, url: place.href };
  const target = isFunction(place) ? { target: place.target } : {};
  return new TooManyRedirectsError(`redirected more than ${maxRedirects} times`, { request, ...target });
}
