/** The emulator as a whole: its functions of every kind, behind its API. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  InvokeCommand,
  InvokeWithResponseStreamCommand,
  LambdaClient,
  ResourceNotFoundException,
  TooManyRequestsException,
} from "@aws-sdk/client-lambda";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Emulator } from "../../src/emulator/index.ts";
import type { RestApiEvent } from "../../src/formats/rest-api.ts";
import { gate } from "../support/streams.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lambda-requests-emulator-"));
  await writeFile(
    join(folder, "app.mjs"),
    `export const handler = async (event) => {
       console.log("in a process of its own");
       if (event.path === "/exit") process.exit(3);
       const { AWS_LAMBDA_FUNCTION_NAME: name, AWS_LAMBDA_FUNCTION_VERSION: version, COLOR: color } = process.env;
       return { statusCode: 200, body: JSON.stringify({ pid: process.pid, name, version, color }) };
     };
     export const stream = awslambda.streamifyResponse(async (event, stream) => {
       const body = awslambda.HttpResponseStream.from(stream, { statusCode: 201, cookies: ["a=1", "b=2"] });
       body.write("one ");
       setTimeout(() => body.end("two"), 20);
     });`,
  );
});
afterAll(() => rm(folder, { recursive: true }));

const at = (name: string): string => join(folder, name);
const echo = async (event: unknown): Promise<unknown> => event;

describe("session() and invocations", () => {
  test("a session that is pointed at it, whatever the environment says", async () => {
    vi.stubEnv("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:2");
    await using emulator = await Emulator.start({
      functions: { app: async () => ({ statusCode: 204 }) },
      region: "eu-west-1",
    });
    await using session = emulator.session({ headers: { "X-Team": "billing" } });
    const response = await session.post("http+lambda://app/items", { json: { sku: "A-1" } });
    vi.unstubAllEnvs();
    expect([response.status, response.invocation.region]).toEqual([204, "eu-west-1"]);
    expect(emulator.invocations).toHaveLength(1);
    expect(emulator.invocations[0]).toMatchObject({
      functionName: "app",
      invocationType: "RequestResponse",
      requestId: response.invocation.requestId,
      responseStreaming: false,
    });
    const event = emulator.invocations[0]?.event as RestApiEvent;
    expect([event.body, event.headers?.["x-team"]]).toEqual(['{"sku":"A-1"}', "billing"]);
  });

  test("what is refused did not come in", async () => {
    await using emulator = await Emulator.start({ functions: {} });
    await using session = emulator.session();
    await expect(session.get("http+lambda://nobody/")).rejects.toMatchObject({ code: "ResourceNotFoundException" });
    expect(emulator.invocations).toEqual([]);
  });
});

describe("a function given as a file", () => {
  test("runs in a process of its own, again and again; reload() and a crash start another", async () => {
    const functions = { app: { handler: at("app.mjs"), environment: { COLOR: "red" } } };
    await using emulator = await Emulator.start({ functions, quiet: true });
    await using session = emulator.session({ logs: true });
    const ask = async () => session.get("http+lambda://app/").json<{ pid: number; name: string; color: string }>();
    const first = await ask();
    expect(first).toMatchObject({ name: "app", version: "$LATEST", color: "red" });
    expect(first.pid).not.toBe(process.pid);
    expect((await ask()).pid).toBe(first.pid);
    const crash = await session.get("http+lambda://app/exit");
    expect([crash.status, crash.invocation.functionError?.kind]).toEqual([502, "crash"]);
    expect(crash.invocation.logs).toContain("in a process of its own");
    const second = await ask();
    expect(second.pid).not.toBe(first.pid);
    emulator.reload("app");
    expect(() => emulator.reload("apq")).toThrow('there is no function "apq" to reload');
    expect((await ask()).pid).not.toBe(second.pid);
  });

  test("streams", async () => {
    await using emulator = await Emulator.start({ functions: { app: `${at("app.mjs")}#stream` }, quiet: true });
    await using session = emulator.session({ responseStreaming: true, payloadFormat: "function-url" });
    const response = await session.get("http+lambda://app/");
    expect([response.status, response.headers.getSetCookie()]).toEqual([201, ["a=1", "b=2"]]);
    expect(await response.text()).toBe("one two");
  });

  test("has versions, and aliases that share them out", async () => {
    const handler = at("app.mjs");
    const versions = { 1: { environment: { COLOR: "blue" } }, 2: { environment: { COLOR: "green" } } };
    const aliases = { prod: "1", canary: { 1: 0, 2: 1 } };
    const functions = { app: { handler, environment: { COLOR: "red" }, versions, aliases } };
    await using emulator = await Emulator.start({ functions, quiet: true });
    await using session = emulator.session();
    const seen: unknown[] = [];
    for (const name of ["app", "app:1", "app:prod", "app:canary", "app:$LATEST"]) {
      const response = await session.get(`http+lambda://${name}/` as `http+lambda:${string}`);
      const { version, color } = await response.json<{ version: string; color: string }>();
      seen.push([name, response.invocation.executedVersion, version, color]);
    }
    expect(seen).toEqual([
      ["app", "$LATEST", "$LATEST", "red"],
      ["app:1", "1", "1", "blue"],
      ["app:prod", "1", "1", "blue"],
      ["app:canary", "2", "2", "green"],
      ["app:$LATEST", "$LATEST", "$LATEST", "red"],
    ]);
  });
});

test("a version's own command takes the place of the handler, and a path may have a # in it", async () => {
  const odd = join(folder, "c#");
  await mkdir(odd);
  await writeFile(join(odd, "app.mjs"), 'export const list = async () => ({ statusCode: 200, body: "list" });');
  const functions = {
    app: { handler: `${join(odd, "app.mjs")}#list`, versions: { 1: { command: "exit 7" } } },
    plain: { command: "exit 6", versions: { 1: { handler: at("app.mjs") } } },
  };
  await using emulator = await Emulator.start({ functions, quiet: true });
  await using session = emulator.session();
  expect(await session.get("http+lambda://app/").text()).toBe("list");
  const { functionError } = (await session.get("http+lambda://app:1/")).invocation;
  expect(functionError?.errorMessage).toContain("exit status 7");
  expect((await session.get("http+lambda://plain:1/")).status).toBe(200);
});

test("a function finds the others here, runs in its folder, and a result is not kept behind it", async () => {
  await writeFile(join(folder, "data.json"), '"from its folder"');
  await writeFile(
    join(folder, "caller.mjs"),
    `import { readFileSync } from "node:fs";
     export const handler = async (event) => event.path === "/large"
       ? { statusCode: 200, body: "x".repeat(1_000_000) }
       : { statusCode: 200, body: process.env.AWS_ENDPOINT_URL_LAMBDA + " " + readFileSync("data.json", "utf8") };`,
  );
  const functions = { app: { handler: at("caller.mjs"), folder } };
  await using emulator = await Emulator.start({ functions, quiet: true });
  await using session = emulator.session();
  expect(await session.get("http+lambda://app/").text()).toBe(`${emulator.endpoint} "from its folder"`);
  const large = async (): Promise<void> => {
    for (let count = 0; count < 60; count++) await session.get("http+lambda://app/large").text();
  };
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  await large();
  collect();
  const before = process.memoryUsage().arrayBuffers;
  await large();
  collect();
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
});

test("reload() lets what runs finish, and what is queued find what is new", async () => {
  const started = join(folder, "started");
  const code = (answer: string): string => `
    import { existsSync, writeFileSync } from "node:fs";
    export const handler = async (event) => {
      if (event.path !== "/slow") return { statusCode: 200, body: ${JSON.stringify(answer)} };
      writeFileSync(${JSON.stringify(started)}, "");
      while (existsSync(${JSON.stringify(started)})) await new Promise((go) => setTimeout(go, 5));
      return { statusCode: 200, body: ${JSON.stringify(answer)} };
    };`;
  await writeFile(at("slow.mjs"), code("old"));
  await using emulator = await Emulator.start({ functions: { app: at("slow.mjs") }, quiet: true });
  await using session = emulator.session();
  const slow = session.get("http+lambda://app/slow").text();
  await expect.poll(() => existsSync(started)).toBe(true);
  await writeFile(at("slow.mjs"), code("new"));
  emulator.reload();
  expect(await session.get("http+lambda://app/").text()).toBe("new");
  await rm(started);
  expect(await slow).toBe("old");
});

test.each(["0.0.0.0", "localhost"])("listening on %s, it can be called by its endpoint", async (host) => {
  await using emulator = await Emulator.start({ functions: { echo }, host });
  await using session = emulator.session();
  expect((await session.get("http+lambda://echo/")).status).toBe(502);
  expect(emulator.endpoint).toMatch(host === "localhost" ? /^http:\/\/localhost:\d+$/ : /^http:\/\/127\.0\.0\.1:\d+$/);
});

test("a function's Runtime API is for its runtime alone", async () => {
  await writeFile(
    at("address.mjs"),
    `export const handler = async () => ({ statusCode: 200, body: process.env.AWS_LAMBDA_RUNTIME_API });`,
  );
  await using emulator = await Emulator.start({ functions: { app: at("address.mjs") }, quiet: true });
  await using session = emulator.session();
  const address = await session.get("http+lambda://app/").text();
  const url = `http://${address}/2018-06-01/runtime/invocation/next`;
  for (const headers of [{ origin: "https://evil.example" }, { "sec-fetch-site": "cross-site" }]) {
    expect((await fetch(url, { headers })).status).toBe(403);
  }
  expect((await fetch(url.replace("127.0.0.1", "localhost"))).status).toBe(403);
});

describe("concurrency", () => {
  test("of a handler in this process: the one too many is refused, and can be tried again", async () => {
    const open = gate();
    const handler = async (): Promise<object> => {
      await open.opened;
      return { statusCode: 200 };
    };
    await using emulator = await Emulator.start({ functions: { app: { handler, concurrency: 1 } } });
    const client = new LambdaClient({
      endpoint: emulator.endpoint,
      region: "us-east-1",
      credentials: { accessKeyId: "a", secretAccessKey: "b" },
      maxAttempts: 1,
    });
    const invoke = () => client.send(new InvokeCommand({ FunctionName: "app" }));
    const first = invoke();
    await expect.poll(() => emulator.invocations.length).toBe(1);
    const refusal: unknown = await invoke().catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(TooManyRequestsException);
    expect((refusal as TooManyRequestsException).Reason).toBe("ReservedFunctionConcurrentInvocationLimitExceeded");
    open.open();
    await first;
    expect((await invoke()).StatusCode).toBe(200);
    client.destroy();
  });

  test("500 invocations at once, of 20 functions", async () => {
    const functions = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`fn-${index}`, echo]));
    await using emulator = await Emulator.start({ functions });
    await using session = emulator.session();
    const calls = Array.from({ length: 500 }, async (_, index) => {
      const event = await session.get(`http+lambda://fn-${index % 20}/${index}` as `http+lambda:${string}`);
      return [event.status, event.invocation.functionName];
    });
    // What it gives back is no response, which says that it arrived.
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 500 }, (_, index) => [502, `fn-${index % 20}`]));
    const paths = emulator.invocations.map(({ event }) => (event as RestApiEvent).path);
    expect(new Set(paths).size).toBe(500);
  });
});

describe("events that nobody waits for", () => {
  test("are run again when the function fails, by the same id, and given up with a line", async () => {
    const ids: string[] = [];
    const broken = async (_event: unknown, context: { awsRequestId: string }): Promise<never> => {
      ids.push(context.awsRequestId);
      throw new RangeError("too much");
    };
    const written = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    await using emulator = await Emulator.start({ functions: { broken }, eventRetryDelays: [0, 0] });
    await using session = emulator.session();
    const response = await session.post("http+lambda://broken/", { json: {}, invocationType: "Event" });
    const { requestId } = response.invocation;
    const line = `lambda-requests: an event for broken failed 3 times and is given up (${requestId}): RangeError: too much\n`;
    await expect.poll(() => written.mock.calls.map(([text]) => text)).toContain(line);
    written.mockRestore();
    expect([response.status, ids]).toEqual([202, [requestId, requestId, requestId]]);
    expect(emulator.invocations).toHaveLength(1);
  });
});

describe("faults", () => {
  test("a connection that is cut: a GET comes again, a POST does not", async () => {
    const functions = { app: async () => ({ statusCode: 200 }) };
    await using emulator = await Emulator.start({ functions, faults: { drop: 1 } });
    await using session = emulator.session({ retry: { maxDelay: 0 } });
    await expect(session.post("http+lambda://app/")).rejects.toMatchObject({ outcome: "unknown", attempts: 1 });
    await expect(session.get("http+lambda://app/")).rejects.toMatchObject({ outcome: "unknown", attempts: 3 });
    expect(emulator.invocations).toHaveLength(4);
  });

  test("throttling is tried again, whatever the method", async () => {
    const functions = { app: async () => ({ statusCode: 200 }) };
    await using emulator = await Emulator.start({ functions, faults: { throttle: 1 } });
    await using session = emulator.session({ retry: { maxDelay: 0 } });
    await expect(session.post("http+lambda://app/")).rejects.toMatchObject({
      code: "TooManyRequestsException",
      outcome: "not-started",
      attempts: 3,
    });
  });
});

test("AWS's SDK: at once, as a stream, queued, only asked, unknown", async () => {
  const functions = { app: at("app.mjs"), stream: `${at("app.mjs")}#stream` };
  await using emulator = await Emulator.start({ functions, quiet: true });
  const client = new LambdaClient({
    endpoint: emulator.endpoint,
    region: "eu-central-1",
    credentials: { accessKeyId: "a", secretAccessKey: "b" },
  });
  const whole = await client.send(new InvokeCommand({ FunctionName: "app", Payload: "{}", LogType: "Tail" }));
  expect(Buffer.from(whole.LogResult ?? "", "base64").toString()).toMatch(/START.*own\n.*END.*REPORT/s);
  const streamed = await client.send(new InvokeWithResponseStreamCommand({ FunctionName: "stream", Payload: "{}" }));
  const pieces: Uint8Array[] = [];
  for await (const { PayloadChunk } of streamed.EventStream ?? [])
    pieces.push(PayloadChunk?.Payload ?? new Uint8Array());
  expect(Buffer.concat(pieces).toString()).toMatch(/^\{"statusCode":201,.*\}\0{8}one two$/);
  const queued = await client.send(new InvokeCommand({ FunctionName: "app", InvocationType: "Event" }));
  const asked = await client.send(new InvokeCommand({ FunctionName: "app", InvocationType: "DryRun" }));
  expect([queued.StatusCode, asked.StatusCode]).toEqual([202, 204]);
  const unknown: unknown = await client
    .send(new InvokeCommand({ FunctionName: "nobody" }))
    .catch((error: unknown) => error);
  expect(unknown).toBeInstanceOf(ResourceNotFoundException);
  client.destroy();
});

test("a page of the web can't call, unless its origin is allowed", async () => {
  await using emulator = await Emulator.start({ functions: { echo }, allowedOrigins: ["http://localhost:5173"] });
  const call = async (origin: string): Promise<number> => {
    const authorization = `AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=${"0".repeat(64)}`;
    const headers = { origin, authorization, "x-amz-date": "20260101T000000Z" };
    const url = `${emulator.endpoint}/2015-03-31/functions/echo/invocations`;
    return (await fetch(url, { method: "POST", headers, body: "{}" })).status;
  };
  expect([await call("http://evil.example"), await call("http://localhost:5173")]).toEqual([403, 200]);
});

test("close() leaves no process behind, and neither does a parent that is killed", async () => {
  const script = `
    import { Emulator } from "lambda-requests/emulator";
    const emulator = await Emulator.start({ functions: { app: ${JSON.stringify(at("app.mjs"))} }, quiet: true });
    const { pid } = await emulator.session().get("http+lambda://app/").json();
    console.log(pid);
  `;
  const root = join(import.meta.dirname, "../..");
  const parent = spawn(process.execPath, ["--input-type=module", "-e", script], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(createInterface(parent.stdout), "line")) as [string];
  const isAlive = (pid: number): boolean => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  expect(isAlive(Number(line))).toBe(true);
  parent.kill("SIGKILL");
  await expect.poll(() => isAlive(Number(line)), { timeout: 5_000 }).toBe(false);

  const emulator = await Emulator.start({ functions: { app: at("app.mjs") }, quiet: true });
  const session = emulator.session();
  const { pid } = await session.get("http+lambda://app/").json<{ pid: number }>();
  await session.close();
  await emulator.close();
  expect(isAlive(pid)).toBe(false);
});
