/** Builds `dist/` for the tests that use the package as users do, unless it is newer than its sources. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

export default function setup(): void {
  const built = join(root, "dist/index.js");
  const sources = readdirSync(join(root, "src"), { recursive: true, withFileTypes: true }).filter((file) =>
    file.isFile(),
  );
  const newest = Math.max(...sources.map((file) => statSync(join(file.parentPath, file.name)).mtimeMs));
  if (existsSync(built) && statSync(built).mtimeMs >= newest) return;
  const { status } = spawnSync(process.execPath, ["scripts/build.mjs"], { cwd: root, stdio: "inherit" });
  if (status !== 0) throw new Error("the build failed");
}
