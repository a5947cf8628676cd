/** The answer of `InvokeWithResponseStream`: a message for each piece that a function writes, and one when it is over. */
import type { ServerResponse } from "node:http";
import { encodeMessage } from "../invoke/event-stream.ts";
import type { InvocationEnd, InvocationResult } from "../invoke/invoker.ts";

const PAYLOAD_CHUNK = {
  ":event-type": "PayloadChunk",
  ":content-type": "application/octet-stream",
  ":message-type": "event",
};
const INVOKE_COMPLETE = { ...PAYLOAD_CHUNK, ":event-type": "InvokeComplete", ":content-type": "application/json" };
// One write of a function may be megabytes, and a client keeps a message until it has all of it.
const MAX_CHUNK = 64 * 1024;
const MAX_LOG = 4 * 1024;

/**
 * Writes no faster than the client reads, and stops the function's stream when the client goes.
 *
 * @throws what the function's stream throws. The answer is then broken off, or not begun.
 */
export async function sendStream(response: ServerResponse, result: InvocationResult): Promise<void> {
  response.setHeader("Content-Type", "application/vnd.amazon.eventstream");
  const { payload } = result;
  if (payload instanceof Uint8Array) {
    // A function that does not stream. What it failed with is in the last message as well.
    const { functionError, logs } = result;
    if (functionError === undefined) await sendPiece(response, payload);
    return complete(response, {
      ...(functionError !== undefined && { functionError, errorDetails: Buffer.from(payload).toString("utf8") }),
      ...(logs !== undefined && { logs }),
    });
  }
  const iterator = payload[Symbol.asyncIterator]();
  // At once, for the function may wait long before it writes again. Of what it throws then, nobody is left to be told.
  const stop = (): void => void (async () => iterator.return?.())().catch(() => undefined);
  response.once("close", stop);
  if (response.destroyed) stop();
  for (let next = await iterator.next(); ; next = await iterator.next()) {
    if (response.destroyed) return;
    if (next.done) return complete(response, next.value ?? {});
    await sendPiece(response, next.value);
  }
}

async function sendPiece(response: ServerResponse, piece: Uint8Array): Promise<void> {
  for (let start = 0; start < piece.length && !response.destroyed; start += MAX_CHUNK) {
    const message = encodeMessage({ headers: PAYLOAD_CHUNK, payload: piece.subarray(start, start + MAX_CHUNK) });
    if (!response.write(message)) await drained(response);
  }
}

/** Until the client has read what is waiting for it, or is gone. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (response.destroyed) return resolve();
    const go = (): void => {
      response.off("drain", go).off("close", go);
      resolve();
    };
    response.once("drain", go).once("close", go);
  });
}

function complete(response: ServerResponse, { functionError, errorDetails, logs }: InvocationEnd): void {
  const said = {
    ...(functionError !== undefined && { ErrorCode: functionError }),
    ...(errorDetails !== undefined && { ErrorDetails: errorDetails }),
    ...(logs !== undefined && { LogResult: encodeLogs(logs) }),
  };
  response.end(encodeMessage({ headers: INVOKE_COMPLETE, payload: Buffer.from(JSON.stringify(said)) }));
}

/** Aborted when the client goes before it has the whole answer. */
export function goneSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) gone.abort(new Error("the client has gone"));
  });
  return gone.signal;
}

/** The end of a log, as it goes into a header or the last message. */
export function encodeLogs(logs: string): string {
  return Buffer.from(logs).subarray(-MAX_LOG).toString("base64");
}
