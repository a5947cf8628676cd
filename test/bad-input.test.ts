/** What a caller can get wrong: each a clear error, before any function is called. */
import { afterEach, describe, expect, test } from "vitest";
import { ConfigurationError, InvalidTargetError, PayloadTooLargeError } from "../src/errors.ts";
import { createFetch } from "../src/fetch.ts";
import type { Invoker } from "../src/invoke/invoker.ts";
import type { LambdaOptions } from "../src/options.ts";
import type { LambdaRequestInit } from "../src/request.ts";
import { Session } from "../src/session.ts";
import type { SessionOptions, SessionRequestOptions } from "../src/session-options.ts";

const APP = "http+lambda://app/";
const LIMIT = 6_291_456;
const SECRET = "hunter2";
const ARN = "arn:aws:lambda:eu-west-1:123456789012:function:app";

let calls: Uint8Array[] = [];
const invoker: Invoker = {
  async invoke({ payload }) {
    calls.push(payload);
    return { payload: Buffer.from("{}") };
  },
};
const handler = async (): Promise<object> => {
  calls.push(Buffer.from("handler"));
  return {};
};
const fetch = createFetch({ invoker });
const session = new Session({ invoker });

/** The error, of this kind and with nothing secret in it; no function was called. */
async function refused(act: () => unknown, kind: abstract new (...args: never[]) => Error): Promise<Error> {
  let result: unknown;
  try {
    result = await act();
  } catch (error) {
    expect(error).toBeInstanceOf(kind);
    expect((error as Error).message).not.toContain(SECRET);
    expect(calls).toEqual([]);
    return error as Error;
  }
  throw new Error(`it was not refused: ${result}`);
}

/** Given to fetch, and in a Session. */
async function bothRefuse(
  init: LambdaRequestInit,
  options: SessionRequestOptions,
  kind: abstract new (...args: never[]) => Error = TypeError,
): Promise<string> {
  const method = init.method ?? "POST";
  const { message } = await refused(() => fetch(APP, { method, ...init }), kind);
  expect((await refused(() => session.request(method, APP, options), kind)).message).toBe(message);
  return message;
}

afterEach(() => {
  calls = [];
});

