/// <reference lib="esnext.disposable" preserve="true" />
/** {@link Session}: defaults that requests share, and a method for each verb. After `requests.Session`. */
import { type Auth, applyAuth, checkAuth, type PreparedRequest } from "./auth.ts";
import { type CookiesInput, checkCookies, cookiePair, withOwnCookies } from "./cookie-header.ts";
import { SessionCookies } from "./cookies.ts";
import { ConfigurationError, HTTPError, InvokeError } from "./errors.ts";
import { type Client, createClient, type LambdaFetch, type LambdaUrlText } from "./fetch.ts";
import { findHeader } from "./formats/headers.ts";
import { isUnroutable } from "./invoke/aws-error.ts";
import type { Invoker } from "./invoke/invoker.ts";
import { checkOptionNames } from "./invoke/option-names.ts";
import { retryInvoker } from "./invoke/retry.ts";
import { canonicalPrefix, isUnder } from "./mounts.ts";
import {
  checkOptions,
  LAMBDA_OPTION_NAMES,
  normalizeOptions,
  pick,
  REQUEST_OPTION_NAMES,
  type Settings,
} from "./options.ts";
import {
  keepUntouched,
  type LocatedUrl,
  locateUrl,
  makeBody,
  mergeHeaders,
  type ParamsInput,
  setDefault,
} from "./prepare.ts";
import {
  type BodyInput,
  type HeadersInput,
  type LambdaRequestInit,
  readHeaders,
  requestOf,
  signalAndRedirect,
} from "./request.ts";
import { LambdaResponse } from "./response.ts";
import { type ResponsePromise, withReaders } from "./response-promise.ts";
import {
  type AfterResponse,
  type BeforeRequest,
  listOf,
  REQUEST_NAMES,
  SESSION_CHECKS,
  type SessionOptions,
  type SessionRequestOptions,
} from "./session-options.ts";
import { quote, schemeOf } from "./target.ts";

/** A verb of a {@link Session}. */
export interface Verb {
  (url: LambdaUrlText, options?: SessionRequestOptions): ResponsePromise<LambdaResponse>;
  (url: string | URL, options?: SessionRequestOptions): ResponsePromise<Response>;
}

/** Where URLs under a prefix go. */
interface Mount {
  readonly prefix: string;
  readonly destination: Invoker | typeof globalThis.fetch;
}

/** One request on its way through a session. */
interface SessionRequest {
  readonly method: string;
  readonly url: string | URL;
  readonly params?: ParamsInput | undefined;
  readonly headers?: HeadersInput | undefined;
  readonly body: BodyInput | null;
  readonly contentType?: string | undefined;
  readonly cookies?: CookiesInput | undefined;
  readonly auth?: Auth | null | undefined;
  readonly raiseForStatus?: boolean | undefined;
  /** The rest of what `fetch` takes; made for this request. */
  readonly init: LambdaRequestInit;
}

/**
 * A session: `requests.Session` for functions. It keeps connections and the defaults that requests share.
 *
 * All methods are bound, so that `const { get } = session` works, and so does handing `session.fetch` to a library.
 *
 * @example
 * await using session = new Session({ region: "us-west-2", headers: { "X-Team": "billing" } });
 * const response = await session.get("http+lambda://orders/v1", { params: { limit: 10 } });
 * const order = await session.post("http+lambda://orders/v1", { json: { sku: "A-1" } }).json<Order>();
 */
export class Session {
  // Private, with accessors: a session that is logged must not show a password or a token.
  readonly #headers: Headers;
  #params: ParamsInput;
  #auth: Auth | null;
  readonly #settings: Settings;
  readonly #client: Client;
  readonly #cookies: SessionCookies;
  readonly #ownCookies: CookiesInput;
  readonly #before: readonly BeforeRequest[];
  readonly #after: readonly AfterResponse[];
  readonly #raiseForStatus: boolean;
  #mounts: readonly Mount[] = [];

