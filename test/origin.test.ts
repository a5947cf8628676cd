import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConfigurationError } from "../src/errors.ts";
import {
  type FunctionOrigin,
  isSameOrigin,
  matchesPattern,
  originKey,
  originOf,
  parseFunctionPattern,
} from "../src/origin.ts";
import { parseTarget } from "../src/target.ts";

const ARN = "arn:aws:lambda:eu-west-1:123456789012:function:app";
const HERE = { region: "eu-west-1", accountId: "123456789012" };
const APP: FunctionOrigin = { functionName: "app", ...HERE };

describe("originOf", () => {
  test.each<[url: string, location: { region?: string; accountId?: string } | undefined, FunctionOrigin]>([
    ["http+lambda://app/", undefined, { functionName: "app", region: undefined, accountId: undefined }],
    ["http+lambda://app/", HERE, APP],
    ["http+lambda://app/", { region: "eu-west-1" }, { ...APP, accountId: undefined }],
    ["http+lambda://app/", { accountId: "123456789012" }, { ...APP, region: undefined }],
    // The URL goes before what the settings say.
    [`http+lambda://${ARN}/`, { region: "us-east-1", accountId: "999999999999" }, APP],
    ["http+lambda://123456789012:function:app/", { region: "us-east-1" }, { ...APP, region: "us-east-1" }],
    // Versions, aliases and paths are the same function.
    ["http+lambda://prod.app/v1?a=1", HERE, APP],
    ["http+lambda://app:7/", HERE, APP],
    [`http+lambda://${ARN}:prod/`, undefined, APP],
    ["http+lambda://$LATEST.app/", HERE, APP],
    // Names are case-sensitive.
    ["http+lambda://App/", HERE, { ...APP, functionName: "App" }],
  ])("%s with %j", (url, location, origin) => {
    expect(originOf(parseTarget(url), location)).toEqual(origin);
  });
});

describe("isSameOrigin", () => {
  test.each<[string, Partial<Record<keyof FunctionOrigin, string | undefined>>, boolean]>([
    ["itself", {}, true],
    ["another name", { functionName: "users" }, false],
    ["another case", { functionName: "APP" }, false],
    ["another region", { region: "eu-west-2" }, false],
    ["another account", { accountId: "999999999999" }, false],
    ["an unknown region", { region: undefined }, false],
    ["an unknown account", { accountId: undefined }, false],
  ])("%s", (_name, difference, same) => {
    const other = { ...APP, ...difference } as FunctionOrigin;
    expect(isSameOrigin(APP, other)).toBe(same);
    expect(isSameOrigin(other, APP)).toBe(same);
  });

  test("two of which neither region nor account is known are one", () => {
    const unknown = originOf({ functionName: "app" });
    expect(isSameOrigin(unknown, originOf({ functionName: "app", qualifier: "prod" }))).toBe(true);
  });
});

describe("originKey", () => {
  test.each<[FunctionOrigin, string]>([
    [APP, "123456789012:eu-west-1:app"],
    [{ ...APP, accountId: undefined }, ":eu-west-1:app"],
    [{ ...APP, region: undefined }, "123456789012::app"],
    [originOf({ functionName: "app" }), "::app"],
  ])("%j", (origin, key) => {
    expect(originKey(origin)).toBe(key);
  });

  const origins = fc.record({
    functionName: fc.stringMatching(/^[a-zA-Z0-9_.-]{1,6}$/),
    region: fc.constantFrom(undefined, "eu-west-1", "us-east-1", "us-gov-west-1"),
    accountId: fc.constantFrom(undefined, "123456789012", "999999999999"),
  });

  test("two have the same key exactly if they are the same", () => {
    const twins = origins.map((origin): [FunctionOrigin, FunctionOrigin] => [origin, { ...origin }]);
    fc.assert(
      fc.property(fc.oneof(fc.tuple(origins, origins), twins), ([a, b]) => {
        expect(originKey(a) === originKey(b)).toBe(isSameOrigin(a, b));
      }),
    );
  });
});

