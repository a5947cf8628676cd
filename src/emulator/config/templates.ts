/** The functions of a template of another tool: a serverless.yml, or a template.yaml of SAM or CloudFormation. */
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { ConfigurationError } from "../../errors.ts";
import { readEnvironment } from "../../invoke/environment.ts";
import { SOME_REGION } from "./cloudformation.ts";
import { readSam } from "./sam.ts";
import { readServerless } from "./serverless.ts";
import type { Template } from "./template-functions.ts";
import { isFields } from "./template-values.ts";
import { loadYamlParser } from "./yaml.ts";

/**
 * Reads the functions of a template, YAML or JSON. What it holds tells which kind it is, not what it is called. Only
 * handlers of Node.js can be read, and those values that the template alone says; all others are skipped with a reason.
 *
 * @throws {ConfigurationError} when the file can't be read, is no YAML, or is neither kind of template.
 */
export async function readTemplate(path: string): Promise<Template> {
  if (/\.[cm]?[jt]s$/.test(path)) {
    throw new ConfigurationError(
      `${path} is a program: let \`serverless print\` write what it says to a file, and name that`,
    );
  }
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new ConfigurationError(`can't read ${path}: ${(cause as Error).message}`, { cause });
  }
  const parseYaml = await loadYamlParser();
  const document = parseYaml(path, text);
  const folder = dirname(resolve(path));
  if (isFields(document) && isFields(document.Resources)) {
    return readSam(document, folder, (await readEnvironment()).region ?? SOME_REGION);
  }
  if (isFields(document) && (document.provider !== undefined || document.functions !== undefined)) {
    try {
      return readServerless(document, folder, parseYaml);
    } catch (cause) {
      if (!(cause instanceof ConfigurationError)) throw cause;
      throw new ConfigurationError(`${path}: ${cause.message}`, { cause });
    }
  }
  throw new ConfigurationError(`${path} is no template: it has neither functions (serverless.yml) nor Resources (SAM)`);
}
