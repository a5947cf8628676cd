/** `docs/compatibility.md`, made of how the expectations went. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { FORMATS, type PayloadFormat } from "../../src/formats/formats.ts";
import type { Outcome } from "./expect-all.ts";
import { type AppName, type Expectation, expectations } from "./expectations.ts";
import { failureOf } from "./failures.ts";

export const ALL_FORMATS: readonly PayloadFormat[] = Object.keys(FORMATS) as PayloadFormat[];

/** What the page says of an application besides how it went. */
export interface Application {
  /** The framework's package and the adapter's, or the one that is both. */
  readonly packages: readonly string[];
  /** Those that the adapter takes. */
  readonly formats: readonly PayloadFormat[];
  /** Why not the others. */
  readonly leftOut?: string;
  /** What the adapter has to be told so that bytes in an answer stay what they are. */
  readonly setting: string;
}

type Applications = Readonly<Partial<Record<AppName, Application>>>;

export function renderCompatibility(applications: Applications, outcomes: readonly Outcome[]): string {
  const reasons = failureReasons(outcomes);
  return `# Compatibility

<!-- Written by a test. To update: UPDATE_DOCS=1 npx vitest run test/applications.test.ts -->

One application, written in each of these frameworks with the framework's own means and put behind its usual adapter, is
held to one list of ${expectations.length} expectations (\`test/support/expectations.ts\`): methods, paths, queries, headers, cookies, bodies,
files, statuses, redirects. Each row is an application, each column a value of the option \`payloadFormat\`; the numbers in
brackets are those of the reasons below.

${resultTable(applications, outcomes, reasons)}

${leftOut(applications)}

## What frameworks and adapters get wrong

Each of these is run, and has to fail: when a new version mends it, the test says so.

${reasons.map((reason, index) => failureItem(reason, index + 1, outcomes)).join("\n")}

## What a payload format loses

An event or a result has no place for it, whichever framework reads it; AWS's own event sources lose it in the same way. The
tests expect exactly what arrives instead. No loss: ${lossless()}. That \`http-api\` and \`function-url\` join the values of a
repeated header with a comma is none: to HTTP it is the same.

${lossList()}

## What an adapter has to be told

Adapters choose between text and base64 for an answer, and most choose text for what they don't know: then bytes that are no
UTF-8 are lost before they leave the function. The applications above have these settings.

| adapter | setting |
|---|---|
${settingRows(applications)}

## Not in the table

- Flask: run by \`test/flask.test.ts\` behind a WSGI adapter of the test's own, with \`rest-api\`, \`http-api\` and \`alb\`, where
  the machine's \`python3\` has Flask.
- Chalice: not run here. It routes by \`requestContext.resourcePath\`, which names the application's own routes in a Chalice
  deployment and is \`/{proxy+}\` here: no route matches.
- Zappa with \`http-api\` and \`function-url\`: not run here. It takes the stage, which is \`$default\`, for a prefix of the
  path. With \`rest-api\` it does not.
`;
}

function resultTable(applications: Applications, outcomes: readonly Outcome[], reasons: readonly string[]): string {
  const rows = Object.entries(applications).map(([app, { packages, formats }]) => {
    const cells = ALL_FORMATS.map((format) => {
      if (!formats.includes(format)) return "–";
      const own = outcomes.filter((outcome) => outcome.app === app && outcome.format === format);
      const failed = own.filter(({ passed }) => !passed);
      if (failed.length === 0) return "all pass";
      const numbers = new Set(failed.map((outcome) => reasons.indexOf(reasonOf(outcome)) + 1));
      return `${failed.length} of ${own.length} fail (${[...numbers].sort((a, b) => a - b).join(", ")})`;
    });
    return `| ${packages.map(withVersion).join(", ")} | ${cells.join(" | ")} |`;
  });
  return [`| | ${ALL_FORMATS.join(" | ")} |`, `|---|${"---|".repeat(ALL_FORMATS.length)}`, ...rows].join("\n");
}

function leftOut(applications: Applications): string {
  return Object.values(applications)
    .filter((application) => application.leftOut !== undefined)
    .map(({ packages, leftOut }) => `–: ${packages.at(-1)} does not take it: ${leftOut}.`)
    .join("\n");
}

/** In the order in which the applications met them. */
function failureReasons(outcomes: readonly Outcome[]): string[] {
  return [...new Set(outcomes.filter(({ passed }) => !passed).map(reasonOf))];
}

function reasonOf({ app, format, expectation }: Outcome): string {
  return failureOf(app, format, expectation)?.reason ?? "not explained";
}

function failureItem(reason: string, number: number, outcomes: readonly Outcome[]): string {
  const own = outcomes.filter((outcome) => !outcome.passed && reasonOf(outcome) === reason);
  const formats = ALL_FORMATS.filter((format) => own.some((outcome) => outcome.format === format));
  const names = new Set(own.map(({ expectation }) => named(expectation)));
  return `${number}. ${reason}. (${formats.join(", ")}: ${[...names].join("; ")})`;
}

function lossless(): string {
  const formats = ALL_FORMATS.filter((format) => expectations.every(({ lostBy }) => lostBy?.[format] === undefined));
  return formats.map((format) => `\`${format}\``).join(", ");
}

function lossList(): string {
  const items = ALL_FORMATS.flatMap((format) => {
    const reasons = new Set(expectations.flatMap(({ lostBy }) => lostBy?.[format]?.reason ?? []));
    return [...reasons].map((reason) => {
      const names = expectations.filter(({ lostBy }) => lostBy?.[format]?.reason === reason).map(named);
      return `- \`${format}\`: ${reason}. (${names.join("; ")})`;
    });
  });
  return items.join("\n");
}

function settingRows(applications: Applications): string {
  return Object.values(applications)
    .map(({ packages, setting }) => `| ${packages.join(", ")} | ${setting} |`)
    .join("\n");
}

/** Its sample, which Markdown would read, as code. */
function named({ name }: Expectation): string {
  return name.replace(/: ([/?].*)$/, ": `$1`");
}

/** Major and minor: what comes after changes too often to be of interest. */
function withVersion(name: string): string {
  const file = join(import.meta.dirname, "../../node_modules", name, "package.json");
  const { version } = JSON.parse(readFileSync(file, "utf8")) as { version: string };
  return `${name} ${version.split(".").slice(0, 2).join(".")}`;
}
