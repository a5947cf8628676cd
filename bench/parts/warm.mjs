// What a small call costs a process that has made thousands: how many is a matter of the seconds that all are given.
import { contest, contestantsOf, FLOOR, OURS, SDK, SESSION } from "../contestants.mjs";
import { megabytes, microseconds, milliseconds, percent, perSecond, times } from "../report.mjs";
import { rounds } from "../rounds.mjs";
import { median, medianRatio, spread } from "../statistics.mjs";

export const title = "Small calls";

/** Whose ratios are goals, or guarded. */
const COMPARED = new Set([OURS, SESSION, SDK, FLOOR]);
const MAIN = "get 32";
const PLAIN = [1, 32, 256].flatMap((inFlight) => [
  { id: `get ${inFlight}`, verb: "get", inFlight },
  { id: `post ${inFlight}`, verb: "post", inFlight },
]);
const SECURE = { id: "tls get 32", verb: "get", inFlight: 32 };
/** A process of ours has made some 20,000 calls by then, and is as fast as it gets; one of the SDK's 4,000, and nearly is. */
export const WARM_UP_S = 2.2;

/** @param isMainOnly Whether to measure what the goals are about and those whom they compare, and nothing else. */
export async function run(arena, { isMainOnly = false } = {}) {
  const { endpoint, secureEndpoint, quick } = arena;
  const [warmUp, mainSeconds, seconds] = quick ? [0.5, 0.1, 0.1] : [WARM_UP_S, 0.6, 0.1];
  const all = PLAIN.map((each) => ({ ...each, endpoint }));
  if (secureEndpoint !== undefined) all.push({ ...SECURE, endpoint: secureEndpoint });
  const cases = all
    .map((each) => ({ ...each, isMain: each.id === MAIN, seconds: each.id === MAIN ? mainSeconds : seconds }))
    .filter(({ isMain }) => isMain || !isMainOnly);
  const measure = (contestant) => {
    const { mostInFlight = Number.POSITIVE_INFINITY } = contestant;
    const own = cases.filter(({ inFlight }) => inFlight <= mostInFlight);
    return contest(contestant, "calls", { cases: own, warmUp }, arena.trust);
  };
  const contestants = contestantsOf("warm");
  // One after the other, so that what else the machine does is the same for all of them.
  const compared = contestants.filter(({ name }) => COMPARED.has(name));
  const others = contestants.filter(({ name }) => !COMPARED.has(name) && !isMainOnly);
  const results = await rounds(quick ? 1 : 4, compared, measure);
  for (const [name, values] of await rounds(quick ? 1 : 2, others, measure)) results.set(name, values);
  return { results, warmUp, mainSeconds, seconds };
}

export function valuesOf({ results }, name, id = MAIN, what = "cpu") {
  return results.get(name).map(({ cases }) => cases[id]?.[what]);
}

export function tables(data) {
  const { results, warmUp, mainSeconds, seconds } = data;
  const names = [...results.keys()].sort((a, b) => median(valuesOf(data, a)) - median(valuesOf(data, b)));
  const cpu = (name, id) => microseconds(valuesOf(data, name, id));
  const rate = (name, id) => perSecond(valuesOf(data, name, id, "rate"));
  const count = results.get(SDK).length;
  return [
    {
      caption:
        `CPU a call, by how many are in flight: median of ${count} processes (2 of those that no goal speaks of), each ` +
        `after ${warmUp} s to get warm; GET 32 in the ${mainSeconds} s after that, the others in ${seconds} s each`,
      head: ["contestant", "GET 1", "GET 32", "GET 256", "POST 1", "POST 32", "POST 256", "TLS GET 32"],
      rows: names.map((name) => [
        ...[name, cpu(name, "get 1"), cpu(name, "get 32"), cpu(name, "get 256")],
        ...[cpu(name, "post 1"), cpu(name, "post 32"), cpu(name, "post 256"), cpu(name, SECURE.id)],
      ]),
    },
    {
      caption: "The same GET at 32 in flight, compared; and the process's peak memory",
      head: ["contestant", "CPU a call", "spread", "of the SDK's", "of undici's", "peak memory"],
      rows: names.map((name) => [
        ...[name, cpu(name, MAIN), percent(spread(valuesOf(data, name)))],
        ...[times(valuesOf(data, name), valuesOf(data, SDK)), times(valuesOf(data, name), valuesOf(data, FLOOR))],
        megabytes(results.get(name).map(({ memory }) => memory)),
      ]),
    },
    {
      caption: "GETs a second, by how many are in flight; and how long one takes that is alone",
      head: ["contestant", "at 1", "at 32", "at 256", "TLS at 32", "half within", "99 of 100 within"],
      rows: names.map((name) => [
        ...[name, rate(name, "get 1"), rate(name, "get 32"), rate(name, "get 256"), rate(name, SECURE.id)],
        milliseconds(valuesOf(data, name, "get 1", "p50")),
        milliseconds(valuesOf(data, name, "get 1", "p99")),
      ]),
    },
  ];
}

export function ratioOf(data, name, other, compare = medianRatio) {
  return compare(valuesOf(data, name), valuesOf(data, other));
}
