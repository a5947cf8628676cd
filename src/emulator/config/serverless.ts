/** The functions of a serverless.yml: https://www.serverless.com/framework/docs/providers/aws/guide/serverless.yml */
import { ConfigurationError } from "../../errors.ts";
import { createIntrinsics, SOME_REGION } from "./cloudformation.ts";
import { createVariables } from "./serverless-variables.ts";
import {
  type Description,
  defineFunctions,
  OWN_COMMAND,
  resolveEnvironment,
  type Skipped,
  type Template,
} from "./template-functions.ts";
import { type Fields, fieldsOf, Unresolved } from "./template-values.ts";
import type { ParseYaml } from "./yaml.ts";

// Where neither the function nor the provider says it, the framework does: not Lambda's own 3 s and 128 MB.
const DEFAULT_TIMEOUT = 6;
const DEFAULT_MEMORY = 1024;
const DEFAULT_STAGE = "dev";
const DEFAULT_RUNTIME = "nodejs";

/** @throws {ConfigurationError} when the file is no service of AWS, or its name or its functions can't be known. */
export function readServerless(document: Fields, folder: string, parseYaml: ParseYaml): Template {
  const variables = createVariables(document, folder, parseYaml);
  const skipped: Skipped[] = [];

  /** Of what nothing can be read without. */
  function required(what: string, value: unknown): unknown {
    try {
      return variables(value);
    } catch (error) {
      if (!(error instanceof Unresolved)) throw error;
      throw new ConfigurationError(`${what} can't be read: ${error.message}`, { cause: error });
    }
  }

  /** What the functions can do without. */
  function optional(name: string, value: unknown): unknown {
    try {
      return variables(value);
    } catch (error) {
      if (!(error instanceof Unresolved)) throw error;
      skipped.push({ name, why: error.message });
      return undefined;
    }
  }

  const given = required("provider", document.provider);
  const provider = fieldsOf(typeof given === "string" ? { name: given } : given);
  if (provider.name !== undefined && provider.name !== "aws") {
    throw new ConfigurationError(`its provider is ${JSON.stringify(provider.name)}, and only aws has Lambda functions`);
  }
  const service = required("service", document.service);
  const serviceName = required("service", fieldsOf(service).name ?? service);
  const stage = optional("provider.stage", provider.stage) ?? DEFAULT_STAGE;
  const region = optional("provider.region", provider.region) ?? SOME_REGION;

  // Functions may stand in several files, as a list.
  const listed = [required("functions", document.functions)].flat();
  const all = Object.assign(
    Object.create(null),
    ...listed.map((part) => fieldsOf(required("functions", part))),
  ) as Fields;
  const functions = Object.entries(all).flatMap(([key, value]) => {
    const own = optional(key, value);
    return own === undefined ? [] : [[key, fieldsOf(own)] as const];
  });

  const nameOf = (key: string, own: unknown): unknown =>
    own ?? (serviceName === undefined ? key : `${String(serviceName)}-${String(stage)}-${key}`);
  const names = new Map(functions.map(([key, { name }]) => [logicalId(key), nameOf(key, name)]));
  const intrinsics = createIntrinsics({
    parameters: {},
    mappings: {},
    conditions: {},
    region: String(region),
    functionName(id) {
      const name = names.get(id);
      return name === undefined ? undefined : String(variables(name, "deep"));
    },
  });

  const resolve = (value: unknown): unknown => intrinsics(variables(value, "deep"));

  const shared = fieldsOf(optional("provider.environment", provider.environment));
  const inherited = resolveEnvironment("provider.environment", shared, resolve, skipped);
  const descriptions = functions.map(
    ([key, own]): Description => ({
      key,
      name: nameOf(key, own.name),
      runtime: own.runtime ?? provider.runtime ?? DEFAULT_RUNTIME,
      handler: own.handler,
      folder,
      timeout: own.timeout ?? provider.timeout ?? DEFAULT_TIMEOUT,
      memorySize: own.memorySize ?? provider.memorySize ?? DEFAULT_MEMORY,
      concurrency: own.reservedConcurrency,
      environment: fieldsOf(optional(`${key}.environment`, own.environment)),
      inherited,
      layers: own.layers ?? provider.layers,
      obstacle: own.image === undefined ? undefined : `it is a container image: ${OWN_COMMAND}`,
    }),
  );
  return defineFunctions(descriptions, folder, resolve, skipped);
}

/** What the framework calls the function in the CloudFormation template that it makes. */
function logicalId(key: string): string {
  const normalised = key.replaceAll("-", "Dash").replaceAll("_", "Underscore");
  return `${normalised.charAt(0).toUpperCase()}${normalised.slice(1)}LambdaFunction`;
}
