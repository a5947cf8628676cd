// Builds src/ into dist/: beside it first, so that what runs from there misses a moment at most.
import { spawnSync } from "node:child_process";
import { chmodSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { rolldown } from "rolldown";

/** What stands on the library and is not a part of it: loaded file by file, and some of it in processes of its own. */
const APART = /^(?:adapters|cli|emulator)\//;
/** What `lambda-requests/formats` needs, which is a fifth of all. */
const FORMATS = /^(?:formats\/|errors|target|version)/;
/** What a process needs that only runs a function of the emulator's: above all no `Response`, which takes 24 ms to load. */
const RUNTIME = /^invoke\/(?:abortable|awslambda|handler-log|handler-result|response-stream)/;

const beside = `dist-${process.pid}`;
const { status } = spawnSync("node_modules/.bin/tsc", ["-p", "tsconfig.build.json", "--outDir", beside], {
  stdio: "inherit",
  shell: process.platform === "win32",
});
if (status !== 0) {
  rmSync(beside, { recursive: true, force: true });
  process.exit(status ?? 1);
}
await bundle();
chmodSync(`${beside}/cli/main.js`, 0o755);
rmSync("dist", { recursive: true, force: true });
renameSync(beside, "dist");

/**
 * Puts the library into three files, not minified, whose names others import stay as they were: to load it from its 76 files took
 * 70 ms, and from three 30.
 */
async function bundle() {
  const modules = readdirSync("src", { recursive: true }).map((file) => file.replaceAll(sep, "/"));
  const library = modules.filter((file) => file.endsWith(".ts") && !APART.test(file));
  const entries = new Set([
    "index.ts",
    "formats/index.ts",
    ...modules.filter((file) => APART.test(file)).flatMap(imports),
  ]);
  const build = await rolldown({
    input: Object.fromEntries([...entries].map((file) => [file.slice(0, -3), `src/${file}`])),
    platform: "node",
    external: /^[^./]/,
    tsconfig: "tsconfig.json",
  });
  for (const file of library) {
    for (const kind of [".js", ".js.map"]) rmSync(join(beside, file.replace(/\.ts$/, kind)));
  }
  await build.write({
    dir: beside,
    sourcemap: true,
    entryFileNames: "[name].js",
    chunkFileNames: "[name].js",
    codeSplitting: {
      groups: [
        { name: "formats/bundle", test: (id) => FORMATS.test(moduleOf(id)), priority: 2 },
        { name: "invoke/bundle", test: (id) => RUNTIME.test(moduleOf(id)), priority: 1 },
        { name: "bundle", test: () => true },
      ],
    },
  });
}

/** The modules of the library that a file imports. */
function imports(file) {
  if (!file.endsWith(".ts")) return [];
  const specifiers = readFileSync(join("src", file), "utf8").matchAll(/from "(\.[^"]*)"/g);
  return [...specifiers]
    .map(([, specifier]) => join(dirname(file), specifier).replaceAll(sep, "/"))
    .filter((module) => !APART.test(module));
}

function moduleOf(id) {
  return relative("src", id).replaceAll(sep, "/");
}