describe("the patterns of followTo", () => {
  function allows(pattern: string, to: FunctionOrigin, from: FunctionOrigin = APP): boolean {
    return matchesPattern(to, parseFunctionPattern(pattern), from);
  }
  const here = (functionName: string): FunctionOrigin => ({ functionName, ...HERE });

  test.each<[pattern: string, matching: string[], others: string[]]>([
    ["users", ["users"], ["Users", "users2", "my-users", "user", ""]],
    ["orders-*", ["orders-", "orders-v1", "orders-a-b_c", "orders-a.b"], ["orders", "my-orders-v1", "Orders-v1"]],
    ["*-admin", ["-admin", "orders-admin"], ["orders-admin2", "admin"]],
    ["*", ["a", "orders-admin", "a.b"], []],
    ["a*b*c", ["abc", "aXbXc", "abbcc", "abcabc"], ["ac", "acb", "abcd"]],
    ["**", ["a"], []],
    // A dot is a dot, not any letter.
    ["a.b", ["a.b"], ["aXb", "ab"]],
    ["a.*", ["a.", "a.b"], ["ab", "aXb"]],
    ["a_b-c", ["a_b-c"], ["a-b-c"]],
    ["7", ["7"], ["77"]],
  ])("%s", (pattern, matching, others) => {
    for (const name of matching) expect(allows(pattern, here(name)), name).toBe(true);
    for (const name of others) expect(allows(pattern, here(name)), name).toBe(false);
    for (const name of matching) expect(allows(`${ARN.slice(0, -3)}${pattern}`, here(name)), name).toBe(true);
  });

  test("a name alone is one in the account and the region of the function that redirects", () => {
    const users = here("users");
    for (const pattern of ["users", "*"]) {
      expect(allows(pattern, users)).toBe(true);
      expect(allows(pattern, { ...users, region: "us-east-1" })).toBe(false);
      expect(allows(pattern, { ...users, accountId: "999999999999" })).toBe(false);
      expect(allows(pattern, { ...users, region: undefined })).toBe(false);
      expect(allows(pattern, { ...users, accountId: undefined })).toBe(false);
      const from = { functionName: "app", region: "us-east-1", accountId: "999999999999" };
      expect(allows(pattern, users, from)).toBe(false);
      expect(allows(pattern, { ...users, region: "us-east-1", accountId: "999999999999" }, from)).toBe(true);
      const unknown = originOf({ functionName: "app" });
      expect(allows(pattern, originOf({ functionName: "users" }), unknown)).toBe(true);
      expect(allows(pattern, users, unknown)).toBe(false);
    }
  });

  test("an ARN is one in its own account and region, wherever the redirect comes from", () => {
    const pattern = "arn:aws:lambda:us-east-1:999999999999:function:users-*";
    const there = { functionName: "users-v1", region: "us-east-1", accountId: "999999999999" };
    for (const from of [APP, there, originOf({ functionName: "app" })]) {
      expect(allows(pattern, there, from)).toBe(true);
      expect(allows(pattern, here("users-v1"), from)).toBe(false);
      expect(allows(pattern, { ...there, region: "us-east-2" }, from)).toBe(false);
      expect(allows(pattern, { ...there, accountId: "123456789012" }, from)).toBe(false);
      expect(allows(pattern, { ...there, functionName: "users" }, from)).toBe(false);
      expect(allows(pattern, { ...there, accountId: undefined }, from)).toBe(false);
    }
  });

  test.each(["arn:aws-cn:lambda:cn-north-1:1:function:a", "arn:aws-us-gov:lambda:us-gov-west-1:2:function:a"])(
    "of other partitions: %s",
    (text) => {
      const [, , , region, account = ""] = text.split(":");
      const accountId = account.padStart(12, "0");
      const pattern = text.replace(`:${account}:`, `:${accountId}:`);
      expect(parseFunctionPattern(pattern)).toMatchObject({ region, accountId });
      expect(allows(pattern, { functionName: "a", region, accountId })).toBe(true);
    },
  );

  test.each([
    "",
    " ",
    "a b",
    "users:prod",
    "users:*",
    "prod/users",
    "http+lambda://users",
    "http+lambda://users/",
    "https://example.com",
    "123456789012:function:users",
    `${ARN}:prod`,
    `${ARN}:*`,
    `${ARN}/x`,
    "arn:aws:lambda:*:123456789012:function:app",
    "arn:aws:lambda:eu-west-1:*:function:app",
    "arn:aws:lambda:eu-west-1:12345678901:function:app",
    "arn:aws:lambda:eu-west-1:123456789012:function:",
    "arn:aws:lambda:eu-west-1:123456789012:layer:app",
    "arn:aws:s3:eu-west-1:123456789012:function:app",
    "ARN:aws:lambda:eu-west-1:123456789012:function:app",
    "$LATEST",
    "us?rs",
    "[a-z]",
    "(a|b)",
    "users\n",
    "üsers",
  ])("%j is none", (text) => {
    expect(() => parseFunctionPattern(text)).toThrow(ConfigurationError);
    expect(() => parseFunctionPattern(text)).toThrow(`followTo: ${JSON.stringify(text)} is no function's name or ARN`);
  });

  test("a name without a star matches itself and nothing else", () => {
    const name = fc.stringMatching(/^[a-zA-Z0-9_.-]{1,8}$/);
    fc.assert(
      fc.property(name, name, (one, other) => {
        expect(allows(one, here(one))).toBe(true);
        expect(allows(one, here(other))).toBe(one === other);
      }),
    );
  });

  test("stars stand for whatever is between the rest, as a plain search finds it", () => {
    const pattern = fc.stringMatching(/^[ab.*]{1,8}$/);
    const name = fc.stringMatching(/^[ab.]{1,10}$/);
    fc.assert(
      fc.property(pattern, name, (text, functionName) => {
        expect(allows(text, here(functionName))).toBe(matchesGlob(text, functionName));
      }),
      { numRuns: 500 },
    );
  });

  /** The slow way, letter by letter. */
  function matchesGlob(glob: string, text: string): boolean {
    if (glob === "") return text === "";
    if (glob.startsWith("*")) {
      return matchesGlob(glob.slice(1), text) || (text !== "" && matchesGlob(glob, text.slice(1)));
    }
    return text[0] === glob[0] && matchesGlob(glob.slice(1), text.slice(1));
  }
});
