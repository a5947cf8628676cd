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
export const NULL: JsonText = new JsonText("null");

// What JSON.stringify would escape. Most text has none of it, and to look is faster than to have it copied.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones that JSON has to escape
const ESCAPED = /["\\\u0000-\u001f\ud800-\udfff]/;

/** A string as it stands between quotes. */
export function escaped(text: string): string {
  return ESCAPED.test(text) ? JSON.stringify(text).slice(1, -1) : text;
}

/** A string, or none. */
export function quoted(text: string | null): JsonText {
  return text === null ? NULL : new JsonText(`"${escaped(text)}"`);
}

const lines = new WeakMap<TemplateStringsArray, readonly string[]>();

/**
 * A document as it is in the source, without its line breaks: json`{"path":"${path}"}`. What a string holds is escaped, so that
 * nothing gets out of its quotes.
 */
export function json(
  strings: TemplateStringsArray,
  ...values: readonly (string | number | boolean | JsonText)[]
): JsonText {
  let parts = lines.get(strings);
  if (parts === undefined) {
    parts = strings.map((part) => part.replace(/\n */g, ""));
    lines.set(strings, parts);
  }
  let text = parts[0] as string;
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (typeof value === "string") text += escaped(value);
    else text += value instanceof JsonText ? value.text : value;
    text += parts[index + 1];
  }
  return new JsonText(text);
}
