/** What a caller is told when Lambda refuses a call, does not answer, or the function behind it fails. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createNetServer, type Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FunctionError, InvokeError, TimeoutError } from "../../src/errors.ts";
import { type AwsSettings, awsInvoker } from "../../src/invoke/aws.ts";
import type { Invocation } from "../../src/invoke/invoker.ts";
import type { LambdaResponse } from "../../src/response.ts";
import { Session } from "../../src/session.ts";
import type { SessionOptions } from "../../src/session-options.ts";
import { parseFunction } from "../../src/target.ts";
import { CLOSED_PORT } from "../support/sockets.ts";

const ARN = "arn:aws:lambda:eu-west-1:123456789012:function:orders";
const ID = "8b3ba6c4-5a0c-4e5b-9c25-4b5a4b5cdd1b";
const APP = "http+lambda://orders/v1";
const settings = {
  region: "eu-west-1",
  credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" },
} satisfies AwsSettings;

interface Answer {
  status?: number;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
}

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly names: readonly string[];
  readonly body: Buffer;
}

let answer: Answer = {};
/** In place of the answer. */
let respond: ((response: ServerResponse) => void) | undefined;
let received: Received[] = [];
let endpoint: string;
const closers: (() => void)[] = [];

beforeEach(async () => {
  answer = {};
  respond = undefined;
  received = [];
  const server = createServer(async (request, response) => {
    const names = request.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
    received.push({ headers: request.headers, names, body: await buffer(request) });
    if (respond !== undefined) respond(response);
    else response.writeHead(answer.status ?? 200, answer.headers).end(answer.body ?? "{}");
  });
  endpoint = `http://127.0.0.1:${await listen(server)}`;
  closers.push(() => server.closeAllConnections());
});
afterEach(() => {
  vi.useRealTimers();
  for (const close of closers.splice(0)) close();
});

async function listen(server: ReturnType<typeof createNetServer>): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

function invocation(name = "orders", given: Partial<Invocation> = {}): Invocation {
  const request = { method: "POST", url: APP };
  return { target: parseFunction(name), payload: Buffer.from('{"a":1}'), logs: false, request, ...given };
}

/** What becomes of an answer of Lambda's that is an error: one attempt, nothing retried. */
async function refusal(given: Answer, one = invocation()): Promise<InvokeError> {
  answer = given;
  const invoker = awsInvoker({ ...settings, endpoint });
  closers.push(() => void invoker.close?.());
  const error = await invoker.invoke(one).then(
    () => new Error("it was answered"),
    (reason: unknown) => reason,
  );
  if (error instanceof InvokeError) return error;
  throw error;
}

function makeSession(options: SessionOptions = {}): Session {
  const session = new Session({ ...settings, endpoint, retry: false, ...options });
  closers.push(() => void session.close());
  return session;
}

async function failure<Failure extends Error>(
  call: Promise<unknown>,
  kind: abstract new (...args: never[]) => Failure,
): Promise<Failure> {
  const error = await call.then(
    () => new Error("it was answered"),
    (reason: unknown) => reason,
  );
  if (error instanceof kind) return error;
  throw error;
}

// Every error of the API that is known, its status, and the key under which its message stands.
const ERRORS: readonly [name: string, status: number, key: "message" | "Message"][] = [
  ["TooManyRequestsException", 429, "message"],
  ["EC2ThrottledException", 502, "Message"],
  ["ServiceException", 500, "Message"],
  ["ResourceNotReadyException", 502, "message"],
  ["ENINotReadyException", 502, "Message"],
  ["InvalidZipFileException", 502, "Message"],
  ["InvalidRuntimeException", 502, "Message"],
  ["InvalidSubnetIDException", 502, "Message"],
  ["InvalidSecurityGroupIDException", 502, "Message"],
  ["ENILimitReachedException", 502, "Message"],
  ["SubnetIPAddressLimitReachedException", 502, "Message"],
  ["EC2AccessDeniedException", 502, "Message"],
  ["EC2UnexpectedException", 502, "Message"],
  ["KMSAccessDeniedException", 502, "Message"],
  ["KMSDisabledException", 502, "Message"],
  ["KMSInvalidStateException", 502, "Message"],
  ["KMSNotFoundException", 502, "Message"],
  ["ResourceNotFoundException", 404, "Message"],
  ["ResourceConflictException", 409, "message"],
  ["SnapStartNotReadyException", 409, "Message"],
  ["SnapStartRegenerationFailureException", 409, "Message"],
  ["CodeArtifactUserPendingException", 409, "message"],
  ["CodeArtifactUserFailedException", 409, "message"],
  ["CodeArtifactUserDeletedException", 409, "message"],
  ["DurableExecutionAlreadyStartedException", 409, "Message"],
  ["SnapStartTimeoutException", 408, "Message"],
  ["EFSMountTimeoutException", 408, "Message"],
  ["EFSMountConnectivityException", 408, "Message"],
  ["S3FilesMountTimeoutException", 408, "Message"],
  ["S3FilesMountConnectivityException", 408, "Message"],
  ["EFSIOException", 410, "Message"],
  ["EFSMountFailureException", 403, "Message"],
  ["S3FilesMountFailureException", 403, "Message"],
  ["SnapStartException", 400, "Message"],
  ["RecursiveInvocationException", 400, "Message"],
  ["NoPublishedVersionException", 400, "Message"],
  ["InvalidParameterValueException", 400, "message"],
  ["InvalidRequestContentException", 400, "message"],
  ["ModeNotSupportedException", 400, "message"],
  ["ValidationException", 400, "message"],
  ["ServiceQuotaExceededException", 402, "Message"],
  ["RequestTooLargeException", 413, "message"],
  ["SerializedRequestEntityTooLargeException", 413, "message"],
  ["RequestEntityTooLargeException", 413, "Message"],
  ["UnsupportedMediaTypeException", 415, "message"],
  ["AccessDeniedException", 403, "Message"],
  ["UnrecognizedClientException", 403, "message"],
  ["ExpiredTokenException", 403, "message"],
  ["InvalidSignatureException", 403, "message"],
  ["MissingAuthenticationTokenException", 403, "message"],
];

