import { getEventListeners, once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { type AddressInfo, createServer as createNetServer } from "node:net";
import { buffer } from "node:stream/consumers";
import { inspect } from "node:util";
import { Sha256 } from "@smithy/core/checksum";
import { loadRestJsonErrorCode } from "@smithy/core/protocols";
import { SignatureV4 } from "@smithy/signature-v4";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ConfigurationError, InvokeError, LambdaRequestsError } from "../../src/errors.ts";
import { AWS_SETTING_NAMES, type AwsSettings, awsInvoker } from "../../src/invoke/aws.ts";
import type { AwsCredentials } from "../../src/invoke/credentials.ts";
import { NetworkError } from "../../src/invoke/http.ts";
import type { Invocation, Invoker } from "../../src/invoke/invoker.ts";
import { parseFunction } from "../../src/target.ts";
import { VERSION } from "../../src/version.ts";
import { CLOSED_PORT } from "../support/sockets.ts";

const KEY = "AKIDEXAMPLE";
const SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const TOKEN = "IQoJb3JpZ2luX2VjEXAMPLETOKEN==";
const keys: AwsCredentials = { accessKeyId: KEY, secretAccessKey: SECRET };
const ARN = "arn:aws:lambda:eu-west-1:123456789012:function:orders";
const ANY_ACCOUNT = "arn:aws:lambda:eu-west-1:*:function:orders";

let before: NodeJS.ProcessEnv;
const closers: (() => void)[] = [];
beforeEach(() => {
  before = { ...process.env };
});
afterEach(() => {
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
  Object.assign(process.env, before);
  for (const close of closers.splice(0)) close();
});

/** A request as it arrived. */
interface Received {
  readonly method: string;
  /** As it was on the wire. */
  readonly path: string;
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  readonly names: string[];
  readonly body: Buffer;
}

interface Answer {
  status?: number;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
}

interface Lambda {
  readonly endpoint: string;
  readonly port: number;
  readonly received: Received[];
  /** How many connections there were. */
  connections: number;
}

/** A server in Lambda's place, which notes every request and answers them all alike. */
async function lambda(answer: Answer = {}): Promise<Lambda> {
  const server = createServer(async (request, response) => {
    const [path = "", query = ""] = (request.url ?? "").split("?");
    const names = request.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
    const body = await buffer(request);
    received.push({ method: request.method ?? "", path, query, headers: request.headers, names, body });
    response.writeHead(answer.status ?? 200, answer.headers).end(answer.body ?? "{}");
  });
  const received: Received[] = [];
  const port = await listen(server);
  const result = { endpoint: `http://127.0.0.1:${port}`, port, received, connections: 0 };
  server.on("connection", () => result.connections++);
  closers.push(() => server.closeAllConnections());
  return result;
}

async function listen(server: ReturnType<typeof createNetServer>): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

function invoker(settings: AwsSettings): Invoker {
  const invoker = awsInvoker({ credentials: keys, ...settings });
  closers.push(() => void invoker.close?.());
  return invoker;
}

function invocation(name = "orders", given: Partial<Invocation> = {}): Invocation {
  const request = { method: "POST", url: "http+lambda://orders/v1" };
  return { target: parseFunction(name), payload: Buffer.from('{"a":1}'), logs: false, request, ...given };
}

/** Invokes once and gives what arrived. */
async function sent(settings: AwsSettings = {}, one = invocation()): Promise<Received> {
  const { endpoint, received } = await lambda();
  await invoker({ endpoint, region: "eu-west-1", ...settings }).invoke(one);
  expect(received).toHaveLength(1);
  return received[0] as Received;
}

async function failure(call: Promise<unknown>): Promise<LambdaRequestsError> {
  const error = await call.then(
    () => new Error("it was answered"),
    (reason: unknown) => reason,
  );
  if (error instanceof LambdaRequestsError) return error;
  throw error;
}

/** What becomes of an answer of Lambda's that is an error. */
async function refusal(answer: Answer, one = invocation(), settings: AwsSettings = {}): Promise<InvokeError> {
  const { endpoint } = await lambda(answer);
  const error = await failure(invoker({ endpoint, region: "eu-west-1", ...settings }).invoke(one));
  if (error instanceof InvokeError) return error;
  throw error;
}

/** `Credential=…` of the `Authorization` header, after the access key. */
function scopeOf({ headers }: Received): string | undefined {
  return /Credential=[^/]+\/\d{8}\/(.*?),/.exec(headers.authorization ?? "")?.[1];
}

/** The `Authorization` header that AWS's own signer gives to what arrived. */
async function expectedAuthorization(received: Received, credentials = keys): Promise<string | undefined> {
  const { method, path, query, headers, body } = received;
  const signedNames = /SignedHeaders=([^,]*),/.exec(headers.authorization ?? "")?.[1]?.split(";") ?? [];
  const [region = ""] = scopeOf(received)?.split("/") ?? [];
  const { accessKeyId, secretAccessKey } = credentials;
  const signer = new SignatureV4({
    credentials: { accessKeyId, secretAccessKey },
    region,
    service: "lambda",
    sha256: Sha256,
    uriEscapePath: true,
    applyChecksum: false,
  });
  const signed = await signer.sign(
    {
      method,
      protocol: "http:",
      hostname: "unused",
      path,
      query: Object.fromEntries(new URLSearchParams(query)),
      headers: Object.fromEntries(signedNames.map((name) => [name, String(headers[name])])),
      body,
    },
    { signingDate: timeOf(received) },
  );
  return signed.headers.authorization;
}

