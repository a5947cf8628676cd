/** The functions of an emulator, with their versions and aliases: which one does a call mean? */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { ConfigurationError } from "../errors.ts";
import type { Handler } from "../invoke/handler.ts";
import { parseFunction, type Target, UNKNOWN_ACCOUNT } from "../target.ts";
import { checkDefinition } from "./config/definitions.ts";
import type { FunctionDefinition, FunctionRunner, VersionDefinition } from "./definition.ts";
import { environmentRunner } from "./environment/runner.ts";
import { checkFaults, type Faults, withFaults } from "./faults.ts";
import { handlerRunner } from "./handler-runner.ts";

/**
 * Functions by name. A value is a handler, the file of one (`./orders.mjs`, `./orders.mjs#handler`, relative to the current
 * folder), or a definition with its limits, versions and aliases. A name may have a qualifier, `orders:prod`; without one it
 * is `$LATEST`.
 */
export type FunctionTable = Readonly<Record<string, Handler | string | FunctionDefinition>>;

/** What all functions of an emulator share. */
export interface FunctionSettings {
  readonly quiet: boolean;
  readonly region: string;
  /** Where the emulator listens, when it does. */
  readonly endpoint: () => string;
  readonly faults: Faults | undefined;
}

/** The functions, ready to be invoked. */
export interface Functions {
  /** `undefined` when there is none of that name, version or alias. */
  find(target: Target): FunctionRunner | undefined;
  /**
   * The next invocations of one function, or of all, start with what is on disk now. Those that run are not disturbed.
   *
   * @throws {ConfigurationError} when there is no such function.
   */
  reload(functionName?: string): void;
  close(): Promise<void>;
}

// AWS's own: https://docs.aws.amazon.com/lambda/latest/dg/configuration-function-common.html
const TIMEOUT_MS = 3_000;
const MEMORY_MB = 128;
const CONCURRENCY = 1_000;

/** @throws {ConfigurationError} when a name, a definition, a file or a fault can't be. */
export function loadFunctions(table: FunctionTable, settings: FunctionSettings): Functions {
  if (settings.faults !== undefined) checkFaults(settings.faults);
  const qualified = new Map<string, () => FunctionRunner>();
  const runners = new Map<string, Reloadable[]>();

  function add(name: string, given: Handler | string | FunctionDefinition): void {
    const { functionName, qualifier = "$LATEST", accountId, region } = parseFunction(name);
    if (accountId !== undefined || region !== undefined) {
      throw new ConfigurationError(`${JSON.stringify(name)}: an emulator's functions have no account and no region`);
    }
    const definition = checkDefinition(name, typeof given === "object" ? given : { handler: given });
    const { versions = {}, aliases = {}, ...latest } = definition;
    if (name !== functionName && (definition.versions !== undefined || definition.aliases !== undefined)) {
      throw new ConfigurationError(
        `${JSON.stringify(name)}: versions and aliases belong to the name without a qualifier`,
      );
    }
    const own = runners.get(functionName) ?? [];
    runners.set(functionName, own);
    const make = (version: string, one: VersionDefinition): (() => FunctionRunner) => {
      const made = reloadable(() => makeRunner({ functionName, version }, one, settings));
      own.push(made);
      return made.current;
    };
    const set = (of: string, find: () => FunctionRunner): void => void qualified.set(`${functionName}:${of}`, find);
    // An alias that is a key of the table, `orders:prod`, has no number of its own.
    set(qualifier, make(/^\d+$/.test(qualifier) ? qualifier : "$LATEST", latest));
    for (const [version, one] of Object.entries(versions)) set(version, make(version, asIn(latest, one)));
    for (const [alias, to] of Object.entries(aliases)) set(alias, aliasOf(functionName, to, qualified));
  }

  for (const [name, given] of Object.entries(table)) add(name, given);
  const all = (): Reloadable[] => [...runners.values()].flat();
  return {
    find: ({ functionName, qualifier = "$LATEST" }) => qualified.get(`${functionName}:${qualifier}`)?.(),
    reload(name) {
      const some = name === undefined ? all() : runners.get(name);
      if (some === undefined) throw new ConfigurationError(`there is no function ${JSON.stringify(name)} to reload`);
      for (const one of some) one.reload();
    },
    async close() {
      await Promise.all(all().map((one) => one.close()));
    },
  };
}

/** What a version does not say is as in `$LATEST`; a handler takes the place of a command, and the other way round. */
function asIn(latest: VersionDefinition, version: VersionDefinition): VersionDefinition {
  const { handler, command, ...limits } = latest;
  const isOwn = version.handler !== undefined || version.command !== undefined;
  return { ...limits, ...(isOwn ? {} : { handler, command }), ...version };
}

/** A runner that another can take the place of. */
interface Reloadable {
  readonly current: () => FunctionRunner;
  reload(): void;
  close(): Promise<void>;
}

function reloadable(make: () => FunctionRunner): Reloadable {
  let runner = make();
  // What runs there may take a while, and has to be ended by close() all the same.
  const retired: FunctionRunner[] = [];
  return {
    current: () => runner,
    reload() {
      retired.push(runner);
      runner.retire?.();
      runner = make();
    },
    async close() {
      await Promise.all([runner, ...retired].map((one) => one.close()));
    },
  };
}

/** One version, or one of several by their shares. */
function aliasOf(
  functionName: string,
  to: string | Readonly<Record<string, number>>,
  qualified: ReadonlyMap<string, () => FunctionRunner>,
): () => FunctionRunner {
  const shares = typeof to === "string" ? { [to]: 1 } : to;
  return () => {
    let left = Math.random();
    let chosen = "";
    for (const [version, share] of Object.entries(shares)) {
      chosen = version;
      left -= share;
      if (left < 0) break;
    }
    return (qualified.get(`${functionName}:${chosen}`) as () => FunctionRunner)();
  };
}

function makeRunner(
  { functionName, version }: { readonly functionName: string; readonly version: string },
  { handler, command, folder, timeout, memorySize, environment = {}, concurrency = CONCURRENCY }: VersionDefinition,
  { quiet, region, endpoint, faults }: FunctionSettings,
): FunctionRunner {
  const runner =
    typeof handler === "function"
      ? handlerRunner(handler, { version, concurrency, quiet })
      : environmentRunner({
          ...{ functionName, version, region, accountId: UNKNOWN_ACCOUNT, environment, concurrency, quiet, endpoint },
          folder: folder && resolve(folder),
          timeout: timeout ?? TIMEOUT_MS,
          memorySize: memorySize ?? MEMORY_MB,
          program: command === undefined ? readReference(functionName, handler as string) : { command },
        });
  return faults === undefined ? runner : withFaults(runner, faults);
}

function readReference(name: string, reference: string): { file: string; handler: string | undefined } {
  // A folder's name may have a `#` as well.
  const [, path = reference, handler] = /^(.*)#([^#/\\]+)$/s.exec(reference) ?? [];
  const file = resolve(path);
  if (!existsSync(file)) throw new ConfigurationError(`${name}=${reference}: there is no file ${file}`);
  return { file, handler };
}
