/**
 * How many environments start at the same time. A thousand calls at once would start a thousand processes, where a few that
 * answer quickly take them all in their turn.
 */
import { availableParallelism } from "node:os";

const SLOTS = Math.max(4, 2 * availableParallelism());
/** One that starts slowly keeps the others waiting no longer. */
const MAX_HOLD = 1000;

let taken = 0;
const waiting: (() => void)[] = [];

/** Settles when an environment may start, with what is to be called when it has. */
export async function startSlot(): Promise<() => void> {
  if (taken >= SLOTS) await new Promise<void>((go) => waiting.push(go));
  else taken++;
  const timer = setTimeout(release, MAX_HOLD);
  let isHeld = true;
  function release(): void {
    clearTimeout(timer);
    if (!isHeld) return;
    isHeld = false;
    const next = waiting.shift();
    // The slot goes on to the next.
    if (next === undefined) taken--;
    else next();
  }
  return release;
}
