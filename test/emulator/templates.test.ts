// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are variables of templates
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Skipped, Template } from "../../src/emulator/config/template-functions.ts";
import { readTemplate } from "../../src/emulator/config/templates.ts";
import { ConfigurationError } from "../../src/errors.ts";

const fixtures = join(import.meta.dirname, "templates");
const why = (skipped: readonly Skipped[]): Record<string, string> =>
  Object.fromEntries(skipped.map((one) => [one.name, one.why]));

beforeEach(() => {
  vi.stubEnv("AWS_REGION", undefined);
  vi.stubEnv("AWS_DEFAULT_REGION", undefined);
});
afterEach(() => void vi.unstubAllEnvs());

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lambda-requests-"));
  await writeFile(join(folder, "app.js"), "export const handler = async () => 1;");
});
afterAll(() => rm(folder, { recursive: true }));

async function read(text: string, name = "template.yml"): Promise<Template> {
  await writeFile(join(folder, name), text);
  return readTemplate(join(folder, name));
}

describe("serverless.yml", () => {
  const path = join(fixtures, "serverless/serverless.yml");
  const file = (name: string): string => join(fixtures, "serverless", name);
  const shared = {
    STAGE: "dev",
    TABLE: "shop-dev-orders",
    DOMAIN: "dev.shop.example",
    LOG_LEVEL: "info",
    PORT: "8080",
    STRICT: "true",
    CACHE_TTL: "60",
    API_KEY: "local-key",
  };

  it("gives its functions by the name that they are deployed with, with all that the file says", async () => {
    const { functions } = await readTemplate(path);
    expect(functions["shop-dev-orders"]).toEqual({
      handler: `${file("src/orders.js")}#handler`,
      folder: dirname(path),
      timeout: 20_000,
      memorySize: 512,
      concurrency: 5,
      environment: {
        ...shared,
        USERS_FUNCTION: "shop-users",
        USERS_ARN: "arn:aws:lambda:eu-central-1:000000000000:function:shop-users",
        BUCKET: "shop-000000000000-eu-central-1",
      },
    });
    expect(functions["shop-users"]).toEqual({
      handler: `${file("src/admin/users.cjs")}#list`,
      folder: dirname(path),
      timeout: 29_000,
      memorySize: 256,
      environment: shared,
    });
    // The framework's own defaults, where neither says more.
    expect(functions["shop-dev-health-check"]).toMatchObject({
      handler: `${file("src/health.mjs")}#check`,
      folder: dirname(path),
      timeout: 6000,
    });
  });

  it("gives them by their keys as well, as the same objects", async () => {
    const { functions } = await readTemplate(path);
    expect(Object.keys(functions).sort()).toEqual([
      "health-check",
      "orders",
      "shop-dev-health-check",
      "shop-dev-orders",
      "shop-dev-slow",
      "shop-users",
      "slow",
      "users",
    ]);
    expect(functions.orders).toBe(functions["shop-dev-orders"]);
  });

  it("says what is left out, and why", async () => {
    const { skipped } = await readTemplate(path);
    expect(why(skipped)).toEqual({
      "provider.environment.SECRET": "${ssm:…} is known only when it is deployed",
      "orders.environment.QUEUE_URL": "!Ref OrdersQueue is not known before it is deployed",
      "health-check.layers": "layers are not loaded; what they bring has to be in node_modules",
      report: "its runtime is python3.12, not Node.js: give its command with --exec",
      thumbnails: "it is a container image: give its command with --exec",
      invoices: "there is no src/invoices.js, .mjs or .cjs; build src/invoices.tsx first",
      circular: "self:custom.circle leads back to itself",
      lost: "there is no src/nowhere.js, .mjs or .cjs",
      "slow.timeout": "it is 901, and has to be 1 to 900 seconds",
    });
  });

  it("takes what it can't know from the environment, and the variables that it asks for", async () => {
    vi.stubEnv("SECRET", "from outside");
    vi.stubEnv("SHOP_LOG_LEVEL", "trace");
    const { functions, skipped } = await readTemplate(path);
    expect(functions.users?.environment).toMatchObject({ SECRET: "from outside", LOG_LEVEL: "trace" });
    expect(why(skipped)).not.toHaveProperty("provider.environment.SECRET");
  });

  it.each([
    ["${self:custom.text}", "text"],
    ["a ${self:custom.text} b ${self:custom.text}", "a text b text"],
    ["${self:custom.number}", "7"],
    ["${self:custom.false}", "false"],
    ["${self:custom.list.1}", "second"],
    ["${self:custom.nothing, 'default'}", "default"],
    ['${self:custom.nothing, ""}', ""],
    ["${opt:stage, self:custom.nothing, env:NO_SUCH, 42}", "42"],
    ["${opt:x, true}", "true"],
    ["${self:custom.${self:custom.text}er}", "nested"],
    ["${opt:x, ${self:custom.text}}", "text"],
    ["${opt:x, '${self:custom.text}, as ever'}", "text, as ever"],
    ["${cf:other-stack.Output, 'local'}", "local"],
    ["${file(./no-such.yml):a, 'no file'}", "no file"],
    ["${file(./other.${self:custom.extension}):deep.value}", "from a file: text"],
    ["${aws:accountId}/${aws:region}", "000000000000/us-east-1"],
    ["${sls:stage}-${sls:instanceId}", "dev-local"],
    ["${param:size}", "large"],
    ["{ Ref: AWS::Region }", "us-east-1"],
    ["!Sub 'https://${AWS::URLSuffix}/${!literal}'", "https://amazonaws.com/${literal}"],
  ])("resolves %s", async (value, expected) => {
    await writeFile(
      join(folder, "other.json"),
      JSON.stringify({ deep: { value: "from a file: ${self:custom.text}" } }),
    );
    const text = value.startsWith("{ ") || value.startsWith("!") ? value : JSON.stringify(value);
    const { functions, skipped } = await read(`
service: { name: s }
custom: { text: text, texter: nested, number: 7, "false": false, list: [first, second], extension: json, nothing: null }
params: { default: { size: large } }
provider: aws
functions:
  f: { handler: app.handler, environment: { VALUE: ${text} } }
`);
    expect(skipped).toEqual([]);
    expect(functions.f?.environment).toEqual({ VALUE: expected });
  });

  it.each([
    ["${self:custom.nothing}", "self:custom.nothing has no value"],
    ["${opt:a, env:NO_SUCH}", "opt:a has no value, env:NO_SUCH has no value"],
    ["${ssm:/a/b}", "${ssm:…} is known only when it is deployed"],
    ["${cf(eu-west-1):stack.output}", "${cf:…} is known only when it is deployed"],
    ["${file(./values.js):a}", "file(./values.js) is neither YAML nor JSON"],
    ["a ${self:custom}", "${self:custom} is no text"],
    ["${self:custom.list}", "it is no text"],
    ["${self:custom.a}", "self:custom.a leads back to itself"],
    ["${self:custom.deep}", "${self:custom.deep} leads back to itself"],
    ["${self:custom.text", "${self:custom.text has no end"],
  ])("leaves out %s, with a reason", async (value, reason) => {
    const { functions, skipped } = await read(`
service: s
custom: { a: "\${self:custom.b}", b: "\${self:custom.a}", deep: { deeper: "\${self:custom.deep}" }, text: text, list: [] }
provider: { name: aws }
functions:
  f: { handler: app.handler, environment: { VALUE: ${JSON.stringify(value)} } }
`);
    expect(functions.f?.environment).toBeUndefined();
    expect(why(skipped)).toEqual({ "f.environment.VALUE": reason });
  });

  it("may have its functions in other files, and in a list", async () => {
    await writeFile(join(folder, "more.yml"), "b: { handler: app.handler }\nc: { handler: app.nothing.deep }\n");
    const { functions, skipped } = await read(`
service: s
provider: { name: aws, stage: "\${opt:stage}", environment: "\${file(no.yml)}" }
functions:
  - a: { handler: app.handler }
    d: \${file(no.yml):d}
  - \${file(more.yml)}
`);
    expect(Object.keys(functions)).toEqual(["s-dev-a", "s-dev-b", "s-dev-c", "a", "b", "c"]);
    expect(functions.c?.handler).toBe(`${join(folder, "app.js")}#nothing.deep`);
    expect(why(skipped)).toEqual({
      "provider.stage": "opt:stage has no value",
      "provider.environment": "file(no.yml) has no value",
      d: "file(no.yml):d has no value",
    });
  });

  it.each([
    ["name: has spaces", "a function's name can't hold"],
    ["name: f:prod", '"f:prod" is no function\'s name'],
    ["handler: app", 'its handler is "app": it has to be FILE.EXPORT'],
    ["handler: [app]", "the template says no handler of it"],
    ["runtime: provided.al2023", "its runtime is provided.al2023, not Node.js"],
    ["environment: { AWS_REGION: x }", "environment.AWS_REGION is set by Lambda"],
    ["memorySize: 64", "memorySize has to be whole megabytes"],
  ])("skips a function that can't be: %s", async (field, reason) => {
    const lines = field.startsWith("handler") ? [field] : ["handler: app.handler", field];
    const { functions, skipped } = await read(`provider: aws\nfunctions: { f: { ${lines.join(", ")} } }`);
    expect(functions).toEqual({});
    expect(why(skipped).f).toContain(reason);
  });

  it.each([
    ["functions: ${file(no.yml)}", "template.yml: functions can't be read: file(no.yml) has no value"],
    ["service: ${ssm:/name}\nfunctions: {}", "template.yml: service can't be read: ${ssm:…} is known only when"],
    ["provider: google\nfunctions: {}", 'its provider is "google", and only aws has Lambda functions'],
  ])("is refused: %s", async (text, message) => {
    await expect(read(text)).rejects.toThrow(ConfigurationError);
    await expect(read(text)).rejects.toThrow(message);
  });
});

