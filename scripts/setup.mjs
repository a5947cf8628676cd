// What every command of the README runs first: installs, then builds (not with --no-build). Plain Node, for there is nothing
// else yet.
import { spawnSync } from "node:child_process";
import { install } from "./install.mjs";

install(".");
if (!process.argv.includes("--no-build")) {
  const { status } = spawnSync(process.execPath, ["scripts/build.mjs"], { stdio: ["ignore", "inherit", "inherit"] });
  if (status !== 0) process.exit(status ?? 1);
}
