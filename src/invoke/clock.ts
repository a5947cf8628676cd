/** Is a refusal about the time of its signature? A call that is signed again, by the clock put right, may then go through. */

// Less than the five minutes that AWS puts up with, for an answer takes time.
const MAX_SKEW_MS = 4 * 60 * 1000;

/** Whatever it was refused for: a wrong clock is not always told as one. `skew` is NaN where the answer tells no time. */
export function isClockWrong(status: number, skew: number): boolean {
  return status < 500 && Math.abs(skew) >= MAX_SKEW_MS;
}

/** Signed long before it was sent, or by the clock before the correction; a new signature is all that is needed. */
export function isSignatureStale(message: string): boolean {
  return /^Signature (?:expired|not yet current)/.test(message);
}
