import { createHook } from "node:async_hooks";
import { getEventListeners } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ConfigurationError, InvokeError, type InvokeErrorDetails } from "../../src/errors.ts";
import type { AwsSettings } from "../../src/invoke/aws.ts";
import type { AwsCredentials } from "../../src/invoke/credentials.ts";
import type {
  Invocation,
  InvocationResult,
  Invoker,
  Progress,
  RetryInfo,
  RetryPolicy,
} from "../../src/invoke/invoker.ts";
import { createRetries, type Retries, readRetryAfter, retryInvoker, startProgress } from "../../src/invoke/retry.ts";
import type { LambdaResponse } from "../../src/response.ts";
import { Session } from "../../src/session.ts";
import { breaks, type Fault, type FaultyLambda, faultyLambda, refusal, result } from "../support/faulty-lambda.ts";

const URL_OF_APP = "http+lambda://app/";
const request = { method: "GET", url: URL_OF_APP };
const target = { functionName: "app" };
const OK = result({ statusCode: 200 });
const THROTTLED = refusal(429, "TooManyRequestsException");
const LOST = breaks("lost", true);

const closers: (() => unknown)[] = [];
let before: NodeJS.ProcessEnv;
beforeEach(() => {
  before = { ...process.env };
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
  Object.assign(process.env, before);
});

const LOST_ERROR: InvokeErrorDetails = { code: "ECONNRESET", outcome: "unknown" };
const THROTTLED_ERROR: InvokeErrorDetails = { code: "TooManyRequestsException", status: 429, outcome: "not-started" };
const ANSWER: InvocationResult = { payload: Buffer.from('{"statusCode":200}') };

function invocation(given: Partial<Invocation> = {}): Invocation {
  const retry = { attempts: 1000, maxDelay: 0 };
  return { target, request, payload: Buffer.from("{}"), logs: false, repeatable: true, retry, ...given };
}

/** An invoker that fails with each of these in turn, then succeeds; `calls` counts. */
function failing(...failures: readonly InvokeErrorDetails[]): Invoker & { calls: number } {
  const inner = {
    calls: 0,
    async invoke() {
      const details = failures[inner.calls++];
      if (details !== undefined) throw new InvokeError("no", details);
      return ANSWER;
    },
  };
  return inner;
}

/** The same around it, without a wait. */
const retried = (inner: Invoker, retries = createRetries(undefined, () => 0)): Invoker => retryInvoker(inner, retries);

/** Reads the delay without waiting for it: the hook ends the retry. */
async function delayOf(
  retries: Retries,
  failure: Pick<Parameters<Retries["next"]>[1], "kind" | "attempt" | "retryAfter">,
  policy: Partial<RetryPolicy> = {},
): Promise<number> {
  let delay = Number.NaN;
  const onRetry = (retry: RetryInfo): never => {
    delay = retry.delay;
    throw new Error("read");
  };
  const whole = { attempts: 100, maxDelay: 1e9, ...policy, onRetry };
  await expect(retries.next(whole, { request, target, ...failure })).rejects.toThrow("read");
  return delay;
}

describe("the wait", () => {
  const certain = (random: number): Retries => createRetries(undefined, () => random);

  // floor(random · min(base · 2^i, 20 s)): the SDKs' standard mode of 2026.
  test.each<["transient" | "throttling" | "correction", attempt: number, random: number, delay: number]>([
    ["transient", 1, 0.999, 49],
    ["transient", 1, 0.5, 25],
    ["transient", 1, 0, 0],
    ["transient", 2, 0.5, 50],
    ["transient", 3, 0.5, 100],
    ["transient", 9, 0.5, 6400],
    ["transient", 10, 0.5, 10_000],
    ["transient", 80, 0.5, 10_000],
    ["throttling", 1, 0.5, 500],
    ["throttling", 2, 0.5, 1000],
    ["throttling", 5, 0.5, 8000],
    ["throttling", 6, 0.5, 10_000],
    ["throttling", 1, 0.999, 999],
    ["correction", 1, 0.999, 0],
  ])("%s, after attempt %i, at random %f: %i ms", async (kind, attempt, random, delay) => {
    expect(await delayOf(certain(random), { kind, attempt })).toBe(delay);
  });

  test.each([
    // max(delay, min(hint, delay + 5 s))
    [10, 25],
    [25, 25],
    [1000, 1000],
    [5025, 5025],
    [60_000, 5025],
    [0, 25],
  ])("a hint of %i ms makes it %i ms", async (retryAfter, delay) => {
    expect(await delayOf(certain(0.5), { kind: "transient", attempt: 1, retryAfter })).toBe(delay);
  });

  test("maxDelay is the most, whatever a server says", async () => {
    const failure = { kind: "throttling", attempt: 4, retryAfter: 60_000 } as const;
    expect(await delayOf(certain(0.5), failure, { maxDelay: 3000 })).toBe(3000);
    expect(await delayOf(certain(0.5), failure, { maxDelay: 0 })).toBe(0);
  });

  test("is random by default", async () => {
    const delays = new Set<number>();
    for (let i = 0; i < 20; i++) delays.add(await delayOf(createRetries(), { kind: "throttling", attempt: 4 }));
    expect(delays.size).toBeGreaterThan(5);
    for (const delay of delays) expect(delay).toBeLessThan(8000);
  });
});