  /**
   * @param options See {@link SessionOptions}; each has its default there.
   * @throws {ConfigurationError} for an unknown option, or a value that can't be.
   */
  constructor(options: SessionOptions = {}) {
    checkOptions(options, SESSION_CHECKS);
    this.#settings = normalizeOptions(pick(options, LAMBDA_OPTION_NAMES));
    this.#headers = new Headers(readHeaders(options.headers ?? []));
    this.#params = options.params ?? {};
    this.#auth = options.auth ? checkAuth(options.auth) : null;
    const { hooks = {} } = options;
    checkOptionNames(hooks, ["beforeRequest", "afterResponse", "onRetry"]);
    this.#before = listOf(hooks.beforeRequest);
    this.#after = listOf(hooks.afterResponse);
    const onRetry = listOf(hooks.onRetry);
    this.#ownCookies = options.cookies || {};
    for (const [name, value] of Object.entries(this.#ownCookies)) if (value !== undefined) cookiePair(name, value);
    this.#cookies = new SessionCookies((url) => this.#client.addressOf(url));
    this.#client = createClient(this.#settings, {
      ...(options.cookies !== false && { cookies: this.#cookies }),
      route: (href) => this.#mountOf(href),
      ...(onRetry.length > 0 && {
        async onRetry(retry) {
          for (const hook of onRetry) await hook(retry);
        },
      }),
    });
    this.#raiseForStatus = options.raiseForStatus ?? false;
  }

  /** Sent with every request; may be changed. */
  get headers(): Headers {
    return this.#headers;
  }

  /** In the query of every request; may be set. */
  get params(): ParamsInput {
    return this.#params;
  }

  set params(params: ParamsInput) {
    this.#params = params;
  }

  /** What functions and web pages have set. */
  get cookies(): SessionCookies {
    return this.#cookies;
  }

  /** May be set; `null` for none. */
  get auth(): Auth | null {
    return this.#auth;
  }

  set auth(auth: Auth | null) {
    this.#auth = auth && checkAuth(auth);
  }

  /**
   * Reads something. GET: throws what {@link request} throws.
   *
   * @example
   * await session.get("http+lambda://orders/items", { params: { limit: 10 } }).json();
   */
  readonly get: Verb = this.#verb("GET");

  /**
   * Asks what may be done, as browsers do before a request to another origin. OPTIONS: throws what {@link request} throws.
   *
   * @example
   * (await session.options("http+lambda://orders/items")).headers.get("allow");
   */
  readonly options: Verb = this.#verb("OPTIONS");

  /**
   * Reads status and headers alone. HEAD: throws what {@link request} throws.
   *
   * @example
   * (await session.head("http+lambda://orders/items")).headers.get("etag");
   */
  readonly head: Verb = this.#verb("HEAD");

  /**
   * Sends something new. POST: throws what {@link request} throws.
   *
   * @example
   * await session.post("http+lambda://orders/items", { json: { sku: "A-1" } });
   */
  readonly post: Verb = this.#verb("POST");

  /**
   * Sends the whole of something. PUT: throws what {@link request} throws.
   *
   * @example
   * await session.put("http+lambda://orders/items/1", { json: { sku: "A-2" } });
   */
  readonly put: Verb = this.#verb("PUT");

  /**
   * Sends a change of something. PATCH: throws what {@link request} throws.
   *
   * @example
   * await session.patch("http+lambda://orders/items/1", { json: { sku: "A-3" } });
   */
  readonly patch: Verb = this.#verb("PATCH");

  /**
   * Removes something. DELETE: throws what {@link request} throws.
   *
   * @example
   * await session.delete("http+lambda://orders/items/1");
   */
  readonly delete: Verb = this.#verb("DELETE");

  /**
   * Sends a request of any method.
   *
   * @throws what `fetch` throws, and a `TypeError` for options that don't go together (`json` with `data`).
   * @example
   * const response = await session.request("REPORT", "http+lambda://calendar/", { data: "<query/>" });
   */
  readonly request = ((method: string, url: string | URL, options: SessionRequestOptions = {}) =>
    withReaders(this.#request(method, url, options))) as {
    (method: string, url: LambdaUrlText, options?: SessionRequestOptions): ResponsePromise<LambdaResponse>;
    (method: string, url: string | URL, options?: SessionRequestOptions): ResponsePromise<Response>;
  };

  /** The standard `fetch` with this session's defaults, for libraries that take one. */
  readonly fetch: LambdaFetch = (async (input: string | URL | Request, init: LambdaRequestInit = {}) => {
    const request = requestOf(input);
    return this.#send({
      method: init.method ?? request?.method ?? "GET",
      url: request === undefined ? (input as string | URL) : new URL(request.url),
      headers: init.headers ?? request?.headers,
      body: init.body ?? (request?.body as BodyInput | null | undefined) ?? null,
      init: {
        ...(request !== undefined && fieldsOf(request)),
        ...init,
        ...signalAndRedirect(input, init),
      },
    });
  }) as LambdaFetch;

  /**
   * May this session's credentials invoke the function that a URL names? Asks Lambda by a dry run: nothing runs. What answers
   * in this process may always be invoked.
   *
   * @throws {InvokeError} when that can't be said: there is no such function, the credentials are over, no answer came.
   * @throws {TypeError} for a URL that names no function, or that a mounted `fetch` answers.
   * @throws {InvalidTargetError | ConfigurationError} as `fetch` does.
   * @example
   * if (!(await session.mayInvoke("http+lambda://orders:prod"))) console.error("ask for lambda:InvokeFunction");
   */
  async mayInvoke(
    url: string | URL,
    { signal, ...options }: Pick<SessionRequestOptions, "qualifier" | "retry" | "signal" | "timeout"> = {},
  ): Promise<boolean> {
    checkOptionNames(options, ["qualifier", "retry", "timeout"]);
    const { href } = locateUrl(url, [], this.#settings.schemes);
    if (!this.#settings.schemes.includes(schemeOf(href))) throw new TypeError(`${quote(href)} names no function`);
    if (typeof this.#mountOf(href) === "function") throw new TypeError(`${quote(href)} is answered by a mounted fetch`);
    const dryRun = { invocationType: "DryRun", responseStreaming: false } as const;
    try {
      await this.#client.send(href, { ...(signal && { signal }), lambda: { ...options, ...dryRun } });
      return true;
    } catch (error) {
      if (error instanceof InvokeError && error.code === "AccessDeniedException") {
        if (!isUnroutable(error.message)) return false;
      }
      throw error;
    }
  }

  /**
   * Sends what begins with `prefix` somewhere else: to another invoker, or to a `fetch`. The longest prefix wins, by whole
   * segments of the canonical URL: `http+lambda://orders` does not catch `http+lambda://orders-admin`.
   *
   * @throws {InvalidTargetError} when a prefix of ours names no valid function.
   * @throws {ConfigurationError} when it is no prefix of a URL, or the destination is neither.
   * @example
   * session.mount("http+lambda://orders", handlerInvoker(handler));
   * session.mount("https://api.example.com/", recordedFetch);
   */
  mount(prefix: string, destination: Invoker | typeof globalThis.fetch): void {
    const { schemes } = this.#settings;
    const isForeign = typeof destination === "function";
    if (!isForeign && typeof destination?.invoke !== "function") {
      throw new ConfigurationError(`what is mounted on ${quote(prefix)} has to be an invoker or a fetch`);
    }
    const canonical = canonicalPrefix(prefix, schemes);
    if (!isForeign && !schemes.includes(schemeOf(canonical))) {
      throw new ConfigurationError(`an invoker can't be mounted on ${quote(prefix)}: it names no function`);
    }
    const routed = isForeign ? destination : retryInvoker(destination, this.#settings.retries);
    this.#mounts = [{ prefix: canonical, destination: routed }, ...this.#mounts].sort(
      (a, b) => b.prefix.length - a.prefix.length,
    );
  }

  /** Closes connections, and whatever the mounted invokers hold. */
  async close(): Promise<void> {
    const mounted = this.#mounts.map(({ destination }) => (typeof destination === "function" ? {} : destination));
    await Promise.all([this.#client, ...mounted].map((one: Pick<Invoker, "close">) => one.close?.()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #mountOf(href: string): Mount["destination"] | undefined {
    return this.#mounts.find(({ prefix }) => isUnder(href, prefix))?.destination;
  }

  #verb(method: string): Verb {
    return ((url: string | URL, options: SessionRequestOptions = {}) =>
      withReaders(this.#request(method, url, options))) as Verb;
  }

  async #request(method: string, url: string | URL, options: SessionRequestOptions): Promise<Response> {
    checkOptionNames(options, REQUEST_NAMES);
    const { params, headers, cookies, auth, allowRedirects, signal, raiseForStatus } = options;
    const { body, contentType } = makeBody(options);
    const init: LambdaRequestInit = { lambda: pick(options, REQUEST_OPTION_NAMES) };
    if (signal !== undefined) init.signal = signal;
    if (allowRedirects !== undefined) init.redirect = allowRedirects ? "follow" : "manual";
    return this.#send({
      method: method.toUpperCase(),
      url,
      params,
      headers,
      body,
      contentType,
      cookies: cookies && checkCookies(cookies),
      auth,
      raiseForStatus,
      init,
    });
  }

  /** The way of a request through the session: defaults, auth, hooks, the right client, hooks. */
  async #send(request: SessionRequest): Promise<Response> {
    const { schemes } = this.#settings;
    const located = locateUrl(request.url, [this.#params, request.params ?? {}], schemes);
    const merged = mergeHeaders(this.#headers, request.headers);
    setDefault(merged, "Content-Type", request.contentType);
    const ownCookies = { ...this.#ownCookies, ...request.cookies };
    const headers = withOwnCookies(merged, ownCookies);
    const auth = this.#authFor(request, located);
    const { method, body, init } = request;
    if (auth === null && this.#before.length + this.#after.length === 0) {
      return this.#raise(request, located.href, await this.#dispatch(located.href, method, headers, body, init));
    }

    const prepared: PreparedRequest = { method, url: located.href, headers: new Headers(headers), body };
    if (auth !== null) await applyAuth(auth, prepared);
    for (const hook of this.#before) {
      const answer = await hook(prepared);
      if (answer !== undefined) return this.#raise(request, located.href, await this.#seen(answer, prepared));
    }
    const response = await this.#dispatch(
      prepared.url,
      prepared.method,
      keepUntouched(headers, prepared.headers),
      prepared.body as BodyInput | null,
      init,
    );
    return this.#raise(request, located.href, await this.#seen(response, prepared));
  }

  /** The nearest one: the request's, its own header, the URL's, the session's. */
  #authFor({ auth, headers }: SessionRequest, { userinfo }: LocatedUrl): Auth | null {
    if (auth !== undefined) return auth === null ? null : checkAuth(auth);
    if (findHeader(readHeaders(headers ?? []), "authorization") !== undefined) return null;
    return userinfo ?? this.#auth;
  }

  #dispatch(
    href: string,
    method: string,
    headers: [string, string][],
    body: BodyInput | null,
    init: LambdaRequestInit,
  ): Promise<Response> {
    // It is made for this call. One that is spread has a shape of its own, for which every access is looked up anew.
    return this.#client.send(href, Object.assign(init, { method, headers, body }));
  }

  async #seen(response: Response, prepared: PreparedRequest): Promise<Response> {
    let current = response;
    for (const hook of this.#after) current = (await hook(current, prepared)) ?? current;
    return current;
  }

  #raise({ raiseForStatus, method }: SessionRequest, href: string, response: Response): Response {
    if (!(raiseForStatus ?? this.#raiseForStatus) || response.status < 400) return response;
    if (response instanceof LambdaResponse) return response.raiseForStatus();
    throw new HTTPError(response, { request: { method, url: response.url || href } });
  }
}

/** What a `Request` says to the platform's fetch besides its URL, method, headers and body. */
function fieldsOf({ cache, credentials, integrity, keepalive, mode, referrer, referrerPolicy }: Request): object {
  const policy = referrerPolicy === "" ? {} : { referrerPolicy };
  return { cache, credentials, integrity, keepalive, referrer, ...policy, ...(mode !== "navigate" && { mode }) };
}
