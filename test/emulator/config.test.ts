import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readConfigFile } from "../../src/emulator/config/config-file.ts";
import { checkDefinition } from "../../src/emulator/config/definitions.ts";
import { findJsonError } from "../../src/emulator/config/json-error.ts";
import { ConfigurationError } from "../../src/errors.ts";

describe("a definition", () => {
  const handler = async (): Promise<string> => "done";

  it("is what it says, when all of it can be", () => {
    const definition = {
      handler: "./orders.mjs#handler",
      timeout: 30_000,
      memorySize: 256,
      environment: { TABLE: "orders", EMPTY: "" },
      concurrency: 0,
      versions: { "1": {}, "2": { handler, timeout: 900_000 }, "3": { command: "./bootstrap" } },
      aliases: { prod: "1", newest: "$LATEST", canary: { "1": 0.9, "2": 0.1 } },
    };
    expect(checkDefinition("orders", definition)).toBe(definition);
    expect(checkDefinition("orders", { command: "./bootstrap", timeout: undefined })).toEqual({
      command: "./bootstrap",
    });
  });

  it("may be the handler alone, or its file", () => {
    expect(checkDefinition("orders", handler)).toEqual({ handler });
    expect(checkDefinition("orders", "./orders.mjs")).toEqual({ handler: "./orders.mjs" });
  });

  it.each([
    ["nothing", null, "orders has to be a handler, the file of one, or an object"],
    ["a list", [], "orders has to be a handler, the file of one, or an object"],
    ["no handler", {}, "orders: a function needs a handler or a command"],
    ["both", { handler, command: "x" }, "orders: has both a handler and a command: leave one out"],
    [
      "a misspelt field",
      { handler, memorysize: 128 },
      'orders: there is no option "memorysize". It is spelled memorySize',
    ],
    [
      "an unknown field",
      { handler, runtime: "x" },
      'orders: there is no option "runtime". There are: aliases, command,',
    ],
    ["a handler that is none", { handler: 1 }, "orders: handler has to be a function, or the file of one,"],
    ["no file", { handler: "#handler" }, "orders: handler has to be a function, or the file of one,"],
    ["no export", { handler: "./orders.mjs#" }, "orders: handler has to be a function, or the file of one,"],
    ["an empty command", { command: " " }, "orders: command has to be a command line"],
    ["no time", { handler, timeout: 0 }, "orders: timeout has to be whole milliseconds, 1 to 900000"],
    ["too long", { handler, timeout: 900_001 }, "orders: timeout has to be whole milliseconds, 1 to 900000"],
    ["a fraction", { handler, timeout: 1.5 }, "orders: timeout has to be whole milliseconds, 1 to 900000"],
    ["a text", { handler, timeout: "30" }, "orders: timeout has to be whole milliseconds, 1 to 900000"],
    ["too little memory", { handler, memorySize: 127 }, "orders: memorySize has to be whole megabytes, 128 to 10240"],
    ["too much memory", { handler, memorySize: 10_241 }, "orders: memorySize has to be whole megabytes, 128 to 10240"],
    ["below zero", { handler, concurrency: -1 }, "orders: concurrency has to be a whole number, 0 or more"],
    ["no variables", { handler, environment: "A=b" }, "orders: environment has to be an object of strings"],
    ["a number in a variable", { handler, environment: { PORT: 80 } }, "orders: environment.PORT has to be a string"],
    [
      "a reserved variable",
      { handler, environment: { AWS_REGION: "x" } },
      "orders: environment.AWS_REGION is set by Lambda",
    ],
    [
      "a reserved variable",
      { handler, environment: { _HANDLER: "x" } },
      "orders: environment._HANDLER is set by Lambda",
    ],
    ["no variable", { handler, environment: { "A-B": "x" } }, 'orders: environment: "A-B" can\'t be a variable'],
    [
      "a version by name",
      { handler, versions: { v1: {} } },
      'orders: versions are numbers, as in "1", and "v1" is none',
    ],
    [
      "a version's field",
      { handler, versions: { "1": { aliases: {} } } },
      'orders: versions.1: there is no option "aliases"',
    ],
    ["a version's value", { handler, versions: { "1": { timeout: 0 } } }, "orders: versions.1.timeout has to be"],
    ["no version", { handler, versions: { "1": null } }, "orders: versions.1 has to be an object"],
    ["both, in a version", { handler, versions: { "1": { handler, command: "x" } } }, "orders: versions.1 has both"],
    ["an alias of digits", { handler, aliases: { "1": "$LATEST" } }, 'orders: "1" can\'t be an alias'],
    ["an alias with a dot", { handler, aliases: { "a.b": "$LATEST" } }, 'orders: "a.b" can\'t be an alias'],
    ["an alias of nothing", { handler, aliases: { prod: null } }, "orders: aliases.prod has to be a version"],
    [
      "an alias of a number",
      { handler, versions: { "1": {} }, aliases: { prod: 1 } },
      "orders: aliases.prod has to be",
    ],
    [
      "an alias of no version",
      { handler, versions: { "1": {} }, aliases: { prod: "2" } },
      'orders: aliases.prod: there is no version "2". There are: $LATEST, 1',
    ],
    [
      "a share that is none",
      { handler, aliases: { prod: { $LATEST: 2 } } },
      "orders: aliases.prod.$LATEST has to be a share",
    ],
    [
      "a share of text",
      { handler, aliases: { prod: { $LATEST: "1" } } },
      "orders: aliases.prod.$LATEST has to be a share",
    ],
    ["no shares", { handler, aliases: { prod: {} } }, "orders: aliases.prod: the shares have to make 1, and make 0"],
    [
      "shares that don't make one",
      { handler, versions: { "1": {} }, aliases: { prod: { "1": 0.5, $LATEST: 0.4 } } },
      "orders: aliases.prod: the shares have to make 1, and make 0.9",
    ],
  ])("is refused: %s", (_name, value, message) => {
    expect(() => checkDefinition("orders", value)).toThrow(ConfigurationError);
    expect(() => checkDefinition("orders", value)).toThrow(message);
  });

  it("takes shares that make 1, however many and however binary fractions add them up", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 1, maxLength: 20 }), (parts) => {
        const whole = parts.reduce((sum, part) => sum + part, 0);
        fc.pre(whole > 0);
        const versions = Object.fromEntries(parts.map((_part, index) => [String(index + 1), {}]));
        const canary = Object.fromEntries(parts.map((part, index) => [String(index + 1), part / whole]));
        expect(() => checkDefinition("orders", { handler, versions, aliases: { canary } })).not.toThrow();
      }),
    );
  });
});