describe("a SAM template", () => {
  const path = join(fixtures, "sam/template.yaml");
  const file = (name: string): string => join(fixtures, "sam/orders", name);

  it("gives its functions, with what the globals, parameters and intrinsic functions come to", async () => {
    const { functions } = await readTemplate(path);
    expect(functions).toEqual({
      "orders-local": {
        handler: `${file("app.mjs")}#lambdaHandler`,
        folder: dirname(file("app.mjs")),
        timeout: 25_000,
        memorySize: 192,
        concurrency: 5,
        environment: {
          STAGE: "local",
          LOG_LEVEL: "info",
          USERS_FUNCTION: "UsersFunction",
          USERS_ARN: "arn:aws:lambda:us-east-1:000000000000:function:UsersFunction",
          URL: "https://orders-local.amazonaws.com/",
          ORIGINS: "https://a.example|https://b.example",
          MODE: "development",
        },
        versions: { "1": {} },
        aliases: { live: "1" },
      },
      OrdersFunction: functions["orders-local"],
      UsersFunction: {
        handler: `${file("users.js")}#list`,
        folder: dirname(file("users.js")),
        timeout: 10_000,
        memorySize: 256,
        environment: { STAGE: "local", LOG_LEVEL: "debug" },
      },
      // The globals are SAM's, and do not count for CloudFormation's own resource.
      PlainFunction: { handler: `${file("users.js")}#list`, folder: dirname(file("users.js")) },
    });
    expect(functions.OrdersFunction).toBe(functions["orders-local"]);
  });

  it("says what is left out, and why", async () => {
    const { skipped } = await readTemplate(path);
    expect(why(skipped)).toEqual({
      "OrdersFunction.environment.ENDPOINT": "!Ref Domain is not known before it is deployed",
      "OrdersFunction.environment.TABLE": "!Ref OrdersTable is not known before it is deployed",
      "OrdersFunction.environment.NAME": "the parameter TableName has no default",
      "OrdersFunction.environment.SECRET": "the parameter Secret stands in AWS's parameter store",
      "OrdersFunction.environment.STREAM": "!GetAtt OrdersTable.StreamArn is not known before it is deployed",
      "OrdersFunction.environment.EXPORTED": "!ImportValue is not known before it is deployed",
      "PlainFunction.layers": "layers are not loaded; what they bring has to be in node_modules",
      ReportFunction: "its runtime is python3.13, not Node.js: give its command with --exec",
      ImageFunction: "it is a container image: give its command with --exec",
      InlineFunction: "its code stands in the template; put it into a file",
      BucketFunction: "its code is not on this machine",
      PackedFunction: "its code is packed, in target/orders.zip; name the folder",
      LostFunction: "there is no orders/nowhere.js, .mjs or .cjs",
      RegionFunction: "environment.AWS_REGION is set by Lambda, which refuses any other value of it",
      CircularFunction: "the name of CircularFunction leads back to itself",
      TwinFunction: "another function is called UsersFunction as well",
    });
  });

  it("is of the region that the environment names", async () => {
    vi.stubEnv("AWS_REGION", "eu-west-1");
    const { functions } = await readTemplate(path);
    expect(functions.OrdersFunction?.environment?.USERS_ARN).toBe(
      "arn:aws:lambda:eu-west-1:000000000000:function:UsersFunction",
    );
  });

  it("may be what the CDK makes, JSON whose metadata say where the code is", async () => {
    const { functions, skipped } = await readTemplate(join(fixtures, "cdk/Shop.template.json"));
    expect(functions).toEqual({
      OrdersHandler295CCC0B: {
        handler: `${join(fixtures, "cdk/asset.1f2e/index.js")}#handler`,
        folder: join(fixtures, "cdk/asset.1f2e"),
        environment: { NODE_OPTIONS: "--enable-source-maps" },
      },
    });
    expect(why(skipped)).toEqual({
      "OrdersHandler295CCC0B.environment.TABLE": "!Ref Orders2FE33C07 is not known before it is deployed",
    });
  });

  it.each([
    ["!If [Yes, a, b]", "a"],
    ["!If [No, a, b]", "b"],
    ["!If [Either, !If [Both, a, b], c]", "b"],
    ["!Ref AWS::NoValue", undefined],
    ["&anchor !Ref AWS::AccountId", "000000000000"],
    ["!Sub '${AWS::Partition}-${Fn.Arn}'", "aws-arn:aws:lambda:us-east-1:000000000000:function:Fn"],
    ["!GetAtt [Fn, Arn]", "arn:aws:lambda:us-east-1:000000000000:function:Fn"],
  ])("resolves %s", async (value, expected) => {
    const { functions, skipped } = await read(`
Conditions:
  Yes: !Equals [1, "1"]
  No: !Not [!Condition Yes]
  Either: !Or [!Condition No, !Condition Yes]
  Both: !And [!Condition No, !Condition Yes]
Resources:
  Fn:
    Type: AWS::Serverless::Function
    Properties: { Runtime: nodejs24.x, Handler: app.handler, Environment: { Variables: { Key: ${value} } } }
`);
    expect(skipped).toEqual([]);
    expect(functions.Fn?.environment?.Key).toBe(expected);
  });

  it.each([
    ["!If [Unknown, a, b]", "the template has no condition Unknown"],
    ["!If text", "!If takes a list"],
    ["!Join [',', [a, [b]]]", "a text can't hold a list or an object"],
    ["!FindInMap [A, b, c]", "the template maps no A.b.c"],
    ["!Select [0, [a]]", "!Select is not known before it is deployed"],
    ["!Sub 'a ${AWS::NoValue}'", "a text can't hold AWS::NoValue"],
    ["[a]", "it is no text"],
  ])("leaves out %s, with a reason", async (value, reason) => {
    const { skipped } = await read(`
Resources:
  Fn:
    Type: AWS::Lambda::Function
    Properties: { Runtime: nodejs24.x, Code: ., Handler: app.handler, Environment: { Variables: { Key: ${value} } } }
`);
    expect(why(skipped)).toEqual({ "Fn.environment.Key": reason });
  });
});

