// A contestant as a Lambda function would ship it: in one file, made by esbuild.
import { statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

// What a bundle of modules needs for the CommonJS in it.
const REQUIRE = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';

/** The module's URL, and its size in KB. */
export async function bundle({ file }, folder) {
  const { build } = await import("esbuild");
  const outfile = join(folder, file);
  await build({
    entryPoints: [fileURLToPath(new URL(`contestants/${file}`, import.meta.url))],
    ...{ bundle: true, minify: true, platform: "node", format: "esm", target: "node20", logLevel: "error" },
    ...{ outfile, banner: { js: REQUIRE } },
  });
  return { module: pathToFileURL(outfile).href, size: statSync(outfile).size / 1024 };
}
