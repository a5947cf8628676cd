/**
 * The Invoke API of AWS Lambda, and the one that streams: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html,
 * https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html
 */
import { ConfigurationError, type Correction, type InvokeError } from "../errors.ts";
import { functionIdentifier } from "../target.ts";
import { VERSION } from "../version.ts";
import { abortable } from "./abortable.ts";
import { networkError, readError, refusedError } from "./aws-error.ts";
import { isClockWrong, isSignatureStale } from "./clock.ts";
import {
  type AwsCredentials,
  type CredentialSource,
  type CredentialsProvider,
  credentialSource,
} from "./credentials.ts";
import { DURATION, isDuration } from "./duration.ts";
import { type Endpoint, parseEndpointUrl, resolveEndpoint } from "./endpoint.ts";
import { type Environment, isInLambda, lambdaTraceId, readEnvironment } from "./environment.ts";
import { createMessageDecoder } from "./event-stream.ts";
import { createHttpClient, NetworkError, type WireRequest, type WireResponse } from "./http.ts";
import { type Invocation, type InvocationResult, type Invoker, isStreamed } from "./invoker.ts";
import { checkOptionNames } from "./option-names.ts";
import { readPayload } from "./payload-stream.ts";
import { amzDate, authorization, encodeRfc3986 } from "./sigv4.ts";

/** Where Lambda is, and who calls. Each has its default in the environment, as the AWS SDKs read it. */
export interface AwsSettings {
  /**
   * Where functions are that a URL names without a region.
   * @default AWS_REGION, AWS_DEFAULT_REGION, the profile's region
   */
  readonly region?: string | undefined;
  /**
   * The profile of `~/.aws/config` and `~/.aws/credentials`.
   * @default AWS_PROFILE, or "default"
   */
  readonly profile?: string | undefined;
  /**
   * An access key, or a function that gives one.
   * @default the environment's, then whatever the AWS SDK for JavaScript finds: profiles, SSO, roles, ECS, EC2
   */
  readonly credentials?: AwsCredentials | CredentialsProvider | undefined;
  /**
   * The URL of the Lambda API, for emulators and VPC endpoints.
   * @default AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL, the profile's, or the region's own
   */
  readonly endpoint?: string | undefined;
  /**
   * Use the endpoint that speaks IPv6 as well.
   * @default AWS_USE_DUALSTACK_ENDPOINT, or the profile's
   */
  readonly useDualstackEndpoint?: boolean | undefined;
  /**
   * Use the FIPS 140 endpoint.
   * @default AWS_USE_FIPS_ENDPOINT, or the profile's
   */
  readonly useFipsEndpoint?: boolean | undefined;
  /**
   * How many connections at a time; further calls wait.
   * @default no limit
   */
  readonly maxSockets?: number | undefined;
  /**
   * Milliseconds for a new connection: DNS, TCP and TLS. A call that finds none is tried again, whatever its method.
   * @default 10000
   */
  readonly connectTimeout?: number | undefined;
}

/** Names of the fields of {@link AwsSettings}. */
export const AWS_SETTING_NAMES: readonly string[] = [
  "region",
  "profile",
  "credentials",
  "endpoint",
  "useDualstackEndpoint",
  "useFipsEndpoint",
  "maxSockets",
  "connectTimeout",
] satisfies (keyof AwsSettings)[];

/** One region's endpoint, and the credentials for it. */
interface Caller {
  readonly endpoint: Endpoint;
  readonly credentials: CredentialSource;
  /** Asked once: to look into `process.env` takes as long as to read a URL. */
  readonly isInLambda: boolean;
  /** Milliseconds that this machine's clock is behind AWS's. */
  clockOffset: number;
}

/** Who calls, this time. */
interface Identity {
  readonly caller: Caller;
  readonly credentials: AwsCredentials;
}

/**
 * Invokes functions on AWS, or on an emulator at `endpoint`. This is where a `Session` sends its invocations by default.
 *
 * @throws {ConfigurationError} for an unknown option, or a value that can't be; on a call, when there is no region or
 *   there are no credentials.
 * @example
 * const session = new Session({ invoker: awsInvoker({ region: "eu-west-1", maxSockets: 200 }) });
 */
