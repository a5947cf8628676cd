/** What InvokeWithResponseStream sends, read to its end, be it a good one. */
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { InvokeError } from "../../src/errors.ts";
import { type Endpoint, resolveEndpoint } from "../../src/invoke/endpoint.ts";
import { decodeMessages, encodeMessage } from "../../src/invoke/event-stream.ts";
import { NetworkError } from "../../src/invoke/http.ts";
import type { Invocation, InvocationEnd } from "../../src/invoke/invoker.ts";
import { readEnd, readPayload } from "../../src/invoke/payload-stream.ts";
import { parseFunction } from "../../src/target.ts";

const URL_OF_APP = "http+lambda://orders/v1";
const PREFIX = `POST ${URL_OF_APP}: `;
const STILL_RUNNING = "the function may still be running";
const endpoint: Endpoint = resolveEndpoint({ endpoint: "http://127.0.0.1:1234", region: "eu-west-1" });
const invocation: Invocation = {
  target: parseFunction("orders"),
  payload: Buffer.from("{}"),
  logs: false,
  request: { method: "POST", url: URL_OF_APP },
  responseStreaming: true,
};

function event(type: string, payload: string | Uint8Array = ""): Buffer {
  const headers = { ":event-type": type, ":content-type": "application/json", ":message-type": "event" };
  return encodeMessage({ headers, payload: Buffer.from(payload) });
}

const chunk = (payload: string | Uint8Array): Buffer => event("PayloadChunk", payload);
const complete = (said: string): Buffer => event("InvokeComplete", said);
const said = (headers: Readonly<Record<string, string>>, payload = ""): Buffer =>
  encodeMessage({ headers, payload: Buffer.from(payload) });

/** With a bit of its payload flipped. */
function garbled(message: Buffer): Buffer {
  const bytes = Buffer.from(message);
  const index = bytes.length - 5;
  bytes.writeUInt8(bytes.readUInt8(index) ^ 1, index);
  return bytes;
}

interface Read {
  /** As text. */
  readonly pieces: string[];
  readonly end?: InvocationEnd;
  readonly error?: unknown;
  /** Was it said that nothing of use follows? */
  readonly isReleased: boolean;
  /** Was the stream below read no further than needed, and ended? */
  readonly isEnded: boolean;
}

/** @param bytes What comes; in the place of bytes, an error. */
async function read(...bytes: readonly (Buffer | Error)[]): Promise<Read> {
  const pieces: string[] = [];
  let [isReleased, isEnded] = [false, false];
  async function* source(): AsyncGenerator<Buffer, void, undefined> {
    try {
      for (const one of bytes) {
        if (one instanceof Error) throw one;
        yield one;
      }
    } finally {
      isEnded = true;
    }
  }
  const release = (): void => {
    isReleased = true;
  };
  const payload = readPayload(invocation, endpoint, {
    ...{ parts: decodeMessages(source()), release, close: () => undefined },
  })[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await payload.next();
      if (next.done) return { pieces, end: next.value ?? {}, isReleased, isEnded };
      pieces.push(Buffer.from(next.value).toString());
    }
  } catch (error) {
    return { pieces, error, isReleased, isEnded };
  }
}

/** The error, and the pieces before it. */
async function failure(...bytes: readonly (Buffer | Error)[]): Promise<{ error: InvokeError; pieces: string[] }> {
  const { error, pieces, isEnded } = await read(...bytes);
  if (!(error instanceof InvokeError)) throw new Error(`it ended with ${error}`);
  expect(error.outcome).toBe("unknown");
  expect(error.attempts).toBe(1);
  expect(error.request).toEqual(invocation.request);
  expect(error.target).toBe(invocation.target);
  expect(error.status).toBeUndefined();
  expect(isEnded).toBe(true);
  return { error, pieces };
}

