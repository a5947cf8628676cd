// Builds src/ into dist/: beside it first, so that what runs from there misses a moment at most.
import { spawnSync } from "node:child_process";
import { chmodSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { rolldown } from "rolldown";

/** What stands on the library and is not a part of it: loaded file by file, and some of it in processes of its own. */
const APART = /^(?:adapters|cli|emulator)\//;
const ENTRANCE = "index.ts";
/** What others import of it from where it is made: the entrance has it by the same names. */
const OF_ENTRANCE = /^(?:response|session)\.ts$/;

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
 * Puts the library into two files, not minified: from its 76 it took 70 ms to load, and each takes more than one still. The one
 * holds what others need as well, who can do without a `Response`: to load that takes 24 ms.
 */
async function bundle() {
  const modules = readdirSync("src", { recursive: true }).map((file) => file.replaceAll(sep, "/"));
  const library = modules.filter((file) => file.endsWith(".ts") && !APART.test(file));
  const asked = ["formats/index.ts", ...modules.filter((file) => APART.test(file)).flatMap(imports)];
  const entries = new Set(asked.filter((file) => !OF_ENTRANCE.test(file)));
  const shared = withImports(entries);
  const build = await rolldown({
    input: Object.fromEntries([ENTRANCE, ...entries].map((file) => [file.slice(0, -3), `src/${file}`])),
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
    // The source is in the package as well. One character that is not Latin-1, and V8 takes two bytes for each of them.
    comments: false,
    charset: "ascii",
    entryFileNames: "[name].js",
    chunkFileNames: "[name].js",
    codeSplitting: { groups: [{ name: "shared", test: (id) => shared.has(moduleOf(id)) }] },
  });
  for (const file of asked.filter((each) => OF_ENTRANCE.test(each))) {
    writeFileSync(join(beside, file.replace(/\.ts$/, ".js")), 'export * from "./index.js";\n');
  }
}

/** Modules, and those that they import. */
function withImports(files) {
  const all = new Set(files);
  for (const file of all) for (const each of imports(file)) all.add(each);
  return all;
}

/** The modules of the library that a file imports, but for types. */
function imports(file) {
  if (!file.endsWith(".ts")) return [];
  const specifiers = readFileSync(join("src", file), "utf8").matchAll(
    /^(?:import|export) (?!type )[^;]*?from "(\.[^"]*)"/gm,
  );
  return [...specifiers]
    .map(([, specifier]) => join(dirname(file), specifier).replaceAll(sep, "/"))
    .filter((module) => !APART.test(module));
}

function moduleOf(id) {
  return relative("src", id).replaceAll(sep, "/");
}
