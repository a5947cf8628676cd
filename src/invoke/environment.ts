/**
 * The caller's AWS settings: `AWS_*` variables and the shared files `~/.aws/config` and `~/.aws/credentials`.
 *
 * The one place that reads them. Names, precedence and what an odd value means are AWS's own:
 * https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
 */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { ConfigurationError } from "../errors.ts";
import type { AwsCredentials } from "./credentials.ts";

/** What the environment says. A setting that is blank counts as absent. */
export interface Environment {
  /** `AWS_REGION`, `AWS_DEFAULT_REGION` (boto3's name for it), or the profile's. */
  readonly region?: string;
  /** `AWS_ENDPOINT_URL_LAMBDA`, `AWS_ENDPOINT_URL`, or the profile's for Lambda, or the profile's for everything. */
  readonly endpoint?: string;
  readonly useFipsEndpoint: boolean;
  readonly useDualstackEndpoint: boolean;
  /** The profile in use: the option, `AWS_PROFILE` or `default`. */
  readonly profile: string;
  /** The access key in the variables. A chosen profile goes before it, as in AWS's SDK, so it is absent then. */
  readonly staticCredentials?: AwsCredentials;
  /** Whether anything here could give credentials. Without, only EC2's metadata service is left to ask. */
  readonly hasCredentialSource: boolean;
  /** Every source of credentials and what is there, a line each, for the error when none gave any. */
  readonly credentialSources: readonly string[];
  /** `AWS_MAX_ATTEMPTS`, or the profile's. */
  readonly maxAttempts?: number;
  /** The paths of the shared files, whether they exist or not. */
  readonly configFile: string;
  readonly credentialsFile: string;
}

/** Environment variables, as in `process.env`. */
type Variables = Readonly<Record<string, string | undefined>>;

/** The settings of a section, as the files spell them. */
type Section = Readonly<Record<string, string | undefined>>;

const PROFILE_CREDENTIALS =
  /^(?:aws_access_key_id|role_arn|credential_process|web_identity_token_file|sso_\w+|login_session)$/;

/**
 * Reads the settings of this process.
 *
 * @param profile The option `profile`.
 * @throws {ConfigurationError} when the profile does not exist, or a setting has a value that it can't have.
 */
export async function readEnvironment(profile?: string, env: Variables = process.env): Promise<Environment> {
  const chosen = present(profile) ?? present(env.AWS_PROFILE);
  const name = chosen ?? "default";
  const configFile = sharedFile(env, env.AWS_CONFIG_FILE, "config");
  const credentialsFile = sharedFile(env, env.AWS_SHARED_CREDENTIALS_FILE, "credentials");
  const files = await readSharedFiles(configFile, credentialsFile);
  const inConfig = section(files.configFile, name);
  const inCredentials = section(files.credentialsFile, name);
  if (chosen !== undefined && inConfig === undefined && inCredentials === undefined) {
    throw new ConfigurationError(
      `there is no profile ${JSON.stringify(name)}, or it is empty; looked in ${configFile} and ${credentialsFile}`,
    );
  }
  // AWS's SDK lets the config file win when both have a setting, but for the region.
  const settings: Section = { ...inCredentials, ...inConfig };

  const region =
    present(env.AWS_REGION) ?? present(env.AWS_DEFAULT_REGION) ?? inCredentials?.region ?? inConfig?.region;
  const endpoint = endpointOf(env, settings, files.configFile, configFile);
  const staticCredentials = chosen === undefined ? staticCredentialsOf(env) : undefined;
  const inProfile = Object.keys(settings).find((key) => PROFILE_CREDENTIALS.test(key));
  const webIdentity = present(env.AWS_WEB_IDENTITY_TOKEN_FILE) !== undefined && present(env.AWS_ROLE_ARN) !== undefined;
  const container =
    present(env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI) !== undefined ||
    present(env.AWS_CONTAINER_CREDENTIALS_FULL_URI) !== undefined;
  // Anything but "false" switches it off, in AWS's SDK as well.
  const metadataDisabled = (present(env.AWS_EC2_METADATA_DISABLED) ?? "false") !== "false";

  const maxAttempts = attemptsOf(env, settings);
  return {
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    useFipsEndpoint: flag(env, "AWS_USE_FIPS_ENDPOINT", settings, "use_fips_endpoint"),
    useDualstackEndpoint: flag(env, "AWS_USE_DUALSTACK_ENDPOINT", settings, "use_dualstack_endpoint"),
    profile: name,
    ...(staticCredentials !== undefined && { staticCredentials }),
    hasCredentialSource: staticCredentials !== undefined || inProfile !== undefined || webIdentity || container,
    credentialSources: [
      `AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: ${chosen === undefined ? missingKeys(env) : "skipped, a profile is chosen"}`,
      `profile ${JSON.stringify(name)} in ${configFile} and ${credentialsFile}: ${
        inProfile === undefined ? "no credentials there" : `has ${inProfile}, but it gave none`
      }`,
      `web identity (AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN): ${webIdentity ? "gave none" : "not set"}`,
      "container (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI): " +
        (container ? "gave none" : "not set"),
      `EC2 instance metadata: ${metadataDisabled ? "switched off by AWS_EC2_METADATA_DISABLED" : "gave none"}`,
    ],
    ...(maxAttempts !== undefined && { maxAttempts }),
    configFile,
    credentialsFile,
  };
}

