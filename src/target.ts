/**
 * `http+lambda://…` URLs, function names and ARNs, and the {@link Target} that they name. Both directions.
 *
 * The grammar is Lambda's own for Invoke: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html (FunctionName,
 * Qualifier). It is checked here, before anything is sent.
 */
import { InvalidTargetError } from "./errors.ts";

/** What a URL names: a function, and where it is. */
export interface Target {
  /** The bare name, case kept: `orders`. */
  readonly functionName: string;
  /** A version (`7`), an alias (`prod`), `$LATEST` or `$LATEST.PUBLISHED`. Lambda takes `$LATEST` when absent. */
  readonly qualifier?: string;
  /** The ARN's region; where the call goes, whatever the options say. */
  readonly region?: string;
  /** The ARN's 12-digit account. */
  readonly accountId?: string;
  /** The ARN's partition: `aws`, `aws-cn`, `aws-us-gov`… Present for a full ARN only. */
  readonly partition?: string;
}

/** A URL of ours, taken apart. */
export interface LambdaUrl {
  readonly target: Target;
  /** Percent-encoded, dot segments resolved, at least `/`. */
  readonly path: string;
  /** Without the `?`; empty when there is none. */
  readonly query: string;
  /** The canonical URL, without user, password and fragment. */
  readonly href: string;
  /** Of `user:password@`, decoded. */
  readonly userinfo?: readonly [user: string, password: string];
}

/** The schemes that are ours unless the option `schemes` says otherwise. */
export const DEFAULT_SCHEMES: readonly string[] = ["http+lambda:"];

/** An account where none is known. */
export const UNKNOWN_ACCOUNT = "000000000000";

