/** The functions of an emulator: handlers by name, given as values or as files. */
import { pathToFileURL } from "node:url";
import { ConfigurationError } from "../errors.ts";
import { defineAwslambda } from "../invoke/awslambda.ts";
import { type Handler, handlerInvoker } from "../invoke/handler.ts";
import type { Invoker } from "../invoke/invoker.ts";
import { parseFunction, type Target } from "../target.ts";

/**
 * Functions by name. A value is a handler, or the file of one: `./orders.mjs`, `./orders.mjs#handler`, relative to the
 * current folder. A name may have a qualifier, `orders:prod`; without one it is `$LATEST`.
 */
export type FunctionTable = Readonly<Record<string, Handler | string>>;

/** Finds the function that a call names; `undefined` when there is none. */
export type FindFunction = (target: Target) => Invoker | undefined;

/** @throws {ConfigurationError} when a name can't be one, or a file holds no handler. */
export async function loadFunctions(table: FunctionTable, { quiet }: { quiet: boolean }): Promise<FindFunction> {
  const invokers = new Map<string, Invoker>();
  for (const [name, given] of Object.entries(table)) {
    const target = parseFunction(name);
    if (target.accountId !== undefined || target.region !== undefined) {
      throw new ConfigurationError(`${JSON.stringify(name)}: an emulator's functions have no account and no region`);
    }
    invokers.set(keyOf(target), await makeInvoker(name, given, quiet));
  }
  return (target) => invokers.get(keyOf(target));
}

function keyOf({ functionName, qualifier = "$LATEST" }: Target): string {
  return `${functionName}:${qualifier}`;
}

async function makeInvoker(name: string, given: Handler | string, quiet: boolean): Promise<Invoker> {
  if (typeof given === "function") return handlerInvoker(given, { quiet });
  if (typeof given !== "string") throw new ConfigurationError(`${name} has to be a handler, or the file of one`);
  const start = performance.now();
  const handler = await loadHandler(name, given);
  return handlerInvoker(handler, { quiet, initDuration: performance.now() - start });
}

async function loadHandler(name: string, reference: string): Promise<Handler> {
  const hash = reference.lastIndexOf("#");
  const file = hash < 0 ? reference : reference.slice(0, hash);
  const wanted = hash < 0 ? undefined : reference.slice(hash + 1);
  defineAwslambda();
  let module: Record<string, unknown>;
  try {
    module = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (cause) {
    throw new ConfigurationError(`${name}=${reference} can't be loaded: ${(cause as Error).message}`, { cause });
  }
  // What a CommonJS file exports is its `default` as well.
  const nested = module.default as Record<string, unknown> | undefined;
  const handler =
    wanted === undefined ? (module.handler ?? nested?.handler ?? nested) : (module[wanted] ?? nested?.[wanted]);
  if (typeof handler === "function") return handler as Handler;
  throw new ConfigurationError(
    `${name}=${reference}: the file exports no function ${wanted ?? "handler"}. It exports: ${Object.keys(module).sort().join(", ") || "nothing"}`,
  );
}
