// Whether a call costs more the more of them there are.
import { contest, contestantsOf, FLOOR, OURS, SDK, SESSION } from "../contestants.mjs";
import { microseconds, perSecond } from "../report.mjs";
import { rounds } from "../rounds.mjs";
import { median } from "../statistics.mjs";
import { WARM_UP_S } from "./warm.mjs";

export const title = "Many calls at a time";

const IN_FLIGHT = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
const NAMES = [OURS, SESSION, SDK, FLOOR];

export async function run({ endpoint, quick }) {
  const [warmUp, count] = quick ? [0.5, 1] : [WARM_UP_S, 2];
  const cases = IN_FLIGHT.map((inFlight) => ({ id: inFlight, verb: "get", inFlight, endpoint, seconds: 0.1 }));
  const results = await rounds(count, contestantsOf("concurrency"), (contestant) =>
    contest(contestant, "calls", { cases, warmUp }),
  );
  return { results };
}

function valuesOf({ results }, name, inFlight, what) {
  return results.get(name).map(({ cases }) => cases[inFlight][what]);
}

export function tables(data) {
  const table = (what, unit, caption) => ({
    caption: `${caption}: median of ${data.results.get(SDK).length} processes`,
    head: ["in flight", "lambda-requests", "its Session", "the SDK", "bare undici POST"],
    rows: IN_FLIGHT.map((inFlight) => [
      ...[String(inFlight), ...NAMES.map((name) => unit(valuesOf(data, name, inFlight, what)))],
    ]),
  });
  return [table("cpu", microseconds, "CPU a GET"), table("rate", perSecond, "GETs a second")];
}

/** CPU a call by how many are in flight, for the plot. */
export function growth(data) {
  return NAMES.map((name) => ({
    name,
    points: IN_FLIGHT.map((inFlight) => [inFlight, median(valuesOf(data, name, inFlight, "cpu"))]),
  }));
}