describe("a stream that ends well", () => {
  const LOG = "START RequestId: 1\nREPORT größer\n";
  const LOG_RESULT = Buffer.from(LOG).toString("base64");

  test.each<[name: string, said: string, end: InvocationEnd]>([
    ["an empty object", "{}", {}],
    ["nothing at all", "", {}],
    ["nulls", '{"ErrorCode":null,"ErrorDetails":null,"LogResult":null}', {}],
    ["empty texts", '{"ErrorCode":"","ErrorDetails":"","LogResult":""}', { logs: "" }],
    ["fields of other types", '{"ErrorCode":1,"ErrorDetails":{},"LogResult":[]}', {}],
    ["fields that nobody knows", '{"Future":{"a":1}}', {}],
    ["a log", JSON.stringify({ LogResult: LOG_RESULT }), { logs: LOG }],
    ["a code alone", '{"ErrorCode":"Unhandled"}', { functionError: "Unhandled" }],
    [
      "a code, details and a log",
      JSON.stringify({ ErrorCode: "Unhandled", ErrorDetails: '{"errorMessage":"boom"}', LogResult: LOG_RESULT }),
      { functionError: "Unhandled", errorDetails: '{"errorMessage":"boom"}', logs: LOG },
    ],
    ["details alone", '{"ErrorDetails":"boom"}', { errorDetails: "boom" }],
    ["white space around it", ' {"ErrorCode":"Unhandled"}\n', { functionError: "Unhandled" }],
  ])("with %s", async (_name, said, end) => {
    const whole = { pieces: ["one", "two"], end, isReleased: true, isEnded: true };
    expect(await read(chunk("one"), chunk("two"), complete(said))).toEqual(whole);
    expect(await read(Buffer.concat([chunk("one"), chunk("two"), complete(said)]))).toEqual(whole);
    expect(await read(complete(said))).toEqual({ ...whole, pieces: [] });
  });

  test("an empty chunk is passed on as one", async () => {
    expect((await read(chunk(""), chunk("a"), chunk(""), complete("{}"))).pieces).toEqual(["", "a", ""]);
  });

  test("bytes are passed on as they are", async () => {
    const bytes = Buffer.from([...Array(256).keys()]);
    const payload = readPayload(invocation, endpoint, {
      parts: decodeMessages(
        (async function* () {
          yield Buffer.concat([chunk(bytes), complete("{}")]);
        })(),
      ),
      release: () => undefined,
      close: () => undefined,
    })[Symbol.asyncIterator]();
    expect(Buffer.from((await payload.next()).value as Uint8Array).equals(bytes)).toBe(true);
  });

  test("events of types that nobody knows are none of the payload", async () => {
    const { pieces, end } = await read(event("Future", "x"), chunk("a"), event("", "y"), chunk("b"), complete("{}"));
    expect({ pieces, end }).toEqual({ pieces: ["a", "b"], end: {} });
  });

  test.each<[name: string, after: Buffer | Error]>([
    ["another chunk", chunk("late")],
    ["another end", complete('{"ErrorCode":"Unhandled"}')],
    ["an exception", said({ ":message-type": "exception", ":exception-type": "X" })],
    ["garbage", Buffer.from("garbage that is long enough to be a message")],
    ["half a message", chunk("late").subarray(0, 20)],
    ["the loss of the connection", new NetworkError(new Error("lost"), true)],
  ])("what comes behind its end is not read: %s", async (_name, after) => {
    const whole = { pieces: ["a"], end: {}, isReleased: true, isEnded: true };
    expect(await read(chunk("a"), complete("{}"), after)).toEqual(whole);
    if (after instanceof Error) return;
    expect(await read(Buffer.concat([chunk("a"), complete("{}"), after]))).toEqual(whole);
  });

  test("to stop reading ends the stream below, and releases nothing", async () => {
    let [isReleased, isEnded] = [false, false];
    async function* source(): AsyncGenerator<Buffer, void, undefined> {
      try {
        for (;;) yield chunk("more");
      } finally {
        isEnded = true;
      }
    }
    const release = (): void => {
      isReleased = true;
    };
    const body = { parts: decodeMessages(source()), release, close: () => undefined };
    for await (const _piece of readPayload(invocation, endpoint, body)) break;
    expect([isReleased, isEnded]).toEqual([false, true]);
  });
});

test("what is said at the end, from a table", () => {
  const nothing = { ErrorCode: undefined, ErrorDetails: undefined, LogResult: undefined };
  expect(readEnd(nothing)).toEqual({});
  expect(readEnd({ ...nothing, ErrorCode: "Runtime.TruncatedResponse" })).toEqual({
    functionError: "Runtime.TruncatedResponse",
  });
  // The tail of a log may begin within a character.
  const tail = Buffer.from("größer").subarray(3).toString("base64");
  expect(readEnd({ ...nothing, LogResult: tail })).toEqual({ logs: "\uFFFDßer" });
});

