// Curves as SVG: both axes logarithmic, each curve named at its end, readable on light and on dark.

const PANEL = { width: 450, height: 280, left: 64, right: 132, top: 34, bottom: 46 };
const HEADER = 62;
const LABEL_HEIGHT = 15;
const MARGIN = 1.2;
const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #1f2328 } .title { font-size: 16px; font-weight: 600 }
  .panel { font-size: 13px; font-weight: 600 } .faint { fill: #59636e } .page { fill: #ffffff }
  .grid { stroke: #d8dee4 } .axis { fill: none; stroke: #818b98 } .guide { stroke: #59636e; stroke-width: 1.5; stroke-dasharray: 2 4 }
  .line { fill: none; stroke-width: 2.5; stroke-linejoin: round } .name { font-weight: 600 }
  .line.c0 { stroke: #0969da } .line.c1 { stroke: #bc4c00 } .line.c2 { stroke: #57606a } .line.c3 { stroke: #8250df }
  .fill.c0 { fill: #0969da } .fill.c1 { fill: #bc4c00 } .fill.c2 { fill: #57606a } .fill.c3 { fill: #8250df }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .faint { fill: #9198a1 } .page { fill: #0d1117 }
    .grid { stroke: #30363d } .axis { stroke: #6e7681 } .guide { stroke: #9198a1 }
    .line.c0 { stroke: #58a6ff } .line.c1 { stroke: #f0883e } .line.c2 { stroke: #b1bac4 } .line.c3 { stroke: #bc8cff }
    .fill.c0 { fill: #58a6ff } .fill.c1 { fill: #f0883e } .fill.c2 { fill: #b1bac4 } .fill.c3 { fill: #bc8cff }
  }`;

/**
 * @param panels Of each: `title`, `xLabel`, `yLabel`, `xTicks` (value and text), `series` (name, color and points), and
 *   `slope` of the dotted line from the first series: 1 for a straight line through its last point, 0 for a level one
 *   through its first.
 */
export function plot({ title, note, panels, columns }) {
  const rows = Math.ceil(panels.length / columns);
  const [width, height] = [columns * PANEL.width, HEADER + rows * PANEL.height];
  const drawn = panels.map((panel, index) => {
    const [x, y] = [(index % columns) * PANEL.width, HEADER + Math.floor(index / columns) * PANEL.height];
    return `<g transform="translate(${x} ${y})">${panelOf(panel)}</g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeXml(title)}">
<style>${STYLE}
</style>
<rect class="page" width="${width}" height="${height}" rx="6"/>
<text class="title" x="16" y="28">${escapeXml(title)}</text>
<text class="faint" x="16" y="48">${escapeXml(note)}</text>
${drawn.join("\n")}
</svg>
`;
}

function panelOf({ title, xLabel, yLabel, xTicks, series, slope }) {
  const points = series.flatMap((each) => each.points);
  const x = scale(
    points.map(([value]) => value),
    PANEL.left,
    PANEL.width - PANEL.right,
    1,
  );
  const y = scale(
    points.map(([, value]) => value),
    PANEL.height - PANEL.bottom,
    PANEL.top,
    MARGIN,
  );
  const [left, right, bottom] = [PANEL.left, PANEL.width - PANEL.right, PANEL.height - PANEL.bottom];
  const parts = [`<text class="panel" x="${left}" y="18">${escapeXml(title)}</text>`];
  for (const value of niceTicks(y.low, y.high)) {
    const at = fixed(y(value));
    parts.push(`<line class="grid" x1="${left}" x2="${right}" y1="${at}" y2="${at}"/>`);
    parts.push(`<text class="faint" x="${left - 8}" y="${at + 4}" text-anchor="end">${value}</text>`);
  }
  parts.push(`<path class="axis" d="M${left} ${PANEL.top} V${bottom} H${right}"/>`);
  for (const [value, text] of xTicks) {
    const at = fixed(x(value));
    parts.push(`<text class="faint" x="${at}" y="${bottom + 18}" text-anchor="middle">${text}</text>`);
  }
  const middle = (PANEL.top + bottom) / 2;
  parts.push(`<text class="faint" x="${(left + right) / 2}" y="${bottom + 36}" text-anchor="middle">${xLabel}</text>`);
  parts.push(
    `<text class="faint" transform="translate(14 ${middle}) rotate(-90)" text-anchor="middle">${yLabel}</text>`,
  );
  parts.push(guide(series[0].points, slope, x, y));
  for (const { points: curve, color } of series) {
    const places = curve.map(([at, value]) => [fixed(x(at)), fixed(y(value))]);
    parts.push(`<polyline class="line c${color}" points="${places.map((place) => place.join()).join(" ")}"/>`);
    for (const [cx, cy] of places) parts.push(`<circle class="fill c${color}" cx="${cx}" cy="${cy}" r="3"/>`);
  }
  for (const { name, color, at } of apart(series, y)) {
    parts.push(`<text class="name fill c${color}" x="${right + 10}" y="${fixed(at) + 4}">${escapeXml(name)}</text>`);
  }
  return parts.join("\n");
}

/** What a cost in proportion would be, as far as it is inside. */
function guide(points, slope, x, y) {
  const [fromX] = points[0];
  const [toX, last] = points.at(-1);
  if (slope === 0) {
    const at = fixed(y(points[0][1]));
    return `<line class="guide" x1="${fixed(x(fromX))}" x2="${fixed(x(toX))}" y1="${at}" y2="${at}"/>`;
  }
  const startX = Math.max(fromX, (toX * y.low) / last);
  const start = [fixed(x(startX)), fixed(y((last * startX) / toX))];
  return `<line class="guide" x1="${start[0]}" y1="${start[1]}" x2="${fixed(x(toX))}" y2="${fixed(y(last))}"/>`;
}

function scale(values, from, to, margin) {
  const [low, high] = [Math.min(...values) / margin, Math.max(...values) * margin];
  const place = (value) => from + ((to - from) * Math.log(value / low)) / Math.log(high / low);
  return Object.assign(place, { low, high });
}

function niceTicks(low, high) {
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    // Tenths of a power of ten are not what they look like in binary.
    for (const digit of [1, 2, 5]) ticks.push(Number((digit * 10 ** power).toPrecision(1)));
  }
  const inside = ticks.filter((value) => value >= low && value <= high);
  return inside.length <= 8 ? inside : inside.filter((value) => /^[0.]*10*$/.test(String(value)));
}

/** The names of the curves beside their ends, none over another. */
function apart(series, y) {
  const names = series.map(({ name, color, points }) => ({ name, color, at: y(points.at(-1)[1]) }));
  names.sort((a, b) => a.at - b.at);
  for (let index = 1; index < names.length; index++) {
    names[index].at = Math.max(names[index].at, names[index - 1].at + LABEL_HEIGHT);
  }
  return names;
}

function fixed(value) {
  return Number(value.toFixed(1));
}

function escapeXml(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