describe("an error's name", () => {
  const said = "It did not work";
  const reason = "SomeReason";
  type Form = (name: string, key: string) => { name?: string; body: string };
  const json = (key: string, more: object = {}): string =>
    JSON.stringify({ Reason: reason, Type: "User", [key]: said, ...more });
  const FORMS: Readonly<Record<string, Form>> = {
    "in the header": (name, key) => ({ name, body: json(key) }),
    "in the header, with a URL behind it": (name, key) => ({
      name: `${name}:http://internal.amazon.com/coral/com.amazonaws.lambda/`,
      body: json(key),
    }),
    "in the header, with a lone colon behind it": (name, key) => ({ name: `${name}:`, body: json(key) }),
    "in the header, as SAM writes it": (name, key) => ({ name: name.replace(/Exception$/, ""), body: json(key) }),
    "in `code`": (name, key) => ({ body: json(key, { code: name }) }),
    "in `__type`": (name, key) => ({ body: json(key, { __type: name }) }),
    "in `__type`, in a namespace": (name, key) => ({ body: json(key, { __type: `com.amazonaws.lambda#${name}` }) }),
    "in `__type`, without its end": (name, key) => ({ body: json(key, { __type: name.replace(/Exception$/, "") }) }),
    "in XML": (name) => ({
      body: `<?xml version="1.0"?>\n<${name}>\n  <Type>User</Type>\n  <Message>${said}</Message>\n</${name}>`,
    }),
    "in XML, as other services write it": (name) => ({
      body: `<ErrorResponse><Error><Code>${name}</Code><Message>${said}</Message></Error></ErrorResponse>`,
    }),
  };

  describe.each(Object.entries(FORMS))("%s", (form, make) => {
    test.each(ERRORS)("%s", async (code, status, key) => {
      const { name, body } = make(code, key);
      const headers = { "x-amzn-RequestId": ID, ...(name !== undefined && { "x-amzn-ErrorType": name }) };
      const error = await refusal({ status, headers, body });
      const outcome = code === "ServiceException" ? "unknown" : "not-started";
      expect(error).toMatchObject({ name: "InvokeError", code, status, requestId: ID, outcome, attempts: 1 });
      expect(error.reason).toBe(form.startsWith("in XML") ? undefined : reason);
      expect(error.message).toContain(`, ${code}: ${said}. `.trimEnd().replace(/\.$/, ""));
      expect(error.message.startsWith(`POST ${APP}: `)).toBe(true);
    });
  });

  test.each(ERRORS)("%s is told in `message` and in `Message`", async (name, status) => {
    for (const key of ["message", "Message"]) {
      const error = await refusal({ status, headers: { "x-amzn-ErrorType": name }, body: `{"${key}":"${said}"}` });
      expect(error.message).toContain(`, ${name}: ${said}`);
    }
  });

  test("a name that a body only quotes is not the error's", async () => {
    const quoted = "<KMSDisabledException>x</KMSDisabledException> <Code>KMSDisabledException</Code>";
    for (const body of [
      JSON.stringify({ message: quoted }),
      JSON.stringify({ error: quoted }),
      `<html><title>Bad Gateway</title><pre>${quoted.replace(/<Code.*/, "")}</pre></html>`,
      `upstream said ${quoted.replace(/<Code.*/, "")}`,
    ]) {
      expect(await refusal({ status: 502, body })).toMatchObject({ code: "HTTP_502", outcome: "unknown" });
    }
  });

  test("a Reason that is no word is none", async () => {
    for (const Reason of ["", "two words", "x".repeat(101), 7, null, ["a"], { a: 1 }]) {
      const body = JSON.stringify({ Reason, message: "x" });
      expect(await refusal({ status: 429, body })).not.toHaveProperty("reason");
    }
  });

  test("the request id of an XML body, where no header has it", async () => {
    const body = `<ErrorResponse><Error><Code>X</Code></Error><RequestId>${ID}</RequestId></ErrorResponse>`;
    expect((await refusal({ status: 403, body })).requestId).toBe(ID);
    expect(await refusal({ status: 403, body: "<RequestId>a b</RequestId>" })).not.toHaveProperty("requestId");
  });
});

