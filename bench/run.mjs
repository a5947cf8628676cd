// `npm run bench`: times the built package against AWS's SDK, a bare POST and others, side by side on one local server, and
// writes what it found into README.md and docs/. `npm run bench -- warm` runs one part and writes nothing, unless it is
// told to by --write; --quick makes everything short, to see that it works.
import "./install.mjs";
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { inArena } from "./arena.mjs";
import { skipped } from "./contestants.mjs";
import { environment } from "./environment.mjs";
import { goals } from "./goals.mjs";
import * as cold from "./parts/cold.mjs";
import * as concurrency from "./parts/concurrency.mjs";
import * as large from "./parts/large.mjs";
import * as stream from "./parts/stream.mjs";
import * as warm from "./parts/warm.mjs";
import { concurrencyPlot, sizePlot } from "./plots.mjs";
import { markdownTable, plainTable, writeBetween } from "./report.mjs";
import { summary } from "./summary.mjs";

const PARTS = { cold, warm, large, stream, concurrency };
const DOCS = new URL("../docs/", import.meta.url);
const PAGE = new URL("performance.md", DOCS);
const README = new URL("../README.md", import.meta.url);

const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: { write: { type: "boolean", default: false }, quick: { type: "boolean", default: false } },
});
const unknown = positionals.filter((name) => PARTS[name] === undefined);
if (unknown.length > 0) {
  console.error(`no part ${unknown.join(", ")}: there are ${Object.keys(PARTS).join(", ")}`);
  process.exit(2);
}
const chosen = positionals.length === 0 ? Object.keys(PARTS) : positionals;
const isFull = positionals.length === 0 && !given.quick;

const begin = performance.now();
const results = {};
await inArena(given, async (arena) => {
  for (const why of skipped) console.log(`skipped: ${why}`);
  if (arena.secureEndpoint === undefined) console.log("skipped: TLS: there is no openssl to make a certificate");
  for (const name of chosen) {
    console.error(`measuring: ${name}`);
    const partBegin = performance.now();
    results[name] = await PARTS[name].run(arena);
    console.log(`\n== ${PARTS[name].title} (${name}, ${((performance.now() - partBegin) / 1000).toFixed(0)} s) ==\n`);
    for (const table of PARTS[name].tables(results[name])) console.log(`${plainTable(table)}\n`);
  }
  const reached = goals(results);
  const command = ["npm run bench", ...(process.argv.length > 2 ? ["--", ...process.argv.slice(2)] : [])].join(" ");
  const measuredOn = environment(command, (performance.now() - begin) / 1000);
  if (reached.rows.length > 0) console.log(`${plainTable(reached)}\n`);
  console.log(plainTable(measuredOn));
  if (isFull || given.write) write(reached, measuredOn);
});

function write(reached, measuredOn) {
  for (const name of chosen) {
    writeBetween(PAGE, `bench:${name}`, PARTS[name].tables(results[name]).map(markdownTable).join("\n\n"));
  }
  if (results.large !== undefined) writeFileSync(new URL("performance-size.svg", DOCS), sizePlot(results.large));
  if (results.concurrency !== undefined) {
    writeFileSync(new URL("performance-concurrency.svg", DOCS), concurrencyPlot(results.concurrency));
  }
  // Of a few parts, these would be half of what they say.
  if (chosen.length < Object.keys(PARTS).length) return;
  writeBetween(PAGE, "bench:goals", markdownTable({ ...reached, caption: "" }));
  writeBetween(PAGE, "bench:environment", markdownTable(measuredOn));
  writeBetween(README, "bench", markdownTable(summary(results)));
  console.log("\nwritten: README.md, docs/performance.md and its plots");
}
