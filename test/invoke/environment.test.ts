import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { InvokeStore } from "@aws/lambda-invoke-store";
import { LambdaClient } from "@aws-sdk/client-lambda";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { ConfigurationError } from "../../src/errors.ts";
import { type Environment, lambdaTraceId, readEnvironment } from "../../src/invoke/environment.ts";

let folder: string;
let files = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lambda-requests-environment-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A file of its own for each test, since AWS's SDK remembers what was in a path. */
function file(content: string | undefined): string {
  const path = join(folder, `file-${files++}`);
  if (content !== undefined) writeFileSync(path, content);
  return path;
}

interface Given {
  env?: Record<string, string>;
  config?: string;
  credentials?: string;
  profile?: string;
}

function variables({ env, config, credentials }: Given): Record<string, string> {
  return { AWS_CONFIG_FILE: file(config), AWS_SHARED_CREDENTIALS_FILE: file(credentials), ...env };
}

function read(given: Given): Promise<Environment> {
  return readEnvironment(given.profile, variables(given));
}

/** What AWS's own client makes of the same settings. */
async function sdk(given: Given): Promise<Partial<Environment>> {
  const before = { ...process.env };
  Object.assign(process.env, variables(given));
  try {
    const profile = given.profile === undefined ? {} : { profile: given.profile };
    // It throws when there is no region, be it asked for FIPS.
    const region = await new LambdaClient(profile).config.region().catch(() => undefined);
    const { config } = new LambdaClient({ ...profile, region: "us-east-1" });
    const endpoint = await config.serviceConfiguredEndpoint?.();
    return {
      ...(region !== undefined && { region }),
      ...(endpoint !== undefined && { endpoint: String(endpoint) }),
      useFipsEndpoint: await config.useFipsEndpoint(),
      useDualstackEndpoint: await config.useDualstackEndpoint(),
    };
  } finally {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
  }
}

const A = "http://a.example:1";
const B = "http://b.example:2";
const C = "http://c.example:3/svc";
const D = "http://d.example:4";

describe("nothing set", () => {
  test("no region, no endpoint, no credentials", async () => {
    const { configFile, credentialsFile, credentialSources, ...rest } = await read({});
    expect(rest).toEqual({
      useFipsEndpoint: false,
      useDualstackEndpoint: false,
      profile: "default",
      hasCredentialSource: false,
    });
    expect(credentialSources).toEqual([
      "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: not set",
      `profile "default" in ${configFile} and ${credentialsFile}: no credentials there`,
      "web identity (AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN): not set",
      "container (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI): not set",
      "EC2 instance metadata: gave none",
    ]);
  });

  test("the shared files are in the home folder unless the variables say otherwise", async () => {
    const home = join(folder, "home");
    expect(await readEnvironment(undefined, { HOME: home })).toMatchObject({
      configFile: join(home, ".aws", "config"),
      credentialsFile: join(home, ".aws", "credentials"),
    });
    const env = { USERPROFILE: home, AWS_CONFIG_FILE: "~/x/config", AWS_SHARED_CREDENTIALS_FILE: "/x/credentials" };
    expect(await readEnvironment(undefined, env)).toMatchObject({
      configFile: join(home, "x", "config"),
      credentialsFile: "/x/credentials",
    });
    const real = await readEnvironment(undefined, { AWS_CONFIG_FILE: " ", AWS_SHARED_CREDENTIALS_FILE: "/x" });
    expect(real.configFile).toBe(join(homedir(), ".aws", "config"));
  });

  test("the variables of this process are the default", async () => {
    process.env.AWS_REGION = "eu-north-1";
    try {
      expect((await readEnvironment()).region).toBe("eu-north-1");
    } finally {
      delete process.env.AWS_REGION;
    }
  });
});

const services = "[default]\nservices = dev\n";
const lambdaSection = `[services dev]\nsqs =\n  endpoint_url = ${A}\nlambda =\n  endpoint_url = ${C}\n`;

