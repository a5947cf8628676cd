/** What is known about an invocation once it is over, and the REPORT line of its log. */
import type { FunctionError, FunctionFailure } from "./errors.ts";
import type { PayloadFormat } from "./formats/formats.ts";
import type { InvocationEnd, InvocationResult } from "./invoke/invoker.ts";
import type { Target } from "./target.ts";

/** What the REPORT line of a function's log says. Times in milliseconds, memory in MB. */
export interface InvocationReport {
  readonly duration: number;
  readonly billedDuration: number;
  readonly memorySize: number;
  readonly maxMemoryUsed: number;
  /** Present when it was a cold start. */
  readonly initDuration?: number;
}

/** What is known about the invocation that answered. */
export interface InvocationInfo {
  readonly functionName: string;
  readonly qualifier?: string;
  readonly region?: string;
  /** Lambda's id of the invocation, as in the function's log. */
  readonly requestId?: string;
  /** The version that ran: digits, or `$LATEST`. */
  readonly executedVersion?: string;
  readonly traceId?: string;
  /** How often the event was sent: retries and all. */
  readonly attempts: number;
  /** Milliseconds from the event's first sending to the result's last byte (so far, of a body on its way), retries included. */
  readonly elapsed: number;
  readonly payloadFormat: PayloadFormat;
  /** Present when the function failed; the response is a 502 then. */
  readonly functionError?: FunctionFailure;
  /** The end of the function's log, when `logs` was set. */
  readonly logs?: string;
  /** The log's REPORT line, when `logs` was set. */
  readonly report?: InvocationReport;
  /** Of a durable function: what Lambda calls this execution of it. */
  readonly durableExecutionArn?: string;
  /**
   * The same, when all of it is known: of a streamed response, `logs`, `report` and the last `elapsed` come with the end of
   * its body, which has to be read for that. Rejects when the invocation failed after its response had begun, when its end is
   * not known, and with an `AbortError` when the body is cancelled.
   */
  readonly completed: Promise<InvocationInfo>;
}

/** What is known about an invocation that is not over. */
export interface OpenInvocation {
  readonly info: InvocationInfo;
  /** It is over; with `error`, the function had failed. */
  end(end: InvocationEnd, error?: FunctionError): void;
  /** It was not waited for, or its end is unknown. */
  fail(reason: unknown): void;
}

type Facts = Omit<InvocationInfo, "completed">;

/** Of invocations whose body is, or was, on its way. */
const endings = new WeakMap<object, Promise<InvocationInfo>>();

/**
 * A class, so that `completed` is made for those who ask, and no dump shows it. Field by field, because to copy them from an
 * object, or to give that a prototype, costs a tenth of a call.
 */
const Described = class InvocationInfo {
  constructor(result: InvocationResult, { target, elapsed, payloadFormat, functionError }: Known) {
    const { requestId, executedVersion, traceId, durableExecutionArn, logs, attempts = 1 } = result;
    const region = result.region ?? target.region;
    const facts = this as { -readonly [Name in keyof Facts]?: Facts[Name] };
    facts.functionName = target.functionName;
    if (target.qualifier !== undefined) facts.qualifier = target.qualifier;
    if (region !== undefined) facts.region = region;
    if (requestId !== undefined) facts.requestId = requestId;
    if (executedVersion !== undefined) facts.executedVersion = executedVersion;
    if (traceId !== undefined) facts.traceId = traceId;
    facts.attempts = attempts;
    facts.elapsed = elapsed;
    facts.payloadFormat = payloadFormat;
    if (functionError !== undefined) facts.functionError = functionError;
    if (durableExecutionArn !== undefined) facts.durableExecutionArn = durableExecutionArn;
    if (logs !== undefined) Object.assign(facts, logFacts(logs));
  }

  get completed(): Promise<unknown> {
    return endings.get(this) ?? Promise.resolve(this);
  }
} as unknown as new (
  result: InvocationResult,
  known: Known,
) => InvocationInfo;

