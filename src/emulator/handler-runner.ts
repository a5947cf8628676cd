/** A handler given as a value: it runs in this process, which can't keep it within time, memory or variables of its own. */
import { type Handler, runInvocation } from "../invoke/handler.ts";
import type { PayloadIterator, PayloadStream } from "../invoke/invoker.ts";
import { tooManyRequests } from "./api-error.ts";
import type { FunctionRunner } from "./definition.ts";

/** How it is run. */
interface HandlerSettings {
  readonly version: string;
  readonly concurrency: number;
  readonly quiet: boolean;
}

export function handlerRunner(handler: Handler, { version, concurrency, quiet }: HandlerSettings): FunctionRunner {
  let running = 0;
  const over = (): void => void running--;
  return {
    version,
    async run(call, signal) {
      if (running >= concurrency) throw tooManyRequests();
      running++;
      const { requestId } = call;
      const work = runInvocation(handler, call, { quiet, initDuration: undefined, requestId }, signal);
      const result = { ...(await work.finally(over)), executedVersion: version };
      if (result.payload instanceof Uint8Array) return result;
      // One that streams runs until its last byte is here, or nobody wants it any more.
      running++;
      return { ...result, payload: whenOver(result.payload, over) };
    },
    // Nobody can stop what runs in this process.
    close: async () => undefined,
  };
}

function whenOver(payload: PayloadStream, over: () => void): PayloadStream {
  const inner = payload[Symbol.asyncIterator]();
  let isOver = false;
  function end(): void {
    if (!isOver) over();
    isOver = true;
  }
  const iterator: PayloadIterator = {
    async next() {
      const next = await inner.next().catch((error: unknown) => {
        end();
        throw error;
      });
      if (next.done) end();
      return next;
    },
    async return() {
      end();
      await inner.return?.();
      return { done: true, value: undefined };
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}
