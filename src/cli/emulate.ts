/** `lambda-requests emulate [NAME=FILE[#EXPORT] …]`: a local Lambda API, until it is interrupted. */
import { existsSync, fstatSync, statSync } from "node:fs";
import { dirname, relative, resolve, sep } from "node:path";
import { readConfigFile } from "../emulator/config/config-file.ts";
import { TIMEOUT } from "../emulator/config/definitions.ts";
import type { Skipped } from "../emulator/config/template-functions.ts";
import { readTemplate } from "../emulator/config/templates.ts";
import { isIgnored, watchFiles } from "../emulator/config/watch.ts";
import type { FunctionDefinition } from "../emulator/definition.ts";
import { type Faults, parseFaults } from "../emulator/faults.ts";
import { Emulator } from "../emulator/index.ts";
import { ConfigurationError } from "../errors.ts";
import { readEnvironment } from "../invoke/environment.ts";
import { parseFunction } from "../target.ts";
import { type Io, parseCommandLine, UsageError, write } from "./output.ts";

const COLUMNS = 80;

/** Read where the command line names no function, as the tools that they belong to do. */
const TEMPLATES = ["serverless.yml", "serverless.yaml", "template.yaml", "template.yml"];

const LOOPBACK = /^(?:127\.|::1$|localhost$)/;

type Functions = Readonly<Record<string, FunctionDefinition | string>>;

/** What the command line says, checked. */
interface CommandLine {
  readonly functions: Functions;
  readonly config: string | undefined;
  readonly template: string | undefined;
  readonly port: number | undefined;
  readonly host: string | undefined;
  readonly allowedHosts: readonly string[];
  readonly faults: Faults | undefined;
  readonly quiet: boolean;
  readonly watch: boolean;
}

/** What is to be emulated. */
interface Plan {
  readonly functions: Functions;
  readonly skipped: readonly Skipped[];
  /** The files that say so. */
  readonly files: readonly string[];
  readonly port: number;
  readonly faults: Faults | undefined;
}

export async function emulate(args: readonly string[], io: Io): Promise<number> {
  const commandLine = readCommandLine(args);
  const plan = await makePlan(commandLine);
  const { functions, port, faults } = plan;
  const { host, quiet, allowedHosts } = commandLine;
  // As functions would find it that are deployed from here. A profile that is not there is another's concern.
  const environment = await readEnvironment().catch(() => undefined);
  await using emulator = await Emulator.start({
    functions,
    port,
    quiet,
    allowedHosts,
    region: environment?.region,
    ...(host !== undefined && { host }),
    ...(faults !== undefined && { faults }),
  });
  const stop = interrupted();
  const watcher = commandLine.watch ? watchFunctions(emulator, plan, io) : undefined;
  try {
    await write(io.stdout, `${emulator.endpoint}\n`);
    await write(io.stderr, introduce(plan, emulator.endpoint, host ?? "127.0.0.1"));
    await stop;
  } finally {
    watcher?.close();
  }
  return 0;
}

