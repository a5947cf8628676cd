import { expect, it } from "vitest";
import { InvalidResultError } from "../../src/formats/format.ts";
import { alb, functionUrl, httpApi, restApi } from "../../src/formats/index.ts";

const deep = JSON.parse(`${"[".repeat(5000)}${"]".repeat(5000)}`) as unknown;

it.each([restApi, httpApi, functionUrl, alb])(
  "$name: a result nested too deep to be written is no response, and is said to be none",
  (format) => {
    for (const result of [
      { statusCode: deep, body: "" },
      { statusCode: 200, isBase64Encoded: deep },
      { statusCode: 200, headers: { a: { deep } } },
    ]) {
      expect(() => format.decode(result)).toThrow(InvalidResultError);
    }
  },
);

it.each([restApi, httpApi, functionUrl, alb])("$name: a huge value is cut in the message", (format) => {
  const decode = (): unknown => format.decode({ statusCode: "x".repeat(1_000_000) });
  expect(decode).toThrow(/^statusCode is "x{99}…, not a whole number from 200 to 599$/);
});
