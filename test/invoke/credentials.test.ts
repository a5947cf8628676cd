import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inspect, promisify } from "node:util";
import ts from "typescript";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { ConfigurationError } from "../../src/errors.ts";
import {
  type AwsCredentials,
  type CredentialSource,
  type CredentialsProvider,
  credentialSource,
} from "../../src/invoke/credentials.ts";
import { readEnvironment } from "../../src/invoke/environment.ts";

const KEY = "AKIDEXAMPLE";
const SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY=";
const TOKEN = "IQoJb3JpZ2luX2VjEXAMPLETOKEN==";
const keys: AwsCredentials = { accessKeyId: KEY, secretAccessKey: SECRET };
const MINUTE = 60_000;

let folder: string;
let files = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lambda-requests-credentials-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

// AWS's chain reads the variables of this process, so a test sets them here.
let before: NodeJS.ProcessEnv;
const servers: (() => void)[] = [];
beforeEach(() => {
  before = { ...process.env };
  // AWS's SDK warns, once in a process, of keys in the variables that a profile hides.
  vi.spyOn(console, "warn").mockImplementation(() => {});
});
afterEach(() => {
  restoreVariables();
  vi.restoreAllMocks();
  for (const close of servers.splice(0)) close();
});

function restoreVariables(): void {
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
  Object.assign(process.env, before);
}

/** A file of its own for each test, since AWS's SDK remembers what was in a path. */
function file(content: string): string {
  const path = join(folder, `file-${files++}`);
  writeFileSync(path, content);
  return path;
}

interface Given {
  env?: Record<string, string>;
  config?: string;
  credentials?: string;
  /** The option of that name. */
  profile?: string;
  option?: AwsCredentials | CredentialsProvider;
  isLoopback?: boolean;
}

async function source(given: Given = {}): Promise<() => AwsCredentials | Promise<AwsCredentials>> {
  const { env, config, credentials, profile, option, isLoopback = false } = given;
  if (config !== undefined) process.env.AWS_CONFIG_FILE = file(config);
  if (credentials !== undefined) process.env.AWS_SHARED_CREDENTIALS_FILE = file(credentials);
  Object.assign(process.env, env);
  const settings = { ...(profile !== undefined && { profile }), ...(option !== undefined && { credentials: option }) };
  return credentialSource(settings, await readEnvironment(profile), isLoopback);
}