describe("Retry-After", () => {
  afterEach(() => void vi.useRealTimers());

  test.each<[string | null | undefined, number | undefined]>([
    ["3", 3000],
    ["0", 0],
    ["Tue, 24 Nov 2026 10:00:07 GMT", 7000],
    ["Tue, 24 Nov 2026 09:59:59 GMT", undefined],
    ["soon", undefined],
    ["-1", undefined],
    ["", undefined],
    [null, undefined],
    [undefined, undefined],
  ])("%j is %j ms", (value, milliseconds) => {
    vi.useFakeTimers({ toFake: ["Date"], now: new Date("2026-11-24T10:00:00Z") });
    expect(readRetryAfter(value)).toBe(milliseconds);
  });

  test.each([
    [{ "Retry-After": "2" }, 2000],
    [{ "x-amz-retry-after": "1500" }, 1500],
    [{ "x-amz-retry-after": "soon" }, undefined],
  ])("of Lambda's answer: %j", async (headers, milliseconds) => {
    const { endpoint } = await lambda(refusal(429, "TooManyRequestsException", headers));
    const delays: number[] = [];
    const onRetry = ({ error, delay }: RetryInfo): never => {
      expect(error?.retryAfter).toBe(milliseconds);
      delays.push(delay);
      throw error;
    };
    await failure(session({ endpoint }, { hooks: { onRetry } }).get(URL_OF_APP));
    if (milliseconds !== undefined) expect(delays[0]).toBeGreaterThanOrEqual(milliseconds);
  });
});

describe("the quota", () => {
  const policy = { attempts: 1e6, maxDelay: 0 };
  const failureOf = (kind: "transient" | "throttling" | "correction") => ({ request, target, attempt: 1, kind });

  /** How many retries there are left. */
  async function drain(retries: Retries, kind: "transient" | "throttling"): Promise<number> {
    let count = 0;
    while ((await retries.next(policy, failureOf(kind))) !== undefined) count++;
    return count;
  }

  test("holds 35 retries, or 100 after throttled calls", async () => {
    expect(
      await drain(
        createRetries(undefined, () => 0),
        "transient",
      ),
    ).toBe(35);
    expect(
      await drain(
        createRetries(undefined, () => 0),
        "throttling",
      ),
    ).toBe(100);
  });

  test("a retry says what it took, and gets that back when it succeeds", async () => {
    const retries = createRetries(undefined, () => 0);
    await drain(retries, "transient");
    for (const [kind, cost] of [
      ["transient", 14],
      ["throttling", 5],
    ] as const) {
      retries.refund(cost);
      expect(await retries.next(policy, failureOf(kind))).toBe(cost);
    }
    expect(await retries.next(policy, failureOf("correction"))).toBe(0);
  });

  test("never holds more than it began with", async () => {
    const retries = createRetries(undefined, () => 0);
    retries.refund(1000);
    expect(await drain(retries, "throttling")).toBe(100);
  });

  test("a first success gives one back, a retry that succeeds what it had taken", async () => {
    const retries = createRetries(undefined, () => 0);
    let failures = 0;
    const inner: Invoker = {
      async invoke() {
        if (failures-- > 0) throw new InvokeError("lost", { code: "ECONNRESET", outcome: "unknown" });
        return { payload: Buffer.from("{}") };
      },
    };
    const invoker = retryInvoker(inner, retries);
    await drain(retries, "transient"); // 500 - 35 · 14 = 10 left
    await invoker.invoke(invocation());
    await invoker.invoke(invocation());
    await invoker.invoke(invocation());
    expect(await drain(retries, "transient")).toBe(0); // 13
    await invoker.invoke(invocation()); // 14
    failures = 1;
    expect((await invoker.invoke(invocation())).attempts).toBe(2);
    failures = 1;
    expect((await invoker.invoke(invocation())).attempts).toBe(2);
    failures = 2;
    await expect(invoker.invoke(invocation())).rejects.toMatchObject({ attempts: 2 });
  });

  test("of two retries only what the last one took comes back", async () => {
    const retries = createRetries(undefined, () => 0);
    await retried(failing(LOST_ERROR, THROTTLED_ERROR), retries).invoke(invocation());
    // 500 - 14 - 5 + 5.
    expect(await drain(retries, "throttling")).toBe(97);
  });

  test("a call that is not sent again takes nothing", async () => {
    const retries = createRetries(undefined, () => 0);
    for (let call = 0; call < 40; call++) {
      await failure(retried(failing(LOST_ERROR), retries).invoke(invocation({ repeatable: false })));
      await failure(retried(failing(LOST_ERROR), retries).invoke(invocation({ retry: { attempts: 1, maxDelay: 0 } })));
    }
    expect(await drain(retries, "transient")).toBe(35);
  });

  test("a correction needs none", async () => {
    const retries = createRetries(undefined, () => 0);
    await drain(retries, "throttling");
    const expired: InvokeErrorDetails = { code: "ExpiredTokenException", status: 403, outcome: "not-started" };
    expect((await retried(failing({ ...expired, corrected: "clock" }), retries).invoke(invocation())).attempts).toBe(2);
  });
});