describe("a stream that does not end well", () => {
  const message = (what: string, bytes: number): string =>
    `${PREFIX}${what}, after ${bytes} bytes of the answer; ${STILL_RUNNING}`;

  test.each<[name: string, bytes: Buffer[], received: number, pieces: string[]]>([
    ["nothing at all", [], 0, []],
    ["no bytes", [Buffer.alloc(0)], 0, []],
    ["chunks alone", [chunk("one"), chunk("größer")], 11, ["one", "größer"]],
    ["an event of another type at its end", [chunk("one"), event("Future")], 3, ["one"]],
  ])("without InvokeComplete: %s", async (_name, bytes, received, pieces) => {
    const { error, ...others } = await failure(...bytes);
    expect(others).toEqual({ pieces });
    expect(error.code).toBe("ERR_INCOMPLETE_STREAM");
    expect(error.message).toBe(message("the stream ended without InvokeComplete", received));
  });

  test.each<[name: string, bytes: Buffer[], says: string, received: number, pieces: string[]]>([
    ["half a message", [chunk("one"), chunk("two").subarray(0, 20)], "it ends 20 bytes into a message", 3, ["one"]],
    ["half a length", [chunk("one").subarray(0, 5)], "it ends 5 bytes into a message", 0, []],
    ["an answer of something else", [Buffer.from('{"statusCode":200,"body":"hello"}')], "lengths is wrong", 0, []],
    ["a page", [Buffer.from("<html><head><title>502 Bad Gateway</title></head></html>")], "lengths is wrong", 0, []],
    ["a flipped bit", [chunk("one"), garbled(chunk("two"))], "the checksum of a message is wrong", 3, ["one"]],
    ["an end that is no JSON", [chunk("one"), complete("{")], "its InvokeComplete is no JSON", 3, ["one"]],
    ["an end that is a text", [complete('"fine"')], "its InvokeComplete is no JSON", 0, []],
    ["an end that is a number", [complete("0")], "its InvokeComplete is no JSON", 0, []],
  ])("with %s", async (_name, bytes, says, received, before) => {
    const { error, pieces } = await failure(...bytes);
    expect(pieces).toEqual(before);
    expect(error.code).toBe("ERR_EVENT_STREAM");
    expect(error.message).toContain(says);
    expect(error.message).toMatch(/^POST \S+ what came is no event stream of AWS \(.+\), after/);
    expect(error.message).toContain(`after ${received} bytes of the answer; ${STILL_RUNNING}`);
  });

  test.each<[name: string, headers: Readonly<Record<string, string>>, body: string, code: string, says: string]>([
    [
      "an exception with a message",
      { ":message-type": "exception", ":exception-type": "InternalStreamFailure" },
      '{"message":"sorry"}',
      "InternalStreamFailure",
      "Lambda broke the stream off with InternalStreamFailure: sorry",
    ],
    [
      "an exception with a Message",
      { ":message-type": "exception", ":exception-type": "ServiceException" },
      '{"Message":"sorry"}',
      "ServiceException",
      "Lambda broke the stream off with ServiceException: sorry",
    ],
    [
      "an exception without a body",
      { ":message-type": "exception", ":exception-type": "ServiceException" },
      "",
      "ServiceException",
      "Lambda broke the stream off with ServiceException",
    ],
    [
      "an exception whose message is no text",
      { ":message-type": "exception", ":exception-type": "ServiceException" },
      '{"message":{"a":1}}',
      "ServiceException",
      "Lambda broke the stream off with ServiceException",
    ],
    [
      "an error",
      { ":message-type": "error", ":error-code": "InternalError", ":error-message": "An internal error" },
      "",
      "InternalError",
      "Lambda broke the stream off with InternalError: An internal error",
    ],
    [
      "an error with a code alone",
      { ":message-type": "error", ":error-code": "InternalError" },
      "",
      "InternalError",
      "Lambda broke the stream off with InternalError",
    ],
    [
      "a message of a type that nobody knows",
      { ":message-type": "future" },
      "",
      "ERR_EVENT_STREAM",
      "Lambda broke the stream off with ERR_EVENT_STREAM",
    ],
    [
      "a message without a type",
      { ":event-type": "PayloadChunk" },
      "x",
      "ERR_EVENT_STREAM",
      "Lambda broke the stream off with ERR_EVENT_STREAM",
    ],
  ])("with %s", async (_name, headers, body, code, says) => {
    for (const before of [[], ["one", "two"]]) {
      const { error, pieces } = await failure(...before.map(chunk), said(headers, body), complete("{}"));
      expect(pieces).toEqual(before);
      expect(error.code).toBe(code);
      expect(error.message).toBe(message(says, before.join("").length));
    }
  });

  test("with the loss of the connection", async () => {
    const cause = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
    const { error, pieces } = await failure(chunk("one"), new NetworkError(cause, true));
    expect(pieces).toEqual(["one"]);
    expect(error.code).toBe("ECONNRESET");
    expect(error.message).toBe(
      `${PREFIX}the connection to 127.0.0.1:1234 was lost after 3 bytes of the answer (ECONNRESET: read ECONNRESET); the function may have run`,
    );
  });

  test("with the loss of the connection within a message: those bytes are not counted", async () => {
    const cause = Object.assign(new Error("aborted"), { code: "ECONNRESET" });
    const { error } = await failure(chunk("one"), chunk("two").subarray(0, -1), new NetworkError(cause, true));
    expect(error.message).toContain("after 3 bytes of the answer");
  });

  test("with the client's close()", async () => {
    const cause = Object.assign(new Error("the client was closed"), { code: "ERR_CLOSED" });
    const { error } = await failure(chunk("one"), new NetworkError(cause, true));
    expect(error.code).toBe("ERR_CLOSED");
    expect(error.message).toBe(`${PREFIX}close() ended the call; the function may have run`);
  });

  test("with any other error, such as a signal's reason: it comes through", async () => {
    const reason = new DOMException("enough", "AbortError");
    const { error, pieces } = await read(chunk("one"), reason);
    expect(pieces).toEqual(["one"]);
    expect(error).toBe(reason);
  });
});

