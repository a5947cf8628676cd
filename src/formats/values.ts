/** The values of names, of headers or a query, and the maps of an event in which they are written. */
import { escaped, JsonText } from "./json.ts";

/** `name -> value`. */
export type SingleValues = Record<string, string>;
/** `name -> values`. */
export type MultiValues = Record<string, string[]>;

/** All values of each name, in their order. A `Map`, so that a header named `__proto__` is a header. */
export type Values = Map<string, string[]>;

export function addValue(values: Values, name: string, value: string): void {
  const known = values.get(name);
  if (known === undefined) values.set(name, [value]);
  else known.push(value);
}

export function lastValue(values: Values, name: string): string | undefined {
  return values.get(name)?.at(-1);
}

/** {@link SingleValues}: the last value of a name wins. */
export function singleValues(values: Values): JsonText {
  let text = "";
  for (const [name, all] of values) text += `,"${escaped(name)}":"${escaped(all[all.length - 1] as string)}"`;
  return object(text);
}

/** {@link MultiValues} */
export function multiValues(values: Values): JsonText {
  let text = "";
  for (const [name, all] of values) text += `,"${escaped(name)}":${list(all).text}`;
  return object(text);
}

/** An array of strings. */
export function list(values: readonly string[]): JsonText {
  return new JsonText(values.length === 0 ? "[]" : `["${values.map(escaped).join('","')}"]`);
}

/** @param fields Each with a comma before it. */
function object(fields: string): JsonText {
  return new JsonText(`{${fields.slice(1)}}`);
}

/** The values of each name, joined. */
export type JoinedValues = Map<string, string>;

export function joinValue(values: JoinedValues, name: string, value: string, separator: string): void {
  const before = values.get(name);
  values.set(name, before === undefined ? value : before + separator + value);
}

/** {@link SingleValues} */
export function joinedValues(values: JoinedValues): JsonText {
  let text = "";
  for (const [name, value] of values) text += `,"${escaped(name)}":"${escaped(value)}"`;
  return object(text);
}
