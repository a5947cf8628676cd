/** Every option with its doc, checked and normalised once. */
import { ConfigurationError } from "./errors.ts";
import { FORMATS, type PayloadFormat } from "./formats/formats.ts";
import { AWS_SETTING_NAMES, type AwsSettings, awsInvoker } from "./invoke/aws.ts";
import { DURATION, isDuration } from "./invoke/duration.ts";
import { parseEndpointUrl } from "./invoke/endpoint.ts";
import { readEnvironment } from "./invoke/environment.ts";
import { type Handler, handlerInvoker } from "./invoke/handler.ts";
import { type InvocationType, type Invoker, isExecutionName } from "./invoke/invoker.ts";
import { checkOptionNames } from "./invoke/option-names.ts";
import { createRetries, DEFAULT_ATTEMPTS, DEFAULT_MAX_DELAY, type Retries, retryInvoker } from "./invoke/retry.ts";
import { type FunctionPattern, parseFunctionPattern } from "./origin.ts";
import { DEFAULT_SCHEMES, parseFunction } from "./target.ts";

/** When to send a call again. What can't have run the function is sent again whatever its method. */
export interface RetryOptions {
  /**
   * How often to send a call at most, the first time included.
   * @default AWS_MAX_ATTEMPTS, the profile's max_attempts, or 3
   */
  readonly attempts?: number | undefined;
  /**
   * Send again, too, what may have run the function, for every method: a POST may then run twice. By default that is
   * done for GET, HEAD, OPTIONS, TRACE, PUT and DELETE alone.
   * @default false
   */
  readonly unsafe?: boolean | undefined;
  /**
   * Milliseconds between two attempts at most. The wait grows from 50 ms (after a throttled call, 1 s), at random.
   * @default 20000
   */
  readonly maxDelay?: number | undefined;
  /**
   * Statuses of the function's own answers after which an idempotent method is sent again.
   * @default []
   */
  readonly statuses?: readonly number[] | undefined;
}

/** Options of one request: in `init.lambda` of `fetch`, or beside `params` and the others of a `Session`'s methods. */
export interface RequestOptions {
  /**
   * The event that the function is sent: that of an API Gateway REST API or HTTP API, a Function URL, or a load balancer
   * with or without multi-value headers. A function behind a web framework's adapter mostly takes them all.
   * @default "rest-api"
   */
  readonly payloadFormat?: PayloadFormat | undefined;
  /**
   * The version or alias to call, where the URL names none.
   * @default none: Lambda takes `$LATEST`
   */
  readonly qualifier?: string | undefined;
  /**
   * Ask for the last 4 KB of the function's log: `response.invocation.logs` and `.report`.
   * @default false
   */
  readonly logs?: boolean | undefined;
  /**
   * Wait for the function's answer, only queue the event (the response is a 202), or only ask whether the caller may
   * invoke the function (204).
   * @default "RequestResponse"
   */
  readonly invocationType?: InvocationType | undefined;
  /**
   * Give the response as soon as its status and headers are known, and its body as it comes, up to 200 MB. Its caller needs
   * `lambda:InvokeFunction` and nothing more; a function that does not stream is answered for as without this.
   * @default false
   */
  readonly responseStreaming?: boolean | undefined;
  /**
   * What the function finds in `context.clientContext`; its runtime may want `client`, `env` and `custom` in it. As JSON
   * in base64, 3,583 characters at most.
   * @default none
   */
  readonly clientContext?: object | undefined;
  /**
   * Whose execution environment to run in, of a function that keeps its tenants apart: 1 to 256 letters, digits, spaces and
   * `._:/=+-@`.
   * @default none
   */
  readonly tenantId?: string | undefined;
  /**
   * The function is a durable one: an `Idempotency-Key` among the request's headers becomes the name of its execution (its
   * SHA-256, where it can't be one), and the call is safe to repeat whatever its method.
   * @default false
   */
  readonly durable?: boolean | undefined;
  /**
   * The name of a durable function's execution, 1 to 64 letters, digits, `-` and `_`: a second call of the same name is
   * given the same execution, so that the call is safe to repeat whatever its method.
   * @default none, or what `durable` makes of an Idempotency-Key
   */
  readonly durableExecutionName?: string | undefined;
  /**
   * Milliseconds for the whole call, retries, redirects and a streamed body included. A function may run for 15 minutes.
   * @default none
   */
  readonly timeout?: number | undefined;
  /**
   * When to send a call again; `false` for never. Of an object's fields, those that are absent stay as they are.
   * @default { unsafe: false, maxDelay: 20000, statuses: [] }
   */
  readonly retry?: RetryOptions | false | undefined;
  /**
   * What a function that failed is: a 502 response with the failure in `invocation.functionError`, or a thrown
   * `FunctionError`.
   * @default "response"
   */
  readonly functionErrors?: "response" | "throw" | undefined;
  /**
   * What to do with a redirect, as in `fetch`.
   * @default "follow"
   */
  readonly redirect?: "follow" | "manual" | "error" | undefined;
  /**
   * How many redirects to follow before `TooManyRedirectsError`.
   * @default 20
   */
  readonly maxRedirects?: number | undefined;
  /**
   * To which other functions a function may redirect: names in which `*` stands for anything, `orders-*`, of the same
   * account and region; or ARNs of such. The request goes there without `Authorization`, `Cookie` and the like.
   * @default []: to none
   */
  readonly followTo?: readonly string[] | undefined;
}

