/** Makes definitions of the functions that a template describes, and says what can't be read, and why. */
import { existsSync } from "node:fs";
import { join, relative, resolve as resolvePath } from "node:path";
import { ConfigurationError, InvalidTargetError } from "../../errors.ts";
import { parseFunction } from "../../target.ts";
import type { FunctionDefinition } from "../definition.ts";
import { checkDefinition } from "./definitions.ts";
import { type Fields, isPlain, Unresolved } from "./template-values.ts";

/** Something of a template that is left out: a function, `orders`, or a part of one, `orders.environment.TABLE`. */
export interface Skipped {
  readonly name: string;
  readonly why: string;
}

/** What a template comes to. */
export interface Template {
  /**
   * By the name that it is deployed with and, where no other function has that name, by its key in the template. Both lead
   * to the same object.
   */
  readonly functions: Readonly<Record<string, FunctionDefinition>>;
  readonly skipped: readonly Skipped[];
}

/** A function as a template has it, its values as they stand there. */
export interface Description {
  /** What the template calls it. */
  readonly key: string;
  /** What it is called when it is deployed. Default: the key. */
  readonly name: unknown;
  readonly runtime: unknown;
  readonly handler: unknown;
  /** The folder that the handler is in. */
  readonly folder: string;
  /** In seconds. */
  readonly timeout: unknown;
  readonly memorySize: unknown;
  readonly concurrency: unknown;
  /** The function's own variables. */
  readonly environment: Fields;
  /** Those of all functions. */
  readonly inherited: Readonly<Record<string, string>>;
  readonly layers?: unknown;
  /** An alias of its version 1. */
  readonly alias?: unknown;
  /** Why it can't be run at all. */
  readonly obstacle?: string | undefined;
}

/**
 * @param folder The template's.
 * @param resolve Gives what a value of the template comes to, or throws {@link Unresolved}.
 * @param skipped What is left out already.
 */
export function defineFunctions(
  descriptions: readonly Description[],
  folder: string,
  resolve: (value: unknown) => unknown,
  skipped: Skipped[] = [],
): Template {
  const functions = new Map<string, FunctionDefinition>();
  const keys: [key: string, definition: FunctionDefinition][] = [];
  for (const description of descriptions) {
    const { key } = description;
    try {
      const name = readName(resolve(description.name) ?? key);
      if (functions.has(name)) throw new Unresolved(`another function is called ${name} as well`);
      const definition = define(description, folder, resolve, skipped);
      functions.set(name, definition);
      keys.push([key, definition]);
    } catch (error) {
      skipped.push({ name: key, why: whyOf(error, key) });
    }
  }
  for (const [key, definition] of keys) {
    if (!functions.has(key)) functions.set(key, definition);
  }
  return { functions: Object.fromEntries(functions), skipped };
}

function define(
  { key, runtime, handler, folder, layers, alias, obstacle, ...settings }: Description,
  root: string,
  resolve: (value: unknown) => unknown,
  skipped: Skipped[],
): FunctionDefinition {
  if (obstacle !== undefined) throw new Unresolved(obstacle);
  checkRuntime(resolve(runtime));
  const file = findHandler(resolve(handler), folder, root);

  const leftOut: Skipped[] = [];
  /** A value that the function can do without. */
  function optional<Value>(field: string, value: unknown, read: (value: unknown) => Value): Value | undefined {
    try {
      const resolved = resolve(value);
      return resolved === undefined || resolved === null ? undefined : read(resolved);
    } catch (error) {
      leftOut.push({ name: `${key}.${field}`, why: whyOf(error, key) });
      return undefined;
    }
  }

  const timeout = optional("timeout", settings.timeout, readSeconds);
  const memorySize = optional("memorySize", settings.memorySize, readNumber);
  const concurrency = optional("concurrency", settings.concurrency, readNumber);
  const published = optional("alias", alias, String);
  const own = resolveEnvironment(`${key}.environment`, settings.environment, resolve, leftOut);
  const environment = { ...settings.inherited, ...own };
  if (Array.isArray(layers) && layers.length > 0) {
    leftOut.push({ name: `${key}.layers`, why: "layers are not loaded; what they bring has to be in node_modules" });
  }

  const definition = checkDefinition(key, {
    handler: file,
    folder,
    ...(timeout !== undefined && { timeout: Math.round(timeout * 1000) }),
    ...(memorySize !== undefined && { memorySize }),
    ...(concurrency !== undefined && { concurrency }),
    ...(Object.keys(environment).length > 0 && { environment }),
    ...(published !== undefined && { versions: { "1": {} }, aliases: { [published]: "1" } }),
  });
  // Of a function that is left out as a whole, its parts are of no interest.
  skipped.push(...leftOut);
  return definition;
}