async function lambda(...script: [Fault, ...Fault[]]): Promise<FaultyLambda> {
  const server = await faultyLambda(...script);
  closers.push(() => server.close());
  return server;
}

const KEYS: AwsCredentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" };

function session(settings: AwsSettings, options: ConstructorParameters<typeof Session>[0] = {}): Session {
  const made = new Session({ region: "eu-west-1", credentials: KEYS, ...settings, ...options });
  closers.push(() => made.close());
  return made;
}

async function failure(call: Promise<unknown>): Promise<InvokeError> {
  const error: unknown = await call.then(
    () => new Error("it was answered"),
    (reason: unknown) => reason,
  );
  if (error instanceof InvokeError) return error;
  throw error;
}

describe("which failures are followed by another attempt", () => {
  const notStarted = (code: string, status?: number): InvokeErrorDetails => ({ code, status, outcome: "not-started" });

  test.each<[InvokeErrorDetails, "always" | "if repeatable" | "never"]>([
    [THROTTLED_ERROR, "always"],
    [notStarted("HTTP_429", 429), "always"],
    [notStarted("EC2ThrottledException", 502), "always"],
    [notStarted("ENINotReadyException", 502), "always"],
    [notStarted("ResourceNotReadyException", 502), "always"],
    [notStarted("SnapStartNotReadyException", 409), "always"],
    ...[
      "ECONNREFUSED",
      "ECONNRESET",
      "EPIPE",
      "ETIMEDOUT",
      "EHOSTUNREACH",
      "ENETUNREACH",
      "ENOTFOUND",
      "EAI_AGAIN",
    ].map((code): [InvokeErrorDetails, "always"] => [notStarted(code), "always"]),
    [LOST_ERROR, "if repeatable"],
    [{ code: "HPE_INVALID_CONSTANT", outcome: "unknown" }, "if repeatable"],
    [{ code: "ServiceException", status: 500, outcome: "unknown" }, "if repeatable"],
    [{ code: "HTTP_502", status: 502, outcome: "unknown" }, "if repeatable"],
    // Not one of Invoke's own, but under a name of AWS's; who may be invoked twice may be asked twice.
    [notStarted("ServiceUnavailableException", 503), "if repeatable"],
    [notStarted("GatewayTimeoutException", 504), "if repeatable"],
    [notStarted("DEPTH_ZERO_SELF_SIGNED_CERT"), "never"],
    [notStarted("ERR_TLS_CERT_ALTNAME_INVALID"), "never"],
    [notStarted("CERT_HAS_EXPIRED"), "never"],
    [notStarted("AccessDeniedException", 403), "never"],
    [notStarted("ExpiredTokenException", 403), "never"],
    [notStarted("ResourceNotFoundException", 404), "never"],
    [notStarted("InvalidZipFileException", 502), "never"],
    [notStarted("KMSDisabledException", 502), "never"],
    [{ code: "ERR_ANSWER_TOO_LARGE", outcome: "completed" }, "never"],
    // Whatever it says besides: what has run, has run.
    [{ ...THROTTLED_ERROR, outcome: "completed" }, "never"],
    [notStarted("ERR_CLOSED"), "never"],
    [{ code: "ERR_CLOSED", outcome: "unknown" }, "never"],
  ])("%j: %s", async (details, again) => {
    for (const repeatable of [true, false]) {
      const inner = failing(details);
      const call = retried(inner).invoke(invocation({ repeatable }));
      await call.catch(() => undefined);
      const isRetried = again === "always" || (again === "if repeatable" && repeatable);
      expect([repeatable, inner.calls]).toEqual([repeatable, isRetried ? 2 : 1]);
    }
  });

  test("each correction once a call", async () => {
    const expired = { ...notStarted("ExpiredTokenException", 403), corrected: "credentials" } as const;
    const skewed = { ...notStarted("InvalidSignatureException", 403), corrected: "clock" } as const;
    for (const [failures, calls] of [
      [[expired], 2],
      [[expired, expired], 2],
      [[expired, skewed], 3],
      [[skewed, expired, skewed], 3],
      [[expired, THROTTLED_ERROR, expired], 3],
    ] as [InvokeErrorDetails[], number][]) {
      const inner = failing(...failures);
      const invoker = retried(inner);
      // A call that may be made once only may as well be made once again, for it was refused.
      await invoker.invoke(invocation({ repeatable: false })).catch(() => undefined);
      expect(inner.calls).toBe(calls);
    }
    const once = failing(expired);
    const retry = { attempts: 1, maxDelay: 0 };
    expect(await failure(retryInvoker(once, createRetries()).invoke(invocation({ retry })))).toMatchObject(expired);
    expect(once.calls).toBe(1);
  });

  test("none without a policy, nor for an aborted call", async () => {
    const { retry: _none, ...without } = invocation();
    const inner = failing(THROTTLED_ERROR);
    expect(await failure(retryInvoker(inner, createRetries()).invoke(without))).toMatchObject({ attempts: 1 });
    const aborted = AbortSignal.abort();
    await failure(retryInvoker(failing(THROTTLED_ERROR), createRetries()).invoke(invocation(), aborted));
    expect(inner.calls).toBe(1);
  });
});