export function awsInvoker(settings: AwsSettings = {}): Invoker {
  checkSettings(settings);
  const { maxSockets, connectTimeout } = settings;
  const http = createHttpClient({ maxSockets, connectTimeout });
  const callers = new Map<string | undefined, Caller | Promise<Caller>>();

  /** Made once a region: it may have to read files. One that fails is made anew, in case those are mended. */
  function callerFor(region: string | undefined): Caller | Promise<Caller> {
    const known = callers.get(region);
    if (known !== undefined) return known;
    const making = makeCaller(settings, region);
    callers.set(region, making);
    making.then(
      (caller) => callers.set(region, caller),
      () => callers.delete(region),
    );
    return making;
  }

  /** At once, where both are at hand, as they are for most calls. */
  function identify(invocation: Invocation, signal: AbortSignal | undefined): Identity | Promise<Identity> {
    const caller = callerFor(invocation.target.region);
    const credentials = caller instanceof Promise ? caller.then((made) => made.credentials()) : caller.credentials();
    if (credentials instanceof Promise) return identifyLater({ caller, credentials }, invocation, signal);
    return { caller: caller as Caller, credentials };
  }

  return {
    async invoke(invocation, signal) {
      const { progress } = invocation;
      if (progress !== undefined) progress.sent = false;
      const identity = identify(invocation, signal);
      const { caller, credentials } = identity instanceof Promise ? await identity : identity;
      const { endpoint } = caller;
      const onSend = (): void => {
        if (progress !== undefined) progress.sent = true;
      };
      const request = signedRequest(invocation, caller, credentials);
      try {
        const { status, headers, body } = isStreamed(invocation)
          ? await http.open(request, createMessageDecoder, signal, onSend)
          : await http.send(request, signal, onSend);
        const isWhole = body instanceof Uint8Array;
        if (isWhole && status >= 300) throw refused(invocation, caller, credentials, { status, headers, body });
        const { request: summary, target } = invocation;
        const payload = isWhole ? body : readPayload({ request: summary, target }, endpoint, body);
        return readResult(payload, headers, endpoint.signingRegion);
      } catch (error) {
        if (error instanceof NetworkError) throw networkError(invocation, endpoint, error);
        throw error;
      }
    },
    async locate({ region }) {
      const { endpoint, credentials } = await callerFor(region);
      const { accountId } = await credentials();
      return { region: endpoint.signingRegion, ...(accountId !== undefined && { accountId }) };
    },
    async close() {
      http.close();
    },
  };
}

async function identifyLater(
  asked: { readonly caller: Caller | Promise<Caller>; readonly credentials: Promise<AwsCredentials> },
  { request, target }: Invocation,
  signal: AbortSignal | undefined,
): Promise<Identity> {
  try {
    // They may be a login or a slow service away; an aborted call does not wait for them.
    const credentials = await abortable(asked.credentials, signal);
    return { caller: await asked.caller, credentials };
  } catch (error) {
    if (!(error instanceof ConfigurationError) || error === signal?.reason) throw error;
    // Calls share these errors, which know none of them.
    throw new ConfigurationError(error.message, { request, target, cause: error.cause });
  }
}

/** The error of a refusal, of which the next attempt may be free: with new credentials, or with a clock put right. */
function refused(
  invocation: Invocation,
  caller: Caller,
  credentials: AwsCredentials,
  response: WireResponse,
): InvokeError {
  const { date, age } = response.headers;
  const said = readError(response);
  const offset = Date.parse(age === undefined ? (date ?? "") : "") - Date.now();
  let corrected: Correction | undefined;
  if (said.code === "ExpiredTokenException" && caller.credentials.renew !== undefined) {
    caller.credentials.renew(credentials);
    corrected = "credentials";
  } else if (isClockWrong(response.status, offset - caller.clockOffset)) {
    caller.clockOffset = offset;
    corrected = "clock";
  } else if (isSignatureStale(said.message)) {
    corrected = "clock";
  }
  return refusedError(invocation, { region: caller.endpoint.signingRegion, response, said, corrected });
}

function checkSettings(settings: AwsSettings): void {
  checkOptionNames(settings, AWS_SETTING_NAMES);
  const { endpoint, maxSockets, connectTimeout } = settings;
  if (endpoint !== undefined) parseEndpointUrl(endpoint);
  if (maxSockets !== undefined && !(Number.isInteger(maxSockets) && maxSockets > 0)) {
    throw new ConfigurationError("the option maxSockets has to be a whole number above 0");
  }
  if (connectTimeout !== undefined && !isDuration(connectTimeout)) {
    throw new ConfigurationError(`the option connectTimeout has to be ${DURATION}`);
  }
}

