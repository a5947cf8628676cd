/** What Lambda's refusals and lost connections mean, as an {@link InvokeError}. */
import { type Correction, InvokeError, type Outcome, sentences } from "../errors.ts";
import { functionArn } from "../target.ts";
import { adviceFor, canonicalName, isLambdaError } from "./aws-error-names.ts";
import type { Endpoint } from "./endpoint.ts";
import { ANSWER_TOO_LARGE, CLOSED, type NetworkError, type WireResponse } from "./http.ts";
import { type Invocation, isStreamed, maxEvent } from "./invoker.ts";
import { parseObject } from "./json.ts";
import { readRetryAfter } from "./retry.ts";

/** An answer that says why it is none. */
export interface AwsError {
  /** Its AWS name, whatever its spelling; `HTTP_503` where there is none. */
  readonly code: string;
  /** Did Lambda itself give the name, and not something on the way? */
  readonly isLambdas: boolean;
  /** One line; empty where there is none. */
  readonly message: string;
  readonly reason?: string | undefined;
  readonly requestId?: string | undefined;
}

/** What a refusal was, and what is known of it by now. */
interface Refusal {
  readonly region: string;
  readonly response: WireResponse;
  /** What the response says, where somebody has read it already. */
  readonly said?: AwsError;
  readonly corrected?: Correction | undefined;
}

/** An answer of 300 or more: Lambda, or something on the way, refused the call. */
export function refusedError(
  invocation: Invocation,
  { region, response, said = readError(response), corrected }: Refusal,
): InvokeError {
  const { request, target } = invocation;
  const { status, headers } = response;
  const { code, reason, requestId } = said;
  const outcome = refusedOutcome(status, said);
  const sentence = `${describe(said, status, outcome, invocation, region)}${said.message === "" ? "" : `: ${said.message}`}`;
  const advice = outcome === "unknown" ? "The function may have run." : whatToDo(said, invocation, region);
  return new InvokeError(advice === "" ? sentence : sentences(sentence, advice), {
    code,
    status,
    reason,
    requestId,
    outcome,
    request,
    target,
    retryAfter: readRetryAfter(headers["retry-after"]) ?? milliseconds(headers["x-amz-retry-after"]),
    corrected,
  });
}

/**
 * No answer, or half of one.
 *
 * @param received Bytes of the answer that are good, where it streams.
 */
export function networkError(
  { request, target }: Pick<Invocation, "request" | "target">,
  endpoint: Endpoint,
  error: NetworkError,
  received?: number,
): InvokeError {
  const { hostname, port } = endpoint;
  const where = hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
  const { code } = error;
  const details = { code, request, target, cause: error };
  if (code === ANSWER_TOO_LARGE) {
    return new InvokeError(`${error.message}; the rest was not read`, { ...details, outcome: "completed" });
  }
  if (code === CLOSED) {
    const message = `close() ended the call; ${error.sent ? "the function may have run" : "nothing was sent"}`;
    return new InvokeError(message, { ...details, outcome: error.sent ? "unknown" : "not-started" });
  }
  if (error.sent) {
    const when = received === undefined ? "before the answer was complete" : `after ${received} bytes of the answer`;
    const message = `the connection to ${where} was lost ${when} (${code}: ${error.message}); the function may have run`;
    return new InvokeError(message, { ...details, outcome: "unknown" });
  }
  const message = `could not connect to ${where} (${code}: ${error.message}); nothing was sent. ${connectAdvice(error, endpoint)}`;
  return new InvokeError(message, { ...details, outcome: "not-started" });
}

/**
 * An answer with an AWS error name did not run the function, but for 500: "error codes are reserved for errors that
 * prevent your function from executing" (https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html).
 */
function refusedOutcome(status: number, { isLambdas }: AwsError): Outcome {
  if (status < 500) return "not-started";
  return isLambdas && status !== 500 ? "not-started" : "unknown";
}

function describe(
  { code, message }: AwsError,
  status: number,
  outcome: Outcome,
  invocation: Invocation,
  region: string,
): string {
  const { target, request } = invocation;
  const qualifier = target.qualifier === undefined ? "" : ` (qualifier ${target.qualifier})`;
  const name = `${target.functionName}${qualifier} in ${region}`;
  if (code === "ResourceNotFoundException") {
    // Of a name alone, Lambda's own message says in which account it looked.
    const account = target.accountId ?? /:lambda:[^:]*:(\d{12}):function:/.exec(message)?.[1];
    return `Lambda knows no function ${name}, ${account === undefined ? "in the caller's own account" : `account ${account}`}, ${code}`;
  }
  if (outcome === "unknown") return `invoking ${name} for this ${request.method} ended with ${status}, ${code}`;
  return `Lambda refused to invoke ${name} for this ${request.method}, ${code}`;
}

function whatToDo({ code, message, reason, isLambdas }: AwsError, invocation: Invocation, region: string): string {
  if (code === "AccessDeniedException") {
    return isUnroutable(message) ? UNROUTABLE_ADVICE : permissionAdvice(message, invocation, region);
  }
  // Emulators mostly don't have that path.
  if (!isLambdas && isStreamed(invocation)) {
    return "Does the endpoint know InvokeWithResponseStream? Without the option responseStreaming, Invoke is called.";
  }
  if (!/TooLargeException$/.test(code)) return adviceFor(code, reason);
  const { payload, invocationType } = invocation;
  return `The event has ${payload.length} bytes, and Lambda takes ${maxEvent(invocationType)} of this kind. ${adviceFor(code, reason)}`;
}

