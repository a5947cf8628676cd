/** Runs a handler that does not stream: https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html */
import { isThenable } from "../../invoke/handler-result.ts";
import { onEmptyLoop } from "./empty-loop.ts";
import type { RuntimeContext } from "./handler-context.ts";
import type { AnyHandler } from "./load-handler.ts";
import { neverSettled } from "./thrown.ts";

/** What the handler's promise, callback or context says first. */
export async function callHandler(
  handler: AnyHandler,
  readEvent: () => unknown,
  context: RuntimeContext,
): Promise<unknown> {
  try {
    return await outcomeOf(handler, readEvent(), context);
  } finally {
    onEmptyLoop(undefined);
  }
}

function outcomeOf(handler: AnyHandler, event: unknown, context: RuntimeContext): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let isAnswered = false;
    const first = (answer: () => void): void => {
      if (isAnswered) return;
      isAnswered = true;
      onEmptyLoop(undefined);
      answer();
    };
    const done = (error?: unknown, result?: unknown): void =>
      first(() => (error === undefined || error === null ? resolve(result) : reject(error)));
    const callback = (error?: unknown, result?: unknown): void =>
      first(() => {
        if (error !== undefined && error !== null) reject(error);
        else if (context.callbackWaitsForEmptyEventLoop) onEmptyLoop(() => resolve(result));
        else resolve(result);
      });
    Object.assign(context, {
      done,
      succeed: (result?: unknown) => done(null, result),
      fail: (error?: unknown) => done(error ?? "handled"),
    });

    // An answer that can't come any more. One of these forgot its callback, and its result is `null`.
    const isAsync = handler.constructor.name === "AsyncFunction";
    onEmptyLoop(() => first(() => (isAsync ? reject(neverSettled()) : resolve(null))));
    const run = handler as (event: unknown, context: unknown, callback: unknown) => unknown;
    const returned = run(event, context, callback);
    if (isThenable(returned))
      returned.then(
        (result) => done(null, result),
        (error: unknown) => first(() => reject(error)),
      );
    else if (returned !== undefined) done(null, returned);
  });
}