describe("as AWS's own client reads it", () => {
  const cases: [name: string, given: Given, expected: Partial<Environment>][] = [
    ["AWS_REGION", { env: { AWS_REGION: "eu-west-1" } }, { region: "eu-west-1" }],
    ["the config file's region", { config: "[default]\nregion = eu-west-2" }, { region: "eu-west-2" }],
    [
      "the credentials file's region before the config file's",
      { config: "[default]\nregion = eu-west-2", credentials: "[default]\nregion = eu-west-3" },
      { region: "eu-west-3" },
    ],
    [
      "AWS_REGION before the files",
      { env: { AWS_REGION: "eu-west-1" }, config: "[default]\nregion = eu-west-2" },
      { region: "eu-west-1" },
    ],
    [
      "the profile in AWS_PROFILE",
      { env: { AWS_PROFILE: "dev" }, config: "[default]\nregion = eu-west-2\n[profile dev]\nregion = sa-east-1" },
      { region: "sa-east-1" },
    ],
    [
      "the option before AWS_PROFILE",
      {
        env: { AWS_PROFILE: "dev" },
        config: "[profile dev]\nregion = sa-east-1\n[profile other]\nregion = ca-west-1",
        profile: "other",
      },
      { region: "ca-west-1" },
    ],
    ["a section without the word profile", { config: "[dev]\nregion = eu-west-2" }, {}],
    ["comments and blanks", { config: "# x\n[default] ; y\n  region=eu-west-2 # z\n" }, { region: "eu-west-2" }],

    ["AWS_ENDPOINT_URL", { env: { AWS_ENDPOINT_URL: A } }, { endpoint: A }],
    ["… for Lambda first", { env: { AWS_ENDPOINT_URL: A, AWS_ENDPOINT_URL_LAMBDA: B } }, { endpoint: B }],
    ["another service's is nothing", { env: { AWS_ENDPOINT_URL_S3: A } }, {}],
    ["endpoint_url", { config: `[default]\nendpoint_url = ${D}` }, { endpoint: D }],
    ["endpoint_url in the credentials file", { credentials: `[default]\nendpoint_url = ${D}` }, { endpoint: D }],
    [
      "endpoint_url in both: the config file's",
      { config: `[default]\nendpoint_url = ${D}`, credentials: `[default]\nendpoint_url = ${A}` },
      { endpoint: D },
    ],
    ["the services section", { config: services + lambdaSection }, { endpoint: C }],
    ["… before endpoint_url", { config: `${services}endpoint_url = ${D}\n${lambdaSection}` }, { endpoint: C }],
    ["… without lambda", { config: `${services}endpoint_url = ${D}\n[services dev]\ns3 =\n  x = y` }, { endpoint: D }],
    [
      "a variable before the services",
      { env: { AWS_ENDPOINT_URL: A }, config: services + lambdaSection },
      { endpoint: A },
    ],
    [
      "a variable before a services section that is missing",
      { env: { AWS_ENDPOINT_URL: A }, config: services },
      { endpoint: A },
    ],
    [
      "endpoints ignored by a variable",
      {
        env: { AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true", AWS_ENDPOINT_URL: A, AWS_ENDPOINT_URL_LAMBDA: B },
        config: services,
      },
      {},
    ],
    [
      "endpoints ignored by the file",
      { env: { AWS_ENDPOINT_URL: A }, config: "[default]\nignore_configured_endpoint_urls = true" },
      {},
    ],
    [
      "endpoints not ignored: the variable first",
      {
        env: { AWS_ENDPOINT_URL: A, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "false" },
        config: "[default]\nignore_configured_endpoint_urls = true",
      },
      { endpoint: A },
    ],

    ["AWS_USE_FIPS_ENDPOINT", { env: { AWS_USE_FIPS_ENDPOINT: "true" } }, { useFipsEndpoint: true }],
    ["AWS_USE_DUALSTACK_ENDPOINT", { env: { AWS_USE_DUALSTACK_ENDPOINT: "true" } }, { useDualstackEndpoint: true }],
    [
      "both in the file",
      { config: "[default]\nuse_fips_endpoint = true\nuse_dualstack_endpoint = true" },
      { useFipsEndpoint: true, useDualstackEndpoint: true },
    ],
    [
      "a variable's false before the file's true",
      {
        env: { AWS_USE_FIPS_ENDPOINT: "false", AWS_USE_DUALSTACK_ENDPOINT: "false" },
        config: "[default]\nuse_fips_endpoint = true\nuse_dualstack_endpoint = true",
      },
      {},
    ],
    [
      "the config file before the credentials file",
      { config: "[default]\nuse_fips_endpoint = false", credentials: "[default]\nuse_fips_endpoint = true" },
      {},
    ],
  ];

  test.each(cases)("%s", async (_, given, expected) => {
    const { region, endpoint, useFipsEndpoint, useDualstackEndpoint } = await read(given);
    const ours = { region, endpoint, useFipsEndpoint, useDualstackEndpoint };
    expect(ours).toEqual({ useFipsEndpoint: false, useDualstackEndpoint: false, ...expected });
    expect(await sdk(given)).toEqual({ useFipsEndpoint: false, useDualstackEndpoint: false, ...expected });
  });
});

/** AWS's client for JavaScript passes over these in silence: who asked for FIPS gets an endpoint without. */
describe("where it is stricter than AWS's client for JavaScript", () => {
  const errors: [name: string, given: Given, message: RegExp][] = [
    ["a services section that is missing", { config: services }, /services = dev, but .*file-\d+ has no section/],
    [
      "… with another one there",
      { config: `${services}[services prod]\nlambda =\n  endpoint_url = ${A}` },
      /services dev/,
    ],
    [
      "FIPS is not a yes",
      { env: { AWS_USE_FIPS_ENDPOINT: "yes" } },
      /AWS_USE_FIPS_ENDPOINT has to be true or false, not "yes"/,
    ],
    ["true is lower case", { env: { AWS_USE_DUALSTACK_ENDPOINT: "TRUE" } }, /AWS_USE_DUALSTACK_ENDPOINT .* not "TRUE"/],
    [
      "in the file as well",
      { config: "[default]\nuse_fips_endpoint = 1" },
      /use_fips_endpoint of the profile .* not "1"/,
    ],
    ["dual-stack too", { config: "[default]\nuse_dualstack_endpoint = on" }, /use_dualstack_endpoint of the profile/],
    ["the switch of endpoints", { env: { AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "1" } }, /IGNORE_CONFIGURED.* not "1"/],
  ];

  test.each(errors)("%s", async (_, given, message) => {
    const error: unknown = await read(given).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as Error).message).toMatch(message);
    expect(await sdk(given)).toEqual({ useFipsEndpoint: false, useDualstackEndpoint: false });
  });
});

