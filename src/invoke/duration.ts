/** Time limits: what may be one, and what setTimeout makes of it. */

/** What a time limit has to be, for messages. */
export const DURATION = "a number of milliseconds above 0";

/** Is it one? */
export function isDuration(value: unknown): boolean {
  return typeof value === "number" && value > 0;
}

// setTimeout counts to 24.8 days, and takes more for none at all.
const LONGEST_TIMER = 2 ** 31 - 1;

/** The same as setTimeout takes it. */
export function timerOf(milliseconds: number): number {
  return Math.min(milliseconds, LONGEST_TIMER);
}
