import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";

it("every command of CONTRIBUTING.md is complete in itself, and sets up once", async () => {
  const { scripts } = JSON.parse(await readFile("package.json", "utf8")) as { scripts: Record<string, string> };
  const contributing = await readFile("CONTRIBUTING.md", "utf8");
  const names = [...contributing.matchAll(/^\| `npm (?:run )?([a-z:]+)/gm)].map(([, name = ""]) => name);
  expect(names).toContain("test:run");
  for (const name of names) expect(scripts[name]).toMatch(/^node scripts\/setup\.mjs (?!.*(?:setup\.mjs|npm run))/);
});

it("the checks say which tool can't be started", async () => {
  const folder = await mkdtemp(join(tmpdir(), "lambda-requests-"));
  const { status, stdout } = spawnSync(process.execPath, [resolve("scripts/check.mjs")], {
    cwd: folder,
    encoding: "utf8",
  });
  await rm(folder, { recursive: true });
  expect(status).toBe(1);
  expect(stdout).toMatch(/^FAILED types \(tsc --noEmit\)\nspawnSync node_modules\/\.bin\/tsc ENOENT\n/);
});