/** Options of `createFetch`. */
export interface LambdaOptions extends RequestOptions, AwsSettings {
  /**
   * The URL schemes that name functions.
   * @default ["http+lambda:"]
   */
  readonly schemes?: readonly string[] | undefined;
  /**
   * Handlers that answer in this process, by function name; all others are invoked as usual.
   * @default none
   */
  readonly functions?: Readonly<Record<string, Handler>> | undefined;
  /**
   * Where invocations go instead of AWS.
   * @default awsInvoker, with the options of AwsSettings
   */
  readonly invoker?: Invoker | undefined;
  /**
   * What fetches URLs of other schemes.
   * @default the global fetch
   */
  readonly fetch?: typeof globalThis.fetch | undefined;
  /**
   * Bytes of a response's body at most, decoded. Its readers reject where it is larger.
   * @default 209715200 (200 MB, what Lambda streams at most)
   */
  readonly maxResponseSize?: number | undefined;
}

/** The options of one request, with every default in place. */
export interface RequestSettings {
  readonly payloadFormat: PayloadFormat;
  readonly qualifier: string | undefined;
  readonly logs: boolean;
  readonly invocationType: InvocationType;
  readonly responseStreaming: boolean;
  readonly clientContext: object | undefined;
  readonly tenantId: string | undefined;
  readonly durable: boolean;
  readonly durableExecutionName: string | undefined;
  readonly timeout: number | undefined;
  readonly retry: RetrySettings | false;
  readonly functionErrors: "response" | "throw";
  readonly redirect: "follow" | "manual" | "error";
  readonly maxRedirects: number;
  readonly followTo: readonly FunctionPattern[];
}

/** {@link RetryOptions}, with every default in place but one, which the environment knows. */
export interface RetrySettings {
  readonly attempts?: number;
  readonly unsafe: boolean;
  readonly maxDelay: number;
  readonly statuses: readonly number[];
}

/** All options, with every default in place. */
export interface Settings {
  readonly request: RequestSettings;
  readonly schemes: readonly string[];
  readonly functions: ReadonlyMap<string, Invoker>;
  readonly invoker: Invoker;
  readonly fetch: typeof globalThis.fetch;
  readonly maxResponseSize: number;
  /** One quota, whichever function is called. */
  readonly retries: Retries;
}

/** Whether a value can be an option's, and what else it has to be. */
export type Check = readonly [is: (value: unknown) => boolean, expected: string];

const matches =
  (pattern: RegExp) =>
  (value: unknown): boolean =>
    typeof value === "string" && pattern.test(value);
const isText = (value: unknown): boolean => typeof value === "string" && value !== "";
const TEXT: Check = [isText, "a string"];
export const BOOLEAN: Check = [(value) => typeof value === "boolean", "true or false"];
const FUNCTION: Check = [(value) => typeof value === "function", "a function"];
const COUNT: Check = [(value) => Number.isInteger(value) && (value as number) > 0, "a whole number above 0"];
const isStatus = (value: unknown): boolean =>
  Number.isInteger(value) && (value as number) >= 200 && (value as number) <= 599;

