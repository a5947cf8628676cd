/**
 * What AWS answered when it was asked, by recordings that others have published, beside what this answers: status, every
 * header, body. Ids and dates have the form of AWS's. Where no recording is known, AWS's own model of its API decides.
 */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ApiError } from "../../src/emulator/api-error.ts";
import {
  asyncPath,
  invokePath,
  runner,
  type Sent,
  send,
  startApi,
  streamPath,
  type TestApi,
} from "../support/emulator-api.ts";

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;
const DATE = /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/;
const TRACE = /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=[01];Lineage=\d+:[0-9a-f]{8}:\d+$/;
const BASE64 = /^[A-Za-z0-9+/]{1,5464}={0,2}$/;
const NUMBER = /^\d+$/;

type Fields = Readonly<Record<string, string | RegExp>>;

interface Recorded {
  readonly path: string;
  readonly sent?: Sent;
  readonly status: number;
  /** All of them. */
  readonly headers: Fields;
  /** A text, a pattern of one, or the fields of a JSON object, all of them. */
  readonly body: string | RegExp | Fields;
}

const ANY = { Connection: "keep-alive", "Keep-Alive": /^timeout=\d+$/, Date: DATE, "x-amzn-RequestId": UUID };
const RAN = { ...ANY, "x-amzn-Remapped-Content-Length": "0", "X-Amzn-Trace-Id": TRACE };
const RESULT = {
  ...RAN,
  "Content-Type": "application/json",
  "Content-Length": NUMBER,
  "X-Amz-Executed-Version": "$LATEST",
};
const error = (name: string): Fields => ({
  ...ANY,
  "Content-Type": "application/json",
  "Content-Length": NUMBER,
  "x-amzn-ErrorType": name,
});

const arn = (rest: string): string => `arn:aws:lambda:eu-west-1:000000000000:${rest}`;
const encoded = (name: string): string => invokePath(encodeURIComponent(name));
const qualified = (name: string, qualifier: string): string =>
  `${encoded(name)}?Qualifier=${encodeURIComponent(qualifier)}`;

const PATTERN = String.raw`(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?`;
const QUALIFIER_PATTERN = String.raw`\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+`;

const invalid = (...violations: string[]): Pick<Recorded, "status" | "headers" | "body"> => ({
  status: 400,
  headers: error("ValidationException"),
  body: {
    message: `${violations.length} validation error${violations.length > 1 ? "s" : ""} detected: ${violations.join("; ")}`,
  },
});
const badName = (name: string): string =>
  `Value '${name}' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: ${PATTERN}`;
const unknown = (rest: string): Pick<Recorded, "status" | "headers" | "body"> => ({
  status: 404,
  headers: error("ResourceNotFoundException"),
  body: { Type: "User", Message: `Function not found: ${arn(rest)}` },
});
const content = (message: string | RegExp): Pick<Recorded, "status" | "headers" | "body"> => ({
  status: 400,
  headers: error("InvalidRequestContentException"),
  body: { Type: "User", message },
});
const header = (name: string, value: string): Sent => ({ headers: { [name]: value } });
const broken = (name: string): Pick<Recorded, "path" | "status" | "headers" | "body"> => ({
  path: encoded(name),
  ...invalid(badName(name)),
});
const unrouted: Pick<Recorded, "status" | "headers" | "body"> = {
  status: 403,
  headers: { ...ANY, "Content-Type": "application/xml", "Content-Length": NUMBER },
  body: "<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be authorized</Message>\n</AccessDeniedException>\n",
};
const long = "a".repeat(129);
const NO_JSON = "Could not parse request body into json: Could not parse payload into json: ";

