/** Ends an environment that takes more memory than it may. */
import { type MemoryUse, readExactMemory, readMemory } from "./memory.ts";

const INTERVAL = process.platform === "linux" ? 100 : 500;

/** Looks at the memory of one environment. */
export interface MemoryWatch {
  /** The most that was seen, in bytes. */
  readonly peak: number;
  /** Looks from now on. An environment that has nothing to do is frozen on AWS, and takes no more. */
  start(): void;
  stop(): void;
  /** Looks once. */
  check(): Promise<void>;
}

/** @param limit In MB. */
export function watchMemory(pid: number | undefined, limit: number, onExceeded: () => void): MemoryWatch {
  let peak = 0;
  let timer: NodeJS.Timeout | undefined;

  const exceeds = ({ now, peak: ever }: MemoryUse): boolean => {
    const bytes = limit * 1024 * 1024;
    if (ever <= bytes) return false;
    // What the process itself has taken is certain; what it shares with its children may have been counted twice.
    return ever > now || (pid !== undefined && (readExactMemory(pid) ?? now) > bytes);
  };
  const check = async (): Promise<void> => {
    const use = pid === undefined ? undefined : await readMemory(pid);
    if (use === undefined) return;
    peak = Math.max(peak, use.peak);
    if (exceeds(use)) onExceeded();
  };
  const stop = (): void => {
    clearInterval(timer);
    timer = undefined;
  };
  return {
    get peak() {
      return peak;
    },
    start() {
      stop();
      timer = setInterval(() => void check(), INTERVAL).unref();
    },
    stop,
    check,
  };
}
