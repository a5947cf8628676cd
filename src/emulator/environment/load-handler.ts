/** Loads the module of a function, and finds its handler: https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html */
import { pathToFileURL } from "node:url";
import { RuntimeError } from "./thrown.ts";

/** A function of any kind; how it is called depends on it. */
export type AnyHandler = (...values: never[]) => unknown;

type Module = Readonly<Record<string, unknown>>;

/**
 * @param name Of the export, `handler` if there is none. It may lead deeper, `api.orders`.
 * @throws {RuntimeError} for what AWS's runtime has a name for; otherwise what the module has thrown.
 */
export async function loadHandler(file: string, name: string | undefined): Promise<AnyHandler> {
  const path = name?.split(".") ?? ["handler"];
  if (path.some((part) => part === "")) throw new RuntimeError("MalformedHandlerName", "Bad handler");
  const module = await loadModule(file);
  // What a CommonJS file exports is its `default` as well.
  const nested = module.default as Module | undefined;
  const found = find(module, path) ?? find(nested, path) ?? (name === undefined ? nested : undefined);
  const said = process.env._HANDLER ?? path.join(".");
  if (found === undefined || found === null || (found === nested && typeof found !== "function")) {
    throw new RuntimeError("HandlerNotFound", `${said} is undefined or not exported`);
  }
  if (typeof found !== "function") throw new RuntimeError("HandlerNotFound", `${said} is not a function`);
  return found as AnyHandler;
}

async function loadModule(file: string): Promise<Module> {
  try {
    return (await import(pathToFileURL(file).href)) as Module;
  } catch (error) {
    const code = (error as { code?: unknown } | undefined)?.code;
    if (error instanceof SyntaxError) throw as("UserCodeSyntaxError", error);
    if (code === "MODULE_NOT_FOUND" || code === "ERR_MODULE_NOT_FOUND") throw as("ImportModuleError", error as Error);
    throw error;
  }
}

function as(name: string, error: Error): RuntimeError {
  return new RuntimeError(name, String(error), { stack: error.stack });
}

function find(from: unknown, path: readonly string[]): unknown {
  return path.reduce((at, key) => (at as Module | undefined | null)?.[key], from);
}
