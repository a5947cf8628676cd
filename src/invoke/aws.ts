/** The Invoke API of AWS Lambda: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html */
import { ConfigurationError } from "../errors.ts";
import { functionIdentifier } from "../target.ts";
import { VERSION } from "../version.ts";
import { networkError, refusedError } from "./aws-error.ts";
import { type AwsCredentials, type CredentialsProvider, credentialSource } from "./credentials.ts";
import { type Endpoint, resolveEndpoint } from "./endpoint.ts";
import { type Environment, readEnvironment } from "./environment.ts";
import { createHttpClient, NetworkError, type WireRequest, type WireResponse } from "./http.ts";
import type { Invocation, InvocationResult, Invoker } from "./invoker.ts";
import { amzDate, authorization, encodeRfc3986 } from "./sigv4.ts";

/** Where Lambda is, and who calls. Each has its default in the environment, as the AWS SDKs read it. */
export interface AwsSettings {
  readonly region?: string | undefined;
  readonly profile?: string | undefined;
  readonly credentials?: AwsCredentials | CredentialsProvider | undefined;
  readonly endpoint?: string | undefined;
  readonly useDualstackEndpoint?: boolean | undefined;
  readonly useFipsEndpoint?: boolean | undefined;
  readonly maxSockets?: number | undefined;
}

/** One region's endpoint, and the credentials for it. */
interface Caller {
  readonly endpoint: Endpoint;
  credentials(): AwsCredentials | Promise<AwsCredentials>;
}

/**
 * Invokes functions on AWS, or on an emulator at `endpoint`. This is where a `Session` sends its invocations by default.
 *
 * @throws {ConfigurationError} on a call, when there is no region or there are no credentials.
 * @example
 * const session = new Session({ invoker: awsInvoker({ region: "eu-west-1", maxSockets: 200 }) });
 */
export function awsInvoker(settings: AwsSettings = {}): Invoker {
  const http = createHttpClient(settings.maxSockets === undefined ? {} : { maxSockets: settings.maxSockets });
  const callers = new Map<string | undefined, Promise<Caller>>();

  /** Made once a region: it may have to read files. One that fails is made anew, in case those are mended. */
  function callerFor(region: string | undefined): Promise<Caller> {
    let caller = callers.get(region);
    if (caller === undefined) {
      caller = makeCaller(settings, region);
      caller.catch(() => callers.delete(region));
      callers.set(region, caller);
    }
    return caller;
  }

  return {
    async invoke(invocation, signal) {
      const { endpoint, credentials } = await callerFor(invocation.target.region);
      const request = signedRequest(invocation, endpoint, await unlessAborted(credentials(), signal));
      try {
        const response = await http.send(request, signal);
        if (response.status >= 300) throw refusedError(invocation, endpoint.signingRegion, response);
        return readResult(response, endpoint.signingRegion);
      } catch (error) {
        if (error instanceof NetworkError) throw networkError(invocation, endpoint, error);
        throw error;
      }
    },
    async close() {
      http.close();
    },
  };
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
  return { endpoint, credentials: credentialSource(source, environment, endpoint.isLoopback) };
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

/** Credentials may be a login or a slow service away; an aborted call does not wait for them. */
function unlessAborted<Value>(value: Value | Promise<Value>, signal?: AbortSignal): Value | Promise<Value> {
  if (signal === undefined || !(value instanceof Promise)) return value;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    value.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

function signedRequest(invocation: Invocation, endpoint: Endpoint, credentials: AwsCredentials): WireRequest {
  const { target, payload, logs } = invocation;
  // The name is one segment of the path, whatever is in it: `arn:aws:…` goes as `arn%3Aaws%3A…`.
  const name = encodeRfc3986(functionIdentifier(target));
  const path = `${endpoint.basePath}/2015-03-31/functions/${name}/invocations`;
  const query = target.qualifier === undefined ? "" : `Qualifier=${encodeRfc3986(target.qualifier)}`;
  // Headers at their defaults are left out: some emulators refuse what they don't know.
  const signed: Record<string, string> = {
    "content-type": "application/json",
    host: endpoint.host,
    "x-amz-date": amzDate(new Date()),
    ...(logs && { "x-amz-log-type": "Tail" }),
    ...(credentials.sessionToken !== undefined && { "x-amz-security-token": credentials.sessionToken }),
  };
  const scope = { credentials, region: endpoint.signingRegion, service: "lambda" };
  return {
    protocol: endpoint.protocol,
    hostname: endpoint.hostname,
    port: endpoint.port,
    method: "POST",
    path: query === "" ? path : `${path}?${query}`,
    headers: {
      ...signed,
      authorization: authorization({ method: "POST", path, query, headers: signed, body: payload }, scope),
      "content-length": String(payload.length),
      "user-agent": `lambda-requests/${VERSION}`,
    },
    body: payload,
  };
}

function readResult({ headers, body }: WireResponse, region: string): InvocationResult {
  const functionError = headers["x-amz-function-error"];
  const requestId = headers["x-amzn-requestid"];
  const executedVersion = headers["x-amz-executed-version"];
  const traceId = headers["x-amzn-trace-id"];
  const logs = headers["x-amz-log-result"];
  return {
    payload: body,
    region,
    ...(typeof functionError === "string" && { functionError }),
    ...(typeof requestId === "string" && { requestId }),
    ...(typeof executedVersion === "string" && { executedVersion }),
    ...(typeof traceId === "string" && { traceId }),
    ...(typeof logs === "string" && { logs: Buffer.from(logs, "base64").toString("utf8") }),
  };
}
