// What the numbers look like: on the terminal, and in the Markdown that is written into the project's pages.
import { readFileSync, writeFileSync } from "node:fs";
import { median, medianRatio } from "./statistics.mjs";

const NONE = "–";

/** A number with as many digits as mean something. */
export function number(value, digits = 3) {
  if (value >= 10 ** (digits - 1)) return String(Math.round(value));
  return value.toFixed(Math.max(0, digits - 1 - Math.max(0, Math.floor(Math.log10(value)))));
}

/** Each of these takes one value, or those of all rounds, and shows the median. */
export const microseconds = inUnit((value) => `${number(value)} µs`);
export const megabytes = inUnit((value) => `${Math.round(value)} MB`);
export const kilobytes = inUnit((value) => `${Math.round(value)} KB`);
export const perSecond = inUnit((value) => String(Math.round(value)));
export const milliseconds = inUnit((value) => `${number(value)} ms`);

function inUnit(show) {
  return (values) => {
    const value = Array.isArray(values) ? median(values) : values;
    return value === undefined || Number.isNaN(value) ? NONE : show(value);
  };
}

export function percent(share) {
  return `±${Math.round(share * 100)} %`;
}

/** How many times as much as the other. */
export function times(values, others) {
  if (values === undefined || others === undefined) return NONE;
  return factor(medianRatio(values, others));
}

function factor(ratio) {
  if (Number.isNaN(ratio)) return NONE;
  return `${ratio >= 10 ? Math.round(ratio) : ratio.toFixed(ratio < 0.1 ? 3 : 2)} ×`;
}

export function sizeText(bytes) {
  const [KB, MB] = [1024, 1024 ** 2];
  return bytes < MB ? `${bytes / KB} KB` : `${bytes / MB} MB`;
}

/** For a terminal. Numbers stand at the right, `isText` at the left. */
export function plainTable({ caption, head, rows, isText = false }) {
  const lines = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const pad = (cell, column) => (isText || column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]));
  const drawn = lines.map((line) => line.map(pad).join("  ").trimEnd());
  return [...(caption ? [`${caption}\n`] : []), ...drawn].join("\n");
}

/** For a page. */
export function markdownTable({ caption, head, rows, isText = false }) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const rule = `|---|${(isText ? "---|" : "---:|").repeat(head.length - 1)}`;
  return [...(caption ? [`${caption}:\n`] : []), line(head), rule, ...rows.map(line)].join("\n");
}

/** Puts text between `<!-- name -->` and `<!-- /name -->`. */
export function writeBetween(file, name, text) {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const page = readFileSync(file, "utf8");
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${file.pathname} has no ${begin} … ${end}`);
  writeFileSync(file, `${page.slice(0, from)}${begin}\n\n${text}\n\n${page.slice(to)}`);
}
