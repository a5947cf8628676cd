/** What a body that streams must put up with: from whoever reads it, and from whatever sends it. */
import { getEventListeners } from "node:events";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { InvokeCommand, type InvokeCommandInput, LambdaClient } from "@aws-sdk/client-lambda";
import { describe, expect, test } from "vitest";
import { ConfigurationError } from "../src/errors.ts";
import { createFrameReader, writeFrame } from "../src/formats/stream.ts";
import type { InvocationEnd, Invoker, PayloadStream } from "../src/invoke/invoker.ts";
import { type SdkClient, sdkInvoker } from "../src/invoke/sdk.ts";
import { readAhead } from "../src/read-ahead.ts";
import { readEvents } from "../src/read-stream.ts";
import type { LambdaResponse } from "../src/response.ts";
import { Session } from "../src/session.ts";
import type { SessionOptions } from "../src/session-options.ts";
import { breaks, faultyLambda, result } from "./support/faulty-lambda.ts";
import { chunked, complete, HEAD, LAST, payload, streamingLambda } from "./support/streaming-lambda.ts";
import { gate } from "./support/streams.ts";

const APP = "http+lambda://app/";

/** Pieces of one buffer, as those of one packet are. */
function cut(bytes: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}

/** A function that streams these, and tells whether anybody has stopped it. */
function streaming(
  headers: Readonly<Record<string, string>>,
  pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  options: SessionOptions = {},
): { session: Session; seen: { stopped: boolean; signal?: AbortSignal } } {
  const seen: { stopped: boolean; signal?: AbortSignal } = { stopped: false };
  async function* payload(): AsyncGenerator<Uint8Array, InvocationEnd | undefined, undefined> {
    try {
      yield* pieces;
      return {};
    } finally {
      seen.stopped = true;
    }
  }
  const invoker: Invoker = {
    async invoke(_invocation, signal) {
      if (signal !== undefined) seen.signal = signal;
      return { prelude: { statusCode: 200, headers }, payload: payload() };
    },
  };
  return { session: new Session({ invoker, responseStreaming: true, ...options }), seen };
}

const stateOf = (work: Promise<unknown>): Promise<string> =>
  Promise.race([
    work.then(
      () => "resolved",
      () => "rejected",
    ),
    new Promise<string>((resolve) => setImmediate(() => setImmediate(() => resolve("pending")))),
  ]);

describe("a reader that takes a piece's memory over", () => {
  const plain = Buffer.from(Array.from({ length: 5000 }, (_, index) => index % 251));

  async function readAndTake(response: Response): Promise<Buffer> {
    const read: Uint8Array[] = [];
    for await (const piece of response.body as ReadableStream<Uint8Array>) {
      read.push(new Uint8Array(structuredClone(piece.buffer, { transfer: [piece.buffer as ArrayBuffer] })));
    }
    return Buffer.concat(read);
  }

  test.each([
    ["as it is", {}, plain],
    ["gzip", { "content-encoding": "gzip" }, gzipSync(plain)],
  ])("%s: takes no other's", async (_name, headers, sent) => {
    const { session } = streaming(headers, cut(new Uint8Array(sent), 100));
    expect(plain.equals(await readAndTake(await session.get(APP)))).toBe(true);
  });

  test.each([
    ["as it is", {}, plain],
    ["gzip", { "content-encoding": "gzip" }, gzipSync(plain)],
  ])("%s, from Lambda: takes no other's", async (_name, headers, sent) => {
    const [first, ...more] = cut(sent, 1000);
    const frame = writeFrame({ headers }, first as Uint8Array);
    // All of it in one packet, with the beginning of the body in the message of the prelude.
    const messages = [frame, ...more].map((piece) => chunked(payload(piece)));
    const server = await streamingLambda({ steps: [Buffer.concat([HEAD, ...messages, chunked(complete()), LAST])] });
    const credentials = { accessKeyId: "a", secretAccessKey: "b" };
    const session = new Session({
      endpoint: server.endpoint,
      region: "eu-west-1",
      credentials,
      responseStreaming: true,
    });
    try {
      expect(plain.equals(await readAndTake(await session.get(APP)))).toBe(true);
    } finally {
      await session.close();
      server.close();
    }
  });

  test("is given what can be transferred as it is, and anything else as a copy", async () => {
    const alone = new Uint8Array(100).fill(1);
    const neighbour = new Uint8Array(200).fill(2).subarray(100);
    for (const transferable of [true, false, undefined]) {
      const stream = {
        async *[Symbol.asyncIterator]() {
          yield alone;
          yield neighbour;
        },
        ...(transferable !== undefined && { transferable }),
      };
      const invoker: Invoker = { invoke: async () => ({ prelude: { statusCode: 200 }, payload: stream }) };
      const { body } = await new Session({ invoker, responseStreaming: true }).get(APP);
      const read: Uint8Array[] = [];
      for await (const piece of body as ReadableStream<Uint8Array>) read.push(piece);
      const [first, second] = read;
      expect(first === alone).toBe(transferable === true);
      expect(first).toEqual(alone);
      expect(second).toEqual(neighbour);
      expect(second?.buffer).not.toBe(neighbour.buffer);
    }
  });
});

