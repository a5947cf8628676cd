// The two plots of docs/performance.md: how the cost grows with size, and with how many calls there are at a time.
import { FLOOR, OURS, SDK, SESSION } from "./contestants.mjs";
import * as concurrency from "./parts/concurrency.mjs";
import * as large from "./parts/large.mjs";
import { plot } from "./plot.mjs";
import { sizeText } from "./report.mjs";

/** How each looks in both plots. */
const LOOKS = {
  [OURS]: { name: "lambda-requests", color: 0 },
  [SDK]: { name: "AWS SDK", color: 1 },
  [FLOOR]: { name: "bare undici", color: 2 },
  [SESSION]: { name: "its Session", color: 3 },
};
const TICKS = [1024, 64 * 1024, 1024 ** 2, 4 * 1024 ** 2];

export function sizePlot(data) {
  const panels = large.WAYS.flatMap((way) =>
    large.KINDS.map((kind) => ({
      title: `${kind} ${way}`,
      xLabel: "size of the body",
      yLabel: "CPU a call, ms",
      xTicks: TICKS.map((size) => [size, sizeText(size)]),
      series: named(large.growth(data, way, kind)),
      slope: 1,
    })),
  );
  const note =
    "Both axes are logarithmic. Dotted: in proportion to size. What is no steeper grows in a straight line or slower.";
  return plot({ title: "What a body costs, by its size", note, panels, columns: 2 });
}

export function concurrencyPlot(data) {
  const series = named(concurrency.growth(data));
  const panels = ["CPU a call", "CPU of all that are in flight"].map((title, index) => ({
    title,
    xLabel: "calls in flight",
    yLabel: index === 0 ? "µs" : "ms",
    xTicks: [1, 4, 16, 64, 256, 512].map((count) => [count, String(count)]),
    series: index === 0 ? series : series.map(({ points, ...look }) => ({ ...look, points: points.map(all) })),
    slope: index,
  }));
  const note =
    "Both axes are logarithmic. Dotted: in proportion. No higher at the left, no steeper at the right: a straight line or slower.";
  return plot({ title: "What a call costs, by how many are in flight", note, panels, columns: 2 });
}

function all([inFlight, microseconds]) {
  return [inFlight, (inFlight * microseconds) / 1000];
}

function named(series) {
  return series.map(({ name, points }) => ({ ...LOOKS[name], points }));
}
