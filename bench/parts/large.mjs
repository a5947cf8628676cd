// Bodies up to what Lambda takes, 6 MB of JSON: time, CPU and memory.
import { contest, contestantsOf, FLOOR, OURS, SDK } from "../contestants.mjs";
import { megabytes, milliseconds, sizeText, times } from "../report.mjs";
import { rounds } from "../rounds.mjs";
import { median, medianRatio } from "../statistics.mjs";

export const title = "Large bodies";

const KB = 1024;
const MB = 1024 * KB;
/** 4 MB of bytes are 5.6 MB of base64. */
export const LARGE = 4 * MB;
/** With what JSON adds to it, about the most text that fits. */
const LARGEST_TEXT = 5.75 * MB;
const SIZES = [KB, 64 * KB, MB, LARGE];
export const KINDS = ["text", "binary"];
export const WAYS = ["up", "down"];

const CASES = WAYS.flatMap((way) =>
  KINDS.flatMap((kind) =>
    [...SIZES, ...(kind === "text" ? [LARGEST_TEXT] : [])].map((size) => caseOf(way, kind, size)),
  ),
);

function caseOf(way, kind, size) {
  return { id: `${way} ${kind} ${size}`, way, kind, size };
}

export async function run({ endpoint, quick }, { names, isLargeOnly = false } = {}) {
  const [count, seconds] = quick ? [1, 0.02] : [3, 0.1];
  const contestants = contestantsOf("large", names);
  const cases = CASES.filter(({ size }) => !isLargeOnly || size === LARGE);
  const speeds = await rounds(count, contestants, (contestant) =>
    contest(contestant, "bodies", { endpoint, cases, seconds }),
  );
  const memories = await rounds(count, contestants, async (contestant) => {
    const round = {};
    for (const each of cases.filter(({ size }) => size === LARGE)) {
      round[each.id] = await contest(contestant, "memory", { endpoint, ...each, calls: 10 });
    }
    return round;
  });
  return { speeds, memories, cases };
}

export function valuesOf({ speeds, memories }, name, { id }, what) {
  if (what === "peak" || what === "baseline") return memories.get(name).map((round) => round[id][what]);
  return speeds.get(name).map(({ cases }) => cases[id][what]);
}

export function tables(data) {
  const { speeds, cases } = data;
  const row = (each, what, unit, names) => names.map((name) => unit(valuesOf(data, name, each, what)));
  const ofSdk = (each, what) => times(valuesOf(data, OURS, each, what), valuesOf(data, SDK, each, what));
  const body = ({ way, kind, size }) => `${sizeText(size)} of ${kind} ${way}`;
  const all = [OURS, SDK, FLOOR];
  const count = speeds.get(SDK).length;
  const costs = (what, caption) => ({
    caption: `${caption} a call, one call at a time: median of ${count} processes; undici's is a bare POST`,
    head: ["body", "ours", "the SDK's", "undici's", "ours, of the SDK's"],
    rows: cases.map((each) => [body(each), ...row(each, what, milliseconds, all), ofSdk(each, what)]),
  });
  return [
    costs("time", "Time"),
    costs("cpu", "CPU"),
    {
      caption: "Peak memory of a process that makes ten such calls; and before it, with fifty small ones made",
      head: ["body", "ours", "the SDK's", "undici's", "ours, of SDK's", "before: ours", "SDK's", "undici's"],
      rows: cases
        .filter(({ size }) => size === LARGE)
        .map((each) => [
          ...[body(each), ...row(each, "peak", megabytes, all), ofSdk(each, "peak")],
          ...row(each, "baseline", megabytes, all),
        ]),
    },
  ];
}

/** CPU a call by size, for the plot. */
export function growth(data, way, kind) {
  const cases = data.cases.filter((each) => each.way === way && each.kind === kind);
  return [OURS, SDK, FLOOR].map((name) => ({
    name,
    points: cases.map((each) => [each.size, median(valuesOf(data, name, each, "cpu"))]),
  }));
}

/** Of 4 MB; `what` is `time`, `cpu` or `peak`. */
export function ratioOf(data, way, kind, what, compare = medianRatio) {
  const each = caseOf(way, kind, LARGE);
  return compare(valuesOf(data, OURS, each, what), valuesOf(data, SDK, each, what));
}