/** Does this process run a function? */
export function isInLambda(env: Variables = process.env): boolean {
  return env.AWS_LAMBDA_FUNCTION_NAME !== undefined;
}

/**
 * Inside of Lambda, the trace that the invocation under way belongs to: passed on, X-Ray shows one trace, and AWS finds
 * functions that call each other in a circle (https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html).
 * Where one process runs several invocations at once, it is in the store of `@aws/lambda-invoke-store`, which lives in the
 * global `awslambda`; else in a variable that the runtime sets anew for each.
 */
export function lambdaTraceId(env: Variables = process.env): string | undefined {
  if (!isInLambda(env)) return undefined;
  const { awslambda } = globalThis as { awslambda?: { InvokeStore?: { getXRayTraceId?(): unknown } } };
  const traceId = awslambda?.InvokeStore?.getXRayTraceId?.() ?? env._X_AMZN_TRACE_ID;
  // One that a header can't hold would end the call, for which nobody needs it.
  return typeof traceId === "string" && /^[!-~]+$/.test(traceId) ? traceId : undefined;
}

function staticCredentialsOf(env: Variables): AwsCredentials | undefined {
  const accessKeyId = present(env.AWS_ACCESS_KEY_ID);
  const secretAccessKey = present(env.AWS_SECRET_ACCESS_KEY);
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  const sessionToken = present(env.AWS_SESSION_TOKEN);
  const accountId = present(env.AWS_ACCOUNT_ID);
  return {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken !== undefined && { sessionToken }),
    ...(accountId !== undefined && { accountId }),
  };
}

/** Why the variables give no access key. */
function missingKeys(env: Variables): string {
  const missing = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].filter((name) => present(env[name]) === undefined);
  return missing.length === 1 ? `${missing[0]} is missing` : "not set";
}

/** In AWS's order: https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html */
function endpointOf(
  env: Variables,
  settings: Section,
  config: Readonly<Record<string, Section>>,
  configFile: string,
): string | undefined {
  const ignored = flag(env, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", settings, "ignore_configured_endpoint_urls");
  if (ignored) return undefined;
  const fromEnv = present(env.AWS_ENDPOINT_URL_LAMBDA) ?? present(env.AWS_ENDPOINT_URL);
  if (fromEnv !== undefined) return fromEnv;
  if (settings.services === undefined) return settings.endpoint_url;
  const services = section(config, `services.${settings.services}`);
  if (services === undefined) {
    throw new ConfigurationError(
      `the profile says services = ${settings.services}, but ${configFile} has no section [services ${settings.services}]`,
    );
  }
  return services["lambda.endpoint_url"] ?? settings.endpoint_url;
}

function flag(env: Variables, variable: string, settings: Section, key: string): boolean {
  const fromEnv = present(env[variable]);
  const value = fromEnv ?? settings[key] ?? "false";
  if (value !== "true" && value !== "false") {
    const where = fromEnv === undefined ? `${key} of the profile` : variable;
    throw new ConfigurationError(`${where} has to be true or false, not ${JSON.stringify(value)}`);
  }
  return value === "true";
}

/** https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html */
function attemptsOf(env: Variables, settings: Section): number | undefined {
  const fromEnv = present(env.AWS_MAX_ATTEMPTS);
  const value = fromEnv ?? settings.max_attempts;
  if (value === undefined) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(value)) {
    const where = fromEnv === undefined ? "max_attempts of the profile" : "AWS_MAX_ATTEMPTS";
    throw new ConfigurationError(`${where} has to be a whole number above 0, not ${JSON.stringify(value)}`);
  }
  return Number(value);
}

/** AWS's own parser takes 17 ms to load, so it is not loaded for files that are not there. */
async function readSharedFiles(
  configFile: string,
  credentialsFile: string,
): Promise<{ configFile: Record<string, Section>; credentialsFile: Record<string, Section> }> {
  if (!existsSync(configFile) && !existsSync(credentialsFile)) return { configFile: {}, credentialsFile: {} };
  const { loadSharedConfigFiles } = await import("@smithy/core/config");
  return loadSharedConfigFiles({ configFilepath: configFile, filepath: credentialsFile, ignoreCache: true });
}

function sharedFile(env: Variables, path: string | undefined, name: string): string {
  const home = present(env.HOME) ?? present(env.USERPROFILE) ?? homedir();
  const given = present(path) ?? `~/.aws/${name}`;
  return given.startsWith("~/") ? join(home, given.slice(2)) : given;
}

/** Own sections only: a profile may be called `constructor`. */
function section(file: Readonly<Record<string, Section>>, name: string): Section | undefined {
  return Object.hasOwn(file, name) ? file[name] : undefined;
}

function present(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === "" ? undefined : value;
}
