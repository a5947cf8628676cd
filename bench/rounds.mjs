// Rounds in which every contestant has its turn, in a process of its own, in another order each time.
import { shuffle } from "./statistics.mjs";

/** What `contest` gave for each contestant, by name, round after round. */
export async function rounds(count, contestants, contest) {
  const results = new Map(contestants.map(({ name }) => [name, []]));
  for (let round = 1; round <= count; round++) {
    for (const contestant of shuffle(contestants)) {
      progress(`round ${round} of ${count}: ${contestant.name}`);
      results.get(contestant.name).push(await contest(contestant));
    }
  }
  progress("");
  return results;
}

/** On the terminal alone, where the next one takes its place. */
function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