const recorded: Readonly<Record<string, Recorded>> = {
  "a result": { path: encoded("echo"), sent: { body: '{"a":1}' }, status: 200, headers: RESULT, body: '{"a":1}' },
  "no payload is an empty object": {
    path: encoded("echo"),
    sent: { body: "" },
    status: 200,
    headers: RESULT,
    body: "{}",
  },
  "nothing returned is null": { path: encoded("nothing"), status: 200, headers: RESULT, body: "null" },
  "an object that looks like an error is none": {
    path: encoded("echo"),
    sent: { body: '{"errorMessage":"no","errorType":"Error"}' },
    status: 200,
    headers: RESULT,
    body: { errorMessage: "no", errorType: "Error" },
  },
  "a function that throws": {
    path: encoded("broken"),
    status: 200,
    headers: { ...RESULT, "X-Amz-Function-Error": "Unhandled" },
    body: /^\{"errorType":"TypeError","errorMessage":"boom","trace":\["TypeError: boom"," {4}at /,
  },
  "the tail of its log": {
    path: encoded("echo"),
    sent: header("X-Amz-Log-Type", "Tail"),
    status: 200,
    headers: { ...RESULT, "X-Amz-Log-Result": BASE64 },
    body: "{}",
  },
  "no tail, where none is asked for": {
    path: encoded("echo"),
    sent: header("X-Amz-Log-Type", "None"),
    status: 200,
    headers: RESULT,
    body: "{}",
  },
  "a version": {
    path: qualified("echo", "7"),
    status: 200,
    headers: { ...RESULT, "X-Amz-Executed-Version": "7" },
    body: '"seven"',
  },
  "a durable execution": {
    path: encoded("durable"),
    sent: header("X-Amz-Durable-Execution-Name", "order-1"),
    status: 200,
    headers: {
      ...RESULT,
      "X-Amz-Durable-Execution-Arn": `${arn("function:durable:$LATEST")}/durable-execution/order-1/x`,
    },
    body: "{}",
  },
  "an event, queued": {
    path: encoded("echo"),
    sent: { headers: { "X-Amz-Invocation-Type": "Event", "X-Amz-Log-Type": "Tail" } },
    status: 202,
    headers: { ...RAN, "Content-Length": "0" },
    body: "",
  },
  "an event, the old way": {
    path: asyncPath("echo"),
    status: 202,
    headers: { ...RAN, "Content-Length": "0" },
    body: "",
  },
  "a dry run": {
    path: encoded("broken"),
    sent: { headers: { "X-Amz-Invocation-Type": "DryRun", "X-Amz-Log-Type": "Tail" } },
    status: 204,
    headers: RAN,
    body: "",
  },
  "a dry run of a stream": {
    path: streamPath("broken"),
    sent: header("X-Amz-Invocation-Type", "DryRun"),
    status: 204,
    headers: RAN,
    body: "",
  },
  "a stream": {
    path: streamPath("stream"),
    status: 200,
    headers: {
      ...RAN,
      "Content-Type": "application/vnd.amazon.eventstream",
      "Transfer-Encoding": "chunked",
      "X-Amz-Executed-Version": "$LATEST",
    },
    // "hi" in a chunk, byte by byte; then how it ended.
    body: /^0000006c0000005ab25efdcf0b3a6576656e742d7479706507000c5061796c6f61644368756e6b0d3a636f6e74656e742d747970650700186170706c69636174696f6e2f6f637465742d73747265616d0d3a6d6573736167652d747970650700056576656e7468691162e469[0-9a-f]+$/,
  },

  "a name that nobody has": { path: encoded("doesnotexist"), ...unknown("function:doesnotexist:$LATEST") },
  "65 characters, which no function can have": {
    path: encoded("a".repeat(65)),
    ...unknown(`function:${"a".repeat(65)}:$LATEST`),
  },
  "an ARN without a name, which makes `function` the name": {
    path: encoded(arn("function")),
    ...unknown("function:function:$LATEST"),
  },
  "a qualifier in small letters": {
    path: qualified(arn("function:echo"), "$latest"),
    ...unknown("function:echo:$latest"),
  },
  "a dry run of a name that nobody has": {
    path: encoded("doesnotexist"),
    sent: header("X-Amz-Invocation-Type", "DryRun"),
    ...unknown("function:doesnotexist:$LATEST"),
  },
  "a stream of a name that nobody has": {
    path: streamPath("doesnotexist"),
    ...unknown("function:doesnotexist:$LATEST"),
  },
  "two qualifiers that are not the same": {
    path: qualified(arn("function:echo:$LATEST"), "1"),
    status: 400,
    headers: error("InvalidParameterValueException"),
    body: {
      Type: "User",
      message: "The derived qualifier from the function name does not match the specified qualifier.",
    },
  },
  "two that are": {
    path: qualified(arn("function:echo:$LATEST"), "$LATEST"),
    status: 200,
    headers: RESULT,
    body: "{}",
  },
  "another region's ARN": {
    path: encoded("arn:aws:lambda:us-west-2:000000000000:function:echo"),
    status: 404,
    headers: error("ResourceNotFoundException"),
    body: { Type: "User", Message: "Functions from 'us-west-2' are not reachable in this region ('eu-west-1')" },
  },
  "a name with an exclamation mark": broken("my-function!"),
  "an asterisk": broken("*"),
  "a partial ARN without an account": broken("invalid-account:function:my-function"),
  "an ARN of no region": broken("arn:aws:lambda:invalid-region:000000000000:function:my-function"),
  "an ARN of no region with a long name": broken(
    `arn:aws:lambda:invalid-region:000000000000:function:my-function${"a".repeat(170)}`,
  ),
  "an ARN of EC2": broken("arn:aws:ec2:eu-west-1:000000000000:instance:i-1234567890abcdef0"),
  "an ARN with an empty region": broken("arn:aws:lambda::000000000000:function:my-function"),
  "an ARN with an empty account": broken("arn:aws:lambda:eu-west-1::function:my-function"),
  "an ARN with two qualifiers": broken(arn("function:my-function:1:2")),
  "a name with two qualifiers": broken("function:my-function:$LATEST:extra"),
  "a misspelt $LATEST": broken(arn("function:my-function:$LATES")),
  "a qualifier with an exclamation mark": {
    path: qualified("my-function", "invalid!"),
    ...invalid(
      `Value 'invalid!' at 'qualifier' failed to satisfy constraint: Member must satisfy regular expression pattern: ${QUALIFIER_PATTERN}`,
    ),
  },
  "a qualifier of 129 characters": {
    path: qualified("my-function", long),
    ...invalid(
      `Value '${long}' at 'qualifier' failed to satisfy constraint: Member must have length less than or equal to 128`,
    ),
  },
  "both at once": {
    path: qualified(`arn:aws:lambda:invalid-region:000000000000:function:my-function-${"a".repeat(170)}`, long),
    ...invalid(
      `Value '${long}' at 'qualifier' failed to satisfy constraint: Member must have length less than or equal to 128`,
      badName(`arn:aws:lambda:invalid-region:000000000000:function:my-function-${"a".repeat(170)}`),
    ),
  },
  "an unknown way to invoke": {
    path: encoded("echo"),
    sent: header("X-Amz-Invocation-Type", "dry_run"),
    ...invalid(
      "Value 'dry_run' at 'invocationType' failed to satisfy constraint: Member must satisfy enum value set: [DryRun, RequestResponse, Event]",
    ),
  },
  "an event to be streamed": {
    path: streamPath("echo"),
    sent: header("X-Amz-Invocation-Type", "Event"),
    ...invalid(
      "Value 'Event' at 'invocationType' failed to satisfy constraint: Member must satisfy enum value set: [DryRun, RequestResponse]",
    ),
  },
  "an unknown kind of log": {
    path: encoded("echo"),
    sent: header("X-Amz-Log-Type", "tail"),
    ...invalid(
      "Value 'tail' at 'logType' failed to satisfy constraint: Member must satisfy enum value set: [None, Tail]",
    ),
  },
  "a tenant that can't be": {
    path: encoded("echo"),
    sent: header("X-Amz-Tenant-Id", "a,b"),
    ...invalid(
      String.raw`Value 'a,b' at 'tenantId' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9\._:\/=+\-@ ]+`,
    ),
  },
  "a tenant that is too long": {
    path: encoded("echo"),
    sent: header("X-Amz-Tenant-Id", "a".repeat(257)),
    ...invalid(
      `Value '${"a".repeat(257)}' at 'tenantId' failed to satisfy constraint: Member must have length less than or equal to 256`,
    ),
  },
  "an execution's name that can't be": {
    path: encoded("echo"),
    sent: header("X-Amz-Durable-Execution-Name", "a.b"),
    ...invalid(
      "Value 'a.b' at 'durableExecutionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9-_]+",
    ),
  },
  "an execution's name that is too long": {
    path: encoded("echo"),
    sent: header("X-Amz-Durable-Execution-Name", "a".repeat(65)),
    ...invalid(
      `Value '${"a".repeat(65)}' at 'durableExecutionName' failed to satisfy constraint: Member must have length less than or equal to 64`,
    ),
  },
  "a client context that is no base64": {
    path: encoded("echo"),
    sent: header("X-Amz-Client-Context", "{}"),
    ...content("Client context must be a valid Base64-encoded JSON object."),
  },
  "a client context that is no JSON": {
    path: encoded("echo"),
    sent: header("X-Amz-Client-Context", "string"),
    ...content("Client context must be a valid Base64-encoded JSON object."),
  },
  "a client context that is a list": {
    path: encoded("echo"),
    sent: header("X-Amz-Client-Context", btoa("[1]")),
    ...content("Client context must be a valid Base64-encoded JSON object."),
  },
  "a request id that is no UUID": {
    path: encoded("echo"),
    sent: header("x-amzn-RequestId", "mine"),
    ...content("The header x-amzn-RequestId has to be a UUID."),
  },

  "bytes that are no UTF-8": {
    path: encoded("echo"),
    sent: { body: Buffer.from("226e87729ee9b5d749ee9b6d7422", "hex") },
    ...content(new RegExp(`^${NO_JSON}Invalid UTF-8 start byte 0x87`)),
  },
  "text that is no JSON": {
    path: encoded("echo"),
    sent: { body: "STRING" },
    ...content(new RegExp(`^${NO_JSON}Unexpected`)),
  },
  "half of some JSON": {
    path: encoded("echo"),
    sent: { body: '{"a":' },
    ...content(new RegExp(`^${NO_JSON}Unexpected`)),
  },
  "white space alone": { path: encoded("echo"), sent: { body: " " }, ...content(new RegExp(`^${NO_JSON}Unexpected`)) },
  "an event that is no JSON": {
    path: encoded("echo"),
    sent: { headers: { "X-Amz-Invocation-Type": "Event" }, body: "{" },
    ...content(new RegExp(`^${NO_JSON}`)),
  },

  "all environments are busy": {
    path: encoded("busy"),
    status: 429,
    headers: { ...error("TooManyRequestsException"), "Retry-After": "7" },
    body: {
      Reason: "ReservedFunctionConcurrentInvocationLimitExceeded",
      Type: "User",
      message: "Rate Exceeded.",
    },
  },
  "a stream while they are": {
    path: streamPath("busy"),
    status: 429,
    headers: { ...error("TooManyRequestsException"), "Retry-After": "7" },
    body: { Reason: "ReservedFunctionConcurrentInvocationLimitExceeded", Type: "User", message: "Rate Exceeded." },
  },
  "something inside is broken": {
    path: encoded("faulty"),
    status: 500,
    headers: error("ServiceException"),
    body: { Type: "Service", Message: "The emulator failed (RangeError: out of it)" },
  },

  "no signature": {
    path: encoded("echo"),
    sent: header("authorization", ""),
    status: 403,
    headers: error("MissingAuthenticationTokenException"),
    body: { message: "Missing Authentication Token" },
  },
  "nothing where a name should be": { path: "/2015-03-31/functions//invocations", ...unrouted },
  "two slashes": { path: "//2015-03-31/functions/echo/invocations", ...unrouted },
  "a GET": { path: encoded("echo"), sent: { method: "GET" }, ...unrouted },
  "some other path": { path: "/", ...unrouted },
  "an API that is not here": { path: "/2015-03-31/functions", sent: { method: "GET" }, ...unrouted },
};

let api: TestApi;

beforeAll(async () => {
  api = await startApi({
    echo: async (event: unknown) => event,
    "echo:7": async () => "seven",
    nothing: async () => undefined,
    broken: async () => {
      throw new TypeError("boom");
    },
    stream: runner(async () => ({ payload: Buffer.from("hi") })),
    durable: runner(async ({ durableExecutionName }) => ({
      payload: Buffer.from("{}"),
      durableExecutionArn: `${arn("function:durable:$LATEST")}/durable-execution/${durableExecutionName}/x`,
    })),
    busy: runner(async () => {
      const Reason = "ReservedFunctionConcurrentInvocationLimitExceeded";
      throw new ApiError(429, "TooManyRequestsException", { Reason, Type: "User", message: "Rate Exceeded." }, 7);
    }),
    faulty: runner(async () => {
      throw new RangeError("out of it");
    }),
  });
});

afterAll(() => api.close());

function expectFields(given: Readonly<Record<string, unknown>>, expected: Fields): void {
  expect(Object.keys(given).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, value] of Object.entries(expected)) {
    if (value instanceof RegExp) expect(given[name], name).toMatch(value);
    else expect(given[name], name).toBe(value);
  }
}

describe("AWS's answers", () => {
  it.each(Object.entries(recorded))("%s", async (_name, { path, sent, status, headers, body }) => {
    const answer = await send(api.endpoint, path, sent);
    expect(answer.status).toBe(status);
    // By their names as they are written, for a client may be particular.
    const written = Object.fromEntries(answer.names.map((name) => [name, answer.headers[name.toLowerCase()]]));
    expectFields(written, headers);
    const isStream = answer.headers["content-type"] === "application/vnd.amazon.eventstream";
    const text = answer.body.toString(isStream ? "hex" : "utf8");
    if (body instanceof RegExp) expect(text).toMatch(body);
    else if (typeof body === "string") expect(text).toBe(body);
    else expectFields(answer.json as Record<string, unknown>, body);
    if (answer.headers["content-length"] !== undefined) {
      expect(Number(answer.headers["content-length"])).toBe(answer.body.length);
    }
  });
});

describe("the trace", () => {
  const ROOT = "1-5759e988-bd862e3fe1be46a994272793";
  const lineage = createHash("sha256").update(arn("function:echo")).digest("hex").slice(0, 8);
  const traced = async (given: string, path = encoded("echo")): Promise<string> => {
    const { headers } = await send(api.endpoint, path, header("X-Amzn-Trace-Id", given));
    return String(headers["x-amzn-trace-id"]);
  };

  it.each([
    [`Root=${ROOT};Parent=53995c3f42cd8ad8;Sampled=1`, `Root=${ROOT};Parent=53995c3f42cd8ad8;Sampled=1`],
    [`root=${ROOT}; parent=53995c3f42cd8ad8; sampled=0`, `Root=${ROOT};Parent=53995c3f42cd8ad8;Sampled=0`],
    [`Sampled=1;Self=1-67891234-12456789abcdef012345678;Root=${ROOT}`, `Root=${ROOT};Parent=[0-9a-f]{16};Sampled=1`],
    [`Root=${ROOT}`, `Root=${ROOT};Parent=[0-9a-f]{16};Sampled=0`],
  ])("%s is taken over", async (given, kept) => {
    expect(await traced(given)).toMatch(new RegExp(`^${kept};Lineage=1:${lineage}:0$`));
  });

  it("keeps a lineage", async () => {
    const given = `Root=${ROOT};Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:a87bd80c:3`;
    expect(await traced(given)).toBe(given);
  });

  it.each(["", "Root=1-2-3", "nonsense", `Root=${ROOT}0;Parent=53995c3f42cd8ad8;Sampled=1`, `XRoot=${ROOT}`])(
    "%j begins a new one",
    async (given) => {
      const trace = await traced(given);
      expect(trace).toMatch(TRACE);
      expect(trace).toContain(";Sampled=0;");
      expect(trace).not.toContain(ROOT);
    },
  );

  it("is the one that the function is told", async () => {
    const trace = await traced(`Root=${ROOT}`);
    expect(api.calls.at(-1)?.traceId).toBe(trace);
  });

  it("is not handed on by the old way to queue events", async () => {
    expect(await traced(`Root=${ROOT};Parent=53995c3f42cd8ad8;Sampled=1`, asyncPath("echo"))).not.toContain(ROOT);
  });
});

it("a request id that is given is the call's", async () => {
  const id = "8b3ba6c4-5a0c-4e5b-9c25-4b5a4b5cdd1b";
  const { headers } = await send(api.endpoint, encoded("echo"), header("x-amzn-RequestId", id));
  expect(headers["x-amzn-requestid"]).toBe(id);
  expect(api.calls.at(-1)?.requestId).toBe(id);
  const refused = await send(api.endpoint, encoded("doesnotexist"), header("x-amzn-RequestId", id));
  expect(refused.headers["x-amzn-requestid"]).toBe(id);
});
