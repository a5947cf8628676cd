/** The console of a function: https://docs.aws.amazon.com/lambda/latest/dg/nodejs-logging.html */
import { writeSync } from "node:fs";
import { format } from "node:util";
import { logLine } from "../../invoke/handler-log.ts";
import { errorLog } from "./thrown.ts";

const LEVELS = { debug: "DEBUG", error: "ERROR", info: "INFO", log: "INFO", trace: "TRACE", warn: "WARN" } as const;

// Before the first invocation, AWS's runtime writes this as well.
let requestId = "undefined";

/** Of the invocation that is under way, for the lines of its log. */
export function setRequestId(id: string): void {
  requestId = id;
}

/** From now on, `console.log` and the like write lines as Lambda's runtime does. */
export function patchConsole(): void {
  for (const [method, level] of Object.entries(LEVELS) as [keyof typeof LEVELS, string][]) {
    console[method] = (...values: unknown[]) => writeLine(level, format(...values));
  }
}

/** What a function failed with. */
export function logError(what: string, error: unknown): void {
  writeLine("ERROR", `${what} \t${errorLog(error)}`);
}

function writeLine(level: string, text: string): void {
  writeAll(Buffer.from(logLine(requestId, level, text)));
}

/** At once and whole: what a process has printed before it ends is in the log. */
function writeAll(bytes: Buffer): void {
  for (let written = 0; written < bytes.length; ) {
    try {
      written += writeSync(1, bytes, written);
    } catch (error) {
      // Who uses `process.stdout` as well makes the pipe one that does not wait.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}
