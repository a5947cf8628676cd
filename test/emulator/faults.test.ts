import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "../../src/emulator/api-error.ts";
import type { FunctionCall, FunctionRunner } from "../../src/emulator/definition.ts";
import { ConnectionFault, checkFaults, type Faults, parseFaults, withFaults } from "../../src/emulator/faults.ts";
import { ConfigurationError } from "../../src/errors.ts";
import type { InvocationResult } from "../../src/invoke/invoker.ts";

const call: FunctionCall = {
  target: { functionName: "orders" },
  payload: Buffer.from("{}"),
  logs: false,
  request: { method: "POST", url: "/" },
  requestId: "0",
  traceId: "Root=1-0-0",
};

/** A function that counts, and how often it was closed. */
function makeRunner(
  payload: InvocationResult["payload"] = Buffer.from('"done"'),
): FunctionRunner & { runs: number; closed: number } {
  return {
    version: "7",
    runs: 0,
    closed: 0,
    async run() {
      this.runs++;
      return { payload };
    },
    async close() {
      this.closed++;
    },
  };
}

/** Runs it once, with these random numbers. */
async function once(runner: FunctionRunner, faults: Faults, ...numbers: number[]): Promise<unknown> {
  const next = numbers[Symbol.iterator]();
  const random = (): number => next.next().value ?? Number.NaN;
  return withFaults(runner, faults, random)
    .run(call)
    .catch((error: unknown) => error);
}

describe("faults as text", () => {
  it.each<[string, Faults]>([
    ["throttle=0.1,error=0.01,latency=200", { throttle: 0.1, error: 0.01, latency: 200 }],
    [" drop = 1 ", { drop: 1 }],
    ["latency=100-300", { latency: [100, 300] }],
    ["throttle=0.5,error=0.3,drop=0.2,latency=0.5", { throttle: 0.5, error: 0.3, drop: 0.2, latency: 0.5 }],
    ["throttle=0.1,error=0.2,drop=0.7", { throttle: 0.1, error: 0.2, drop: 0.7 }],
  ])("%s", (text, faults) => {
    expect(parseFaults(text)).toEqual(faults);
  });

  it.each([
    ["", '"" is no fault: write throttle=0.1,latency=100-300'],
    ["throttle", '"throttle" is no fault'],
    ["throttle=", '"throttle=" is no fault'],
    ["throttle=0.1,", '"" is no fault'],
    ["throttle=1=2", '"throttle=1=2" is no fault'],
    ["throttle=0.1,throttle=0.2", "the fault throttle is given twice"],
    ["throtle=0.1", 'there is no fault "throtle". There are: drop, error, latency, throttle'],
    ["__proto__=1", 'there is no fault "__proto__"'],
    ["throttle=2", "the fault throttle has to be a share of all calls, 0 to 1"],
    ["error=-0.1", "the fault error has to be a share of all calls, 0 to 1"],
    ["drop=10%", "the fault drop has to be a share of all calls, 0 to 1"],
    ["throttle=0.6,drop=0.6", "the faults throttle, error, drop can't make more than 1 together, and make 1.2"],
    ["latency=soon", "the fault latency has to be milliseconds, 200, or a range of them, 100-300"],
    ["latency=-5", "the fault latency has to be milliseconds"],
    ["latency=300-100", "the fault latency has to be milliseconds"],
    ["latency=3000000000", "the fault latency has to be milliseconds"],
  ])("%s is refused", (text, message) => {
    expect(() => parseFaults(text)).toThrow(ConfigurationError);
    expect(() => parseFaults(text)).toThrow(message);
  });

  it.each([
    [null, "faults have to be an object"],
    [{ latency: [1, 2, 3] }, "the fault latency has to be milliseconds, 200, or a range of them, [100, 300]"],
    [{ latency: [] }, "the fault latency has to be milliseconds"],
    [{ latency: "100-300" }, "the fault latency has to be milliseconds"],
    [{ throttle: "0.1" }, "the fault throttle has to be a share"],
  ])("as an object: %j is refused", (value, message) => {
    expect(() => checkFaults(value)).toThrow(message);
  });
});