function readCommandLine(args: readonly string[]): CommandLine {
  const { values, positionals } = parseCommandLine({
    args: [...args],
    allowPositionals: true,
    options: {
      exec: { type: "string", multiple: true, default: [] },
      config: { type: "string" },
      template: { type: "string" },
      port: { type: "string" },
      host: { type: "string" },
      "allow-host": { type: "string", multiple: true, default: [] },
      timeout: { type: "string" },
      fault: { type: "string", multiple: true },
      watch: { type: "boolean", default: false },
      quiet: { type: "boolean", default: false },
    },
  });
  const { port, timeout, fault, exec, ...others } = values;
  if (port !== undefined && (!/^\d{1,5}$/.test(port) || Number(port) > 65_535)) {
    throw new UsageError(`--port ${port} is no port: 0 to 65535`);
  }
  if (timeout !== undefined && !TIMEOUT[0](Number(timeout))) {
    throw new UsageError(`--timeout ${timeout} has to be ${TIMEOUT[1]}`);
  }
  const limit = timeout !== undefined && { timeout: Number(timeout) };
  const functions = new Map<string, FunctionDefinition | string>();
  function add([name, definition]: [string, FunctionDefinition | string]): void {
    if (functions.has(name)) throw new UsageError(`the function ${name} is given twice`);
    functions.set(name, definition);
  }
  for (const text of positionals) {
    const [name, file] = split(text, "NAME=FILE, as in orders=./orders.mjs");
    add([name, limit ? { handler: resolve(file), ...limit } : resolve(file)]);
  }
  for (const text of exec) {
    const [name, command] = split(text, "--exec NAME='COMMAND', as in --exec orders=./bootstrap");
    add([name, { command, ...limit }]);
  }
  return {
    ...others,
    config: others.config,
    template: others.template,
    host: others.host,
    allowedHosts: others["allow-host"],
    functions: Object.fromEntries(functions),
    port: port === undefined ? undefined : Number(port),
    faults: fault === undefined ? undefined : readFaults(fault.join(",")),
  };
}

function split(text: string, form: string): [name: string, value: string] {
  const equals = text.indexOf("=");
  if (equals < 1 || equals === text.length - 1) throw new UsageError(`${JSON.stringify(text)}: write ${form}`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}

function readFaults(text: string): Faults {
  try {
    return parseFaults(text);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new UsageError(`--fault: ${error.message}`);
  }
}

/** Whatever the command line says goes before the configuration file, and that before the template. */
async function makePlan(commandLine: CommandLine): Promise<Plan> {
  const { config, functions: named } = commandLine;
  const isBare = config === undefined && Object.keys(named).length === 0;
  const template = commandLine.template ?? (isBare ? findTemplate() : undefined);
  const described = template === undefined ? undefined : await readTemplate(template);
  const configured = config === undefined ? undefined : await readConfigFile(config);
  const functions: Functions = { ...described?.functions, ...configured?.functions, ...named };
  const replaced = Object.keys({ ...configured?.functions, ...named });
  const skipped = (described?.skipped ?? []).filter(
    ({ name }) => !replaced.some((other) => name === other || name.startsWith(`${other}.`)),
  );
  const files = [template, config].filter((file) => file !== undefined);
  if (Object.keys(functions).length === 0) {
    throw new ConfigurationError(
      `${files.join(" and ")}: there is no function that can be run\n${list(skipped)}`.trim(),
    );
  }
  return {
    functions,
    skipped,
    files,
    port: commandLine.port ?? configured?.port ?? 0,
    faults: commandLine.faults ?? configured?.faults,
  };
}

function findTemplate(): string {
  const [template, other] = TEMPLATES.filter((file) => existsSync(file));
  if (template === undefined) {
    throw new UsageError(
      "which functions? Write NAME=FILE, as in orders=./orders.mjs; or\n" +
        "--template FILE, for those of a serverless.yml or a SAM template.yaml, which\n" +
        "are found by themselves in the current folder",
    );
  }
  if (other !== undefined) {
    throw new UsageError(`here are both ${template} and ${other}: choose one, with --template`);
  }
  return template;
}

function introduce({ functions, skipped, files }: Plan, endpoint: string, host: string): string {
  const lacksVariables = skipped.some(({ name }) => /\.environment\./i.test(name));
  return [
    wrap(`Functions: ${showNames(functions)}`),
    ...(skipped.length === 0 ? [] : [`Left out of ${files[0]}:`, list(skipped)]),
    ...(lacksVariables ? ["Variables that are left out can be set where this command is run."] : []),
    ...(LOOPBACK.test(host) ? [] : ["Whoever can reach this address on the network can run these functions."]),
    `For clients: export AWS_ENDPOINT_URL_LAMBDA=${endpoint}`,
    "Stop with Ctrl-C.",
    "",
  ].join("\n");
}

/** A function that has two names is shown once: `shop-dev-orders (orders)`. */
function showNames(functions: Functions): string {
  const names = new Map<unknown, string[]>();
  for (const [name, definition] of Object.entries(functions)) {
    // Two functions may well have the same file; only of a template they are one object.
    const id = typeof definition === "string" ? name : definition;
    names.set(id, [...(names.get(id) ?? []), name]);
  }
  return [...names.values()].map(([name, short]) => (short === undefined ? name : `${name} (${short})`)).join(", ");
}

function list(skipped: readonly Skipped[]): string {
  return skipped.map(({ name, why }) => wrap(`  ${name}: ${why}`, "    ")).join("\n");
}

/** Breaks between words, so that each line fits; a word that does not is left whole. */
function wrap(text: string, indent = "  "): string {
  const lines = [""];
  for (const word of text.split(/(?<=\S) /)) {
    const line = lines.at(-1) ?? "";
    if (line === "") lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= COLUMNS) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(`${indent}${word}`);
  }
  return lines.join("\n");
}

