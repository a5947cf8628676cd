import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ApiError, checkMembers } from "../../src/emulator/api-error.ts";
import { FUNCTION_NAME, notFound, QUALIFIER, readTarget } from "../../src/emulator/function-name.ts";
import { functionArn, functionIdentifier, parseFunction } from "../../src/target.ts";

const REGION = "eu-west-1";
const HERE = { region: REGION, accountId: "000000000000", partition: "aws" };
const THERE = { ...HERE, accountId: "123456789012" };

const arn = (rest: string): string => `arn:aws:lambda:eu-west-1:123456789012:${rest}`;

/** As the API does it. */
function read(name: string, qualifier?: string, region = REGION): unknown {
  checkMembers([
    [QUALIFIER, qualifier],
    [FUNCTION_NAME, name],
  ]);
  return readTarget(name, qualifier, region);
}

function refusal(name: string, qualifier?: string): ApiError {
  try {
    read(name, qualifier);
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  return expect.fail(`${name} was read`);
}

describe("a function's name", () => {
  it.each([
    ["orders", { ...HERE, functionName: "orders" }],
    ["orders:prod", { ...HERE, functionName: "orders", qualifier: "prod" }],
    ["orders:7", { ...HERE, functionName: "orders", qualifier: "7" }],
    ["orders:$LATEST", { ...HERE, functionName: "orders", qualifier: "$LATEST" }],
    ["orders:$LATEST.PUBLISHED", { ...HERE, functionName: "orders", qualifier: "$LATEST.PUBLISHED" }],
    ["team.orders", { ...HERE, functionName: "team.orders" }],
    ["function:orders", { ...HERE, functionName: "orders" }],
    ["123456789012:function:orders", { ...THERE, functionName: "orders" }],
    ["123456789012:function:orders:prod", { ...THERE, functionName: "orders", qualifier: "prod" }],
    ["123456789012:orders", { ...THERE, functionName: "orders" }],
    ["123456789012", { ...HERE, functionName: "123456789012" }],
    ["eu-west-1:123456789012:function:orders", { ...THERE, functionName: "orders" }],
    [arn("function:orders"), { ...THERE, functionName: "orders" }],
    [arn("function:orders:prod"), { ...THERE, functionName: "orders", qualifier: "prod" }],
    [arn("orders"), { ...THERE, functionName: "orders" }],
    [arn("function"), { ...THERE, functionName: "function" }],
    ["a".repeat(65), { ...HERE, functionName: "a".repeat(65) }],
  ])("%s", (name, target) => {
    expect(read(name)).toEqual(target);
  });

  it.each([
    ["orders", "prod", "prod"],
    ["orders", "$LATEST", "$LATEST"],
    ["orders:prod", "prod", "prod"],
    [arn("function:orders:$LATEST"), "$LATEST", "$LATEST"],
    ["orders", "$latest", "$latest"],
  ])("%s with the qualifier %s", (name, given, qualifier) => {
    expect(read(name, given)).toMatchObject({ functionName: "orders", qualifier });
  });

  it.each([
    ["us-gov-west-1", "aws-us-gov"],
    ["cn-north-1", "aws-cn"],
    ["eusc-de-east-1", "aws-eusc"],
    ["us-iso-east-1", "aws-iso"],
    ["us-isob-east-1", "aws-iso-b"],
    ["mx-central-1", "aws"],
    ["local", "aws"],
  ])("in the region %s is in the partition %s", (region, partition) => {
    expect(read("orders", undefined, region)).toMatchObject({ region, partition });
  });

  it("keeps an ARN's partition", () => {
    expect(read("arn:aws-x:lambda:eu-west-1:123456789012:function:orders")).toMatchObject({ partition: "aws-x" });
    expect(read("arn::lambda:eu-west-1:123456789012:function:orders")).toMatchObject({ partition: "aws" });
  });

  it.each([
    "my-function!",
    "*",
    "or ders",
    "",
    "a/b",
    "größe",
    "orders\n",
    "invalid-account:function:my-function",
    "arn:aws:lambda:invalid-region:123456789012:function:my-function",
    "arn:aws:ec2:eu-west-1:123456789012:instance:i-1234567890abcdef0",
    "arn:aws:lambda::123456789012:function:my-function",
    "arn:aws:lambda:eu-west-1::function:my-function",
    arn("function:my-function:1:2"),
    arn("function:my-function:$LATES"),
    arn("function:my-function:"),
    "function:my-function:$LATEST:extra",
    `arn:aws:lambda:invalid-region:123456789012:function:my-function${"a".repeat(170)}`,
  ])("can't be %j", (name) => {
    expect(refusal(name)).toMatchObject({
      status: 400,
      name: "ValidationException",
      body: {
        message: `1 validation error detected: Value '${name}' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: ${FUNCTION_NAME.pattern}`,
      },
    });
  });

  it("can be no longer than 256 characters", () => {
    expect(read("a".repeat(256))).toMatchObject({ functionName: "a".repeat(256) });
    expect(refusal("a".repeat(257)).message).toMatch(
      /' at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 256$/,
    );
  });

  it("is never undecided for long, whatever it is", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(..."a1-_.:$ ", "arn:", "function:", "aa-", "123456789012:")), (parts) => {
        const name = parts.join("").repeat(20);
        try {
          read(name);
        } catch (error) {
          expect(error).toBeInstanceOf(ApiError);
        }
      }),
    );
  });

  it("is read as our own client writes it", () => {
    const name = fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9_-]{0,30}$/).filter((text) => !/^(?:arn|function)$/.test(text));
    const accountId = fc.stringMatching(/^\d{12}$/);
    fc.assert(
      fc.property(name, accountId, fc.boolean(), (functionName, account, isWhole) => {
        const target = isWhole
          ? { functionName, accountId: account, region: REGION, partition: "aws" }
          : { functionName, accountId: account };
        const written = functionIdentifier(target);
        expect(read(written)).toEqual({ ...HERE, ...parseFunction(written) });
        expect(read(functionArn({ ...HERE, ...target }))).toEqual({ ...HERE, ...target });
      }),
    );
  });
});

