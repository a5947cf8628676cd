/** Redirects, by the rules of `fetch`, where a function is an origin. */
import { UnsafeRedirectError } from "./errors.ts";
import type { HeaderList } from "./formats/format.ts";
import { hostOf } from "./formats/headers.ts";
import { type FunctionOrigin, type FunctionPattern, isSameOrigin, matchesPattern, originOf } from "./origin.ts";
import { type LambdaUrl, parseLambdaUrl, quote, withoutUserinfo } from "./target.ts";

/** Where a request goes: to a function, or onto the web. */
export type Place = LambdaUrl | URL;

/** A request, as far as a redirect may change it. */
export interface HopRequest<Body> {
  readonly method: string;
  readonly headers: HeaderList;
  readonly body: Body | null;
}

/** A request and where it goes. */
export interface Hop<Body> {
  readonly to: Place;
  readonly request: HopRequest<Body>;
  /** Did a function send it here, out of itself? */
  readonly leavesFunction: boolean;
}

/** What decides where a redirect may lead. */
export interface RedirectRules {
  readonly schemes: readonly string[];
  readonly followTo: readonly FunctionPattern[];
  originOf(url: LambdaUrl): Promise<FunctionOrigin>;
}

const STATUSES = new Set([301, 302, 303, 307, 308]);
/** They describe a body that a GET no longer has: https://fetch.spec.whatwg.org/#request-body-header-name */
const BODY_HEADERS = new Set([
  "content-encoding",
  "content-language",
  "content-length",
  "content-location",
  "content-type",
]);
/** What is meant for one origin alone: `fetch` takes the first away, Node's three more, and the rest are as secret. */
const ORIGIN_HEADERS = new Set([
  "authorization",
  "cookie",
  "host",
  "proxy-authorization",
  "x-amz-security-token",
  "x-api-key",
  "x-auth-token",
  "x-csrf-token",
  "x-xsrf-token",
]);

export function isFunction(place: Place): place is LambdaUrl {
  return "target" in place;
}

/** Where a response leads, if it leads anywhere. */
export function locationOf(response: Pick<Response, "status" | "headers">): string | undefined {
  return STATUSES.has(response.status) ? (response.headers.get("location") ?? undefined) : undefined;
}

/**
 * The request that follows a redirect.
 *
 * @param host The Host that a function was given: a framework builds `https://host/…` URLs from it.
 * @throws {UnsafeRedirectError} when it leads to where it must not be followed.
 */
export async function nextHop<Body>(
  { to: from, request }: Hop<Body>,
  { status, location, host }: { status: number; location: string; host: string | undefined },
  rules: RedirectRules,
): Promise<Hop<Body>> {
  const to = isFunction(from) ? resolve(from, location, host, rules) : resolveOnWeb(from, location, rules);
  const next = redirectedRequest(request, status);
  const refuse = (why: string): never => {
    const details = { location: withoutUserinfo(location), request: { method: request.method, url: from.href } };
    const target = isFunction(from) ? { target: from.target } : {};
    const manual = 'Set redirect: "manual" (allowRedirects: false in a Session) to get this response and decide';
    throw new UnsafeRedirectError(`${why}. ${manual}`, { ...details, ...target });
  };

  if (!isFunction(from)) {
    if (to === undefined) return refuse(`the redirect to ${quote(location)} is not followed, for it leads off the web`);
    if (isFunction(to)) {
      return refuse(
        `the redirect to ${quote(location)} is not followed: no web page may make its reader invoke a function`,
      );
    }
    return { to, request: from.origin === to.origin ? next : withoutSecrets(next), leavesFunction: false };
  }

  const out = `${from.target.functionName} redirects out of itself, to ${quote(location)}, which is not followed`;
  if (to === undefined) return refuse(`${out}, for it is no URL that can be`);
  if (!isFunction(to)) {
    if (next.method === "GET" || next.method === "HEAD") {
      return { to, request: withoutSecrets(next), leavesFunction: true };
    }
    return refuse(`${out}: onto the web, only GET and HEAD go, and this is a ${next.method}`);
  }
  // As written, they are one function, whatever is mounted on one of the two.
  if (isSameOrigin(originOf(from.target), originOf(to.target))) return { to, request: next, leavesFunction: false };
  const { functionName } = to.target;
  const candidates = rules.followTo.filter((pattern) => pattern.functionName.test(functionName));
  // Who can't be meant is not looked up, for which credentials may be needed.
  if (functionName === from.target.functionName || candidates.length > 0) {
    const [own, other] = [await rules.originOf(from), await rules.originOf(to)];
    if (isSameOrigin(own, other)) return { to, request: next, leavesFunction: false };
    if (candidates.some((pattern) => matchesPattern(other, pattern, own))) {
      return { to, request: withoutSecrets(next), leavesFunction: true };
    }
  }
  return refuse(`${out}: a function must not choose what else its caller invokes. The option followTo allows it`);
}

/** 303 makes a GET of everything, 301 and 302 of a POST: https://fetch.spec.whatwg.org/#http-redirect-fetch */
function redirectedRequest<Body>(request: HopRequest<Body>, status: number): HopRequest<Body> {
  const { method, headers } = request;
  const becomesGet =
    (status === 303 && method !== "GET" && method !== "HEAD") ||
    ((status === 301 || status === 302) && method === "POST");
  if (!becomesGet) return request;
  return { method: "GET", body: null, headers: headers.filter(([name]) => !BODY_HEADERS.has(name.toLowerCase())) };
}

function withoutSecrets<Body>(request: HopRequest<Body>): HopRequest<Body> {
  return { ...request, headers: request.headers.filter(([name]) => !ORIGIN_HEADERS.has(name.toLowerCase())) };
}

function resolve(
  from: LambdaUrl,
  location: string,
  host = hostOf(from.target),
  { schemes }: RedirectRules,
): Place | undefined {
  try {
    const next = new URL(location, from.href);
    if (next.protocol !== "https:" && next.protocol !== "http:") return parseLambdaUrl(next, schemes);
    if (!isHost(next, host)) return cleaned(next);
    const { pathname, search } = next;
    return parseLambdaUrl(Object.assign(new URL(from.href), { pathname, search }), schemes);
  } catch {
    return undefined;
  }
}

/** As a URL writes it: without the scheme's own port, and a number as an address. */
function isHost(url: URL, host: string): boolean {
  const own = `${url.protocol}//${host}`;
  return URL.canParse(own) && new URL(own).host === url.host;
}

function resolveOnWeb(from: URL, location: string, { schemes }: RedirectRules): Place | undefined {
  try {
    const next = new URL(location, from);
    return next.protocol === "https:" || next.protocol === "http:" ? cleaned(next) : parseLambdaUrl(next, schemes);
  } catch {
    return undefined;
  }
}

/** Without a user and a password, which are the caller's to choose, and without the fragment. */
function cleaned(url: URL): URL {
  return Object.assign(url, { username: "", password: "", hash: "" });
}
