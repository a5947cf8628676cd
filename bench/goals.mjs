// What the project means by fast, and whether it is. Ratios, which hold on other machines as well.
import { FLOOR, OURS, RAW, SDK } from "./contestants.mjs";
import * as cold from "./parts/cold.mjs";
import * as large from "./parts/large.mjs";
import * as stream from "./parts/stream.mjs";
import * as warm from "./parts/warm.mjs";
import { median } from "./statistics.mjs";

const MOST_GROWTH_MB = 10;
const MOST_DELAY_MS = 1;

/** Of the parts that were measured. */
export function goals(results) {
  const rows = [];
  const atMost = (what, limit, measured, show) => {
    rows.push([what, show(limit), show(measured), measured <= limit ? "hit" : "missed"]);
  };
  if (results.warm !== undefined) {
    atMost("CPU a warm call, of the SDK's", 0.2, warm.ratioOf(results.warm, OURS, SDK), ratioText);
    atMost("CPU a warm call, of a bare undici POST's", 2.5, warm.ratioOf(results.warm, OURS, FLOOR), ratioText);
  }
  if (results.cold !== undefined) {
    atMost("import and first call, of the SDK's", 0.4, cold.ratioOf(results.cold, OURS, SDK), ratioText);
  }
  if (results.large !== undefined) {
    for (const [what, name] of Object.entries({ time: "time", peak: "peak memory" })) {
      for (const way of large.WAYS) {
        for (const kind of large.KINDS) {
          const ratio = large.ratioOf(results.large, way, kind, what);
          atMost(`4 MB of ${kind} ${way}: ${name}, of the SDK's`, 0.8, ratio, ratioText);
        }
      }
    }
  }
  if (results.stream !== undefined) {
    const growth = median(stream.growthsOf(results.stream, OURS));
    atMost("200 MB streamed: memory beyond that of 20 MB", MOST_GROWTH_MB, growth, (value) => `${value.toFixed(0)} MB`);
    for (const [what, size] of Object.entries({ "1 KB": stream.KB, "200 MB": stream.LARGEST })) {
      const firstByte = (name) => stream.firstByteOf(results.stream, name, size);
      const delay = firstByte(OURS) - firstByte(RAW);
      atMost(
        `time to first byte of ${what}, beyond the raw socket's`,
        MOST_DELAY_MS,
        delay,
        (value) => `${value.toFixed(2)} ms`,
      );
    }
  }
  return { caption: "Goals", head: ["goal", "at most", "measured", ""], rows };
}

/** With a digit more than the limits have, so that what misses one narrowly does not look like it. */
function ratioText(ratio) {
  return `${ratio.toFixed(3)} ×`;
}
