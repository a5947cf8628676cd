/** Clients that are not JavaScript's, as far as this machine has them. */
import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ApiError } from "../../src/emulator/api-error.ts";
import { asyncPath, invokePath, runner, SIGNED, startApi, type TestApi } from "../support/emulator-api.ts";
import { pythonHas } from "../support/python.ts";

const run = promisify(execFile);

let api: TestApi;

beforeAll(async () => {
  api = await startApi({
    echo: async (event: unknown, context: { clientContext?: unknown }) => {
      console.log("echoing");
      return { event, context: context.clientContext };
    },
    "echo:prod": async () => "prod",
    "echo:7": async () => "seven",
    broken: async () => {
      throw new TypeError("boom");
    },
    pieces: runner(async () => ({
      payload: (async function* () {
        yield Buffer.from("one ");
        yield Buffer.from("two");
        return { functionError: "Unhandled", errorDetails: "no three" };
      })(),
    })),
    busy: runner(async () => {
      throw new ApiError(429, "TooManyRequestsException", { Type: "User", message: "Rate Exceeded." }, 3);
    }),
  });
});

afterAll(() => api.close());

/** Every call in one process, for starting that takes longer than all of them. Each line is one answer. */
const BOTO3 = `
import base64, json, sys, boto3
from botocore.config import Config
from botocore.exceptions import ClientError

client = boto3.client("lambda", endpoint_url=sys.argv[1], region_name="eu-west-1", aws_access_key_id="AKID",
                      aws_secret_access_key="secret", config=Config(retries={"total_max_attempts": 1}))

def say(name, call):
    try:
        answer = call()
    except ClientError as error:
        answer = {"error": type(error).__name__, **error.response}
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    answer["id"] = headers.get("x-amzn-requestid") == answer.pop("ResponseMetadata", {}).get("RequestId")
    for key in ("Payload", "EventStream"):
        if key in answer:
            answer[key] = answer[key].read().decode() if key == "Payload" else list(answer[key])
    print(json.dumps([name, answer], default=lambda value: value.decode()))

invoke = lambda **options: lambda: client.invoke(**options)
say("arn", invoke(FunctionName="arn:aws:lambda:eu-west-1:123456789012:function:echo:prod"))
say("version", invoke(FunctionName="echo", Qualifier="7"))
say("context", invoke(FunctionName="echo", Payload=b'{"a": 1}', LogType="Tail",
                      ClientContext=base64.b64encode(b'{"custom": {"b": "c"}}').decode()))
say("failure", invoke(FunctionName="broken"))
say("event", invoke(FunctionName="echo", InvocationType="Event", Payload=b'{"boto3": true}'))
say("async", lambda: client.invoke_async(FunctionName="echo", InvokeArgs=b'{"boto3": "old"}'))
say("dry run", invoke(FunctionName="echo", InvocationType="DryRun"))
say("stream", lambda: client.invoke_with_response_stream(FunctionName="pieces"))
say("nobody", invoke(FunctionName="nope"))
say("busy", invoke(FunctionName="busy"))
say("no json", invoke(FunctionName="echo", Payload=b"{"))
say("too large", invoke(FunctionName="echo", Payload=b'"' + b"x" * 6291455 + b'"'))
say("far too large", invoke(FunctionName="echo", Payload=b"x" * 20000000))
`;