/** With `> FILE`, each line that is written would be a change, and tell of itself. */
function isOwnOutput(path: string): boolean {
  try {
    const file = statSync(path);
    return [1, 2]
      .map((descriptor) => fstatSync(descriptor))
      .some(({ dev, ino }) => dev === file.dev && ino === file.ino);
  } catch {
    return false;
  }
}

function watchFunctions(emulator: Emulator, { functions, files }: Plan, io: Io): { close(): void } {
  const folders = Object.entries(functions).map(([name, definition]) => [name, folderOf(definition)] as const);
  const settings = files.map((file) => resolve(file));

  async function onChange(changed: readonly string[]): Promise<void> {
    for (const file of changed.filter((path) => settings.includes(path))) {
      await write(io.stderr, `${show(file)} has changed: start again to read it\n`);
    }
    const code = changed.filter((path) => !settings.includes(path) && !isOwnOutput(path));
    const names = folders.filter(([, folder]) => code.some((path) => isIn(path, folder))).map(([name]) => name);
    if (names.length === 0) return;
    try {
      // `orders` and `orders:prod` are reloaded together.
      const bare = new Set(names.map((name) => parseFunction(name).functionName));
      await Promise.all([...bare].map((name) => emulator.reload(name)));
      await write(io.stderr, `${showReload(names, code.map(show))}\n`);
    } catch (error) {
      await write(io.stderr, `${(error as Error).message}\n`);
    }
  }

  return watchFiles(
    [...new Set([...folders.map(([, folder]) => folder), ...settings])],
    (changed) => void onChange(changed),
  );
}

/**
 * What a function is made of: the current folder, or that of its file where it is outside, or where a watch of the current
 * folder leaves it out.
 */
function folderOf(definition: FunctionDefinition | string): string {
  const handler = typeof definition === "string" ? definition : definition.handler;
  if (typeof handler !== "string") return process.cwd();
  const folder = dirname(resolve(handler.replace(/#[^#/\\]*$/, "")));
  const path = relative(process.cwd(), folder);
  const isWatched = isIn(folder, process.cwd()) && !path.split(sep).some(isIgnored);
  return isWatched ? process.cwd() : folder;
}

function isIn(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`);
}

function show(path: string): string {
  return relative(process.cwd(), path) || ".";
}

function showReload(names: readonly string[], [file = "", ...more]: readonly string[]): string {
  const changed = `${file}${more.length === 0 ? " has" : ` and ${more.length} more have`} changed`;
  const lines = [`Reloaded ${names.join(", ")}: ${changed}`, `Reloaded ${names.length} functions: ${changed}`];
  return lines.find((line) => line.length <= COLUMNS) ?? `Reloaded ${names.length} functions`;
}

function interrupted(): Promise<void> {
  return new Promise((done) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => done());
  });
}