describe("an invoker around an invoker", () => {
  test("counts the attempts, its own and those that the inner one has made", async () => {
    const retries = createRetries(undefined, () => 0);
    const plain = await retryInvoker(failing(LOST_ERROR, THROTTLED_ERROR), retries).invoke(invocation());
    expect(plain).toEqual({ ...ANSWER, attempts: 3 });
    let calls = 0;
    const busy: Invoker = {
      async invoke() {
        if (++calls === 1) throw new InvokeError("no", { ...LOST_ERROR, attempts: 2 });
        return { ...ANSWER, attempts: 2 };
      },
    };
    expect(await retryInvoker(busy, retries).invoke(invocation())).toMatchObject({ attempts: 4 });
  });

  test("an error that an invoker keeps is new to each call", async () => {
    const same = new InvokeError("slow down", THROTTLED_ERROR);
    let calls = 0;
    const inner: Invoker = {
      async invoke() {
        calls++;
        throw same;
      },
    };
    const invoker = retried(inner);
    for (let call = 1; call <= 3; call++) {
      const retry = { attempts: 3, maxDelay: 0 };
      expect(await failure(invoker.invoke(invocation({ retry })))).toBe(same);
      expect([same.attempts, calls]).toEqual([3, 3 * call]);
    }
  });

  test("a failure of unknown outcome that another call had is none of this one's", async () => {
    const same = new InvokeError("slow down", THROTTLED_ERROR);
    let next: InvokeError | undefined = new InvokeError("lost", LOST_ERROR);
    const inner: Invoker = {
      async invoke() {
        const error = next ?? same;
        next = undefined;
        throw error;
      },
    };
    const invoker = retried(inner);
    const retry = { attempts: 2, maxDelay: 0 };
    expect((await failure(invoker.invoke(invocation({ retry })))).outcome).toBe("unknown");
    expect((await failure(invoker.invoke(invocation({ retry })))).outcome).toBe("not-started");
  });

  test("says at every moment what is certain", async () => {
    const progress = startProgress();
    const moments: [string, Progress][] = [];
    const note = (name: string): void => void moments.push([name, { ...progress }]);
    const script = [THROTTLED_ERROR, LOST_ERROR, undefined];
    const inner: Invoker = {
      async invoke() {
        note("under way");
        const details = script.shift();
        if (details !== undefined) throw new InvokeError("no", details);
        return ANSWER;
      },
    };
    const retry = { attempts: 3, maxDelay: 0, onRetry: () => note("waits") };
    await retryInvoker(inner, createRetries()).invoke(invocation({ progress, retry }));
    expect(moments).toEqual([
      ["under way", { attempts: 1, mayHaveRun: false, sent: true }],
      ["waits", { attempts: 1, mayHaveRun: false, sent: false }],
      ["under way", { attempts: 2, mayHaveRun: false, sent: true }],
      ["waits", { attempts: 2, mayHaveRun: true, sent: false }],
      ["under way", { attempts: 3, mayHaveRun: true, sent: true }],
    ]);
  });
});