function timeOf({ headers }: Received): Date {
  return new Date(
    String(headers["x-amz-date"]).replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"),
  );
}

describe("the request", () => {
  const paths: [name: string, path: string, query: string][] = [
    ["orders", "orders", ""],
    ["My_Fn-1", "My_Fn-1", ""],
    ["orders:prod", "orders", "Qualifier=prod"],
    ["orders:7", "orders", "Qualifier=7"],
    ["orders:$LATEST", "orders", "Qualifier=%24LATEST"],
    ["orders:$LATEST.PUBLISHED", "orders", "Qualifier=%24LATEST.PUBLISHED"],
    ["ns.orders:prod", "ns.orders", "Qualifier=prod"],
    ["123456789012:function:orders", "123456789012%3Afunction%3Aorders", ""],
    ["123456789012:orders:prod", "123456789012%3Afunction%3Aorders", "Qualifier=prod"],
    ["eu-west-1:123456789012:function:orders", "eu-west-1%3A123456789012%3Afunction%3Aorders", ""],
    [ARN, "arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Aorders", ""],
    [`${ARN}:$LATEST`, "arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Aorders", "Qualifier=%24LATEST"],
  ];
  describe.each(paths)("for %s", (name, segment, query) => {
    test.each(["", "/svc", "/a%20b/c"])("below the endpoint's path %j", async (basePath) => {
      const { endpoint, received } = await lambda();
      await invoker({ endpoint: endpoint + basePath, region: "eu-west-1" }).invoke(invocation(name));
      const [request] = received as [Received];
      expect(request.method).toBe("POST");
      expect(request.path).toBe(`${basePath}/2015-03-31/functions/${segment}/invocations`);
      expect(request.query).toBe(query);
      expect(request.headers.authorization).toBe(await expectedAuthorization(request));
    });
  });

  test("a stream is asked for at its own path", async () => {
    for (const [name, segment, query] of paths) {
      const request = await sent({}, invocation(name, { responseStreaming: true }));
      expect(request.path).toBe(`/2021-11-15/functions/${segment}/response-streaming-invocations`);
      expect(request.query).toBe(query);
      expect(request.headers.authorization).toBe(await expectedAuthorization(request));
    }
  });

  test.each(["Event", "DryRun"] as const)("%s is no stream", async (invocationType) => {
    const request = await sent({}, invocation("orders", { responseStreaming: true, invocationType }));
    expect(request.path).toBe("/2015-03-31/functions/orders/invocations");
    expect(request.headers["x-amz-invocation-type"]).toBe(invocationType);
  });

  test("tenant and durable execution are headers, signed like the others", async () => {
    const request = await sent({}, invocation("orders", { tenantId: "blue team", durableExecutionName: "order-1" }));
    expect(request.headers).toMatchObject({
      "x-amz-tenant-id": "blue team",
      "x-amz-durable-execution-name": "order-1",
    });
    expect(request.headers.authorization).toMatch(/SignedHeaders=[^,]*x-amz-durable-execution-name;x-amz-tenant-id/);
    expect(request.headers.authorization).toBe(await expectedAuthorization(request));
  });

  test("inside of Lambda the trace goes along, unsigned; outside it does not", async () => {
    const traceId = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    process.env._X_AMZN_TRACE_ID = traceId;
    expect((await sent()).names).not.toContain("x-amzn-trace-id");
    process.env.AWS_LAMBDA_FUNCTION_NAME = "caller";
    const request = await sent();
    expect(request.headers["x-amzn-trace-id"]).toBe(traceId);
    expect(request.headers.authorization).not.toContain("trace");
    expect(request.headers.authorization).toBe(await expectedAuthorization(request));
  });

  test("the payload goes as it is", async () => {
    for (const payload of [
      Buffer.from('{"ü":"😀\\u0000"}'),
      Buffer.alloc(0),
      Buffer.from("behind|{}|").subarray(7, 9),
    ]) {
      const request = await sent({}, invocation("orders", { payload }));
      expect(request.body).toEqual(Buffer.from(payload));
      expect(request.headers["content-length"]).toBe(String(payload.length));
      expect(request.headers.authorization).toBe(await expectedAuthorization(request));
    }
  });

  test("it has these headers and no others", async () => {
    const request = await sent();
    expect(request.names.toSorted()).toEqual([
      "authorization",
      "connection",
      "content-length",
      "content-type",
      "host",
      "user-agent",
      "x-amz-date",
    ]);
    expect(request.headers).toMatchObject({
      "content-type": "application/json",
      "content-length": "7",
      connection: "keep-alive",
      "user-agent": `lambda-requests/${VERSION}`,
    });
    expect(request.headers.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-west-1\/lambda\/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=[0-9a-f]{64}$/,
    );
  });

  test("Host has the endpoint's port", async () => {
    const { endpoint, port, received } = await lambda();
    await invoker({ endpoint }).invoke(invocation());
    expect(received[0]?.headers.host).toBe(`127.0.0.1:${port}`);
  });

  test("the log is asked for when it is wanted, and that is signed", async () => {
    const request = await sent({}, invocation("orders", { logs: true }));
    expect(request.headers["x-amz-log-type"]).toBe("Tail");
    expect(request.headers.authorization).toContain("SignedHeaders=content-type;host;x-amz-date;x-amz-log-type,");
    expect(request.headers.authorization).toBe(await expectedAuthorization(request));
  });

  test("the session token goes with it, signed", async () => {
    const request = await sent({ credentials: { ...keys, sessionToken: TOKEN } });
    expect(request.headers["x-amz-security-token"]).toBe(TOKEN);
    expect(request.headers.authorization).toContain("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token,");
    expect(request.headers.authorization).toBe(await expectedAuthorization(request));
  });

  test("it is signed at the time it is sent", async () => {
    const second = 1000;
    const start = Math.floor(Date.now() / second) * second;
    const time = timeOf(await sent()).getTime();
    expect(time).toBeGreaterThanOrEqual(start);
    expect(time).toBeLessThanOrEqual(Date.now());
  });

  test("one connection serves calls one after the other", async () => {
    const server = await lambda();
    const { invoke } = invoker({ endpoint: server.endpoint });
    for (let call = 0; call < 3; call++) await invoke(invocation());
    expect(server.received).toHaveLength(3);
    expect(server.connections).toBe(1);
  });

  test("maxSockets is the limit of those at once", async () => {
    const server = await lambda();
    const { invoke } = invoker({ endpoint: server.endpoint, maxSockets: 1 });
    await Promise.all([invoke(invocation()), invoke(invocation()), invoke(invocation())]);
    expect(server.received).toHaveLength(3);
    expect(server.connections).toBe(1);
  });
});

