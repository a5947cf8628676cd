import { execFile } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const soak = join(import.meta.dirname, "../scripts/soak.mjs");

test("two seconds of the soak break no promise", async () => {
  const args = ["--expose-gc", soak, "--seconds", "2", "--in-flight", "50", "--steady"];
  const { code, stdout, stderr } = await new Promise<{ code: number | null; stdout: string; stderr: string }>(
    (resolve) => {
      const child = execFile(process.execPath, args, (_error, stdout, stderr) =>
        resolve({ code: child.exitCode, stdout, stderr }),
      );
    },
  );
  expect(stderr).toBe("");
  expect(stdout).not.toContain("FAILED");
  expect(code).toBe(0);
  // What it is made of, so that it does not pass for want of calls.
  const rows = [...stdout.matchAll(/^(response|function error|not-started|unknown|aborted) +(\d+)/gm)];
  expect(rows.map(([, outcome]) => outcome)).toHaveLength(5);
  for (const [, outcome, calls] of rows) expect(Number(calls), outcome).toBeGreaterThan(0);
  expect(stdout.match(/^ok /gm)).toHaveLength(13);
  for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
});
