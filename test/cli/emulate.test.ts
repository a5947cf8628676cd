import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { afterAll, beforeAll, expect, it } from "vitest";
import { run, startEmulator } from "../support/cli.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lambda-requests-"));
  await writeFile(
    join(folder, "orders.mjs"),
    'export const handler = async (event) => ({ statusCode: 200, body: "orders" + event.path });',
  );
  await writeFile(join(folder, "users.cjs"), 'exports.list = async () => ({ statusCode: 200, body: "users" });');
  await writeFile(join(folder, "empty.mjs"), "export const other = 1;");
  await writeFile(join(folder, "broken.mjs"), "export const handler = (;");
});

afterAll(() => rm(folder, { recursive: true }));

it("serves functions from files, to this command and to AWS's SDK, until it is stopped", async () => {
  const args = [`orders=${join(folder, "orders.mjs")}`, `users=${join(folder, "users.cjs")}#list`];
  const { endpoint, process: emulator } = await startEmulator(args);
  try {
    expect(endpoint).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect((await run(["orders/v1"], { env: { AWS_ENDPOINT_URL_LAMBDA: endpoint } })).stdout.toString()).toBe(
      "orders/v1",
    );
    expect((await run(["users/"], { env: { AWS_ENDPOINT_URL_LAMBDA: endpoint } })).stdout.toString()).toBe("users");
    const client = new LambdaClient({
      endpoint,
      region: "eu-west-1",
      credentials: { accessKeyId: "a", secretAccessKey: "b" },
    });
    const { Payload } = await client.send(new InvokeCommand({ FunctionName: "orders", Payload: '{"path":"/x"}' }));
    expect(JSON.parse(Buffer.from(Payload ?? []).toString())).toEqual({ statusCode: 200, body: "orders/x" });
    client.destroy();
  } finally {
    emulator.kill("SIGINT");
  }
  const [code] = (await once(emulator, "exit")) as [number];
  expect(code).toBe(0);
});

it.each([
  ["no functions", [], 2, "which functions?"],
  ["no NAME=FILE", ["orders"], 2, "write NAME=FILE"],
  ["no FILE", ["orders="], 2, "write NAME=FILE"],
  ["no command", ["--exec", "orders"], 2, "write --exec NAME='COMMAND'"],
  ["a name twice", ["orders=./a.mjs", "--exec", "orders=./b"], 2, "the function orders is given twice"],
  [
    "a time limit that is none",
    ["a=b", "--timeout", "3s"],
    2,
    "--timeout 3s has to be whole milliseconds, 1 to 900000",
  ],
  [
    "a fault that is none",
    ["a=b", "--fault", "slow=1"],
    2,
    '--fault: there is no fault "slow". There are: drop, error',
  ],
  ["a fault that can't be", ["a=b", "--fault", "drop=2"], 2, "--fault: the fault drop has to be a share of all calls"],
  ["an unknown option", ["a=b", "--reload"], 2, "--reload"],
  ["a port that is none", ["a=b", "--port", "x"], 2, "--port x is no port"],
  ["a port that is too large", ["a=b", "--port", "99999"], 2, "--port 99999 is no port: 0 to 65535"],
  ["a name that can't be", ["or ders=./x.mjs"], 1, "a function's name can't hold"],
  ["a file that is not there", ["orders=./nowhere.mjs"], 1, "there is no file"],
  ["a configuration that is not there", ["--config", "nowhere.json"], 1, "can't read nowhere.json: ENOENT"],
  ["a configuration that is no JSON", ["--config", "BROKEN"], 1, "is no JSON: unexpected"],
  ["a template that is not there", ["--template", "nowhere.yml"], 1, "can't read nowhere.yml: ENOENT"],
])("%s: a message and an exit code", async (_name, args, code, message) => {
  const files = args.map((arg) =>
    arg.replace("EMPTY", join(folder, "empty.mjs")).replace("BROKEN", join(folder, "broken.mjs")),
  );
  const result = await run(["emulate", ...files]);
  expect(result.stderr).toContain(message);
  expect(result.stderr).not.toMatch(/\n\s+at /);
  expect(result.code).toBe(code);
});

it("gives a time limit to the functions that it names", async () => {
  await writeFile(
    join(folder, "slow.mjs"),
    "export const handler = () => new Promise((resolve) => setTimeout(resolve, 60_000));",
  );
  const { endpoint, process: emulator } = await startEmulator([`slow=${join(folder, "slow.mjs")}`, "--timeout", "50"]);
  try {
    const { stdout } = await run(["slow/"], { env: { AWS_ENDPOINT_URL_LAMBDA: endpoint } });
    expect(stdout.toString()).toContain("Task timed out after 0.05 seconds");
  } finally {
    emulator.kill("SIGINT");
    await once(emulator, "exit");
  }
});

it("says what is wrong with a file when its function is called", async () => {
  const files = [`empty=${join(folder, "empty.mjs")}`, `broken=${join(folder, "broken.mjs")}`];
  const { endpoint, process: emulator } = await startEmulator([...files, "--quiet"]);
  try {
    const env = { AWS_ENDPOINT_URL_LAMBDA: endpoint };
    expect((await run(["empty/"], { env })).stdout.toString()).toContain("empty.handler is undefined or not exported");
    expect((await run(["broken/"], { env })).stdout.toString()).toContain("SyntaxError");
  } finally {
    emulator.kill("SIGINT");
    await once(emulator, "exit");
  }
});

it("says that its port is taken", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const { code, stderr } = await run(["emulate", `orders=${join(folder, "orders.mjs")}`, "--port", String(port)]);
  server.close();
  expect(stderr).toContain(`lambda-requests: can't listen on 127.0.0.1:${port}: `);
  expect(stderr).not.toMatch(/\n\s+at /);
  expect(code).toBe(1);
});
