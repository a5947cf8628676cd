/** Every option of a Session and of its requests with its doc, and the checks of what is given. */
import type { Auth, PreparedRequest } from "./auth.ts";
import type { CookiesInput } from "./cookie-header.ts";
import type { RetryInfo } from "./invoke/invoker.ts";
import {
  BOOLEAN,
  type Check,
  LAMBDA_CHECKS,
  type LambdaOptions,
  REQUEST_OPTION_NAMES,
  type RequestOptions,
} from "./options.ts";
import type { BodyOptions, ParamsInput } from "./prepare.ts";
import type { HeadersInput } from "./request.ts";

type OneOrMany<Value> = Value | readonly Value[];

/** What a hook may answer with; nothing leaves things as they are. */
// biome-ignore lint/suspicious/noConfusingVoidType: a hook that returns nothing is typed void
type HookAnswer = Response | undefined | void;
/** Called before each request, may change it, and may answer it by returning a response. */
export type BeforeRequest = (request: PreparedRequest) => HookAnswer | Promise<HookAnswer>;
/** Called with each response, and may return another in its place. */
export type AfterResponse = (response: Response, request: PreparedRequest) => HookAnswer | Promise<HookAnswer>;

/** Called before a call is sent once more. What it throws ends the call. */
export type OnRetry = (retry: RetryInfo) => void | Promise<void>;

/** Functions that see each request and each response of a session. */
export interface Hooks {
  /** Called in this order before each request, auth included. */
  readonly beforeRequest?: OneOrMany<BeforeRequest> | undefined;
  /** Called in this order with each response. */
  readonly afterResponse?: OneOrMany<AfterResponse> | undefined;
  /** Called in this order before a call is sent once more. */
  readonly onRetry?: OneOrMany<OnRetry> | undefined;
}

/** Options of a Session: those of `createFetch`, and what every request inherits. */
export interface SessionOptions extends LambdaOptions {
  /**
   * Headers of every request. A request's own take their place.
   * @default none
   */
  readonly headers?: HeadersInput | undefined;
  /**
   * Query parameters of every request. A request's own take their place.
   * @default none
   */
  readonly params?: ParamsInput | undefined;
  /**
   * `[user, password]`, or a function that puts into a request what the app wants.
   * @default none
   */
  readonly auth?: Auth | null | undefined;
  /**
   * Cookies of every request, besides those that functions and web pages set; `false` also keeps none of the latter, for
   * a session that many users share.
   * @default none
   */
  readonly cookies?: CookiesInput | false | undefined;
  /**
   * Functions that see each request, response and retry.
   * @default none
   */
  readonly hooks?: Hooks | undefined;
  /**
   * Throw an `HTTPError` for 4xx and 5xx.
   * @default false
   */
  readonly raiseForStatus?: boolean | undefined;
}

/** Options of one request of a Session. */
export interface SessionRequestOptions extends Omit<RequestOptions, "redirect">, BodyOptions {
  /**
   * Query parameters, added to the URL's own; arrays repeat.
   * @default none
   */
  readonly params?: ParamsInput | undefined;
  /**
   * Headers; `undefined` as a value leaves out one of the session's.
   * @default none
   */
  readonly headers?: HeadersInput | undefined;
  /**
   * Cookies, over the session's of the same name; `undefined` as a value leaves one of those out.
   * @default none
   */
  readonly cookies?: CookiesInput | undefined;
  /**
   * Over the session's and the URL's; `null` for none.
   * @default the URL's user and password, or the session's
   */
  readonly auth?: Auth | null | undefined;
  /**
   * Follow redirects.
   * @default the session's `redirect`
   */
  readonly allowRedirects?: boolean | undefined;
  /**
   * Aborts the call.
   * @default none
   */
  readonly signal?: AbortSignal | null | undefined;
  /**
   * Throw an `HTTPError` for 4xx and 5xx.
   * @default the session's
   */
  readonly raiseForStatus?: boolean | undefined;
}

/** Names of the options of one request of a Session. */
export const REQUEST_NAMES: readonly string[] = [
  ...REQUEST_OPTION_NAMES.filter((name) => name !== "redirect"),
  ...["params", "data", "json", "files", "headers", "cookies", "auth", "allowRedirects", "signal", "raiseForStatus"],
];
const isObject = (value: unknown): boolean => typeof value === "object" && value !== null;
const isHook = (value: unknown): boolean => listOf(value).every((hook) => typeof hook === "function");

/** The checks of the options of a Session. */
export const SESSION_CHECKS: Readonly<Record<keyof SessionOptions, Check>> = {
  ...LAMBDA_CHECKS,
  headers: [isObject, "an object, pairs or a Headers object"],
  params: [(value) => isObject(value) || typeof value === "string", "an object, pairs or a query string"],
  auth: [() => true, "[user, password] or a function"],
  cookies: [
    (value) => value === false || (isObject(value) && !(Symbol.iterator in (value as object))),
    "an object by name, or false",
  ],
  hooks: [
    (value) => isObject(value) && Object.values(value as object).every(isHook),
    "an object of functions, or of arrays of functions",
  ],
  raiseForStatus: BOOLEAN,
};

/** One, several or none, as a list. */
export function listOf<Value>(value: OneOrMany<Value> | undefined): readonly Value[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value as Value];
}