describe("settings", () => {
  test.each<[object, string]>([
    [{ regoin: "eu-west-1" }, 'there is no option "regoin". There are: connectTimeout, credentials, '],
    [{ maxsockets: 1 }, 'there is no option "maxsockets". It is spelled maxSockets'],
    [{ endpoint: "foo" }, 'the endpoint "foo" is no URL'],
    [{ maxSockets: -1 }, "the option maxSockets has to be a whole number above 0"],
    [{ maxSockets: 0 }, "maxSockets"],
    [{ maxSockets: 1.5 }, "maxSockets"],
    [{ maxSockets: "9" }, "maxSockets"],
    [{ connectTimeout: 0 }, "the option connectTimeout has to be a number of milliseconds above 0"],
    [{ connectTimeout: Number.NaN }, "connectTimeout"],
    [{ connectTimeout: "9" }, "connectTimeout"],
  ])("%j can't be", (settings, message) => {
    const make = () => awsInvoker(settings);
    expect(make).toThrow(ConfigurationError);
    expect(make).toThrow(message);
  });

  test("all may be undefined", () => {
    expect(() => awsInvoker(Object.fromEntries(AWS_SETTING_NAMES.map((name) => [name, undefined])))).not.toThrow();
  });
});

describe("region and endpoint", () => {
  test("an ARN's region signs, whatever the option and the environment say", async () => {
    process.env.AWS_REGION = "us-west-2";
    const request = await sent({ region: "us-east-1" }, invocation(ARN));
    expect(scopeOf(request)).toBe("eu-west-1/lambda/aws4_request");
  });

  test("then the option, then AWS_REGION, then AWS_DEFAULT_REGION", async () => {
    const { endpoint, received } = await lambda();
    process.env.AWS_DEFAULT_REGION = "ap-south-1";
    await invoker({ endpoint }).invoke(invocation());
    process.env.AWS_REGION = "us-west-2";
    await invoker({ endpoint }).invoke(invocation());
    await invoker({ endpoint, region: "sa-east-1" }).invoke(invocation());
    expect(received.map(scopeOf)).toEqual(
      ["ap-south-1", "us-west-2", "sa-east-1"].map((region) => `${region}/lambda/aws4_request`),
    );
  });

  test("none: an endpoint still has to be signed for one", async () => {
    expect(scopeOf(await sent({ region: undefined }))).toBe("us-east-1/lambda/aws4_request");
  });

  test("one invoker serves many regions", async () => {
    const { endpoint, received } = await lambda();
    const { invoke } = invoker({ endpoint, region: "us-east-1" });
    const names = [ARN, "orders", ARN.replace("eu-west-1", "eu-west-2"), ARN, "orders"];
    const results = await Promise.all(names.map((name) => invoke(invocation(name))));
    expect(results.map(({ region }) => region)).toEqual([
      "eu-west-1",
      "us-east-1",
      "eu-west-2",
      "eu-west-1",
      "us-east-1",
    ]);
    expect(received.map(scopeOf).toSorted()).toEqual(
      ["eu-west-1", "eu-west-1", "eu-west-2", "us-east-1", "us-east-1"].map(
        (region) => `${region}/lambda/aws4_request`,
      ),
    );
    for (const request of received) expect(request.headers.authorization).toBe(await expectedAuthorization(request));
  });

  test("AWS_ENDPOINT_URL_LAMBDA is called, unless the option names another", async () => {
    const [environment, option] = [await lambda(), await lambda()];
    process.env.AWS_ENDPOINT_URL_LAMBDA = environment.endpoint;
    await invoker({}).invoke(invocation());
    expect([environment.received.length, option.received.length]).toEqual([1, 0]);
    await invoker({ endpoint: option.endpoint }).invoke(invocation());
    expect([environment.received.length, option.received.length]).toEqual([1, 1]);
  });

  test("FIPS and dual-stack can't be had at an endpoint; an option goes before the variable", async () => {
    const { endpoint, received } = await lambda();
    for (const settings of [{ useFipsEndpoint: true }, { useDualstackEndpoint: true }]) {
      const error = await failure(invoker({ endpoint, ...settings }).invoke(invocation()));
      expect(error).toBeInstanceOf(ConfigurationError);
    }
    process.env.AWS_USE_DUALSTACK_ENDPOINT = "true";
    expect((await failure(invoker({ endpoint }).invoke(invocation()))).message).toMatch(/dual-stack/);
    expect(received).toHaveLength(0);
    await invoker({ endpoint, useDualstackEndpoint: false }).invoke(invocation());
    expect(received).toHaveLength(1);
  });

  test("neither region nor endpoint: the error says where it looked, and a later call looks again", async () => {
    const { invoke } = invoker({});
    const error = await failure(invoke(invocation()));
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error.code).toBe("ERR_CONFIGURATION");
    expect(error.message.split("\n")).toEqual([
      "POST http+lambda://orders/v1: no region. It was looked for in:",
      "- the URL (an ARN names its region)",
      "- the option region",
      "- AWS_REGION and AWS_DEFAULT_REGION",
      "- region of the profile default in /nonexistent/aws/credentials and /nonexistent/aws/config",
      "and there is no endpoint either (the option endpoint, AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL)",
    ]);
    const { endpoint, received } = await lambda();
    process.env.AWS_ENDPOINT_URL = endpoint;
    await invoke(invocation());
    expect(received).toHaveLength(1);
  });
});

