/** Faults on purpose: what a client has to live with on AWS, and seldom meets on a developer's machine. */
import { ConfigurationError } from "../errors.ts";
import { listenForAbort } from "../invoke/abortable.ts";
import type { InvocationResult } from "../invoke/invoker.ts";
import { checkOptionNames } from "../invoke/option-names.ts";
import { ApiError } from "./api-error.ts";
import type { FunctionRunner } from "./definition.ts";

/** Shares of all invocations, 0 to 1, that go wrong; together 1 at most, for an invocation meets one fault. */
export interface Faults {
  /**
   * Refused with a 429 (`TooManyRequestsException`); the function has not run.
   * @default 0
   */
  readonly throttle?: number | undefined;
  /**
   * Answered with a 500 (`ServiceException`): half of them before the function ran, half after it. From a 500 nobody can
   * tell, and a client that repeats it has to find out here what that does.
   * @default 0
   */
  readonly error?: number | undefined;
  /**
   * The function runs, and the connection is cut in place of the answer.
   * @default 0
   */
  readonly drop?: number | undefined;
  /**
   * Milliseconds that every invocation takes in addition, before it begins; of a pair, anything between the two.
   * @default 0
   */
  readonly latency?: number | readonly [least: number, most: number] | undefined;
}

/** In place of an answer the connection is to be cut: the API destroys the socket. */
export class ConnectionFault extends Error {
  override readonly name = "ConnectionFault";

  constructor() {
    super("the connection is cut, as the fault drop asks for");
  }
}

const SHARES = ["throttle", "error", "drop"] as const;
const LATENCY = "latency has to be milliseconds, 200, or a range of them, ";

/**
 * Reads faults as the command line has them: `throttle=0.1,error=0.01,latency=200` or `latency=100-300`.
 *
 * @throws {ConfigurationError} saying which part can't be.
 */
export function parseFaults(text: string): Faults {
  const faults = new Map<string, unknown>();
  for (const part of text.split(",").map((one) => one.trim())) {
    const [name = "", value, ...more] = part.split("=").map((side) => side.trim());
    if (value === undefined || value === "" || more.length > 0) {
      throw new ConfigurationError(`${JSON.stringify(part)} is no fault: write throttle=0.1,latency=100-300`);
    }
    if (faults.has(name)) throw new ConfigurationError(`the fault ${name} is given twice`);
    faults.set(name, name === "latency" ? parseLatency(value) : Number(value));
  }
  return checkFaults(Object.fromEntries(faults), `${LATENCY}100-300`);
}

function parseLatency(text: string): unknown {
  const range = /^([\d.]+)-([\d.]+)$/.exec(text);
  return range === null ? Number(text) : [Number(range[1]), Number(range[2])];
}

/**
 * Faults from code or from JSON, checked.
 *
 * @throws {ConfigurationError} for a fault that is unknown, or a value that can't be.
 */
export function checkFaults(value: unknown, latencyMessage = `${LATENCY}[100, 300]`): Faults {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ConfigurationError('faults have to be an object, { "throttle": 0.1, "latency": 200 }');
  }
  try {
    checkOptionNames(value, [...SHARES, "latency"]);
  } catch (cause) {
    throw new ConfigurationError((cause as Error).message.replace("no option", "no fault"), { cause });
  }
  const faults = value as Faults;
  let sum = 0;
  for (const name of SHARES) {
    const share: unknown = faults[name] ?? 0;
    if (typeof share !== "number" || !(share >= 0 && share <= 1)) {
      throw new ConfigurationError(`the fault ${name} has to be a share of all calls, 0 to 1`);
    }
    sum += share;
  }
  if (sum > 1 + 1e-6) {
    throw new ConfigurationError(`the faults ${SHARES.join(", ")} can't make more than 1 together, and make ${sum}`);
  }
  const [least, most, ...more] = [faults.latency ?? 0].flat() as readonly unknown[];
  const isRange = isLatency(least) && (most === undefined || (isLatency(most) && least <= most)) && more.length === 0;
  if (!isRange) throw new ConfigurationError(`the fault ${latencyMessage}`);
  return faults;
}

function isLatency(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value < 2 ** 31;
}

/**
 * The function, with faults in a share of its invocations.
 *
 * @param random Gives a number from 0 to 1, below 1. Which fault an invocation meets takes one; the latency another.
 */
export function withFaults(runner: FunctionRunner, faults: Faults, random: () => number = Math.random): FunctionRunner {
  const { throttle = 0, error = 0, drop = 0, latency = 0 } = faults;
  return {
    version: runner.version,
    close: () => runner.close(),
    ...(runner.retire && { retire: runner.retire }),
    async run(call, signal) {
      const at = random();
      const milliseconds = typeof latency === "number" ? latency : between(latency, random());
      if (milliseconds > 0) await wait(milliseconds, signal);
      if (at < throttle) throw throttled();
      const errorAt = at - throttle;
      if (errorAt < error / 2) throw serviceException();
      const result = await runner.run(call, signal);
      if (errorAt >= error + drop) return result;
      await readToItsEnd(result);
      throw errorAt < error ? serviceException() : new ConnectionFault();
    },
  };
}

function between([least, most]: readonly [number, number], share: number): number {
  return least + (most - least) * share;
}

function throttled(): ApiError {
  return new ApiError(429, "TooManyRequestsException", {
    Reason: "CallerRateLimitExceeded",
    Type: "User",
    message: "Rate exceeded",
  });
}

function serviceException(): ApiError {
  return new ApiError(500, "ServiceException", {
    Type: "Service",
    Message: "The service encountered an internal error.",
  });
}

/** A function that streams has run only when its last byte has been written. */
async function readToItsEnd({ payload }: InvocationResult): Promise<void> {
  if (payload instanceof Uint8Array) return;
  try {
    for await (const _piece of payload) {
      // Nobody will see it.
    }
  } catch {
    // Nor how it ended.
  }
}

async function wait(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      forget?.();
      resolve();
    }, milliseconds);
    const forget =
      signal &&
      listenForAbort(signal, () => {
        clearTimeout(timer);
        reject(signal.reason);
      });
  });
}
