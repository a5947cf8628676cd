// biome-ignore-all lint/suspicious/noTemplateCurlyInString: it is a variable of a template
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, open, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, it } from "vitest";
import { run } from "../support/cli.ts";

const main = join(import.meta.dirname, "../../dist/cli/main.js");
const fixtures = join(import.meta.dirname, "../emulator/templates");

let folder: string;
let running: ChildProcess | undefined;

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "lambda-requests-")));
});

afterEach(async () => {
  if (running !== undefined && running.exitCode === null && running.signalCode === null) {
    running.kill("SIGINT");
    await once(running, "exit");
  }
  running = undefined;
  await rm(folder, { recursive: true });
});

interface Emulation {
  readonly endpoint: string;
  /** What it says at its start. */
  readonly introduction: readonly string[];
  /** The lines that it says until one has this in it. */
  heard(text: string): Promise<string[]>;
}

/** Starts the command in the folder. */
async function emulate(...args: string[]): Promise<Emulation> {
  const child = spawn(process.execPath, [main, "emulate", ...args], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  running = child;
  const lines = createInterface(child.stderr)[Symbol.asyncIterator]();
  async function heard(text: string): Promise<string[]> {
    const said: string[] = [];
    for (;;) {
      const { value, done } = await lines.next();
      if (done === true) throw new Error(`it ended without ${text}: ${said.join("\n")}`);
      said.push(value);
      if (value.includes(text)) return said;
    }
  }
  const [[endpoint], introduction] = await Promise.all([
    once(createInterface(child.stdout), "line") as Promise<[string]>,
    heard("Stop with"),
  ]);
  return { endpoint, introduction, heard };
}

/** Runs the command in the folder to its end. */
async function refused(...args: string[]): Promise<{ code: number; said: string }> {
  const child = spawn(process.execPath, [main, "emulate", ...args], {
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const [code] = (await once(child, "close")) as [number];
  return { code, said };
}

/** What a function answers. */
async function get(endpoint: string, url: string): Promise<string> {
  const { stdout } = await run([url], { env: { AWS_ENDPOINT_URL_LAMBDA: endpoint } });
  return stdout.toString();
}

const orders = (answer: string): string =>
  `export const handler = async (event) => ({ statusCode: 200, body: "${answer}" + event.path });`;

it("finds a serverless.yml by itself, and says what it runs, what not, and how to go on", async () => {
  await cp(join(fixtures, "serverless"), folder, { recursive: true });
  const { endpoint, introduction } = await emulate();
  expect(endpoint).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  expect(introduction).toEqual([
    "Functions: shop-dev-orders (orders), shop-users (users), shop-dev-health-check",
    "  (health-check), shop-dev-slow (slow)",
    "Left out of serverless.yml:",
    "  provider.environment.SECRET: ${ssm:…} is known only when it is deployed",
    "  orders.environment.QUEUE_URL: !Ref OrdersQueue is not known before it is",
    "    deployed",
    "  health-check.layers: layers are not loaded; what they bring has to be in",
    "    node_modules",
    "  report: its runtime is python3.12, not Node.js: give its command with --exec",
    "  thumbnails: it is a container image: give its command with --exec",
    "  invoices: there is no src/invoices.js, .mjs or .cjs; build src/invoices.tsx",
    "    first",
    "  circular: self:custom.circle leads back to itself",
    "  lost: there is no src/nowhere.js, .mjs or .cjs",
    "  slow.timeout: it is 901, and has to be 1 to 900 seconds",
    "Variables that are left out can be set where this command is run.",
    `For clients: export AWS_ENDPOINT_URL_LAMBDA=${endpoint}`,
    "Stop with Ctrl-C.",
  ]);
  const answer = '{"path":"/v1","stage":"dev","table":"shop-dev-orders"}';
  expect(await get(endpoint, "orders/v1")).toBe(answer);
  expect(await get(endpoint, "shop-dev-orders/v1")).toBe(answer);
  expect(await get(endpoint, "shop-users/")).toBe("users");
});

it("reads a SAM template, over it a configuration, and over both the command line", async () => {
  await cp(join(fixtures, "sam"), folder, { recursive: true });
  await writeFile(join(folder, "plain.mjs"), orders("plain "));
  await writeFile(join(folder, "lost.mjs"), orders("found "));
  await writeFile(
    join(folder, "emulator.json"),
    JSON.stringify({ functions: { PlainFunction: "./nowhere.mjs", LostFunction: { handler: "./lost.mjs" } } }),
  );
  const args = ["--template", "template.yaml", "--config", "emulator.json", "PlainFunction=./plain.mjs"];
  const { endpoint, introduction } = await emulate(...args);
  expect(await get(endpoint, "orders-local/v1")).toBe("orders /v1");
  expect(await get(endpoint, "OrdersFunction/v1")).toBe("orders /v1");
  expect(await get(endpoint, "PlainFunction/v1")).toBe("plain /v1");
  expect(await get(endpoint, "LostFunction/v1")).toBe("found /v1");
  const text = introduction.join("\n");
  expect(text).toContain("  ReportFunction: its runtime is python3.13");
  expect(text).not.toContain("PlainFunction.layers");
  expect(text).not.toContain("  LostFunction:");
  expect(introduction.filter((line) => line.length > 80)).toEqual([]);
});

it("runs what the configuration says, relative to it, and on its port unless the command line has another", async () => {
  await writeFile(join(folder, "orders.mjs"), orders("orders "));
  await writeFile(join(folder, "emulator.json"), '{ "functions": { "orders": "./orders.mjs" }, "port": 1 }');
  const { endpoint } = await emulate("--config", join(folder, "emulator.json"), "--port", "0");
  expect(await get(endpoint, "orders/v1")).toBe("orders /v1");
});

it("loads a function anew when its code changes, and says when its settings have", async () => {
  await writeFile(join(folder, "orders.mjs"), orders("first "));
  await writeFile(join(folder, "emulator.json"), '{ "functions": { "orders": { "handler": "./orders.mjs" } } }');
  const { endpoint, heard } = await emulate("--config", "emulator.json", "--watch");
  expect(await get(endpoint, "orders/v1")).toBe("first /v1");
  for (const answer of ["second ", "third "]) {
    // As an editor saves.
    await writeFile(join(folder, "orders.mjs~"), orders(answer));
    await rename(join(folder, "orders.mjs~"), join(folder, "orders.mjs"));
    expect(await heard("Reloaded")).toEqual(["Reloaded orders: orders.mjs has changed"]);
    expect(await get(endpoint, "orders/v1")).toBe(`${answer}/v1`);
  }
  await writeFile(join(folder, "emulator.json"), '{ "functions": {} }');
  expect(await heard("emulator.json")).toEqual(["emulator.json has changed: start again to read it"]);
});

it("runs a command that speaks the Runtime API", async () => {
  const bootstrap = `
    const api = "http://" + process.env.AWS_LAMBDA_RUNTIME_API + "/2018-06-01/runtime/invocation/";
    for (;;) {
      const next = await fetch(api + "next");
      const { path } = await next.json();
      const id = next.headers.get("lambda-runtime-aws-request-id");
      const body = JSON.stringify({ statusCode: 200, body: "command " + path });
      await fetch(api + id + "/response", { method: "POST", body });
    }`;
  await writeFile(join(folder, "bootstrap.mjs"), bootstrap);
  const { endpoint, introduction } = await emulate("--exec", "orders=node bootstrap.mjs", "--host", "0.0.0.0");
  expect(await get(endpoint.replace("0.0.0.0", "127.0.0.1"), "orders/v1")).toBe("command /v1");
  expect(introduction).toContain("Whoever can reach this address on the network can run these functions.");
});

it("refuses a share of the calls when it is asked to", async () => {
  await writeFile(join(folder, "orders.mjs"), orders("orders "));
  const { endpoint } = await emulate("orders=./orders.mjs", "--fault", "throttle=1", "--fault", "latency=1-2");
  const { code, stderr } = await run(["orders/v1"], {
    env: { AWS_ENDPOINT_URL_LAMBDA: endpoint, AWS_MAX_ATTEMPTS: "1" },
  });
  expect(stderr).toContain("TooManyRequestsException");
  expect(code).toBe(1);
});

it("says how to name functions where there are none, and which files could", async () => {
  expect(await refused()).toEqual({
    code: 2,
    said: expect.stringContaining("which functions? Write NAME=FILE, as in orders=./orders.mjs; or\n--template FILE"),
  });
  await writeFile(join(folder, "serverless.yml"), "provider: aws\nfunctions: {}\n");
  expect(await refused()).toEqual({
    code: 1,
    said: "lambda-requests: serverless.yml: there is no function that can be run\n",
  });
  await writeFile(join(folder, "template.yaml"), "Resources: {}\n");
  expect(await refused()).toEqual({
    code: 2,
    said: expect.stringContaining("here are both serverless.yml and template.yaml: choose one, with --template"),
  });
  const template = "Resources: { Report: { Type: AWS::Serverless::Function, Properties: { Runtime: python3.13 } } }\n";
  await writeFile(join(folder, "template.yaml"), template);
  expect(await refused("--template", "template.yaml")).toEqual({
    code: 1,
    said:
      "lambda-requests: template.yaml: there is no function that can be run\n" +
      "  Report: its runtime is python3.13, not Node.js: give its command with --exec\n",
  });
});

it("does not take what it writes itself for a change of the functions", async () => {
  await writeFile(join(folder, "orders.mjs"), orders("first "));
  const output = await open(join(folder, "output.txt"), "w");
  const args = [main, "emulate", "orders=./orders.mjs", "--watch"];
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ["ignore", output.fd, output.fd] });
  const written = async (): Promise<string> => readFile(join(folder, "output.txt"), "utf8");
  try {
    await expect.poll(written, { timeout: 10_000 }).toContain("Stop with Ctrl-C");
    await writeFile(join(folder, "orders.mjs"), orders("second "));
    await expect.poll(written, { timeout: 10_000 }).toContain("Reloaded orders: orders.mjs has changed");
    // Another change, behind which each line that was taken for one would have been told.
    await writeFile(join(folder, "orders.mjs"), orders("third "));
    await expect.poll(async () => (await written()).match(/Reloaded/g), { timeout: 10_000 }).toHaveLength(2);
    expect(await written()).not.toContain("output.txt");
  } finally {
    child.kill();
    await once(child, "exit");
    await output.close();
  }
});