describe("a body that is nothing of Lambda's", () => {
  const MEGABYTE = 1024 * 1024;
  const BODIES: Readonly<Record<string, string | Uint8Array>> = {
    nothing: "",
    "white space": " \r\n\t ",
    null: "null",
    "an array": '[{"message":"x"}]',
    "a number": "7",
    "a string": '"x"',
    "JSON that is cut": '{"message":"x',
    "JSON of odd types": '{"message":{"a":1},"Message":[1],"code":{},"__type":7,"Reason":{"toString":1}}',
    "JSON with a prototype": '{"__proto__":{"message":"x","code":"Injected"},"constructor":1}',
    "JSON, deep": `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`,
    HTML: "<!DOCTYPE html><html><head><style>p{color:red}</style></head><body><h1>Nope</h1></body></html>",
    "HTML with a title": "<html><head><title>\n 403\n Forbidden\n</title></head><body>no</body></html>",
    "HTML that is cut": "<html><head><title>403 Forbid",
    tags: "<".repeat(100_000),
    "bytes that are no UTF-8": Uint8Array.from({ length: 1000 }, (_, index) => 0x80 + (index % 0x80)),
    "zero bytes": new Uint8Array(1000),
    "control characters": "\u001b[31mred\u0007\u009b0m\u0085\u2028\u2029x\u007f",
    "5 MB of letters": "x".repeat(5 * MEGABYTE),
    "5 MB of white space": `${" ".repeat(5 * MEGABYTE)}x`,
    "5 MB of JSON": JSON.stringify({ message: "x".repeat(5 * MEGABYTE) }),
    "60 KB of white space in JSON": JSON.stringify({ message: `a${" ".repeat(60_000)}b` }),
    "60 KB of full stops in JSON": JSON.stringify({ message: `a${".".repeat(60_000)}b` }),
    "60 KB of names in JSON": JSON.stringify({ message: "function:cookie".repeat(4_000) }),
    "5 MB of bytes": new Uint8Array(5 * MEGABYTE).fill(0xff),
    "5 MB of lines": "a\n".repeat(2.5 * MEGABYTE),
  };

  test.each(Object.entries(BODIES))("%s is an InvokeError of one short line", async (_name, body) => {
    for (const [status, outcome] of [
      [403, "not-started"],
      [502, "unknown"],
    ] as const) {
      const error = await refusal({ status, body });
      expect(error).toMatchObject({ code: `HTTP_${status}`, status, outcome });
      expect(error.message).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
      expect(error.message.length).toBeLessThan(700);
      expect(error).not.toHaveProperty("reason");
    }
  });

  test("an error's name in the header stands, whatever the body is", async () => {
    for (const body of Object.values(BODIES)) {
      const error = await refusal({ status: 502, headers: { "x-amzn-ErrorType": "KMSDisabledException" }, body });
      expect(error).toMatchObject({ code: "KMSDisabledException", outcome: "not-started" });
      expect(error.message.length).toBeLessThan(800);
    }
  });

  test.each<[string, string, string]>([
    [
      "the title of HTML",
      "<html><head><title>\n 403\n Forbidden\n</title></head><body>no</body></html>",
      "403 Forbidden",
    ],
    ["the text of HTML without one", "<html><body><h1>Access</h1><p>denied</p></body></html>", "Access denied"],
    [
      "nginx's title",
      "<html><head><title>401 Authorization Required</title></head></html>",
      "401 Authorization Required",
    ],
    ["text", "upstream connect error or disconnect/reset before headers", "upstream connect error or disconnect/reset"],
  ])("%s is told", async (_name, body, said) => {
    expect((await refusal({ status: 403, body })).message).toContain(`, HTTP_403: ${said}`);
  });

  test("a name that is no word stays short", async () => {
    for (const code of ["x".repeat(5000), " ", "\u001b[2J", "a\nb", "#", ":", ","]) {
      const error = await refusal({ status: 403, body: JSON.stringify({ code, __type: code }) });
      expect(error.code).not.toMatch(/\p{Cc}/u);
      expect(error.code.trim()).not.toBe("");
      expect(error.message.length).toBeLessThan(700);
    }
  });
});

