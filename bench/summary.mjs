// The README's table.
import { SDK } from "./contestants.mjs";
import * as cold from "./parts/cold.mjs";
import * as warm from "./parts/warm.mjs";
import { microseconds, milliseconds, times } from "./report.mjs";
import { median } from "./statistics.mjs";

export function summary(results) {
  const cpu = (name) => warm.valuesOf(results.warm, name);
  const first = (name) => cold.valuesOf(results.cold, name);
  const names = [...results.warm.results.keys()].sort((a, b) => median(cpu(a)) - median(cpu(b)));
  return {
    caption: "",
    head: ["", "CPU a call", "of the SDK's", "import and first call", "of the SDK's"],
    rows: names.map((name) => [
      ...[name, microseconds(cpu(name)), times(cpu(name), cpu(SDK))],
      ...[milliseconds(first(name)), times(first(name), first(SDK))],
    ]),
  };
}
