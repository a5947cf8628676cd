// Builds src/ into dist/: beside it first, so that what runs from there misses a moment at most.
import { spawnSync } from "node:child_process";
import { chmodSync, renameSync, rmSync } from "node:fs";

const beside = `dist-${process.pid}`;
const { status } = spawnSync("node_modules/.bin/tsc", ["-p", "tsconfig.build.json", "--outDir", beside], {
  stdio: "inherit",
  shell: process.platform === "win32",
});
if (status !== 0) {
  rmSync(beside, { recursive: true, force: true });
  process.exit(status ?? 1);
}
chmodSync(`${beside}/cli/main.js`, 0o755);
rmSync("dist", { recursive: true, force: true });
renameSync(beside, "dist");