describe("credentials", () => {
  test("those of the variables", async () => {
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: KEY, AWS_SECRET_ACCESS_KEY: SECRET, AWS_SESSION_TOKEN: TOKEN });
    const request = await sent({ credentials: undefined });
    expect(request.headers["x-amz-security-token"]).toBe(TOKEN);
    expect(request.headers.authorization).toBe(await expectedAuthorization(request));
  });

  test("those of a function, new ones when they are about to end", async () => {
    let asked = 0;
    const credentials = () => {
      const expiration = new Date(Date.now() + (++asked === 1 ? 1 : 60) * 60_000);
      return {
        accessKeyId: `AKID${asked}`,
        secretAccessKey: `secret${asked}`,
        sessionToken: `token${asked}`,
        expiration,
      };
    };
    const { endpoint, received } = await lambda();
    const { invoke } = invoker({ endpoint, credentials });
    for (let call = 0; call < 3; call++) await invoke(invocation());
    expect(received.map(({ headers }) => headers["x-amz-security-token"])).toEqual(["token1", "token2", "token2"]);
    const second = { accessKeyId: "AKID2", secretAccessKey: "secret2" };
    for (const request of received.slice(1)) {
      expect(request.headers.authorization).toBe(await expectedAuthorization(request, second));
    }
  });

  test("none: dummies sign for an endpoint on this machine", async () => {
    const request = await sent({ credentials: undefined });
    expect(request.headers.authorization).toMatch(/ Credential=local\/\d{8}\/eu-west-1\/lambda\/aws4_request, /);
    expect(request.headers["x-amz-security-token"]).toBeUndefined();
    const dummies = { accessKeyId: "local", secretAccessKey: "local" };
    expect(request.headers.authorization).toBe(await expectedAuthorization(request, dummies));
  });

  test("none for AWS itself: the error lists every source", async () => {
    const error = await failure(invoker({ region: "eu-west-1", credentials: undefined }).invoke(invocation()));
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error.message.split("\n").slice(0, 7)).toEqual([
      "POST http+lambda://orders/v1: no credentials found. Looked at:",
      "- the option `credentials`: not given",
      "- AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: not set",
      '- profile "default" in /nonexistent/aws/config and /nonexistent/aws/credentials: no credentials there',
      "- web identity (AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN): not set",
      "- container (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI): not set",
      "- EC2 instance metadata: switched off by AWS_EC2_METADATA_DISABLED",
    ]);
  });

  test("the error names the call, each its own, and keeps its cause", async () => {
    const sealed = new Error("the vault is sealed");
    const { invoke } = invoker({ region: "eu-west-1", credentials: () => Promise.reject(sealed) });
    const calls = ["GET", "PUT"].map((method) =>
      invocation("orders", { request: { method, url: "http+lambda://orders/v1" } }),
    );
    const errors = await Promise.all(calls.map((call) => failure(invoke(call))));
    for (const [index, error] of errors.entries()) {
      const { request, target } = calls[index] as Invocation;
      expect(error).toBeInstanceOf(ConfigurationError);
      expect(error).toMatchObject({ request, target, cause: sealed });
      expect(error.message).toBe(
        `${request.method} http+lambda://orders/v1: the function in the option \`credentials\` failed: the vault is sealed`,
      );
    }
  });

  test("malformed ones are refused before anything is sent", async () => {
    const { endpoint, received } = await lambda();
    const credentials = { ...keys, secretAccessKey: `${SECRET}\n` };
    const error = await failure(invoker({ endpoint, credentials }).invoke(invocation()));
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(inspect(error)).not.toContain(SECRET);
    expect(received).toHaveLength(0);
  });
});