describe("what to do", () => {
  const named = (name: string, status: number, body: object, one?: Invocation): Promise<InvokeError> =>
    refusal({ status, headers: { "x-amzn-ErrorType": name }, body: JSON.stringify(body) }, one);

  test.each([
    ["CallerRateLimitExceeded", "The caller makes more requests a second than Lambda takes from one; send fewer."],
    [
      "ConcurrentInvocationLimitExceeded",
      "All of the account's concurrency in this region is in use; raise the account's quota, or run less at a time.",
    ],
    ["ConcurrentSnapshotCreateLimitExceeded", "Too many SnapStart snapshots are being made in the account; try again."],
    [
      "FunctionInvocationRateLimitExceeded",
      "More requests a second than ten times the function's concurrency; send fewer, or raise the concurrency.",
    ],
    [
      "ReservedFunctionConcurrentInvocationLimitExceeded",
      "All of the function's reserved concurrency is in use (with 0 it can't be invoked at all); raise it, or run less at a time.",
    ],
    [
      "ReservedFunctionInvocationRateLimitExceeded",
      "More requests a second than ten times the function's reserved concurrency; send fewer, or raise it.",
    ],
  ])("throttled by %s: which limit that is", async (Reason, advice) => {
    const error = await named("TooManyRequestsException", 429, { Reason, Type: "User", message: "Rate Exceeded." });
    expect(error.reason).toBe(Reason);
    expect(error.message).toBe(
      `POST ${APP}: Lambda refused to invoke orders in eu-west-1 for this POST, TooManyRequestsException: ` +
        `Rate Exceeded. ${advice}`,
    );
  });

  test("throttled for a reason that is not known, or that names a method of objects", async () => {
    for (const Reason of ["NewLimitExceeded", "constructor", "__proto__", "toString", undefined]) {
      const error = await named("TooManyRequestsException", 429, { Reason, message: "Rate Exceeded." });
      expect(error.message.endsWith(", TooManyRequestsException: Rate Exceeded.")).toBe(true);
    }
  });

  const caller = "User: arn:aws:sts::123456789012:assumed-role/shop/ada is not authorized to perform:";

  test("access denied: which action on which ARN, as Lambda says it", async () => {
    const resource = "arn:aws:lambda:eu-west-1:123456789012:function:orders:prod";
    const message = `${caller} lambda:InvokeFunction on resource: ${resource} because no identity-based policy allows the lambda:InvokeFunction action`;
    const error = await named("AccessDeniedException", 403, { Message: message }, invocation("orders:prod"));
    expect(error.message).toBe(
      `POST ${APP}: Lambda refused to invoke orders (qualifier prod) in eu-west-1 for this POST, AccessDeniedException: ` +
        `${message}. Allow lambda:InvokeFunction on ${resource} in the caller's policy, and for another account's ` +
        "function in the function's own as well.",
    );
  });

  test("access denied by a policy that says so", async () => {
    const message = `${caller} lambda:InvokeFunction on resource: ${ARN} with an explicit deny in a service control policy`;
    const { message: text } = await named("AccessDeniedException", 403, { Message: message });
    expect(
      text.endsWith(`. A policy denies lambda:InvokeFunction on ${ARN}; only a change of that policy can allow it.`),
    ).toBe(true);
    expect(text).not.toContain("Allow lambda:InvokeFunction");
  });

  test.each([
    ["orders", "arn:aws:lambda:eu-west-1:*:function:orders"],
    ["orders:prod", "arn:aws:lambda:eu-west-1:*:function:orders:prod"],
    ["123456789012:function:orders", ARN],
    ["cn-north-1:123456789012:function:orders", "arn:aws-cn:lambda:cn-north-1:123456789012:function:orders"],
    ["us-gov-west-1:123456789012:orders:prod", "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:orders:prod"],
    [`${ARN}:7`, `${ARN}:7`],
    [
      "arn:aws-cn:lambda:cn-north-1:123456789012:function:orders",
      "arn:aws-cn:lambda:cn-north-1:123456789012:function:orders",
    ],
  ])("access denied without a word: %s is %s", async (name, arn) => {
    for (const body of [{}, { Message: "Forbidden" }, { message: null }]) {
      const { message } = await named("AccessDeniedException", 403, body, invocation(name));
      expect(message).toContain(`. Allow lambda:InvokeFunction on ${arn} in the caller's policy, `);
    }
  });

  test("a function, a role and a user whose name is that of a header are told whole", async () => {
    const resource = "arn:aws:lambda:eu-west-1:123456789012:function:authorization";
    const message = `User: arn:aws:sts::123456789012:assumed-role/cookie/api-key is not authorized to perform: lambda:InvokeFunction on resource: ${resource} because no identity-based policy allows it`;
    const error = await named("AccessDeniedException", 403, { Message: message }, invocation("authorization"));
    expect(error.message).toContain(`${message}. Allow lambda:InvokeFunction on ${resource} in the caller's policy`);
    const missing = "Function not found: arn:aws:lambda:eu-west-1:123456789012:function:my-cookie:$LATEST";
    const notFound = await named("ResourceNotFoundException", 404, { Message: missing }, invocation("my-cookie"));
    expect(notFound.message).toContain(`: ${missing}. Check the name`);
    const value = "1 validation error detected: Value 'cookie-shop!' at 'functionName' failed";
    expect((await named("ValidationException", 400, { message: value })).message).toContain(value);
  });

  const CHECK = "Check the name, which is case-sensitive, the qualifier, the region and the account.";

  test.each<[who: string, name: string, said: string, found: string]>([
    [
      "the account is the ARN's",
      `${ARN}:prod`,
      "Function not found",
      "orders (qualifier prod) in eu-west-1, account 123456789012",
    ],
    [
      "the account is the one that Lambda names",
      "orders",
      "Function not found: arn:aws:lambda:eu-west-1:210987654321:function:orders:$LATEST",
      "orders in eu-west-1, account 210987654321",
    ],
    [
      "the account is not known",
      "orders:7",
      "Function not found",
      "orders (qualifier 7) in eu-west-1, in the caller's own account",
    ],
    [
      "the region is the ARN's",
      "arn:aws:lambda:us-east-2:123456789012:function:orders",
      "Functions from 'us-east-2' are not reachable in this region ('eu-west-1')",
      "orders in us-east-2, account 123456789012",
    ],
  ])("not found: %s", async (_who, name, said, found) => {
    const error = await named("ResourceNotFoundException", 404, { Message: said, Type: "User" }, invocation(name));
    expect(error.message).toBe(
      `POST ${APP}: Lambda knows no function ${found}, ResourceNotFoundException: ${said}. ${CHECK}`,
    );
  });

  test("not found, and not a word", async () => {
    const { message } = await named("ResourceNotFoundException", 404, {});
    expect(message).toBe(
      `POST ${APP}: Lambda knows no function orders in eu-west-1, in the caller's own account, ` +
        `ResourceNotFoundException. ${CHECK}`,
    );
  });

  test.each(["RequestEntityTooLargeException", "RequestTooLargeException", "SerializedRequestEntityTooLargeException"])(
    "%s: how large the event was, and what Lambda takes",
    async (name) => {
      const payload = Buffer.alloc(1234, " ");
      const Message = "Request must be smaller than 6291456 bytes for the InvokeFunction operation";
      const error = await named(name, 413, { Message }, invocation("orders", { payload }));
      expect(error.message).toContain(
        `${name}: ${Message}. The event has 1234 bytes, and Lambda takes 6291456 of this kind. ` +
          "Send less, or put the data into S3 and send where it is.",
      );
      const queued = invocation("orders", { payload, invocationType: "Event" });
      expect((await named(name, 413, { Message: "" }, queued)).message).toContain(
        `${name}. The event has 1234 bytes, and Lambda takes 1048576 of this kind. Send less`,
      );
    },
  );

  test.each<[name: string, status: number, advice: string]>([
    ["ResourceConflictException", 409, "try again when its state is Active."],
    ["KMSAccessDeniedException", 502, "Check the KMS key of the function's environment variables"],
    ["ENILimitReachedException", 502, "Check the subnets and security groups"],
    ["EFSMountFailureException", 403, "Check the function's file system"],
    ["ExpiredTokenException", 403, "fetch new credentials."],
    ["UnrecognizedClientException", 403, "The access key is not known in this partition"],
    ["RecursiveInvocationException", 400, "a loop in which functions invoke each other"],
    ["ModeNotSupportedException", 400, "can't be invoked with this invocationType."],
    ["SnapStartNotReadyException", 409, "try again in a moment."],
    ["InvalidRuntimeException", 502, "its configuration has to be mended first."],
  ])("%s has advice of its own", async (name, status, advice) => {
    for (const Message of ["It failed", "It failed.", "It failed. \n", ""]) {
      const error = await named(name, status, { Message });
      expect(error.message).toContain(advice);
      expect(error.message).toContain(Message === "" ? `, ${name}. ` : `, ${name}: It failed. `);
      expect(error.message).not.toMatch(/\.\.|\. \./);
    }
  });
});