describe("a configuration file", () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "lambda-requests-"));
  });

  afterAll(() => rm(folder, { recursive: true }));

  async function read(text: string): Promise<unknown> {
    const file = join(folder, "emulator.json");
    await writeFile(file, text);
    return readConfigFile(file);
  }

  it("gives functions, with their files relative to it, a port and faults", async () => {
    const config = {
      functions: {
        orders: { handler: "./orders.mjs#handler", versions: { "1": { handler: "../old/orders.mjs" }, "2": {} } },
        users: "users.cjs",
        reports: { command: "./bootstrap" },
      },
      port: 9001,
      faults: { throttle: 0.1, latency: [100, 300] },
    };
    expect(await read(`\ufeff${JSON.stringify(config)}`)).toEqual({
      functions: {
        orders: {
          handler: `${join(folder, "orders.mjs")}#handler`,
          versions: { "1": { handler: join(folder, "../old/orders.mjs") }, "2": {} },
        },
        users: { handler: join(folder, "users.cjs") },
        reports: { command: "./bootstrap", folder },
      },
      port: 9001,
      faults: { throttle: 0.1, latency: [100, 300] },
    });
  });

  it.each([
    ["nothing", "", "emulator.json is no JSON: unexpected the end at line 1, column 1"],
    [
      "a comma too many",
      '{\n  "functions": {\n    "a": "b",\n  }\n}',
      'is no JSON: unexpected "}" at line 4, column 3',
    ],
    ["a word", '{"functions": yes}', 'is no JSON: unexpected "y" at line 1, column 15'],
    ["a missing end", '{\r\n"functions": {}', "is no JSON: unexpected the end at line 2, column 16"],
    ["a list", "[]", "emulator.json: a configuration has to be an object"],
    ["no functions", "{}", "emulator.json: functions has to be an object of functions by name"],
    ["a list of functions", '{"functions":[]}', "emulator.json: functions has to be an object of functions by name"],
    ["an unknown key", '{"functions":{},"ports":1}', 'emulator.json: there is no option "ports". There are: faults,'],
    ["no port", '{"functions":{},"port":65536}', "emulator.json: port has to be a whole number, 0 to 65535"],
    [
      "a function's field",
      '{"functions":{"a":{"timeout":1}}}',
      "emulator.json: a: a function needs a handler or a command",
    ],
    ["a fault", '{"functions":{},"faults":{"drop":2}}', "emulator.json: the fault drop has to be a share of all calls"],
  ])("says what is wrong: %s", async (_name, text, message) => {
    await expect(read(text)).rejects.toThrow(ConfigurationError);
    await expect(read(text)).rejects.toThrow(message);
  });

  it("says that it is not there", async () => {
    await expect(readConfigFile(join(folder, "nowhere.json"))).rejects.toThrow(/can't read .*nowhere\.json: ENOENT/);
  });

  it("shows nothing of its text but the character that is wrong", async () => {
    const error = await read('{"functions":{"a":{"environment":{"KEY":"secret" "x"}}}}').catch(
      (error: unknown) => error,
    );
    expect((error as Error).message).not.toContain("secret");
  });
});

describe("the place where JSON ends", () => {
  const isJson = (text: string): boolean => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  };

  it("is not found in JSON", () => {
    fc.assert(
      fc.property(fc.json(), fc.integer({ min: 0, max: 4 }), (json, indent) => {
        expect(findJsonError(JSON.stringify(JSON.parse(json), null, indent))).toBeUndefined();
      }),
    );
  });

  it("is found exactly where JSON.parse finds none", () => {
    const characters = fc.constantFrom(...'{}[]",:.-+eE01\\u \n\u007f\u0000tfn', "true", "null", '"a"', "\\u00e9");
    fc.assert(
      fc.property(fc.array(characters, { maxLength: 12 }), (parts) => {
        const text = parts.join("");
        expect(findJsonError(text) === undefined).toBe(isJson(text));
      }),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(fc.json(), fc.nat(), characters, (json, at, character) => {
        const index = at % (json.length + 1);
        const text = json.slice(0, index) + character + json.slice(index);
        expect(findJsonError(text) === undefined).toBe(isJson(text));
      }),
    );
  });
});
