/** The context of a handler: https://docs.aws.amazon.com/lambda/latest/dg/nodejs-context.html */
import type { RuntimeInvocation } from "./runtime-client.ts";

/** What every handler is given. Those that do not stream get `done`, `fail` and `succeed` beside. */
export interface RuntimeContext {
  callbackWaitsForEmptyEventLoop: boolean;
  readonly functionVersion: string | undefined;
  readonly functionName: string | undefined;
  readonly memoryLimitInMB: string | undefined;
  readonly logGroupName: string | undefined;
  readonly logStreamName: string | undefined;
  readonly clientContext: unknown;
  readonly identity: unknown;
  readonly invokedFunctionArn: string;
  readonly awsRequestId: string;
  readonly tenantId: string | undefined;
  getRemainingTimeInMillis(): number;
}

export function makeContext(invocation: RuntimeInvocation): RuntimeContext {
  const { env } = process;
  const { requestId, deadline, functionArn, clientContext, identity, tenantId } = invocation;
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: parse(clientContext),
    identity: parse(identity),
    invokedFunctionArn: functionArn,
    awsRequestId: requestId,
    tenantId,
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
}

function parse(json: string | undefined): unknown {
  return json === undefined ? undefined : JSON.parse(json);
}
