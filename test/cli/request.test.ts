import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { request as requestCommand } from "../../src/cli/request.ts";
import { Emulator } from "../../src/emulator/index.ts";
import { VERSION } from "../../src/version.ts";
import { type Run, run as runCommand } from "../support/cli.ts";

interface RestEvent {
  httpMethod: string;
  path: string;
  headers: Record<string, string>;
  body: string | null;
  isBase64Encoded: boolean;
}

let emulator: Emulator;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lambda-requests-"));
  emulator = await Emulator.start({
    quiet: true,
    functions: {
      echo: async (event: RestEvent) => ({ statusCode: 200, body: JSON.stringify(event) }),
      "echo:prod": async () => ({ statusCode: 200, headers: { "content-type": "text/plain" }, body: "prod" }),
      bytes: async () => ({
        statusCode: 200,
        body: Buffer.from([0, 255, 10]).toString("base64"),
        isBase64Encoded: true,
      }),
      picture: async () => ({ statusCode: 200, headers: { "content-type": "image/png" }, body: "PNG" }),
      yaml: async () => ({ statusCode: 200, headers: { "content-type": "application/yaml" }, body: "a: Ä" }),
      missing: async () => ({ statusCode: 404, headers: { "X-Why": "gone" }, body: "nope" }),
      broken: async () => {
        console.log("about to fail");
        throw new RangeError("too much");
      },
    },
  });
});

afterAll(async () => {
  await emulator.close();
  await rm(folder, { recursive: true });
});

function request(args: readonly string[], stdin: string | Uint8Array = ""): Promise<Run> {
  return runCommand([...args, "--endpoint-url", emulator.endpoint], { stdin });
}

async function echo(args: readonly string[], stdin: string | Uint8Array = ""): Promise<RestEvent> {
  const { stdout, stderr, code } = await request(args, stdin);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  return JSON.parse(stdout.toString("utf8")) as RestEvent;
}

describe("a request", () => {
  it("is a GET of the URL", async () => {
    expect(await echo(["http+lambda://echo/a%2Fb?x=1"])).toMatchObject({
      httpMethod: "GET",
      path: "/a%2Fb",
      body: null,
    });
  });

  it("needs no scheme", async () => {
    expect(await echo(["echo/v1"])).toMatchObject({ path: "/v1", headers: { Host: "echo" } });
  });

  it("needs no scheme where the query holds a URL", async () => {
    expect(await echo(["echo/v1?next=https://x.com/"])).toMatchObject({
      path: "/v1",
      queryStringParameters: { next: "https://x.com/" },
    });
  });

  it("takes a qualifier as people type it", async () => {
    const { stdout } = await request(["echo:prod/"]);
    expect(stdout.toString()).toBe("prod");
  });

  it("takes a method and headers", async () => {
    const event = await echo(["delete", "echo/v1", "-H", "X-A: 1", "--header", "X-Url: http://a:1"]);
    expect(event).toMatchObject({ httpMethod: "DELETE", headers: { "X-A": "1", "X-Url": "http://a:1" } });
  });

  it("posts JSON", async () => {
    const event = await echo(["echo/", "-d", '{"sku":"Ä"}']);
    expect(event).toMatchObject({
      httpMethod: "POST",
      body: '{"sku":"Ä"}',
      headers: { "Content-Type": "application/json" },
    });
  });

  it("posts a form where data is no JSON", async () => {
    const event = await echo(["PUT", "echo/", "--data", "a=1&b=2"]);
    expect(event).toMatchObject({
      httpMethod: "PUT",
      body: "a=1&b=2",
      headers: { "Content-Type": "application/x-www-form-urlencoded" },
    });
  });

  it("leaves a content type that is given", async () => {
    expect(await echo(["echo/", "-d", "{}", "-H", "content-type: text/plain"])).toMatchObject({
      headers: { "content-type": "text/plain" },
    });
  });

  it("takes a file and standard input, bytes included", async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const file = join(folder, "body.bin");
    await writeFile(file, bytes);
    const expected = { body: Buffer.from(bytes).toString("base64"), isBase64Encoded: true };
    expect(await echo(["echo/", "-d", `@${file}`, "-H", "Content-Type: image/png"])).toMatchObject(expected);
    expect(await echo(["echo/", "-d", "@-", "-H", "Content-Type: image/png"], bytes)).toMatchObject(expected);
  });
});

