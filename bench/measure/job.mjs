// What a process of the benchmark is told, and how it answers.
import { readFileSync } from "node:fs";

/** The job: one argument of JSON. */
export function readJob() {
  return JSON.parse(process.argv[2]);
}

/** Says the result, and ends the process whatever the contestant still keeps open. */
export function report(result) {
  process.stdout.write(JSON.stringify(result), () => process.exit());
}

/**
 * The most memory that this process has had, in MB. On Linux, `maxRSS` begins with that of the process that started
 * this one, so the kernel's count for the program itself is taken where there is one.
 */
export function peakMemory() {
  try {
    const [, kilobytes] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
    return Number(kilobytes) / 1024;
  } catch {
    return process.resourceUsage().maxRSS / 1024;
  }
}

/** Microseconds of CPU since `before`, of all threads. */
export function cpuSince(before) {
  const { user, system } = process.cpuUsage(before);
  return user + system;
}