describe("nothing secret is shown", () => {
  const SECRETS = ["FwoGZXIvYXdzEXAMPLETOKEN", "AKIDEXAMPLE", "hunter2", "card-4111"];
  const canonical =
    "The request signature we calculated does not match. The Canonical String for this request should have been " +
    `'POST\n/2021-11-15/functions\n\nx-amz-security-token:${SECRETS[0]}\nauthorization: Credential=${SECRETS[1]}/x'`;

  test.each<[name: string, bytes: Buffer]>([
    [
      "an exception that repeats the request",
      said({ ":message-type": "exception", ":exception-type": "X" }, JSON.stringify({ message: canonical })),
    ],
    ["an error that does", said({ ":message-type": "error", ":error-code": "X", ":error-message": canonical })],
    [
      "a code that does",
      said({ ":message-type": "error", ":error-code": `X\nAuthorization: Basic ${SECRETS[2]}:${SECRETS[3]}` }),
    ],
    [
      "an exception whose type does",
      said({ ":message-type": "exception", ":exception-type": `cookie: ${SECRETS[2]} ${SECRETS[3]}` }),
    ],
    ["an exception's other fields", said({ ":message-type": "exception" }, JSON.stringify({ user: SECRETS[2] }))],
    ["a body that is no JSON", said({ ":message-type": "exception", ":exception-type": "X" }, SECRETS[2])],
    ["a chunk whose checksum is wrong", garbled(chunk(SECRETS.join(" ")))],
    ["an end that is no JSON", complete(`{"ErrorCode":"${SECRETS[2]}`)],
    ["headers of no meaning", said({ ":message-type": "error", ":error-code": "X", session: SECRETS[0] ?? "" })],
    ["an answer of something else", Buffer.from(`{"password":"${SECRETS[2]}","card":"${SECRETS[3]}"}`)],
  ])("of %s", async (_name, bytes) => {
    const { error } = await failure(chunk(`what was answered holds ${SECRETS.join(" ")}`), bytes);
    const shown = `${inspect(error, { depth: 10, showHidden: true })} ${error.message} ${JSON.stringify(error)}`;
    for (const secret of SECRETS) expect(shown).not.toContain(secret);
    expect(error.message).not.toMatch(/[\r\n]/);
    expect(error.code).not.toMatch(/[\r\n]/);
  });

  test("a message is one line, and not endless", async () => {
    const endless = said({
      ":message-type": "error",
      ":error-code": "X",
      ":error-message": `\u001b[2J${"x\n".repeat(10_000)}`,
    });
    const { error } = await failure(endless);
    expect(error.message).not.toMatch(/\p{Cc}/u);
    expect(error.message.length).toBeLessThan(1000);
  });
});
