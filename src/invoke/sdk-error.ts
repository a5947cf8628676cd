/** What a call by a client of AWS's SDK is to throw: the same as one of our own. */
import { ConfigurationError, type Correction, sentences } from "../errors.ts";
import { networkError, oneLine, readError, refusedError } from "./aws-error.ts";
import { isClockWrong, isSignatureStale } from "./clock.ts";
import { type Endpoint, parseEndpointUrl } from "./endpoint.ts";
import { NetworkError, type WireResponse } from "./http.ts";
import type { Passage } from "./sdk-passage.ts";

/** Only what certainly happened before there was a connection counts as not sent: the client does not tell. */
export function lostConnection(error: NodeJS.ErrnoException): NetworkError {
  // A `fetch` wraps the system's error, and the SDK's timeouts have no code.
  const cause = error.cause as NodeJS.ErrnoException | undefined;
  const root = error.code === undefined && cause?.code !== undefined ? cause : error;
  const first: NodeJS.ErrnoException | undefined = root instanceof AggregateError ? root.errors[0] : root;
  const isUnconnected =
    /^(?:connect|getaddrinfo)$/.test(first?.syscall ?? "") ||
    /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|UND_ERR_CONNECT_TIMEOUT)$/.test(root.code ?? "") ||
    // Certificates that we refuse; a server that refuses ours answers with an ERR_SSL_…
    /^(?!ERR_SSL_).*(?:CERT|VERIFY_LEAF)/.test(root.code ?? "") ||
    /did not establish a connection/.test(root.message);
  const isTimeout = root.code === undefined && root.name === "TimeoutError";
  const told = isTimeout ? Object.assign(new Error(root.message, { cause: root }), { code: "ETIMEDOUT" }) : root;
  return new NetworkError(told, !isUnconnected);
}

/** What a call that failed is to throw. What is neither AWS's nor the network's is left as it is: a middleware's own. */
export function failureOf(error: unknown, passage: Passage, region: string | undefined, skew: number): unknown {
  const { invocation, lost, begun } = passage;
  if (lost !== undefined) return networkError(invocation, endpointOf(passage, region), lost);
  const failure = error as SdkError;
  const response = passage.response ?? (begun ? undefined : mockedAnswer(failure));
  if (response !== undefined && response.status >= 300) {
    const said = readError(response);
    const isAboutTime = isClockWrong(response.status, skew) || isSignatureStale(said.message);
    const corrected: Correction | undefined = isAboutTime ? "clock" : undefined;
    return refusedError(invocation, { region: region ?? "the client's region", response, said, corrected });
  }
  if (passage.request !== undefined || !isSetting(failure)) return error;
  const { request, target } = invocation;
  const what = `the client can't make this call: ${oneLine(failure.message)}`;
  const message = sentences(what, "Nothing was sent; see the settings of new LambdaClient()");
  return new ConfigurationError(message, { request, target, cause: error });
}

/** An exception of the SDK's, as far as we look at it. */
interface SdkError extends Error {
  readonly $fault?: "client" | "server";
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string };
  readonly Reason?: string;
  readonly retryAfterSeconds?: string;
}

/** The answer that an exception stands for which a mock throws. */
function mockedAnswer(error: SdkError): WireResponse | undefined {
  const { name, message, $fault, $metadata, Reason, retryAfterSeconds } = error;
  const status = $metadata?.httpStatusCode ?? ($fault === "client" ? 400 : 500);
  if ($fault === undefined && $metadata?.httpStatusCode === undefined) return undefined;
  const headers = {
    "x-amzn-errortype": name,
    ...($metadata?.requestId !== undefined && { "x-amzn-requestid": $metadata.requestId }),
    ...(retryAfterSeconds !== undefined && { "retry-after": retryAfterSeconds }),
  };
  return { status, headers, body: Buffer.from(JSON.stringify({ message, Reason })) };
}

/** No region, no credentials (or the service that gives them said no), an endpoint that can't be. */
function isSetting(error: SdkError): boolean {
  if (!(error instanceof Error)) return false;
  const { name, message, $fault } = error;
  if ($fault !== undefined || /ProviderError$|^EndpointError$/.test(name)) return true;
  return /^(?:Region |Credential is missing|Resolved credential object is not valid)/.test(message);
}

export function endpointOf({ request }: Passage, region = "us-east-1"): Endpoint {
  const { protocol = "https:", hostname = "localhost", port } = request ?? {};
  return {
    ...parseEndpointUrl(`${protocol}//${hostname}${port === undefined ? "" : `:${port}`}`),
    signingRegion: region,
  };
}
