/** Where a JSON text stops being one. What JSON.parse says of that differs from engine to engine, and may lack the place. */

const SPACE = /[ \t\r\n]*/y;
const SCALAR =
  /"(?:[^"\\\p{Cc}]|[\u007f-\u009f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/uy;

/** @returns the index of the first character that can't be where it is; `undefined` for valid JSON. */
export function findJsonError(text: string): number | undefined {
  let index = 0;

  /** Moves behind what the pattern matches here, and white space. */
  function take(pattern: RegExp): boolean {
    pattern.lastIndex = index;
    const found = pattern.exec(text)?.[0];
    if (found === undefined) return false;
    index += found.length;
    SPACE.lastIndex = index;
    index += SPACE.exec(text)?.[0].length ?? 0;
    return true;
  }

  function takeItems(takeItem: () => boolean, end: RegExp): boolean {
    if (take(end)) return true;
    do {
      if (!takeItem()) return false;
    } while (take(/,/y));
    return take(end);
  }

  function takeValue(): boolean {
    if (take(/\{/y)) return takeItems(() => text[index] === '"' && take(SCALAR) && take(/:/y) && takeValue(), /\}/y);
    if (take(/\[/y)) return takeItems(takeValue, /\]/y);
    return take(SCALAR);
  }

  take(SPACE);
  return takeValue() && index === text.length ? undefined : index;
}
