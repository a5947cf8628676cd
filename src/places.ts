/** Who answers at a place: an invoker or a `fetch`; and which function, and which jar of cookies, that is. */
import { type CookieAddress, type CookieKeeper, WEB_JAR } from "./cookie-header.ts";
import { hostOf } from "./formats/headers.ts";
import type { Invoker, RetryInfo } from "./invoke/invoker.ts";
import type { Settings } from "./options.ts";
import { type FunctionOrigin, originKey, originOf } from "./origin.ts";
import { isFunction, type Place } from "./redirects.ts";
import type { LambdaUrl } from "./target.ts";

/** What a Session adds to the way of a request. */
export interface SessionParts {
  readonly cookies?: CookieKeeper;
  /** Where a URL goes instead: the longest mounted prefix. */
  readonly route?: (href: string) => Invoker | typeof globalThis.fetch | undefined;
  readonly onRetry?: (retry: RetryInfo) => unknown;
}

/** What all calls share. */
export interface Ground {
  readonly settings: Settings;
  readonly parts: SessionParts;
}

/** Where the cookies of a place are kept. */
export async function addressOf(ground: Ground, place: Place, host?: string): Promise<CookieAddress> {
  if (!isFunction(place)) return { jar: WEB_JAR, url: place.href };
  const jar = originKey(await originAt(ground, place));
  // A caller's own Host, or the name of a function, may be none that a URL can have: `my.fn.1`.
  const origin = `https://${host ?? hostOf(place.target)}`;
  return { jar, url: `${URL.canParse(origin) ? origin : "https://function"}${place.path}` };
}

/** Which function it is, with the region and the account that its URL leaves open. */
export async function originAt(ground: Ground, url: LambdaUrl): Promise<FunctionOrigin> {
  return originOf(url.target, await invokerFor(ground, url)?.locate?.(url.target));
}

/** `undefined` where a mounted `fetch` answers. */
export function invokerFor({ settings, parts }: Ground, { target, href }: LambdaUrl): Invoker | undefined {
  const route = parts.route?.(href);
  if (typeof route === "function") return undefined;
  return route ?? settings.functions.get(target.functionName) ?? settings.invoker;
}

/** What fetches there; `undefined` where a function is invoked. */
export function fetchFor({ settings, parts }: Ground, place: Place): typeof globalThis.fetch | undefined {
  const route = parts.route?.(place.href);
  if (typeof route === "function") return route;
  return isFunction(place) ? undefined : settings.fetch;
}