describe("retryAfter", () => {
  const hint = async (headers: Record<string, string>): Promise<number | undefined> =>
    (await refusal({ status: 429, headers, body: "{}" })).retryAfter;

  test.each([
    ["7", 7000],
    ["0", 0],
    ["3600", 3_600_000],
  ])("seconds: %s", async (value, milliseconds) => {
    expect(await hint({ "Retry-After": value })).toBe(milliseconds);
  });

  test("a date", async () => {
    // Far enough away for the slowest machine.
    const delay = await hint({ "Retry-After": new Date(Date.now() + 600_000).toUTCString() });
    expect(delay).toBeGreaterThan(480_000);
    expect(delay).toBeLessThanOrEqual(600_000);
  });

  test.each(["soon", "", "Wed, 21 Oct 2015 07:28:00 GMT", "-5", "1e3x", "NaN", "Infinity"])(
    "%j says nothing",
    async (value) => {
      expect(await hint({ "Retry-After": value })).toBeUndefined();
    },
  );

  test("AWS's own header counts in milliseconds", async () => {
    expect(await hint({ "x-amz-retry-after": "250" })).toBe(250);
    expect(await hint({ "x-amz-retry-after": "soon" })).toBeUndefined();
  });

  test("without a header there is none", async () => {
    expect(await refusal({ status: 429, body: "{}" })).not.toHaveProperty("retryAfter");
  });
});

