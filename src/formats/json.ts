/** JSON, written as text: an event is sent and not looked at, and to make an object first takes a quarter of a call. */

/** Text that is JSON already. */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A part of a document that is left out. */
export const NOTHING: JsonText = new JsonText("");

// What JSON.stringify would escape. Most text has none of it, and to look is faster than to have it copied.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones that JSON has to escape
const ESCAPED = /["\\\u0000-\u001f\ud800-\udfff]/;

/** A string, in quotes. */
export function quoted(text: string): string {
  return ESCAPED.test(text) ? JSON.stringify(text) : `"${text}"`;
}

const lines = new WeakMap<TemplateStringsArray, readonly string[]>();

/**
 * A document as it is in the source, without its line breaks: json`{"path":${path}}`. What it is given is written as JSON, so
 * that nothing gets out of its quotes.
 */
export function json(
  strings: TemplateStringsArray,
  ...values: readonly (string | number | boolean | null | JsonText)[]
): JsonText {
  let parts = lines.get(strings);
  if (parts === undefined) {
    parts = strings.map((part) => part.replace(/\n */g, ""));
    lines.set(strings, parts);
  }
  let text = parts[0] as string;
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (typeof value === "string") text += quoted(value);
    else if (value instanceof JsonText) text += value.text;
    else text += value;
    text += parts[index + 1];
  }
  return new JsonText(text);
}
