// What many measurements come to.

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function percentile(values, share) {
  return values.toSorted((a, b) => a - b)[Math.min(Math.floor(values.length * share), values.length - 1)];
}

/** How far the rounds are apart: half of what lies between the least and the most, of the median. */
export function spread(values) {
  return (Math.max(...values) - Math.min(...values)) / 2 / median(values);
}

export function medianRatio(values, others) {
  return median(values) / median(others);
}

/** Of the rounds that the machine disturbed least. */
export function leastRatio(values, others) {
  return Math.min(...values) / Math.min(...others);
}

export function shuffle(list) {
  const shuffled = [...list];
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    [shuffled[last], shuffled[other]] = [shuffled[other], shuffled[last]];
  }
  return shuffled;
}
