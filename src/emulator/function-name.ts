/**
 * Which function a call names, by the service's own grammar of `FunctionName` and `Qualifier`. It takes more than people
 * write: that of `../target.ts`, which is there to catch mistakes before anything is sent, is narrower.
 */
import { functionArn, type Target, UNKNOWN_ACCOUNT } from "../target.ts";
import { ApiError, type Constraint } from "./api-error.ts";

/** As AWS quotes it in what it says of a name that is none. Every part but the name may be missing. */
export const FUNCTION_NAME: Constraint & { readonly pattern: string } = {
  member: "functionName",
  pattern: String.raw`(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?`,
  maxLength: 256,
};

/** Wider than a qualifier in a name: `$latest` is one, of which there is never any. */
export const QUALIFIER: Constraint = {
  member: "qualifier",
  pattern: String.raw`\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+`,
  maxLength: 128,
};

/** In how many groups of the pattern the parts are. */
const [PARTITION, REGION, ACCOUNT, NAME, SUFFIX] = [2, 3, 9, 11, 13] as const;

const PARTITIONS: readonly (readonly [prefix: string, partition: string])[] = [
  ["cn-", "aws-cn"],
  ["us-gov-", "aws-us-gov"],
  ["eusc-", "aws-eusc"],
  ["us-iso-", "aws-iso"],
  ["us-isob-", "aws-iso-b"],
  ["eu-isoe-", "aws-iso-e"],
  ["us-isof-", "aws-iso-f"],
];

/**
 * The function that a name and a qualifier name, both of which satisfy their constraints; with region, account and
 * partition, for its ARN.
 *
 * Any account will do: on AWS, whether another account's function may be called is for its policy to say, of which an
 * emulator has none; and code that is given the ARN of a real function has to run here as it is. The region has to be the
 * one that the call is signed for, as on AWS.
 *
 * @throws {ApiError} when the two name different versions, or the name another region.
 */
export function readTarget(name: string, qualifier: string | undefined, region: string): Target {
  const parts = new RegExp(`^(?:${FUNCTION_NAME.pattern})$`).exec(name);
  if (parts === null) throw new TypeError("the name has to satisfy its constraint");
  const named = parts[REGION]?.slice(0, -1);
  if (named !== undefined && named !== region) {
    throw new ApiError(404, "ResourceNotFoundException", {
      Type: "User",
      Message: `Functions from '${named}' are not reachable in this region ('${region}')`,
    });
  }
  const suffix = parts[SUFFIX];
  if (suffix !== undefined && qualifier !== undefined && suffix !== qualifier) {
    throw new ApiError(400, "InvalidParameterValueException", {
      Type: "User",
      message: "The derived qualifier from the function name does not match the specified qualifier.",
    });
  }
  const version = suffix ?? qualifier;
  return {
    functionName: parts[NAME] ?? "",
    ...(version !== undefined && { qualifier: version }),
    region,
    accountId: parts[ACCOUNT]?.slice(0, -1) ?? UNKNOWN_ACCOUNT,
    partition: parts[PARTITION] ?? PARTITIONS.find(([prefix]) => region.startsWith(prefix))?.[1] ?? "aws",
  };
}

/** There is no such function, or no such version of it; which of the two, AWS doesn't say. */
export function notFound(target: Target): ApiError {
  const arn = functionArn({ qualifier: "$LATEST", ...target });
  return new ApiError(404, "ResourceNotFoundException", { Type: "User", Message: `Function not found: ${arn}` });
}