describe("how often", () => {
  const attemptsOf = async (settings: AwsSettings = {}): Promise<number> => {
    const { endpoint, counts } = await lambda(LOST);
    await failure(session({ endpoint, ...settings }, { retry: { maxDelay: 0 } }).get(URL_OF_APP));
    return counts.requests;
  };

  test("three times by default, and as AWS_MAX_ATTEMPTS says", async () => {
    expect(await attemptsOf()).toBe(3);
    process.env.AWS_MAX_ATTEMPTS = "5";
    expect(await attemptsOf()).toBe(5);
    process.env.AWS_MAX_ATTEMPTS = " ";
    expect(await attemptsOf()).toBe(3);
  });

  test("as the profile's max_attempts says, below the variable", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lambda-requests-retry-"));
    closers.push(() => rmSync(folder, { recursive: true }));
    process.env.AWS_CONFIG_FILE = join(folder, "config");
    writeFileSync(process.env.AWS_CONFIG_FILE, "[default]\nmax_attempts = 2\n[profile busy]\nmax_attempts = 4\n");
    expect(await attemptsOf()).toBe(2);
    expect(await attemptsOf({ profile: "busy" })).toBe(4);
    process.env.AWS_MAX_ATTEMPTS = "1";
    expect(await attemptsOf({ profile: "busy" })).toBe(1);
    writeFileSync(process.env.AWS_CONFIG_FILE, "[default]\nmax_attempts = many\n");
    delete process.env.AWS_MAX_ATTEMPTS;
    await expect(attemptsOf()).rejects.toThrow(
      'max_attempts of the profile has to be a whole number above 0, not "many"',
    );
  });

  test.each(["0", "-1", "1.5", "three", "1e3"])(
    "AWS_MAX_ATTEMPTS=%s is refused before anything is sent",
    async (value) => {
      process.env.AWS_MAX_ATTEMPTS = value;
      const { endpoint, counts } = await lambda(OK);
      await expect(session({ endpoint }).get(URL_OF_APP)).rejects.toMatchObject({
        name: "ConfigurationError",
        message: `GET ${URL_OF_APP}: AWS_MAX_ATTEMPTS has to be a whole number above 0, not ${JSON.stringify(value)}`,
      });
      expect(counts.requests).toBe(0);
    },
  );

  test("an invoker of a user's own needs no profile, and a broken one does not hide its failure", async () => {
    process.env.AWS_PROFILE = "nobody";
    const lost = new InvokeError("lost", { code: "ECONNRESET", outcome: "unknown" });
    const invoke = async (): Promise<InvocationResult> => {
      throw lost;
    };
    const one = new Session({ invoker: { invoke }, retry: { maxDelay: 0 } });
    expect(await failure(one.get(URL_OF_APP))).toBe(lost);
    expect(lost.attempts).toBe(3);
  });

  test("the environment is asked once, and not before a call fails", async () => {
    let asked = 0;
    const retries = createRetries(
      async () => {
        asked++;
        return 2;
      },
      () => 0,
    );
    const call = (...failures: InvokeErrorDetails[]) =>
      retryInvoker(failing(...failures), retries).invoke(invocation({ retry: { maxDelay: 0 } }));
    await call();
    await retryInvoker(failing(LOST_ERROR), retries).invoke(invocation());
    expect(asked).toBe(0);
    for (let round = 0; round < 2; round++) {
      expect(await failure(call(LOST_ERROR, LOST_ERROR))).toMatchObject({ attempts: 2 });
    }
    expect(asked).toBe(1);
  });
});

