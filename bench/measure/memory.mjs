// Bodies of one size, up or down, and the most memory that the process has had; before, with small calls made, and after.
import { contentOf } from "../content.mjs";
import { peakMemory, readJob, report } from "./job.mjs";

const { contestant, endpoint, way, kind, size, calls } = readJob();
const SMALL_CALLS = 50;

const { prepare } = await import(contestant);
const client = await prepare(endpoint);
for (let call = 0; call < SMALL_CALLS; call++) await client.get("orders");
// What goes up is the caller's own. That it comes down whole is checked where the time is measured.
const content = way === "up" ? contentOf(kind, size) : undefined;
const baseline = peakMemory();
for (let call = 0; call < calls; call++) {
  if (way === "up") {
    const { taken } = await client.up("upload", content);
    if (taken !== true) throw new Error("a wrong answer");
  } else {
    const { length } = await client.down(`${kind}-${size}`, kind);
    if (length < size * 0.9) throw new Error(`a wrong answer: ${length} of ${size}`);
  }
}
report({ baseline, peak: peakMemory() });
