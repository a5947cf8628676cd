/**
 * Variables of a serverless.yml, `${self:custom.table, 'orders'}`: https://www.serverless.com/framework/docs/guides/variables
 *
 * Those of the file itself, of files beside it, of the environment, and defaults. There is no command line of the
 * framework, so that `opt` is never set; what AWS or a plugin would be asked for is not known.
 */
import { readFileSync } from "node:fs";
import { resolve as resolvePath } from "node:path";
import { UNKNOWN_ACCOUNT } from "../../target.ts";
import { SOME_REGION } from "./cloudformation.ts";
import { type Fields, fieldsOf, isFields, isPlain, Unresolved } from "./template-values.ts";
import type { ParseYaml } from "./yaml.ts";

/** Gives what a value comes to; with `deep`, all the way down. It throws {@link Unresolved} where a part is not known. */
export type ResolveVariables = (value: unknown, deep?: "deep") => unknown;

/** @param folder What `file(…)` is relative to. */
export function createVariables(document: Fields, folder: string, parseYaml: ParseYaml): ResolveVariables {
  const files = new Map<string, unknown>();
  // Addresses that are being looked up: one that leads back to itself has no value.
  const open = new Set<string>();

  function resolve(value: unknown, deep?: "deep"): unknown {
    if (typeof value === "string") {
      const result = resolveText(value);
      return deep === undefined || typeof result === "string" ? result : once(value, () => resolve(result, deep));
    }
    if (deep === undefined) return value;
    if (Array.isArray(value)) return value.map((item) => resolve(item, deep));
    if (!isFields(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolve(item, deep)]));
  }

  function resolveText(text: string): unknown {
    let result = "";
    let from = 0;
    for (let start = findVariable(text, 0); start >= 0; start = findVariable(text, from)) {
      const end = findEnd(text, start);
      const value = evaluate(text.slice(start + 2, end));
      if (start === 0 && end === text.length - 1) return value;
      if (!isPlain(value)) throw new Unresolved(`${text.slice(start, end + 1)} is no text`);
      result += text.slice(from, start) + String(value);
      from = end + 1;
    }
    return from === 0 ? text : result + text.slice(from);
  }

  /** The first of the sources that has a value. */
  function evaluate(expression: string): unknown {
    const why: string[] = [];
    for (const source of splitSources(expression)) {
      try {
        // A source may be made of others: `self:custom.${sls:stage}`.
        const given = resolveText(source);
        const value = typeof given === "string" && !isVariable(source) ? readSource(given) : given;
        if (value !== undefined && value !== null) return value;
        why.push(`${source} has no value`);
      } catch (error) {
        if (!(error instanceof Unresolved)) throw error;
        // What AWS would be asked for mostly has a default for just this: no AWS.
        why.push(error.message);
      }
    }
    throw new Unresolved(why.join(", "));
  }

  function readSource(source: string): unknown {
    const literal = readLiteral(source);
    if (literal !== undefined) return literal;
    const [, kind = source, parameter, address = ""] = /^(\w+)(?:\((.*?)\))?(?::(.*))?$/s.exec(source) ?? [];
    return readAddress(kind, parameter?.trim(), address.trim());
  }

  function readAddress(kind: string, parameter: string | undefined, address: string): unknown {
    switch (kind) {
      case "self":
        return follow(document, address, "self");
      case "env":
        return process.env[address];
      case "opt":
        return undefined;
      case "sls":
        return address === "stage" ? readStage() : "local";
      case "param": {
        const { [readStage()]: ofStage, default: ofAll } = fieldsOf(document.params);
        return resolve(fieldsOf(ofStage)[address] ?? fieldsOf(ofAll)[address]);
      }
      case "aws":
        if (address === "accountId") return UNKNOWN_ACCOUNT;
        return follow(document, "provider.region", "self") ?? SOME_REGION;
      case "file":
        return follow(readFile(parameter ?? ""), address, `file(${parameter})`);
      default:
        throw new Unresolved(`\${${kind}:…} is known only when it is deployed`);
    }
  }

  function readStage(): string {
    return String(follow(document, "provider.stage", "self") ?? "dev");
  }

  function follow(root: unknown, address: string, origin: string): unknown {
    return once(`${origin}:${address}`, () => {
      let value = resolve(root);
      for (const key of address === "" ? [] : address.split(".")) {
        if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
        value = resolve((value as Fields)[key]);
      }
      return value;
    });
  }

  function once<Value>(id: string, work: () => Value): Value {
    if (open.has(id)) throw new Unresolved(`${id} leads back to itself`);
    open.add(id);
    try {
      return work();
    } finally {
      open.delete(id);
    }
  }

  function readFile(path: string): unknown {
    const file = resolvePath(folder, path);
    if (!/\.(?:ya?ml|json)$/i.test(path)) throw new Unresolved(`file(${path}) is neither YAML nor JSON`);
    if (!files.has(file)) {
      let text: string | undefined;
      try {
        text = readFileSync(file, "utf8");
      } catch {
        // As the framework has it: the next source may have a value.
      }
      files.set(file, text === undefined ? undefined : parseYaml(path, text));
    }
    return files.get(file);
  }

  return resolve;
}

/** CloudFormation's own `${AWS::Region}`, and its names of resources in `!Sub`, are no variables. */
function findVariable(text: string, from: number): number {
  const found = text.slice(from).search(/\$\{(?!AWS::)[^}]*[:,(]/);
  return found < 0 ? -1 : from + found;
}

/** The brace that ends the variable which begins here, with others inside of it. */
function findEnd(text: string, start: number): number {
  let depth = 0;
  for (let index = start; index < text.length; index++) {
    if (text.startsWith("${", index)) depth++;
    else if (text[index] === "}" && --depth === 0) return index;
  }
  throw new Unresolved(`${text.slice(start)} has no end`);
}

/** Sources stand between commas, except for those in quotes, in parentheses or in a variable of their own. */
function splitSources(expression: string): string[] {
  const sources = [""];
  let depth = 0;
  let quote = "";
  for (const character of expression) {
    if (quote !== "") quote = character === quote ? "" : quote;
    else if (character === "'" || character === '"') quote = character;
    else if (character === "{" || character === "(") depth++;
    else if (character === "}" || character === ")") depth--;
    if (character === "," && depth === 0 && quote === "") sources.push("");
    else sources[sources.length - 1] += character;
  }
  return sources.map((source) => source.trim());
}

function isVariable(source: string): boolean {
  return source.startsWith("${") && findEnd(source, 0) === source.length - 1;
}

function readLiteral(source: string): unknown {
  const text = /^(['"])(.*)\1$/s.exec(source)?.[2];
  if (text !== undefined) return text;
  if (source === "true" || source === "false") return source === "true";
  return /^-?\d+(?:\.\d+)?$/.test(source) ? Number(source) : undefined;
}
