/** Every expectation, on every application, by every payload format that its adapter takes, without AWS. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Emulator } from "../src/emulator/emulator.ts";
import { createFetch } from "../src/fetch.ts";
import type { PayloadFormat } from "../src/formats/formats.ts";
import type { Handler } from "./apps/app.ts";
import { handler as express } from "./apps/express.ts";
import { handler as fastify } from "./apps/fastify.ts";
import { handler as fastifyServerlessHttp } from "./apps/fastify-serverless-http.ts";
import { handler as hono } from "./apps/hono.ts";
import { handler as koa } from "./apps/koa.ts";
import { handler as middy } from "./apps/middy.ts";
import { handler as powertools } from "./apps/powertools.ts";
import { handler as serverlessExpress } from "./apps/serverless-express.ts";
import { handler as srvx } from "./apps/srvx.ts";
import { ALL_FORMATS, type Application, renderCompatibility } from "./support/compatibility.ts";
import { expectAll, type Outcome } from "./support/expect-all.ts";
import { type AppName, type Call, expectations } from "./support/expectations.ts";
import { failures } from "./support/failures.ts";

const SERVERLESS_HTTP_SETTING =
  "`binary: true`, or a function of the headers. Without it, only what is compressed is given as base64";

const applications: Readonly<Record<Exclude<AppName, "flask">, Application & { handler: Handler }>> = {
  express: {
    packages: ["express", "serverless-http"],
    handler: express,
    formats: ALL_FORMATS,
    setting: SERVERLESS_HTTP_SETTING,
  },
  koa: {
    packages: ["koa", "serverless-http"],
    handler: koa,
    formats: ALL_FORMATS,
    setting: SERVERLESS_HTTP_SETTING,
  },
  "fastify-serverless-http": {
    packages: ["fastify", "serverless-http"],
    handler: fastifyServerlessHttp,
    formats: ALL_FORMATS,
    setting: `${SERVERLESS_HTTP_SETTING}. It has to be given \`app.server\`: by way of the app, bytes become text`,
  },
  "serverless-express": {
    packages: ["express", "@codegenie/serverless-express"],
    handler: serverlessExpress,
    formats: ALL_FORMATS,
    setting:
      "`binarySettings` with `isBinary` or `contentTypes`. Without it, only images and what is compressed are given as base64",
  },
  fastify: {
    packages: ["fastify", "@fastify/aws-lambda"],
    handler: fastify,
    formats: ALL_FORMATS,
    setting:
      "`enforceBase64`, a function of the response, or `binaryMimeTypes`. Without it, only what is compressed is given as " +
      "base64. `alb-multi-value` needs `albMultiValueHeaders: true`, or headers that occur once don't arrive",
  },
  hono: {
    packages: ["hono"],
    handler: hono,
    formats: ALL_FORMATS,
    setting:
      "none; `isContentTypeBinary` where bytes that are no UTF-8, or begin with a byte-order mark, have a text type",
  },
  powertools: {
    packages: ["@aws-lambda-powertools/event-handler"],
    handler: powertools,
    formats: ALL_FORMATS,
    setting:
      "a middleware that sets `reqCtx.isBase64Encoded`. Without it, only images, audio, video, gzip and deflate are given " +
      "as base64",
  },
  middy: {
    packages: ["@middy/core", "@middy/http-event-normalizer"],
    handler: middy,
    formats: ALL_FORMATS,
    setting: "the handler's own `isBase64Encoded`",
  },
  srvx: {
    packages: ["srvx"],
    handler: srvx,
    formats: ["rest-api", "http-api", "function-url", "alb"],
    leftOut: "it reads `event.headers`, which the events of `alb-multi-value` don't have, and throws",
    setting: "none, and there is none: it goes by the content type",
  },
};

const outcomes: Outcome[] = [];

describe.each(Object.entries(applications) as [Exclude<AppName, "flask">, Application & { handler: Handler }][])(
  "%s",
  (app, { handler, formats, leftOut = "" }) => {
    describe.each(formats)("%s in this process", (format) => {
      const fetch = createFetch({ functions: { app: handler }, payloadFormat: format });
      expectAll({
        app,
        format,
        call: (path, init) => fetch(`http+lambda://app${path}`, init),
        record: (outcome) => outcomes.push(outcome),
      });
    });

    it.each(ALL_FORMATS.filter((format) => !formats.includes(format)))(
      `does not take %s: ${leftOut}`,
      async (format) => {
        const fetch = createFetch({ functions: { app: handler }, payloadFormat: format });
        expect((await fetch("http+lambda://app/text")).invocation.functionError?.errorType).toBe("TypeError");
      },
    );

    // One with payload 1 and one with payload 2.0: over HTTP an event is bytes like any other.
    describe.each<PayloadFormat>(["rest-api", "http-api"])("%s over HTTP", (format) => {
      let emulator: Emulator;
      let call: Call;
      beforeAll(async () => {
        emulator = await Emulator.start({ functions: { app: handler } });
        const fetch = createFetch({ endpoint: emulator.endpoint, region: "us-east-1", payloadFormat: format });
        call = (path, init) => fetch(`http+lambda://app${path}`, init);
      });
      afterAll(() => emulator.close());
      expectAll({
        app,
        format,
        call: (path, init) => call(path, init),
        // What is large takes most of the time.
        only: ({ megabytes = 0 }) => megabytes === 0 || (megabytes === 1 && format === "rest-api"),
      });
    });
  },
);

describe("the lists", () => {
  it("name each expectation once", () => {
    expect(new Set(expectations.map(({ name }) => name)).size).toBe(expectations.length);
  });

  it("name only expectations that there are", () => {
    const names = expectations.map(({ name }) => name);
    expect(failures.flatMap(({ cases }) => cases).filter((name) => !names.includes(name))).toEqual([]);
  });
});

describe("docs/compatibility.md", () => {
  it("says what came out; UPDATE_DOCS=1 npx vitest run test/applications.test.ts writes it", ({ skip }) => {
    const all = Object.values(applications).reduce((sum, { formats }) => sum + formats.length, 0);
    skip(new Set(outcomes.map(({ app, format }) => `${app} ${format}`)).size < all, "not every expectation was run");
    const file = join(import.meta.dirname, "../docs/compatibility.md");
    const page = renderCompatibility(applications, outcomes);
    if (process.env.UPDATE_DOCS === "1") writeFileSync(file, page);
    expect(readFileSync(file, "utf8").replaceAll("\r\n", "\n")).toBe(page);
  });
});