/** What there is to know about an invocation that is over, from its result. */
export function describeInvocation(result: InvocationResult, known: Known): InvocationInfo {
  return new Described(result, known);
}

/** The same of one whose body is on its way: what its end tells is added before anybody has read the last byte. */
export function describeOpenInvocation(result: InvocationResult, known: Known): OpenInvocation {
  const begin = performance.now() - known.elapsed;
  let resolve = (_info: InvocationInfo): void => undefined;
  let reject = (_reason: unknown): void => undefined;
  const completed = new Promise<InvocationInfo>((...settle) => {
    [resolve, reject] = settle;
  });
  // Most callers never ask, and who looks at all properties has not asked.
  completed.catch(() => undefined);
  const info = describeInvocation(result, known);
  endings.set(info, completed);
  let isOver = false;
  /** The first to know how it ended is right: what follows is of its making. */
  function finish(facts: Partial<Facts>, settle: () => void): void {
    if (isOver) return;
    isOver = true;
    Object.assign(info, facts, { elapsed: performance.now() - begin });
    settle();
  }
  return {
    info,
    end({ logs }, error) {
      const failure = error === undefined ? {} : { functionError: failureOf(error) };
      finish({ ...failure, ...(logs !== undefined && logFacts(logs)) }, () =>
        error === undefined ? resolve(info) : reject(error),
      );
    },
    fail: (reason) => finish({}, () => reject(reason)),
  };
}

function failureOf({ kind, errorType, errorMessage, stackTrace }: FunctionFailure): FunctionFailure {
  return {
    kind,
    ...(errorType !== undefined && { errorType }),
    errorMessage,
    ...(stackTrace !== undefined && { stackTrace }),
  };
}

function logFacts(logs: string): Pick<Facts, "logs" | "report"> {
  const report = parseReport(logs);
  return { logs, ...(report !== undefined && { report }) };
}

/** What the call knows by itself. */
interface Known extends Pick<InvocationInfo, "elapsed" | "payloadFormat"> {
  readonly target: Target;
  readonly functionError: FunctionFailure | undefined;
}

/**
 * The REPORT line of a log, by key and in any order; emulators write it differently from AWS. A function with JSON logs
 * has a `platform.report` in its place.
 *
 * @internal
 */
export function parseReport(logs: string): InvocationReport | undefined {
  for (const line of logs.split("\n").reverse()) {
    if (line.startsWith("REPORT RequestId: ")) return reportOf((name) => numberAfter(line, name));
    if (line.includes('"platform.report"')) return jsonReport(line);
  }
  return undefined;
}

function reportOf(read: (name: string) => number | undefined): InvocationReport | undefined {
  const duration = read("Duration");
  const billedDuration = read("Billed Duration");
  const memorySize = read("Memory Size");
  const maxMemoryUsed = read("Max Memory Used");
  const initDuration = read("Init Duration");
  if (duration === undefined || billedDuration === undefined) return undefined;
  if (memorySize === undefined || maxMemoryUsed === undefined) return undefined;
  const report = { duration, billedDuration, memorySize, maxMemoryUsed };
  return initDuration === undefined ? report : { ...report, initDuration };
}

function numberAfter(line: string, name: string): number | undefined {
  const field = line.split("\t").find((part) => part.startsWith(`${name}: `));
  const number = Number.parseFloat(field?.slice(name.length + 2) ?? "");
  return Number.isNaN(number) ? undefined : number;
}

const JSON_NAMES: Readonly<Record<string, string>> = {
  Duration: "durationMs",
  "Billed Duration": "billedDurationMs",
  "Memory Size": "memorySizeMB",
  "Max Memory Used": "maxMemoryUsedMB",
  "Init Duration": "initDurationMs",
};

function jsonReport(line: string): InvocationReport | undefined {
  try {
    const metrics = (JSON.parse(line) as { record?: { metrics?: Record<string, unknown> } }).record?.metrics ?? {};
    return reportOf((name) => {
      const value = metrics[JSON_NAMES[name] ?? ""];
      return typeof value === "number" ? value : undefined;
    });
  } catch {
    return undefined;
  }
}
