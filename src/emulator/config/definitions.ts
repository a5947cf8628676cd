/** Checks what somebody says of a function: whatever gets past it can be run. */
import { ConfigurationError } from "../../errors.ts";
import { checkOptionNames } from "../../invoke/option-names.ts";
import type { Check } from "../../options.ts";
import type { FunctionDefinition, VersionDefinition } from "../definition.ts";

const isWhole = (value: unknown, least: number, most: number): boolean =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isText = (value: unknown): boolean => typeof value === "string" && value.trim() !== "";

/** Milliseconds that an invocation may take: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
export const TIMEOUT: Check = [(value) => isWhole(value, 1, 900_000), "whole milliseconds, 1 to 900000"];

const VERSION_FIELDS: Readonly<Record<keyof VersionDefinition, Check>> = {
  handler: [
    (value) => typeof value === "function" || (typeof value === "string" && /^[^#](?:.*[^#])?$/s.test(value.trim())),
    'a function, or the file of one, "./orders.mjs" or "./orders.mjs#handler"',
  ],
  command: [isText, "a command line"],
  folder: [isText, "the path of a folder"],
  timeout: TIMEOUT,
  memorySize: [(value) => isWhole(value, 128, 10_240), "whole megabytes, 128 to 10240"],
  environment: [isRecord, "an object of strings"],
  concurrency: [(value) => isWhole(value, 0, Number.MAX_SAFE_INTEGER), "a whole number, 0 or more"],
};

const FUNCTION_FIELDS: Readonly<Record<keyof FunctionDefinition, Check>> = {
  ...VERSION_FIELDS,
  versions: [isRecord, "an object of versions by number"],
  aliases: [isRecord, "an object of aliases by name"],
};

/**
 * Variables that Lambda sets, and refuses from anybody else:
 * https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
 */
const RESERVED: ReadonlySet<string> = new Set([
  "_HANDLER",
  "_X_AMZN_TRACE_ID",
  "AWS_DEFAULT_REGION",
  "AWS_REGION",
  "AWS_EXECUTION_ENV",
  "AWS_LAMBDA_FUNCTION_NAME",
  "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
  "AWS_LAMBDA_FUNCTION_VERSION",
  "AWS_LAMBDA_INITIALIZATION_TYPE",
  "AWS_LAMBDA_LOG_GROUP_NAME",
  "AWS_LAMBDA_LOG_STREAM_NAME",
  "AWS_LAMBDA_RUNTIME_API",
  "AWS_ACCESS_KEY",
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "LAMBDA_TASK_ROOT",
  "LAMBDA_RUNTIME_DIR",
]);

/**
 * The definition of a function, checked. A bare handler, or the file of one, is a definition of that alone.
 *
 * @param value From code, or from JSON.
 * @throws {ConfigurationError} for a field that is unknown or can't be; the message names the function and the field.
 */
export function checkDefinition(name: string, value: unknown): FunctionDefinition {
  const given = typeof value === "function" || typeof value === "string" ? { handler: value } : value;
  checkFields<FunctionDefinition>(name, "", given, FUNCTION_FIELDS);
  if (given.handler === undefined && given.command === undefined) {
    throw new ConfigurationError(`${name}: a function needs a handler or a command`);
  }
  const versions = Object.entries(given.versions ?? {});
  for (const [version, one] of versions) {
    if (!/^\d+$/.test(version)) {
      throw new ConfigurationError(`${name}: versions are numbers, as in "1", and ${JSON.stringify(version)} is none`);
    }
    checkFields<VersionDefinition>(name, `versions.${version}`, one, VERSION_FIELDS);
  }
  const known = new Set(["$LATEST", ...versions.map(([version]) => version)]);
  for (const [alias, versionOrWeights] of Object.entries(given.aliases ?? {})) {
    checkAlias(name, alias, versionOrWeights, known);
  }
  return given;
}

/** Checks the fields that a version has as well. */
function checkFields<Definition extends VersionDefinition>(
  name: string,
  path: string,
  value: unknown,
  checks: Readonly<Record<string, Check>>,
): asserts value is Definition {
  const at = (field: string): string => `${name}: ${[path, field].filter((part) => part !== "").join(".")}`;
  if (!isRecord(value)) {
    const what = path === "" ? `${name} has to be a handler, the file of one, or` : `${at("")} has to be`;
    throw new ConfigurationError(`${what} an object`);
  }
  try {
    checkOptionNames(value, Object.keys(checks));
  } catch (cause) {
    throw new ConfigurationError(`${path === "" ? name : at("")}: ${(cause as Error).message}`, { cause });
  }
  for (const [field, [is, expected]] of Object.entries(checks)) {
    if (value[field] !== undefined && !is(value[field])) {
      throw new ConfigurationError(`${at(field)} has to be ${expected}`);
    }
  }
  const { handler, command, environment = {} } = value as VersionDefinition;
  if (handler !== undefined && command !== undefined) {
    throw new ConfigurationError(`${at("")}${path === "" ? "" : " "}has both a handler and a command: leave one out`);
  }
  for (const [variable, text] of Object.entries(environment)) checkVariable(at("environment"), variable, text);
}

function checkVariable(where: string, variable: string, text: unknown): void {
  if (RESERVED.has(variable)) {
    throw new ConfigurationError(`${where}.${variable} is set by Lambda, which refuses any other value of it`);
  }
  // The pattern of https://docs.aws.amazon.com/lambda/latest/api/API_Environment.html
  if (!/^[a-zA-Z][a-zA-Z0-9_]+$/.test(variable)) {
    throw new ConfigurationError(
      `${where}: ${JSON.stringify(variable)} can't be a variable: Lambda wants a letter, then letters, digits and _, two characters or more`,
    );
  }
  if (typeof text !== "string") throw new ConfigurationError(`${where}.${variable} has to be a string`);
}

function checkAlias(name: string, alias: string, versionOrWeights: unknown, known: ReadonlySet<string>): void {
  const where = `${name}: aliases.${alias}`;
  if (!/^(?!\d+$)[a-zA-Z0-9_-]{1,128}$/.test(alias)) {
    throw new ConfigurationError(
      `${name}: ${JSON.stringify(alias)} can't be an alias: it has to be letters, digits, - and _, and not digits alone`,
    );
  }
  if (typeof versionOrWeights !== "string" && !isRecord(versionOrWeights)) {
    throw new ConfigurationError(
      `${where} has to be a version, "1", or several with their shares, { "1": 0.9, "2": 0.1 }`,
    );
  }
  const weights = typeof versionOrWeights === "string" ? { [versionOrWeights]: 1 } : versionOrWeights;
  let sum = 0;
  for (const [version, weight] of Object.entries(weights)) {
    if (!known.has(version)) {
      throw new ConfigurationError(
        `${where}: there is no version ${JSON.stringify(version)}. There are: ${[...known].sort().join(", ")}`,
      );
    }
    if (typeof weight !== "number" || !(weight >= 0 && weight <= 1)) {
      throw new ConfigurationError(`${where}.${version} has to be a share, 0 to 1`);
    }
    sum += weight;
  }
  // As far as binary fractions allow: 0.1 + 0.2 + 0.7 is not quite 1.
  if (Math.abs(sum - 1) > 1e-6) throw new ConfigurationError(`${where}: the shares have to make 1, and make ${sum}`);
}
