// Every check that is not a test: types, lint and format, unused code, the package as others will see it.
import { spawnSync } from "node:child_process";

const CHECKS = [
  ["types", "tsc", ["--noEmit"]],
  ["lint and format", "biome", ["ci", "--colors=off", "."]],
  ["unused files, exports and dependencies", "knip", []],
  ["package.json", "publint", ["--strict"]],
  ["types of the package", "attw", ["--pack", ".", "--profile", "esm-only"]],
];

let failed = false;
for (const [what, command, args] of CHECKS) {
  const { status, stdout, stderr, error } = spawnSync(`node_modules/.bin/${command}`, args, {
    encoding: "utf8",
    // The build is fresh; packing must not start another one.
    env: { ...process.env, npm_config_ignore_scripts: "true", NO_COLOR: "1" },
    shell: process.platform === "win32",
  });
  console.log(`${status === 0 ? "ok    " : "FAILED"} ${what} (${command} ${args.join(" ")})`);
  if (status === 0) continue;
  failed = true;
  console.log(error?.message ?? stdout + stderr);
}
process.exit(failed ? 1 : 0);