describe("the answer", () => {
  it("is the body and nothing else, byte for byte", async () => {
    const { stdout, stderr } = await request(["bytes/"]);
    expect([...stdout]).toEqual([0, 255, 10]);
    expect(stderr).toBe("");
  });

  it.each([
    ["bytes", "", "lambda-requests: 3 bytes that are no text; to save them, add > FILE\n"],
    ["picture", "", "lambda-requests: 3 bytes that are no text; to save them, add > FILE\n"],
    ["yaml", "a: Ä", ""],
  ])("is on a terminal only when it is text: %s", async (name, expected, note) => {
    const stdout = Object.assign(new PassThrough(), { isTTY: true });
    const stderr = new PassThrough();
    const args = [`${name}/`, "--endpoint-url", emulator.endpoint];
    expect(await requestCommand(args, { stdin: new PassThrough(), stdout, stderr })).toBe(0);
    expect(String(stdout.read() ?? "")).toBe(expected);
    expect(String(stderr.read() ?? "")).toBe(note);
  });

  it("has its status and headers on standard error with -i", async () => {
    const { code, stdout, stderr } = await request(["missing/", "-i"]);
    expect(code).toBe(0);
    expect(stdout.toString()).toBe("nope");
    expect(stderr).toBe("HTTP/1.1 404 Not Found\ncontent-length: 4\ncontent-type: application/json\nx-why: gone\n\n");
  });

  it("sets the exit code with --check-status", async () => {
    expect((await request(["missing/", "--check-status"])).code).toBe(4);
    expect((await request(["broken/", "--check-status"])).code).toBe(5);
    expect((await request(["bytes/", "--check-status"])).code).toBe(0);
  });

  it("says what a function died of, with its log", async () => {
    const { code, stdout, stderr } = await request(["broken/", "--logs"]);
    expect(code).toBe(0);
    expect(stdout.toString()).toBe("too much");
    expect(stderr).toMatch(/^START RequestId: /);
    expect(stderr).toContain("\tINFO\tabout to fail\n");
    expect(stderr).toMatch(/\nlambda-requests: the function broken failed with RangeError\n$/);
  });
});

describe("a mistake", () => {
  it.each([
    ["no arguments", [], 2, "Usage:"],
    ["no URL", ["-i"], 2, "which URL?"],
    ["two URLs", ["GET", "echo/", "echo/"], 2, "one URL at a time"],
    ["an unknown option", ["echo/", "--nope"], 2, "--nope"],
    ["a header without a colon", ["echo/", "-H", "secret"], 2, "a header is written 'NAME: VALUE'"],
    ["a file that is not there", ["echo/", "-d", "@/nonexistent"], 2, "no such file"],
    ["a bad function name", ["ec ho/"], 1, "a function's name can't hold"],
    ["a header that HTTP forbids", ["echo/", "-H", "X: a\nb"], 1, "the header X holds U+000A"],
    ["no region", ["echo/"], 1, "AWS_REGION and AWS_DEFAULT_REGION"],
    ["an unknown profile", ["echo/", "--profile", "nope", "--region", "eu-west-1"], 1, 'there is no profile "nope"'],
  ])("%s: a message, an exit code, no stack", async (_name, args, code, message) => {
    const result = await runCommand(args);
    expect(result.stderr).toContain(message);
    expect(result.stderr).not.toMatch(/\n\s+at /);
    expect(result.stdout.toString()).toBe("");
    expect(result.code).toBe(code);
  });

  it("an endpoint that refuses: says host and port", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const { code, stderr } = await runCommand(["echo/", "--endpoint-url", `http://127.0.0.1:${port}`]);
    expect(code).toBe(1);
    expect(stderr).toContain(`could not connect to 127.0.0.1:${port} (ECONNREFUSED`);
    expect(stderr).toContain("Is the emulator running?");
  });

  it("a function that is not there: says name, qualifier and region", async () => {
    const { code, stderr } = await request(["prod.nowhere/", "--region", "eu-west-1"]);
    expect(code).toBe(1);
    expect(stderr).toContain(
      "GET http+lambda://prod.nowhere/: Lambda knows no function nowhere (qualifier prod) in eu-west-1",
    );
  });
});

describe("help", () => {
  it("fits a terminal of 80 columns", async () => {
    const { code, stdout } = await runCommand(["--help"]);
    expect(code).toBe(0);
    expect(
      stdout
        .toString()
        .split("\n")
        .filter((line) => line.length > 80),
    ).toEqual([]);
    expect(stdout.toString()).toContain("lambda-requests [METHOD] URL");
    expect(stdout.toString()).toMatch(/Exit codes:.*with --check-status also 3, 4 or 5/s);
  });

  it("knows its version", async () => {
    expect((await runCommand(["--version"])).stdout.toString()).toBe(`${VERSION}\n`);
  });
});

function shell(command: string): Promise<Run> {
  return new Promise((resolve) => {
    const script = `lambda-requests() { "${process.execPath}" dist/cli/main.js "$@" --endpoint-url ${emulator.endpoint}; }; ${command}`;
    const child = execFile("bash", ["-c", script], { encoding: "buffer" }, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, stdout, stderr: stderr.toString("utf8") });
    });
  });
}

// A pipe whose reader is gone before the command starts.
const BROKEN_PIPE = "exec 3> >(exec true); wait $!;";

describe("a stream that can't be written to", () => {
  it("ends quietly when its output is not wanted any more", async () => {
    expect(await shell(`${BROKEN_PIPE} lambda-requests echo/ >&3`)).toMatchObject({ code: 0, stderr: "" });
  });

  it("writes the body though standard error is closed", async () => {
    const { code, stdout } = await shell(`${BROKEN_PIPE} lambda-requests missing/ -i 2>&3`);
    expect(stdout.toString()).toBe("nope");
    expect(code).toBe(0);
  });

  it.runIf(existsSync("/dev/full")).each(["echo/", "--help"])("says that the disk is full: %s", async (args) => {
    const { code, stderr } = await shell(`lambda-requests ${args} > /dev/full`);
    expect(stderr).toMatch(/^lambda-requests: can't write to standard output: .*ENOSPC.*\n$/);
    expect(code).toBe(1);
  });

  it.runIf(existsSync("/dev/full"))("fails when standard error is on a full disk", async () => {
    expect((await shell("lambda-requests missing/ -i 2> /dev/full")).code).toBe(1);
  });
});
