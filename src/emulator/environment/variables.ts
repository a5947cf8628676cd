/** The environment variables of a function: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html */
import { randomUUID } from "node:crypto";
import { dirname, extname, isAbsolute, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { EnvironmentSettings } from "./settings.ts";

/**
 * What a process can't do without on this machine. Nothing else of this process's environment is passed on: a function that
 * works here only because of a variable of the terminal would fail on AWS.
 */
const NECESSARY = [
  "PATH",
  "HOME",
  "USER",
  "TMPDIR",
  // Windows.
  "SYSTEMROOT",
  "COMSPEC",
  "PATHEXT",
  "TEMP",
  "TMP",
  "USERPROFILE",
  "APPDATA",
  "LOCALAPPDATA",
];

const CREDENTIALS = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/** What an environment is called, and where it finds its events. */
export interface EnvironmentNames {
  /** `127.0.0.1:PORT`. */
  readonly runtimeApi: string;
  /** `2026/07/10/[$LATEST]0123…`, one for each environment. */
  readonly logStreamName: string;
}

/** The whole environment of a function's process, in Lambda's order of precedence: the function's own come over ours. */
export function environmentVariables(settings: EnvironmentSettings, names: EnvironmentNames): Record<string, string> {
  const { functionName, version, region, memorySize, program, environment } = settings;
  return {
    ...pick(process.env, NECESSARY),
    ...credentials(environment),
    LANG: "en_US.UTF-8",
    TZ: ":UTC",
    // A function that invokes another finds it here, and not on AWS.
    AWS_ENDPOINT_URL_LAMBDA: settings.endpoint(),
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_LAMBDA_FUNCTION_NAME: functionName,
    AWS_LAMBDA_FUNCTION_VERSION: version,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memorySize),
    AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${functionName}`,
    AWS_LAMBDA_LOG_STREAM_NAME: names.logStreamName,
    AWS_XRAY_CONTEXT_MISSING: "LOG_ERROR",
    LAMBDA_TASK_ROOT: taskRoot(settings),
    LAMBDA_RUNTIME_DIR: fileURLToPath(new URL(".", import.meta.url)),
    _HANDLER: handlerString(settings),
    // Lambda's own runtimes alone have it.
    ...("file" in program && { AWS_EXECUTION_ENV: `AWS_Lambda_nodejs${process.versions.node.split(".")[0]}.x` }),
    ...environment,
    AWS_LAMBDA_RUNTIME_API: names.runtimeApi,
  };
}

/** In the form of AWS's. */
export function newLogStreamName(version: string): string {
  const day = new Date().toISOString().slice(0, 10).replaceAll("-", "/");
  return `${day}/[${version}]${randomUUID().replaceAll("-", "")}`;
}

/** As Lambda's console has it, `src/orders.handler`: the file without its ending, from the task root on, and the export. */
function handlerString(settings: EnvironmentSettings): string {
  const { program } = settings;
  if ("command" in program) return "bootstrap";
  const { file, handler = "handler" } = program;
  const path = relative(taskRoot(settings), resolve(file)).replaceAll("\\", "/");
  return `${path.slice(0, path.length - extname(path).length)}.${handler}`;
}

/** Lambda's `/var/task`: the folder that was given, or the current one, unless the file lies outside of it. */
export function taskRoot({ folder, program }: EnvironmentSettings): string {
  if (folder !== undefined) return folder;
  const here = process.cwd();
  if ("command" in program) return here;
  const file = resolve(program.file);
  const path = relative(here, file);
  return path.startsWith("..") || isAbsolute(path) ? dirname(file) : here;
}

/**
 * The caller's, or dummies that keep an SDK from looking further; a function that names a profile of its own gets neither,
 * since they would go before that.
 */
function credentials(environment: Readonly<Record<string, string>>): Record<string, string> {
  if (environment.AWS_PROFILE !== undefined) return {};
  if (process.env.AWS_ACCESS_KEY_ID !== undefined) return pick(process.env, CREDENTIALS);
  return { AWS_ACCESS_KEY_ID: "emulated", AWS_SECRET_ACCESS_KEY: "emulated", AWS_SESSION_TOKEN: "emulated" };
}

function pick(from: NodeJS.ProcessEnv, names: readonly string[]): Record<string, string> {
  const entries = names.map((name) => [name, from[name]] as const);
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined));
}
