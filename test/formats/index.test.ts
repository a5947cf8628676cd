import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { FORMATS } from "../../src/formats/formats.ts";
import * as formats from "../../src/formats/index.ts";

test("the public names", () => {
  expect(Object.keys(formats).sort()).toEqual([
    "InvalidResultError",
    "alb",
    "albMultiValue",
    "functionUrl",
    "httpApi",
    "restApi",
  ]);
});

test("they are those that the option payloadFormat names", () => {
  const { alb, albMultiValue, functionUrl, httpApi, restApi } = formats;
  expect(FORMATS).toEqual({
    "rest-api": restApi,
    "http-api": httpApi,
    "function-url": functionUrl,
    alb,
    "alb-multi-value": albMultiValue,
  });
  for (const [name, format] of Object.entries(FORMATS)) expect(format.name).toBe(name);
});

test("an InvalidResultError is an Error with its own name", () => {
  const error = new formats.InvalidResultError("x");
  expect(error).toBeInstanceOf(Error);
  expect([error.name, String(error)]).toEqual(["InvalidResultError", "InvalidResultError: x"]);
});

describe("the examples in the doc blocks say what is true", () => {
  const folder = new URL("../../src/formats/", import.meta.url);
  const examples = readdirSync(folder).flatMap((file) => {
    const source = readFileSync(new URL(file, folder), "utf8");
    return [...source.matchAll(/^ \* @example\n((?: \* .*\n)+?) \*\/\nexport const (\w+)/gm)].map(
      ([, lines = "", name = ""]) => ({ file, name, code: lines.replace(/^ \* /gm, "") }),
    );
  });

  test("every format has one", () => {
    const names = Object.keys(formats).filter((name) => name !== "InvalidResultError");
    expect(examples.map(({ name }) => name).sort()).toEqual(names);
    const all = readdirSync(folder).map((file) => readFileSync(new URL(file, folder), "utf8"));
    expect(all.join("").match(/@example/g), "and no other name has").toHaveLength(names.length);
  });

  test.each(examples)("$name", ({ code }) => {
    // `expression; // its value` becomes a pair of both; TypeScript's own words go.
    const lines = code.replaceAll(" as const", "").replace(/^(.*); \/\/ (.*)$/gm, "pairs.push([$1, $2]);");
    const run = new Function(
      "formats",
      `const { ${Object.keys(formats)} } = formats, pairs = [];\n${lines}return pairs;`,
    );
    const pairs = run(formats) as [unknown, unknown][];
    expect(pairs.length).toBeGreaterThan(0);
    for (const [value, said] of pairs) expect(JSON.parse(JSON.stringify(value))).toEqual(said);
  });
});
