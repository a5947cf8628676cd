/**
 * The names of Lambda's errors, and what to do about each:
 * https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors
 */

const MISCONFIGURED = "Lambda can't set the function up; its configuration has to be mended first.";
const NOT_YET = "Lambda is still setting the function up; try again in a moment.";
const NETWORK = "Check the subnets and security groups in the function's VPC configuration.";
const FILE_SYSTEM = "Check the function's file system: its mount target, and the way to it through the VPC.";
const KEY = "Check the KMS key of the function's environment variables, and what its role may do with it.";
const TOO_LARGE = "Send less, or put the data into S3 and send where it is.";
const PACKAGE = "The function's code package is not available to Lambda; see its state.";
const SNAPSHOT = "Look into the function's log for what its SnapStart hooks did.";

/** By name. An empty text where the message itself says all that there is to say. */
const ADVICE: Readonly<Record<string, string>> = {
  AccessDeniedException: "",
  CodeArtifactUserDeletedException: PACKAGE,
  CodeArtifactUserFailedException: PACKAGE,
  CodeArtifactUserPendingException: NOT_YET,
  DurableExecutionAlreadyStartedException:
    "This execution name has been used with another payload; choose a new name, or send the same payload.",
  EC2AccessDeniedException: NETWORK,
  EC2ThrottledException: "EC2 throttled Lambda while it set the function up; try again.",
  EC2UnexpectedException: MISCONFIGURED,
  EFSIOException: FILE_SYSTEM,
  EFSMountConnectivityException: FILE_SYSTEM,
  EFSMountFailureException: FILE_SYSTEM,
  EFSMountTimeoutException: FILE_SYSTEM,
  ENILimitReachedException: NETWORK,
  ENINotReadyException: NOT_YET,
  ExpiredTokenException: "The session token is over; fetch new credentials.",
  IncompleteSignatureException: "Something between here and Lambda changes headers; check proxies and the endpoint.",
  InvalidParameterValueException: "",
  InvalidRequestContentException: "",
  InvalidRuntimeException: MISCONFIGURED,
  InvalidSecurityGroupIDException: NETWORK,
  InvalidSignatureException: "Check the secret key, this machine's clock, and proxies that change headers.",
  InvalidSubnetIDException: NETWORK,
  InvalidZipFileException: MISCONFIGURED,
  KMSAccessDeniedException: KEY,
  KMSDisabledException: KEY,
  KMSInvalidStateException: KEY,
  KMSNotFoundException: KEY,
  MissingAuthenticationTokenException: "No signature arrived; check proxies and the endpoint.",
  ModeNotSupportedException: "The function can't be invoked with this invocationType.",
  NoPublishedVersionException: "Publish a version of the function, or name one that exists.",
  RecursiveInvocationException:
    "Lambda stopped a loop in which functions invoke each other; see the function's recursive loop configuration.",
  RequestEntityTooLargeException: TOO_LARGE,
  RequestTooLargeException: TOO_LARGE,
  ResourceConflictException: "The function is being created or changed; try again when its state is Active.",
  ResourceNotFoundException: "Check the name, which is case-sensitive, the qualifier, the region and the account.",
  ResourceNotReadyException: NOT_YET,
  S3FilesMountConnectivityException: FILE_SYSTEM,
  S3FilesMountFailureException: FILE_SYSTEM,
  S3FilesMountTimeoutException: FILE_SYSTEM,
  SerializedRequestEntityTooLargeException: TOO_LARGE,
  ServiceException: "",
  ServiceQuotaExceededException: "Ask AWS for a higher quota, or use less of it.",
  SnapStartException: SNAPSHOT,
  SnapStartNotReadyException: NOT_YET,
  SnapStartRegenerationFailureException: SNAPSHOT,
  SnapStartTimeoutException: SNAPSHOT,
  SubnetIPAddressLimitReachedException: NETWORK,
  TooManyRequestsException: "",
  UnrecognizedClientException: "The access key is not known in this partition; check it, and the region.",
  UnsupportedMediaTypeException: "",
  ValidationException: "",
};

/** Which limit a `TooManyRequestsException` is about, by its `Reason`. */
const LIMITS: Readonly<Record<string, string>> = {
  CallerRateLimitExceeded: "The caller makes more requests a second than Lambda takes from one; send fewer.",
  ConcurrentInvocationLimitExceeded:
    "All of the account's concurrency in this region is in use; raise the account's quota, or run less at a time.",
  ConcurrentSnapshotCreateLimitExceeded: "Too many SnapStart snapshots are being made in the account; try again.",
  FunctionInvocationRateLimitExceeded:
    "More requests a second than ten times the function's concurrency; send fewer, or raise the concurrency.",
  ReservedFunctionConcurrentInvocationLimitExceeded:
    "All of the function's reserved concurrency is in use (with 0 it can't be invoked at all); raise it, or run less at a time.",
  ReservedFunctionInvocationRateLimitExceeded:
    "More requests a second than ten times the function's reserved concurrency; send fewer, or raise it.",
};

/** AWS's own spelling: some emulators leave `Exception` out. */
export function canonicalName(name: string): string {
  const whole = `${name}Exception`;
  return !Object.hasOwn(ADVICE, name) && Object.hasOwn(ADVICE, whole) ? whole : name;
}

/** Is it one of Lambda's? A proxy on the way has names of its own. */
export function isLambdaError(name: string): boolean {
  return Object.hasOwn(ADVICE, name);
}

/** What to do about an error; empty when nothing is known. */
export function adviceFor(name: string, reason: string | undefined): string {
  const limit = reason !== undefined && Object.hasOwn(LIMITS, reason) ? LIMITS[reason] : undefined;
  return limit ?? (Object.hasOwn(ADVICE, name) ? (ADVICE[name] ?? "") : "");
}
