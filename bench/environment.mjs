// What was measured, on what, and how to do it again.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, release, totalmem, type } from "node:os";
import { pythonVersion, skipped } from "./contestants.mjs";

const PACKAGES = ["@aws-sdk/client-lambda", "undici", "aws4", "aws4fetch", "@lifeomic/alpha", "esbuild"];

export function environment(command, seconds) {
  const [cpu] = cpus();
  const rows = [
    ["command", `\`${command}\``],
    ["measured", `${new Date().toISOString().slice(0, 10)}, in ${Math.round(seconds)} s`],
    [
      "machine",
      `${cpu?.model.trim()}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GB, ${type()} ${release()}`,
    ],
    ["Node", `${process.version} (V8 ${process.versions.v8}, OpenSSL ${process.versions.openssl})`],
    ["lambda-requests", `${versionIn("../package.json")}${commit()}`],
    ...PACKAGES.map((name) => [name, versionIn(`node_modules/${name}/package.json`)]),
    ...(pythonVersion === undefined ? [] : [["Python", pythonVersion]]),
    ...skipped.map((why) => ["left out", why]),
  ];
  return { caption: "", head: ["", ""], rows, isText: true };
}

function versionIn(path) {
  return JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8")).version;
}

function commit() {
  const { status, stdout } = spawnSync("git", ["rev-parse", "--short", "HEAD"], {
    cwd: new URL(".", import.meta.url),
    encoding: "utf8",
  });
  return status === 0 ? `, ${stdout.trim()}` : "";
}
