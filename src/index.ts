/**
 * lambda-requests: `fetch` for AWS Lambda. Every public name is listed here by hand.
 *
 * @packageDocumentation
 */

export type { Auth, PreparedRequest } from "./auth.ts";
export type { CookiesInput } from "./cookie-header.ts";
export type { SavedCookies, SessionCookies } from "./cookies.ts";
export {
  ConfigurationError,
  type Correction,
  type ErrorDetails,
  FunctionError,
  type FunctionFailure,
  type FunctionFailureKind,
  HTTPError,
  InvalidTargetError,
  InvokeError,
  LambdaRequestsError,
  type Outcome,
  PayloadTooLargeError,
  type RequestSummary,
  TimeoutError,
  TooManyRedirectsError,
  UnsafeRedirectError,
} from "./errors.ts";
export { createFetch, fetch, type LambdaFetch, type LambdaUrlText } from "./fetch.ts";
export type { PayloadFormat } from "./formats/formats.ts";
export type { InvocationInfo, InvocationReport } from "./invocation-info.ts";
export { type AwsSettings, awsInvoker } from "./invoke/aws.ts";
export type { AwsCredentials, CredentialsProvider } from "./invoke/credentials.ts";
export { type Handler, type HandlerContext, type HandlerOptions, handlerInvoker } from "./invoke/handler.ts";
export type {
  FunctionLocation,
  Invocation,
  InvocationEnd,
  InvocationResult,
  InvocationType,
  Invoker,
  PayloadIterator,
  PayloadStream,
  Progress,
  RetryInfo,
  RetryPolicy,
} from "./invoke/invoker.ts";
export { type SdkClient, sdkInvoker } from "./invoke/sdk.ts";
export type { InvokeTrace, RequestTrace, RetryTrace } from "./invoke/tracing.ts";
export type { LambdaOptions, RequestOptions, RetryOptions } from "./options.ts";
export type { BodyOptions, FileInput, ParamsInput, ParamValue } from "./prepare.ts";
export type { ServerSentEvent } from "./read-stream.ts";
export type { BodyInput, HeadersInput, LambdaRequestInit } from "./request.ts";
export { LambdaResponse } from "./response.ts";
export type { ResponsePromise } from "./response-promise.ts";
export { Session, type Verb } from "./session.ts";
export type {
  AfterResponse,
  BeforeRequest,
  Hooks,
  OnRetry,
  SessionOptions,
  SessionRequestOptions,
} from "./session-options.ts";
export { formatTarget, parseTarget, type Target } from "./target.ts";