async function makeCaller(settings: AwsSettings, targetRegion: string | undefined): Promise<Caller> {
  const environment = await readEnvironment(settings.profile);
  const region = targetRegion ?? settings.region ?? environment.region;
  const url = settings.endpoint ?? environment.endpoint;
  if (region === undefined && url === undefined) throw noRegion(environment);
  const endpoint = resolveEndpoint({
    ...(region !== undefined && { region }),
    ...(url !== undefined && { endpoint: url }),
    useDualstackEndpoint: settings.useDualstackEndpoint ?? environment.useDualstackEndpoint,
    useFipsEndpoint: settings.useFipsEndpoint ?? environment.useFipsEndpoint,
  });
  const { credentials, profile } = settings;
  const source = { ...(credentials !== undefined && { credentials }), ...(profile !== undefined && { profile }) };
  return {
    endpoint,
    credentials: credentialSource(source, environment, endpoint.isLoopback),
    isInLambda: isInLambda(),
    clockOffset: 0,
  };
}

function noRegion({ profile, configFile, credentialsFile }: Environment): ConfigurationError {
  return new ConfigurationError(
    [
      "no region. It was looked for in:",
      "- the URL (an ARN names its region)",
      "- the option region",
      "- AWS_REGION and AWS_DEFAULT_REGION",
      `- region of the profile ${profile} in ${credentialsFile} and ${configFile}`,
      "and there is no endpoint either (the option endpoint, AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL)",
    ].join("\n"),
  );
}

function signedRequest(invocation: Invocation, caller: Caller, credentials: AwsCredentials): WireRequest {
  const { target, payload, logs, invocationType = "RequestResponse" } = invocation;
  const { clientContext, tenantId, durableExecutionName } = invocation;
  const { endpoint, clockOffset, isInLambda } = caller;
  // The name is one segment of the path, whatever is in it: `arn:aws:…` goes as `arn%3Aaws%3A…`.
  const name = encodeRfc3986(functionIdentifier(target));
  const operation = isStreamed(invocation)
    ? `2021-11-15/functions/${name}/response-streaming-invocations`
    : `2015-03-31/functions/${name}/invocations`;
  const path = `${endpoint.basePath}/${operation}`;
  const query = target.qualifier === undefined ? "" : `Qualifier=${encodeRfc3986(target.qualifier)}`;
  // In the order in which they are signed, which saves a sort. Those at their defaults are left out: some emulators refuse what they don't know.
  const headers: Record<string, string> = { "content-type": "application/json", host: endpoint.host };
  if (clientContext !== undefined) headers["x-amz-client-context"] = clientContext;
  headers["x-amz-date"] = amzDate(Date.now() + clockOffset);
  if (durableExecutionName !== undefined) headers["x-amz-durable-execution-name"] = durableExecutionName;
  if (invocationType !== "RequestResponse") headers["x-amz-invocation-type"] = invocationType;
  if (logs) headers["x-amz-log-type"] = "Tail";
  if (credentials.sessionToken !== undefined) headers["x-amz-security-token"] = credentials.sessionToken;
  if (tenantId !== undefined) headers["x-amz-tenant-id"] = tenantId;
  const scope = { credentials, region: endpoint.signingRegion, service: "lambda" };
  headers.authorization = authorization({ method: "POST", path, query, headers, body: payload }, scope);
  // What follows is not signed, as in AWS's SDKs: what stands on the way may write into it.
  headers["content-length"] = String(payload.length);
  headers["user-agent"] = `lambda-requests/${VERSION}`;
  const traceId = isInLambda ? lambdaTraceId() : undefined;
  if (traceId !== undefined) headers["x-amzn-trace-id"] = traceId;
  return {
    protocol: endpoint.protocol,
    hostname: endpoint.hostname,
    port: endpoint.port,
    method: "POST",
    path: query === "" ? path : `${path}?${query}`,
    headers,
    body: payload,
  };
}

function readResult(
  payload: InvocationResult["payload"],
  headers: WireResponse["headers"],
  region: string,
): InvocationResult {
  const {
    "x-amz-function-error": functionError,
    "x-amzn-requestid": requestId,
    "x-amz-executed-version": executedVersion,
    "x-amzn-trace-id": traceId,
    "x-amz-durable-execution-arn": durableExecutionArn,
    "x-amz-log-result": logs,
  } = headers;
  // Field by field: an object that is spread has a shape of its own each time, for which every access is looked up anew.
  const result: { -readonly [Name in keyof InvocationResult]: InvocationResult[Name] } = { payload, region };
  // A header that is empty says nothing.
  if (functionError) result.functionError = functionError;
  if (requestId) result.requestId = requestId;
  if (executedVersion) result.executedVersion = executedVersion;
  if (traceId) result.traceId = traceId;
  if (durableExecutionArn) result.durableExecutionArn = durableExecutionArn;
  if (logs !== undefined) result.logs = Buffer.from(logs, "base64").toString("utf8");
  return result;
}