describe("where it is kinder than AWS's client for JavaScript", () => {
  test("AWS_DEFAULT_REGION, after AWS_REGION and before the files", async () => {
    const config = "[default]\nregion = eu-west-3";
    const env = { AWS_DEFAULT_REGION: "eu-west-2" };
    expect((await read({ env, config })).region).toBe("eu-west-2");
    expect((await read({ env: { ...env, AWS_REGION: "eu-west-1" }, config })).region).toBe("eu-west-1");
  });

  test("the option's profile counts for the endpoint as well", async () => {
    const config = `[default]\nendpoint_url = ${A}\n[profile dev]\nendpoint_url = ${B}`;
    expect((await read({ config, profile: "dev" })).endpoint).toBe(B);
  });

  test("what is blank is not there", async () => {
    const names = ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL", "AWS_PROFILE"];
    const flags = ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"];
    const keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"];
    const container = ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];
    for (const blank of ["", "  ", "\n"]) {
      const env = Object.fromEntries([...names, ...flags, ...keys, ...container].map((name) => [name, blank]));
      const config = `[default]\nregion = eu-west-3\nendpoint_url = ${A}\nuse_fips_endpoint = true`;
      expect(await read({ env, config, profile: blank })).toMatchObject({
        region: "eu-west-3",
        endpoint: A,
        useFipsEndpoint: true,
        useDualstackEndpoint: false,
        profile: "default",
        hasCredentialSource: false,
      });
    }
  });

  test("what is blank in a file neither", async () => {
    const config =
      "[default]\nregion =\nendpoint_url = \nuse_fips_endpoint =\naws_access_key_id =\nservices =\noutput = json";
    const environment = await read({ config, credentials: "[default]\nregion =\n" });
    expect(environment).toMatchObject({ useFipsEndpoint: false, hasCredentialSource: false });
    expect(environment).not.toHaveProperty("region");
    expect(environment).not.toHaveProperty("endpoint");
  });
});

