/**
 * The functions of a SAM or CloudFormation template:
 * https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html
 */
import { resolve as resolvePath } from "node:path";
import { createIntrinsics } from "./cloudformation.ts";
import {
  type Description,
  defineFunctions,
  OWN_COMMAND,
  resolveEnvironment,
  type Skipped,
  type Template,
} from "./template-functions.ts";
import { type Fields, fieldsOf, isFields } from "./template-values.ts";

const SERVERLESS = "AWS::Serverless::Function";
const LAMBDA = "AWS::Lambda::Function";

/** @param region What `AWS::Region` is. */
export function readSam(document: Fields, folder: string, region: string): Template {
  const resources = fieldsOf(document.Resources);
  const resolve = createIntrinsics({
    parameters: fieldsOf(document.Parameters),
    mappings: fieldsOf(document.Mappings),
    conditions: fieldsOf(document.Conditions),
    region,
    functionName(id) {
      const { Type: type, Properties: properties } = fieldsOf(resources[id]);
      if (type !== SERVERLESS && type !== LAMBDA) return undefined;
      return String(resolve(fieldsOf(properties).FunctionName) ?? id);
    },
  });
  const globals = fieldsOf(fieldsOf(document.Globals).Function);
  const skipped: Skipped[] = [];
  const shared = resolveEnvironment("Globals.environment", variablesOf(globals), resolve, skipped);
  const functions = Object.entries(resources).filter(([, resource]) => {
    const { Type: type } = fieldsOf(resource);
    return type === SERVERLESS || type === LAMBDA;
  });
  const descriptions = functions.map(([key, resource]) => {
    const { Type: type, Properties: properties, Metadata: metadata } = fieldsOf(resource);
    const own =
      type === SERVERLESS ? { ...globals, Environment: undefined, ...fieldsOf(properties) } : fieldsOf(properties);
    const inherited = type === SERVERLESS ? shared : {};
    return describe(key, own, inherited, fieldsOf(metadata), folder);
  });
  return defineFunctions(descriptions, folder, resolve, skipped);
}

function describe(
  key: string,
  own: Fields,
  inherited: Description["inherited"],
  metadata: Fields,
  folder: string,
): Description {
  const { path, obstacle } = locateCode(own, metadata);
  return {
    key,
    name: own.FunctionName,
    runtime: own.Runtime,
    handler: own.Handler,
    folder: resolvePath(folder, path),
    timeout: own.Timeout,
    memorySize: own.MemorySize,
    concurrency: own.ReservedConcurrentExecutions,
    environment: variablesOf(own),
    inherited,
    layers: own.Layers,
    alias: own.AutoPublishAlias,
    obstacle,
  };
}

function variablesOf(properties: Fields): Fields {
  return fieldsOf(fieldsOf(properties.Environment).Variables);
}

function locateCode(own: Fields, metadata: Fields): { path: string; obstacle?: string } {
  if (own.PackageType === "Image") return { path: ".", obstacle: `it is a container image: ${OWN_COMMAND}` };
  // The CDK says here where the code is that it has put into S3 for the template.
  const asset = metadata["aws:asset:path"];
  const code = typeof asset === "string" ? asset : (own.CodeUri ?? own.Code ?? ".");
  if (own.InlineCode !== undefined || (isFields(code) && code.ZipFile !== undefined)) {
    return { path: ".", obstacle: "its code stands in the template; put it into a file" };
  }
  if (typeof code !== "string" || code.startsWith("s3:"))
    return { path: ".", obstacle: "its code is not on this machine" };
  if (/\.(?:zip|jar)$/.test(code)) return { path: ".", obstacle: `its code is packed, in ${code}; name the folder` };
  return { path: code };
}
