/** A client of AWS's own SDK, `@aws-sdk/client-lambda`, as the place where invocations go. */
import { ConfigurationError } from "../errors.ts";
import { functionIdentifier } from "../target.ts";
import { abortable } from "./abortable.ts";
import { oneLine } from "./aws-error.ts";
import { decodeMessages } from "./event-stream.ts";
import { NetworkError } from "./http.ts";
import { type Invocation, type InvocationEnd, type InvocationResult, type Invoker, isStreamed } from "./invoker.ts";
import { openBody } from "./open-body.ts";
import { incompleteError, readEnd, readPayload } from "./payload-stream.ts";
import { endpointOf, failureOf } from "./sdk-error.ts";
import { type Passage, watch } from "./sdk-passage.ts";

/** What is asked of a `LambdaClient`; a mock needs `send` alone. */
export interface SdkClient {
  send(command: object, options?: { readonly abortSignal?: AbortSignal }): Promise<unknown>;
  readonly config?: {
    region(): Promise<string>;
    credentials(): Promise<{ readonly accountId?: string }>;
    readonly systemClockOffset?: number;
  };
}

type Sdk = typeof import("@aws-sdk/client-lambda");
type Command = InstanceType<Sdk["InvokeCommand"] | Sdk["InvokeWithResponseStreamCommand"]>;
type Output = Partial<import("@aws-sdk/client-lambda").InvokeCommandOutput> &
  Partial<import("@aws-sdk/client-lambda").InvokeWithResponseStreamCommandOutput>;

/**
 * Invokes functions by a client of `@aws-sdk/client-lambda` 3, with its settings, its middleware (X-Ray's, say) and its
 * mocks. Each attempt is one request: the client's own retries, which would run a POST again when a connection drops, are
 * off for these commands, and `retry` decides instead. The client stays the caller's: closing a session does not destroy
 * it.
 *
 * @throws {ConfigurationError} when it is no client; on a call, when `@aws-sdk/client-lambda` is not installed, the client
 *   has no region or no credentials, or the URL names a function in another region than the client's.
 * @example
 * import { LambdaClient } from "@aws-sdk/client-lambda";
 *
 * const client = new LambdaClient({ region: "eu-west-1" });
 * const session = new Session({ invoker: sdkInvoker(client) });
 */
export function sdkInvoker(client: SdkClient): Invoker {
  if (typeof client?.send !== "function") {
    throw new ConfigurationError("sdkInvoker takes a client of @aws-sdk/client-lambda: new LambdaClient()");
  }
  let account: Promise<string | undefined> | undefined;

  return {
    async invoke(invocation, signal) {
      const { progress } = invocation;
      if (progress !== undefined) progress.sent = false;
      const region = await regionOf(client);
      checkRegion(invocation, region);
      const command = makeCommand(await loadSdk(), invocation);
      const passage = watch(command, invocation);
      const clockOffset = client.config?.systemClockOffset ?? 0;
      signal?.throwIfAborted();
      // Until it is seen at the wire: a client that makes a command of its own of ours is not seen there.
      if (progress !== undefined) progress.sent = true;
      try {
        // Options, even without a signal: without any, a client with `cacheMiddleware` keeps this command's middleware.
        const sending = client.send(command, signal === undefined ? {} : { abortSignal: signal });
        const output = ((await abortable(sending, signal)) ?? {}) as Output;
        return readOutput(passage, output, region, signal);
      } catch (error) {
        signal?.throwIfAborted();
        throw failureOf(error, passage, region, (client.config?.systemClockOffset ?? 0) - clockOffset);
      }
    },
    async locate(target) {
      const region = target.region ?? (await regionOf(client));
      // Asked once: where there are none, it takes a while to find that out, and a mocked client needs none.
      account ??= accountOf(client);
      const accountId = await account;
      return { ...(region !== undefined && { region }), ...(accountId !== undefined && { accountId }) };
    },
  };
}

/** `undefined` where there is none: the client says so itself, when it needs one. */
async function regionOf({ config }: SdkClient): Promise<string | undefined> {
  try {
    return await config?.region();
  } catch {
    return undefined;
  }
}

