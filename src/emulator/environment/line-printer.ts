/** Prints what several functions print at the same time on one terminal, so that it stays readable. */
import type { Writable } from "node:stream";

/** A line that does not end is cut here. */
const MAX_LINE = 16 * 1024;

/** Prints whole lines, each with a name before it. */
export interface LinePrinter {
  /** `false` when the terminal takes no more for now. */
  print(bytes: Buffer): boolean;
  /** Calls back as soon as it takes more. */
  onDrain(callback: () => void): void;
  /** The line that has not ended. */
  flush(): void;
}

export function linePrinter(terminal: Writable, name: string): LinePrinter {
  const prefix = `${name} | `;
  let rest = Buffer.alloc(0);

  const printLines = (bytes: Buffer): boolean =>
    terminal.write(`${prefix}${bytes.toString("utf8").replaceAll("\n", `\n${prefix}`)}\n`);

  return {
    print(bytes) {
      const end = bytes.lastIndexOf(0x0a);
      if (end < 0) {
        rest = Buffer.concat([rest, bytes]);
        if (rest.length < MAX_LINE) return true;
        const line = rest;
        rest = Buffer.alloc(0);
        return printLines(line);
      }
      const lines = Buffer.concat([rest, bytes.subarray(0, end)]);
      rest = Buffer.from(bytes.subarray(end + 1));
      return printLines(lines);
    },
    onDrain: (callback) => onDrain(terminal, callback),
    flush() {
      if (rest.length > 0) printLines(rest);
      rest = Buffer.alloc(0);
    },
  };
}

const waiting = new WeakMap<Writable, Set<() => void>>();

/** One listener for all environments: Node warns of more than ten. */
function onDrain(terminal: Writable, callback: () => void): void {
  const callbacks = waiting.get(terminal);
  if (callbacks !== undefined) {
    callbacks.add(callback);
    return;
  }
  const all = new Set([callback]);
  waiting.set(terminal, all);
  terminal.once("drain", () => {
    waiting.delete(terminal);
    for (const call of all) call();
  });
}