describe.runIf(pythonHas("boto3"))("boto3 (skipped where python3 has none)", () => {
  let answers: Map<string, Record<string, unknown>>;

  beforeAll(async () => {
    const environment = { ...process.env, AWS_EC2_METADATA_DISABLED: "true" };
    const { stdout } = await run("python3", ["-c", BOTO3, api.endpoint], { env: environment });
    answers = new Map(
      stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as [string, Record<string, unknown>]),
    );
  }, 60_000);

  it.each([
    ["arn", { StatusCode: 200, ExecutedVersion: "$LATEST", Payload: '"prod"', id: true }],
    ["version", { StatusCode: 200, ExecutedVersion: "7", Payload: '"seven"' }],
    ["context", { StatusCode: 200, Payload: '{"event":{"a":1},"context":{"custom":{"b":"c"}}}' }],
    ["failure", { StatusCode: 200, FunctionError: "Unhandled" }],
    ["event", { StatusCode: 202, Payload: "" }],
    ["async", { Status: 202 }],
    ["dry run", { StatusCode: 204, Payload: "" }],
    ["nobody", { error: "ResourceNotFoundException", Type: "User" }],
    ["busy", { error: "TooManyRequestsException", retryAfterSeconds: "3", message: "Rate Exceeded." }],
    ["no json", { error: "InvalidRequestContentException", Type: "User" }],
    ["too large", { error: "ClientError", Error: { Code: "RequestEntityTooLargeException" } }],
    ["far too large", { error: "ClientError", Error: { Code: "RequestEntityTooLargeException" } }],
  ])("%s", (name, expected) => {
    expect(answers.get(name)).toMatchObject(expected);
  });

  it("stream", () => {
    expect(answers.get("stream")).toMatchObject({
      StatusCode: 200,
      ExecutedVersion: "$LATEST",
      ResponseStreamContentType: "application/vnd.amazon.eventstream",
      EventStream: [
        { PayloadChunk: { Payload: "one " } },
        { PayloadChunk: { Payload: "two" } },
        { InvokeComplete: { ErrorCode: "Unhandled", ErrorDetails: "no three" } },
      ],
    });
  });

  it("the log", () => {
    const log = Buffer.from(String(answers.get("context")?.LogResult), "base64").toString();
    expect(log).toMatch(/^START RequestId: .*\techoing\n/s);
  });

  it("what was queued", () => {
    const events = api.queued.map(({ payload }) => Buffer.from(payload).toString());
    expect(events).toEqual(expect.arrayContaining(['{"boto3": true}', '{"boto3": "old"}']));
  });
});

const curl = spawnSync("curl", ["--version"]);
// It signs since 7.75.
const signs = curl.status === 0 && /^curl (?:7\.(?:7[5-9]|[89]\d)|[89]|\d\d)/.test(curl.stdout.toString());

describe.runIf(signs)("curl (skipped where there is none that signs)", () => {
  const call = async (path: string, ...options: string[]): Promise<string> => {
    const all = ["-s", "--aws-sigv4", "aws:amz:eu-west-1:lambda", "--user", "AKID:secret", ...options];
    const { stdout } = await run("curl", [...all, `${api.endpoint}${path}`]);
    return stdout;
  };

  it("invokes a function", async () => {
    expect(await call(invokePath("echo"), "-d", '{"a":1}')).toBe('{"event":{"a":1}}');
  });

  it("by its ARN, as it is", async () => {
    const arn = "arn:aws:lambda:eu-west-1:123456789012:function:echo";
    expect(await call(`${invokePath(arn)}?Qualifier=prod`, "-X", "POST")).toBe('"prod"');
  });

  it("queues an event", async () => {
    const head = await call(asyncPath("echo"), "-d", '{"curl":true}', "-D", "-");
    expect(head).toMatch(/^HTTP\/1\.1 202 Accepted\r\n/);
  });

  it("reads a stream as it comes", async () => {
    const path = "/2021-11-15/functions/pieces/response-streaming-invocations";
    expect(await call(path, "-N", "-d", "{}")).toMatch(/PayloadChunk.*one .*PayloadChunk.*two.*InvokeComplete/s);
  });

  it("asks before it sends a lot, and is answered", async () => {
    const headers = Object.entries(SIGNED).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
    const send = async (bytes: number): Promise<string> => {
      const sent = run("curl", [
        "-s",
        "-D",
        "-",
        "-H",
        "Expect: 100-continue",
        ...headers,
        "--data-binary",
        "@-",
        `${api.endpoint}${invokePath("echo")}?Qualifier=7`,
      ]);
      sent.child.stdin?.on("error", () => undefined).end(`"${"x".repeat(bytes - 2)}"`);
      return (await sent).stdout;
    };
    expect(await send(2_000_000)).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    expect(await send(7_000_000)).toMatch(/HTTP\/1\.1 413 .*RequestEntityTooLargeException/s);
  });
});
