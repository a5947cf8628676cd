/**
 * What comes over `InvokeWithResponseStream`: the payload in chunks, how it ended, and what is certain when it does not end
 * well. https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html
 */
import { InvokeError } from "../errors.ts";
import { networkError, oneLine } from "./aws-error.ts";
import type { Endpoint } from "./endpoint.ts";
import { EventStreamError, type Message } from "./event-stream.ts";
import { NetworkError } from "./http.ts";
import type { Invocation, InvocationEnd, PayloadIterator, PayloadStream } from "./invoker.ts";
import { parseObject } from "./json.ts";
import type { OpenBody } from "./open-body.ts";

/** Which call an error is about. */
type About = Pick<Invocation, "request" | "target">;

/**
 * @param about Not all of the invocation, which would keep the event, and what listeners were told, as long as the body.
 * @throws {InvokeError} of unknown outcome, which says how much had arrived, when the end is not what it should be.
 */
export function readPayload(about: About, endpoint: Endpoint, body: OpenBody<Message>): PayloadStream {
  const chunks = readChunks(about, endpoint, body);
  const iterator: PayloadIterator = {
    next: () => chunks.next(),
    async return() {
      // By itself, for a generator that waits, or has not begun, hears nothing of this.
      body.close();
      await chunks.return({});
      return { done: true, value: undefined };
    },
  };
  return { [Symbol.asyncIterator]: () => iterator, transferable: true };
}

async function* readChunks(
  about: About,
  endpoint: Endpoint,
  { parts, release }: OpenBody<Message>,
): AsyncGenerator<Uint8Array, InvocationEnd, undefined> {
  let received = 0;
  try {
    for await (const message of parts) {
      if (message.headers[":message-type"] !== "event") throw saidError(about, message, received);
      const type = message.headers[":event-type"];
      // Of types that are still to be invented, nothing is known but that they are no payload.
      if (type === "PayloadChunk") {
        received += message.payload.length;
        yield message.payload;
      } else if (type === "InvokeComplete") {
        release();
        return readComplete(message);
      }
    }
  } catch (error) {
    if (error instanceof NetworkError) throw networkError(about, endpoint, error, received);
    if (error instanceof EventStreamError) throw garbledError(about, error, received);
    throw error;
  }
  throw incompleteError(about, received);
}

/** What AWS says at the end of a stream, each field absent or null where there is nothing to say. */
export function readEnd({
  ErrorCode,
  ErrorDetails,
  LogResult,
}: Readonly<Record<"ErrorCode" | "ErrorDetails" | "LogResult", unknown>>): InvocationEnd {
  return {
    ...(typeof ErrorCode === "string" && ErrorCode !== "" && { functionError: ErrorCode }),
    ...(typeof ErrorDetails === "string" && ErrorDetails !== "" && { errorDetails: ErrorDetails }),
    ...(typeof LogResult === "string" && { logs: Buffer.from(LogResult, "base64").toString("utf8") }),
  };
}

/** The stream closed in good order, but the message that every invocation ends with is missing. */
export function incompleteError(about: About, received: number): InvokeError {
  return brokenError(about, "ERR_INCOMPLETE_STREAM", "the stream ended without InvokeComplete", received);
}

/** Why a stream broke off. */
function brokenError(
  { request, target }: About,
  code: string,
  what: string,
  received: number,
  cause?: Error,
): InvokeError {
  const message = `${what}, after ${received} bytes of the answer; the function may still be running`;
  return new InvokeError(message, { code, outcome: "unknown", request, target, cause });
}

function garbledError(about: About, error: EventStreamError, received: number): InvokeError {
  const what = `what came is no event stream of AWS (${error.message})`;
  return brokenError(about, "ERR_EVENT_STREAM", what, received, error);
}

/** A message that is no event: an exception, by name and with a JSON body; or an error, by code and text. */
function saidError(about: About, { headers, payload }: Message, received: number): InvokeError {
  const body = parseObject(Buffer.from(payload).toString("utf8"));
  const code = headers[":exception-type"] ?? headers[":error-code"] ?? "ERR_EVENT_STREAM";
  const said = headers[":error-message"] ?? body?.message ?? body?.Message;
  const text = typeof said === "string" ? `: ${oneLine(said)}` : "";
  return brokenError(about, oneLine(code), `Lambda broke the stream off with ${oneLine(code)}${text}`, received);
}

function readComplete({ payload }: Message): InvocationEnd {
  if (payload.length === 0) return {};
  const said = parseObject(Buffer.from(payload).toString("utf8"));
  if (said === undefined) throw new EventStreamError("its InvokeComplete is no JSON");
  return readEnd(said as Parameters<typeof readEnd>[0]);
}