const MAX_NAME = 256;
const MAX_QUALIFIER = 128;
const QUALIFIER = /^(?:\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9_-]+)$/;
const ARN = /^arn:(aws[a-zA-Z-]*):lambda:([^:]*):([^:]*):function:([^:]*)(?::(.*))?$/;
const PARTITION = /^aws[a-zA-Z-]*$/;
const REGION = /^(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d$/;
// The service's own pattern for what is no ARN: `region:`, `account:` and `function:` are all optional.
const PARTIAL =
  /^(?:((?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d):)?(?:(\d{12}):)?(?:function:)?([^:]+)(?::([^:]*))?$/;

/**
 * Reads a Lambda URL: which function it names, which qualifier, region and account.
 *
 * Takes every form: `http+lambda://orders/v1`, `http+lambda://prod.orders/v1`, `http+lambda://orders:prod/v1`,
 * `http+lambda://123456789012:function:orders/v1`, a full ARN, and the percent-encoded forms of these.
 *
 * @param url A string or a `URL`. A `URL` with a port is refused: `orders:007` would have become `orders:7` in it.
 * @throws {InvalidTargetError} when it names no valid function; the message says which part is wrong.
 * @example
 * parseTarget("http+lambda://prod.orders/v1"); // { functionName: "orders", qualifier: "prod" }
 */
export function parseTarget(url: string | URL): Target {
  const parsed = parseLambdaUrl(url);
  if (parsed === undefined) {
    throw new InvalidTargetError(`${quote(String(url))} is not a Lambda URL: it has to begin with http+lambda://`);
  }
  return parsed.target;
}

/**
 * Writes the canonical URL of a target: `http+lambda://prod.orders/v1`, percent-encoded where there is an account or a
 * region, or where the name holds a dot. It is a valid WHATWG URL: relative URLs resolve against it.
 *
 * @param path The path with its query. Default: `/`.
 * @throws {InvalidTargetError} when the target names no valid function.
 * @example
 * formatTarget({ functionName: "orders", qualifier: "prod" }, "/v1?limit=1"); // "http+lambda://prod.orders/v1?limit=1"
 */
export function formatTarget(target: Target, path = "/"): string {
  checkTarget(target, target.functionName);
  return `${DEFAULT_SCHEMES[0]}//${authorityOf(target)}${path.startsWith("/") ? path : `/${path}`}`;
}

/**
 * Takes a URL apart; `undefined` when its scheme is not one of ours.
 *
 * @internal
 */
export function parseLambdaUrl(
  input: string | URL,
  schemes: readonly string[] = DEFAULT_SCHEMES,
): LambdaUrl | undefined {
  const text = typeof input === "string" ? input.trim() : input.href;
  const scheme = schemeOf(text);
  if (!schemes.includes(scheme)) return undefined;
  const colon = scheme.length - 1;
  if (!text.startsWith("//", colon + 1)) {
    throw new InvalidTargetError(`${quote(text)}: write // after ${scheme}, as in ${scheme}//function/path`);
  }
  // WHATWG's parser drops tabs and newlines; a name with one in it is a mistake or an attack.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(text)) {
    throw new InvalidTargetError(`${quote(text)}: a URL can't hold a control character`);
  }
  if (typeof input !== "string" && input.port !== "") {
    throw new InvalidTargetError(
      `${quote(text)}: in a URL object, ":${input.port}" is a port and has lost leading zeros; ` +
        `write ${scheme}//${input.port}.${input.hostname}/ or ${scheme}//${input.hostname}%3A${input.port}/`,
    );
  }

  const start = colon + 3;
  const end = text.slice(start).search(/[/?#]/);
  const authority = end < 0 ? text.slice(start) : text.slice(start, start + end);
  const at = authority.lastIndexOf("@");
  const target = parseAuthority(authority.slice(at + 1), text);
  const { path, query } = normalisePath(end < 0 ? "" : text.slice(start + end));
  const href = `${scheme}//${authorityOf(target)}${path}${query === "" ? "" : `?${query}`}`;
  if (at < 0) return { target, path, query, href };
  return { target, path, query, href, userinfo: parseUserinfo(authority.slice(0, at)) };
}

/**
 * The name as Invoke takes it in its path, without the qualifier: `orders`, `123456789012:function:orders` or the ARN.
 *
 * @internal
 */
export function functionIdentifier(target: Target): string {
  const { functionName, region, accountId, partition } = target;
  if (partition !== undefined) return `arn:${partition}:lambda:${region}:${accountId}:function:${functionName}`;
  const where = `${region === undefined ? "" : `${region}:`}${accountId === undefined ? "" : `${accountId}:`}`;
  return where === "" ? functionName : `${where}function:${functionName}`;
}

/**
 * The whole ARN, with its qualifier; what the target doesn't know is made up.
 *
 * @internal
 */
export function functionArn({ qualifier, ...target }: Target): string {
  const arn = functionIdentifier({ partition: "aws", region: "us-east-1", accountId: UNKNOWN_ACCOUNT, ...target });
  return qualifier === undefined ? arn : `${arn}:${qualifier}`;
}

/**
 * The target with this qualifier.
 *
 * @throws {InvalidTargetError} when it is no qualifier, or the URL names another one (Lambda refuses that as well).
 * @internal
 */
export function withQualifier(target: Target, qualifier: string): Target {
  if (target.qualifier !== undefined && target.qualifier !== qualifier) {
    throw new InvalidTargetError(
      `the URL names ${target.functionName}:${target.qualifier}, the option qualifier says ${quote(qualifier)}`,
      { target },
    );
  }
  return checkTarget({ ...target, qualifier }, `${functionIdentifier(target)}:${qualifier}`);
}

/** A function as people write it outside of a URL: `orders`, `orders:prod`, an ARN. @internal */
export function parseFunction(reference: string): Target {
  if (reference === "") throw new InvalidTargetError("the function's name is empty");
  if (reference.length > MAX_NAME + 1 + MAX_QUALIFIER) throw tooLong(reference, MAX_NAME);
  if (reference.startsWith("arn:")) return parseArn(reference);
  const parts = PARTIAL.exec(reference);
  if (parts === null) {
    throw new InvalidTargetError(
      `${quote(reference)} is no function: write name, name:qualifier, account:function:name or an ARN`,
    );
  }
  const [, region, accountId, functionName = "", qualifier] = parts;
  return checkTarget(makeTarget({ functionName, qualifier, region, accountId }), reference);
}

function parseArn(arn: string): Target {
  const parts = ARN.exec(arn);
  if (parts === null) {
    throw new InvalidTargetError(
      `${quote(arn)} is no ARN of a function: it has to look like arn:aws:lambda:REGION:ACCOUNT:function:NAME`,
    );
  }
  const [, partition, region = "", accountId = "", functionName = "", qualifier] = parts;
  if (!REGION.test(region)) throw new InvalidTargetError(`${quote(arn)}: ${quote(region)} is no region`);
  if (!/^\d{12}$/.test(accountId)) {
    throw new InvalidTargetError(`${quote(arn)}: ${quote(accountId)} is no account id (12 digits)`);
  }
  return checkTarget(makeTarget({ functionName, qualifier, region, accountId, partition }), arn);
}

function parseAuthority(host: string, url: string): Target {
  try {
    if (host.includes("%")) {
      const reference = decodeReference(host);
      // `prod.my%2Dfn`: alias of a function, or a dotted name? Only whole encodings are read.
      if (host.includes(".") && !reference.includes(":")) {
        throw new InvalidTargetError(
          `${quote(host)}: write a dot in a function's name as %2E, and an alias as %3Aalias behind the name`,
        );
      }
      return parseFunction(reference);
    }
    if (host.includes(":")) return parseFunction(host);
    return parseBare(host);
  } catch (error) {
    if (!(error instanceof InvalidTargetError)) throw error;
    throw new InvalidTargetError(`in ${quote(url)}: ${error.message}`);
  }
}

/** `orders`, `prod.orders`, `$LATEST.orders`, `$LATEST.PUBLISHED.orders`. */
function parseBare(host: string): Target {
  const published = "$LATEST.PUBLISHED.";
  if (host.startsWith(published)) {
    return checkTarget({ functionName: host.slice(published.length), qualifier: "$LATEST.PUBLISHED" }, host);
  }
  const dot = host.indexOf(".");
  if (dot < 0) return parseFunction(host);
  const functionName = host.slice(dot + 1);
  if (functionName.includes(".")) {
    throw new InvalidTargetError(
      `${quote(host)}: before a bare function name there is one alias and one dot; ` +
        `a name with dots in it is written with %2E for each`,
    );
  }
  return checkTarget({ functionName, qualifier: host.slice(0, dot) }, host);
}

function checkTarget(target: Target, written: string): Target {
  const { functionName, qualifier, region, accountId, partition } = target;
  if (functionName === "") throw new InvalidTargetError(`${quote(written)}: the function's name is empty`, { target });
  const bad = /[^a-zA-Z0-9_.-]/u.exec(functionName);
  if (bad !== null) {
    throw new InvalidTargetError(
      `${quote(written)}: a function's name can't hold ${quote(bad[0])}, only letters, digits, - and _`,
      { target },
    );
  }
  if (/^\.+$/.test(functionName)) {
    // They would be path segments of their own in the Invoke API's URL.
    throw new InvalidTargetError(`${quote(written)}: a function's name can't be dots alone`, { target });
  }
  if (qualifier !== undefined && !QUALIFIER.test(qualifier)) {
    throw new InvalidTargetError(
      `${quote(written)}: ${quote(qualifier)} is no qualifier: a version is digits, an alias letters, digits, - and _, ` +
        `and there are $LATEST and $LATEST.PUBLISHED`,
      { target },
    );
  }
  if (qualifier !== undefined && qualifier.length > MAX_QUALIFIER) throw tooLong(qualifier, MAX_QUALIFIER);
  if (region !== undefined && !REGION.test(region)) {
    throw new InvalidTargetError(`${quote(written)}: ${quote(region)} is no region`, { target });
  }
  if (accountId !== undefined && !/^\d{12}$/.test(accountId)) {
    throw new InvalidTargetError(`${quote(written)}: ${quote(accountId)} is no account id (12 digits)`, { target });
  }
  if (partition !== undefined && (region === undefined || accountId === undefined || !PARTITION.test(partition))) {
    throw new InvalidTargetError(
      `${quote(written)}: the partition ${quote(partition)} has to be aws or begin with it, and to have a region and an account`,
      { target },
    );
  }
  const name = functionIdentifier(target);
  if (name.length > MAX_NAME) throw tooLong(name, MAX_NAME);
  return target;
}

function makeTarget(parts: { functionName: string } & { [Key in keyof Target]?: Target[Key] | undefined }): Target {
  const { functionName, qualifier, region, accountId, partition } = parts;
  return {
    functionName,
    ...(qualifier !== undefined && { qualifier }),
    ...(region !== undefined && { region }),
    ...(accountId !== undefined && { accountId }),
    ...(partition !== undefined && { partition }),
  };
}

function authorityOf(target: Target): string {
  const { functionName, qualifier, region, accountId } = target;
  if (region === undefined && accountId === undefined && !functionName.includes(".")) {
    return qualifier === undefined ? functionName : `${qualifier}.${functionName}`;
  }
  const reference = qualifier === undefined ? functionIdentifier(target) : `${functionIdentifier(target)}:${qualifier}`;
  return reference.replaceAll(":", "%3A").replaceAll(".", "%2E");
}

/** Resolved and percent-encoded as `fetch` does it, by WHATWG's own parser. */
function normalisePath(rest: string): { path: string; query: string } {
  const { pathname, search } = new URL(`x://x${rest}`);
  return { path: pathname === "" ? "/" : pathname, query: search.slice(1) };
}

function decodeReference(host: string): string {
  try {
    return decodeURIComponent(host);
  } catch {
    throw new InvalidTargetError(`${quote(host)} is not percent-encoded UTF-8`);
  }
}

function parseUserinfo(userinfo: string): [string, string] {
  const colon = userinfo.indexOf(":");
  const [user, password] = colon < 0 ? [userinfo, ""] : [userinfo.slice(0, colon), userinfo.slice(colon + 1)];
  try {
    return [decodeURIComponent(user), decodeURIComponent(password)];
  } catch {
    throw new InvalidTargetError("the user and password before @ are not percent-encoded UTF-8");
  }
}

function tooLong(name: string, limit: number): InvalidTargetError {
  return new InvalidTargetError(`${quote(name)} is ${name.length} characters long; Lambda takes ${limit}`);
}

/** `http+lambda:`, in lower case; empty when there is none. @internal */
export function schemeOf(url: string): string {
  const text = url.trim();
  return text.slice(0, text.indexOf(":") + 1).toLowerCase();
}

/** For messages: short, with control characters visible and no user or password. @internal */
export function quote(text: string): string {
  const safe = withoutUserinfo(text);
  return visible(JSON.stringify(safe.length > 200 ? `${safe.slice(0, 200)}…` : safe));
}

/** JSON with those control characters escaped that JSON itself leaves as they are; a terminal obeys some. @internal */
export function visible(text: string): string {
  return text.replace(/[\u007f-\u009f]/g, (control) => `\\u00${control.charCodeAt(0).toString(16)}`);
}

/** A URL as text, without user and password; also where the slashes before them were forgotten. @internal */
export function withoutUserinfo(url: string): string {
  return url.replace(/^([^/?#@:]*:\/*|\/+)[^/?#]*@/, "$1");
}