describe("a function with faults", () => {
  const faults: Faults = { throttle: 0.25, error: 0.25, drop: 0.25 };

  it("is refused with a 429 before it runs", async () => {
    for (const at of [0, 0.2499]) {
      const runner = makeRunner();
      const error = await once(runner, faults, at);
      expect(error).toBeInstanceOf(ApiError);
      expect(error).toMatchObject({
        status: 429,
        name: "TooManyRequestsException",
        body: { Reason: "CallerRateLimitExceeded", Type: "User", message: "Rate exceeded" },
      });
      expect(runner.runs).toBe(0);
    }
  });

  it("answers a 500, of which nobody can tell whether it ran: it did in half of them", async () => {
    for (const [at, runs] of [
      [0.25, 0],
      [0.3749, 0],
      [0.375, 1],
      [0.4999, 1],
    ] as const) {
      const runner = makeRunner();
      expect(await once(runner, faults, at)).toMatchObject({
        status: 500,
        name: "ServiceException",
        body: { Type: "Service" },
      });
      expect(runner.runs).toBe(runs);
    }
  });

  it("loses the connection after it ran", async () => {
    for (const at of [0.5, 0.7499]) {
      const runner = makeRunner();
      expect(await once(runner, faults, at)).toBeInstanceOf(ConnectionFault);
      expect(runner.runs).toBe(1);
    }
  });

  it("is left alone otherwise", async () => {
    const runner = makeRunner();
    expect(await once(runner, faults, 0.75)).toEqual({ payload: Buffer.from('"done"') });
    expect(await once(runner, {}, 0)).toEqual({ payload: Buffer.from('"done"') });
    expect(runner.runs).toBe(2);
  });

  it("streams to its end before its answer is lost, even to a bad one", async () => {
    for (const fails of [false, true]) {
      const read: number[] = [];
      async function* stream(): AsyncGenerator<Uint8Array, undefined> {
        for (const byte of [1, 2, 3]) {
          read.push(byte);
          yield Uint8Array.of(byte);
        }
        if (fails) throw new Error("the rest is lost");
        return undefined;
      }
      expect(await once(makeRunner(stream()), { drop: 1 }, 0)).toBeInstanceOf(ConnectionFault);
      expect(read).toEqual([1, 2, 3]);
    }
  });

  it("keeps its version, and is closed with it", async () => {
    const runner = makeRunner();
    const faulty = withFaults(runner, faults);
    expect(faulty.version).toBe("7");
    await faulty.close();
    expect(runner.closed).toBe(1);
  });

  it("meets each fault as often as it is asked to", async () => {
    const faulty = withFaults(makeRunner(), { throttle: 0.5, drop: 0.5 });
    const outcomes = await Promise.all(
      Array.from({ length: 400 }, () => faulty.run(call).catch((error: Error) => error.name)),
    );
    const throttled = outcomes.filter((name) => name === "TooManyRequestsException").length;
    expect(outcomes.filter((name) => name === "ConnectionFault")).toHaveLength(400 - throttled);
    // Ten standard deviations.
    expect(Math.abs(throttled - 200)).toBeLessThan(100);
  });
});

describe("latency", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("comes before the function runs, and before a refusal", async () => {
    const runner = makeRunner();
    const result = once(runner, { latency: 200 }, 0);
    await vi.advanceTimersByTimeAsync(199);
    expect(runner.runs).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(await result).toEqual({ payload: Buffer.from('"done"') });

    let refusal: unknown;
    void once(runner, { latency: [100, 300], throttle: 1 }, 0, 0.5).then((error) => {
      refusal = error;
    });
    await vi.advanceTimersByTimeAsync(199);
    expect(refusal).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(refusal).toMatchObject({ status: 429 });
    expect(runner.runs).toBe(1);
  });

  it("ends with the signal's own reason, and the function does not run", async () => {
    const controller = new AbortController();
    const runner = makeRunner();
    const result = withFaults(runner, { latency: 1000 }).run(call, controller.signal);
    const reason = new Error("enough");
    controller.abort(reason);
    await expect(result).rejects.toBe(reason);
    expect(vi.getTimerCount()).toBe(0);
    await expect(withFaults(runner, { latency: 1 }).run(call, controller.signal)).rejects.toBe(reason);
    expect(runner.runs).toBe(0);
  });
});
