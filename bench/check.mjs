// `npm run bench:check`: fails when a ratio has become worse than the committed one by more than the tolerance, and is so
// when it is measured again. `npm run bench:check -- --write` commits to those of now. Ratios and never times: those are
// of a machine.
import "./install.mjs";
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { inArena } from "./arena.mjs";
import { RATIOS } from "./ratios.mjs";
import { plainTable } from "./report.mjs";

const FILE = new URL("ratios.json", import.meta.url);
/** By how much a ratio varies from run to run on a machine that does something else as well: 0.12, 0.16 and 0.21 were seen. */
const TOLERANCE = 0.35;

const { values: given } = parseArgs({
  options: { write: { type: "boolean", default: false }, quick: { type: "boolean", default: false } },
});

await inArena(given, async (arena) => {
  const measured = {};
  for (const part of Object.keys(RATIOS)) measured[part] = await measure(part, arena);
  if (given.write) await write(measured, arena);
  else await compare(measured, JSON.parse(readFileSync(FILE, "utf8")), arena);
});

function measure(part, arena) {
  console.error(`measuring: ${part}`);
  return RATIOS[part](arena);
}

async function write(measured, arena) {
  const ratios = {};
  for (const [part, first] of Object.entries(measured)) {
    // Of two, the worse: by a lucky one, all that come after would have become worse.
    ratios[part] = each(first, await measure(part, arena), (one, other) => Number(Math.max(one, other).toFixed(3)));
  }
  writeFileSync(FILE, `${JSON.stringify(ratios, null, 2)}\n`);
  console.log(`written to bench/ratios.json:\n${JSON.stringify(ratios, null, 2)}`);
}

async function compare(measured, committed, arena) {
  for (const part of Object.keys(RATIOS)) {
    if (worse(measured[part], committed[part]).length === 0) continue;
    // What was only the machine's does not come again.
    measured[part] = each(measured[part], await measure(part, arena), Math.min);
  }
  const rows = [];
  for (const [part, ratios] of Object.entries(measured)) {
    const regressions = worse(ratios, committed[part]);
    for (const [name, is] of Object.entries(ratios)) {
      const was = committed[part]?.[name];
      const verdict = regressions.includes(name) ? "WORSE" : is * (1 + TOLERANCE) < was ? "better" : "ok";
      rows.push([name, was?.toFixed(3) ?? "none", is.toFixed(3), verdict]);
    }
  }
  const caption = `Ratios, which may be ${TOLERANCE * 100} % above the committed ones`;
  console.log(plainTable({ caption, head: ["ratio", "was", "is", ""], rows }));
  const regressions = rows.filter(([, , , verdict]) => verdict === "WORSE");
  for (const [name, was, is] of regressions) {
    console.error(`worse by more than ${TOLERANCE * 100} %, twice: ${name}: was ${was}, is ${is}`);
  }
  if (regressions.length > 0) process.exitCode = 1;
}

function worse(ratios, committed = {}) {
  return Object.keys(ratios).filter((name) => !(ratios[name] <= committed[name] * (1 + TOLERANCE)));
}

function each(ratios, others, choose) {
  return Object.fromEntries(Object.entries(ratios).map(([name, ratio]) => [name, choose(ratio, others[name])]));
}
