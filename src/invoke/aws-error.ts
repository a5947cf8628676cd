/** What Lambda's refusals and lost connections mean, as an {@link InvokeError}. */
import { InvokeError, type Outcome } from "../errors.ts";
import type { Endpoint } from "./endpoint.ts";
import type { NetworkError, WireResponse } from "./http.ts";
import type { Invocation } from "./invoker.ts";
import { parseObject } from "./json.ts";

/** An answer of 300 or more: Lambda, or something on the way, refused the call. */
export function refusedError(invocation: Invocation, region: string, response: WireResponse): InvokeError {
  const { request, target } = invocation;
  const { status, headers } = response;
  const { name, message, reason } = readError(headers["x-amzn-errortype"], response.body.toString("utf8"));
  const said = message === "" ? "" : `: ${message}`;
  const code = name ?? `HTTP_${status}`;
  const outcome = refusedOutcome(status, name);
  return new InvokeError(withAdvice(`${describe(code, status, outcome, invocation, region)}${said}`, code, outcome), {
    code,
    status,
    reason,
    requestId: header(headers["x-amzn-requestid"]),
    outcome,
    request,
    target,
  });
}

/** No answer, or half of one. */
export function networkError(invocation: Invocation, endpoint: Endpoint, error: NetworkError): InvokeError {
  const { request, target } = invocation;
  const { hostname, port } = endpoint;
  const where = hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
  const message = error.sent
    ? `the connection to ${where} was lost before the answer was complete (${error.code}: ${error.message}); ` +
      "the function may have run"
    : `could not connect to ${where} (${error.code}: ${error.message}); nothing was sent. ${connectAdvice(error, endpoint)}`;
  const outcome = error.sent ? "unknown" : "not-started";
  return new InvokeError(message, { code: error.code, outcome, request, target, cause: error });
}

/**
 * An answer with an AWS error name did not run the function, but for 500: "error codes are reserved for errors that
 * prevent your function from executing" (https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html).
 */
function refusedOutcome(status: number, name: string | undefined): Outcome {
  if (status < 500) return "not-started";
  // A proxy on the way may put a code of its own into the body.
  return name?.endsWith("Exception") && status !== 500 ? "not-started" : "unknown";
}

function describe(
  code: string,
  status: number,
  outcome: Outcome,
  { target, request }: Invocation,
  region: string,
): string {
  const qualifier = target.qualifier === undefined ? "" : ` (qualifier ${target.qualifier})`;
  const name = `${target.functionName}${qualifier} in ${region}`;
  if (code === "ResourceNotFoundException") return `Lambda knows no function ${name}, ${code}`;
  if (outcome === "unknown") return `invoking ${name} for this ${request.method} ended with ${status}, ${code}`;
  return `Lambda refused to invoke ${name} for this ${request.method}, ${code}`;
}

const ADVICE: Readonly<Record<string, string>> = {
  ResourceNotFoundException: "Check the name, which is case-sensitive, the qualifier, the region and the account.",
  AccessDeniedException: "The caller needs lambda:InvokeFunction on the function (and its qualifier).",
  UnrecognizedClientException: "The access key is not known in this partition.",
  ExpiredTokenException: "The session token is over; fetch new credentials.",
  InvalidSignatureException: "Check the secret key and this machine's clock.",
};

/** Lambda's own messages end with a full stop or without. */
function withAdvice(sentence: string, code: string, outcome: Outcome): string {
  const advice = outcome === "unknown" ? "The function may have run." : Object.hasOwn(ADVICE, code) && ADVICE[code];
  return advice ? `${sentence.replace(/\.$/, "")}. ${advice}` : sentence;
}

function connectAdvice({ code }: NetworkError, { isLoopback }: Endpoint): string {
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "Check the region, the endpoint and the network.";
  if (code === "ECONNREFUSED" && isLoopback) return "Is the emulator running?";
  return "Check the endpoint and the network.";
}

/** The name stands in a header or the body, with or without a namespace before `#` and a URL behind `:`. */
function readError(
  header_: string | string[] | undefined,
  text: string,
): { name: string | undefined; message: string; reason: string | undefined } {
  const body = parseObject(text);
  const xml = /<(\w+(?:Exception|Error)?)>\s*(?:<Type>[^<]*<\/Type>\s*)?<Message>([^<]*)</.exec(text);
  const written = header(header_) ?? textOf(body?.code) ?? textOf(body?.__type) ?? xml?.[1];
  const name = written?.split(",", 1)[0]?.split(":", 1)[0]?.replace(/^.*#/, "");
  const message = textOf(body?.message) ?? textOf(body?.Message) ?? xml?.[2] ?? (body === undefined ? text : "");
  return { name: shorten(name ?? "") || undefined, message: shorten(message), reason: textOf(body?.Reason) };
}

/**
 * One line without control characters, which a terminal would obey. A rejected signature is explained with the canonical
 * request, in which the session token stands.
 */
function shorten(message: string): string {
  const [first = ""] = message.split(/\s*The Canonical String for this request/, 1);
  const line = first.replace(/[\s\p{Cc}]+/gu, " ").trim();
  return line.length > 500 ? `${line.slice(0, 500)}…` : line;
}

function header(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