describe("profiles", () => {
  test("one that was named", async () => {
    const config = "[profile dev]\nregion = eu-west-1";
    expect(await read({ config, profile: "dev" })).toMatchObject({ profile: "dev", region: "eu-west-1" });
    expect(await read({ config, env: { AWS_PROFILE: "dev" } })).toMatchObject({ profile: "dev", region: "eu-west-1" });
    expect(await read({ credentials: "[dev]\nregion = eu-west-1", profile: "dev" })).toMatchObject({ profile: "dev" });
  });

  test.each([
    ["by the option", { profile: "dev" }],
    ["by AWS_PROFILE", { env: { AWS_PROFILE: "dev" } }],
  ])("one that is missing, named %s", async (_, given) => {
    const env = variables({
      ...given,
      config: "[default]\nregion = eu-west-1\n[dev]\na = b",
      credentials: "[other]\na = b",
    });
    const error: unknown = await readEnvironment("profile" in given ? given.profile : undefined, env).catch((e) => e);
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as Error).message).toContain('no profile "dev"');
    expect((error as Error).message).toContain(env.AWS_CONFIG_FILE);
    expect((error as Error).message).toContain(env.AWS_SHARED_CREDENTIALS_FILE);
  });

  test("missing, and the files as well", async () => {
    await expect(read({ profile: "dev" })).rejects.toThrow(/no profile "dev"/);
  });

  test("names that every object has are no profiles", async () => {
    const config = "[default]\nregion = eu-west-1";
    for (const profile of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
      await expect(read({ config, profile })).rejects.toThrow(ConfigurationError);
    }
    await expect(read({ config: "[default]\nservices = constructor" })).rejects.toThrow(ConfigurationError);
  });

  test("a file that changed is read anew", async () => {
    const env = variables({ config: "[default]\nregion = eu-west-1" });
    expect((await readEnvironment(undefined, env)).region).toBe("eu-west-1");
    writeFileSync(env.AWS_CONFIG_FILE as string, "[default]\nregion = eu-west-2");
    expect((await readEnvironment(undefined, env)).region).toBe("eu-west-2");
  });
});