describe("the function's name", () => {
  test.each<[string, RegExp]>([
    ["http+lambda://", /the function's name is empty/],
    ["http+lambda:///v1", /the function's name is empty/],
    ["http+lambda://prod./v1", /the function's name is empty/],
    [`http+lambda://ada:${SECRET}@/v1`, /in "http\+lambda:\/\/\/v1": the function's name is empty/],
    ["http+lambda:app", /write \/\/ after http\+lambda:/],
    ["http+lambda://a b/", /can't hold " "/],
    ["http+lambda://a%2Fb/", /can't hold "\/"/],
    ["http+lambda://app\u0000/", /a URL can't hold a control character/],
    ["http+lambda://app/\r\nHost: x", /a URL can't hold a control character/],
    [`http+lambda://${"a".repeat(257)}/`, /257 characters long; Lambda takes 256/],
    ["http+lambda://arn:aws:lambda:eu-west-1:1234:function:app/", /"1234" is no account id/],
    ["http+lambda://app:$latest/", /"\$latest" is no qualifier/],
    ["http+lambda://app:/", /"" is no qualifier/],
    ["http+lambda://app:a.b/", /"a\.b" is no qualifier/],
    [`http+lambda://app:${"q".repeat(129)}/`, /129 characters long; Lambda takes 128/],
  ])("%j", async (url, message) => {
    expect((await refused(() => fetch(url), InvalidTargetError)).message).toMatch(message);
    expect((await refused(() => session.get(url), InvalidTargetError)).message).toMatch(message);
    // WHATWG's parser drops line breaks and an empty port.
    if (!URL.canParse(url) || /[\r\n@]|:\/$/.test(url)) return;
    expect((await refused(() => fetch(new URL(url)), InvalidTargetError)).message).toMatch(message);
    expect((await refused(() => session.fetch(new Request(url)), InvalidTargetError)).message).toMatch(message);
  });

  test("a URL object with a port", async () => {
    const url = new URL("http+lambda://app:007/");
    expect((await refused(() => fetch(url), InvalidTargetError)).message).toMatch(/":7" is a port/);
    expect((await refused(() => fetch(new Request(url)), InvalidTargetError)).message).toMatch(/":7" is a port/);
  });

  test("no URL at all", async () => {
    for (const url of ["", "app", "//app/"]) {
      await refused(() => fetch(url), TypeError);
      await refused(() => session.get(url), TypeError);
    }
  });

  test("a prefix to mount", async () => {
    const mount = (prefix: string) => refused(() => session.mount(prefix, invoker), Error);
    expect(await mount("http+lambda://a b")).toBeInstanceOf(InvalidTargetError);
    expect(await mount("nonsense")).toMatchObject({
      name: "ConfigurationError",
      message: '"nonsense" is no prefix of a URL',
    });
  });
});

describe("the option qualifier", () => {
  test.each(["$latest", "$LATEST.published", "a.b", "a b", "prod:7", "ü"])("%j is none", async (qualifier) => {
    const message = await bothRefuse({ lambda: { qualifier } }, { qualifier }, InvalidTargetError);
    expect(message).toContain(`${JSON.stringify(qualifier)} is no qualifier`);
    await refused(() => createFetch({ invoker, qualifier })(APP), InvalidTargetError);
  });

  test("one that contradicts the URL", async () => {
    const url = "http+lambda://prod.app/";
    const error = await refused(() => fetch(url, { lambda: { qualifier: "dev" } }), InvalidTargetError);
    expect(error.message).toBe('the URL names app:prod, the option qualifier says "dev"');
    await refused(() => session.get(url, { qualifier: "dev" }), InvalidTargetError);
  });
});

describe("an unknown option", () => {
  test.each<[string, () => unknown, string]>([
    ["createFetch", () => createFetch({ Region: "eu-west-1" } as LambdaOptions), '"Region". It is spelled region'],
    ["createFetch, another", () => createFetch({ timeoutMs: 1 } as LambdaOptions), '"timeoutMs". There are: '],
    [
      "Session",
      () => new Session({ raiseforstatus: true } as SessionOptions),
      '"raiseforstatus". It is spelled raiseForStatus',
    ],
    ["Session, of fetch", () => new Session({ TIMEOUT: 1 } as SessionOptions), '"TIMEOUT". It is spelled timeout'],
    [
      "hooks",
      () => new Session({ hooks: { beforerequest: [] } as never }),
      '"beforerequest". It is spelled beforeRequest',
    ],
    ["init.lambda", () => fetch(APP, { lambda: { Logs: true } as never }), '"Logs". It is spelled logs'],
    ["init.lambda, of createFetch", () => fetch(APP, { lambda: { region: "x" } as never }), '"region". There are: '],
    ["a method", () => session.get(APP, { Params: {} } as never), '"Params". It is spelled params'],
    ["a method, of fetch", () => session.post(APP, { body: "x" } as never), '"body". There are: '],
    ["a method, of a Session", () => session.get(APP, { region: "x" } as never), '"region". There are: '],
  ])("%s", async (_name, act, hint) => {
    const { message } = await refused(act, ConfigurationError);
    expect(message).toContain(`there is no option ${hint}`);
    if (hint.endsWith(": ")) expect(message).toMatch(/: (?:\w+, )*logs, (?:\w+, )*timeout(?:, \w+)*$/);
  });

  test("undefined is no value, but an unknown name all the same", async () => {
    expect((await fetch(APP, { lambda: { timeout: undefined } })).status).toBe(200);
    calls = [];
    await refused(() => createFetch({ regoin: undefined } as LambdaOptions), ConfigurationError);
  });
});

const PER_REQUEST = [
  ...["timeout", "maxRedirects", "functionErrors", "redirect", "logs", "qualifier"],
  ...["invocationType", "clientContext", "retry", "followTo"],
];

describe("an option that can't be", () => {
  test.each<[string, unknown, RegExp]>([
    ["timeout", 0, /timeout has to be a number of milliseconds above 0/],
    ["timeout", "5", /timeout has to be a number/],
    ["timeout", Number.NaN, /timeout has to be a number/],
    ["maxRedirects", -1, /maxRedirects has to be a whole number, 0 or more/],
    ["maxRedirects", 1.5, /maxRedirects has to be a whole number/],
    ["functionErrors", "ignore", /functionErrors has to be "response" or "throw"/],
    ["redirect", true, /redirect has to be "follow", "manual" or "error"/],
    ["logs", "yes", /logs has to be true or false/],
    ["qualifier", "", /qualifier has to be a string/],
    ["region", "", /region has to be a string/],
    ["region", 1, /region has to be a string/],
    ["endpoint", "localhost:4566", /endpoint/],
    ["credentials", "AKIA", /credentials has to be an object with accessKeyId and secretAccessKey, or a function/],
    ["schemes", [], /schemes has to be an array of URL schemes/],
    ["schemes", "lambda:", /schemes has to be an array of URL schemes/],
    ["schemes", ["https:"], /"https:" can't be a scheme for functions/],
    ["schemes", ["a b"], /"a b" can't be a scheme for functions/],
    ["functions", { "app:prod": handler }, /functions is by bare function name, not by "app:prod"/],
    ["functions", { "a b": handler }, /can't hold " "/],
    ["functions", { app: { handler } }, /functions\.app has to be a function/],
    ["invoker", {}, /invoker has to be an object with the method invoke/],
    ["invoker", handler, /invoker has to be an object with the method invoke/],
    ["fetch", "https://x/", /fetch has to be a function/],
    ["maxSockets", 0, /maxSockets has to be a whole number above 0/],
    ["useFipsEndpoint", "true", /useFipsEndpoint has to be true or false/],
    ["connectTimeout", 0, /connectTimeout has to be a number of milliseconds above 0/],
    ["connectTimeout", -1, /connectTimeout has to be a number of milliseconds above 0/],
    ["connectTimeout", Number.NaN, /connectTimeout has to be a number of milliseconds above 0/],
    ["connectTimeout", "5000", /connectTimeout has to be a number of milliseconds above 0/],
    ["maxResponseSize", 0, /maxResponseSize has to be a whole number above 0/],
    ["maxResponseSize", -1, /maxResponseSize has to be a whole number above 0/],
    ["maxResponseSize", 1.5, /maxResponseSize has to be a whole number above 0/],
    ["maxResponseSize", Number.NaN, /maxResponseSize has to be a whole number above 0/],
    ["maxResponseSize", "1MB", /maxResponseSize has to be a whole number above 0/],
    ["invocationType", "event", /invocationType has to be "RequestResponse", "Event" or "DryRun"/],
    ["invocationType", "", /invocationType has to be "RequestResponse", "Event" or "DryRun"/],
    ["invocationType", null, /invocationType has to be "RequestResponse", "Event" or "DryRun"/],
    ["clientContext", "e30=", /clientContext has to be an object that JSON can hold/],
    ["clientContext", [], /clientContext has to be an object that JSON can hold/],
    ["clientContext", null, /clientContext has to be an object that JSON can hold/],
    ["retry", true, /retry has to be false or an object/],
    ["retry", 3, /retry has to be false or an object/],
    ["retry", null, /retry has to be false or an object/],
    ["retry", { Attempts: 3 }, /there is no option "Attempts"\. It is spelled attempts/],
    ["retry", { retries: 3 }, /there is no option "retries"\. There are: attempts, maxDelay, statuses, unsafe$/],
    ["retry", { attempts: 0 }, /retry\.attempts has to be a whole number above 0/],
    ["retry", { attempts: 1.5 }, /retry\.attempts has to be a whole number above 0/],
    ["retry", { attempts: Number.NaN }, /retry\.attempts has to be a whole number above 0/],
    ["retry", { attempts: Number.POSITIVE_INFINITY }, /retry\.attempts has to be a whole number above 0/],
    ["retry", { attempts: "3" }, /retry\.attempts has to be a whole number above 0/],
    ["retry", { unsafe: "yes" }, /retry\.unsafe has to be true or false/],
    ["retry", { maxDelay: -1 }, /retry\.maxDelay has to be a number of milliseconds, 0 or more/],
    ["retry", { maxDelay: Number.NaN }, /retry\.maxDelay has to be a number of milliseconds, 0 or more/],
    ["retry", { statuses: 503 }, /retry\.statuses has to be an array of statuses, 200 to 599/],
    ["retry", { statuses: [99] }, /retry\.statuses has to be an array of statuses, 200 to 599/],
    ["retry", { statuses: [503, 600] }, /retry\.statuses has to be an array of statuses, 200 to 599/],
    ["retry", { statuses: ["503"] }, /retry\.statuses has to be an array of statuses, 200 to 599/],
    ["followTo", "users", /followTo has to be an array of functions' names or ARNs/],
    ["followTo", [""], /followTo has to be an array of functions' names or ARNs/],
    ["followTo", [/users/], /followTo has to be an array of functions' names or ARNs/],
    ["followTo", ["us ers"], /followTo: "us ers" is no function's name or ARN; \* may stand for any part of the name/],
    ["followTo", ["users", "orders:prod"], /followTo: "orders:prod" is no function's name or ARN/],
    ["followTo", ["http+lambda://users/"], /followTo: "http\+lambda:\/\/users\/" is no function's name or ARN/],
    ["followTo", [`${ARN}:prod`], /function:app:prod" is no function's name or ARN/],
    ["followTo", ["arn:aws:lambda:*:*:function:app"], /function:app" is no function's name or ARN/],
  ])("%s: %j", async (name, value, message) => {
    for (const make of [createFetch, (options: LambdaOptions) => new Session(options)]) {
      const error = await refused(() => make({ [name]: value } as LambdaOptions), Error);
      expect(error.message).toMatch(message);
    }
    if (!PER_REQUEST.includes(name)) return;
    await refused(() => fetch(APP, { lambda: { [name]: value } }), ConfigurationError);
    if (name !== "redirect") await refused(() => session.get(APP, { [name]: value }), ConfigurationError);
  });
});

test("retry may be false, or an object of which fields are absent", async () => {
  for (const retry of [false, {}, { attempts: 1 }, { attempts: undefined, maxDelay: 0, statuses: [] }] as const) {
    expect((await createFetch({ invoker, retry })(APP)).status).toBe(200);
    expect((await fetch(APP, { lambda: { retry } })).status).toBe(200);
    expect((await session.get(APP, { retry })).status).toBe(200);
  }
  expect(calls).toHaveLength(12);
});

describe("cookies", () => {
  test.each<[string, string, string]>([
    ["a semicolon", `${SECRET}; admin=1`, "without ; and without spaces around it"],
    ["a newline", `${SECRET}\r\nX-Evil: 1`, "the header Cookie holds U+000D"],
    ["a line feed", `${SECRET}\nx`, "the header Cookie holds U+000A"],
    ["a NUL", `${SECRET}\0`, "the header Cookie holds U+0000"],
    ["a line feed behind it", `${SECRET}\n`, "without ; and without spaces around it"],
    ["a space before it", ` ${SECRET}`, "without ; and without spaces around it"],
    ["a space behind it", `${SECRET} `, "without ; and without spaces around it"],
    ["a tab behind it", `${SECRET}\t`, "without ; and without spaces around it"],
    ["a character beyond Latin-1", `${SECRET}€`, "the header Cookie holds U+20AC"],
  ])("a value with %s", async (_name, value, message) => {
    const cookies = { sid: value };
    expect((await refused(() => session.get(APP, { cookies }), TypeError)).message).toContain(message);
    expect((await refused(() => new Session({ invoker, cookies }), TypeError)).message).toContain(message);
  });

  test.each(["", " ", "a b", "a=b", "a;b", "a,b", "a\n", "a\r\nX: 1", "a\0", "größe", "a\t", '"a"'])(
    "the name %j",
    async (name) => {
      const message = `${JSON.stringify(name)} is no name of a cookie`;
      const cookies = { [name]: SECRET };
      expect((await refused(() => session.get(APP, { cookies }), TypeError)).message).toBe(message);
      expect((await refused(() => new Session({ invoker, cookies }), TypeError)).message).toBe(message);
    },
  );

  test.each<[string, unknown]>([
    ["a number", 7],
    ["null", null],
    ["an array", [SECRET]],
    ["an object", { toString: () => SECRET }],
  ])("%s for a value", async (_name, value) => {
    const cookies = { sid: value } as never;
    const message = "the cookie sid has to be a string without ; and without spaces around it";
    expect((await refused(() => session.get(APP, { cookies }), TypeError)).message).toBe(message);
    expect((await refused(() => new Session({ invoker, cookies }), TypeError)).message).toBe(message);
  });

  test.each<[string, unknown]>([
    ["text", `sid=${SECRET}`],
    ["pairs", [["sid", SECRET]]],
    ["a Map", new Map([["sid", SECRET]])],
    ["Headers", new Headers({ sid: SECRET })],
    ["true", true],
  ])("%s in place of an object", async (_name, cookies) => {
    const { message } = await refused(() => session.get(APP, { cookies: cookies as never }), TypeError);
    expect(message).toBe("cookies have to be an object by name");
    const { message: ofSession } = await refused(
      () => new Session({ invoker, cookies: cookies as never }),
      ConfigurationError,
    );
    expect(ofSession).toBe("the option cookies has to be an object by name, or false");
  });

  test("what a jar is handed", async () => {
    const session = new Session({ invoker });
    const set = (cookie: string) => refused(() => session.cookies.set(APP, cookie), TypeError);
    for (const cookie of ["", `sid=${SECRET}\r\nX: 1`, `sid=${SECRET}\0`, `sid=${SECRET}; Domain=example.com`]) {
      await set(cookie);
    }
    expect(await session.cookies.get(APP)).toEqual({});
    await refused(() => session.cookies.set("http+lambda://a b/", "a=b"), InvalidTargetError);
    for (const saved of [undefined, null, 7, "{}", [], {}, { version: 2, jars: {} }, { version: 1, jars: null }]) {
      await refused(() => session.cookies.import(saved as never), ConfigurationError);
    }
    for (const jar of [null, SECRET, {}, { cookies: {} }, { cookies: [SECRET] }, { cookies: [null] }]) {
      await refused(() => session.cookies.import({ version: 1, jars: { a: jar } } as never), ConfigurationError);
    }
  });
});

describe("headers", () => {
  test.each<[string, string, RegExp]>([
    ["a newline in a value", `${SECRET}\r\nX-Evil: 1`, /the value of the header X-Key holds U\+000D/],
    ["a line feed in a value", `a\n${SECRET}`, /the value of the header X-Key holds U\+000A/],
    ["a NUL in a value", `${SECRET}\0`, /the value of the header X-Key holds U\+0000/],
    ["a value beyond Latin-1", `${SECRET}€`, /the value of the header X-Key holds U\+20AC/],
    ["a lone surrogate in a value", `${SECRET}\ud83d`, /the value of the header X-Key holds U\+D83D/],
  ])("%s", async (_name, value, message) => {
    const error = await bothRefuse({ headers: { "X-Key": value } }, { headers: { "X-Key": value } });
    expect(error).toMatch(message);
    await bothRefuse({ headers: [["X-Key", value]] }, { headers: [["X-Key", value]] });
    await refused(() => new Session({ invoker, headers: { "X-Key": value } }), TypeError);
  });

  test.each(["", " ", "a b", "a:", "a\n", "X-\u0000", "größe", "a(b)", "a,b", "{}"])("the name %j", async (name) => {
    const message = await bothRefuse({ headers: { [name]: SECRET } }, { headers: { [name]: SECRET } });
    expect(message).toBe(`${JSON.stringify(name)} is no header name`);
  });

  test.each<[string, unknown]>([
    ["pairs of one", [["a"]]],
    ["pairs of three", [["a", "b", "c"]]],
    ["pairs that are text", ["ab"]],
    ["text", "a: b"],
  ])("%s", async (_name, headers) => {
    const message = await bothRefuse({ headers: headers as never }, { headers: headers as never });
    expect(message).toBe("headers have to be pairs of a name and a value, a Headers object, or an object");
  });
});

describe("the method", () => {
  test.each(["CONNECT", "connect", "TRACK"])("%s", async (method) => {
    const message = await bothRefuse({ method }, {});
    expect(message).toBe(`the method ${method.toUpperCase()} can't be sent to a function`);
  });

  test.each(["", "GE T", "GET\r\n", "größe", "GET/"])("%j", async (method) => {
    const { message } = await refused(() => fetch(APP, { method }), TypeError);
    expect(message).toBe(`${JSON.stringify(method)} is no HTTP method`);
    await refused(() => session.request(method, APP), TypeError);
  });
});

describe("the body", () => {
  test.each(["GET", "get", "HEAD"])("of %s", async (method) => {
    const upper = method.toUpperCase();
    for (const body of ["x", "", new Uint8Array(), new URLSearchParams()]) {
      const message = await bothRefuse({ method, body }, { data: body });
      expect(message).toBe(`a ${upper} request can't have a body; send it with POST, or put it into the query`);
    }
    await refused(() => session.request(method, APP, { json: null }), TypeError);
    await refused(() => fetch(new Request(APP, { method: "POST", body: "x" }), { method }), TypeError);
  });

  test.each<[string, unknown]>([
    ["an object", { a: SECRET }],
    ["an array", [SECRET]],
    ["a number", 7],
    ["true", true],
    ["a function", () => SECRET],
    ["an instance", new (class Order {})()],
    ["a promise", Promise.resolve(SECRET)],
    ["a Response", new Response(SECRET)],
  ])("%s is none", async (_name, body) => {
    const { message } = await refused(() => fetch(APP, { method: "POST", body: body as never }), TypeError);
    expect(message).toMatch(
      /has to be a string, bytes, a Blob, .*; for JSON, send JSON\.stringify\(value\) or .* json of a Session/,
    );
  });

  test.each<[string, unknown]>([
    ["an instance", new (class Order {})()],
    ["a number", 7],
    ["a Set", new Set(["a"])],
  ])("%s as data", async (_name, data) => {
    expect((await refused(() => session.post(APP, { data: data as never }), TypeError)).message).toMatch(
      /has to be a string/,
    );
  });

  test("a Request that was read", async () => {
    const request = new Request(APP, { method: "POST", body: "x" });
    await request.text();
    await refused(() => fetch(request), TypeError);
  });

  test("a stream that somebody else reads", async () => {
    const body = new Blob(["x"]).stream();
    body.getReader();
    await refused(() => fetch(APP, { method: "POST", body }), TypeError);
  });

  test("a stream of text", async () => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue("text");
        controller.close();
      },
    });
    await refused(() => fetch(APP, { method: "POST", body }), TypeError);
    async function* text(): AsyncGenerator<string> {
      yield "text";
    }
    const { message } = await refused(() => fetch(APP, { method: "POST", body: text() as never }), TypeError);
    expect(message).toBe("the chunks of a body have to be Uint8Arrays");
  });

  test("a stream that fails", async () => {
    const failure = new RangeError("the disk is gone");
    const body = new ReadableStream({ start: (controller) => controller.error(failure) });
    expect(await refused(() => fetch(APP, { method: "POST", body }), RangeError)).toBe(failure);
  });

  test("two of them", async () => {
    const post = (options: object) => refused(() => session.post(APP, options), TypeError);
    const files = { a: new Blob(["x"]) };
    expect((await post({ json: {}, data: "x" })).message).toBe("a request has one body: give json or data, not both");
    expect((await post({ json: null, data: "" })).message).toBe("a request has one body: give json or data, not both");
    for (const file of [undefined, null, 1, {}, ["a.txt", 1]]) {
      expect((await post({ files: { a: file as never } })).message).toMatch(
        /^files\.a has to be text, bytes or a Blob/,
      );
    }
    expect((await post({ json: {}, files })).message).toBe("a request has one body: give json or files, not both");
    for (const data of ["x", Buffer.from("x"), new FormData()]) {
      expect((await post({ data, files })).message).toBe(
        "with files, data has to be an object: the other fields of the form",
      );
    }
  });

  test("what JSON can't say", async () => {
    const post = (json: unknown) => refused(() => session.post(APP, { json }), TypeError);
    expect((await post(() => 1)).message).toBe("json can't be a function");
    expect((await post(Symbol("x"))).message).toBe("json can't be a symbol");
    await post(1n);
    const circle: { self?: unknown } = {};
    circle.self = circle;
    await post(circle);
  });
});

describe("params and forms", () => {
  test.each<[string, unknown]>([
    ["an object", { a: 1 }],
    ["an array in an array", [[1]]],
    ["a Date", new Date(0)],
    ["a function", () => 1],
    ["a symbol", Symbol("x")],
  ])("%s as a value", async (_name, value) => {
    const message = "the parameter filter has to be a string, a number, a boolean or an array of these";
    const params = { filter: value } as never;
    expect((await refused(() => session.get(APP, { params }), TypeError)).message).toBe(message);
    expect((await refused(() => session.post(APP, { data: params }), TypeError)).message).toBe(message);
  });
});

describe("auth", () => {
  test.each<[string, unknown]>([
    ["text", `ada:${SECRET}`],
    ["a user alone", ["ada"]],
    ["three parts", ["ada", SECRET, "x"]],
    ["a number", ["ada", 7]],
    ["an object", { user: "ada", password: SECRET }],
    ["true", true],
  ])("%s", async (_name, auth) => {
    const expected = "auth has to be [user, password] or a function";
    expect((await refused(() => session.get(APP, { auth: auth as never }), TypeError)).message).toBe(expected);
    expect((await refused(() => new Session({ invoker, auth: auth as never }), TypeError)).message).toBe(expected);
    const changed = new Session({ invoker });
    expect(() => {
      changed.auth = auth as never;
    }).toThrow(new TypeError(expected));
  });

  test.each<[string, [string, string], RegExp]>([
    ["a colon in the user", ["a:b", SECRET], /a user name .* can't hold a colon/],
    ["a newline in the password", ["ada", `${SECRET}\n`], /can't hold a control character/],
    ["a NUL in the user", ["a\0", SECRET], /can't hold a control character/],
  ])("%s", async (_name, [user, password], message) => {
    expect((await refused(() => session.get(APP, { auth: [user, password] }), TypeError)).message).toMatch(message);
    const url = `http+lambda://${encodeURIComponent(user)}:${encodeURIComponent(password)}@app/`;
    expect((await refused(() => fetch(url), TypeError)).message).toMatch(message);
    expect((await refused(() => session.get(url), TypeError)).message).toMatch(message);
  });
});

describe("an event over 6 MB", () => {
  /** Ids and times are of one length, so that all bytes but the body's are known. */
  async function overhead(): Promise<number> {
    await fetch(APP, { method: "POST", body: "x" });
    const [payload] = calls.splice(0);
    return (payload?.length ?? 0) - 1;
  }

  test("at the limit it is sent, one byte above it is refused", async () => {
    const room = LIMIT - (await overhead());
    await fetch(APP, { method: "POST", body: "a".repeat(room) });
    expect(calls.splice(0)[0]?.length).toBe(LIMIT);

    const error = await refused(() => fetch(APP, { method: "POST", body: "a".repeat(room + 1) }), PayloadTooLargeError);
    expect(error).toMatchObject({ code: "ERR_PAYLOAD_TOO_LARGE", size: LIMIT + 1, limit: LIMIT });
    expect(error).toMatchObject({ request: { method: "POST", url: APP }, target: { functionName: "app" } });
    expect(error.message).toBe(
      `POST http+lambda://app/: the event is ${LIMIT + 1} bytes, Lambda takes ${LIMIT}; ` +
        `the largest part is the body (${room + 1} characters). Nothing was sent`,
    );
  });

  test("the message names the largest part", async () => {
    const big = "a".repeat(LIMIT);
    const messageOf = async (url: string, init: LambdaRequestInit): Promise<string> =>
      (await refused(() => fetch(url, init), PayloadTooLargeError)).message.replace(/^.*largest part is/s, "");
    const bytes = new Uint8Array(4_800_000).fill(0xff);
    expect(await messageOf(APP, { method: "POST", body: bytes })).toBe(
      " the body (4800000 bytes; unless they are text, base64 makes them a third larger). Nothing was sent",
    );
    expect(await messageOf(APP, { headers: { "X-Big": big } })).toMatch(/^ the headers \(62915\d\d characters\)/);
    const short = "a".repeat(LIMIT / 2);
    expect(await messageOf(`${APP}?${short}`, {})).toBe(` the query (${LIMIT / 2} characters). Nothing was sent`);
    expect(await messageOf(`${APP}${short}`, {})).toBe(` the path (${LIMIT / 2 + 1} characters). Nothing was sent`);
  });

  test("handlers in this process keep to it as well", async () => {
    const fetch = createFetch({ functions: { app: handler } });
    const body = "a".repeat(LIMIT);
    await refused(() => fetch(APP, { method: "POST", body }), PayloadTooLargeError);
  });
});

describe("an event that is queued", () => {
  const ASYNC_LIMIT = 1_048_576;
  const lambda = { invocationType: "Event" } as const;

  test("at 1 MB it is sent, one byte above it is refused", async () => {
    await fetch(APP, { method: "POST", body: "x", lambda });
    const room = ASYNC_LIMIT - ((calls.splice(0)[0]?.length ?? 0) - 1);
    expect((await fetch(APP, { method: "POST", body: "a".repeat(room), lambda })).status).toBe(202);
    expect(calls.splice(0)[0]?.length).toBe(ASYNC_LIMIT);

    const body = "a".repeat(room + 1);
    const error = await refused(() => fetch(APP, { method: "POST", body, lambda }), PayloadTooLargeError);
    expect(error).toMatchObject({ code: "ERR_PAYLOAD_TOO_LARGE", size: ASYNC_LIMIT + 1, limit: ASYNC_LIMIT });
    expect(error.message).toBe(
      `POST http+lambda://app/: the event is ${ASYNC_LIMIT + 1} bytes, Lambda takes ${ASYNC_LIMIT} of one that is ` +
        `queued; the largest part is the body (${room + 1} characters). Nothing was sent`,
    );
    await refused(() => session.post(APP, { data: body, ...lambda }), PayloadTooLargeError);
    // The same is not too large for one that is waited for.
    expect((await fetch(APP, { method: "POST", body })).status).toBe(200);
  });

  test("a body that is too large by itself is not encoded first", async () => {
    const body = new Uint8Array(ASYNC_LIMIT + 1);
    const error = await refused(() => fetch(APP, { method: "POST", body, lambda }), PayloadTooLargeError);
    expect(error.message).toContain(`the event is over ${ASYNC_LIMIT + 1} bytes, Lambda takes ${ASYNC_LIMIT} of one`);
  });

  test("a dry run has the limit of what is waited for", async () => {
    const body = "a".repeat(ASYNC_LIMIT);
    expect((await fetch(APP, { method: "POST", body, lambda: { invocationType: "DryRun" } })).status).toBe(204);
  });
});

describe("the option clientContext", () => {
  /** Of as many characters of base64 as this many bytes of JSON come to. */
  const contextOf = (bytes: number): object => ({ custom: { a: "x".repeat(bytes - '{"custom":{"a":""}}'.length) } });

  test("3,580 characters of base64 are sent, the next longer ones refused", async () => {
    expect((await fetch(APP, { lambda: { clientContext: contextOf(2685) } })).status).toBe(200);
    expect(calls.splice(0)).toHaveLength(1);

    const clientContext = contextOf(2686);
    const error = await refused(() => fetch(APP, { lambda: { clientContext } }), PayloadTooLargeError);
    expect(error).toMatchObject({ size: 3584, limit: 3583, request: { url: APP }, target: { functionName: "app" } });
    expect(error.message).toBe(
      `GET ${APP}: the option clientContext is 3584 characters of base64, Lambda takes 3583. Nothing was sent`,
    );
    await refused(() => session.get(APP, { clientContext }), PayloadTooLargeError);
    await refused(() => createFetch({ invoker, clientContext })(APP), PayloadTooLargeError);
  });

  test("is measured in bytes of UTF-8", async () => {
    const clientContext = { custom: { a: "€".repeat(1000) } };
    await refused(() => fetch(APP, { lambda: { clientContext } }), PayloadTooLargeError);
  });

  test("what JSON can't say", async () => {
    const circle: { self?: unknown } = {};
    circle.self = circle;
    for (const clientContext of [circle, { a: 1n }, { toJSON: () => undefined }]) {
      await refused(() => fetch(APP, { lambda: { clientContext } }), TypeError);
      await refused(() => session.get(APP, { clientContext }), TypeError);
    }
  });
});

describe("a session's own options", () => {
  test.each<[object | null, string]>([
    [{ hooks: { beforeRequest: 5 } }, "the option hooks has to be an object of functions"],
    [{ hooks: null }, "the option hooks has to be an object of functions"],
    [{ raiseForStatus: "no" }, "the option raiseForStatus has to be true or false"],
    [{ params: 5 }, "the option params has to be an object"],
    [{ headers: 5 }, "the option headers has to be an object"],
    [null, "options have to be an object"],
  ])("%j: refused by its name", (options, message) => {
    expect(() => new Session(options as never)).toThrow(ConfigurationError);
    expect(() => new Session(options as never)).toThrow(message);
  });

  test("what is mounted has to be an invoker or a fetch, and an invoker needs a function's URL", () => {
    const session = new Session({ invoker });
    for (const destination of [undefined, null, {}, "x"]) {
      expect(() => session.mount("http+lambda://a", destination as never)).toThrow(/has to be an invoker or a fetch/);
    }
    expect(() => session.mount("https://example.com/", invoker)).toThrow(/an invoker can't be mounted on/);
  });
});

describe("a body too large to be a string", () => {
  test.each([420_000_000, 7_000_000])("%i bytes are refused before they are encoded", async (size) => {
    const body = new Uint8Array(size);
    const error = await refused(() => fetch(APP, { method: "POST", body }), PayloadTooLargeError);
    expect(error).toMatchObject({ size, limit: 6 * 1024 * 1024 });
    expect(error.message).toContain(`over ${size} bytes, Lambda takes 6291456; the largest part is the body`);
  });

  test("a huge query does not fill the message", async () => {
    const error = await refused(() => fetch(`${APP}?${"x".repeat(7_000_000)}`), PayloadTooLargeError);
    expect(error.message.length).toBeLessThan(1000);
    expect(error.message).toContain("the largest part is the query");
  });
});

describe("a password", () => {
  test("is not in the message about a URL that is none", async () => {
    const error = await refused(() => session.get(`//user:${SECRET}@host/`), TypeError);
    expect(error.message).not.toContain(SECRET);
    expect((await refused(() => session.get(`http://a%ZZ:${SECRET}@h/`), TypeError)).message).not.toContain(SECRET);
  });
});

test("redirect has to be a word that fetch knows", async () => {
  await refused(() => fetch(APP, { redirect: "foo" as never }), TypeError);
});