describe("while a call waits for its next attempt", () => {
  /** The timers that retry.ts sets from now on and that are still there. */
  function watchTimers(): Set<number> {
    const running = new Set<number>();
    const hook = createHook({
      init(id, type) {
        if (type === "Timeout" && /[\\/]src[\\/]invoke[\\/]retry\.ts/.test(new Error().stack ?? "")) running.add(id);
      },
      destroy: (id) => void running.delete(id),
    }).enable();
    closers.push(() => hook.disable());
    return running;
  }

  test("an abort ends it at once, with the signal's own reason; no timer and no listener stay", async () => {
    const inner = failing({ ...THROTTLED_ERROR, retryAfter: 60_000 });
    const controller = new AbortController();
    const timers = watchTimers();
    let isWaiting: () => void = () => {};
    const waiting = new Promise<void>((resolve) => {
      isWaiting = resolve;
    });
    const retry = { attempts: 2, maxDelay: 60_000, onRetry: () => isWaiting() };
    const call = retryInvoker(inner, createRetries()).invoke(invocation({ retry }), controller.signal);
    call.catch(() => undefined);
    await waiting;
    await setImmediate();
    expect(timers.size).toBe(1);
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(1);
    const reason = { not: "even an error" };
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
    // Node tells of their end a little later; one that is left would run for 5 s.
    await expect.poll(() => timers.size).toBe(0);
    expect(inner.calls).toBe(1);
  });

  test("an abort from onRetry itself, and one while that is at work", async () => {
    for (const isLate of [false, true]) {
      const controller = new AbortController();
      const reason = new Error("enough");
      const inner = failing(THROTTLED_ERROR);
      const onRetry = async (): Promise<void> => {
        if (isLate) await setImmediate();
        controller.abort(reason);
      };
      const retry = { attempts: 2, maxDelay: 60_000, onRetry };
      const call = retryInvoker(inner, createRetries()).invoke(invocation({ retry }), controller.signal);
      await expect(call).rejects.toBe(reason);
      expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
      expect(inner.calls).toBe(1);
    }
  });

  const slow = { "Retry-After": "5" };
  const throttled = refusal(429, "TooManyRequestsException", slow);
  const broken = { ...refusal(500, "ServiceException", slow), runs: true };
  test.each<[string, [Fault, ...Fault[]], string, number, RegExp]>([
    ["a throttled POST", [throttled], "POST", 1, /^not-started, .* nothing was sent$/],
    ["a GET that may have run", [broken], "GET", 1, /^unknown, .* the function may still be running$/],
    ["a GET that was lost, and throttled then", [breaks("lost", true), throttled], "GET", 2, /^unknown, /],
  ])("a timeout says what is certain: %s", async (_, script, method, attempts, expected) => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    closers.push(() => vi.useRealTimers());
    const { endpoint, counts } = await lambda(...script);
    let waits = 0;
    let isWaiting: () => void = () => {};
    const waiting = new Promise<void>((resolve) => {
      isWaiting = resolve;
    });
    const onRetry = (): void => void (++waits === script.length && isWaiting());
    const one = session({ endpoint }, { retry: { maxDelay: 60_000 }, hooks: { onRetry } });
    const call = failure(one.request(method, URL_OF_APP, { timeout: 3_000 }));
    await waiting;
    await setImmediate();
    vi.advanceTimersByTime(3_000);
    const error = await call;
    expect(error).toMatchObject({ name: "TimeoutError", attempts });
    expect(`${error.outcome}, ${error.message}`).toMatch(expected);
    expect(counts.requests).toBe(attempts);
  });
});

const EXPIRED = refusal(
  403,
  "ExpiredTokenException",
  {},
  { message: "The security token included in the request is expired" },
);
const keyOf = (head: string): string | undefined => /Credential=([^/]+)\//.exec(head)?.[1];

