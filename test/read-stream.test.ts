/** Bodies that are read while they come. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Emulator } from "../src/emulator/index.ts";
import { HTTPError } from "../src/errors.ts";
import { readEvents, readJsonLines, type ServerSentEvent } from "../src/read-stream.ts";
import type { LambdaResponse } from "../src/response.ts";
import { Session } from "../src/session.ts";
import { type AwsLambda, gate } from "./support/streams.ts";

const { awslambda } = globalThis as unknown as { awslambda: AwsLambda };
const FORM = "http+lambda://chat/";

/** A body whose pieces end where a test wants them to. */
function bodyOf(bytes: Uint8Array, size: number): ReadableStream<Uint8Array> {
  let start = 0;
  return new ReadableStream({
    pull(controller) {
      if (start >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(start, start + size));
      start += size;
    },
  });
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe("server-sent events", () => {
  const TEXT = Buffer.from(
    "\uFEFF: a comment\n\ndata: one\n\nevent: add\nid: 7\ndata: zwei ä\ndata:  drei 🙂\n\r\nretry: 10\ndata\r\rid\ndata: last\n\ndata: cut off",
  );
  const EVENTS: ServerSentEvent[] = [
    { data: "one" },
    { data: "zwei ä\n drei 🙂", event: "add", id: "7" },
    { data: "" },
    { data: "last", id: "" },
  ];

  test.each(Array.from({ length: TEXT.length }, (_, index) => index + 1))("in pieces of %i bytes", async (size) => {
    expect(await all(readEvents(bodyOf(TEXT, size)))).toEqual(EVENTS);
  });
});

describe("lines of JSON", () => {
  test("for all values and pieces", async () => {
    const values = fc.array(fc.jsonValue({ depthSize: "small" }), { maxLength: 10 });
    const newline = fc.constantFrom("\n", "\r\n", "\n\n");
    await fc.assert(
      fc.asyncProperty(
        values,
        newline,
        fc.integer({ min: 1, max: 40 }),
        fc.boolean(),
        async (list, end, size, last) => {
          const lines = list.map((value) => JSON.stringify(value));
          const bytes = Buffer.from(lines.join(end) + (last ? end : ""));
          const read = await all(readJsonLines(bodyOf(bytes, size)));
          expect(JSON.stringify(read)).toBe(JSON.stringify(list));
        },
      ),
    );
  });

  test("one that is none is named, after those before it", async () => {
    const seen: unknown[] = [];
    const read = async (): Promise<void> => {
      for await (const value of readJsonLines(bodyOf(Buffer.from('{"a":1}\n\n{"a"\n{}'), 4))) seen.push(value);
    };
    await expect(read()).rejects.toThrow(/^line 3 of the body is no JSON: /);
    await expect(read()).rejects.toThrow(SyntaxError);
    expect(seen).toEqual([{ a: 1 }, { a: 1 }]);
  });
});

describe.each(["in this process", "over the API"])("of a function, %s", (where) => {
  let emulator: Emulator;
  let session: Session;
  let released = gate();
  let closed = gate();
  const chat = awslambda.streamifyResponse(async (event: { path: string }, stream) => {
    const type =
      { "/lines": "application/x-ndjson", "/page": "text/html" }[event.path] ?? "Text/Event-Stream; charset=utf-8";
    const statusCode = event.path === "/busy" ? 503 : event.path === "/nothing" ? 204 : 200;
    const body = awslambda.HttpResponseStream.from(stream, { statusCode, headers: { "Content-Type": type } });
    stream.once("close", closed.open);
    body.write(event.path === "/lines" ? '{"token":"He"}\n' : "data: He\n\n");
    if (event.path === "/broken") throw new Error("out of words");
    await released.opened;
    body.write(event.path === "/lines" ? '{"token":"llo"}\n' : "data: llo\n\n");
    body.end();
  });

  beforeEach(async () => {
    released = gate();
    closed = gate();
    const functions = { chat };
    emulator = await Emulator.start({ functions, quiet: true });
    const overTheApi = { endpoint: emulator.endpoint, region: "us-east-1" };
    session = new Session({ ...(where === "over the API" ? overTheApi : { functions }), responseStreaming: true });
  });
  afterEach(async () => {
    released.open();
    await session.close();
    await emulator.close();
  });

  test("each event is here before the next is sent", async () => {
    const response = await session.get(FORM);
    const events = response.events();
    expect(await events.next()).toEqual({ done: false, value: { data: "He" } });
    released.open();
    expect(await events.next()).toEqual({ done: false, value: { data: "llo" } });
    expect(await events.next()).toEqual({ done: true, value: undefined });
    expect(response.bodyUsed).toBe(true);
  });

  test("each line is here before the next is sent", async () => {
    const lines = (await session.get("http+lambda://chat/lines")).jsonLines<{ token: string }>();
    expect((await lines.next()).value).toEqual({ token: "He" });
    released.open();
    expect((await lines.next()).value?.token).toBe("llo");
    expect((await lines.next()).done).toBe(true);
  });

  test("to leave the loop ends the function's stream", async () => {
    const response = await session.get(FORM);
    for await (const { data } of response.events()) {
      expect(data).toBe("He");
      break;
    }
    await closed.opened;
    await expect(response.invocation.completed).rejects.toThrow();
  });

  test("a function that fails midway ends them with its error", async () => {
    const response = await session.get("http+lambda://chat/broken");
    const events = response.events();
    expect((await events.next()).value).toEqual({ data: "He" });
    await expect(events.next()).rejects.toMatchObject({ code: "ERR_FUNCTION", errorMessage: "out of words" });
  });

  test("a whole body has them as well", async () => {
    released.open();
    const response = await session.get(FORM, { responseStreaming: false });
    expect(await all(response.events())).toEqual([{ data: "He" }, { data: "llo" }]);
    await expect(all(response.events())).rejects.toThrow(TypeError);
  });

  test("another type, a body that is used, an error status, no body", async () => {
    released.open();
    const of = async (path: string): Promise<LambdaResponse> => session.get(`http+lambda://chat/${path}`);
    await expect(all((await of("page")).events())).rejects.toThrow(
      new TypeError("GET http+lambda://chat/page: the response is no text/event-stream but text/html"),
    );
    const used = await of("");
    await used.text();
    await expect(all(used.events())).rejects.toThrow(/already been read/);
    await expect(all(used.jsonLines())).rejects.toThrow(/already been read/);
    const busy = await of("busy");
    await expect(all(busy.events())).rejects.toThrow(HTTPError);
    await expect(all(busy.jsonLines())).rejects.toThrow(HTTPError);
    expect(await busy.text()).toContain("data: llo");
    expect(await all((await of("nothing")).events())).toEqual([]);
  });
});
