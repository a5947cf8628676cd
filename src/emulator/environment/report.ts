/** The lines that Lambda writes in a log: https://docs.aws.amazon.com/lambda/latest/dg/nodejs-logging.html */
import type { Failure } from "./failure.ts";
import type { EnvironmentSettings } from "./settings.ts";

/** What a REPORT says. */
export interface Report {
  readonly requestId: string;
  /** Milliseconds. */
  readonly duration: number;
  /** Of the first invocation of an environment. */
  readonly initDuration: number | undefined;
  /** MB. */
  readonly memorySize: number;
  /** Bytes. */
  readonly memoryUsed: number;
  readonly failure: Failure | undefined;
}

export function reportLine({ requestId, duration, initDuration, memorySize, memoryUsed, failure }: Report): string {
  const facts = [
    `REPORT RequestId: ${requestId}`,
    `Duration: ${duration.toFixed(2)} ms`,
    `Billed Duration: ${Math.ceil(duration + (initDuration ?? 0))} ms`,
    `Memory Size: ${memorySize} MB`,
    `Max Memory Used: ${Math.min(memorySize, Math.ceil(memoryUsed / 1024 / 1024))} MB`,
    ...(initDuration === undefined ? [] : [`Init Duration: ${initDuration.toFixed(2)} ms`]),
    ...statusOf(failure),
  ];
  return `${facts.join("\t")}\t`;
}

/** How an environment came to be, in the log of its first invocation. */
export function initStartLine(program: EnvironmentSettings["program"]): string {
  return `INIT_START Runtime Version: ${"file" in program ? `nodejs:${process.versions.node}` : "provided"}`;
}

/** Only of one that did not come to be as it should. */
export function initReportLine(duration: number, failure: Pick<Failure, "status"> & Partial<Failure>): string {
  return [`INIT_REPORT Init Duration: ${duration.toFixed(2)} ms`, "Phase: init", ...statusOf(failure)].join("\t");
}

function statusOf(failure: (Pick<Failure, "status"> & Partial<Failure>) | undefined): string[] {
  if (failure === undefined) return [];
  if (failure.status === "timeout") return ["Status: timeout"];
  return ["Status: error", `Error Type: ${failure.errorType}`];
}
