// What a process pays before it has its first answer: the import and the first call.
import { bundle } from "../bundle.mjs";
import { contest, contestantsOf, SDK } from "../contestants.mjs";
import { openQuarterCore } from "../quarter-core.mjs";
import { kilobytes, megabytes, milliseconds, percent, times } from "../report.mjs";
import { rounds } from "../rounds.mjs";
import { median, medianRatio, spread } from "../statistics.mjs";

export const title = "Import and first call";

/**
 * @param names Of the contestants; all.
 * @param isPlain Only as is, on a whole core.
 */
export async function run(arena, { names, isPlain = false } = {}) {
  const { endpoint, quick } = arena;
  const contestants = contestantsOf("cold", names);
  const plain = await rounds(quick ? 2 : 9, contestants, (each) => contest(each, "cold", { endpoint }));
  return { plain, ...(isPlain ? {} : await runShipped(arena, contestants)) };
}

/** As a function would ship it: bundled, on a whole core and on a quarter of one. */
async function runShipped({ endpoint, quick, folder }, contestants) {
  const bundles = new Map();
  for (const contestant of contestants) {
    const { name, isPython, isBundled = !isPython } = contestant;
    if (isBundled) bundles.set(name, await bundle(contestant, folder));
  }
  const measure = (options) =>
    rounds(
      quick ? 2 : 3,
      contestants.filter(({ name }) => bundles.has(name)),
      (each) => contest(each, "cold", { endpoint, contestant: bundles.get(each.name).module }, options),
    );
  const quarter = openQuarterCore();
  try {
    const bundled = await measure();
    return {
      bundles,
      whyNoQuarter: quarter.why,
      bundled,
      ...(quarter.why === undefined && { quarter: await measure(quarter) }),
    };
  } finally {
    quarter.close?.();
  }
}

/**
 * `import` and `cold` in ms; `undefined` where somebody has none.
 *
 * @param way `plain`, `bundled` or `quarter`.
 */
export function valuesOf(data, name, way = "plain", what = "cold") {
  return data[way]?.get(name)?.map((round) => round[what]);
}

export function tables(data) {
  const { plain, bundles, bundled, whyNoQuarter } = data;
  const names = [...plain.keys()].sort((a, b) => median(valuesOf(data, a)) - median(valuesOf(data, b)));
  const countOf = (results) => results.get(SDK).length;
  const ms = (name, way, what) => milliseconds(valuesOf(data, name, way, what));
  const ofSdk = (name, way) => times(valuesOf(data, name, way), valuesOf(data, SDK, way));
  return [
    {
      caption: `As is, on a whole core: median of ${countOf(plain)} processes; CPU and memory are of the whole process`,
      head: ["contestant", "import", "and first call", "spread", "of the SDK's", "CPU", "peak memory"],
      rows: names.map((name) => [
        ...[name, ms(name, "plain", "import"), ms(name), percent(spread(valuesOf(data, name)))],
        ...[ofSdk(name), ms(name, "plain", "cpu"), megabytes(valuesOf(data, name, "plain", "memory"))],
      ]),
    },
    {
      caption:
        `The same bundled by esbuild, as a function would ship it${onQuarter(whyNoQuarter)}: ` +
        `median of ${countOf(bundled)} processes`,
      head: ["contestant", "bundle", "first call", "of the SDK's", "on 1/4 core", "of the SDK's"],
      rows: names.map((name) => [
        ...[name, kilobytes(bundles.get(name)?.size), ms(name, "bundled"), ofSdk(name, "bundled")],
        ...[ms(name, "quarter"), ofSdk(name, "quarter")],
      ]),
    },
  ];
}

function onQuarter(why) {
  return why === undefined ? ", and on a quarter of a core" : `; a quarter of a core is left out: ${why}`;
}

export function ratioOf(data, name, other, compare = medianRatio) {
  return compare(valuesOf(data, name), valuesOf(data, other));
}
