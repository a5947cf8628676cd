// A bare handler that fails.
export async function handler(event) {
  console.log(`charging the card for ${event.path}`);
  throw new RangeError("the card reader is on fire");
}
