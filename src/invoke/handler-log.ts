/** The log of one invocation in this process: what the function printed, between the lines that Lambda writes itself. */
import { AsyncLocalStorage } from "node:async_hooks";
import { format } from "node:util";

/** Lambda returns the last 4 KB: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html (LogType). */
const TAIL_BYTES = 4096;
const LEVELS = { debug: "DEBUG", error: "ERROR", info: "INFO", log: "INFO", trace: "TRACE", warn: "WARN" } as const;

/** What to do with what a function prints. */
export interface LogOptions {
  readonly requestId: string;
  /** Don't print it on this process's terminal as well. */
  readonly quiet: boolean;
}

/** A log that grows while its function runs. */
export interface InvocationLog {
  append(text: string): void;
  /** Runs the function; all that it prints, be it much later in a callback of its own, goes to this log. */
  capture<Result>(run: () => Result): Result;
  /** The last 4 KB. */
  tail(): Buffer;
}

interface Capture extends LogOptions {
  append(text: string): void;
}

const current = new AsyncLocalStorage<Capture | undefined>();

export function startLog(options: LogOptions): InvocationLog {
  let bytes = Buffer.alloc(0);
  const append = (text: string): void => {
    bytes = Buffer.concat([bytes, Buffer.from(text)]);
    if (bytes.length > TAIL_BYTES) bytes = bytes.subarray(bytes.length - TAIL_BYTES);
  };
  return {
    append,
    capture: (run) => {
      listenToOutput();
      return current.run({ ...options, append }, run);
    },
    tail: () => bytes,
  };
}

/** `2026-07-10T19:19:04.123Z <request id> INFO hello`, tab-separated: the runtime's form of a console line. */
export function logLine(requestId: string, level: string, text: string): string {
  return `${new Date().toISOString()}\t${requestId}\t${level}\t${text}\n`;
}

let listening = false;

/**
 * From the first captured invocation on, output is looked at on its way: whoever prints outside of an invocation sees no
 * difference. It stays so, since a function may print long after it has answered.
 */
function listenToOutput(): void {
  if (listening) return;
  listening = true;
  for (const [method, level] of Object.entries(LEVELS) as [keyof typeof LEVELS, string][]) {
    // biome-ignore lint/suspicious/noConsole: the function's console is what is listened to
    const print = console[method];
    console[method] = (...values: unknown[]) => {
      const capture = current.getStore();
      capture?.append(logLine(capture.requestId, level, format(...values)));
      // Outside of the capture, or the line would be seen again on its way to stdout.
      if (!capture?.quiet) current.exit(() => print.apply(console, values));
    };
  }
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write;
    stream.write = function (this: typeof stream, chunk: string | Uint8Array, ...rest: never[]): boolean {
      const capture = current.getStore();
      capture?.append(typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8"));
      if (!capture?.quiet) return write.call(this, chunk, ...rest);
      const written: unknown = rest.at(-1);
      if (typeof written === "function") process.nextTick(written as () => void);
      return true;
    };
  }
}
