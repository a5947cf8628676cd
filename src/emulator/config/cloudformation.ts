/**
 * CloudFormation's intrinsic functions, as far as a template alone says what they come to:
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
 */
import { functionArn, UNKNOWN_ACCOUNT } from "../../target.ts";
import { type Fields, fieldsOf, isFields, isPlain, Unresolved } from "./template-values.ts";

/** What the functions may refer to. */
export interface Scope {
  readonly parameters: Fields;
  readonly mappings: Fields;
  readonly conditions: Fields;
  readonly region: string;
  /** The name of the function that has this logical id; `undefined` when there is none. */
  functionName(logicalId: string): string | undefined;
}

/** Where a region is not said: any will do, for nothing is called in it. */
export const SOME_REGION = "us-east-1";

/**
 * @returns a function that gives what a value comes to, all the way down; `undefined` for `AWS::NoValue`.
 * It throws {@link Unresolved} where a part is not known.
 */
export function createIntrinsics(scope: Scope): (value: unknown) => unknown {
  const { parameters, mappings, conditions, region } = scope;
  const pseudo: Readonly<Record<string, string | undefined>> = {
    "AWS::AccountId": UNKNOWN_ACCOUNT,
    "AWS::NoValue": undefined,
    "AWS::Partition": "aws",
    "AWS::Region": region,
    "AWS::StackId": `arn:aws:cloudformation:${region}:${UNKNOWN_ACCOUNT}:stack/local/local`,
    "AWS::StackName": "local",
    "AWS::URLSuffix": "amazonaws.com",
  };
  // Functions whose names are being looked up.
  const open = new Set<string>();

  function resolve(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(resolve).filter((item) => item !== undefined);
    if (!isFields(value)) return value;
    const entries = Object.entries(value);
    const [[name, argument] = ["", undefined]] = entries;
    if (entries.length === 1 && (name === "Ref" || name.startsWith("Fn::"))) return call(name, argument);
    const resolved = entries.map(([key, item]) => [key, resolve(item)] as const);
    return Object.fromEntries(resolved.filter(([, item]) => item !== undefined));
  }

  function call(name: string, argument: unknown): unknown {
    switch (name) {
      case "Ref":
        return ref(String(argument));
      case "Fn::GetAtt":
        return getAtt(Array.isArray(argument) ? argument.join(".") : String(argument));
      case "Fn::Sub":
        return sub(argument);
      case "Fn::Join": {
        const [separator, parts] = listOf(name, resolve(argument));
        return listOf(name, parts).map(textOf).join(textOf(separator));
      }
      case "Fn::FindInMap": {
        const [map, key, item] = listOf(name, resolve(argument)).map(textOf);
        const found = fieldsOf(fieldsOf(mappings[map ?? ""])[key ?? ""])[item ?? ""];
        if (found === undefined) throw new Unresolved(`the template maps no ${map}.${key}.${item}`);
        return found;
      }
      case "Fn::If": {
        const [condition, yes, no] = listOf(name, argument);
        return resolve(holds({ Condition: condition }) ? yes : no);
      }
      default:
        throw new Unresolved(`!${name.slice(4)} is not known before it is deployed`);
    }
  }

  function ref(name: string): unknown {
    if (Object.hasOwn(pseudo, name)) return pseudo[name];
    if (Object.hasOwn(parameters, name)) {
      const { Type: type, Default: value } = fieldsOf(parameters[name]);
      // The default is the name of a parameter in Systems Manager then.
      if (String(type).startsWith("AWS::SSM::"))
        throw new Unresolved(`the parameter ${name} stands in AWS's parameter store`);
      if (value === undefined) throw new Unresolved(`the parameter ${name} has no default`);
      return type === "CommaDelimitedList" && typeof value === "string"
        ? value.split(",").map((item) => item.trim())
        : value;
    }
    const functionName = nameOf(name);
    if (functionName === undefined) throw new Unresolved(`!Ref ${name} is not known before it is deployed`);
    return functionName;
  }

  function nameOf(logicalId: string): string | undefined {
    if (open.has(logicalId)) throw new Unresolved(`the name of ${logicalId} leads back to itself`);
    open.add(logicalId);
    try {
      return scope.functionName(logicalId);
    } finally {
      open.delete(logicalId);
    }
  }

  function getAtt(reference: string): string {
    const [logicalId = "", ...attribute] = reference.split(".");
    const functionName = attribute.join(".") === "Arn" ? nameOf(logicalId) : undefined;
    if (functionName === undefined) throw new Unresolved(`!GetAtt ${reference} is not known before it is deployed`);
    return functionArn({ partition: "aws", region, accountId: UNKNOWN_ACCOUNT, functionName });
  }

  function sub(argument: unknown): string {
    const [text, variables] = Array.isArray(argument) ? argument : [argument, {}];
    // `${!Name}` is how CloudFormation writes a `${Name}` that is meant.
    return textOf(text).replace(/\$\{(!?)([^}]*)\}/g, (_whole, literal: string, inner: string) => {
      const name = inner.trim();
      if (literal !== "") return `\${${name}}`;
      const given = fieldsOf(variables);
      if (Object.hasOwn(given, name)) return textOf(resolve(given[name]));
      return textOf(name.includes(".") ? getAtt(name) : ref(name));
    });
  }

  function holds(condition: unknown): boolean {
    const [[name, argument] = ["", undefined]] = Object.entries(fieldsOf(condition));
    switch (name) {
      case "Condition": {
        const named = conditions[String(argument)];
        if (named === undefined) throw new Unresolved(`the template has no condition ${String(argument)}`);
        return holds(named);
      }
      case "Fn::Equals": {
        const [one, other] = listOf(name, resolve(argument));
        return String(one) === String(other);
      }
      case "Fn::Not":
        return !listOf(name, argument).every(holds);
      case "Fn::And":
        return listOf(name, argument).every(holds);
      case "Fn::Or":
        return listOf(name, argument).some(holds);
      default:
        throw new Unresolved(`a condition of ${name.replace("Fn::", "!")} is not known before it is deployed`);
    }
  }

  return resolve;
}

function listOf(name: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new Unresolved(`${name.replace("Fn::", "!")} takes a list`);
}

function textOf(value: unknown): string {
  if (isPlain(value)) return String(value);
  throw new Unresolved(`a text can't hold ${value === undefined ? "AWS::NoValue" : "a list or an object"}`);
}
