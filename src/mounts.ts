/** Prefixes of URLs, and which of them a URL is under. */
import { ConfigurationError } from "./errors.ts";
import { parseLambdaUrl } from "./target.ts";

/** A scheme alone, `http+lambda://` or `https://`, stands for all of it; anything else is a URL whose last slash doesn't count. */
export function canonicalPrefix(prefix: string, schemes: readonly string[]): string {
  if (/^[a-z][a-z0-9+.-]*:\/\/$/i.test(prefix)) return prefix.toLowerCase();
  const lambda = parseLambdaUrl(prefix, schemes);
  if (lambda === undefined && !URL.canParse(prefix)) {
    throw new ConfigurationError(`${JSON.stringify(prefix)} is no prefix of a URL`);
  }
  return (lambda?.href ?? new URL(prefix).href).replace(/\/$/, "");
}

/** By whole segments: `…/v1` is not under `…/v`. */
export function isUnder(href: string, prefix: string): boolean {
  if (!href.startsWith(prefix)) return false;
  return prefix.endsWith("//") || href.length === prefix.length || "/?".includes(href[prefix.length] ?? "");
}
