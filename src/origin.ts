/**
 * A function is an origin: what scheme, host and port are to a browser, account, region and name are to us. Cookies and
 * redirects go by it. Versions and aliases are the same function.
 */
import { ConfigurationError } from "./errors.ts";
import type { FunctionLocation } from "./invoke/invoker.ts";
import type { Target } from "./target.ts";

/** What is known of which function it is. Two are the same if all of it is the same. */
export interface FunctionOrigin {
  readonly functionName: string;
  readonly region: string | undefined;
  readonly accountId: string | undefined;
}

/**
 * @param location What the credentials and the settings say where the URL says nothing. Where they don't know either, a
 *   bare name and an ARN are two functions.
 */
export function originOf(target: Target, location: FunctionLocation = {}): FunctionOrigin {
  const { functionName, region = location.region, accountId = location.accountId } = target;
  return { functionName, region, accountId };
}

export function isSameOrigin(a: FunctionOrigin, b: FunctionOrigin): boolean {
  return a.functionName === b.functionName && a.region === b.region && a.accountId === b.accountId;
}

/** As text, to keep things by. */
export function originKey({ functionName, region = "", accountId = "" }: FunctionOrigin): string {
  return `${accountId}:${region}:${functionName}`;
}

/** One entry of `followTo`. */
export interface FunctionPattern {
  readonly functionName: RegExp;
  readonly region?: string | undefined;
  readonly accountId?: string | undefined;
}

const ARN = /^arn:aws[a-zA-Z-]*:lambda:([a-z0-9-]+):(\d{12}):function:([^:]+)$/;
const NAME = /^[a-zA-Z0-9_.*-]+$/;

/** @throws {ConfigurationError} when it is neither a name nor an ARN without a qualifier. */
export function parseFunctionPattern(text: string): FunctionPattern {
  const [, region, accountId, name = text] = ARN.exec(text) ?? [];
  if (!NAME.test(name)) {
    throw new ConfigurationError(
      `followTo: ${JSON.stringify(text)} is no function's name or ARN; * may stand for any part of the name`,
    );
  }
  return { functionName: wildcard(name), region, accountId };
}

/**
 * Each `*` takes as little as it can, and keeps it (a lookahead is not searched again): all that they might take together
 * would be tried for minutes, with a name that the function that redirects has chosen.
 */
function wildcard(pattern: string): RegExp {
  const [first = "", ...others] = pattern.split("*").map((part) => part.replaceAll(".", "\\."));
  const last = others.pop();
  const between = others.map((part, i) => `(?=(.*?${part}))\\${i + 1}`).join("");
  return new RegExp(`^${first}${between}${last === undefined ? "" : `.*${last}`}$`);
}

/** A name alone means one in the account and the region of the function that redirects. */
export function matchesPattern(to: FunctionOrigin, pattern: FunctionPattern, from: FunctionOrigin): boolean {
  const { functionName, region = from.region, accountId = from.accountId } = pattern;
  return functionName.test(to.functionName) && to.region === region && to.accountId === accountId;
}
