/**
 * The memory that a process and its descendants take: their resident set, which is about what Lambda counts as well. So
 * Node.js itself takes its 40 to 50 MB of `memorySize`, as on AWS.
 */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** What a process and its descendants take, in bytes. */
export interface MemoryUse {
  readonly now: number;
  /** The most that the process itself has ever taken, where the system tells; otherwise as `now`. */
  readonly peak: number;
}

/** `undefined` when the process is gone, or the system doesn't tell. */
export function readMemory(pid: number): Promise<MemoryUse | undefined> {
  if (process.platform === "linux") return Promise.resolve(readProc(pid));
  if (process.platform === "win32") return Promise.resolve(undefined);
  return readPs(pid);
}

/** Synchronously: such a file is no file, and its few microseconds are less than a thread of its own costs. */
function readProc(pid: number): MemoryUse | undefined {
  const leader = readStatus(pid);
  if (leader === undefined) return undefined;
  const children = descendants(pid);
  const now = children.reduce((sum, child) => sum + (readStatus(child)?.now ?? 0), leader.now);
  return { now, peak: Math.max(leader.peak, now) };
}

/**
 * The same, but with what several processes share counted once: after a fork, that is all that they have. It takes
 * the system longer to find out.
 */
export function readExactMemory(pid: number): number | undefined {
  if (process.platform !== "linux") return undefined;
  const sizes = [pid, ...descendants(pid)].map((each) => readField(`/proc/${each}/smaps_rollup`, "Pss"));
  const known = sizes.filter((size) => size !== undefined);
  return known.length === 0 ? undefined : known.reduce((sum, size) => sum + size, 0);
}

function readStatus(pid: number): MemoryUse | undefined {
  const file = `/proc/${pid}/status`;
  const now = readField(file, "VmRSS");
  return now === undefined ? undefined : { now, peak: readField(file, "VmHWM") ?? now };
}

function readField(file: string, name: string): number | undefined {
  try {
    const [, kilobytes] = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(readFileSync(file, "utf8")) ?? [];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    return undefined;
  }
}

function descendants(pid: number): number[] {
  const children: number[] = [];
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const listed = readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").trim();
      if (listed !== "") children.push(...listed.split(" ").map(Number));
    }
  } catch {
    // It has ended, or this kernel has no such list.
  }
  return children.flatMap((child) => [child, ...descendants(child)]);
}

/** The process group, which is led by the process. */
function readPs(group: number): Promise<MemoryUse | undefined> {
  return new Promise((resolve) => {
    execFile("ps", ["-A", "-o", "pgid=,rss="], (error, output) => {
      if (error !== null) return resolve(undefined);
      const rows = output.split("\n").map((line) => line.trim().split(/\s+/).map(Number));
      const sizes = rows.filter(([pgid]) => pgid === group).map(([, size = 0]) => size * 1024);
      const now = sizes.reduce((sum, size) => sum + size, 0);
      resolve(sizes.length === 0 ? undefined : { now, peak: now });
    });
  });
}
