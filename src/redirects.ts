/** Redirects, by the rules of `fetch`, within a function: a function is an origin. */
import { UnsafeRedirectError } from "./errors.ts";
import { hostOf } from "./formats/headers.ts";
import type { ReadRequest } from "./request.ts";
import { type LambdaUrl, parseLambdaUrl, quote, withoutUserinfo } from "./target.ts";

const STATUSES = new Set([301, 302, 303, 307, 308]);
/** They describe a body that a GET no longer has: https://fetch.spec.whatwg.org/#request-body-header-name */
const BODY_HEADERS = new Set([
  "content-encoding",
  "content-language",
  "content-length",
  "content-location",
  "content-type",
]);

/** Where a response leads, if it leads anywhere. */
export function locationOf(status: number, headers: Headers): string | undefined {
  return STATUSES.has(status) ? (headers.get("location") ?? undefined) : undefined;
}

/**
 * The URL of a redirect within the function.
 *
 * @param host The Host that the function was given: a framework builds `https://host/…` URLs from it.
 * @throws {UnsafeRedirectError} when it leads elsewhere. A function must not choose what else its caller invokes.
 */
export function followWithin(
  url: LambdaUrl,
  location: string,
  host: string | undefined,
  { method, schemes }: { method: string; schemes: readonly string[] },
): LambdaUrl {
  const details = { location: withoutUserinfo(location), request: { method, url: url.href }, target: url.target };
  const next = resolve(url, location, host ?? hostOf(url.target), schemes);
  if (next !== undefined && isSameFunction(url, next)) return next;
  throw new UnsafeRedirectError(
    `${url.target.functionName} redirects out of itself, to ${quote(location)}, which is not followed. ` +
      'Set redirect: "manual" (allowRedirects: false in a Session) to get this response and decide',
    details,
  );
}

/** The request for the next URL: 303 makes a GET of everything, 301 and 302 of a POST. */
export function redirectedRequest(request: ReadRequest, status: number): ReadRequest {
  const { method, headers } = request;
  const becomesGet =
    (status === 303 && method !== "GET" && method !== "HEAD") ||
    ((status === 301 || status === 302) && method === "POST");
  if (!becomesGet) return request;
  return { method: "GET", body: null, headers: headers.filter(([name]) => !BODY_HEADERS.has(name.toLowerCase())) };
}

function resolve(url: LambdaUrl, location: string, host: string, schemes: readonly string[]): LambdaUrl | undefined {
  try {
    const next = new URL(location, url.href);
    if (next.protocol === "https:" || next.protocol === "http:") {
      if (next.host !== host.toLowerCase()) return undefined;
      const { pathname, search } = next;
      return parseLambdaUrl(Object.assign(new URL(url.href), { pathname, search }), schemes);
    }
    return parseLambdaUrl(next, schemes);
  } catch {
    return undefined;
  }
}

/** The qualifier may change: versions and aliases are one function. */
function isSameFunction({ target: a }: LambdaUrl, { target: b }: LambdaUrl): boolean {
  return a.functionName === b.functionName && a.region === b.region && a.accountId === b.accountId;
}