describe("codings", () => {
  const codings: [name: string, encode: (bytes: Uint8Array) => Uint8Array][] = [
    ["gzip", gzipSync],
    ["deflate", deflateSync],
    ["deflate", deflateRawSync],
    ["br", brotliCompressSync],
  ];

  test.each(codings)(
    "%s that ends before its stream: the body is whole, and so is the invocation",
    async (coding, encode) => {
      const later = gate();
      async function* pieces(): AsyncGenerator<Uint8Array> {
        yield encode(Buffer.from("hello"));
        await later.opened;
        yield new Uint8Array(60_000);
      }
      const { session, seen } = streaming({ "content-encoding": coding }, pieces());
      const response = await session.get(APP);
      later.open();
      expect(await response.text()).toBe("hello");
      expect(await response.invocation.completed).toBe(response.invocation);
      expect(seen.stopped).toBe(true);
    },
  );

  test("what never ends behind the end of a coding is stopped", async () => {
    function* pieces(): Generator<Uint8Array> {
      yield gzipSync("hello");
      for (;;) yield new Uint8Array(16_384);
    }
    const { session, seen } = streaming({ "content-encoding": "gzip" }, pieces());
    const response = await session.get(APP);
    expect(await response.text()).toBe("hello");
    await expect(response.invocation.completed).rejects.toThrow(/not read to its end/);
    expect(seen.stopped).toBe(true);
  });

  test("each of several is held to the limit, though nothing comes out at the end", async () => {
    // An empty member of gzip, again and again: nothing, in ever more bytes.
    const nothing = Buffer.concat(Array.from({ length: 50_000 }, () => gzipSync("")));
    const bomb = gzipSync(gzipSync(nothing));
    expect(bomb.length).toBeLessThan(10_000);
    const headers = { "content-encoding": "gzip, gzip, gzip" };
    const { session } = streaming(headers, [bomb], { maxResponseSize: 100_000 });
    await expect((await session.get(APP)).text()).rejects.toMatchObject({
      name: "PayloadTooLargeError",
      limit: 100_000,
    });
  });

  test("a body that is cancelled is decoded no further", async () => {
    let given = 0;
    const piece = gzipSync(Buffer.alloc(1_000_000));
    function* pieces(): Generator<Uint8Array> {
      for (;;) {
        given++;
        yield piece;
      }
    }
    const { session, seen } = streaming({ "content-encoding": "gzip" }, pieces());
    const reader = (await session.get(APP)).body?.getReader();
    await reader?.read();
    await reader?.cancel();
    const before = given;
    for (let turn = 0; turn < 50; turn++) await new Promise((next) => setImmediate(next));
    expect([seen.stopped, given - before]).toEqual([true, 0]);
  });
});

describe("a body that nobody is to see", () => {
  test("of a slow function is let go", async () => {
    const { session, seen } = streaming(
      {},
      (async function* () {
        yield Buffer.from("a");
        await new Promise(() => undefined);
      })(),
    );
    const response = await session.head(APP);
    expect([response.status, response.body]).toEqual([200, null]);
    await expect(response.invocation.completed).rejects.toThrow(/not read to its end/);
    expect(seen.signal?.aborted ?? true).toBe(false);
  });
});

describe("a body that is shorter than the function says", () => {
  test("errors, when it has been read", async () => {
    const { session } = streaming({ "content-length": "1000" }, [Buffer.from("hello")]);
    const reader = (await session.get(APP)).body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("hello");
    await expect(reader?.read()).rejects.toMatchObject({
      name: "InvokeError",
      code: "ERR_INCOMPLETE_STREAM",
      outcome: "completed",
      message: `GET ${APP}: the function said content-length: 1000, but its body ended after 5 bytes`,
    });
  });

  test.each([
    ["the same", { "content-length": "5" }],
    ["less", { "content-length": "3" }],
    ["nothing that is a number", { "content-length": "many" }],
  ])("%s is no error", async (_name, headers) => {
    const { session } = streaming(headers, [Buffer.from("hello")]);
    expect(await (await session.get(APP)).text()).toBe("hello");
  });

  test("of an encoded one, it is the length of something else", async () => {
    const bytes = gzipSync("hello");
    const { session } = streaming({ "content-length": "1000", "content-encoding": "gzip" }, [bytes]);
    expect(await (await session.get(APP)).text()).toBe("hello");
  });
});