describe("no answer", () => {
  const fakeTimers = (): void => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const ATTEMPTS = { attempts: 1, code: "ERR_TIMEOUT", name: "TimeoutError" };

  test("a time limit while the function is at work: it may still be running", async () => {
    fakeTimers();
    const arrived = new Promise<void>((resolve) => {
      respond = () => resolve();
    });
    const call = failure(makeSession().post(APP, { data: "x", timeout: 1500 }), TimeoutError);
    await arrived;
    vi.advanceTimersByTime(1500);
    const error = await call;
    expect(error).toMatchObject({ ...ATTEMPTS, outcome: "unknown", target: { functionName: "orders" } });
    expect(error.message).toBe(`POST ${APP}: no answer within 1500 ms; the function may still be running`);
  });

  test("a time limit while credentials are fetched: nothing was sent", async () => {
    fakeTimers();
    let asked: () => void = () => undefined;
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const session = makeSession({
      credentials: () => {
        asked();
        return new Promise(() => undefined);
      },
    });
    const call = failure(session.get(APP, { timeout: 1500 }), TimeoutError);
    await isAsked;
    vi.advanceTimersByTime(1500);
    const error = await call;
    expect(error).toMatchObject({ ...ATTEMPTS, outcome: "not-started" });
    expect(error.message).toBe(`GET ${APP}: no answer within 1500 ms; nothing was sent`);
    expect(received).toEqual([]);
  });

  test("a time limit while a free connection is waited for: nothing was sent", async () => {
    fakeTimers();
    const arrived = new Promise<void>((resolve) => {
      respond = () => resolve();
    });
    const session = makeSession({ maxSockets: 1 });
    const first = failure(session.get(`${APP}/1`, { timeout: 9000 }), TimeoutError);
    await arrived;
    const second = failure(session.get(`${APP}/2`, { timeout: 1500 }), TimeoutError);
    // Credentials and region are known by now, so that it waits for the connection alone.
    await new Promise(setImmediate);
    vi.advanceTimersByTime(1500);
    expect(await second).toMatchObject({ outcome: "not-started" });
    expect((await second).message).toContain("; nothing was sent");
    vi.advanceTimersByTime(7500);
    expect(await first).toMatchObject({ outcome: "unknown" });
    expect(received).toHaveLength(1);
  });

  test("a time limit within a handshake: nothing was sent", async () => {
    fakeTimers();
    const server = createNetServer();
    const port = await listen(server);
    const call = failure(
      makeSession({ endpoint: `https://127.0.0.1:${port}` }).post(APP, { data: "x", timeout: 1500 }),
      TimeoutError,
    );
    const [socket] = (await once(server, "connection")) as [Socket];
    closers.push(() => socket.destroy());
    // The client's part of the handshake.
    await once(socket, "data");
    vi.advanceTimersByTime(1500);
    expect(await call).toMatchObject({ ...ATTEMPTS, outcome: "not-started" });
    expect((await call).message).toContain("; nothing was sent");
  });

  test("the time limit of a connection: nothing was sent, and why", async () => {
    fakeTimers();
    const server = createNetServer();
    const port = await listen(server);
    const call = failure(
      makeSession({ endpoint: `https://127.0.0.1:${port}`, connectTimeout: 700 }).post(APP, { data: "x" }),
      InvokeError,
    );
    const [socket] = (await once(server, "connection")) as [Socket];
    closers.push(() => socket.destroy());
    await once(socket, "data");
    vi.advanceTimersByTime(700);
    expect(await call).toMatchObject({ name: "InvokeError", code: "ETIMEDOUT", outcome: "not-started", attempts: 1 });
    expect((await call).message).toBe(
      `POST ${APP}: could not connect to 127.0.0.1:${port} (ETIMEDOUT: no connection within 700 ms); nothing was sent. ` +
        "Check the endpoint and the network.",
    );
  });

  test.each<[when: string, answer: string]>([
    ["before an answer", ""],
    ["inside of the headers", "HTTP/1.1 200 OK\r\nContent-"],
    ["inside of the answer", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"],
    ["inside of a refusal", "HTTP/1.1 429 No\r\nContent-Length: 9\r\n\r\n{"],
  ])("a connection that is lost %s: the function may have run", async (_when, text) => {
    const port = await listen(createNetServer((socket) => void socket.once("data", () => socket.end(text))));
    const error = await failure(
      makeSession({ endpoint: `http://127.0.0.1:${port}` }).post(APP, { data: "x" }),
      InvokeError,
    );
    expect(error).toMatchObject({ code: "ECONNRESET", outcome: "unknown", attempts: 1 });
    expect(error.message).toMatch(
      new RegExp(
        `^POST http\\+lambda://orders/v1: the connection to 127\\.0\\.0\\.1:${port} was lost before the answer was ` +
          "complete \\(ECONNRESET: .+\\); the function may have run$",
      ),
    );
  });

  test("an answer that is no HTTP: the function may have run", async () => {
    const port = await listen(createNetServer((socket) => void socket.once("data", () => socket.end("SSH-2.0-x\r\n"))));
    const error = await failure(makeSession({ endpoint: `http://127.0.0.1:${port}` }).get(APP), InvokeError);
    expect(error).toMatchObject({ code: "HPE_INVALID_CONSTANT", outcome: "unknown" });
    expect(error.message.endsWith("; the function may have run")).toBe(true);
  });

  test("nobody listens: nothing was sent", async () => {
    const port = CLOSED_PORT;
    const error = await failure(
      makeSession({ endpoint: `http://127.0.0.1:${port}` }).post(APP, { data: "x" }),
      InvokeError,
    );
    expect(error).toMatchObject({ code: "ECONNREFUSED", outcome: "not-started", attempts: 1 });
    expect(error.message).toContain(`could not connect to 127.0.0.1:${port} (ECONNREFUSED: `);
    expect(error.message).toContain("; nothing was sent. Is the emulator running?");
  });
});

describe('functionErrors: "throw"', () => {
  const LOG = `START RequestId: ${ID} Version: 7\nboom\nREPORT RequestId: ${ID}\tDuration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 64 MB\t\n`;

  function failing(failure: object | string, logs?: string): void {
    answer = {
      headers: {
        "X-Amz-Function-Error": "Unhandled",
        "X-Amzn-RequestId": ID,
        "X-Amz-Executed-Version": "7",
        ...(logs !== undefined && { "X-Amz-Log-Result": Buffer.from(logs).toString("base64") }),
      },
      body: typeof failure === "string" ? failure : JSON.stringify(failure),
    };
  }
  const thrown = (options: object = {}): Promise<FunctionError> =>
    failure(makeSession({ functionErrors: "throw" }).put(APP, options), FunctionError);

  test("tells all that is known of the failure", async () => {
    failing({ errorType: "TypeError", errorMessage: "x is undefined", trace: ["TypeError: x", "    at f"] }, LOG);
    const error = await thrown({ logs: true });
    expect(error).toMatchObject({
      name: "FunctionError",
      code: "ERR_FUNCTION",
      kind: "exception",
      errorType: "TypeError",
      errorMessage: "x is undefined",
      stackTrace: ["TypeError: x", "    at f"],
      logs: LOG,
      request: { method: "PUT", url: APP },
      target: { functionName: "orders" },
    });
    expect(error.message).toBe(`PUT ${APP}: the function failed: TypeError: x is undefined`);
    const response = error.response as LambdaResponse;
    expect([response.status, await response.text()]).toEqual([502, "x is undefined"]);
    expect(response.invocation).toMatchObject({ requestId: ID, executedVersion: "7", attempts: 1 });
    expect(response.invocation.report).toMatchObject({ duration: 12.34, billedDuration: 13 });
    expect(received[0]?.headers["x-amz-log-type"]).toBe("Tail");
  });

  test("without logs there are none, and what the runtime does not say is absent", async () => {
    failing("segmentation fault");
    const error = await thrown();
    expect(error.message).toBe(`PUT ${APP}: the function failed: segmentation fault`);
    for (const name of ["logs", "errorType", "stackTrace"]) expect(error).not.toHaveProperty(name);
    expect(error.kind).toBe("exception");
  });

  test.each<[kind: string, failure: object, logs: string | undefined, advice: string]>([
    [
      "timeout",
      { errorType: "Sandbox.Timedout", errorMessage: `RequestId: ${ID} Error: Task timed out after 3.00 seconds` },
      undefined,
      "seconds. It ran into its own time limit: raise the function's timeout, or give it less to do.",
    ],
    [
      "timeout",
      { errorMessage: `2024-04-08T10:00:00.000Z ${ID} Task timed out after 1.00 seconds` },
      undefined,
      "seconds. It ran into its own time limit: raise the function's timeout, or give it less to do.",
    ],
    [
      "out-of-memory",
      { errorType: "Runtime.ExitError", errorMessage: "Runtime exited with error: signal: killed" },
      undefined,
      "killed. It needs more memory than it has: raise the function's memory size.",
    ],
    [
      "out-of-memory",
      { errorType: "Runtime.ExitError", errorMessage: "Runtime exited with error: exit status 1" },
      `REPORT RequestId: ${ID}\tStatus: error\tError Type: Runtime.OutOfMemory\t\n`,
      "status 1. It needs more memory than it has: raise the function's memory size.",
    ],
    [
      "crash",
      { errorType: "Runtime.ExitError", errorMessage: "Runtime exited without providing a reason" },
      undefined,
      "reason. Its process ended before it answered; its log (the option logs) says more.",
    ],
    [
      "too-large",
      { errorType: "Function.ResponseSizeTooLarge", errorMessage: "Response payload size exceeded." },
      undefined,
      "exceeded. Lambda returns at most 6 MB at once: return less, put it into S3 and return a link, or let the function stream its response.",
    ],
  ])("%s: and what to do about it", async (kind, payload, logs, advice) => {
    failing(payload, logs);
    const error = await thrown({ logs: logs !== undefined });
    expect(error.kind).toBe(kind);
    expect(error.message.endsWith(advice)).toBe(true);
    // The function's own words stay as they are.
    expect(error.errorMessage).toBe((payload as { errorMessage: string }).errorMessage);
  });

  test("full stops and line breaks at the end of the function's words are not doubled", async () => {
    for (const end of ["", ".", ". \n", "...", " . . "]) {
      failing({ errorType: "Sandbox.Timedout", errorMessage: `Task timed out${end}` });
      expect((await thrown()).message).toContain("Sandbox.Timedout: Task timed out. It ran into its own time limit: ");
    }
  });

  test("as a response, a result that is too large explains the way out", async () => {
    const errorMessage = "Response payload size exceeded maximum allowed payload size (6291556 bytes).";
    failing({ errorType: "Function.ResponseSizeTooLarge", errorMessage });
    const response = await makeSession().get(APP);
    expect([response.status, response.invocation.functionError?.kind]).toEqual([502, "too-large"]);
    expect(await response.text()).toBe(
      `${errorMessage}\n\n(Lambda returns at most 6 MB at once: return less, put it into S3 and return a link, or let ` +
        "the function stream its response.)",
    );
  });

  test("a message of megabytes of white space takes no time", async () => {
    const errorMessage = `Task timed out after 3.00 seconds${" .".repeat(1_000_000)}x`;
    failing({ errorType: "Sandbox.Timedout", errorMessage });
    const begin = performance.now();
    expect((await thrown()).errorMessage).toBe(errorMessage);
    // By a search that backtracks, hours.
    expect(performance.now() - begin).toBeLessThan(4000);
  });
});

describe("on the wire", () => {
  const OPTIONAL = ["x-amz-invocation-type", "x-amz-client-context", "x-amz-log-type"];

  test("of options at their defaults there is nothing", async () => {
    const session = makeSession();
    await session.get(APP);
    await session.get(APP, { invocationType: "RequestResponse", logs: false, clientContext: undefined });
    expect(received).toHaveLength(2);
    for (const { names } of received) expect(names.filter((name) => OPTIONAL.includes(name))).toEqual([]);
  });

  test("Event: asked for, signed, and a 202 without a body", async () => {
    answer = { status: 202, headers: { "X-Amzn-RequestId": ID }, body: "" };
    const response = await makeSession().post(APP, { json: { a: 1 }, invocationType: "Event" });
    expect([response.status, response.statusText, await response.text()]).toEqual([202, "Accepted", ""]);
    expect(response.invocation).toMatchObject({ requestId: ID, attempts: 1 });
    expect(received[0]?.headers["x-amz-invocation-type"]).toBe("Event");
    expect(received[0]?.headers.authorization).toMatch(/SignedHeaders=[^,]*;x-amz-invocation-type[;,]/);
    expect(JSON.parse(String(received[0]?.body))).toMatchObject({ httpMethod: "POST", body: '{"a":1}' });
  });

  test("Event: what an emulator answers with all the same is no answer of the function's", async () => {
    answer = { status: 200, body: '{"statusCode":201,"body":"made"}' };
    const response = await makeSession().post(APP, { invocationType: "Event" });
    expect([response.status, await response.text()]).toEqual([202, ""]);
  });

  test("DryRun: asked for, and a 204 without a body", async () => {
    answer = { status: 204, body: "" };
    const response = await makeSession().delete(APP, { invocationType: "DryRun" });
    expect([response.status, response.body, await response.text()]).toEqual([204, null, ""]);
    expect(received[0]?.headers["x-amz-invocation-type"]).toBe("DryRun");
  });

  test("the client context is base64 of its JSON, and signed", async () => {
    const clientContext = { custom: { größe: "XL" }, env: { locale: "de" }, client: { app_title: "shop" } };
    await makeSession().get(APP, { clientContext });
    const header = received[0]?.headers["x-amz-client-context"];
    expect(JSON.parse(Buffer.from(String(header), "base64").toString())).toEqual(clientContext);
    expect(received[0]?.headers.authorization).toMatch(/SignedHeaders=[^,]*;x-amz-client-context[;,]/);
  });

  test("a session's own hold for all, and give way to a request's", async () => {
    const session = makeSession({ invocationType: "Event", clientContext: { custom: { a: "1" } }, logs: true });
    await session.get(APP);
    await session.get(APP, { invocationType: "RequestResponse", clientContext: { custom: {} }, logs: false });
    const [first, second] = received.map(({ headers }) => OPTIONAL.map((name) => headers[name]));
    expect(first).toEqual(["Event", Buffer.from('{"custom":{"a":"1"}}').toString("base64"), "Tail"]);
    expect(second).toEqual([undefined, Buffer.from('{"custom":{}}').toString("base64"), undefined]);
  });
});

describe("an endpoint that does not stream", () => {
  const HINT =
    "Does the endpoint know InvokeWithResponseStream? Without the option responseStreaming, Invoke is called.";
  const streamed = { ...invocation(), responseStreaming: true };
  // serverless-offline, moto and SAM, as they answer a path that they don't have.
  const unknownPath: Answer[] = [
    { status: 404, body: '{"statusCode":404,"error":"Serverless-offline: route not found."}' },
    { status: 404, headers: { "content-type": "text/html" }, body: "<!doctype html><title>404 Not Found</title>" },
    { status: 404, body: '{"Type":"LocalService","Message":"PathNotFoundException"}' },
  ];

  test.each(unknownPath)("%j", async (answer) => {
    expect(await refusal(answer, streamed)).toMatchObject({ outcome: "not-started", status: 404 });
    expect((await refusal(answer, streamed)).message).toContain(HINT);
    expect((await refusal(answer)).message).not.toContain(HINT);
  });

  test("an error of Lambda's is none of that", async () => {
    const answer = { status: 404, headers: { "x-amzn-ErrorType": "ResourceNotFoundException" }, body: "{}" };
    expect((await refusal(answer, streamed)).message).not.toContain(HINT);
  });
});