describe("credentials", () => {
  const keys = { AWS_ACCESS_KEY_ID: "AKID", AWS_SECRET_ACCESS_KEY: "secret/+=" };

  test("in the variables", async () => {
    expect(await read({ env: keys })).toMatchObject({
      staticCredentials: { accessKeyId: "AKID", secretAccessKey: "secret/+=" },
      hasCredentialSource: true,
    });
    const { staticCredentials } = await read({ env: { ...keys, AWS_SESSION_TOKEN: "token" } });
    expect(staticCredentials).toEqual({ accessKeyId: "AKID", secretAccessKey: "secret/+=", sessionToken: "token" });
    expect((await read({ env: { ...keys, AWS_SESSION_TOKEN: "" } })).staticCredentials).not.toHaveProperty(
      "sessionToken",
    );
  });

  test("one half of them is nothing", async () => {
    const names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    for (const [name, missing] of [names, names.toReversed()] as [string, string][]) {
      const environment = await read({ env: { [name]: "x", AWS_SESSION_TOKEN: "token" } });
      expect(environment.hasCredentialSource).toBe(false);
      expect(environment).not.toHaveProperty("staticCredentials");
      expect(environment.credentialSources[0]).toBe(`${names.join(" and ")}: ${missing} is missing`);
    }
  });

  test("a chosen profile goes before them, as in AWS's SDK", async () => {
    const config = "[default]\nregion = eu-west-1\n[profile dev]\nregion = eu-west-1";
    for (const given of [{ env: keys, profile: "dev" }, { env: { ...keys, AWS_PROFILE: "default" } }]) {
      const environment = await read({ ...given, config });
      expect(environment).not.toHaveProperty("staticCredentials");
      expect(environment.hasCredentialSource).toBe(false);
      expect(environment.credentialSources[0]).toMatch(/skipped, a profile is chosen/);
    }
  });

  test.each([
    ["aws_access_key_id = AKID"],
    ["role_arn = arn:aws:iam::123456789012:role/x"],
    ["credential_process = /bin/true"],
    ["web_identity_token_file = /x"],
    ["sso_session = corp"],
    ["sso_start_url = https://x.awsapps.com/start"],
    ["login_session = arn:aws:iam::123456789012:user/x"],
  ])("a profile with %s", async (line) => {
    const key = line.split(" ")[0];
    for (const given of [{ config: `[default]\n${line}` }, { credentials: `[default]\n${line}` }]) {
      const environment = await read(given);
      expect(environment.hasCredentialSource).toBe(true);
      expect(environment.credentialSources[1]).toMatch(new RegExp(`has ${key}, but it gave none$`));
      expect(environment.credentialSources.join()).not.toContain("AKID");
    }
    const other = { config: `[default]\nregion = x\n[profile dev]\n${line}` };
    expect((await read(other)).hasCredentialSource).toBe(false);
    expect((await read({ ...other, profile: "dev" })).hasCredentialSource).toBe(true);
  });

  test("web identity and containers", async () => {
    const web = { AWS_WEB_IDENTITY_TOKEN_FILE: "/x", AWS_ROLE_ARN: "arn:aws:iam::123456789012:role/x" };
    expect((await read({ env: web })).hasCredentialSource).toBe(true);
    expect((await read({ env: { AWS_ROLE_ARN: web.AWS_ROLE_ARN } })).hasCredentialSource).toBe(false);
    expect((await read({ env: { AWS_WEB_IDENTITY_TOKEN_FILE: "/x" } })).hasCredentialSource).toBe(false);
    expect((await read({ env: { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: "/x" } })).hasCredentialSource).toBe(true);
    expect((await read({ env: { AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://x" } })).hasCredentialSource).toBe(true);
  });

  test("the metadata service is no source of that kind, and may be off", async () => {
    const last = async (value: string) => {
      const { hasCredentialSource, credentialSources } = await read({ env: { AWS_EC2_METADATA_DISABLED: value } });
      expect(hasCredentialSource).toBe(false);
      return credentialSources.at(-1);
    };
    expect(await last("true")).toBe("EC2 instance metadata: switched off by AWS_EC2_METADATA_DISABLED");
    expect(await last("false")).toBe("EC2 instance metadata: gave none");
  });
});

describe("the account in the variables", () => {
  const keys = { AWS_ACCESS_KEY_ID: "AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY: "secret" };

  test("goes with the key", async () => {
    const { staticCredentials } = await read({ env: { ...keys, AWS_ACCOUNT_ID: "123456789012" } });
    expect(staticCredentials).toEqual({
      accessKeyId: "AKIDEXAMPLE",
      secretAccessKey: "secret",
      accountId: "123456789012",
    });
  });

  test("is none when it is blank, and no key by itself", async () => {
    expect((await read({ env: { ...keys, AWS_ACCOUNT_ID: " " } })).staticCredentials).not.toHaveProperty("accountId");
    expect(await read({ env: { AWS_ACCOUNT_ID: "123456789012" } })).not.toHaveProperty("staticCredentials");
  });

  test("is not that of a chosen profile's key", async () => {
    const env = { ...keys, AWS_ACCOUNT_ID: "123456789012" };
    const environment = await read({ env, config: "[profile dev]\nregion = eu-west-1", profile: "dev" });
    expect(environment).not.toHaveProperty("staticCredentials");
  });
});

describe("how many attempts", () => {
  const profiles = "[default]\nmax_attempts = 4\n[profile dev]\nmax_attempts = 2\n[profile plain]\nregion = eu-west-1";

  /** What AWS's own client makes of the same settings. */
  async function attemptsOfSdk(given: Given): Promise<number> {
    const before = { ...process.env };
    Object.assign(process.env, variables(given));
    try {
      const profile = given.profile === undefined ? {} : { profile: given.profile };
      return await new LambdaClient({ ...profile, region: "us-east-1" }).config.maxAttempts();
    } finally {
      for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
      Object.assign(process.env, before);
    }
  }

  test.each<[string, Given, number | undefined]>([
    ["nothing", {}, undefined],
    ["the variable", { env: { AWS_MAX_ATTEMPTS: "7" } }, 7],
    ["one attempt", { env: { AWS_MAX_ATTEMPTS: "1" } }, 1],
    ["the default profile", { config: profiles }, 4],
    ["the profile in AWS_PROFILE", { config: profiles, env: { AWS_PROFILE: "dev" } }, 2],
    ["the profile in the option", { config: profiles, profile: "dev" }, 2],
    ["a profile that says nothing, the default one set aside", { config: profiles, profile: "plain" }, undefined],
    ["the variable before the profile", { config: profiles, env: { AWS_MAX_ATTEMPTS: "7" }, profile: "dev" }, 7],
    ["a profile in the credentials file", { credentials: "[default]\nmax_attempts = 5" }, 5],
    ["both files", { config: profiles, credentials: "[default]\nmax_attempts = 5" }, 4],
  ])("%s, as AWS's own client reads it", async (_, given, expected) => {
    const { maxAttempts } = await read(given);
    expect(maxAttempts).toBe(expected);
    expect(await attemptsOfSdk(given)).toBe(expected ?? 3);
  });

  test("what is blank is not there", async () => {
    for (const blank of ["", " "]) {
      expect(await read({ env: { AWS_MAX_ATTEMPTS: blank } })).not.toHaveProperty("maxAttempts");
      expect(await read({ env: { AWS_MAX_ATTEMPTS: blank }, config: profiles })).toMatchObject({ maxAttempts: 4 });
    }
    expect(await read({ config: "[default]\nmax_attempts =\nregion = eu-west-1" })).not.toHaveProperty("maxAttempts");
  });

  test.each(["0", "-1", "1.5", "three", "1e3", "0x3", "03", "1234567890"])(
    "%j is none; the error says where it stands",
    async (value) => {
      const expected = (where: string): string =>
        `${where} has to be a whole number above 0, not ${JSON.stringify(value)}`;
      const variable = read({ env: { AWS_MAX_ATTEMPTS: value }, config: profiles });
      await expect(variable).rejects.toThrow(ConfigurationError);
      await expect(variable).rejects.toThrow(expected("AWS_MAX_ATTEMPTS"));
      const profile = read({ config: `[default]\nmax_attempts = ${value}` });
      await expect(profile).rejects.toThrow(ConfigurationError);
      await expect(profile).rejects.toThrow(expected("max_attempts of the profile"));
    },
  );
});

describe("the trace of the invocation under way", () => {
  const ROOT = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
  const inside = { AWS_LAMBDA_FUNCTION_NAME: "caller" };
  const global = globalThis as { awslambda?: object };
  const before = global.awslambda;
  afterEach(() => {
    if (before === undefined) delete global.awslambda;
    else global.awslambda = before;
  });

  test("is in a variable", () => {
    expect(lambdaTraceId({ ...inside, _X_AMZN_TRACE_ID: ROOT })).toBe(ROOT);
  });

  test("is in the store of a process that runs several at once", async () => {
    global.awslambda = {};
    const store = await InvokeStore.getInstanceAsync(true);
    const run = (traceId: string): Promise<string | undefined> =>
      store.run({ [Symbol.for("_AWS_LAMBDA_X_RAY_TRACE_ID")]: traceId }, async () => {
        await Promise.resolve();
        return lambdaTraceId({ ...inside, _X_AMZN_TRACE_ID: "Root=old" });
      });
    expect(await Promise.all([run("Root=a"), run("Root=b")])).toEqual(["Root=a", "Root=b"]);
    expect(lambdaTraceId({ ...inside, _X_AMZN_TRACE_ID: ROOT })).toBe(ROOT);
  });

  test.each([
    ["outside of Lambda", { _X_AMZN_TRACE_ID: ROOT }],
    ["when it is not traced", inside],
    ["one that a header can't hold", { ...inside, _X_AMZN_TRACE_ID: "Root=1\nEvil: 1" }],
    ["an empty one", { ...inside, _X_AMZN_TRACE_ID: "" }],
  ])("none %s", (_when, env) => {
    expect(lambdaTraceId(env)).toBeUndefined();
  });
});
