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
  ["a port that is none", ["a=b", "--port", "x"], 2, "--port x is no port"],
  ["a port that is too large", ["a=b", "--port", "99999"], 2, "--port 99999 is no port: 0 to 65535"],
  ["a name that can't be", ["or ders=./x.mjs"], 1, "a function's name can't hold"],
  ["a file that is not there", ["orders=./nowhere.mjs"], 1, "can't be loaded"],
  ["a file without the export", ["orders=EMPTY"], 1, "exports no function handler. It exports: other"],
  ["a file with a syntax error", ["orders=BROKEN"], 1, "can't be loaded"],
])("%s: a message and an exit code", async (_name, args, code, message) => {
  const files = args.map((arg) =>
    arg.replace("EMPTY", join(folder, "empty.mjs")).replace("BROKEN", join(folder, "broken.mjs")),
  );
  const result = await run(["emulate", ...files]);
  expect(result.stderr).toContain(message);
  expect(result.stderr).not.toMatch(/\n\s+at /);
  expect(result.code).toBe(code);
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
