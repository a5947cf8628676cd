/** The file of `--config`: functions with all that can be said of them, as JSON. */
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { ConfigurationError } from "../../errors.ts";
import { checkOptionNames } from "../../invoke/option-names.ts";
import type { FunctionDefinition, VersionDefinition } from "../definition.ts";
import { checkFaults, type Faults } from "../faults.ts";
import { checkDefinition } from "./definitions.ts";
import { findJsonError } from "./json-error.ts";

/** What a configuration file says. */
export interface EmulatorConfig {
  /** Functions by name. The files of handlers are absolute paths. */
  readonly functions: Readonly<Record<string, FunctionDefinition>>;
  /** Default: a free port. */
  readonly port?: number;
  /** Default: none. */
  readonly faults?: Faults;
}

/**
 * Reads a configuration file. Files of handlers in it are relative to it; a `command` is run in the current folder.
 *
 * @throws {ConfigurationError} when the file can't be read, is no JSON, or says what can't be; the message names the file.
 */
export async function readConfigFile(path: string): Promise<EmulatorConfig> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new ConfigurationError(`can't read ${path}: ${(cause as Error).message}`, { cause });
  }
  const config = parseJson(path, text);
  try {
    return checkConfig(config, dirname(path));
  } catch (cause) {
    if (!(cause instanceof ConfigurationError)) throw cause;
    throw new ConfigurationError(`${path}: ${cause.message}`, { cause });
  }
}

function parseJson(path: string, text: string): unknown {
  // Windows' editors begin a file with a byte-order mark.
  const json = text.replace(/^\ufeff/, "");
  const index = findJsonError(json);
  if (index === undefined) return JSON.parse(json);
  const lines = json.slice(0, index).split(/\r\n|\r|\n/);
  const place = `line ${lines.length}, column ${(lines.at(-1) ?? "").length + 1}`;
  const found =
    index < json.length ? `${JSON.stringify(String.fromCodePoint(json.codePointAt(index) ?? 0))}` : "the end";
  throw new ConfigurationError(`${path} is no JSON: unexpected ${found} at ${place}`);
}

function checkConfig(config: unknown, folder: string): EmulatorConfig {
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw new ConfigurationError('a configuration has to be an object, { "functions": { … } }');
  }
  checkOptionNames(config, ["functions", "port", "faults"]);
  const { functions, port, faults } = config as Record<string, unknown>;
  if (typeof functions !== "object" || functions === null || Array.isArray(functions)) {
    throw new ConfigurationError("functions has to be an object of functions by name");
  }
  if (port !== undefined && !(Number.isInteger(port) && (port as number) >= 0 && (port as number) <= 65_535)) {
    throw new ConfigurationError("port has to be a whole number, 0 to 65535");
  }
  const definitions = Object.entries(functions).map(([name, value]) => [
    name,
    locateFunction(checkDefinition(name, value), folder),
  ]);
  return {
    functions: Object.fromEntries(definitions),
    ...(port !== undefined && { port: port as number }),
    ...(faults !== undefined && { faults: checkFaults(faults) }),
  };
}

function locateFunction({ versions, ...definition }: FunctionDefinition, folder: string): FunctionDefinition {
  const latest = locate(definition, folder);
  if (versions === undefined) return latest;
  const located = Object.entries(versions).map(([version, one]) => [version, locate(one, folder)]);
  return { ...latest, versions: Object.fromEntries(located) };
}

function locate<Definition extends VersionDefinition>(definition: Definition, folder: string): Definition {
  const { handler, command, folder: own } = definition;
  // A command is made of paths as well, which are those of where it runs.
  const root = own !== undefined || command !== undefined ? { folder: resolve(folder, own ?? ".") } : {};
  return { ...definition, ...root, ...(typeof handler === "string" && { handler: resolve(folder, handler) }) };
}
