/** The processes of one environment: a program, and all that it starts. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Exit } from "./failure.ts";
import type { EnvironmentSettings } from "./settings.ts";
import { taskRoot } from "./variables.ts";

/** A program that was started. */
export interface Child {
  /** `undefined` when it could not be. */
  readonly pid: number | undefined;
  /** Is it still there? */
  isRunning(): boolean;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** It is gone, with all that it had started, and what they had printed is here. */
  readonly exited: Promise<Exit>;
  /** Ends it, with all that it has started. */
  kill(): void;
}

/**
 * Ends the whole process group as soon as nobody holds the other end of file 3 any more, which is so when this process has
 * ended in whatever way: a busy loop in a function, or a process that it started, would not notice. The watcher is no child
 * of the program, lest that waits for it.
 */
const GUARDED = '((read -r _ <&3; kill -9 0) </dev/null >/dev/null 2>&1 &); exec 3<&-; exec "$@"';
/** How long a process that has left the group may keep the pipes open. */
const MAX_LAG = 200;

const isWindows = process.platform === "win32";

export function startChild(settings: EnvironmentSettings, variables: Readonly<Record<string, string>>): Child {
  try {
    return wrap(spawnProgram(settings, variables));
  } catch (error) {
    // Variables that no process can hold. Other failures of `spawn` are events.
    const exited = Promise.resolve({ code: null, signal: null, error: error as Error });
    const nothing = (): Readable => Readable.from([]);
    return {
      pid: undefined,
      stdout: nothing(),
      stderr: nothing(),
      exited,
      isRunning: () => false,
      kill: () => undefined,
    };
  }
}

function wrap(child: ChildProcess): Child {
  child.stdio[3]?.on("error", () => undefined);
  return {
    pid: child.pid,
    isRunning: () => isRunning(child),
    stdout: child.stdout as Readable,
    stderr: child.stderr as Readable,
    exited: waitFor(child),
    kill: () => killGroup(child),
  };
}

function spawnProgram(settings: EnvironmentSettings, variables: Readonly<Record<string, string>>): ChildProcess {
  const [file, ...args] = commandLine(settings);
  return spawn(file, args, {
    env: variables,
    cwd: taskRoot(settings),
    detached: !isWindows,
    shell: isWindows && "command" in settings.program,
    windowsHide: true,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
}

function commandLine({ program, memorySize }: EnvironmentSettings): [string, ...string[]] {
  if ("command" in program) {
    return isWindows ? [program.command] : ["/bin/sh", "-c", GUARDED, "sh", "/bin/sh", "-c", program.command];
  }
  const { file, handler } = program;
  // As on AWS, a tenth is left for what is not JavaScript's.
  const heap = `--max-old-space-size=${Math.floor(memorySize * 0.9)}`;
  // And, as there, a twentieth for what is young: more would be garbage that nobody needs.
  const young = `--max-semi-space-size=${Math.max(1, Math.floor(memorySize * 0.05))}`;
  const args = [heap, young, bootstrapFile(), resolve(file), ...(handler === undefined ? [] : [handler])];
  return isWindows ? [process.execPath, ...args] : ["/bin/sh", "-c", GUARDED, "sh", process.execPath, ...args];
}

/** Node.js can't run the TypeScript of this repository, whose tests have built it before. */
function bootstrapFile(): string {
  const isBuilt = import.meta.url.endsWith(".js");
  const place = isBuilt ? "./bootstrap.js" : "../../../dist/emulator/environment/bootstrap.js";
  return fileURLToPath(new URL(place, import.meta.url));
}

function waitFor(child: ChildProcess): Promise<Exit> {
  return new Promise((settle) => {
    const closed = new Promise((go) => child.once("close", go));
    child.once("error", (error) => settle({ code: null, signal: null, error }));
    child.once("exit", async (code, signal) => {
      killGroup(child);
      await Promise.race([closed, delay(MAX_LAG)]);
      // What it sent on the Runtime API before it ended comes first.
      await nextTurn();
      await nextTurn();
      settle({ code, signal });
    });
  });
}

/** A process that has ended is seen in `/proc` before its parent hears of it. */
function isRunning({ pid, exitCode, signalCode }: ChildProcess): boolean {
  if (pid === undefined || exitCode !== null || signalCode !== null) return false;
  if (process.platform !== "linux") return true;
  try {
    const status = readFileSync(`/proc/${pid}/stat`, "latin1");
    return status[status.lastIndexOf(")") + 2] !== "Z";
  } catch {
    return false;
  }
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  if (isWindows) {
    spawnSync("taskkill", ["/pid", String(pid), "/t", "/f"], { windowsHide: true });
    return;
  }
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // There is nobody left.
  }
}