describe("the result", () => {
  async function result(answer: Answer) {
    const { endpoint } = await lambda(answer);
    return await invoker({ endpoint, region: "eu-west-1" }).invoke(invocation());
  }

  test("with everything that Lambda says", async () => {
    const log = "START RequestId: x Version: 7\nEND RequestId: x\nREPORT größe 😀\tDuration: 1.00 ms\t\n";
    const answer = {
      headers: {
        "Content-Type": "application/json",
        "x-amzn-RequestId": "8b3ba6c4-5a0c-4e5b-9c25-4b5a4b5cdd1b",
        "x-amzn-Remapped-Content-Length": "0",
        "X-Amz-Executed-Version": "$LATEST",
        "X-Amzn-Trace-Id":
          "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0;Lineage=1:5b3e:0",
        "X-Amz-Log-Result": Buffer.from(log).toString("base64"),
      },
      body: '{"statusCode":200}',
    };
    expect(await result(answer)).toStrictEqual({
      payload: Buffer.from('{"statusCode":200}'),
      region: "eu-west-1",
      requestId: "8b3ba6c4-5a0c-4e5b-9c25-4b5a4b5cdd1b",
      executedVersion: "$LATEST",
      traceId: "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0;Lineage=1:5b3e:0",
      logs: log,
    });
  });

  test("of a function that failed is a result as well", async () => {
    const body = '{"errorType":"Error","errorMessage":"boom","trace":[]}';
    for (const functionError of ["Unhandled", "Handled"]) {
      expect(await result({ headers: { "X-Amz-Function-Error": functionError }, body })).toStrictEqual({
        payload: Buffer.from(body),
        region: "eu-west-1",
        functionError,
      });
    }
  });

  test.each([
    ["nothing", ""],
    ["null", "null"],
    ["what only looks like an error", '{"errorMessage":"x","errorType":"Error"}'],
    ["text that is no JSON", '"he said "hi""'],
    ["bytes", Uint8Array.of(0, 0xff, 0xfe, 0x80)],
  ])("%s", async (_, body) => {
    expect(await result({ body })).toStrictEqual({ payload: Buffer.from(body as string), region: "eu-west-1" });
  });

  test("of a status between 200 and 299", async () => {
    for (const status of [200, 202, 204, 299]) {
      expect(await result({ status, body: "" })).toStrictEqual({ payload: Buffer.alloc(0), region: "eu-west-1" });
    }
  });

  test("the longest log, cut inside of a character", async () => {
    const tail = Buffer.from(`é${"x".repeat(4095)}`).subarray(1);
    expect(tail.length).toBe(4096);
    const { logs } = await result({ headers: { "X-Amz-Log-Result": tail.toString("base64") } });
    expect(logs).toBe(`\uFFFD${"x".repeat(4095)}`);
  });

  test("an empty header says nothing", async () => {
    const names = ["X-Amz-Function-Error", "X-Amzn-RequestId", "X-Amz-Executed-Version", "X-Amzn-Trace-Id"];
    const headers = Object.fromEntries(names.map((name) => [name, ""]));
    expect(await result({ headers })).toStrictEqual({ payload: Buffer.from("{}"), region: "eu-west-1" });
  });

  test("an empty log is a log", async () => {
    expect((await result({ headers: { "X-Amz-Log-Result": "" } })).logs).toBe("");
  });
});

describe("an error's name", () => {
  const url = "http://internal.amazon.com/coral/com.amazonaws.lambda/";
  test.each<[string, Answer, string]>([
    ["in the header", { headers: { "x-amzn-ErrorType": "ResourceConflictException" } }, "ResourceConflictException"],
    [
      "in the header, with a URL behind it",
      { headers: { "X-Amzn-ErrorType": `ResourceConflictException:${url}` } },
      "ResourceConflictException",
    ],
    [
      "in the header, with a lone colon behind it",
      { headers: { "x-amzn-errortype": "ResourceConflictException:" } },
      "ResourceConflictException",
    ],
    [
      "in the header rather than in the body",
      { headers: { "x-amzn-ErrorType": "ServiceException" }, body: '{"code":"Other","__type":"Another"}' },
      "ServiceException",
    ],
    ["in `code`", { body: '{"code":"ResourceConflictException"}' }, "ResourceConflictException"],
    [
      "in `code` rather than in `__type`",
      { body: '{"code":"ServiceException","__type":"Another"}' },
      "ServiceException",
    ],
    ["in `__type`", { body: '{"__type":"ResourceConflictException"}' }, "ResourceConflictException"],
    [
      "in `__type`, in a namespace",
      { body: '{"__type":"com.amazonaws.lambda#ResourceConflictException"}' },
      "ResourceConflictException",
    ],
    [
      "in `__type`, in a namespace and with a URL behind it",
      { body: `{"__type":"com.amazonaws.lambda#ResourceConflictException:${url}"}` },
      "ResourceConflictException",
    ],
    [
      "before a comma",
      { headers: { "x-amzn-ErrorType": "ResourceConflictException,Other" } },
      "ResourceConflictException",
    ],
  ])("%s, as AWS's own client reads it", async (_, answer, code) => {
    const given = { status: 409, body: "{}", ...answer };
    expect((await refusal(given)).code).toBe(code);
    const byTheSdk = loadRestJsonErrorCode(
      { headers: answer.headers ?? {} } as Parameters<typeof loadRestJsonErrorCode>[0],
      JSON.parse(given.body as string),
    );
    expect(byTheSdk).toBe(code);
  });

  test.each<[string, string, string, string]>([
    [
      "XML",
      "<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be authorized</Message>\n</AccessDeniedException>",
      "AccessDeniedException",
      "AccessDeniedException: Unable to determine service/operation name to be authorized",
    ],
    [
      "XML with a prologue and a type",
      '<?xml version="1.0"?><AccessDeniedException><Type>User</Type><Message>No</Message></AccessDeniedException>',
      "AccessDeniedException",
      "AccessDeniedException: No",
    ],
    [
      "HTML",
      "<html>\r\n<head><title>403 Forbidden</title></head>\r\n</html>\r\n",
      "HTTP_403",
      "HTTP_403: 403 Forbidden",
    ],
    ["text", "Forbidden by the proxy", "HTTP_403", "HTTP_403: Forbidden by the proxy"],
    ["nothing", "", "HTTP_403", "HTTP_403"],
    ["an object without a name", '{"statusCode":403,"error":"Forbidden","message":"No"}', "HTTP_403", "HTTP_403: No"],
    ["an object with a number for a code", '{"code":403,"message":"No"}', "HTTP_403", "HTTP_403: No"],
    ["an empty object", "{}", "HTTP_403", "HTTP_403"],
    ["null", "null", "HTTP_403", "HTTP_403: null"],
  ])("from %s", async (_, body, code, said) => {
    const error = await refusal({ status: 403, body });
    expect(error.code).toBe(code);
    expect(error.message).toContain(`, ${said}`);
  });
});