async function failure(given: Given): Promise<ConfigurationError> {
  try {
    await (await source(given))();
  } catch (error) {
    if (error instanceof ConfigurationError) return error;
    throw error;
  }
  throw new Error("it gave credentials");
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  servers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const inMinutes = (minutes: number) => new Date(Date.now() + minutes * MINUTE);

describe("the option, a value", () => {
  test("is used as it is, at once, before everything else", async () => {
    const env = { AWS_ACCESS_KEY_ID: "AKIDENV", AWS_SECRET_ACCESS_KEY: "env" };
    for (const option of [keys, { ...keys, sessionToken: TOKEN }, { ...keys, expiration: inMinutes(-1) }]) {
      expect((await source({ option, env, isLoopback: true }))()).toBe(option);
    }
  });

  test("a blank session token is none", async () => {
    for (const sessionToken of ["", null] as (string | undefined)[]) {
      expect((await source({ option: { ...keys, sessionToken } }))()).toEqual({ ...keys, sessionToken: undefined });
    }
  });
});

describe("the option, a function", () => {
  test("is asked once; what it gave comes at once from then on", async () => {
    let asked = 0;
    const give = await source({ option: () => Promise.resolve({ ...keys, sessionToken: String(++asked) }) });
    expect(asked).toBe(0);
    const first = await give();
    expect(first).toEqual({ ...keys, sessionToken: "1" });
    expect(give()).toBe(first);
    expect(asked).toBe(1);
  });

  test("may answer at once", async () => {
    expect(await (await source({ option: () => keys }))()).toBe(keys);
  });

  test("is asked again when less than five minutes are left", async () => {
    const left = [-1, 1, 4.9, 5.1];
    let asked = 0;
    const give = await source({ option: () => ({ ...keys, expiration: inMinutes(left[asked++] ?? 60) }) });
    for (let call = 1; call <= left.length; call++) {
      await give();
      expect(asked).toBe(call);
    }
    await give();
    await give();
    expect(asked).toBe(left.length);
  });

  test("is asked once by many at a time, also when what is there is about to end", async () => {
    let asked = 0;
    const answers: (() => void)[] = [];
    const give = await source({
      option: () =>
        new Promise((resolve) => {
          const expiration = inMinutes(++asked === 1 ? 1 : 60);
          answers.push(() => resolve({ ...keys, expiration }));
        }),
    });
    for (const round of [1, 2]) {
      const waiting = Array.from({ length: 20 }, () => give());
      expect(asked).toBe(round);
      answers[round - 1]?.();
      expect(new Set(await Promise.all(waiting)).size).toBe(1);
    }
    await give();
    expect(asked).toBe(2);
  });

  test("a failure is not kept", async () => {
    let asked = 0;
    const give = await source({
      option: async () => {
        if (++asked === 1) throw new Error("the vault is sealed");
        return keys;
      },
    });
    const results = await Promise.allSettled([give(), give()]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(asked).toBe(1);
    expect(await give()).toBe(keys);
  });

  test("its error is the cause", async () => {
    const cause = new Error("the vault is sealed");
    for (const option of [
      () => Promise.reject(cause),
      () => {
        throw cause;
      },
    ]) {
      const error = await failure({ option });
      expect(error.message).toBe("the function in the option `credentials` failed: the vault is sealed");
      expect(error.cause).toBe(cause);
      expect(error.code).toBe("ERR_CONFIGURATION");
    }
  });

  test("a failed refresh is no failure while the old ones last", async () => {
    const answers: (() => AwsCredentials)[] = [
      () => ({ ...keys, expiration: inMinutes(2) }),
      () => {
        throw new Error("throttled");
      },
      () => ({ ...keys, expiration: inMinutes(-2) }),
      () => {
        throw new Error("throttled again");
      },
      () => keys,
    ];
    const give = await source({ option: () => (answers.shift() as () => AwsCredentials)() });
    const first = await give();
    expect(await give()).toBe(first);
    await give();
    await expect(give()).rejects.toThrow("throttled again");
    expect(await give()).toBe(keys);
  });
});

describe("what can't be signed with is refused", () => {
  const malformed: [name: string, value: unknown, message: RegExp][] = [
    ["nothing", undefined, /accessKeyId has to be a string/],
    ["null", null, /accessKeyId has to be a string/],
    ["a string", `${KEY}:${SECRET}`, /accessKeyId has to be a string/],
    ["no access key", { secretAccessKey: SECRET }, /accessKeyId has to be a string/],
    ["no secret", { accessKeyId: KEY }, /secretAccessKey has to be a string/],
    ["an empty secret", { accessKeyId: KEY, secretAccessKey: "" }, /secretAccessKey has to be a string/],
    ["bytes", { accessKeyId: KEY, secretAccessKey: Buffer.from(SECRET) }, /secretAccessKey has to be a string/],
    ["AWS's own spelling", { AccessKeyId: KEY, SecretAccessKey: SECRET }, /accessKeyId has to be a string/],
    ["a token that is no string", { ...keys, sessionToken: [TOKEN] }, /sessionToken has to be a string/],
    ["a line break in the key", { ...keys, accessKeyId: `${KEY}\n` }, /accessKeyId holds a space, a line break/],
    ["a space in the secret", { ...keys, secretAccessKey: ` ${SECRET}` }, /secretAccessKey holds a space/],
    ["a header in the token", { ...keys, sessionToken: `${TOKEN}\r\nx: y` }, /sessionToken holds a space/],
    ["NUL", { ...keys, sessionToken: `${TOKEN}\u0000` }, /sessionToken holds a space/],
    ["a letter of no key", { ...keys, accessKeyId: `${KEY}ä` }, /accessKeyId holds a space/],
    ["a text for a date", { ...keys, expiration: "2030-01-01T00:00:00Z" }, /expiration has to be a valid Date/],
    ["no date at all", { ...keys, expiration: null }, /expiration has to be a valid Date/],
    ["an invalid date", { ...keys, expiration: new Date("x") }, /expiration has to be a valid Date/],
  ];

  test.each(malformed)("%s", async (_, value, message) => {
    const given: Given[] = [{ option: () => Promise.resolve(value as AwsCredentials) }];
    if (value !== undefined) given.push({ option: value as AwsCredentials });
    for (const one of given) {
      const error = await failure(one);
      expect(error.message).toMatch(message);
      expect(error.message).toMatch(/option `credentials`/);
      for (const secret of [KEY, SECRET, TOKEN]) expect(inspect(error)).not.toContain(secret);
    }
  });

  test("in the variables as well", async () => {
    const env = { AWS_ACCESS_KEY_ID: KEY, AWS_SECRET_ACCESS_KEY: `${SECRET}\n` };
    const error = await failure({ env });
    expect(error.message).toMatch(/^AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, .*: secretAccessKey holds/);
    expect(inspect(error)).not.toContain(SECRET);
  });

  test("a value is refused before a call", async () => {
    await expect(source({ option: { ...keys, accessKeyId: "" } })).rejects.toThrow(ConfigurationError);
  });
});

describe("the variables", () => {
  test("give the key at once", async () => {
    const env = { AWS_ACCESS_KEY_ID: KEY, AWS_SECRET_ACCESS_KEY: SECRET };
    expect((await source({ env }))()).toEqual(keys);
    expect((await source({ env: { ...env, AWS_SESSION_TOKEN: TOKEN } }))()).toEqual({ ...keys, sessionToken: TOKEN });
    expect((await source({ isLoopback: true }))()).toEqual({ ...keys, sessionToken: TOKEN });
  });

  test("load nothing of AWS's SDK", async () => {
    // As in a user's process: the built files, in plain node. What is loaded there is seen in require's cache, since
    // AWS's packages are CommonJS to node.
    const from = fileURLToPath(new URL("../..", import.meta.url));
    const app = mkdtempSync(join(folder, "app-"));
    mkdirSync(join(app, "invoke"));
    writeFileSync(join(app, "package.json"), '{"type":"module"}');
    symlinkSync(join(from, "node_modules"), join(app, "node_modules"));
    const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true };
    for (const name of ["errors", "invoke/credentials", "invoke/environment"]) {
      const typed = readFileSync(join(from, "src", `${name}.ts`), "utf8");
      const compilerOptions = { ...options, rewriteRelativeImportExtensions: true };
      writeFileSync(join(app, `${name}.js`), ts.transpileModule(typed, { compilerOptions }).outputText);
    }
    writeFileSync(
      join(app, "main.js"),
      `import { createRequire } from "node:module";
       import { credentialSource } from "./invoke/credentials.js";
       import { readEnvironment } from "./invoke/environment.js";
       const isLoopback = process.argv[2] === "loopback";
       const { accessKeyId } = await credentialSource({}, await readEnvironment(), isLoopback)();
       const loaded = Object.keys(createRequire(import.meta.url).cache);
       const packages = loaded.map((path) => path.split("node_modules/").at(-1).split("/").slice(0, 2).join("/"));
       console.log(JSON.stringify({ accessKeyId, packages: [...new Set(packages)] }));`,
    );
    const run = async (argument: string, env: Record<string, string>) => {
      const { stdout } = await promisify(execFile)(process.execPath, [join(app, "main.js"), argument], {
        env: { ...process.env, ...env },
      });
      return JSON.parse(stdout) as { accessKeyId: string; packages: string[] };
    };
    const [variables, dummy, profile] = await Promise.all([
      run("aws", { AWS_ACCESS_KEY_ID: KEY, AWS_SECRET_ACCESS_KEY: SECRET }),
      run("loopback", {}),
      run("aws", {
        AWS_SHARED_CREDENTIALS_FILE: file(`[default]\naws_access_key_id=${KEY}\naws_secret_access_key=${SECRET}`),
      }),
    ]);
    expect(variables).toEqual({ accessKeyId: KEY, packages: [] });
    expect(dummy).toEqual({ accessKeyId: "local", packages: [] });
    // So that the two above prove something.
    expect(profile.accessKeyId).toBe(KEY);
    expect(profile.packages).toContain("@smithy/core");
    expect(profile.packages).toContain("@aws-sdk/credential-provider-node");
  });
});

describe("AWS's chain", () => {
  const inFile = `aws_access_key_id = ${KEY}\naws_secret_access_key = ${SECRET}\n`;

  test("the default profile", async () => {
    const give = await source({ credentials: `[default]\n${inFile}aws_session_token = ${TOKEN}` });
    const credentials = await give();
    expect(credentials).toMatchObject({ ...keys, sessionToken: TOKEN });
    expect(give()).toBe(credentials);
  });

  test("the profile in AWS_PROFILE", async () => {
    const give = await source({ credentials: `[dev]\n${inFile}`, env: { AWS_PROFILE: "dev" } });
    expect(await give()).toMatchObject(keys);
  });

  test("the profile in the option, before AWS_PROFILE and the config file's default", async () => {
    const config = `[default]\n${inFile.replace(KEY, "AKIDDEFAULT")}[profile other]\n${inFile}`;
    const credentials = `[dev]\n${inFile.replace(KEY, "AKIDDEV")}`;
    const give = await source({ config, credentials, env: { AWS_PROFILE: "dev" }, profile: "other" });
    expect(await give()).toMatchObject(keys);
  });

  test("a chosen profile goes before keys in the variables", async () => {
    const env = { AWS_ACCESS_KEY_ID: "AKIDENV", AWS_SECRET_ACCESS_KEY: "env" };
    const give = await source({ credentials: `[dev]\n${inFile}`, env, profile: "dev" });
    expect(await give()).toMatchObject(keys);
  });

  test("a file that changed is seen by a new source", async () => {
    const give = await source({ credentials: `[default]\n${inFile}` });
    expect((await give()).accessKeyId).toBe(KEY);
    writeFileSync(process.env.AWS_SHARED_CREDENTIALS_FILE as string, `[default]\n${inFile.replace(KEY, "AKIDNEW")}`);
    expect((await (await source())()).accessKeyId).toBe("AKIDNEW");
  });

  test("a credential_process", async () => {
    const answer = {
      Version: 1,
      AccessKeyId: KEY,
      SecretAccessKey: SECRET,
      SessionToken: TOKEN,
      Expiration: inMinutes(60).toISOString(),
    };
    const script = file(`console.log(${JSON.stringify(JSON.stringify(answer))})`);
    const give = await source({
      config: `[profile dev]\ncredential_process = ${process.execPath} ${script}`,
      profile: "dev",
    });
    expect(await give()).toMatchObject({ ...keys, sessionToken: TOKEN, expiration: new Date(answer.Expiration) });
    expect(give()).toMatchObject(keys);
  });

  test("a container's endpoint; asked again when they are about to end", async () => {
    const lifetimes = [-1, 60];
    const asked: (string | undefined)[] = [];
    const url = await serve((request, response) => {
      const Expiration = inMinutes(lifetimes[asked.length] ?? 60).toISOString();
      asked.push(`${request.url} ${request.headers.authorization}`);
      response.end(JSON.stringify({ AccessKeyId: KEY, SecretAccessKey: SECRET, Token: TOKEN, Expiration }));
    });
    const env = { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/creds`, AWS_CONTAINER_AUTHORIZATION_TOKEN: "Bearer x" };
    const give = await source({ env, isLoopback: true });
    expect(await give()).toMatchObject({ ...keys, sessionToken: TOKEN });
    expect(await give()).toMatchObject(keys);
    expect(await give()).toMatchObject(keys);
    expect(asked).toEqual(["/creds Bearer x", "/creds Bearer x"]);
  });

  test.each([
    ["the region of AWS_DEFAULT_REGION", "", "eu-central-2"],
    ["the profile's region", "region = eu-south-2\n", "eu-south-2"],
  ])("a role of a profile; STS is asked in %s", async (_, line, region) => {
    const expiration = inMinutes(60);
    let scope = "";
    const url = await serve((request, response) => {
      scope = request.headers.authorization ?? "";
      response.setHeader("content-type", "text/xml");
      response.end(
        `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
           <AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/x/y</Arn><AssumedRoleId>A:y</AssumedRoleId></AssumedRoleUser>
           <Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>${SECRET}</SecretAccessKey>
           <SessionToken>${TOKEN}</SessionToken><Expiration>${expiration.toISOString()}</Expiration></Credentials>
         </AssumeRoleResult></AssumeRoleResponse>`,
      );
    });
    const role = `${line}role_arn = arn:aws:iam::123456789012:role/x\nsource_profile = base`;
    const give = await source({
      config: `[profile dev]\n${role}\n[profile base]\n${inFile}`,
      profile: "dev",
      env: { AWS_ENDPOINT_URL_STS: url, AWS_DEFAULT_REGION: "eu-central-2" },
    });
    expect(await give()).toMatchObject({
      accessKeyId: "ASIAROLE",
      secretAccessKey: SECRET,
      sessionToken: TOKEN,
      expiration,
    });
    expect(scope).toContain(`Credential=${KEY}/`);
    expect(scope).toContain(`/${region}/sts/aws4_request`);
  });

  test("EC2's metadata service, last", async () => {
    const asked: string[] = [];
    const env = { AWS_EC2_METADATA_SERVICE_ENDPOINT: await metadataService(asked), AWS_EC2_METADATA_DISABLED: "false" };
    const give = await source({ env });
    expect(await give()).toMatchObject({ ...keys, sessionToken: TOKEN });
    expect(asked).toContain("PUT /latest/api/token");
  });
});

describe("an endpoint on loopback", () => {
  test("takes dummy credentials when there are none, and no metadata service is asked", async () => {
    const asked: string[] = [];
    const env = { AWS_EC2_METADATA_SERVICE_ENDPOINT: await metadataService(asked), AWS_EC2_METADATA_DISABLED: "false" };
    const dummy = { accessKeyId: "local", secretAccessKey: "local" };
    expect((await source({ env, isLoopback: true }))()).toEqual(dummy);
    const config = "[default]\nregion = eu-west-1\n[profile dev]\nregion = eu-west-1";
    expect((await source({ env, config, isLoopback: true }))()).toEqual(dummy);
    expect((await source({ env, config, isLoopback: true, profile: "dev" }))()).toEqual(dummy);
    expect(asked).toEqual([]);
  });

  test("takes the caller's own where there are any", async () => {
    const credentials = `[default]\naws_access_key_id = ${KEY}\naws_secret_access_key = ${SECRET}`;
    expect(await (await source({ credentials, isLoopback: true }))()).toMatchObject(keys);
  });
});

describe("no credentials", () => {
  test("every source is named", async () => {
    const error = await failure({ config: "[default]\nregion = eu-west-1" });
    expect(error.message.split("\n")).toEqual([
      "no credentials found. Looked at:",
      "- the option `credentials`: not given",
      "- AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: not set",
      `- profile "default" in ${process.env.AWS_CONFIG_FILE} and ${process.env.AWS_SHARED_CREDENTIALS_FILE}: no credentials there`,
      "- web identity (AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN): not set",
      "- container (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI): not set",
      "- EC2 instance metadata: switched off by AWS_EC2_METADATA_DISABLED",
      "AWS's provider chain says: Could not load credentials from any providers",
    ]);
    expect(error.cause).toMatchObject({ name: "CredentialsProviderError" });
  });

  test("a chosen profile, and keys that it hides", async () => {
    const env = { AWS_ACCESS_KEY_ID: KEY, AWS_SECRET_ACCESS_KEY: SECRET, AWS_PROFILE: "dev" };
    const { message } = await failure({ config: "[profile dev]\nregion = eu-west-1", env });
    expect(message).toContain("- AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: skipped, a profile is chosen");
    expect(message).toContain('- profile "dev" in ');
  });

  test("what AWS's SDK says of an SSO session that has expired", async () => {
    const sso = "sso_start_url = https://x.awsapps.com/start\nsso_region = us-east-1\nsso_account_id = 123456789012";
    const given = { config: `[profile dev]\n${sso}\nsso_role_name = x`, profile: "dev", env: { HOME: folder } };
    const error = await failure(given);
    expect(error.message).toContain("has sso_start_url, but it gave none");
    expect(error.message).toMatch(/AWS's provider chain says: The SSO session .* aws sso login/);
    // A source that is there but fails is no reason for dummy credentials.
    expect((await failure({ ...given, isLoopback: true })).message).toMatch(/The SSO session/);
  });

  test("a failure is not kept", async () => {
    const give = await source({ config: "[default]\nregion = eu-west-1" });
    await expect(give()).rejects.toThrow(ConfigurationError);
    await expect(give()).rejects.toThrow(ConfigurationError);
  });

  test("no error holds a key", async () => {
    const failing = file(`console.error("${SECRET}"); process.exit(1)`);
    const babbling = file(`console.log("${SECRET}")`);
    const processOf = (script: string) => `[profile dev]\ncredential_process = ${process.execPath} ${script} ${TOKEN}`;
    const given: Given[] = [
      { env: { AWS_SECRET_ACCESS_KEY: SECRET, AWS_SESSION_TOKEN: TOKEN } },
      { env: { AWS_ACCESS_KEY_ID: KEY, AWS_SESSION_TOKEN: TOKEN } },
      { credentials: `[default]\naws_access_key_id = ${KEY}\naws_session_token = ${TOKEN}` },
      { credentials: `[default]\naws_secret_access_key = ${SECRET}` },
      { credentials: `[default]\naws_access_key_id = ${KEY}\naws_secret_access_key = ${SECRET} x` },
      { config: processOf(failing), profile: "dev" },
      { config: processOf(babbling), profile: "dev" },
      { option: async () => JSON.parse(SECRET) as AwsCredentials },
      { option: async () => JSON.parse(`{"AccessKeyId": ${KEY}}`) as AwsCredentials },
      { option: () => Promise.reject(new Error(`Command failed: vault --token ${TOKEN}\n${SECRET}`)) },
    ];
    for (const one of given) {
      const error = await failure(one);
      for (const secret of [KEY, SECRET, TOKEN]) expect(inspect(error, { showHidden: true })).not.toContain(secret);
      restoreVariables();
    }
  });
});

/** What answers at 169.254.169.254 on EC2. */
function metadataService(asked: string[]): Promise<string> {
  return serve((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    if (request.url === "/latest/api/token") return response.end("token");
    if (request.url?.endsWith("/security-credentials/")) return response.end("role");
    const Expiration = inMinutes(60).toISOString();
    return response.end(JSON.stringify({ AccessKeyId: KEY, SecretAccessKey: SECRET, Token: TOKEN, Expiration }));
  });
}

describe("credentials that AWS has called expired", () => {
  async function renewable(given: Given): Promise<Required<Pick<CredentialSource, "renew">> & CredentialSource> {
    const give: CredentialSource = await source(given);
    const { renew } = give;
    if (renew === undefined) throw new Error("they can't be renewed");
    return Object.assign(give, { renew });
  }

  /** Gives another key each time; `asked` is what it was called with. */
  function issuer() {
    const asked: unknown[] = [];
    const option: CredentialsProvider = (options) => {
      asked.push(options);
      return { ...keys, accessKeyId: `${KEY}${asked.length}`, expiration: inMinutes(60) };
    };
    return { asked, option };
  }

  test("a function is asked for others, whatever it said of their end", async () => {
    const { asked, option } = issuer();
    const give = await renewable({ option });
    const first = await give();
    give.renew(first);
    const second = await give();
    expect([first.accessKeyId, second.accessKeyId]).toEqual([`${KEY}1`, `${KEY}2`]);
    expect(give()).toBe(second);
    expect(asked).toEqual([undefined, { forceRefresh: true }]);
  });

  test("once, however many say so, and however late", async () => {
    const { asked, option } = issuer();
    const give = await renewable({ option });
    const first = await give();
    for (let call = 0; call < 5; call++) give.renew(first);
    const [second, ...others] = await Promise.all([give(), give(), give()]);
    for (const other of others) expect(other).toBe(second);
    give.renew(first);
    expect(await give()).toBe(second);
    // Equal is not the same: these were never given.
    give.renew({ ...(second as AwsCredentials) });
    expect(give()).toBe(second);
    expect(asked).toHaveLength(2);
  });

  test("later ones are asked for as usual when they are about to end", async () => {
    const asked: unknown[] = [];
    const give = await renewable({
      option: (options) => {
        asked.push(options);
        return { ...keys, expiration: inMinutes(asked.length === 2 ? 1 : 60) };
      },
    });
    give.renew(await give());
    await give();
    await give();
    expect(asked).toEqual([undefined, { forceRefresh: true }, undefined]);
  });

  test("are not used any more when no others can be had, and the next call asks again", async () => {
    const asked: unknown[] = [];
    const give = await renewable({
      option: (options) => {
        asked.push(options);
        if (asked.length === 2) throw new Error("the vault is sealed");
        return { ...keys, expiration: inMinutes(60) };
      },
    });
    const first = await give();
    give.renew(first);
    await expect(give()).rejects.toThrow("the vault is sealed");
    expect(await give()).not.toBe(first);
    expect(asked).toEqual([undefined, { forceRefresh: true }, { forceRefresh: true }]);
  });

  test("a function that gives the same again can be told so again", async () => {
    let asked = 0;
    const give = await renewable({
      option: () => {
        asked++;
        return keys;
      },
    });
    for (let round = 1; round <= 3; round++) {
      expect(await give()).toBe(keys);
      expect(asked).toBe(round);
      give.renew(keys);
    }
  });

  test("AWS's chain asks its source again, whatever that said of their end", async () => {
    let asked = 0;
    const url = await serve((_, response) => {
      const Expiration = inMinutes(60).toISOString();
      const AccessKeyId = `${KEY}${++asked}`;
      response.end(JSON.stringify({ AccessKeyId, SecretAccessKey: SECRET, Token: TOKEN, Expiration }));
    });
    const give = await renewable({ env: { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/creds` } });
    const first = await give();
    expect(give()).toBe(first);
    give.renew(first);
    const second = await give();
    expect([first.accessKeyId, second.accessKeyId]).toEqual([`${KEY}1`, `${KEY}2`]);
    expect(give()).toBe(second);
    expect(asked).toBe(2);
  });

  test("those that are given once and for all can't be renewed", async () => {
    const env = { AWS_ACCESS_KEY_ID: KEY, AWS_SECRET_ACCESS_KEY: SECRET };
    for (const given of [{ option: keys }, { isLoopback: true }, { env }] as Given[]) {
      const give: CredentialSource = await source(given);
      expect(give.renew).toBeUndefined();
    }
  });
});

