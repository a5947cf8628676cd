/** What values in a template can be, as far as both kinds share it. */

export type Fields = Readonly<Record<string, unknown>>;

/** A value that is known on AWS alone, or only to the tool that deploys. The message says why. */
export class Unresolved extends Error {
  override readonly name = "Unresolved";
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value if it has fields, and none otherwise: what is absent, or odd, says nothing. */
export function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}

/** Whole values and strings around them alike: what can be part of a text. */
export function isPlain(value: unknown): value is string | number | boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}
