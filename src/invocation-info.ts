/** What is known about an invocation once it is over, and the REPORT line of its log. */
import type { FunctionFailure } from "./errors.ts";
import type { PayloadFormat } from "./formats/formats.ts";
import type { InvocationResult } from "./invoke/invoker.ts";
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
  /** Milliseconds from the event's first sending to the result's last byte, retries included. */
  readonly elapsed: number;
  readonly payloadFormat: PayloadFormat;
  /** Present when the function failed; the response is a 502 then. */
  readonly functionError?: FunctionFailure;
  /** The end of the function's log, when `logs` was set. */
  readonly logs?: string;
  /** The log's REPORT line, when `logs` was set. */
  readonly report?: InvocationReport;
}

/** What there is to know about an invocation, from its result. */
export function describeInvocation(
  result: InvocationResult,
  known: Pick<InvocationInfo, "elapsed" | "payloadFormat"> & { target: Target; functionError?: FunctionFailure },
): InvocationInfo {
  const { target, elapsed, payloadFormat, functionError } = known;
  const { requestId, executedVersion, traceId, logs, attempts = 1 } = result;
  const region = result.region ?? target.region;
  const report = logs === undefined ? undefined : parseReport(logs);
  return {
    functionName: target.functionName,
    ...(target.qualifier !== undefined && { qualifier: target.qualifier }),
    ...(region !== undefined && { region }),
    ...(requestId !== undefined && { requestId }),
    ...(executedVersion !== undefined && { executedVersion }),
    ...(traceId !== undefined && { traceId }),
    attempts,
    elapsed,
    payloadFormat,
    ...(functionError !== undefined && { functionError }),
    ...(logs !== undefined && { logs }),
    ...(report !== undefined && { report }),
  };
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