describe("the account", () => {
  const accountId = "123456789012";

  test("of the option and of the variables is kept", async () => {
    expect((await source({ option: { ...keys, accountId } }))()).toMatchObject({ accountId });
    expect(await (await source({ option: () => ({ ...keys, accountId }) }))()).toMatchObject({ accountId });
    const env = { AWS_ACCESS_KEY_ID: KEY, AWS_SECRET_ACCESS_KEY: SECRET, AWS_ACCOUNT_ID: accountId };
    expect((await source({ env }))()).toEqual({ ...keys, accountId });
  });

  test("of a profile is found by AWS's chain", async () => {
    const lines = `aws_access_key_id = ${KEY}\naws_secret_access_key = ${SECRET}\naws_account_id = ${accountId}`;
    expect(await (await source({ credentials: `[default]\n${lines}` }))()).toMatchObject({ ...keys, accountId });
  });

  test.each(["", "12345678901", "1234567890123", "1234-5678-9012", " 123456789012", "123456789012\n"])(
    "%j is none",
    async (wrong) => {
      for (const option of [{ ...keys, accountId: wrong }, () => ({ ...keys, accountId: wrong })]) {
        expect((await failure({ option })).message).toMatch(/option `credentials`.*: accountId has to be 12 digits$/);
      }
    },
  );

  test("a wrong one in the variables is said to be there", async () => {
    const env = { AWS_ACCESS_KEY_ID: KEY, AWS_SECRET_ACCESS_KEY: SECRET, AWS_ACCOUNT_ID: "1234" };
    expect((await failure({ env })).message).toMatch(/AWS_ACCOUNT_ID: accountId has to be 12 digits$/);
  });
});
