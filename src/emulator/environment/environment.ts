/**
 * One execution environment: the processes of a function, which are started, run one invocation after the other, and end:
 * https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
 */
import { setTimeout as delay } from "node:timers/promises";
import type { InvocationEnd, InvocationResult } from "../../invoke/invoker.ts";
import { functionArn } from "../../target.ts";
import type { FunctionCall } from "../definition.ts";
import { startChild } from "./child.ts";
import {
  exitFailure,
  type Failure,
  initFailure,
  memoryFailure,
  timeoutFailure,
  tooLarge,
  truncated,
} from "./failure.ts";
import { createLog } from "./log.ts";
import { watchMemory } from "./memory-watch.ts";
import { initReportLine, initStartLine, reportLine } from "./report.ts";
import type { ResponseBody } from "./response-body.ts";
import { type Answer, type Exchange, startRuntimeApi } from "./runtime-api.ts";
import type { EnvironmentSettings } from "./settings.ts";
import { streamedPayload, wholeBody } from "./streamed-payload.ts";
import { environmentVariables, newLogStreamName } from "./variables.ts";

/** Lambda lets an environment start for so long outside of the function's own timeout. */
const MAX_INIT = 10_000;
/**
 * How long a result waits for the environment to be free again, so that whoever calls again at once finds it warm. A runtime
 * asks for its next event within a millisecond, unless it works on behind its answer.
 */
const GRACE = 250;

/** An execution environment. */
export interface Environment {
  /** It can be invoked; if it could not start, an invocation says so. */
  readonly ready: Promise<void>;
  /** Its processes are gone. */
  readonly ended: Promise<unknown>;
  isAlive(): boolean;
  /** Only when it has nothing else to do. */
  invoke(call: FunctionCall, signal: AbortSignal | undefined): EnvironmentInvocation;
  /** Ends it, whatever it does. */
  end(): Promise<unknown>;
}

/** What an environment is doing. */
interface EnvironmentInvocation {
  readonly result: Promise<InvocationResult>;
  /** It has nothing to do any more, be it that it has ended. */
  readonly over: Promise<unknown>;
}

interface Died {
  readonly kind: "died";
  readonly failure: Failure;
}

/** What an invocation came to, but for what is known when it is over. */
type Outcome = Pick<InvocationResult, "payload" | "functionError">;

interface Finish {
  readonly logs: string;
}

