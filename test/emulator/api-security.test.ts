import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { invokePath, type Sent, send, startApi, type TestApi, talk } from "../support/emulator-api.ts";

const PAGE = "http://localhost:5173";
const PATH = invokePath("count");

let runs = 0;
let open: TestApi;
let closed: TestApi;

beforeAll(async () => {
  const functions = { count: async () => ++runs };
  closed = await startApi(functions);
  open = await startApi(functions, {
    allowedOrigins: [PAGE],
    allowedHosts: ["host.docker.internal", "[fd00::1]", "192.168.1.2"],
  });
});

afterAll(() => {
  open.close();
  closed.close();
});

const header = (name: string, value: string): Sent => ({ headers: { [name]: value } });

async function refused(api: TestApi, sent: Sent, path = PATH): Promise<string> {
  const before = runs;
  const { status, headers, json } = await send(api.endpoint, path, sent);
  expect(status).toBe(403);
  expect(headers["x-amzn-errortype"]).toBe("ForbiddenException");
  expect(headers["access-control-allow-origin"]).toBeUndefined();
  expect(runs).toBe(before);
  return (json as { message: string }).message;
}

describe("the name by which it is called", () => {
  it.each([
    "localhost",
    "localhost:9000",
    "LOCALHOST",
    "lambda.localhost:9000",
    "127.0.0.1:9000",
    "127.1.2.3",
    "[::1]:9000",
    "[::1]",
  ])("can be %s", async (host) => {
    expect((await send(closed.endpoint, PATH, header("Host", host))).status).toBe(200);
  });

  it.each([
    "evil.example",
    "evil.example:9000",
    "localhost.evil.example",
    "evil.example#localhost",
    "notlocalhost",
    "127.0.0.1.evil.example",
    "128.0.0.1",
    "[::2]",
    "0.0.0.0",
    "10.0.0.1",
    "host.docker.internal",
    "user@localhost",
    "localhost:port",
  ])("can't be %j", async (host) => {
    expect(await refused(closed, header("Host", host))).toMatch(/allowedHosts/);
  });

  it.each(["host.docker.internal:9000", "Host.Docker.Internal", "[FD00::1]:9000", "192.168.1.2", "localhost"])(
    "can be %s where that is allowed",
    async (host) => {
      expect((await send(open.endpoint, PATH, header("Host", host))).status).toBe(200);
    },
  );

  it("can't be missing", async () => {
    const answer = await talk(closed.endpoint, [`POST ${PATH} HTTP/1.0\r\n\r\n`]);
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    expect(answer).toContain("ForbiddenException");
  });

  it("is looked at before anything else", async () => {
    await refused(closed, { ...header("Host", "evil.example"), method: "GET" }, "/");
  });
});

describe("a browser's page", () => {
  it.each(["https://evil.example", "null", "http://localhost:5173", "http://127.0.0.1"])(
    "of %s can't invoke a function",
    async (origin) => {
      expect(await refused(closed, header("Origin", origin))).toMatch(/allowedOrigins/);
    },
  );

  it.each(["http://localhost:5174", "https://localhost:5173", "http://localhost:5173.evil.example", "null"])(
    "of %s can't either, where another one can",
    async (origin) => {
      await refused(open, header("Origin", origin));
    },
  );

  it("can't by a link or a form, which say no origin", async () => {
    await refused(closed, header("Sec-Fetch-Site", "cross-site"));
    await refused(open, { ...header("Sec-Fetch-Site", "cross-site"), method: "GET" }, "/");
  });

  it("of the browser's own user can look around", async () => {
    expect((await send(closed.endpoint, PATH, header("Sec-Fetch-Site", "none"))).status).toBe(200);
  });

  it("is not told before either what it could send", async () => {
    const preflight = { Origin: PAGE, "Access-Control-Request-Method": "POST" };
    await refused(closed, { method: "OPTIONS", headers: preflight });
  });

  it("that may call is told what it can send, and reads the answer", async () => {
    const preflight = await send(open.endpoint, PATH, {
      method: "OPTIONS",
      headers: {
        Origin: PAGE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-amz-date,x-amz-invocation-type",
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers).toMatchObject({
      "access-control-allow-origin": PAGE,
      "access-control-allow-methods": "POST",
      vary: "Origin",
    });
    const allowed = String(preflight.headers["access-control-allow-headers"]).toLowerCase().split(", ");
    expect(allowed).toEqual(expect.arrayContaining(["authorization", "content-type", "x-amz-date", "x-amz-log-type"]));

    const { status, headers } = await send(open.endpoint, PATH, {
      headers: { Origin: PAGE, "Sec-Fetch-Site": "cross-site" },
    });
    expect(status).toBe(200);
    expect(headers["access-control-allow-origin"]).toBe(PAGE);
    const exposed = String(headers["access-control-expose-headers"]).toLowerCase().split(", ");
    expect(exposed).toEqual(expect.arrayContaining(["x-amz-function-error", "x-amz-log-result", "x-amzn-errortype"]));
  });

  it("that may call reads what is wrong as well", async () => {
    const { status, headers } = await send(open.endpoint, invokePath("nope"), header("Origin", PAGE));
    expect(status).toBe(404);
    expect(headers["access-control-allow-origin"]).toBe(PAGE);
  });
});

it("OPTIONS of no page is no way to invoke", async () => {
  const { status, body } = await send(open.endpoint, PATH, { method: "OPTIONS" });
  expect(status).toBe(403);
  expect(body.toString()).toContain("<AccessDeniedException>");
});

describe("a signature", () => {
  const scope = "AKID/20260710/eu-west-1/lambda/aws4_request";
  const form = (credential: string, signed = "host;x-amz-date", rest = ""): string =>
    `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${signed}, Signature=${"0".repeat(64)}${rest}`;

  it("of any key, for any region, at any time will do, if it has the form of one", async () => {
    const headers = {
      authorization: form("OTHER/19990101/mars-north-7/lambda/aws4_request").replaceAll(", ", ","),
      "x-amz-date": "19990101T000000Z",
    };
    expect((await send(open.endpoint, PATH, { headers })).status).toBe(200);
  });

  it.each([
    ["none", { authorization: "" }, "MissingAuthenticationTokenException", /^Missing Authentication Token$/],
    ["another scheme", { authorization: "Bearer x" }, "IncompleteSignatureException", /Credential/],
    ["no signature", { authorization: `AWS4-HMAC-SHA256 Credential=${scope}` }, "IncompleteSignatureException", /Sig/],
    ["more behind it", { authorization: form(scope, undefined, "x") }, "IncompleteSignatureException", /Signature/],
    ["no date", { "x-amz-date": "" }, "IncompleteSignatureException", /X-Amz-Date/],
    ["another day", { "x-amz-date": "20260711T191904Z" }, "InvalidSignatureException", /'20260710' != '20260711'/],
    [
      "another service",
      { authorization: form(scope.replace("lambda", "s3")) },
      "InvalidSignatureException",
      /'lambda'/,
    ],
    ["its host not signed", { authorization: form(scope, "x-amz-date") }, "IncompleteSignatureException", /Host/],
  ])("with %s is refused", async (_name, headers, error, message) => {
    const before = runs;
    const answer = await send(open.endpoint, PATH, { headers: headers as Record<string, string> });
    expect(answer.status).toBe(403);
    expect(answer.headers["x-amzn-errortype"]).toBe(error);
    expect(answer.json).toEqual({ message: expect.stringMatching(message) as string });
    expect(JSON.stringify(answer.json)).not.toContain("AKID");
    expect(runs).toBe(before);
  });
});
