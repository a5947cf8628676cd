/** YAML with CloudFormation's tags, which become what its JSON has for them: `!Ref x` is `{ "Ref": "x" }`. */
import { ConfigurationError } from "../../errors.ts";

/** @throws {ConfigurationError} when the text is no YAML; the message names the file, the line and the column. */
export type ParseYaml = (path: string, text: string) => unknown;

/** Loads the parser, which nothing but templates needs. */
export async function loadYamlParser(): Promise<ParseYaml> {
  const { Pair, parseDocument, Scalar, visit, YAMLMap } = await import("yaml");
  return (path, text) => {
    // `<<` belongs to YAML 1.1, and the Serverless Framework takes it.
    const document = parseDocument(text, { merge: true });
    const [error] = document.errors;
    if (error !== undefined) {
      // Behind the first line stands a part of the file, which may hold a secret.
      const [message = ""] = error.message.split("\n");
      throw new ConfigurationError(`${path} is no YAML: ${message.replace(/:$/, "")}`, { cause: error });
    }
    visit(document, {
      Node(_key, node) {
        const name = /^!(\w+)$/.exec(node.tag ?? "")?.[1];
        if (name === undefined) return undefined;
        const map = new YAMLMap();
        const { anchor } = node as { anchor?: string };
        if (anchor !== undefined) map.anchor = anchor;
        delete node.tag;
        delete (node as { anchor?: string }).anchor;
        map.items.push(new Pair(new Scalar(name === "Ref" || name === "Condition" ? name : `Fn::${name}`), node));
        return map;
      },
    });
    try {
      return document.toJS() as unknown;
    } catch (cause) {
      throw new ConfigurationError(`${path} can't be read: ${(cause as Error).message}`, { cause });
    }
  };
}