describe("an error's facts", () => {
  test("are fields", async () => {
    const one = invocation(`${ARN}:prod`, { request: { method: "GET", url: "http+lambda://orders/x" } });
    const error = await refusal(
      {
        status: 429,
        headers: { "x-amzn-ErrorType": "TooManyRequestsException", "x-amzn-RequestId": "7f6d" },
        body: '{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}',
      },
      one,
    );
    expect(error.name).toBe("InvokeError");
    expect({ ...error }).toEqual({
      code: "TooManyRequestsException",
      status: 429,
      reason: "ReservedFunctionConcurrentInvocationLimitExceeded",
      requestId: "7f6d",
      outcome: "not-started",
      attempts: 1,
      request: one.request,
      target: one.target,
    });
    expect(error.message).toContain("TooManyRequestsException: Rate Exceeded.");
  });

  test("that Lambda does not say are undefined", async () => {
    const { status, reason, requestId } = await refusal({ status: 503, body: "" });
    expect([status, reason, requestId]).toEqual([503, undefined, undefined]);
  });

  test("the message is in `message` or `Message`", async () => {
    const headers = { "x-amzn-ErrorType": "EC2ThrottledException" };
    const said = async (body: string) => (await refusal({ status: 502, headers, body })).message.split("Exception")[1];
    const advice = ". EC2 throttled Lambda while it set the function up; try again.";
    expect(await said('{"Type":"Service","message":"small"}')).toBe(`: small${advice}`);
    expect(await said('{"Type":"Service","Message":"large"}')).toBe(`: large${advice}`);
    expect(await said('{"message":null,"Message":"large"}')).toBe(`: large${advice}`);
    expect(await said('{"Type":"Service"}')).toBe(advice);
  });

  test("the message is one line of bearable length", async () => {
    const body = JSON.stringify({ message: `one\n\ttwo ${"x".repeat(600)}` });
    const { message } = await refusal({ status: 400, body });
    expect(message.slice(message.indexOf("one two"))).toBe(`one two ${"x".repeat(492)}…`);
  });

  test("nothing in it drives a terminal", async () => {
    const text = "\u001b[31mred\u0007 \u009b0m\u007f";
    for (const body of [text, JSON.stringify({ message: text }), JSON.stringify({ code: text })]) {
      const { message } = await refusal({ status: 403, body });
      expect(message).toContain("[31mred 0m");
      expect(message).not.toMatch(/\p{Cc}/u);
    }
  });
});

describe("the message", () => {
  const get = { method: "GET", url: "http+lambda://prod.orders/v1" };

  test("of a function that is not there names it and says what to look at", async () => {
    const headers = { "x-amzn-ErrorType": "ResourceNotFoundException" };
    const body = `{"Message":"Function not found: ${ARN}:prod","Type":"User"}`;
    const error = await refusal({ status: 404, headers, body }, invocation("orders:prod", { request: get }));
    expect(error.message).toBe(
      "GET http+lambda://prod.orders/v1: Lambda knows no function orders (qualifier prod) in eu-west-1, account 123456789012, " +
        `ResourceNotFoundException: Function not found: ${ARN}:prod. ` +
        "Check the name, which is case-sensitive, the qualifier, the region and the account.",
    );
  });

  test("names the region that was called, which is an ARN's", async () => {
    const headers = { "x-amzn-ErrorType": "ResourceConflictException" };
    const body = '{"message":"The function is currently in the following state: Pending"}';
    const error = await refusal({ status: 409, headers, body }, invocation(ARN), { region: "us-east-1" });
    expect(error.message).toBe(
      "POST http+lambda://orders/v1: Lambda refused to invoke orders in eu-west-1 for this POST, " +
        "ResourceConflictException: The function is currently in the following state: Pending. " +
        "The function is being created or changed; try again when its state is Active.",
    );
  });

  test.each([
    ["AccessDeniedException", "User: x is not authorized", `Allow lambda:InvokeFunction on ${ANY_ACCOUNT} in`],
    ["UnrecognizedClientException", "The security token included in the request is invalid.", "The access key is not"],
    ["ExpiredTokenException", "The security token included in the request is expired", "fetch new credentials."],
    ["InvalidSignatureException", "Signature expired: X is now earlier than Y (Z - 5 min.)", "this machine's clock, "],
  ])("of %s says what to do", async (name, said, advice) => {
    const error = await refusal({
      status: 403,
      headers: { "x-amzn-ErrorType": name },
      body: JSON.stringify({ message: said }),
    });
    expect(error.message).toContain(`, ${name}: ${said.replace(/\.$/, "")}. `);
    expect(error.message).toContain(advice);
  });

  test("says what to do where Lambda says nothing", async () => {
    const error = await refusal({ status: 403, headers: { "x-amzn-ErrorType": "AccessDeniedException" }, body: "{}" });
    expect(error.message).toContain(`, AccessDeniedException. Allow lambda:InvokeFunction on ${ANY_ACCOUNT} in`);
  });

  test("has no advice for the names of Object.prototype", async () => {
    const error = await refusal({ status: 403, headers: { "x-amzn-ErrorType": "constructor" }, body: "{}" });
    expect(error.message.endsWith(", constructor")).toBe(true);
  });
});