describe("credentials that AWS calls expired", () => {
  function renewing(): { credentials: (options?: { forceRefresh?: boolean }) => AwsCredentials; asked: unknown[] } {
    const asked: unknown[] = [];
    const credentials = (options?: { forceRefresh?: boolean }): AwsCredentials => {
      asked.push(options);
      return {
        accessKeyId: `KEY${asked.length}`,
        secretAccessKey: "secret",
        expiration: new Date(Date.now() + 3_600_000),
      };
    };
    return { credentials, asked };
  }

  test("are asked for anew, and the call is signed with them, whatever its method", async () => {
    const { endpoint, heads, counts } = await lambda(EXPIRED, OK);
    const { credentials, asked } = renewing();
    const one = session({ endpoint, credentials });
    const response = (await one.post(URL_OF_APP)) as LambdaResponse;
    expect([response.status, response.invocation.attempts, counts.runs]).toEqual([200, 2, 1]);
    expect(heads.map(keyOf)).toEqual(["KEY1", "KEY2"]);
    expect(asked).toEqual([undefined, { forceRefresh: true }]);
    await one.post(URL_OF_APP);
    expect(keyOf(heads[2] as string)).toBe("KEY2");
    expect(asked).toHaveLength(2);
  });

  test("once a call", async () => {
    const { endpoint, counts } = await lambda(EXPIRED);
    const { credentials } = renewing();
    const error = await failure(session({ endpoint, credentials }, { retry: { attempts: 5 } }).get(URL_OF_APP));
    expect(error).toMatchObject({ code: "ExpiredTokenException", outcome: "not-started", attempts: 2 });
    expect(error.corrected).toBe("credentials");
    expect(counts.requests).toBe(2);
  });

  test("not where they are given once and for all, and not with retry: false", async () => {
    const { endpoint, counts } = await lambda(EXPIRED);
    const error = await failure(session({ endpoint }).get(URL_OF_APP));
    expect(error.attempts).toBe(1);
    expect(error).not.toHaveProperty("corrected");
    const { credentials, asked } = renewing();
    await failure(session({ endpoint, credentials }, { retry: false }).get(URL_OF_APP));
    expect(counts.requests).toBe(2);
    expect(asked).toHaveLength(1);
  });

  test("once for all calls that are told so together", async () => {
    // All eight are refused before any of them can be sent again.
    const held: Socket[] = [];
    const together: Fault = {
      ...EXPIRED,
      answer(socket) {
        held.push(socket);
        if (held.length === 8) for (const one of held) EXPIRED.answer(one);
      },
    };
    const { endpoint, heads } = await lambda(...(Array(8).fill(together) as [Fault]), OK);
    const { credentials, asked } = renewing();
    const one = session({ endpoint, credentials });
    const responses = await Promise.all(Array.from({ length: 8 }, () => one.post(URL_OF_APP)));
    expect(responses.map(({ status }) => status)).toEqual(Array(8).fill(200));
    expect(asked).toHaveLength(2);
    expect(heads.map(keyOf).filter((key) => key === "KEY2")).toHaveLength(8);
  });

  test("a second one ends the call, and the next call asks again", async () => {
    const server = await lambda(EXPIRED, EXPIRED, OK);
    const { asked, credentials } = renewing();
    const one = session({ endpoint: server.endpoint }, { credentials });
    expect(await failure(one.get(URL_OF_APP))).toMatchObject({
      code: "ExpiredTokenException",
      outcome: "not-started",
      attempts: 2,
    });
    expect((await one.get(URL_OF_APP)).status).toBe(200);
    expect(server.heads.map(keyOf)).toEqual(["KEY1", "KEY2", "KEY3"]);
    expect(asked).toEqual([undefined, { forceRefresh: true }, { forceRefresh: true }]);
  });

  test("what the function that gives keys says then is the call's error", async () => {
    const server = await lambda(EXPIRED, OK);
    let asked = 0;
    const credentials = (): AwsCredentials => {
      if (++asked === 2) throw new Error("log in first");
      return { accessKeyId: "KEY1", secretAccessKey: "secret" };
    };
    const call = session({ endpoint: server.endpoint }, { credentials }).get(URL_OF_APP);
    await expect(call).rejects.toThrow(/the function in the option `credentials` failed: log in first/);
    await expect(call).rejects.toThrow(ConfigurationError);
    expect(server.counts.requests).toBe(1);
  });

  test("one that is told so after another had it renewed takes what is there", async () => {
    let tellLate: () => void = () => {};
    const late: Fault = {
      ...EXPIRED,
      answer(socket) {
        tellLate = () => EXPIRED.answer(socket);
      },
    };
    const server = await lambda(late, EXPIRED, OK);
    const { asked, credentials } = renewing();
    const one = session({ endpoint: server.endpoint }, { credentials });
    const first = one.post(URL_OF_APP);
    await expect.poll(() => server.counts.requests).toBe(1);
    await one.post(URL_OF_APP);
    tellLate();
    expect((await first).status).toBe(200);
    expect(server.heads.map(keyOf)).toEqual(["KEY1", "KEY1", "KEY2", "KEY2"]);
    expect(asked).toHaveLength(2);
  });
});

