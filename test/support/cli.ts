/** Runs the built command as a user does. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

const main = join(import.meta.dirname, "../../dist/cli/main.js");

export interface Run {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs it to its end. */
export function run(
  args: readonly string[],
  { stdin = "", env = {} }: { stdin?: string | Uint8Array; env?: Record<string, string> } = {},
): Promise<Run> {
  return new Promise((resolve) => {
    const options = { encoding: "buffer" as const, env: { ...process.env, ...env } };
    const child = execFile(process.execPath, [main, ...args], options, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, stdout, stderr: stderr.toString("utf8") });
    });
    child.stdin?.end(stdin);
  });
}

/** Starts `lambda-requests emulate`; the endpoint is the first line that it prints. */
export async function startEmulator(args: readonly string[]): Promise<{ endpoint: string; process: ChildProcess }> {
  const child = spawn(process.execPath, [main, "emulate", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const [endpoint] = (await once(createInterface(child.stdout), "line")) as [string];
  return { endpoint, process: child };
}
