/** `--stream`: the body as it comes. */

import { PassThrough } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { request } from "../../src/cli/request.ts";
import { Emulator } from "../../src/emulator/index.ts";
import { run } from "../support/cli.ts";
import { type AwsLambda, gate } from "../support/streams.ts";

const { awslambda } = globalThis as unknown as { awslambda: AwsLambda };
let emulator: Emulator;
let more = gate();

beforeAll(async () => {
  const words = awslambda.streamifyResponse(async (event: { path: string }, stream) => {
    const type = event.path === "/picture" ? "image/png" : "text/plain";
    const body = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { "Content-Type": type } });
    console.log("two words to write");
    // The last character comes in two pieces.
    body.write(Buffer.from("Grüß Gö").subarray(0, -1));
    if (event.path === "/broken") throw new RangeError("out of words");
    await more.opened;
    body.end(event.path === "/bytes" ? Buffer.from([0xb6, 0, 255]) : Buffer.from([0xb6]));
  });
  const raw = awslambda.streamifyResponse(async (_event, stream) => void stream.end("no type"));
  emulator = await Emulator.start({
    functions: { words, raw, plain: async () => ({ statusCode: 200, body: "whole" }) },
    quiet: true,
  });
});
afterAll(() => emulator.close());

const lines = (...args: string[]): string[] => [
  ...args,
  "--stream",
  "--endpoint-url",
  emulator.endpoint,
  "--region",
  "us-east-1",
];

test("a piece is written before the next is here", async () => {
  more = gate();
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const running = request(lines("words", "-i"), { stdin: new PassThrough(), stdout, stderr });
  const [first] = (await stdout.take(1).toArray()) as [Buffer];
  expect(first.subarray(0, -1).toString()).toBe("Grüß G");
  expect(String(stderr.read())).toContain("HTTP/1.1 201 Created");
  more.open();
  expect(await running).toBe(0);
});

test("all of it, and the log when it is over", async () => {
  more.open();
  const { stdout, stderr, code } = await run(lines("words", "--logs"));
  expect([String(stdout), code]).toEqual(["Grüß Gö", 0]);
  expect(stderr).toContain("two words to write");
  expect(stderr).toContain("REPORT RequestId");
  expect(String((await run(lines("plain"))).stdout)).toBe("whole");
  expect(String((await run(lines("raw"))).stdout)).toBe("no type");
});

test("a function that fails midway: what had come, the error, and 1", async () => {
  const { stdout, stderr, code } = await run(lines("words/broken"));
  expect(String(stdout)).toMatch(/^Grüß G/);
  expect(stderr).toMatch(/the function failed: RangeError: out of words\. It had answered with 9 bytes/);
  expect(code).toBe(1);
});

test.each(["words/bytes", "words/picture"])("%s: a terminal is not shown what is no text", async (url) => {
  more.open();
  const [stdout, stderr] = [Object.assign(new PassThrough(), { isTTY: true }), new PassThrough()];
  expect(await request(lines(url), { stdin: new PassThrough(), stdout, stderr })).toBe(0);
  expect(String(stderr.read())).toBe("\nlambda-requests: what comes is no text; to save it, add > FILE\n");
  expect(String(stdout.read() ?? "")).not.toContain("\0");
});
