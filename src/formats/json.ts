/** JSON, written as text: an event is sent and not looked at, and to make an object first takes a quarter of a call. */

// Text of more is not put together with other text, which would copy it once more.
const LONG = 64 * 1024;
// Strings of this length have a place among small objects, which is where garbage is looked for first.
const PIECE = 32 * 1024;

/** Text of megabytes between quotes, which is escaped as it is written: at no time is there another copy of all of it. */
class LongText {
  readonly raw: string;

  constructor(raw: string) {
    this.raw = raw;
  }

  *pieces(): Generator<string> {
    for (let start = 0; start < this.raw.length; ) {
      let end = start + PIECE;
      // Halves of a character would be escaped each.
      if ((this.raw.codePointAt(end - 1) ?? 0) > 0xffff) end++;
      yield escaped(this.raw.slice(start, end));
      start = end;
    }
  }
}

type Part = string | LongText;
const NONE: readonly Part[] = [];

/** Text that is JSON already, or stands between quotes in it. */
export class JsonText {
  readonly text: string;
  /** What comes before `text`, where a part of it is long. */
  readonly before: readonly Part[];

  constructor(text: string, before: readonly Part[] = NONE) {
    this.text = text;
    this.before = before;
  }

  get isLong(): boolean {
    return this.before.length > 0 || this.text.length >= LONG;
  }

  toString(): string {
    return this.before.length === 0 ? this.text : [...this.pieces()].join("");
  }

  toBytes(): Uint8Array<ArrayBuffer> {
    if (this.before.length === 0) return Buffer.from(this.text);
    const sizes = this.before.map(likelySize);
    // Room for what is not ASCII in the text around them.
    let bytes = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + size, this.text.length + LONG));
    let position = 0;
    for (const piece of this.pieces()) {
      const end = position + Buffer.byteLength(piece);
      if (end > bytes.length) bytes = Buffer.concat([bytes.subarray(0, position)], 2 * end);
      bytes.write(piece, position);
      position = end;
    }
    return bytes.subarray(0, position);
  }

  *pieces(): Generator<string> {
    for (const part of this.before) {
      if (typeof part === "string") yield part;
      else yield* part.pieces();
    }
    yield this.text;
  }
}

/**
 * Bytes that suffice for most: a long string is base64, and of prose a few characters in a hundred are escaped. What is not
 * written to takes no memory, but it counts for when garbage is collected: ten calls with 4 MB took 106 MB with a tenth more than
 * the text, and 93 with twice as much.
 */
function likelySize(part: Part): number {
  return typeof part === "string" ? part.length : 2 * Buffer.byteLength(part.raw);
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

/** The same of text of any length. */
export function quotable(text: string): JsonText {
  return text.length < LONG ? new JsonText(escaped(text)) : new JsonText("", [new LongText(text)]);
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
  let before: Part[] | undefined;
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