/**
 * Environment variables as text. One whose value is not known has the value that it has in the environment of this process,
 * so that there is a way to give it; without, it is left out.
 *
 * @param path What the variables are called in the template.
 */
export function resolveEnvironment(
  path: string,
  variables: Fields,
  resolve: (value: unknown) => unknown,
  skipped: Skipped[],
): Record<string, string> {
  const environment: [name: string, value: string][] = [];
  for (const [name, value] of Object.entries(variables)) {
    try {
      const resolved = resolve(value);
      if (resolved !== undefined && resolved !== null) environment.push([name, readText(resolved)]);
    } catch (error) {
      const given = process.env[name];
      if (given === undefined) skipped.push({ name: `${path}.${name}`, why: whyOf(error, path) });
      else environment.push([name, given]);
    }
  }
  return Object.fromEntries(environment);
}

function whyOf(error: unknown, key: string): string {
  if (error instanceof ConfigurationError) return error.message.replace(`${key}: `, "");
  if (error instanceof Unresolved || error instanceof InvalidTargetError) return error.message;
  throw error;
}

function readName(value: unknown): string {
  const name = readText(value);
  if (parseFunction(name).functionName !== name) throw new Unresolved(`${JSON.stringify(name)} is no function's name`);
  return name;
}

function readText(value: unknown): string {
  if (isPlain(value)) return String(value);
  throw new Unresolved("it is no text");
}

function readNumber(value: unknown): number {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof number === "number" && Number.isFinite(number)) return number;
  throw new Unresolved(`${JSON.stringify(value)} is no number`);
}

function readSeconds(value: unknown): number {
  const seconds = readNumber(value);
  if (seconds > 0 && seconds <= 900) return seconds;
  throw new Unresolved(`it is ${seconds}, and has to be 1 to 900 seconds`);
}

function checkRuntime(runtime: unknown): void {
  if (typeof runtime === "string" && runtime.startsWith("nodejs")) return;
  if (runtime === undefined) throw new Unresolved("the template says no runtime of it");
  throw new Unresolved(`its runtime is ${String(runtime)}, not Node.js: ${OWN_COMMAND}`);
}

/** What to do about a function that is not a Node.js handler in a file. */
export const OWN_COMMAND = "give its command with --exec";

/** `src/orders.create` is what `src/orders.js` exports as `create`: Lambda splits at the first dot of the file's name. */
function findHandler(handler: unknown, folder: string, root: string): string {
  if (typeof handler !== "string" || handler === "") throw new Unresolved("the template says no handler of it");
  const [, directory = "", file, exported] = /^(.*\/)?([^./][^.]*)\.([^/]+)$/.exec(handler) ?? [];
  if (file === undefined || exported === undefined) {
    throw new Unresolved(`its handler is ${JSON.stringify(handler)}: it has to be FILE.EXPORT`);
  }
  const path = resolvePath(folder, directory, file);
  const found = extensions().find((extension) => existsSync(`${path}${extension}`));
  if (found !== undefined) return `${path}${found}#${exported}`;
  const shown = relative(root, path).replaceAll("\\", "/");
  throw new Unresolved(`there is no ${shown}.js, .mjs or .cjs${hintAt(path, shown, root)}`);
}

function hintAt(path: string, shown: string, root: string): string {
  const source = SOURCES.find((extension) => existsSync(`${path}${extension}`));
  // Written by `sam build`, with the built files' folders in it.
  const built = ".aws-sam/build/template.yaml";
  if (existsSync(join(root, built))) return `; ${built} may have it`;
  if (source === undefined) return "";
  return `; build ${shown}${source} first${source === ".tsx" ? "" : ", or run it on Node.js 22.18 or newer"}`;
}

const SOURCES = [".ts", ".mts", ".cts", ".tsx"];

function extensions(): readonly string[] {
  // Node.js strips types by itself from 22.18 on, and says so.
  const { typescript } = process.features as { typescript?: unknown };
  return [".js", ".mjs", ".cjs", ...(typescript ? [".ts", ".mts", ".cts"] : [])];
}
