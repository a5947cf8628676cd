/** Runs a handler that streams: https://docs.aws.amazon.com/lambda/latest/dg/config-rs-write-functions.html */
import { finished } from "node:stream/promises";
import { errorPayload, isThenable } from "../../invoke/handler-result.ts";
import { ResponseStream } from "../../invoke/response-stream.ts";
import { onEmptyLoop } from "./empty-loop.ts";
import { makeContext } from "./handler-context.ts";
import type { AnyHandler } from "./load-handler.ts";
import type { RuntimeClient, RuntimeInvocation, StreamedResult } from "./runtime-client.ts";
import { logError } from "./runtime-console.ts";
import { neverSettled } from "./thrown.ts";

export async function callStreaming(
  handler: AnyHandler,
  invocation: RuntimeInvocation,
  client: RuntimeClient,
): Promise<void> {
  const stream = new ResponseStream();
  let result: StreamedResult | undefined;
  /** It is opened with the first piece, as AWS's runtime does. */
  const open = (): StreamedResult => {
    result ??= client.openResult(invocation.requestId);
    return result;
  };
  const pumped = pump();
  async function pump(): Promise<void> {
    for (let piece = await stream.take(); piece !== undefined; piece = await stream.take()) await open().write(piece);
  }

  const context = makeContext(invocation);
  const failure = await new Promise<string | undefined>((resolve) => {
    const fail = (error: unknown): void => {
      logError("Invoke Error", error);
      resolve(errorPayload(error));
    };
    onEmptyLoop(() => fail(neverSettled()));
    void run(handler, { invocation, stream, context }).then(() => resolve(undefined), fail);
  });
  onEmptyLoop(undefined);
  stream.close();
  await pumped;
  await open().end(failure);
  if (context.callbackWaitsForEmptyEventLoop) await new Promise<void>((resolve) => onEmptyLoop(resolve));
}

interface Run {
  readonly invocation: RuntimeInvocation;
  readonly stream: ResponseStream;
  readonly context: unknown;
}

async function run(handler: AnyHandler, { invocation, stream, context }: Run): Promise<void> {
  const ended = finished(stream);
  // When the handler throws at once, nobody waits for it below.
  ended.catch(() => undefined);
  const call = handler as (event: unknown, stream: ResponseStream, context: unknown) => unknown;
  const returned = call(JSON.parse(invocation.event), stream, context);
  if (!isThenable(returned)) throw "Streaming does not support non-async handlers.";
  // One that has returned may still be writing.
  await Promise.all([returned, ended]);
}
