// What a process pays before it has its first answer: the import and the first call.
import { bundle } from "../bundle.mjs";
import { contest, contestantsOf, SDK } from "../contestants.mjs";
import { openQuarterCore } from "../quarter-core.mjs";
import { kilobytes, megabytes, milliseconds, percent, times } from "../report.mjs";
import { rounds } from "../rounds.mjs";
import { median, medianRatio, shuffle, spread } from "../statistics.mjs";

export const title = "Import and first call";

/**
 * @param names Of the contestants; all.
 * @param isPlain Only as is, on a whole core.
 */
export async function run(arena, { names, isPlain = false, count = arena.quick ? 2 : 5 } = {}) {
  const { endpoint } = arena;
  const contestants = contestantsOf("cold", names);
  const bundles = new Map();
  for (const contestant of isPlain ? [] : contestants) {
    const { name, isPython, isBundled = !isPython } = contestant;
    if (isBundled) bundles.set(name, await bundle(contestant, arena.folder));
  }
  const quarter = isPlain ? { why: "not asked for" } : openQuarterCore();
  try {
    const results = await rounds(count, contestants, async (contestant) => {
      const { module } = bundles.get(contestant.name) ?? {};
      const ways = [
        { id: "plain", job: { endpoint } },
        { id: "bundled", job: { endpoint, contestant: module }, isAbsent: module === undefined },
        {
          ...{ id: "quarter", job: { endpoint, contestant: module }, options: quarter },
          isAbsent: module === undefined || quarter.why !== undefined,
        },
      ];
      const round = {};
      for (const { id, job, options, isAbsent } of shuffle(ways)) {
        if (!isAbsent) round[id] = await contest(contestant, "cold", job, options);
      }
      return round;
    });
    return { results, bundles, quarter };
  } finally {
    quarter.close?.();
  }
}

/** `import` and `cold` in ms; `undefined` where somebody has none. */
export function valuesOf({ results }, name, way = "plain", what = "cold") {
  const values = results.get(name).map((round) => round[way]?.[what]);
  return values.includes(undefined) ? undefined : values;
}

export function tables(data) {
  const { results, bundles, quarter } = data;
  const names = [...results.keys()].sort((a, b) => median(valuesOf(data, a)) - median(valuesOf(data, b)));
  const count = results.get(SDK).length;
  const ms = (name, way, what) => milliseconds(valuesOf(data, name, way, what));
  const ofSdk = (name, way) => times(valuesOf(data, name, way), valuesOf(data, SDK, way));
  return [
    {
      caption: `As is, on a whole core: median of ${count} processes; CPU and memory are of the whole process`,
      head: ["contestant", "import", "and first call", "spread", "of the SDK's", "CPU", "peak memory"],
      rows: names.map((name) => [
        ...[name, ms(name, "plain", "import"), ms(name), percent(spread(valuesOf(data, name)))],
        ...[ofSdk(name), ms(name, "plain", "cpu"), megabytes(valuesOf(data, name, "plain", "memory"))],
      ]),
    },
    {
      caption: `The same bundled by esbuild, as a function would ship it${onQuarter(quarter)}`,
      head: ["contestant", "bundle", "first call", "of the SDK's", "on 1/4 core", "of the SDK's"],
      rows: names.map((name) => [
        ...[name, kilobytes(bundles.get(name)?.size), ms(name, "bundled"), ofSdk(name, "bundled")],
        ...[ms(name, "quarter"), ofSdk(name, "quarter")],
      ]),
    },
  ];
}

function onQuarter({ why }) {
  return why === undefined ? ", and on a quarter of a core" : `; a quarter of a core is left out: ${why}`;
}

export function ratioOf(data, name, other, compare = medianRatio) {
  return compare(valuesOf(data, name), valuesOf(data, other));
}
