import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { getEventListeners, getMaxListeners, once, setMaxListeners } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { rolldown } from "rolldown";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { abortable } from "../../src/invoke/abortable.ts";
import type { MakeDecoder } from "../../src/invoke/answer-body.ts";
import { createHttpClient, type HttpClient, NetworkError, type WireRequest } from "../../src/invoke/http.ts";
import type { OpenBody } from "../../src/invoke/open-body.ts";
import { CLOSED_PORT, tcpTimer, trustEverybody, watchClientSockets } from "../support/sockets.ts";

const run = promisify(execFile);

let folder: string;
/** For 127.0.0.1. Missing where openssl is. */
let certificate: { key: Buffer; cert: Buffer; file: string } | undefined;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "lambda-requests-http-"));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const names = ["-subj", "/CN=lambda-requests", "-addext", "subjectAltName=IP:127.0.0.1"];
  try {
    await run("openssl", ["req", "-x509", ...curve, ...names, "-days", "2", "-keyout", key, "-out", cert]);
    certificate = { key: readFileSync(key), cert: readFileSync(cert), file: cert };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

interface TestServer {
  readonly port: number;
  /** Its ends of the connections, in the order they came. */
  readonly sockets: Socket[];
}

async function listen(server: Server, host = "127.0.0.1"): Promise<TestServer> {
  const sockets: Socket[] = [];
  server.on("connection", (socket: Socket) => {
    sockets.push(socket);
    // A client that goes away is what many tests are about.
    socket.on("error", () => {});
  });
  server.listen(0, host);
  await once(server, "listening");
  closers.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

/** A server that never ends a connection by itself and says nothing of that. */
function serve(listener: RequestListener, host?: string): Promise<TestServer> {
  return listen(createHttpServer({ keepAliveTimeout: 0 }, listener), host);
}

/** A server that reads a whole request with a body of `{}` and then has its way with the connection. */
function serveRaw(answer: (socket: Socket) => void): Promise<TestServer> {
  const server = createServer((socket) => {
    let seen = "";
    socket.on("data", (chunk) => {
      seen += chunk;
      if (!seen.endsWith("{}")) return;
      seen = "";
      answer(socket);
    });
  });
  return listen(server);
}

function createClient(settings?: Parameters<typeof createHttpClient>[0]): HttpClient {
  const client = createHttpClient(settings);
  closers.push(() => client.close());
  return client;
}

function wire(port: number, given: Partial<WireRequest> = {}): WireRequest {
  const body = given.body ?? Buffer.from("{}");
  const headers = { host: `127.0.0.1:${port}`, "content-length": String(body.length) };
  return { protocol: "http:", hostname: "127.0.0.1", port, method: "POST", path: "/", headers, body, ...given };
}

async function failure(call: Promise<unknown>): Promise<NetworkError> {
  const error = await call.then(
    () => new Error("it was answered"),
    (reason: unknown) => reason,
  );
  if (error instanceof NetworkError) return error;
  throw error;
}

/** The sockets that this test opens, seen from the inside. */
function watched(): Socket[] {
  const { sockets, undo } = watchClientSockets();
  closers.push(undo);
  return sockets;
}

/** Lets a test hold the server's answers: `next()` gives the one that came, or waits for it. */
function held(): { listener: RequestListener; next(): Promise<ServerResponse> } {
  const came: ServerResponse[] = [];
  const waiting: ((response: ServerResponse) => void)[] = [];
  return {
    listener(request, response) {
      request.resume().once("end", () => {
        const resolve = waiting.shift();
        if (resolve === undefined) came.push(response);
        else resolve(response);
      });
    },
    next() {
      const response = came.shift();
      return response === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(response);
    },
  };
}

describe("requests and answers", () => {
  test("what is given goes over the wire, and nothing else", async () => {
    const { port } = await serve(async (request, response) => {
      const { method, url, rawHeaders } = request;
      response.end(JSON.stringify({ method, url, rawHeaders, body: await text(request) }));
    });
    const headers = { host: "example.com", "content-length": "4", "x-one": "1", authorization: "AWS4 a=b, c=d" };
    const path = "/a%2Fb/../c;d?q=%24LATEST&x='";
    const { status, body } = await createClient().send(wire(port, { path, headers, body: Buffer.from("ü{}") }));
    expect(status).toBe(200);
    expect(JSON.parse(body.toString())).toEqual({
      method: "POST",
      url: path,
      rawHeaders: [...Object.entries(headers).flat(), "Connection", "keep-alive"],
      body: "ü{}",
    });
  });

  test("status, headers in lower case, and the bytes", async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const { port } = await serve((request, response) => {
      request.resume();
      response.writeHead(418, "", { "X-Amz-Executed-Version": "7", "Content-Length": 256 }).end(bytes);
    });
    const { status, headers, body } = await createClient().send(wire(port));
    expect(status).toBe(418);
    expect(headers).toMatchObject({ "x-amz-executed-version": "7", "content-length": "256" });
    expect(body).toEqual(bytes);
  });

  test.each([
    ["of a length of 0", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""],
    ["without a body", "HTTP/1.1 204 No Content\r\n\r\n", ""],
    ["chunked, of nothing", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ""],
    [
      "chunked",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n10\r\n0123456789abcdef\r\n0\r\nX-T: 1\r\n\r\n",
      "a0123456789abcdef",
    ],
    ["without a reason", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", "ok"],
    ["behind interim ones", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"],
  ])("an answer %s", async (_, answer, expected) => {
    const { port, sockets } = await serveRaw((socket) => socket.write(answer));
    const client = createClient();
    for (let call = 0; call < 2; call++) expect((await client.send(wire(port))).body.toString()).toBe(expected);
    expect(sockets).toHaveLength(1);
  });

  test("an answer that ends with its connection", async () => {
    const { port } = await serveRaw((socket) => socket.end("HTTP/1.1 200 OK\r\n\r\nall of it"));
    expect((await createClient().send(wire(port))).body.toString()).toBe("all of it");
  });

  test("an answer in single bytes", async () => {
    const { port } = await serveRaw(async (socket) => {
      for (const byte of "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") {
        socket.write(byte);
        await setImmediate();
      }
    });
    expect((await createClient().send(wire(port))).body.toString()).toBe("ok");
  });

  test("6 MB there and back", async () => {
    const { port } = await serve((request, response) => void request.pipe(response));
    const sent = Buffer.alloc(6 * 1024 * 1024, "0123456789abcdefg");
    const { body } = await createClient().send(wire(port, { body: sent }));
    expect(body.length).toBe(sent.length);
    expect(body.equals(sent), "the same bytes").toBe(true);
  });

  test("an IPv6 address", async ({ skip }) => {
    let server: TestServer;
    try {
      server = await serve((_, response) => response.end("six"), "::1");
    } catch (error) {
      return skip(`no IPv6 here: ${(error as NodeJS.ErrnoException).code}`);
    }
    const { body } = await createClient().send(wire(server.port, { hostname: "::1" }));
    expect(body.toString()).toBe("six");
  });
});

describe("connections", () => {
  test("calls one after the other share one", async () => {
    const { port, sockets } = await serve((_, response) => response.end("ok"));
    const client = createClient();
    for (let call = 0; call < 5; call++) await client.send(wire(port));
    expect(sockets).toHaveLength(1);
  });

  test("calls at once have one each, which the next calls use", async () => {
    const { listener, next } = held();
    const { port, sockets } = await serve(listener);
    const client = createClient();
    for (let round = 0; round < 2; round++) {
      const paths = Array.from({ length: 8 }, (_, call) => `/${round}/${call}`);
      const calls = paths.map((path) => client.send(wire(port, { path })));
      // None is answered before all are there.
      const responses = await Promise.all(paths.map(() => next()));
      for (const response of responses) response.end(response.req.url);
      expect((await Promise.all(calls)).map(({ body }) => body.toString())).toEqual(paths);
    }
    expect(sockets).toHaveLength(8);
  });

  test("maxSockets is their limit; the other calls wait", async () => {
    const { listener, next } = held();
    const { port, sockets } = await serve(listener);
    const client = createClient({ maxSockets: 2 });
    const calls = Array.from({ length: 6 }, (_, call) => client.send(wire(port, { path: `/${call}` })));
    const order: (string | undefined)[] = [];
    for (let round = 0; round < 3; round++) {
      for (const response of await Promise.all([next(), next()])) {
        order.push(response.req.url);
        response.end(response.req.url);
      }
    }
    expect((await Promise.all(calls)).map(({ body }) => body.toString())).toEqual(["/0", "/1", "/2", "/3", "/4", "/5"]);
    expect(order.toSorted()).toEqual(["/0", "/1", "/2", "/3", "/4", "/5"]);
    expect(sockets).toHaveLength(2);
  });

  test("a call that is aborted while it waits for one is never sent", async () => {
    const { listener, next } = held();
    const { port, sockets } = await serve(listener);
    const client = createClient({ maxSockets: 1 });
    const controller = new AbortController();
    const first = client.send(wire(port, { path: "/first" }));
    const aborted = client.send(wire(port, { path: "/aborted" }), controller.signal);
    const last = client.send(wire(port, { path: "/last" }));
    const response = await next();
    const reason = new Error("changed my mind");
    controller.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    response.end("first");
    (await next()).end("last");
    expect((await first).body.toString()).toBe("first");
    expect((await last).body.toString()).toBe("last");
    expect(response.req.url).toBe("/first");
    expect(sockets).toHaveLength(1);
  });

  test("one that the server closed is not used again", async () => {
    const { port, sockets } = await serve((_, response) => response.end("ok"));
    const client = createClient();
    const seen = watched();
    await client.send(wire(port));
    sockets[0]?.end();
    await once(seen[0] as Socket, "close");
    expect((await client.send(wire(port))).body.toString()).toBe("ok");
    expect(sockets).toHaveLength(2);
  });

  test("`Connection: close` is honoured", async () => {
    const { port, sockets } = await serve((_, response) => response.setHeader("Connection", "close").end("ok"));
    const client = createClient();
    for (let call = 0; call < 2; call++) await client.send(wire(port));
    expect(sockets).toHaveLength(2);
  });

  test("close() ends those that are free", async () => {
    const { port, sockets } = await serve((_, response) => response.end("ok"));
    const client = createClient();
    await client.send(wire(port));
    const [socket] = sockets as [Socket];
    expect(socket.readyState).toBe("open");
    client.close();
    await once(socket, "close");
  });

  test("close() ends a call in flight, too", async () => {
    const { listener, next } = held();
    const { port } = await serve(listener);
    const client = createClient();
    const call = failure(client.send(wire(port)));
    await next();
    client.close();
    expect(await call).toMatchObject({ code: "ERR_CLOSED", sent: true });
  });
});

describe("a free connection", () => {
  test.each([
    [undefined, 20_000],
    ["timeout=60", 20_000],
    ["timeout=21", 20_000],
    ["timeout=20", 19_000],
    ["timeout=5", 4_000],
    ["timeout=5, max=100", 4_000],
    ["max=100, timeout=5", 4_000],
    ["Timeout=5", 4_000],
    ["timeout=2", 1_000],
    ["max=100", 20_000],
    ["timeout=soon", 20_000],
  ])("with `Keep-Alive: %s` is kept for %d ms", async (hint, limit) => {
    const { port, sockets } = await serve((_, response) => {
      if (hint !== undefined) response.setHeader("Keep-Alive", hint);
      response.end("ok");
    });
    const client = createClient();
    const seen = watched();
    await client.send(wire(port));
    await expect.poll(() => seen[0]?.timeout).toBe(limit);
    await client.send(wire(port));
    expect(sockets).toHaveLength(1);
  });

  test.each(["timeout=1", "timeout=0", "max=5, timeout=1"])("with `Keep-Alive: %s` is not kept", async (hint) => {
    const { port, sockets } = await serve((_, response) => response.setHeader("Keep-Alive", hint).end("ok"));
    const client = createClient();
    const seen = watched();
    for (let call = 0; call < 2; call++) {
      await client.send(wire(port));
      await expect.poll(() => seen[call]?.destroyed).toBe(true);
    }
    expect(sockets).toHaveLength(2);
  });

  test("is closed when its time is over", async () => {
    const { port, sockets } = await serve((_, response) => response.setHeader("Keep-Alive", "timeout=2").end("ok"));
    const client = createClient();
    await client.send(wire(port));
    const start = performance.now();
    await once(sockets[0] as Socket, "close");
    // The server itself would wait for ever.
    expect(performance.now() - start).toBeGreaterThan(900);
    expect((await client.send(wire(port))).body.toString()).toBe("ok");
    expect(sockets).toHaveLength(2);
  });
});

describe("a call in flight", () => {
  test("has no timer, on a connection that was free before as well", async () => {
    const { listener, next } = held();
    const { port, sockets } = await serve(listener);
    const client = createClient();
    const seen = watched();
    const listeners: (number | undefined)[] = [];
    for (let call = 0; call < 4; call++) {
      const answer = client.send(wire(port));
      const response = await next();
      expect(seen[0]?.timeout ?? 0, `call ${call}`).toBe(0);
      listeners.push(seen[0]?.listenerCount("timeout"));
      response.setHeader("Keep-Alive", "timeout=3").end();
      await answer;
      // So that there was one to take away.
      await expect.poll(() => seen[0]?.timeout).toBe(2_000);
    }
    expect(sockets).toHaveLength(1);
    expect(new Set(listeners).size, "no listener is left behind").toBe(1);
  });

  test.for(["http:", "https:"] as const)(
    "is kept alive by TCP probes, on a connection that was free before as well: %s",
    async (protocol, { skip }) => {
      if (process.platform !== "linux") return skip("only Linux shows its TCP timers");
      if (protocol === "https:" && certificate === undefined) return skip("there is no openssl");
      const { listener, next } = held();
      const { port, sockets } =
        protocol === "http:"
          ? await serve(listener)
          : await listen(createHttpsServer({ ...certificate, keepAliveTimeout: 0 }, listener));
      if (protocol === "https:") closers.push(trustEverybody().undo);
      const client = createClient();
      for (let call = 0; call < 2; call++) {
        const answer = client.send(wire(port, { protocol }));
        const response = await next();
        const { remotePort = 0 } = sockets[0] as Socket;
        await expect.poll(() => tcpTimer(remotePort, port)).toBe("02");
        // The server's end has none, so the kernel does not show it for every connection.
        await expect.poll(() => tcpTimer(port, remotePort)).toBe("00");
        response.end();
        await answer;
      }
      expect(sockets).toHaveLength(1);
    },
  );
});

describe("nothing was sent", () => {
  test("nobody listens", async () => {
    const port = CLOSED_PORT;
    const error = await failure(createClient().send(wire(port)));
    expect(error).toMatchObject({ name: "NetworkError", code: "ECONNREFUSED", sent: false });
    expect(error.message).toBe(`connect ECONNREFUSED 127.0.0.1:${port}`);
    expect(error.cause).toMatchObject({ code: "ECONNREFUSED", syscall: "connect" });
  });

  test("nobody listens on any address of the host", () => {
    // What Node says of a host with several: https://nodejs.org/docs/latest-v20.x/api/net.html#netsetdefaultautoselectfamilyvalue
    const errors = ["::1", "127.0.0.1"].map((address) =>
      Object.assign(new Error(`connect ECONNREFUSED ${address}:9`), { code: "ECONNREFUSED" }),
    );
    const error = new NetworkError(new AggregateError(errors), false);
    expect(error).toMatchObject({ message: "connect ECONNREFUSED ::1:9", code: "ECONNREFUSED", sent: false });
  });

  test("the host has no address", async () => {
    // A label of 64 characters: no resolver needs the network to know.
    const hostname = `${"a".repeat(64)}.invalid`;
    const error = await failure(createClient().send(wire(80, { hostname })));
    expect(error).toMatchObject({ code: "ENOTFOUND", sent: false });
    expect(error.message).toContain(hostname);
  });

  test("the server's certificate is not trusted", async ({ skip }) => {
    if (certificate === undefined) return skip("there is no openssl to make a certificate with");
    let asked = 0;
    const { port } = await listen(createHttpsServer(certificate, () => asked++));
    const error = await failure(createClient().send(wire(port, { protocol: "https:" })));
    expect(error).toMatchObject({ code: "DEPTH_ZERO_SELF_SIGNED_CERT", sent: false });
    expect(asked).toBe(0);
  });

  test("the server does not speak TLS", async () => {
    let asked = 0;
    const { port } = await serve(() => asked++);
    const error = await failure(createClient().send(wire(port, { protocol: "https:" })));
    expect(error.sent).toBe(false);
    expect(error.code).toMatch(/^(EPROTO|ERR_SSL_\w+)$/);
    expect(asked).toBe(0);
  });

  test("the server leaves during the TLS handshake", async () => {
    const { port } = await listen(createServer((socket) => void socket.once("data", () => socket.end())));
    const error = await failure(createClient().send(wire(port, { protocol: "https:" })));
    expect(error).toMatchObject({ code: "ECONNRESET", sent: false });
  });
});

describe("something may have been sent", () => {
  test.each<[string, (socket: Socket) => void, RegExp]>([
    ["the connection ends before an answer", (socket) => socket.end(), /^ECONNRESET$/],
    ["the connection is reset before an answer", (socket) => socket.resetAndDestroy(), /^ECONNRESET$/],
    ["half of the headers", (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Le"), /^ECONNRESET$/],
    ["less than its length", (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"), /^ECONNRESET$/],
    [
      "chunks without an end",
      (socket) => socket.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"),
      /^ECONNRESET$/,
    ],
    [
      "chunks of no known size",
      (socket) => socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n"),
      /^HPE_INVALID_CHUNK_SIZE$/,
    ],
    ["no HTTP", (socket) => socket.write("SSH-2.0-OpenSSH_9.2\r\n"), /^HPE_/],
    [
      "more headers than Node takes",
      (socket) => socket.write(`HTTP/1.1 200 OK\r\nX: ${"x".repeat(20_000)}\r\n\r\n`),
      /^HPE_HEADER_OVERFLOW$/,
    ],
    [
      "another protocol",
      (socket) => socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"),
      /^ERR_NETWORK$/,
    ],
  ])("%s", async (_, answer, code) => {
    let asked = 0;
    const { port, sockets } = await serveRaw((socket) => {
      asked++;
      answer(socket);
    });
    const error = await failure(createClient().send(wire(port)));
    expect(error.sent).toBe(true);
    expect(error.code).toMatch(code);
    expect(error.message).not.toBe("");
    await Promise.all(sockets.filter(({ closed }) => !closed).map((socket) => once(socket, "close")));
    expect([asked, sockets.length], "it was sent once").toEqual([1, 1]);
  });

  test("a free connection that the server closes as the next call is written", async () => {
    let asked = 0;
    const { port, sockets } = await serveRaw((socket) => {
      if (++asked === 1) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
      else socket.resetAndDestroy();
    });
    const client = createClient();
    await client.send(wire(port));
    expect(await failure(client.send(wire(port)))).toMatchObject({ code: "ECONNRESET", sent: true });
    expect([asked, sockets.length], "it was sent once").toEqual([2, 1]);
  });

  test("a request that is not written to its end", async () => {
    const { port } = await listen(createServer((socket) => void socket.once("data", () => socket.resetAndDestroy())));
    const error = await failure(createClient().send(wire(port, { body: Buffer.alloc(20_000_000) })));
    expect(error.sent).toBe(true);
    expect(error.code).toMatch(/^(ECONNRESET|EPIPE)$/);
  });
});

describe("a connection that is not as it should be", () => {
  test("answers what nobody has asked for: it is not the next call's answer", async () => {
    const { port, sockets } = await serveRaw((socket) => socket.write(http(sockets.length)));
    const client = createClient();
    const seen = watched();
    expect((await client.send(wire(port))).body.toString()).toBe("1");
    sockets[0]?.write(http(666));
    await expect.poll(() => seen[0]?.destroyed).toBe(true);
    expect((await client.send(wire(port))).body.toString()).toBe("2");
  });

  test("answers twice at once: nobody knows which answer is meant", async () => {
    const { port } = await serveRaw((socket) => socket.write(http(1) + http(2)));
    expect(await failure(createClient().send(wire(port)))).toMatchObject({ code: "HPE_INVALID_CONSTANT", sent: true });
  });

  test("answers before it has all of the request: the answer counts, and the connection is not used again", async () => {
    const { port, sockets } = await listen(
      createServer((socket) => void socket.once("data", () => socket.pause().write(http(413)))),
    );
    const client = createClient();
    const seen = watched();
    const { body } = await client.send(wire(port, { body: Buffer.alloc(20_000_000) }));
    expect(body.toString()).toBe("413");
    await expect.poll(() => seen[0]?.destroyed).toBe(true);
    expect(sockets).toHaveLength(1);
  });

  test.each(["a\r\nX-Evil: 1", "a\nb", "a\0b", "a\u0100b"])(
    "%j in a header is refused, and not shown",
    async (value) => {
      const { port, sockets } = await serve((_, response) => response.end());
      const call = async () => createClient().send(wire(port, { headers: { "x-secret": value } }));
      await expect(call()).rejects.toThrow(new TypeError("the header x-secret can't hold a control character"));
      expect(sockets).toHaveLength(0);
    },
  );

  function http(body: number): string {
    return `HTTP/1.1 200 OK\r\nContent-Length: ${String(body).length}\r\n\r\n${body}`;
  }
});

describe("an answer that is read as it comes", () => {
  /** Gives the bytes in the pieces in which they come. */
  const copies = (give: (piece: Buffer) => void) => ({
    read: (bytes: Uint8Array) => give(Buffer.from(bytes)),
    end: () => undefined,
  });

  async function open<Part>(
    client: HttpClient,
    request: WireRequest,
    makeDecoder: MakeDecoder<Part>,
    signal?: AbortSignal,
  ): Promise<OpenBody<Part>> {
    const { body } = await client.open(request, makeDecoder, signal);
    if (body instanceof Uint8Array) throw new Error(`it came whole: ${body}`);
    return body;
  }

  test("comes with its status and headers, before its bytes", async () => {
    const { listener, next } = held();
    const { port } = await serve(listener);
    const opening = createClient().open(wire(port), copies);
    const response = await next();
    response.writeHead(202, { "x-amzn-requestid": "1" }).flushHeaders();
    const { status, headers, body } = await opening;
    expect([status, headers["x-amzn-requestid"]]).toEqual([202, "1"]);
    response.end("the body");
    expect(await text((body as OpenBody<Buffer>).parts)).toBe("the body");
  });

  test.each([300, 403, 500])("comes whole with the status %s, and is not decoded", async (status) => {
    const refusal = randomBytes(100_000);
    const { port, sockets } = await serve(async (_, response) => {
      response.writeHead(status).write(refusal.subarray(0, 10));
      await setImmediate();
      response.end(refusal.subarray(10));
    });
    const client = createClient();
    const makeDecoder = () => expect.unreachable("it is decoded");
    for (let call = 0; call < 2; call++) {
      const answer = await client.open(wire(port), makeDecoder);
      expect(answer.status).toBe(status);
      expect(refusal.equals(answer.body as Uint8Array)).toBe(true);
    }
    expect(sockets).toHaveLength(1);
  });

  test("whose end has come: to abort it ends no other call on its connection", async () => {
    const { listener, next } = held();
    const { port, sockets } = await serve(listener);
    const client = createClient();
    const controller = new AbortController();
    const opening = open(client, wire(port), copies, controller.signal);
    (await next()).end("first");
    const first = await opening;
    const seen = client.send(wire(port));
    const response = await next();
    expect(sockets, "the same connection").toHaveLength(1);
    controller.abort(new Error("enough"));
    response.end("second");
    expect((await seen).body.toString()).toBe("second");
    await expect(text(first.parts)).rejects.toThrow("enough");
  });

  test("comes no faster than it is asked for", async () => {
    const sent = randomBytes(20_000_000);
    const { port } = await serve((_, response) => response.end(sent));
    const seen = watched();
    const { parts } = await open(createClient(), wire(port), copies);
    await expect.poll(() => seen[0]?.isPaused()).toBe(true);
    expect(seen[0]?.bytesRead).toBeLessThan(1_000_000);
    const pieces: Buffer[] = [];
    for await (const piece of parts) pieces.push(piece);
    expect(sent.equals(Buffer.concat(pieces))).toBe(true);
  });

  test("gives what has come before the connection is lost, and then the error", async () => {
    const { listener, next } = held();
    const { port } = await serve(listener);
    const seen = watched();
    const opening = open(createClient(), wire(port), copies);
    const response = await next();
    response.write("half");
    const { parts } = await opening;
    response.write(" of it", () => response.socket?.end());
    await expect.poll(() => seen[0]?.destroyed).toBe(true);
    const iterator = parts[Symbol.asyncIterator]();
    const [first, second] = [await iterator.next(), await iterator.next()];
    expect(`${first.value}${second.value}`).toBe("half of it");
    await expect(iterator.next()).rejects.toMatchObject({ name: "NetworkError", code: "ECONNRESET", sent: true });
    await expect(iterator.next()).rejects.toMatchObject({ name: "NetworkError" });
  });

  test("gives what is before a mistake, and then that; the connection is closed", async () => {
    const { port } = await serve(async (_, response) => {
      response.write("good");
      await setImmediate();
      response.write("bad");
    });
    const seen = watched();
    const mistake = new Error("no such thing");
    const { parts } = await open<string>(createClient(), wire(port), (give) => ({
      read(bytes) {
        const said = Buffer.from(bytes).toString();
        give(said.slice(0, 4));
        if (said.endsWith("bad")) throw mistake;
      },
      end: () => undefined,
    }));
    await expect.poll(() => seen[0]?.destroyed).toBe(true);
    const iterator = parts[Symbol.asyncIterator]();
    expect(await iterator.next()).toEqual({ done: false, value: "good" });
    await expect(async () => {
      while (!(await iterator.next()).done);
    }).rejects.toBe(mistake);
  });

  test("that ends too early for its decoder fails, and its connection is used again", async () => {
    const { port, sockets } = await serve((_, response) => response.end("some"));
    const client = createClient();
    const early = new Error("it ends within a message");
    const { parts } = await open<never>(client, wire(port), () => ({
      read: () => undefined,
      end() {
        throw early;
      },
    }));
    await expect(parts[Symbol.asyncIterator]().next()).rejects.toBe(early);
    expect((await client.send(wire(port))).body.toString()).toBe("some");
    expect(sockets).toHaveLength(1);
  });

  test("that nobody wants: whoever asks is told of its end, and the connection is closed", async () => {
    const { listener, next } = held();
    const { port } = await serve(listener);
    const client = createClient();
    const seen = watched();
    const opening = open(client, wire(port), copies);
    (await next()).write("more");
    const { parts, close } = await opening;
    const iterator = parts[Symbol.asyncIterator]();
    expect((await iterator.next()).done).toBe(false);
    const asked = iterator.next();
    close();
    expect(await asked).toEqual({ done: true, value: undefined });
    expect(seen[0]?.destroyed).toBe(true);
  });

  describe("and of which all of use is here", () => {
    /** Where the server waits before the end, and the client has read what it needs. */
    async function allButTheEnd() {
      const { listener, next } = held();
      const { port, sockets } = await serve(listener);
      const client = createClient();
      const seen = watched();
      const opening = open(client, wire(port), copies);
      const response = await next();
      response.write("all of it");
      const { parts, release } = await opening;
      for await (const _part of parts) {
        release();
        break;
      }
      const [socket] = seen;
      async function sendAnother(): Promise<void> {
        const sending = client.send(wire(port));
        (await next()).end("another");
        expect((await sending).body.toString()).toBe("another");
      }
      return { response, socket, sockets, sendAnother };
    }

    test("its connection is used again when the end comes soon", async () => {
      const { response, socket, sockets, sendAnother } = await allButTheEnd();
      expect(socket?.timeout).toBeFalsy();
      response.end("useless");
      // A limit on how long it is kept: it is free.
      await expect.poll(() => socket?.timeout).toBeGreaterThan(0);
      await sendAnother();
      expect(sockets).toHaveLength(1);
    });

    test("its connection is closed when the end does not come", async () => {
      const { socket, sockets, sendAnother } = await allButTheEnd();
      expect(socket?.destroyed).toBe(false);
      await expect.poll(() => socket?.destroyed, { timeout: 5_000 }).toBe(true);
      await sendAnother();
      expect(sockets).toHaveLength(2);
    });
  });

  test("while it comes, what was sent for it is let go", async () => {
    setFlagsFromString("--expose-gc");
    const gc = runInNewContext("gc") as () => void;
    const { listener, next } = held();
    const { port } = await serve(listener);
    const client = createClient();
    async function post(): Promise<{ opening: Promise<OpenBody<Buffer>>; sent: WeakRef<Buffer> }> {
      const body = randomBytes(1_000_000);
      return { opening: open(client, wire(port, { body }), copies), sent: new WeakRef(body) };
    }
    const { opening, sent } = await post();
    (await next()).write("more");
    const iterator = (await opening).parts[Symbol.asyncIterator]();
    expect(String((await iterator.next()).value)).toBe("more");
    await expect
      .poll(() => {
        gc();
        return sent.deref() === undefined;
      })
      .toBe(true);
    await iterator.return?.();
  });

  test("a signal is listened to until all of it is taken", async () => {
    const { port } = await serve((_, response) => response.end("body"));
    const { signal } = new AbortController();
    const listeners = () => getEventListeners(signal, "abort").length;
    const { parts } = await open(createClient(), wire(port), copies, signal);
    expect(listeners()).toBe(1);
    expect(await text(parts)).toBe("body");
    expect(listeners()).toBe(0);
  });
});

describe("an aborted signal", () => {
  const reason = new Error("enough");
  const abortListeners = (signal: AbortSignal) => getEventListeners(signal, "abort").length;

  test("beforehand: rejects with the signal's reason and opens no connection", async () => {
    const { port, sockets } = await serve((_, response) => response.end());
    const client = createClient();
    const signal = AbortSignal.abort(reason);
    await expect(client.send(wire(port), signal)).rejects.toBe(reason);
    expect(abortListeners(signal)).toBe(0);
    await client.send(wire(port));
    expect(sockets).toHaveLength(1);
  });

  test("at once, while it connects", async () => {
    const { port } = await serve((_, response) => response.end());
    const controller = new AbortController();
    const call = createClient().send(wire(port), controller.signal);
    expect(abortListeners(controller.signal)).toBe(1);
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
    expect(abortListeners(controller.signal)).toBe(0);
  });

  test.each<[string, Partial<WireRequest>, string]>([
    ["during the TLS handshake", { protocol: "https:" }, ""],
    ["while it waits for an answer", {}, ""],
    ["while it reads the headers", {}, "HTTP/1.1 200 OK\r\nContent-"],
    ["while it reads the body", {}, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"],
  ])("%s: rejects with the signal's reason and closes the connection", async (_, given, answer) => {
    let answered = (_: Socket) => {};
    const began = new Promise<Socket>((resolve) => (answered = resolve));
    const server = createServer((socket) =>
      socket.once("data", () => (answer === "" ? answered(socket) : socket.write(answer, () => answered(socket)))),
    );
    const { port, sockets } = await listen(server);
    const seen = watched();
    const controller = new AbortController();
    const call = createClient().send(wire(port, given), controller.signal);
    const socket = await began;
    if (answer !== "") await expect.poll(() => seen[0]?.bytesRead).toBe(answer.length);
    const closed = once(socket, "close");
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
    await closed;
    expect(sockets).toHaveLength(1);
    expect(abortListeners(controller.signal)).toBe(0);
  });

  test("without a reason: as fetch does", async () => {
    const { listener, next } = held();
    const { port } = await serve(listener);
    const controller = new AbortController();
    const call = createClient().send(wire(port), controller.signal);
    await next();
    controller.abort();
    await expect(call).rejects.toBe(controller.signal.reason);
    await expect(call).rejects.toMatchObject({ name: "AbortError" });
  });

  test("afterwards: does nothing, and the connection is used on", async () => {
    const { port, sockets } = await serve((_, response) => response.end("ok"));
    const client = createClient();
    const controller = new AbortController();
    await client.send(wire(port), controller.signal);
    expect(abortListeners(controller.signal)).toBe(0);
    controller.abort(reason);
    await client.send(wire(port));
    expect(sockets).toHaveLength(1);
  });

  test("no listener is left by a call that failed", async () => {
    const { port: lost } = await serveRaw((socket) => socket.end());
    const { port: half } = await serveRaw((socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"));
    const { signal } = new AbortController();
    const client = createClient();
    for (const port of [CLOSED_PORT, lost, half]) {
      await failure(client.send(wire(port), signal));
      expect(abortListeners(signal)).toBe(0);
    }
  });

  test("one signal for many calls at once is no reason to warn", async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on("warning", onWarning);
    closers.push(() => process.off("warning", onWarning));
    const { port } = await serve((_request, response) => response.end());
    const { signal } = new AbortController();
    const client = createClient();
    await Promise.all(Array.from({ length: 50 }, () => abortable(client.send(wire(port), signal), signal)));
    await setImmediate();
    expect(warnings).toEqual([]);
    expect(abortListeners(signal)).toBe(0);
  });

  test("a limit of listeners that somebody has set stays", async () => {
    const { port } = await serve((_request, response) => response.end());
    const { signal } = new AbortController();
    setMaxListeners(3, signal);
    await createClient().send(wire(port), signal);
    expect(getMaxListeners(signal)).toBe(3);
  });

  test("one signal ends many calls", async () => {
    const { listener, next } = held();
    const { port, sockets } = await serve(listener);
    const controller = new AbortController();
    const client = createClient();
    const calls = Promise.allSettled(Array.from({ length: 5 }, () => client.send(wire(port), controller.signal)));
    await Promise.all(Array.from({ length: 5 }, next));
    const closed = Promise.all(sockets.map((socket) => once(socket, "close")));
    controller.abort(reason);
    expect(await calls).toEqual(Array.from({ length: 5 }, () => ({ status: "rejected", reason })));
    expect(await closed).toHaveLength(5);
  });
});

describe("https", () => {
  // A process of its own: which certificates Node trusts is settled when it starts.
  test("a trusted server is called, its name is checked, and a free connection keeps no process", async ({ skip }) => {
    if (certificate === undefined) return skip("there is no openssl to make a certificate with");
    const asked: (string | undefined)[] = [];
    const server = createHttpsServer({ ...certificate, keepAliveTimeout: 0 }, async (request, response) => {
      asked.push(request.url);
      const body = await text(request);
      if (request.url === "/lost") request.socket.destroy();
      else response.end(`${request.url} ${body}`);
    });
    const { port, sockets } = await listen(server);
    const client = await rolldown({
      input: fileURLToPath(new URL("../../src/invoke/http.ts", import.meta.url)),
      platform: "node",
    });
    await client.write({ file: join(folder, "http.mjs") });
    writeFileSync(
      join(folder, "main.mjs"),
      `import { createHttpClient } from "./http.mjs";
       const client = createHttpClient();
       async function call(hostname, path) {
         const port = Number(process.argv[2]);
         const headers = { host: hostname + ":" + port, "content-length": "2" };
         const wire = { protocol: "https:", hostname, port, method: "POST", path, headers, body: Buffer.from("{}") };
         try {
           return (await client.send(wire)).body.toString();
         } catch ({ code, sent }) {
           return { code, sent };
         }
       }
       const results = [];
       for (const path of ["/1", "/2", "/lost", "/3"]) results.push(await call("127.0.0.1", path));
       results.push(await call("localhost", "/other-name"));
       console.log(JSON.stringify(results));`,
    );
    const { stdout } = await run(process.execPath, [join(folder, "main.mjs"), String(port)], {
      env: { ...process.env, NODE_EXTRA_CA_CERTS: certificate.file },
      // Shorter than a free connection lasts.
      timeout: 10_000,
    });
    expect(JSON.parse(stdout)).toEqual([
      "/1 {}",
      "/2 {}",
      { code: "ECONNRESET", sent: true },
      "/3 {}",
      { code: "ERR_TLS_CERT_ALTNAME_INVALID", sent: false },
    ]);
    expect(asked).toEqual(["/1", "/2", "/lost", "/3"]);
    // One until it was lost, one after, one for the other name.
    expect(sockets).toHaveLength(3);
  });
});
