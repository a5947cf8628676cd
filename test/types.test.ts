import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "..");

// Wrong uses are in the programs as well, marked @ts-expect-error: one that compiles fails the test.
it.each([
  ["on Node, without the DOM's types", "tsc", "node"],
  ["on Node, with TypeScript 6", "tsc6", "node"],
  ["with the DOM's types, without Node's", "tsc", "dom"],
])("a user's program compiles %s, our declarations checked too", async (_name, compiler, config) => {
  const args = ["-p", `test/consumer/tsconfig.${config}.json`, "--pretty", "false"];
  const { stdout } = await promisify(execFile)(join(root, "node_modules/.bin", compiler), args, { cwd: root }).catch(
    (error: { stdout: string }) => error,
  );
  expect(stdout).toBe("");
});
