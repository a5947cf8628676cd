/** The log of an environment: what its processes print, and the lines that Lambda writes itself between. */
import type { Readable, Writable } from "node:stream";
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import { linePrinter } from "./line-printer.ts";

/** Lambda returns the last 4 KB: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html (LogType). */
const TAIL_BYTES = 4096;
/** How long the end of an invocation waits for a terminal that takes no more. */
const MAX_LAG = 1000;

/** A log whose end is an invocation's. */
export interface EnvironmentLog {
  /** Takes what a process prints, and prints it on `terminal` as well, unless the function is to be quiet. */
  listen(stream: Readable, terminal: Writable): void;
  /** A line of Lambda's own. */
  append(line: string): void;
  /** A line of Lambda's own that a developer should see, be it not in the tail that nobody asked for. */
  announce(line: string): void;
  /** Until all is here that the processes have printed by now. */
  settle(): Promise<void>;
  /** The last 4 KB since it was called before: what comes between two invocations counts to the later one. */
  takeTail(): string;
}

export function createLog({ name, quiet }: { name: string; quiet: boolean }): EnvironmentLog {
  let tail: Buffer = Buffer.alloc(0);
  const streams: Readable[] = [];
  const flushes: (() => void)[] = [];
  const printError = linePrinter(process.stderr, name);

  const keep = (bytes: Buffer): void => {
    // Of a flood, no more than what may be asked for.
    tail = bytes.length >= TAIL_BYTES ? bytes : Buffer.concat([tail, bytes]);
    if (tail.length > TAIL_BYTES) tail = Buffer.from(tail.subarray(tail.length - TAIL_BYTES));
  };

  return {
    listen(stream, terminal) {
      const printer = linePrinter(terminal, name);
      streams.push(stream);
      flushes.push(printer.flush);
      stream.on("error", () => undefined);
      stream.on("data", (bytes: Buffer) => {
        keep(bytes);
        if (quiet || printer.print(bytes)) return;
        // The function waits for the terminal, rather than this process keeping what it can't print.
        stream.pause();
        printer.onDrain(() => stream.resume());
      });
    },
    append: (line) => keep(Buffer.from(`${line}\n`)),
    announce(line) {
      keep(Buffer.from(`${line}\n`));
      if (!quiet) printError.print(Buffer.from(`${line}\n`));
    },
    async settle() {
      for (const stream of streams) {
        if (stream.isPaused())
          await Promise.race([
            new Promise((go) => stream.once("resume", go)),
            delay(MAX_LAG, undefined, { ref: false }),
          ]);
      }
      // What was written before a request on the Runtime API is in the pipe when that is here. A whole turn of the event loop
      // reads it; between two immediates there is one.
      await nextTurn();
      await nextTurn();
    },
    takeTail() {
      for (const flush of flushes) flush();
      const text = tail.toString("utf8");
      tail = Buffer.alloc(0);
      return text;
    },
  };
}