describe("a clock that is wrong", () => {
  const skewed = (seconds: number, headers: Record<string, string> = {}): Fault => {
    const date = new Date(Date.now() + seconds * 1000).toUTCString();
    return refusal(403, "InvalidSignatureException", { Date: date, ...headers }, { message: "Signature mismatch" });
  };
  const dateOf = (head: string | undefined): number => {
    const [, year, month, day, hour, minute, second] =
      /x-amz-date: (\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/i.exec(head ?? "") ?? [];
    return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  };

  test.each([600, -600, 86_400])("by %i s is corrected once, and stays so", async (seconds) => {
    const { endpoint, heads, counts } = await lambda(skewed(seconds), OK);
    const one = session({ endpoint });
    const response = (await one.post(URL_OF_APP)) as LambdaResponse;
    expect([response.status, response.invocation.attempts, counts.runs]).toEqual([200, 2, 1]);
    await one.post(URL_OF_APP);
    const offsets = heads.map((head) => Math.round((dateOf(head) - Date.now()) / 1000));
    expect(Math.abs(offsets[0] as number)).toBeLessThan(5);
    for (const offset of offsets.slice(1)) expect(Math.abs(offset - seconds)).toBeLessThan(5);
  });

  test.each<[string, Fault]>([
    ["by less than four minutes", skewed(230)],
    ["as a cache tells it", skewed(600, { Age: "600" })],
    ["said in no date", refusal(403, "InvalidSignatureException", { Date: "yesterday" })],
    [
      "of a server that failed",
      {
        ...skewed(600),
        answer: breaks("", false, "HTTP/1.1 500 X\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n")
          .answer,
      },
    ],
  ])("%s is left as it is", async (_name, fault) => {
    const { endpoint, counts } = await lambda(fault, OK);
    const error = await failure(session({ endpoint }).post(URL_OF_APP));
    expect(error).not.toHaveProperty("corrected");
    expect(counts.requests).toBe(1);
  });

  test("from four minutes on, either way", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: new Date("2026-11-24T10:00:00Z") });
    closers.push(() => vi.useRealTimers());
    for (const [seconds, attempts] of [
      [240, 2],
      [239, 1],
      [-240, 2],
      [-239, 1],
    ] as const) {
      const { endpoint, counts } = await lambda(skewed(seconds));
      await failure(session({ endpoint }).post(URL_OF_APP));
      expect([seconds, counts.requests]).toEqual([seconds, attempts]);
    }
  });

  test("that has been set meanwhile is trusted again", async () => {
    const { endpoint, heads } = await lambda(skewed(600), OK, skewed(0), OK);
    const one = session({ endpoint });
    await one.get(URL_OF_APP);
    await one.get(URL_OF_APP);
    const offsets = heads.map((head) => Math.round((dateOf(head) - Date.now()) / 1000));
    for (const [index, seconds] of [0, 600, 600, 0].entries()) {
      expect(Math.abs((offsets[index] as number) - seconds)).toBeLessThan(5);
    }
  });

  test("once a call: a server whose clock jumps is not followed about", async () => {
    const { endpoint, counts } = await lambda(skewed(600), skewed(-600), skewed(600));
    const error = await failure(session({ endpoint }, { retry: { attempts: 5 } }).post(URL_OF_APP));
    expect(error).toMatchObject({ attempts: 2, corrected: "clock", outcome: "not-started" });
    expect(counts.requests).toBe(2);
  });

  test("a signature that has become too old is made anew", async () => {
    const old = refusal(
      403,
      "InvalidSignatureException",
      {},
      { message: "Signature expired: X is now earlier than Y" },
    );
    const { endpoint, counts } = await lambda(old, OK);
    expect((await session({ endpoint }).post(URL_OF_APP)).status).toBe(200);
    expect(counts.requests).toBe(2);
  });
});

test("each attempt is signed anew", async () => {
  const { endpoint, heads } = await lambda(LOST, OK);
  vi.useFakeTimers({ toFake: ["Date"], now: new Date("2026-11-24T10:00:00Z") });
  closers.push(() => vi.useRealTimers());
  const onRetry = (): void => void vi.setSystemTime("2026-11-24T10:07:00Z");
  await session({ endpoint }, { retry: { maxDelay: 0 }, hooks: { onRetry } }).get(URL_OF_APP);
  const dates = heads.map((head) => /x-amz-date: (\S+)/i.exec(head)?.[1]);
  expect(dates).toEqual(["20261124T100000Z", "20261124T100700Z"]);
  expect(new Set(heads.map((head) => /Signature=(\S+)/.exec(head)?.[1])).size).toBe(2);
});

test("an unused throttle never waits: a success is one attempt", async () => {
  const { endpoint, counts } = await lambda(OK);
  const response = (await session({ endpoint }).get(URL_OF_APP)) as LambdaResponse;
  expect([response.invocation.attempts, counts.requests]).toEqual([1, 1]);
});

test("close and locate are the inner invoker's", async () => {
  const calls: unknown[] = [];
  const inner: Invoker = {
    invoke: async () => ({ payload: Buffer.from("{}") }),
    locate: async (where) => {
      calls.push(where);
      return { region: "eu-west-1" };
    },
    close: async () => void calls.push("closed"),
  };
  const invoker = retryInvoker(inner, createRetries());
  expect(await invoker.locate?.(target)).toEqual({ region: "eu-west-1" });
  await invoker.close?.();
  expect(calls).toEqual([target, "closed"]);
  expect(retryInvoker({ invoke: inner.invoke }, createRetries())).toEqual({ invoke: expect.any(Function) });
});

test("a throttled call waits longer than a lost one", async () => {
  const { endpoint } = await lambda(THROTTLED, OK);
  let delay = 0;
  const onRetry = (retry: RetryInfo): void => {
    delay = retry.delay;
  };
  vi.spyOn(Math, "random").mockReturnValue(0.01);
  closers.push(() => vi.restoreAllMocks());
  await session({ endpoint }, { hooks: { onRetry } }).get(URL_OF_APP);
  expect(delay).toBe(10);
});
