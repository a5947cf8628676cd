/** The refusals of the Lambda API: what they are, what they say, and how they are sent. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { MAX_EVENT } from "../invoke/invoker.ts";

/** A refusal. */
export class ApiError extends Error {
  readonly status: number;
  readonly body: Readonly<Record<string, string>>;
  /** Seconds after which another try may do better: the header `Retry-After`. */
  readonly retryAfter: number | undefined;

  /** @param body With `message` or `Message`, with `Type` or without: it differs from exception to exception. */
  constructor(status: number, name: string, body: Readonly<Record<string, string>>, retryAfter?: number) {
    super(body.message ?? body.Message ?? name);
    this.name = name;
    this.status = status;
    this.body = body;
    this.retryAfter = retryAfter;
  }
}

/** What is not even known to be Lambda's, AWS refuses in XML. */
export class RoutingError extends ApiError {
  constructor() {
    const Message = "Unable to determine service/operation name to be authorized";
    super(403, "AccessDeniedException", { Message });
  }
}

/** A body or a header that can't be read. */
export function badContent(message: string): ApiError {
  return new ApiError(400, "InvalidRequestContentException", { Type: "User", message });
}

/** All environments are busy: https://docs.aws.amazon.com/lambda/latest/dg/invocation-retries.html */
export function tooManyRequests(): ApiError {
  return new ApiError(429, "TooManyRequestsException", {
    Reason: "ReservedFunctionConcurrentInvocationLimitExceeded",
    Type: "User",
    message: "Rate Exceeded.",
  });
}

export function tooLarge(Message: string): ApiError {
  return new ApiError(413, "RequestEntityTooLargeException", { Message });
}

/** Something is wrong with the emulator itself, or with what runs its functions. */
export function serviceError(error: unknown): ApiError {
  const what = error instanceof Error ? `${error.name}: ${error.message}` : typeof error;
  return new ApiError(500, "ServiceException", { Type: "Service", Message: `The emulator failed (${what})` });
}

/** What a member of a request has to be. */
export interface Constraint {
  /** As AWS calls it: `functionName`. */
  readonly member: string;
  /** A regular expression that the whole of it has to match; AWS quotes it. */
  readonly pattern?: string;
  readonly maxLength?: number;
  readonly values?: readonly string[];
}

/** @throws {ApiError} which says, in AWS's words, everything that is wrong with members that are there. */
export function checkMembers(members: readonly (readonly [Constraint, string | undefined])[]): void {
  const violations = members.flatMap(([constraint, value]) =>
    value === undefined ? [] : violationsOf(constraint, value),
  );
  if (violations.length === 0) return;
  const count = violations.length === 1 ? "1 validation error" : `${violations.length} validation errors`;
  throw new ApiError(400, "ValidationException", { message: `${count} detected: ${violations.join("; ")}` });
}

function violationsOf({ member, pattern, maxLength = Infinity, values }: Constraint, value: string): string[] {
  const broken: string[] = [];
  if (value.length > maxLength) broken.push(`Member must have length less than or equal to ${maxLength}`);
  if (pattern !== undefined && !new RegExp(`^(?:${pattern})$`).test(value)) {
    broken.push(`Member must satisfy regular expression pattern: ${pattern}`);
  }
  if (values !== undefined && !values.includes(value)) {
    broken.push(`Member must satisfy enum value set: [${values.join(", ")}]`);
  }
  return broken.map((constraint) => `Value '${value}' at '${member}' failed to satisfy constraint: ${constraint}`);
}

// More than a client sends by mistake, so that it sees the answer; and a moment's work.
const MAX_DRAINED = 32 * 1024 * 1024;

/**
 * Answers at once, unless the rest of the request is so short that it can be read before, for the connection to stay. A
 * client that is still sending sees the answer as long as its bytes are taken: for a while, they are.
 */
export async function refuse(request: IncomingMessage, response: ServerResponse, error: ApiError): Promise<void> {
  const { status, name, body, retryAfter } = error;
  const isXml = error instanceof RoutingError;
  if (Number(request.headers["content-length"]) <= MAX_EVENT) await drain(request);
  // Of a result that could not be sent after all.
  response.removeHeader("X-Amz-Executed-Version");
  const text = isXml ? `<${name}>\n  <Message>${body.Message}</Message>\n</${name}>\n` : JSON.stringify(body);
  response.writeHead(status, {
    "Content-Type": isXml ? "application/xml" : "application/json",
    "Content-Length": Buffer.byteLength(text),
    ...(!isXml && { "x-amzn-ErrorType": name }),
    ...(retryAfter !== undefined && { "Retry-After": String(retryAfter) }),
    ...(!request.complete && { Connection: "close" }),
  });
  response.write(text);
  await drain(request);
  response.end();
}

function drain(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    if (request.readableEnded || request.destroyed) return resolve();
    let left = MAX_DRAINED;
    request.on("data", (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) resolve();
    });
    request.once("end", resolve).once("close", resolve);
  });
}
