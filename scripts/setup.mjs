// What every command of the README runs first: installs what package-lock.json lists when node_modules is missing or
// older, then builds (not with --no-build). Plain Node, for there is nothing else yet.
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";

const installed = "node_modules/.package-lock.json";
const isFresh = existsSync(installed) && statSync(installed).mtimeMs >= statSync("package-lock.json").mtimeMs;

if (!isFresh) {
  // `npm install` and not `npm ci`, which refuses a lock without another platform's optional binaries. No dependency may
  // run a script of its own.
  run("npm", ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
}
if (!process.argv.includes("--no-build")) run(process.execPath, ["scripts/build.mjs"]);

function run(command, args) {
  const { status } = spawnSync(command, args, {
    stdio: ["ignore", "inherit", "inherit"],
    shell: process.platform === "win32",
  });
  if (status !== 0) process.exit(status ?? 1);
}