describe("many small pieces", () => {
  test("are read ahead in a straight line", async () => {
    const many = 300_000;
    const pieces = Array.from({ length: many }, () => Buffer.from("x"));
    const next = readAhead(
      (async function* () {
        yield* pieces;
      })(),
      many + 1,
      () => undefined,
    );
    let count = 0;
    while (!(await next()).done) count++;
    expect(count).toBe(many);
  });

  test("empty ones are not kept, and a million of one byte take their own size, not a hundred times it", () => {
    const reader = createFrameReader();
    const before = process.memoryUsage();
    for (let count = 0; count < 1_000_000; count++) {
      reader.read(new Uint8Array());
      reader.read(count === 0 ? Buffer.from("[") : Buffer.from(" "));
    }
    expect(reader.bytes().length).toBe(1_000_000);
    const grown = process.memoryUsage().heapUsed - before.heapUsed;
    expect(grown).toBeLessThan(100 * 1024 * 1024);
  });

  test("a megabyte of lines with one carriage return is parsed in a moment", async () => {
    const text = `${"\n".repeat(1_000_000)}data: a\r\n\r\n`;
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(Buffer.from(text));
        controller.close();
      },
    });
    const events: unknown[] = [];
    for await (const event of readEvents(body)) events.push(event);
    expect(events).toEqual([{ data: "a" }]);
  }, 8_000);
});

test("a generator that returns nothing is a payload", async () => {
  const payload = async function* () {
    yield Buffer.from("x");
  };
  const stream: PayloadStream = payload();
  const session = new Session({ invoker: { invoke: async () => ({ payload: stream }) }, responseStreaming: true });
  expect(await session.get(APP).text()).toBe("x");
});

test("no listener stays on a signal that lives on, however a body ends", async () => {
  const { signal } = new AbortController();
  for (const [headers, pieces, read] of [
    [{}, [Buffer.from("a")], (response: LambdaResponse) => response.text()],
    [{ "content-encoding": "gzip" }, [gzipSync("a"), Buffer.alloc(10)], (response: LambdaResponse) => response.text()],
    [{ "content-encoding": "gzip" }, [Buffer.from("none")], (response: LambdaResponse) => response.text()],
    [{}, [Buffer.from("a")], (response: LambdaResponse) => response.body?.cancel()],
    [{}, [Buffer.from("a")], () => undefined],
  ] as const) {
    const { session } = streaming(headers, pieces);
    const response = await session.get(APP, { signal });
    await Promise.resolve(read(response)).catch(() => undefined);
    await expect.poll(() => getEventListeners(signal, "abort")).toHaveLength(0);
    expect(await stateOf(response.invocation.completed)).not.toBe("pending");
  }
});

describe("an SDK that does not know a field", () => {
  const credentials = { accessKeyId: "a", secretAccessKey: "b" };

  /** As versions do that are older than a header: they leave it out. */
  function oldClient(endpoint: string, header: string): LambdaClient {
    const client = new LambdaClient({ endpoint, region: "us-east-1", credentials });
    client.middlewareStack.add(
      (next) => (args) => {
        delete (args.request as { headers: Record<string, string> }).headers[header];
        return next(args);
      },
      { step: "build", name: "forget", priority: "low" },
    );
    return client;
  }

  test.each([
    ["x-amz-durable-execution-name", { durableExecutionName: "order-1" }],
    ["x-amz-tenant-id", { tenantId: "blue" }],
  ])("%s is refused before anything is sent", async (header, options) => {
    const lambda = await faultyLambda(breaks("lost", true), result({ statusCode: 200 }));
    const client = oldClient(lambda.endpoint, header);
    const session = new Session({ invoker: sdkInvoker(client), retry: { maxDelay: 0 }, ...options });
    const call = session.post(APP);
    await expect(call).rejects.toThrow(ConfigurationError);
    await expect(call).rejects.toThrow(`leaves out ${header}; update it. Nothing was sent`);
    expect(lambda.counts).toEqual({ connections: 0, requests: 0, runs: 0 });
    client.destroy();
    lambda.close();
  });

  test("a client that makes a command of its own of ours: a call that is cut off may have run", async () => {
    const arrived = gate();
    const lambda = await faultyLambda({ name: "silence", runs: true, answer: () => arrived.open() });
    const real = new LambdaClient({ endpoint: lambda.endpoint, region: "us-east-1", credentials });
    const client: SdkClient = {
      send: (command, options) =>
        real.send(new InvokeCommand((command as { input: InvokeCommandInput }).input), options),
    };
    const stop = new AbortController();
    const session = new Session({ invoker: sdkInvoker(client), timeout: 2_000 });
    const call = session.post(APP, { signal: stop.signal });
    await arrived.opened;
    await expect(call).rejects.toMatchObject({ name: "TimeoutError", outcome: "unknown" });
    expect(lambda.counts.runs).toBe(1);
    real.destroy();
    lambda.close();
  });
});
