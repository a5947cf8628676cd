// Bodies of several sizes up and down, one after the other: time and CPU a call.
import { contentOf } from "../content.mjs";
import { median, shuffle } from "../statistics.mjs";
import { checkDown, checkUp } from "./check.mjs";
import { cpuSince, readJob, report } from "./job.mjs";

const { contestant, endpoint, cases, seconds } = readJob();
const AT_LEAST = 10;
const WARM_UP_CALLS = 3;

const { prepare } = await import(contestant);
const client = await prepare(endpoint);
const results = {};
for (const { id, way, kind, size } of shuffle(cases)) {
  const content = contentOf(kind, size);
  await (way === "up" ? checkUp(client, content) : checkDown(client, kind, size));
  for (let call = 0; call < WARM_UP_CALLS; call++) await transfer(way, kind, content);
  const times = [];
  const cpu = process.cpuUsage();
  const end = performance.now() + seconds * 1000;
  while (times.length < AT_LEAST || performance.now() < end) {
    const begin = performance.now();
    await transfer(way, kind, content);
    times.push(performance.now() - begin);
  }
  results[id] = { time: median(times), cpu: cpuSince(cpu) / times.length / 1000 };
}
report({ cases: results });

async function transfer(way, kind, content) {
  if (way === "up") {
    const { taken } = await client.up("upload", content);
    if (taken !== true) throw new Error("a wrong answer");
    return;
  }
  const size = Buffer.byteLength(content);
  const { length } = await client.down(`${kind}-${size}`, kind);
  if (length !== content.length) throw new Error(`a wrong answer: ${length} of ${content.length}`);
}
