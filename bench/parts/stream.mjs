// Responses that stream, up to the 200 MB that Lambda allows.
import { contest, contestantsOf, OURS, RAW, SDK } from "../contestants.mjs";
import { megabytes, milliseconds, number, sizeText, times } from "../report.mjs";
import { rounds } from "../rounds.mjs";
import { median } from "../statistics.mjs";

export const title = "Streamed responses";

export const KB = 1024;
const MB = 1024 * KB;
export const LARGEST = 200 * MB;
const SHORTER = 20 * MB;
// In one process, so that its memory shows what the longer stream adds; as many bytes of the shorter come before it.
const CASES = [
  { size: KB, calls: 500 },
  { size: MB, calls: 50 },
  { size: SHORTER, calls: 10 },
  { size: LARGEST, calls: 5 },
];

export async function run({ endpoint, quick }, { names } = {}) {
  const results = await rounds(quick ? 1 : 3, contestantsOf("stream", names), (contestant) =>
    contest(contestant, "stream", { endpoint, cases: CASES, isRaw: contestant.isRaw }),
  );
  return { results };
}

/** `first` and `time` in ms, `cpu` in ms, `memory` in MB. */
export function valuesOf({ results }, name, size, what) {
  return results.get(name).map(({ cases }) => cases[size][what]);
}

/** What 200 MB add to the peak memory of 20 MB, in MB. */
export function growthsOf(data, name) {
  const before = valuesOf(data, name, SHORTER, "memory");
  return valuesOf(data, name, LARGEST, "memory").map((memory, round) => memory - before[round]);
}

export function tables(data) {
  const { results } = data;
  return [
    {
      caption: `Median of ${results.get(SDK).length} processes, each with all of its streams from top to bottom`,
      head: ["stream", "first byte", "all of it", "MB/s", "CPU", "of the SDK's", "peak memory"],
      rows: CASES.flatMap(({ size }) =>
        [OURS, SDK, RAW].map((name) => [
          `${sizeText(size)}, ${name}`,
          ...["first", "time"].map((what) => milliseconds(valuesOf(data, name, size, what))),
          number(median(valuesOf(data, name, size, "time").map((time) => (size / MB / time) * 1000))),
          milliseconds(valuesOf(data, name, size, "cpu")),
          times(valuesOf(data, name, size, "cpu"), valuesOf(data, SDK, size, "cpu")),
          megabytes(valuesOf(data, name, size, "memory")),
        ]),
      ),
    },
  ];
}

/** In ms. Of the stream of 1 KB, which is made often enough. */
export function firstByteOf(data, name, size) {
  return median(valuesOf(data, name, size, "first"));
}

export function firstByteRatio(data, compare) {
  return compare(valuesOf(data, OURS, KB, "first"), valuesOf(data, SDK, KB, "first"));
}

export function cpuRatio(data, compare) {
  return compare(valuesOf(data, OURS, LARGEST, "cpu"), valuesOf(data, SDK, LARGEST, "cpu"));
}