const UNROUTABLE_ADVICE = "The path of the call is none of Lambda's: check the endpoint.";

/** A refusal that has the name of a missing permission, and is about a path that AWS does not know. */
export function isUnroutable(message: string): boolean {
  return message.includes("Unable to determine service/operation name");
}

/** Which action on which ARN. */
function permissionAdvice(message: string, { target }: Invocation, region: string): string {
  const [, action, resource] = /not authorized to perform: (\S+) on resource: (\S+)/.exec(message) ?? [];
  const what = `${action ?? "lambda:InvokeFunction"} on ${resource ?? arnOf(target, region)}`;
  if (message.includes("explicit deny")) return `A policy denies ${what}; only a change of that policy can allow it.`;
  return `Allow ${what} in the caller's policy, and for another account's function in the function's own as well.`;
}

/** With `*` for an account that nobody named, as policies have it. */
function arnOf(target: Invocation["target"], region: string): string {
  const [, part] = /^(cn|us-gov|eusc)-/.exec(region) ?? [];
  return functionArn({ partition: part === undefined ? "aws" : `aws-${part}`, region, accountId: "*", ...target });
}

function connectAdvice({ code }: NetworkError, { isLoopback }: Endpoint): string {
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "Check the region, the endpoint and the network.";
  if (code === "ECONNREFUSED" && isLoopback) return "Is the emulator running?";
  return "Check the endpoint and the network.";
}

// An error is short; a hundred megabytes of one are an attack or a mistake.
const MAX_TEXT = 64 * 1024;

/** The name stands in a header or the body, with or without a namespace before `#` and a URL behind `:`. */
export function readError({ status, headers, body: bytes }: WireResponse): AwsError {
  const text = bytes.toString("utf8", 0, MAX_TEXT);
  const body = parseObject(text);
  const inHeader = nameIn(headers["x-amzn-errortype"]);
  const inBody =
    nameIn(textOf(body?.code)) ??
    nameIn(textOf(body?.__type)) ??
    nameIn(body === undefined ? xmlName(text) : undefined);
  const name = inHeader ?? inBody;
  const message = textOf(body?.message) ?? textOf(body?.Message) ?? (body === undefined ? plainText(text) : "");
  const requestId = headers["x-amzn-requestid"] ?? /<RequestId>([\w-]{1,64})</i.exec(text)?.[1];
  return {
    code: name ?? `HTTP_${status}`,
    // Only Lambda sets the header. A name in a body may be that of a proxy.
    isLambdas: inHeader !== undefined || (inBody !== undefined && isLambdaError(inBody)),
    message: oneLine(message),
    // A word; what else a body may hold here is nothing that could be shown.
    reason: /^\w{1,100}$/.exec(textOf(body?.Reason) ?? "")?.[0],
    requestId,
  };
}

function nameIn(written: string | undefined): string | undefined {
  const name = oneLine(written?.split(",", 1)[0]?.split(":", 1)[0]?.replace(/^.*#/, "") ?? "");
  return name === "" ? undefined : canonicalName(name);
}

/** Of `<XException>…`, or `<Code>X</Code>` as S3 and STS write it. */
function xmlName(text: string): string | undefined {
  return /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? /^\s*(?:<\?[^>]*>\s*)?<(\w+Exception)[ >]/.exec(text)?.[1];
}

/** What a person would read of XML and HTML: the message, the title, or the text between the tags. */
function plainText(text: string): string {
  if (!text.includes("<")) return text;
  const marked = /<message>([^<]*)</i.exec(text)?.[1] ?? /<title>([^<]*)</i.exec(text)?.[1];
  // The names of headers may be in tags, which are about to go.
  return marked ?? text.replace(SECRET_HEADER, "$1…").replace(/<[^<>]*>/g, " ");
}

const MAX_MESSAGE = 500;
// Headers with credentials, as text or in any notation of a map: as names on their own, which part of an ARN is not.
const SECRET_HEADER =
  /(?<!arn:aws[\w:/.@*$+-]{0,250})(authorization|cookies?|(?:security|auth|csrf|xsrf)[-_]?token|api[-_]?key)(?![\w-]| required).*/is;
const SECRET_VALUE = /\b([Bb]asic|[Bb]earer) (?=[\w.~+/=-]{6})[\w.~+/=-]*[A-Z\d=][\w.~+/=-]*/g;

/**
 * One line without control characters, which a terminal would obey. A rejected signature is explained with the canonical
 * request, in which the session token stands, and JSON that can't be read with the beginning of it; a proxy may repeat
 * the headers that it got, and the event.
 */
export function oneLine(message: string): string {
  // White space first: searched for with the words behind it, much of it would take quadratic time.
  const line = message.replace(/[\s\p{Cc}]+/gu, " ").trim();
  const [first = ""] = line.split(/ ?The Canonical String for this request| at \[Source:/, 1);
  const safe = first
    .slice(0, MAX_MESSAGE)
    .replace(SECRET_HEADER, "$1…")
    .replace(/\b(?:Signature|Credential)=[^\s,]+/g, "…")
    .replace(SECRET_VALUE, "$1 …");
  return first.length > MAX_MESSAGE && !safe.endsWith("…") ? `${safe}…` : safe;
}

/** AWS's own header: milliseconds. */
function milliseconds(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