describe("no error shows a credential", () => {
  const canonical = `'POST\n/2015-03-31/functions/orders/invocations\n\nhost:x\nx-amz-security-token:${TOKEN}\n\nhost\ne3b0'`;
  const message =
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key " +
    "and signing method. Consult the service documentation for details.\n\nThe Canonical String for this request should " +
    `have been\n${canonical}\n\nThe String-to-Sign should have been\n'AWS4-HMAC-SHA256\n${TOKEN}'\n`;

  test.each([
    ["JSON", JSON.stringify({ message })],
    ["JSON, with a capital", JSON.stringify({ Message: message })],
    ["XML", `<InvalidSignatureException><Message>${message}</Message></InvalidSignatureException>`],
    ["text", message],
  ])("a signature that was refused, explained in %s", async (_, body) => {
    const settings = { credentials: { ...keys, sessionToken: TOKEN } };
    const headers = { "x-amzn-ErrorType": "InvalidSignatureException" };
    const error = await refusal({ status: 403, headers, body }, invocation(), settings);
    expect(error.code).toBe("InvalidSignatureException");
    expect(error.message).toContain("The request signature we calculated does not match");
    expect(error.message).toContain("Consult the service documentation for details.");
    for (const shown of [
      error.message,
      inspect(error, { depth: 9, showHidden: true }),
      JSON.stringify(error),
      error.stack,
    ]) {
      for (const secret of [TOKEN, SECRET, "Canonical String", "String-to-Sign"]) expect(shown).not.toContain(secret);
    }
  });

  test("nor does a connection that was lost or could not be made", async () => {
    const credentials = { ...keys, sessionToken: TOKEN };
    const lost = await listen(createNetServer((socket) => void socket.once("data", () => socket.end("x"))));
    for (const port of [lost, CLOSED_PORT]) {
      const endpoint = `http://127.0.0.1:${port}`;
      const error = await failure(invoker({ endpoint, credentials }).invoke(invocation()));
      for (const secret of [TOKEN, SECRET]) {
        expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(secret);
      }
    }
  });
});

describe("the outcome", () => {
  test.each<[number, string | undefined, string]>([
    [300, undefined, "not-started"],
    [301, undefined, "not-started"],
    [307, undefined, "not-started"],
    [400, "InvalidRequestContentException", "not-started"],
    [400, undefined, "not-started"],
    [402, "ServiceQuotaExceededException", "not-started"],
    [403, "AccessDeniedException", "not-started"],
    [404, "ResourceNotFoundException", "not-started"],
    [404, undefined, "not-started"],
    [408, "SnapStartTimeoutException", "not-started"],
    [409, "ResourceConflictException", "not-started"],
    [410, "EFSIOException", "not-started"],
    [413, "RequestEntityTooLargeException", "not-started"],
    [413, undefined, "not-started"],
    [429, "TooManyRequestsException", "not-started"],
    [429, undefined, "not-started"],
    [499, undefined, "not-started"],
    [500, "ServiceException", "unknown"],
    [500, "AnyOtherException", "unknown"],
    [500, undefined, "unknown"],
    [502, "EC2ThrottledException", "not-started"],
    [502, "KMSAccessDeniedException", "not-started"],
    [502, undefined, "unknown"],
    [503, "ServiceUnavailableException", "not-started"],
    [503, undefined, "unknown"],
    [504, undefined, "unknown"],
    [599, undefined, "unknown"],
  ])("of %d %s is %s", async (status, name, outcome) => {
    const headers = name === undefined ? {} : { "x-amzn-ErrorType": name };
    expect(await refusal({ status, headers, body: '{"message":"x"}' })).toMatchObject({ status, outcome });
  });

  test("a name in the body counts as one in the header", async () => {
    expect((await refusal({ status: 502, body: '{"__type":"ns#ENINotReadyException"}' })).outcome).toBe("not-started");
  });

  test("a code that a proxy puts into the body is no name of AWS's", async () => {
    expect(await refusal({ status: 504, body: '{"code":"GATEWAY_TIMEOUT"}' })).toMatchObject({ outcome: "unknown" });
  });

  test("that is unknown is said to be so", async () => {
    const error = await refusal({ status: 500, body: '{"__type":"ServiceException","Message":"internal"}' });
    expect(error.message).toContain("ended with 500, ServiceException: internal. The function may have run.");
    expect((await refusal({ status: 503, body: "" })).message).toContain(
      "ended with 503, HTTP_503. The function may have run.",
    );
  });

  test("a gateway's page is no name", async () => {
    for (const body of ["<html><title>502 Bad Gateway</title></html>", "upstream connect error", ""]) {
      expect(await refusal({ status: 502, body })).toMatchObject({ code: "HTTP_502", outcome: "unknown" });
    }
  });
});