async function accountOf({ config }: SdkClient): Promise<string | undefined> {
  try {
    return (await config?.credentials())?.accountId;
  } catch {
    return undefined;
  }
}

function checkRegion({ target, request }: Invocation, region: string | undefined): void {
  if (target.region === undefined || region === undefined || target.region === region) return;
  throw new ConfigurationError(
    `the client is for ${region}, and the function is in ${target.region}; make a client for that region`,
    { request, target },
  );
}

async function loadSdk(): Promise<Sdk> {
  try {
    return await import("@aws-sdk/client-lambda");
  } catch (cause) {
    const message = `sdkInvoker needs the AWS SDK: npm install @aws-sdk/client-lambda (${oneLine(String(cause))})`;
    throw new ConfigurationError(message, { cause });
  }
}

function makeCommand({ InvokeCommand, InvokeWithResponseStreamCommand }: Sdk, invocation: Invocation): Command {
  const { target, payload, logs, invocationType = "RequestResponse" } = invocation;
  const { clientContext, tenantId, durableExecutionName } = invocation;
  const input = {
    FunctionName: functionIdentifier(target),
    Payload: payload,
    ...(target.qualifier !== undefined && { Qualifier: target.qualifier }),
    ...(logs && { LogType: "Tail" as const }),
    ...(clientContext !== undefined && { ClientContext: clientContext }),
    ...(tenantId !== undefined && { TenantId: tenantId }),
  };
  if (isStreamed(invocation) && InvokeWithResponseStreamCommand === undefined) {
    throw new ConfigurationError("this version of @aws-sdk/client-lambda can't stream responses; update it", {
      ...{ request: invocation.request, target },
    });
  }
  if (isStreamed(invocation)) return new InvokeWithResponseStreamCommand(input);
  return new InvokeCommand({
    ...input,
    ...(invocationType !== "RequestResponse" && { InvocationType: invocationType }),
    ...(durableExecutionName !== undefined && { DurableExecutionName: durableExecutionName }),
  });
}

function readOutput(
  passage: Passage,
  output: Output,
  region: string | undefined,
  signal: AbortSignal | undefined,
): InvocationResult {
  const { response, body } = passage;
  const { request, target } = passage.invocation;
  const { FunctionError, ExecutedVersion, LogResult, DurableExecutionArn, EventStream, Payload, $metadata } = output;
  const errorOf = (error: unknown): unknown =>
    signal?.aborted ? signal.reason : new NetworkError(error as NodeJS.ErrnoException, true);
  const stream =
    body === undefined
      ? EventStream && readEvents({ request, target }, EventStream)
      : readPayload({ request, target }, endpointOf(passage, region), openBody(body, decodeMessages, errorOf));
  const traceId = response?.headers["x-amzn-trace-id"];
  return {
    payload: stream ?? Payload ?? new Uint8Array(),
    ...(region && { region }),
    ...(FunctionError && { functionError: FunctionError }),
    ...($metadata?.requestId && { requestId: $metadata.requestId }),
    ...(ExecutedVersion && { executedVersion: ExecutedVersion }),
    ...(typeof traceId === "string" && traceId !== "" && { traceId }),
    ...(DurableExecutionArn && { durableExecutionArn: DurableExecutionArn }),
    ...(LogResult !== undefined && { logs: Buffer.from(LogResult, "base64").toString("utf8") }),
  };
}

/** The events that a mock gives. */
async function* readEvents(
  about: Pick<Invocation, "request" | "target">,
  events: NonNullable<Output["EventStream"]>,
): AsyncGenerator<Uint8Array, InvocationEnd, undefined> {
  let received = 0;
  for await (const { PayloadChunk, InvokeComplete } of events) {
    if (InvokeComplete !== undefined) return readEnd(InvokeComplete as Parameters<typeof readEnd>[0]);
    const piece = PayloadChunk?.Payload ?? new Uint8Array();
    received += piece.length;
    yield piece;
  }
  throw incompleteError(about, received);
}
