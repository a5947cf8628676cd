import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as root from "../src/index.ts";
import { VERSION } from "../src/version.ts";

test("the public names", () => {
  expect(Object.keys(root).sort()).toEqual([
    "ConfigurationError",
    "FunctionError",
    "HTTPError",
    "InvalidTargetError",
    "InvokeError",
    "LambdaRequestsError",
    "LambdaResponse",
    "PayloadTooLargeError",
    "Session",
    "TimeoutError",
    "TooManyRedirectsError",
    "UnsafeRedirectError",
    "awsInvoker",
    "createFetch",
    "fetch",
    "formatTarget",
    "handlerInvoker",
    "parseTarget",
    "sdkInvoker",
  ]);
});

test("the errors are a tree, each with its own name", () => {
  const { LambdaRequestsError, InvokeError } = root;
  const types = Object.entries(root as unknown as Record<string, typeof Error>);
  const errors = types.filter(([name]) => name.endsWith("Error"));
  expect(errors).toHaveLength(10);
  for (const [name, type] of errors) {
    expect(type.name).toBe(name);
    if (type !== (LambdaRequestsError as unknown)) expect(type.prototype, name).toBeInstanceOf(LambdaRequestsError);
  }
  expect(LambdaRequestsError.prototype).toBeInstanceOf(Error);
  expect(root.TimeoutError.prototype).toBeInstanceOf(InvokeError);
});

test("fetch and Session stand in for the standard fetch", () => {
  const session = new root.Session();
  const fetches: (typeof globalThis.fetch)[] = [root.fetch, root.createFetch(), session.fetch];
  expect(fetches.map((fetch) => typeof fetch)).toEqual(["function", "function", "function"]);
});

test("the version is package.json's", () => {
  const path = new URL("../package.json", import.meta.url);
  const { version } = JSON.parse(readFileSync(path, "utf8")) as { version: string };
  expect(VERSION).toBe(version);
});
