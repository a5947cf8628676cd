/** A Lambda handler in Python, in a process of its own: one event a line in, one result a line out. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import type { InvocationResult, Invoker } from "../../src/invoke/invoker.ts";

/** Whether this machine's `python3` can import a module. */
export function pythonHas(module: string): boolean {
  return spawnSync("python3", ["-c", `import ${module}`]).status === 0;
}

interface Waiting {
  readonly resolve: (result: InvocationResult) => void;
  readonly reject: (error: Error) => void;
}

/** It answers in the order in which it is asked. */
export function startPython(script: string, args: readonly string[]): Invoker {
  const python = spawn("python3", [script, ...args], { stdio: ["pipe", "pipe", "pipe"] });
  const ended = once(python, "close");
  const waiting: Waiting[] = [];
  let said = "";
  let line: Buffer[] = [];

  python.stdout.on("data", (chunk: Buffer) => {
    for (;;) {
      const end = chunk.indexOf("\n");
      if (end < 0) break;
      waiting.shift()?.resolve({ payload: Buffer.concat([...line, chunk.subarray(0, end)]) });
      line = [];
      chunk = chunk.subarray(end + 1);
    }
    line.push(chunk);
  });
  python.stderr.on("data", (chunk: Buffer) => {
    said += chunk;
  });
  // What it did not read. That it ended says more.
  python.stdin.on("error", () => undefined);
  python.on("close", () => {
    for (const { reject } of waiting.splice(0)) reject(new Error(`python3 ended: ${said}`));
  });

  return {
    invoke({ payload }) {
      return new Promise((resolve, reject) => {
        if (python.exitCode !== null) return reject(new Error(`python3 ended: ${said}`));
        waiting.push({ resolve, reject });
        python.stdin.write(Buffer.concat([payload, Buffer.from("\n")]));
      });
    },
    async close() {
      python.stdin.end();
      await ended;
    },
  };
}
