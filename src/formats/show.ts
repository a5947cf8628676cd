/** Values of a result, for messages. */
import { visible } from "../target.ts";

/** What a value is, and the value: `a string ("x")`. */
export function kindOf(value: unknown): string {
  return value === null ? "null" : `${nameOf(value)} (${show(value)})`;
}

/** A value, cut where it is long; what it is, where it is nested too deep to be written. */
export function show(value: unknown): string {
  try {
    const text = JSON.stringify(value) ?? String(value);
    return visible(text.length > 100 ? `${text.slice(0, 100)}…` : text);
  } catch {
    return nameOf(value);
  }
}

function nameOf(value: unknown): string {
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
