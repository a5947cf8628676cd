import { createServer } from "node:http";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createApi } from "../../src/emulator/api.ts";
import {
  asyncPath,
  head,
  invokePath,
  runner,
  send,
  startApi,
  streamPath,
  type TestApi,
  talk,
} from "../support/emulator-api.ts";
import { listening } from "../support/sockets.ts";

const MAX = 6_291_456;
const ECHO = invokePath("size");
const TOO_LARGE = "Request must be smaller than 6291456 bytes for the InvokeFunction operation";

let api: TestApi;

beforeAll(async () => {
  api = await startApi({ size: runner(async ({ payload }) => ({ payload: Buffer.from(String(payload.length)) })) });
});

afterAll(() => api.close());

/** JSON of so many bytes. */
const json = (bytes: number): Buffer => Buffer.from(`"${"x".repeat(bytes - 2)}"`);

describe("a request", () => {
  it.each([
    ["to wait for", ECHO, {}, MAX, 200],
    ["to stream", streamPath("size"), {}, MAX, 200],
    ["to queue", ECHO, { "X-Amz-Invocation-Type": "Event" }, 1_048_576, 202],
    ["to queue, the old way", asyncPath("size"), {}, 262_144, 202],
    ["to try out", ECHO, { "X-Amz-Invocation-Type": "DryRun" }, MAX, 204],
  ])("%s has a limit, to the byte", async (_name, path, headers, limit, status) => {
    const largest = await send(api.endpoint, path, { headers, body: json(limit) });
    expect(largest.status).toBe(status);
    const refused = await send(api.endpoint, path, { headers, body: json(limit + 1) });
    expect(refused.status).toBe(413);
    expect(refused.headers["x-amzn-errortype"]).toBe("RequestEntityTooLargeException");
  });

  it.each([
    ["to wait for", ECHO, {}, MAX + 1, TOO_LARGE],
    ["to stream", streamPath("size"), {}, MAX + 1, TOO_LARGE.replace("InvokeFunction", "InvokeWithResponseStream")],
    [
      "to queue",
      ECHO,
      { "X-Amz-Invocation-Type": "Event" },
      1_048_577,
      "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)",
    ],
    ["to queue, but not even to wait for", ECHO, { "X-Amz-Invocation-Type": "Event" }, MAX + 1, TOO_LARGE],
    [
      "to queue, the old way",
      asyncPath("size"),
      {},
      262_145,
      "262145 byte payload is too large for the Event invocation type (limit 262144 bytes)",
    ],
  ])("%s is told what its limit is", async (_name, path, headers, size, Message) => {
    const { json: body } = await send(api.endpoint, path, { headers, body: json(size) });
    expect(body).toEqual({ Message });
  });

  it.each([MAX, MAX + 1])("of %i bytes without a length is counted as it comes", async (size) => {
    const answer = await send(api.endpoint, ECHO, { headers: { "Transfer-Encoding": "chunked" }, body: json(size) });
    expect(answer.status).toBe(size > MAX ? 413 : 200);
    if (size <= MAX) expect(answer.json).toBe(size);
  });

  it("that says how large it is need not be sent to be refused", async () => {
    const answer = await talk(api.endpoint, [head(ECHO, { "Content-Length": MAX + 1 })], /\}$/);
    expect(answer).toMatch(/^HTTP\/1\.1 413 Payload Too Large\r\n/);
    expect(answer).toMatch(/\r\nConnection: close\r\n/);
    expect(answer).toContain(`\r\n\r\n{"Message":"${TOO_LARGE}"}`);
  });

  it("is answered before what is wrong with it has arrived", async () => {
    const answer = await send(api.endpoint, "/", { body: json(20_000_000) });
    expect(answer.status).toBe(403);
    expect(answer.headers.connection).toBe("close");
  });

  it("of tens of megabytes is refused to the face of who is still sending it", async () => {
    const answer = await send(api.endpoint, ECHO, { body: json(30_000_000) });
    expect(answer.status).toBe(413);
    expect(answer.json).toEqual({ Message: TOO_LARGE });
  });

  it.each([
    ["without a length", { "Transfer-Encoding": "chunked" }],
    ["that says how long", { "Content-Length": 100_000_000_000 }],
  ])("without an end, %s, is read on for a little", async (_name, headers) => {
    const accepted: Socket[] = [];
    const server = createServer(createApi({ find: () => undefined, queue: () => undefined }));
    server.on("connection", (socket) => accepted.push(socket));
    const { origin, undo } = await listening(server);
    try {
      const answer = await flood(origin, head(ECHO, headers), "Content-Length" in headers);
      expect(answer).toMatch(/^HTTP\/1\.1 413 /);
      expect(answer).toContain(TOO_LARGE);
      expect(accepted[0]?.bytesRead).toBeLessThan(64 * 1024 * 1024);
    } finally {
      undo();
    }
  });
});