/** Spawns the processes. They are not ready yet. */
export async function startEnvironment(settings: EnvironmentSettings): Promise<Environment> {
  const { functionName, version, timeout, memorySize, program, quiet } = settings;
  const api = await startRuntimeApi();
  const start = performance.now();
  const logStreamName = newLogStreamName(version);
  const log = createLog({ name: version === "$LATEST" ? functionName : `${functionName}:${version}`, quiet });
  log.append(initStartLine(program));
  const child = startChild(settings, environmentVariables(settings, { runtimeApi: api.address, logStreamName }));
  log.listen(child.stdout, process.stdout);
  log.listen(child.stderr, process.stderr);

  let cause: Failure | undefined;
  const kill = (why: Failure): void => {
    cause ??= why;
    child.kill();
  };
  let death: Died | undefined;
  const mourners = new Set<(death: Died) => void>();
  const died = child.exited.then((exit): Died => {
    api.close();
    death = { kind: "died", failure: cause ?? exitFailure(exit) };
    for (const tell of mourners) tell(death);
    return death;
  });
  /** Not by `Promise.race`: this promise lives as long as the environment, and would hold what each race has come to. */
  function orDied<Value>(work: Promise<Value>): Promise<Value | Died> {
    return new Promise((resolve) => {
      if (death !== undefined) return resolve(death);
      mourners.add(resolve);
      void work.then((value) => {
        mourners.delete(resolve);
        resolve(value);
      });
    });
  }
  const memory = watchMemory(child.pid, memorySize, () => kill(memoryFailure()));
  memory.start();

  /** How much longer it took to start than it may: that is taken from the time of the first invocation. */
  let overtime = 0;
  let initDuration: number | undefined;
  const initTimer = setTimeout(() => kill(timeoutFailure(timeout)), MAX_INIT + timeout);
  void api.initError.then((payload) => kill(initFailure(payload)));
  const ready = Promise.race([api.ready, died]).then((failed) => {
    clearTimeout(initTimer);
    memory.stop();
    void memory.check();
    const duration = performance.now() - start;
    overtime = Math.max(0, duration - MAX_INIT);
    if (overtime > 0) log.append(initReportLine(MAX_INIT, { status: "timeout" }));
    else if (failed) log.append(initReportLine(duration, failed.failure));
    else initDuration = duration;
  });

  function invoke(call: FunctionCall, signal: AbortSignal | undefined): EnvironmentInvocation {
    const { requestId } = call;
    const begin = performance.now() - overtime;
    const first = initDuration;
    initDuration = undefined;
    const left = Math.max(0, timeout - overtime);
    overtime = 0;
    const timer = setTimeout(() => kill(timeoutFailure(timeout)), left);
    log.append(`START RequestId: ${requestId} Version: ${version}`);
    memory.start();
    const exchange = api.deliver({
      requestId,
      payload: call.payload.length === 0 ? Buffer.from("{}") : call.payload,
      deadline: Math.round(Date.now() + left),
      functionArn: functionArn({ region: settings.region, accountId: settings.accountId, ...call.target }),
      traceId: call.traceId,
      clientContext: call.clientContext && Buffer.from(call.clientContext, "base64").toString("utf8"),
      tenantId: call.tenantId,
    });
    const finished = finish();

    async function finish(): Promise<Finish> {
      const failed = await orDied(exchange.over);
      clearTimeout(timer);
      const duration = performance.now() - begin;
      memory.stop();
      await memory.check();
      await log.settle();
      const failure = failed?.failure;
      const line = failure?.line(requestId);
      if (line !== undefined) log.announce(line);
      log.append(`END RequestId: ${requestId}`);
      const memoryUsed = memory.peak;
      log.append(reportLine({ requestId, duration, initDuration: first, memorySize, memoryUsed, failure }));
      return { logs: log.takeTail() };
    }

    /** What is said beside a result. Without the log, nobody has to wait for a runtime that works on. */
    async function rest(): Promise<{ readonly logs?: string }> {
      if (call.logs) return finished;
      const enough = new AbortController();
      await Promise.race([finished, delay(GRACE, undefined, enough).catch(() => undefined)]);
      enough.abort();
      return {};
    }

    /** Why the connection broke: mostly the process has ended, and that says more. */
    async function cutOff(): Promise<Uint8Array> {
      const why = await orDied(delay(GRACE));
      return why === undefined ? truncated(requestId) : why.failure.payload(requestId);
    }

    async function wholeOutcome(answer: Exclude<Answer, { kind: "stream" }> | Died): Promise<Outcome> {
      if (answer.kind === "result") return { payload: answer.payload };
      if (answer.kind === "failure") return failedWith(answer.payload);
      return failedWith(answer.kind === "died" ? answer.failure.payload(requestId) : await cutOff());
    }

    async function collected(body: ResponseBody): Promise<Outcome> {
      const payload = await wholeBody(body);
      if (payload === undefined) return failedWith(tooLarge());
      const end = await body.ended;
      if (end.kind === "complete") return { payload };
      return failedWith(end.kind === "failed" ? end.failure : await cutOff());
    }

    async function endOf(body: ResponseBody): Promise<InvocationEnd> {
      const end = await body.ended;
      if (end.kind === "complete") return rest();
      const details = end.kind === "failed" ? end.failure : await cutOff();
      // The function did not fail when the emulator has ended it.
      const functionError = end.kind === "failed" || cause !== undefined ? "Unhandled" : "Runtime.TruncatedResponse";
      return { functionError, errorDetails: Buffer.from(details).toString("utf8"), ...(await rest()) };
    }

    async function run(): Promise<InvocationResult> {
      const facts = { requestId, executedVersion: version, traceId: call.traceId, region: settings.region };
      const answer = await answerTo(exchange);
      if (answer.kind !== "stream") return { ...facts, ...(await wholeOutcome(answer)), ...(await rest()) };
      if (!call.responseStreaming) return { ...facts, ...(await collected(answer.body)), ...(await rest()) };
      const ended = endOf(answer.body);
      return { ...facts, payload: streamedPayload(answer.body, ended, signal) };
    }

    return { result: run(), over: finished };
  }

  async function answerTo({ answered }: Exchange): Promise<Answer | Died> {
    const answer = await orDied(answered);
    // The process has taken too much, but was faster than the watch.
    await memory.check();
    return cause === undefined || answer.kind === "stream" ? answer : died;
  }

  return {
    ready,
    ended: died,
    isAlive: () => child.isRunning() && cause === undefined,
    invoke,
    end() {
      kill(exitFailure({ code: null, signal: "SIGKILL" }));
      return died;
    },
  };
}

function failedWith(payload: Uint8Array): Outcome {
  return { payload, functionError: "Unhandled" };
}
