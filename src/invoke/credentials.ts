/**
 * The access key that calls are signed with: the caller's, the environment's, or that of AWS's own provider chain,
 * which knows every other source (profiles, SSO, roles, processes, web identity, containers, EC2).
 */
import { ConfigurationError } from "../errors.ts";
import type { Environment } from "./environment.ts";

/** An access key, as AWS's own SDK spells it. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  /** When they end; they are asked for again five minutes before. */
  readonly expiration?: Date | undefined;
  /** The 12-digit account that they belong to. Where it is known, a name and an ARN of it are the same function. */
  readonly accountId?: string | undefined;
}

/**
 * A function that gives credentials, such as those of `@aws-sdk/credential-providers`. With `forceRefresh`, AWS has called
 * the last ones expired, and something kept is of no use.
 */
export type CredentialsProvider = (options?: { forceRefresh?: boolean }) => Promise<AwsCredentials> | AwsCredentials;

/** Credentials for each signature. */
export interface CredentialSource {
  (): AwsCredentials | Promise<AwsCredentials>;
  /**
   * AWS has called these expired: the next ones are to be new. Absent where credentials are given once and for all.
   */
  renew?(expired: AwsCredentials): void;
}

const REFRESH_BEFORE = 5 * 60 * 1000;
const DUMMY: AwsCredentials = { accessKeyId: "local", secretAccessKey: "local" };
const OPTION = "the option `credentials`";

/**
 * Decides where credentials come from. The function it gives is called for every signature: it has most of them at
 * hand, and only asks its source when there are none yet or they are about to end.
 *
 * @param isLoopback Whether the endpoint is on this machine: an emulator takes any credentials, so there may be none.
 * @throws {ConfigurationError} when credentials are malformed; the function, when there are none.
 */
export function credentialSource(
  settings: { credentials?: AwsCredentials | CredentialsProvider; profile?: string },
  environment: Environment,
  isLoopback: boolean,
): CredentialSource {
  const { credentials: option, profile } = settings;
  if (typeof option === "function") return cached((forceRefresh) => askOption(option, forceRefresh));
  if (option !== undefined) return always(checked(option, OPTION));
  if (environment.staticCredentials !== undefined) {
    return always(
      checked(
        environment.staticCredentials,
        "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_ACCOUNT_ID",
      ),
    );
  }
  // The chain would go on to EC2's metadata service and wait for it, on a laptop for nothing.
  if (isLoopback && !environment.hasCredentialSource) return always(DUMMY);
  return cached(providerChain(profile, environment));
}

async function askOption(provider: CredentialsProvider, forceRefresh: boolean): Promise<AwsCredentials> {
  let credentials: AwsCredentials;
  try {
    credentials = await (forceRefresh ? provider({ forceRefresh }) : provider());
  } catch (error) {
    throw failed(`the function in ${OPTION} failed: `, error);
  }
  return checked(credentials, `what the function in ${OPTION} gave`);
}

/** AWS's chain. It takes 24 ms to load, so the first question does that, not a process that never comes here. */
function providerChain(profile: string | undefined, environment: Environment): Ask {
  let chain: ((options?: { forceRefresh?: boolean }) => Promise<AwsCredentials>) | undefined;
  return async (forceRefresh) => {
    if (chain === undefined) {
      const { defaultProvider } = await import("@aws-sdk/credential-provider-node");
      chain = defaultProvider({
        // It finds AWS_PROFILE by itself.
        ...(profile !== undefined && { profile }),
        // For STS, when a profile names a role but no region; the SDK does not know AWS_DEFAULT_REGION.
        ...(environment.region !== undefined && { parentClientConfig: { region: environment.region } }),
        // The files may have changed since somebody in this process read them.
        ignoreCache: true,
      });
    }
    let credentials: AwsCredentials;
    try {
      credentials = await chain({ forceRefresh });
    } catch (error) {
      const looked = [`${OPTION}: not given`, ...environment.credentialSources].map((source) => `\n- ${source}`);
      throw failed(`no credentials found. Looked at:${looked.join("")}\nAWS's provider chain says: `, error);
    }
    return checked(credentials, "what AWS's provider chain gave");
  };
}

function always(credentials: AwsCredentials): () => AwsCredentials {
  return () => credentials;
}

type Ask = (forceRefresh: boolean) => Promise<AwsCredentials>;

/** Keeps what `ask` gave until shortly before it ends, and asks once however many wait. */
function cached(ask: Ask): CredentialSource {
  let current: AwsCredentials | undefined;
  let pending: Promise<AwsCredentials> | undefined;
  let isExpired = false;

  async function refresh(): Promise<AwsCredentials> {
    try {
      current = await ask(isExpired);
      isExpired = false;
      return current;
    } catch (error) {
      // These are good for a few minutes yet, and the next call asks again.
      if (current !== undefined && timeLeft(current) > 0) return current;
      throw error;
    } finally {
      pending = undefined;
    }
  }

  const source: CredentialSource = () => {
    if (current !== undefined && timeLeft(current) >= REFRESH_BEFORE) return current;
    pending ??= refresh();
    return pending;
  };
  source.renew = (expired) => {
    // Many calls may be told so at once; the first to hear it has them renewed.
    if (current !== expired) return;
    current = undefined;
    isExpired = true;
  };
  return source;
}

function timeLeft({ expiration }: AwsCredentials): number {
  return expiration === undefined ? Number.POSITIVE_INFINITY : expiration.getTime() - Date.now();
}

/** Refuses what can't be signed with, without showing it. */
function checked(credentials: AwsCredentials, from: string): AwsCredentials {
  const { accessKeyId, secretAccessKey, sessionToken, expiration, accountId } = credentials ?? {};
  checkKey(accessKeyId, `${from}: accessKeyId`);
  checkKey(secretAccessKey, `${from}: secretAccessKey`);
  if (sessionToken) checkKey(sessionToken, `${from}: sessionToken`);
  if (expiration !== undefined && !(expiration?.getTime?.() > 0)) {
    throw new ConfigurationError(`${from}: expiration has to be a valid Date`);
  }
  if (accountId !== undefined && !/^\d{12}$/.test(accountId)) {
    throw new ConfigurationError(`${from}: accountId has to be 12 digits`);
  }
  // Blank is how a variable says "none"; signed as a token, it would be refused.
  return sessionToken || sessionToken === undefined ? credentials : { ...credentials, sessionToken: undefined };
}

function checkKey(value: unknown, name: string): void {
  if (typeof value !== "string" || value === "") {
    throw new ConfigurationError(`${name} has to be a string that is not empty`);
  }
  // Mostly the line break that a file ended with. In a header it would begin a second one.
  if (/[^\u0021-\u007e]/.test(value)) {
    throw new ConfigurationError(`${name} holds a space, a line break or another character that is in no key`);
  }
}

function failed(message: string, error: unknown): ConfigurationError {
  const reason = error instanceof Error ? error.message : String(error);
  // JSON.parse quotes what it could not read, and a failed command its arguments: either may hold a key. Nor is such
  // an error made the cause, which is printed as well.
  if (reason.includes("is not valid JSON")) return new ConfigurationError(`${message}the answer is not valid JSON`);
  if (reason.startsWith("Command failed")) return new ConfigurationError(`${message}the command failed`);
  return new ConfigurationError(message + reason, { cause: error });
}
