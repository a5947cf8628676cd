/** Every expectation, on a Flask application, where this machine's `python3` has Flask. */
import { join } from "node:path";
import { afterAll, beforeAll, describe } from "vitest";
import { createFetch } from "../src/fetch.ts";
import type { PayloadFormat } from "../src/formats/formats.ts";
import type { Invoker } from "../src/invoke/invoker.ts";
import { BYTES, COMPRESSED, COOKIES, DATED_COOKIE, TEXT } from "./apps/app.ts";
import { expectAll } from "./support/expect-all.ts";
import { pythonHas, startPython } from "./support/python.ts";

const hasFlask = pythonHas("flask");
if (!hasFlask) console.warn("test/flask.test.ts is skipped: there is no python3 here that has Flask");

describe.skipIf(!hasFlask)(hasFlask ? "flask" : "flask (skipped: no python3 here that has Flask)", () => {
  let python: Invoker;
  beforeAll(() => {
    const compressed = Object.entries(COMPRESSED).map(([name, bytes]) => [name, bytes.toString("base64")]);
    const constants = {
      text: TEXT,
      bytes: BYTES.toString("base64"),
      cookies: COOKIES,
      datedCookie: DATED_COOKIE,
      compressed: Object.fromEntries(compressed),
    };
    python = startPython(join(import.meta.dirname, "apps/flask_app.py"), [JSON.stringify(constants)]);
  });
  afterAll(() => python.close?.());

  describe.each<PayloadFormat>(["rest-api", "http-api", "alb"])("%s", (format) => {
    const invoker: Invoker = { invoke: (invocation) => python.invoke(invocation) };
    const fetch = createFetch({ invoker, payloadFormat: format });
    expectAll({ app: "flask", format, call: (path, init) => fetch(`http+lambda://app${path}`, init) });
  });
});