/** Sends without an end, until the other side closes the connection. */
function flood(endpoint: string, start: string, isRaw: boolean): Promise<string> {
  const bytes = Buffer.alloc(1024 * 1024, "x");
  const piece = isRaw ? bytes : Buffer.concat([Buffer.from("100000\r\n"), bytes, Buffer.from("\r\n")]);
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(endpoint).port), "127.0.0.1");
    let seen = "";
    socket.on("data", (chunk) => {
      seen += chunk.toString();
    });
    socket.on("error", () => undefined);
    socket.once("close", () => resolve(seen));
    const more = (): void => void (socket.destroyed || socket.write(piece, (error) => error || more()));
    socket.write(start);
    more();
  });
}

describe("a client that waits for 100 Continue", () => {
  const expecting = { Expect: "100-continue" };

  it("is told to go on", async () => {
    const answer = await talk(api.endpoint, [head(ECHO, { ...expecting, "Content-Length": 2 }), "{}"], /\r\n\r\n2$/);
    expect(answer).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
  });

  it("hears that it need not, if it would send too much", async () => {
    const answer = await talk(api.endpoint, [head(ECHO, { ...expecting, "Content-Length": MAX + 1 })], /\}$/);
    expect(answer).toMatch(/HTTP\/1\.1 413 /);
    expect(answer).toMatch(/\r\nConnection: close\r\n/);
  });
});

describe("a connection", () => {
  const good = `${head(ECHO, { "Content-Length": 2 })}{}`;

  it("stays open behind every kind of answer", async () => {
    const bad = `${head("/", { "Content-Length": 2 })}{}`;
    const event = `${head(ECHO, { "Content-Length": 2, "X-Amz-Invocation-Type": "Event" })}{}`;
    const dry = `${head(ECHO, { "Content-Length": 2, "X-Amz-Invocation-Type": "DryRun" })}{}`;
    const stream = `${head(streamPath("size"), { "Content-Length": 2 })}{}`;
    const requests = [bad, event, dry, stream, `${head(ECHO, { "Content-Length": 1 })}{`];
    const answer = await talk(api.endpoint, [...requests, good], /\r\n\r\n2$/);
    expect(answer.match(/HTTP\/1\.1 \d{3}/g)).toEqual(
      [403, 202, 204, 200, 400, 200].map((status) => `HTTP/1.1 ${status}`),
    );
    expect(answer).not.toMatch(/Connection: close/i);
  });

  it("may be lost while the request is on its way", async () => {
    const before = api.calls.length;
    await new Promise<void>((resolve) => {
      const socket = connect(Number(new URL(api.endpoint).port), "127.0.0.1");
      socket.write(`${head(ECHO, { "Content-Length": 1000 })}{`, () => socket.resetAndDestroy());
      socket.once("close", () => resolve());
    });
    await new Promise<void>((resolve) => {
      const socket = connect(Number(new URL(api.endpoint).port), "127.0.0.1");
      socket.end(head("/", { "Content-Length": 1000 }));
      socket.resume().once("close", () => resolve());
    });
    expect((await send(api.endpoint, ECHO)).status).toBe(200);
    expect(api.calls).toHaveLength(before + 1);
  });
});