describe("a qualifier", () => {
  it.each(["invalid!", "a b", "", "a.b", "$LATEST.published"])("can't be %j", (qualifier) => {
    expect(refusal("my-function", qualifier)).toMatchObject({
      status: 400,
      name: "ValidationException",
      body: {
        message: `1 validation error detected: Value '${qualifier}' at 'qualifier' failed to satisfy constraint: Member must satisfy regular expression pattern: \\$(LATEST(\\.PUBLISHED)?)|[a-zA-Z0-9-_$]+`,
      },
    });
  });

  it("can be no longer than 128 characters", () => {
    expect(read("orders", "a".repeat(128))).toMatchObject({ qualifier: "a".repeat(128) });
    expect(refusal("orders", "a".repeat(129)).message).toBe(
      `1 validation error detected: Value '${"a".repeat(129)}' at 'qualifier' failed to satisfy constraint: Member must have length less than or equal to 128`,
    );
  });

  it("is refused together with a name that can't be either", () => {
    expect(refusal("*", "a".repeat(129)).message).toMatch(
      /^2 validation errors detected: Value 'a{129}' at 'qualifier' failed [^;]*; Value '\*' at 'functionName' failed /,
    );
  });

  it("can't be another one than the name's", () => {
    expect(refusal("orders:$LATEST", "1")).toMatchObject({
      status: 400,
      name: "InvalidParameterValueException",
      body: {
        Type: "User",
        message: "The derived qualifier from the function name does not match the specified qualifier.",
      },
    });
  });
});

it("a function of another region is not reachable", () => {
  expect(refusal("arn:aws:lambda:us-east-1:123456789012:function:orders")).toMatchObject({
    status: 404,
    name: "ResourceNotFoundException",
    body: { Type: "User", Message: "Functions from 'us-east-1' are not reachable in this region ('eu-west-1')" },
  });
});

it("a function that is not there is told by its ARN, with $LATEST where nothing else was named", () => {
  expect(notFound({ ...HERE, functionName: "nope" }).body).toEqual({
    Type: "User",
    Message: "Function not found: arn:aws:lambda:eu-west-1:000000000000:function:nope:$LATEST",
  });
  expect(notFound({ ...THERE, functionName: "orders", qualifier: "$latest" }).body.Message).toBe(
    "Function not found: arn:aws:lambda:eu-west-1:123456789012:function:orders:$latest",
  );
});