const RETRY_CHECKS: Readonly<Record<keyof RetryOptions, Check>> = {
  attempts: COUNT,
  unsafe: BOOLEAN,
  maxDelay: [(value) => typeof value === "number" && value >= 0, "a number of milliseconds, 0 or more"],
  statuses: [(value) => Array.isArray(value) && value.every(isStatus), "an array of statuses, 200 to 599"],
};

const REQUEST_CHECKS: Readonly<Record<keyof RequestOptions, Check>> = {
  payloadFormat: [(value) => Object.hasOwn(FORMATS, value as string), `one of ${Object.keys(FORMATS).join(", ")}`],
  qualifier: TEXT,
  logs: BOOLEAN,
  invocationType: [
    (value) => ["RequestResponse", "Event", "DryRun"].includes(value as string),
    '"RequestResponse", "Event" or "DryRun"',
  ],
  clientContext: [
    (value) => typeof value === "object" && value !== null && !Array.isArray(value),
    "an object that JSON can hold",
  ],
  responseStreaming: BOOLEAN,
  tenantId: [matches(/^[\w.:/=+\-@ ]{1,256}$/), "1 to 256 letters, digits, spaces and ._:/=+-@"],
  durable: BOOLEAN,
  durableExecutionName: [(value) => isExecutionName(value), "1 to 64 letters, digits, - and _"],
  timeout: [isDuration, DURATION],
  retry: [(value) => value === false || (typeof value === "object" && value !== null), "false or an object"],
  functionErrors: [(value) => value === "response" || value === "throw", '"response" or "throw"'],
  redirect: [(value) => ["follow", "manual", "error"].includes(value as string), '"follow", "manual" or "error"'],
  maxRedirects: [(value) => Number.isInteger(value) && (value as number) >= 0, "a whole number, 0 or more"],
  followTo: [(value) => Array.isArray(value) && value.every(isText), "an array of functions' names or ARNs"],
};

/** The checks of the options of `createFetch`. */
export const LAMBDA_CHECKS: Readonly<Record<keyof LambdaOptions, Check>> = {
  ...REQUEST_CHECKS,
  region: TEXT,
  profile: TEXT,
  credentials: [
    (value) => typeof value === "function" || (typeof value === "object" && value !== null),
    "an object with accessKeyId and secretAccessKey, or a function that gives one",
  ],
  endpoint: TEXT,
  useDualstackEndpoint: BOOLEAN,
  useFipsEndpoint: BOOLEAN,
  maxSockets: COUNT,
  connectTimeout: [isDuration, DURATION],
  schemes: [(value) => Array.isArray(value) && value.length > 0 && value.every(isText), "an array of URL schemes"],
  functions: [(value) => typeof value === "object" && value !== null, "an object of handlers by function name"],
  invoker: [
    (value) => typeof (value as Invoker | null)?.invoke === "function",
    "an object with the method invoke(invocation, signal)",
  ],
  fetch: FUNCTION,
  maxResponseSize: COUNT,
};

/** Names of the options of `createFetch`; a `Session` has more. */
export const LAMBDA_OPTION_NAMES: readonly string[] = Object.keys(LAMBDA_CHECKS);
/** Names of the options of one request. */
export const REQUEST_OPTION_NAMES: readonly string[] = Object.keys(REQUEST_CHECKS);

/** @throws {ConfigurationError} for an unknown option, or a value that can't be. */
export function normalizeOptions(options: LambdaOptions): Settings {
  checkOptions(options, LAMBDA_CHECKS);
  if (options.endpoint !== undefined) parseEndpointUrl(options.endpoint);
  const { profile } = options;
  const retries = createRetries(async () => (await readEnvironment(profile)).maxAttempts ?? DEFAULT_ATTEMPTS);
  const functions = new Map<string, Invoker>();
  for (const [name, handler] of Object.entries(options.functions ?? {})) {
    if (parseFunction(name).functionName !== name) {
      throw new ConfigurationError(`the option functions is by bare function name, not by ${JSON.stringify(name)}`);
    }
    if (typeof handler !== "function") throw new ConfigurationError(`functions.${name} has to be a function`);
    functions.set(name, retryInvoker(handlerInvoker(handler), retries));
  }
  const invoker = options.invoker ?? awsInvoker(pick(options, AWS_SETTING_NAMES));
  return {
    request: mergeRequestOptions(REQUEST_DEFAULTS, pick(options, REQUEST_OPTION_NAMES)),
    schemes: normalizeSchemes(options.schemes ?? DEFAULT_SCHEMES),
    functions,
    invoker: retryInvoker(invoker, retries),
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    maxResponseSize: options.maxResponseSize ?? 200 * 1024 * 1024,
    retries,
  };
}

