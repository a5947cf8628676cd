/** Every option with its doc, checked and normalised once. */
import { ConfigurationError } from "./errors.ts";
import { FORMATS, type PayloadFormat } from "./formats/formats.ts";
import { AWS_SETTING_NAMES, type AwsSettings, awsInvoker } from "./invoke/aws.ts";
import { parseEndpointUrl } from "./invoke/endpoint.ts";
import { type Handler, handlerInvoker } from "./invoke/handler.ts";
import type { Invoker } from "./invoke/invoker.ts";
import { checkOptionNames } from "./invoke/option-names.ts";
import { DEFAULT_SCHEMES, parseFunction } from "./target.ts";

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
   * Milliseconds for the whole call, redirects included. A function may run for 15 minutes.
   * @default none
   */
  readonly timeout?: number | undefined;
  /**
   * What a function that failed is: a 502 response with the failure in `invocation.functionError`, or a thrown
   * `FunctionError`.
   * @default "response"
   */
  readonly functionErrors?: "response" | "throw" | undefined;
  /**
   * What to do with a redirect inside of the function, as in `fetch`.
   * @default "follow"
   */
  readonly redirect?: "follow" | "manual" | "error" | undefined;
  /**
   * How many redirects to follow before `TooManyRedirectsError`.
   * @default 20
   */
  readonly maxRedirects?: number | undefined;
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
}

/** The options of one request, with every default in place. */
export interface RequestSettings {
  readonly payloadFormat: PayloadFormat;
  readonly qualifier: string | undefined;
  readonly logs: boolean;
  readonly timeout: number | undefined;
  readonly functionErrors: "response" | "throw";
  readonly redirect: "follow" | "manual" | "error";
  readonly maxRedirects: number;
}

/** All options, with every default in place. */
export interface Settings {
  readonly request: RequestSettings;
  readonly schemes: readonly string[];
  readonly functions: ReadonlyMap<string, Invoker>;
  readonly invoker: Invoker;
  readonly fetch: typeof globalThis.fetch;
}

/** Whether a value can be an option's, and what else it has to be. */
export type Check = readonly [is: (value: unknown) => boolean, expected: string];

const isText = (value: unknown): boolean => typeof value === "string" && value !== "";
const TEXT: Check = [isText, "a string"];
export const BOOLEAN: Check = [(value) => typeof value === "boolean", "true or false"];
const FUNCTION: Check = [(value) => typeof value === "function", "a function"];

const REQUEST_CHECKS: Readonly<Record<keyof RequestOptions, Check>> = {
  payloadFormat: [(value) => Object.hasOwn(FORMATS, value as string), `one of ${Object.keys(FORMATS).join(", ")}`],
  qualifier: TEXT,
  logs: BOOLEAN,
  timeout: [(value) => typeof value === "number" && value > 0, "a number of milliseconds above 0"],
  functionErrors: [(value) => value === "response" || value === "throw", '"response" or "throw"'],
  redirect: [(value) => ["follow", "manual", "error"].includes(value as string), '"follow", "manual" or "error"'],
  maxRedirects: [(value) => Number.isInteger(value) && (value as number) >= 0, "a whole number, 0 or more"],
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
  maxSockets: [(value) => Number.isInteger(value) && (value as number) > 0, "a whole number above 0"],
  schemes: [(value) => Array.isArray(value) && value.length > 0 && value.every(isText), "an array of URL schemes"],
  functions: [(value) => typeof value === "object" && value !== null, "an object of handlers by function name"],
  invoker: [
    (value) => typeof (value as Invoker | null)?.invoke === "function",
    "an object with the method invoke(invocation, signal)",
  ],
  fetch: FUNCTION,
};

/** Names of the options of `createFetch`; a `Session` has more. */
export const LAMBDA_OPTION_NAMES: readonly string[] = Object.keys(LAMBDA_CHECKS);
/** Names of the options of one request. */
export const REQUEST_OPTION_NAMES: readonly string[] = Object.keys(REQUEST_CHECKS);

/** @throws {ConfigurationError} for an unknown option, or a value that can't be. */
export function normalizeOptions(options: LambdaOptions): Settings {
  checkOptions(options, LAMBDA_CHECKS);
  if (options.endpoint !== undefined) parseEndpointUrl(options.endpoint);
  const functions = new Map<string, Invoker>();
  for (const [name, handler] of Object.entries(options.functions ?? {})) {
    if (parseFunction(name).functionName !== name) {
      throw new ConfigurationError(`the option functions is by bare function name, not by ${JSON.stringify(name)}`);
    }
    if (typeof handler !== "function") throw new ConfigurationError(`functions.${name} has to be a function`);
    functions.set(name, handlerInvoker(handler));
  }
  return {
    request: mergeRequestOptions(
      {
        payloadFormat: "rest-api",
        qualifier: undefined,
        logs: false,
        timeout: undefined,
        functionErrors: "response",
        redirect: "follow",
        maxRedirects: 20,
      },
      pick(options, REQUEST_OPTION_NAMES),
    ),
    schemes: normalizeSchemes(options.schemes ?? DEFAULT_SCHEMES),
    functions,
    invoker: options.invoker ?? awsInvoker(pick(options, AWS_SETTING_NAMES)),
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
  };
}

/** @throws {ConfigurationError} for an unknown option, or a value that can't be. */
export function mergeRequestOptions(settings: RequestSettings, options: RequestOptions | undefined): RequestSettings {
  if (options === undefined) return settings;
  checkOptions(options, REQUEST_CHECKS);
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return given.length === 0 ? settings : { ...settings, ...Object.fromEntries(given) };
}

/** Those properties of an object that are set. */
export function pick<Value extends object>(value: Value, names: readonly string[]): Partial<Value> {
  const entries = Object.entries(value).filter(([name, one]) => one !== undefined && names.includes(name));
  return Object.fromEntries(entries) as Partial<Value>;
}

/** @throws {ConfigurationError} for an unknown option, or a value that can't be. */
export function checkOptions(options: object, checks: Readonly<Record<string, Check>>): void {
  if (typeof options !== "object" || options === null) throw new ConfigurationError("options have to be an object");
  checkOptionNames(options, Object.keys(checks));
  for (const [name, value] of Object.entries(options)) {
    const check = checks[name];
    if (value === undefined || check === undefined) continue;
    if (!check[0](value)) throw new ConfigurationError(`the option ${name} has to be ${check[1]}`);
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
