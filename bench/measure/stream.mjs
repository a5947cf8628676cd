// Responses that stream, from small to large: time to the first byte, to the last, CPU, and the most memory so far.
import { median } from "../statistics.mjs";
import { cpuSince, peakMemory, readJob, report } from "./job.mjs";

const { contestant, endpoint, cases, isRaw } = readJob();
const WARM_UP_SIZE = 4096;
const WARM_UP_MS = 1000;

const { prepare } = await import(contestant);
const client = await prepare(endpoint);
for (const end = performance.now() + WARM_UP_MS; performance.now() < end; ) {
  await streams({ size: WARM_UP_SIZE, calls: 10 });
}
const baseline = peakMemory();
const results = {};
for (const { size, calls } of cases) results[size] = await streams({ size, calls });
report({ baseline, cases: results });

async function streams({ size, calls }) {
  const firsts = [];
  const times = [];
  const cpu = process.cpuUsage();
  for (let call = 0; call < calls; call++) {
    const begin = performance.now();
    const { first, size: seen } = await client.stream(`stream-${size}`);
    times.push(performance.now() - begin);
    firsts.push(first - begin);
    // A raw socket counts head and frames as well.
    if (isRaw ? seen <= size : seen !== size) throw new Error(`a wrong answer: ${seen} bytes of ${size}`);
  }
  return { first: median(firsts), time: median(times), cpu: cpuSince(cpu) / calls / 1000, memory: peakMemory() };
}