const RETRY_DEFAULTS: RetrySettings = { unsafe: false, maxDelay: DEFAULT_MAX_DELAY, statuses: [] };
const REQUEST_DEFAULTS: RequestSettings = {
  payloadFormat: "rest-api",
  qualifier: undefined,
  logs: false,
  invocationType: "RequestResponse",
  responseStreaming: false,
  clientContext: undefined,
  tenantId: undefined,
  durable: false,
  durableExecutionName: undefined,
  timeout: undefined,
  retry: RETRY_DEFAULTS,
  functionErrors: "response",
  redirect: "follow",
  maxRedirects: 20,
  followTo: [],
};

/** @throws {ConfigurationError} for an unknown option, or a value that can't be. */
export function mergeRequestOptions(settings: RequestSettings, options: RequestOptions | undefined): RequestSettings {
  if (options === undefined) return settings;
  checkOptions(options, REQUEST_CHECKS);
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  if (given.length === 0) return settings;
  const { retry, followTo } = options;
  const merged: RequestSettings = {
    ...settings,
    ...Object.fromEntries(given),
    retry: retry === undefined ? settings.retry : mergeRetry(settings.retry, retry),
    followTo: followTo === undefined ? settings.followTo : followTo.map(parseFunctionPattern),
  };
  const isStreamed = merged.responseStreaming && merged.invocationType === "RequestResponse";
  if (isStreamed && (merged.durable || merged.durableExecutionName !== undefined)) {
    throw new ConfigurationError(
      "Lambda streams no response of a durable function: leave out responseStreaming, or durable",
    );
  }
  return merged;
}

function mergeRetry(settings: RetrySettings | false, options: RetryOptions | false): RetrySettings | false {
  if (options === false) return false;
  checkOptions(options, RETRY_CHECKS, "retry.");
  const given = pick(options, Object.keys(RETRY_CHECKS)) as Partial<RetrySettings>;
  return { ...(settings === false ? RETRY_DEFAULTS : settings), ...given };
}

/** Those properties of an object that are set. */
export function pick<Value extends object>(value: Value, names: readonly string[]): Partial<Value> {
  const picked: Partial<Value> = {};
  for (const name of Object.keys(value) as (keyof Value & string)[]) {
    if (value[name] !== undefined && names.includes(name)) picked[name] = value[name];
  }
  return picked;
}

/** @throws {ConfigurationError} for an unknown option, or a value that can't be. */
export function checkOptions(options: object, checks: Readonly<Record<string, Check>>, prefix = ""): void {
  if (typeof options !== "object" || options === null) throw new ConfigurationError("options have to be an object");
  checkOptionNames(options, Object.keys(checks));
  for (const [name, value] of Object.entries(options)) {
    const check = checks[name];
    if (value === undefined || check === undefined) continue;
    if (!check[0](value)) throw new ConfigurationError(`the option ${prefix}${name} has to be ${check[1]}`);
  }
}

function normalizeSchemes(schemes: readonly string[]): string[] {
  return schemes.map((scheme) => {
    const name = scheme.toLowerCase().replace(/:$/, "");
    // Of the special schemes (https://url.spec.whatwg.org/#special-scheme) a URL's parser changes the function's name.
    if (!/^[a-z][a-z0-9+.-]*$/.test(name) || /^(?:https?|wss?|ftp|file)$/.test(name)) {
      throw new ConfigurationError(`${JSON.stringify(scheme)} can't be a scheme for functions`);
    }
    return `${name}:`;
  });
}
