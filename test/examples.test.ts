import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "..");

it("the demo gets the answers that it expects, in 80 columns", async () => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ["examples/demo.mjs"], { cwd: root });
  expect(stderr).toBe("");
  expect(stdout).toContain("All answers are as expected.");
  expect(stdout.match(/^ {2}as expected$/gm)).toHaveLength(13);
  expect(stdout.split("\n").filter((line) => line.length > 80)).toEqual([]);
});