describe("no answer", () => {
  test("nobody listens: not started", async () => {
    const port = CLOSED_PORT;
    const one = invocation();
    const error = await failure(invoker({ endpoint: `http://127.0.0.1:${port}` }).invoke(one));
    expect(error).toBeInstanceOf(InvokeError);
    expect(error.name).toBe("InvokeError");
    expect({ ...error }).toEqual({
      code: "ECONNREFUSED",
      outcome: "not-started",
      attempts: 1,
      request: one.request,
      target: one.target,
    });
    expect(error.message).toBe(
      `POST http+lambda://orders/v1: could not connect to 127.0.0.1:${port} (ECONNREFUSED: connect ECONNREFUSED ` +
        `127.0.0.1:${port}); nothing was sent. Is the emulator running?`,
    );
    expect(error.cause).toBeInstanceOf(NetworkError);
  });

  test("an IPv6 address has its brackets", async () => {
    const error = await failure(invoker({ endpoint: "http://[::1]:1" }).invoke(invocation()));
    expect(error.message).toContain("could not connect to [::1]:1 (");
  });

  test("no such host: not started", async () => {
    const hostname = `${"a".repeat(64)}.invalid`;
    const error = await failure(invoker({ endpoint: `http://${hostname}` }).invoke(invocation()));
    expect(error).toMatchObject({ code: "ENOTFOUND", outcome: "not-started" });
    expect(error.message).toContain(`could not connect to ${hostname}:80 `);
    expect(error.message).toContain("Check the region, the endpoint and the network.");
  });

  test.each([
    ["before an answer", ""],
    ["inside of the headers", "HTTP/1.1 200 OK\r\nContent-"],
    ["inside of the answer", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"],
  ])("the connection is lost %s: unknown, and it was sent once", async (_, answer) => {
    let connections = 0;
    const server = createNetServer((socket) => {
      connections++;
      socket.once("data", () => socket.end(answer));
    });
    const port = await listen(server);
    const error = await failure(invoker({ endpoint: `http://127.0.0.1:${port}` }).invoke(invocation()));
    expect(error).toBeInstanceOf(InvokeError);
    expect(error).toMatchObject({ code: "ECONNRESET", outcome: "unknown", attempts: 1 });
    expect(error).not.toHaveProperty("status");
    expect(error.message).toContain(`the connection to 127.0.0.1:${port} was lost before the answer was complete `);
    expect(error.message).toMatch(/; the function may have run$/);
    expect(connections).toBe(1);
  });
});

describe("an aborted signal", () => {
  const reason = new Error("enough");

  test("beforehand: nothing is sent", async () => {
    const { endpoint, received } = await lambda();
    const call = invoker({ endpoint }).invoke(invocation(), AbortSignal.abort(reason));
    await expect(call).rejects.toBe(reason);
    expect(received).toHaveLength(0);
  });

  test("while Lambda is at it: rejects with the signal's reason and closes the connection", async () => {
    let closed: Promise<unknown> | undefined;
    const server = createNetServer((socket) => {
      closed = once(socket, "close");
      socket.once("data", () => controller.abort(reason));
    });
    const controller = new AbortController();
    const port = await listen(server);
    const call = invoker({ endpoint: `http://127.0.0.1:${port}` }).invoke(invocation(), controller.signal);
    await expect(call).rejects.toBe(reason);
    await closed;
    expect(closed).toBeDefined();
  });

  test("while credentials are fetched: does not wait for them", async () => {
    const { endpoint, received } = await lambda();
    let answer = (_: AwsCredentials) => {};
    const controllers = [new AbortController(), new AbortController(), new AbortController()];
    const signals = controllers.map(({ signal }) => signal);
    const credentials = () => {
      controllers[0]?.abort(reason);
      return new Promise<AwsCredentials>((resolve) => (answer = resolve));
    };
    const { invoke } = invoker({ endpoint, credentials });
    const [first, second, third] = signals.map((signal) => invoke(invocation(), signal));
    await expect(first).rejects.toBe(reason);
    controllers[1]?.abort(reason);
    await expect(second).rejects.toBe(reason);
    expect(received).toHaveLength(0);

    answer(keys);
    await third;
    expect(received).toHaveLength(1);
    expect(signals.map((signal) => getEventListeners(signal, "abort").length)).toEqual([0, 0, 0]);
  });

  test("no listener is left on it by a call that ended", async () => {
    const { signal } = new AbortController();
    const { endpoint } = await lambda();
    const rejecting = () => Promise.reject(new Error("the vault is sealed"));
    await invoker({ endpoint, credentials: async () => keys }).invoke(invocation(), signal);
    await failure(invoker({ endpoint, credentials: rejecting }).invoke(invocation(), signal));
    await failure(invoker({ endpoint: `http://127.0.0.1:${CLOSED_PORT}` }).invoke(invocation(), signal));
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });
});