describe("a template", () => {
  it.each([
    ["a: [1\nb: 2", /template\.yml is no YAML: .* at line 2, column 1$/],
    ["a: 1\na: 2", /template\.yml is no YAML: Map keys must be unique at line 2, column 1$/],
    ["", /template\.yml is no template: it has neither functions \(serverless\.yml\) nor Resources \(SAM\)$/],
    ["- a", /is no template/],
    [`a: &a [x, x]\nb: &b [*a, *a]\nc: [${"*b, ".repeat(500)}]\nfunctions: {}`, /can't be read: Excessive alias count/],
  ])("is refused: %.30j", async (text, message) => {
    await expect(read(text)).rejects.toThrow(ConfigurationError);
    await expect(read(text)).rejects.toThrow(message);
  });

  it("shows nothing of its text where it is no YAML", async () => {
    const error = await read("a:\n  KEY: secret: value\n").catch((error: unknown) => error);
    expect((error as Error).message).toMatch(/at line 2/);
    expect((error as Error).message).not.toContain("secret");
  });

  it("that is not there, or a program, is told so", async () => {
    await expect(readTemplate(join(folder, "nowhere.yml"))).rejects.toThrow(/can't read .*nowhere\.yml: ENOENT/);
    await expect(readTemplate("serverless.ts")).rejects.toThrow(/is a program: let `serverless print` write/);
  });

  it("can't change what an object is", async () => {
    const { functions } = await read(`
provider: aws
functions:
  __proto__: { handler: app.handler, environment: { polluted: x } }
`);
    expect(Object.keys(functions)).toEqual(["__proto__"]);
    expect(({} as { environment?: unknown }).environment).toBeUndefined();
  });
});
