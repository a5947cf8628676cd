/** JSON, written as text: an event is sent and not looked at, and to make an object first takes a quarter of a call. */

// Text of more is not put together with other text, which would copy it once more.
const LONG = 64 * 1024;
// Strings of this length have a place among small objects, which is where garbage is looked for first.
const PIECE = 32 * 1024;
const NONE: readonly string[] = [];

/** Text that is JSON already, or stands between quotes in it. */
export class JsonText {
  readonly text: string;
  /** What comes before `text`, where a part of it is long. */
  readonly before: readonly string[];

  constructor(text: string, before: readonly string[] = NONE) {
    this.text = text;
    this.before = before;
  }

  get isLong(): boolean {
    return this.before.length > 0 || this.text.length >= LONG;
  }

  toString(): string {
    return this.before.join("") + this.text;
  }

  toBytes(): Uint8Array<ArrayBuffer> {
    if (this.before.length === 0) return Buffer.from(this.text);
    const pieces = [...this.before, this.text];
    const bytes = Buffer.allocUnsafe(pieces.reduce((size, piece) => size + Buffer.byteLength(piece), 0));
    let position = 0;
    for (const piece of pieces) position += bytes.write(piece, position);
    return bytes;
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

/** The same of text of any length: of megabytes in pieces, whose copies the garbage collector takes as they come. */
export function quotable(text: string): JsonText {
  if (text.length < LONG) return new JsonText(escaped(text));
  const pieces = [];
  for (let start = 0; start < text.length; ) {
    let end = start + PIECE;
    // Halves of a character would be escaped each.
    if ((text.codePointAt(end - 1) ?? 0) > 0xffff) end++;
    pieces.push(escaped(text.slice(start, end)));
    start = end;
  }
  return new JsonText("", pieces);
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
  let before: string[] | undefined;
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (typeof value === "string") text += escaped(value);
    else if (!(value instanceof JsonText)) text += value;
    else if (!value.isLong) text += value.text;
    else {
      before = [...(before ?? []), text, ...value.before, value.text];
      text = "";
    }
    text += parts[index + 1];
  }
  return new JsonText(text, before);
}
