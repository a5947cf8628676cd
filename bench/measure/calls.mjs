// Small calls of one contestant in one process, at several counts in flight: CPU a call, calls a second, how long each
// took, and the process's peak memory.
import { SMALL_BODY } from "../content.mjs";
import { percentile, shuffle } from "../statistics.mjs";
import { checkCalls, isRight } from "./check.mjs";
import { cpuSince, peakMemory, readJob, report } from "./job.mjs";

const { contestant, cases, warmUp } = readJob();
// Before a case is measured, its connections have to be there, and what it does to be compiled.
const SETTLE_CALLS = 2;
const SETTLE_S = 0.06;

const { prepare } = await import(contestant);
const clients = new Map();
for (const { endpoint } of cases) {
  if (clients.has(endpoint)) continue;
  const client = await prepare(endpoint);
  await client.begin?.();
  await checkCalls(client);
  clients.set(endpoint, client);
}
const [first] = clients.values();
// By time and not by calls: whoever is slow would be given minutes else.
for (const verb of ["post", "get"]) await run(callOf(first, verb), { inFlight: 32, seconds: warmUp / 2 });

const results = {};
// What the goals are about comes first: it is what the process got warm with.
const inOrder = [...cases.filter(({ isMain }) => isMain), ...shuffle(cases.filter(({ isMain }) => !isMain))];
for (const { id, verb, inFlight, endpoint, seconds } of inOrder) {
  const call = callOf(clients.get(endpoint), verb);
  await run(call, { inFlight, seconds: SETTLE_S, atLeast: SETTLE_CALLS });
  const cpu = process.cpuUsage();
  const begin = performance.now();
  // The clock would be part of what many calls at a time cost.
  const times = await run(call, { inFlight, seconds, isTimed: inFlight === 1 });
  const wall = performance.now() - begin;
  results[id] = { cpu: cpuSince(cpu) / times.count, rate: (times.count / wall) * 1000 };
  if (inFlight === 1) {
    Object.assign(results[id], { p50: percentile(times.taken, 0.5), p99: percentile(times.taken, 0.99) });
  }
}
report({ cases: results, memory: peakMemory() });

function callOf(client, verb) {
  return verb === "get" ? () => client.get() : () => client.post(undefined, SMALL_BODY);
}

/** @param atLeast Calls of each that is in flight. */
async function run(call, { inFlight, seconds, atLeast = 1, isTimed = false }) {
  const end = performance.now() + seconds * 1000;
  const taken = [];
  let count = 0;
  const caller = async () => {
    for (let calls = 0; calls < atLeast || performance.now() < end; calls++) {
      const begin = isTimed ? performance.now() : 0;
      if (!isRight(await call())) throw new Error("a wrong answer");
      if (isTimed) taken.push(performance.now() - begin);
      count++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  return { count, taken };
}
