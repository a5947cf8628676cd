/** The environments of one version of a function: each runs one invocation at a time, and is used again. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { InvocationResult } from "../../invoke/invoker.ts";
import { ApiError, tooManyRequests } from "../api-error.ts";
import type { FunctionCall } from "../definition.ts";
import { type Environment, startEnvironment } from "./environment.ts";
import type { EnvironmentSettings } from "./settings.ts";
import { startSlot } from "./start-slots.ts";

/** One that has nothing to do for so long is ended. */
const MAX_IDLE = 5 * 60 * 1000;

/** The environments of one version of a function. */
export interface Pool {
  /** @throws {ApiError} when there are as many invocations as there may be. */
  run(call: FunctionCall, signal: AbortSignal | undefined): Promise<InvocationResult>;
  close(): Promise<void>;
  /** Ends each environment when it has nothing to do any more; what runs, or waits for one that starts, is not disturbed. */
  retire(): void;
}

interface Waiter {
  take(environment: Environment): void;
  fail(error: Error): void;
}

export function createPool(settings: EnvironmentSettings): Pool {
  const all = new Set<Environment>();
  const starting = new Set<Promise<unknown>>();
  /** The one that was used last is at the end, and used first: so the others grow old. */
  const idle: { readonly environment: Environment; readonly timer: NodeJS.Timeout }[] = [];
  const waiters: Waiter[] = [];
  let running = 0;
  let isClosed = false;
  let isRetired = false;

  function offer(environment: Environment): void {
    if (!environment.isAlive()) return;
    const waiter = waiters.shift();
    if (waiter !== undefined) {
      waiter.take(environment);
      return;
    }
    if (isRetired) return void environment.end();
    const timer = setTimeout(() => {
      idle.splice(idle.indexOf(entry), 1);
      void environment.end();
    }, MAX_IDLE).unref();
    const entry = { environment, timer };
    idle.push(entry);
  }

  /** `undefined` when it waits no more. */
  function withdraw(waiter: Waiter): Waiter | undefined {
    const place = waiters.indexOf(waiter);
    return place < 0 ? undefined : waiters.splice(place, 1)[0];
  }

  /** For this waiter; but whichever environment is free first takes it. */
  async function start(waiter: Waiter): Promise<void> {
    const release = await startSlot();
    try {
      if (isClosed || !waiters.includes(waiter)) return;
      const environment = await startEnvironment(settings);
      all.add(environment);
      void environment.ended.then(() => all.delete(environment));
      if (isClosed) return void environment.end();
      await environment.ready;
      if (environment.isAlive()) return offer(environment);
      // The invocation that it was started for is the one that fails, unless another environment has taken it.
      withdraw(waiter)?.take(environment);
    } finally {
      release();
    }
  }

  async function findEnvironment(): Promise<Environment> {
    // An environment may have ended, and this process not have heard of it yet: it does in a turn of the event loop.
    if (idle.length > 0) await nextTurn().then(() => nextTurn());
    for (let entry = idle.pop(); entry !== undefined; entry = idle.pop()) {
      clearTimeout(entry.timer);
      if (entry.environment.isAlive()) return entry.environment;
    }
    if (isClosed) throw closedError();
    return new Promise((resolve, reject) => {
      const waiter = { take: resolve, fail: reject };
      waiters.push(waiter);
      const started = start(waiter).catch((error: Error) => withdraw(waiter)?.fail(error));
      starting.add(started);
      void started.then(() => starting.delete(started));
    });
  }

  return {
    async run(call, signal) {
      if (isClosed) throw closedError();
      if (running >= settings.concurrency) throw tooManyRequests();
      running++;
      const environment = await findEnvironment().catch((error: unknown) => {
        running--;
        throw error;
      });
      const invocation = environment.invoke(call, signal);
      // It is over before the result is given, and whoever calls again then finds the environment free.
      void invocation.over.then(() => {
        running--;
        offer(environment);
      });
      return invocation.result;
    },
    retire() {
      isRetired = true;
      for (const { environment, timer } of idle.splice(0)) {
        clearTimeout(timer);
        void environment.end();
      }
    },
    async close() {
      isClosed = true;
      for (const waiter of waiters.splice(0)) waiter.fail(closedError());
      for (const { timer } of idle.splice(0)) clearTimeout(timer);
      await Promise.all([...all].map((environment) => environment.end()));
      await Promise.all(starting);
      await Promise.all([...all].map((environment) => environment.end()));
    },
  };
}

function closedError(): ApiError {
  return new ApiError(500, "ServiceException", { Type: "Service", Message: "The emulator has been closed." });
}
