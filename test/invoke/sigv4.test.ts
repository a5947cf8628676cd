import { createRequire } from "node:module";
import { Sha256 } from "@smithy/core/checksum";
import { escapeUri } from "@smithy/core/protocols";
import { SignatureV4 } from "@smithy/signature-v4";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AwsCredentials } from "../../src/invoke/credentials.ts";
import {
  amzDate,
  authorization,
  canonicalRequest,
  encodeRfc3986,
  type SigningRequest,
  type SigningScope,
  signingKey,
  stringToSign,
} from "../../src/invoke/sigv4.ts";
import { functionIdentifier, parseFunction } from "../../src/target.ts";

// Those of AWS's own examples.
const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };
const DATE_TIME = "20150830T123600Z";
const EMPTY_HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

describe("the example of AWS's documentation, step by step", () => {
  const request: SigningRequest = {
    method: "GET",
    path: "/",
    query: "Action=ListUsers&Version=2010-05-08",
    headers: {
      host: "iam.amazonaws.com",
      "x-amz-date": DATE_TIME,
      "content-type": "application/x-www-form-urlencoded; charset=utf-8",
    },
    body: "",
  };
  const credentialScope = "20150830/us-east-1/iam/aws4_request";
  const canonical = [
    "GET",
    "/",
    "Action=ListUsers&Version=2010-05-08",
    "content-type:application/x-www-form-urlencoded; charset=utf-8",
    "host:iam.amazonaws.com",
    "x-amz-date:20150830T123600Z",
    "",
    "content-type;host;x-amz-date",
    EMPTY_HASH,
  ].join("\n");

  test("the canonical request", () => {
    expect(canonicalRequest(request)).toBe(canonical);
  });

  test("the string to sign", () => {
    expect(stringToSign(DATE_TIME, credentialScope, canonical)).toBe(
      [
        "AWS4-HMAC-SHA256",
        "20150830T123600Z",
        credentialScope,
        "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59",
      ].join("\n"),
    );
  });

  test("the signing key", () => {
    expect(signingKey(credentials.secretAccessKey, "20150830", "us-east-1", "iam").toString("hex")).toBe(
      "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9",
    );
  });

  test("the Authorization header", () => {
    expect(authorization(request, { credentials, region: "us-east-1", service: "iam" })).toBe(
      `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/${credentialScope}, SignedHeaders=content-type;host;x-amz-date, ` +
        "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
    );
  });
});

/** One vector of AWS's suite: what differs from `GET /`, and what is known of its result. */
interface Vector extends Partial<Omit<SigningRequest, "headers">> {
  /** Beside `host` and `x-amz-date`. */
  headers?: Record<string, string>;
  /** The hash of the canonical request, the last line of the string to sign. */
  canonical: string;
  signature: string;
}

const UNRESERVED = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const TOKEN =
  "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthA" +
  "x7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY" +
  "9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
const FORM = "Param1=value1";
const FORM_HASH = "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e";

/**
 * https://github.com/awslabs/aws-c-auth/tree/main/tests/aws-signing-test-suite/v4
 *
 * Left out: paths with their dot segments and double slashes taken out (`…-normalized`; ours are signed as they are, so
 * `…-unnormalized` hold), and headers that occur twice or span lines, which an Invoke has none of.
 */
const vectors: Record<string, Vector> = {
  "get-vanilla": {
    canonical: "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63",
    signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
  },
  "get-vanilla-with-session-token": {
    headers: { "x-amz-security-token": "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267" },
    canonical: "067b36aa60031588cea4a4cde1f21215227a047690c72247f1d70b32fbbfad2b",
    signature: "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
  },
  "get-vanilla-empty-query-key": {
    query: "Param1=value1",
    canonical: "1e24db194ed7d0eec2de28d7369675a243488e08526e8c1c73571282f7c517ab",
    signature: "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
  },
  "get-vanilla-query-order-key-case": {
    query: "Param1=value1&Param2=value2",
    canonical: "816cd5b414d056048ba4f7c5386d6e0533120fb1fcfa93762cf0fc39e2cf19e0",
    signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
  },
  "get-vanilla-query-order-encoded": {
    query: `${encodeRfc3986("ሴ")}=Value1&Param=Value2&Param-3=Value3`,
    canonical: "868294f5c38bd141c4972a373a76654f1418a8e4fc18b2e7903ae45e8ae0ec71",
    signature: "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
  },
  "get-vanilla-query-unreserved": {
    query: `${encodeRfc3986(UNRESERVED)}=${encodeRfc3986(UNRESERVED)}`,
    canonical: "c30d4703d9f799439be92736156d47ccfb2d879ddf56f5befa6d1d6aab979177",
    signature: "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
  },
  "get-vanilla-utf8-query": {
    query: `${encodeRfc3986("ሴ")}=bar`,
    canonical: "eb30c5bed55734080471a834cc727ae56beb50e5f39d1bff6d0d38cb192a7073",
    signature: "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
  },
  "get-header-value-trim": {
    headers: { "my-header1": "   value1", "my-header2": ' "a   b   c"  ' },
    canonical: "a726db9b0df21c14f559d0a978e563112acb1b9e05476f0a6a1c7d68f28605c7",
    signature: "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
  },
  "get-unreserved": {
    path: `/${UNRESERVED}`,
    canonical: "6a968768eefaa713e2a6b16b589a8ea192661f098f37349f4e2c0082757446f9",
    signature: "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
  },
  // These two put a path on the wire that is not encoded, so that encoding it once is all that happens to it.
  "get-utf8": {
    path: "/ሴ",
    canonical: "2a0a97d02205e45ce2e994789806b19270cfbbb0921b278ccf58f5249ac42102",
    signature: "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
  },
  "get-space-unnormalized": {
    path: "/example space/",
    canonical: "63ee75631ed7234ae61b5f736dfc7754cdccfedbff4b5128a915706ee9390d86",
    signature: "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
  },
  "get-slash-unnormalized": {
    path: "//",
    canonical: "80cb39203d058af815de2b79250ff56e1b73eb9b4718c86556cdc6f150c5d209",
    signature: "c88bcd3d312d75078c0cd961d6deae3f4c754924b01669efcfcb439fd5e5b76e",
  },
  "get-slashes-unnormalized": {
    path: "//example//",
    canonical: "528ec3105ee1f34ab014bb0a1a45da0ed2742a4fea3555149e5b4d5d201eb240",
    signature: "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5",
  },
  "get-relative-relative-unnormalized": {
    path: "/example1/example2/../..",
    canonical: "76115030c0f3ff06c20fdff5ceb6d5e0b835a1743e00b94fea7c7f381269437b",
    signature: "dc33e0856fd4baca4d7aa2146c38958283844764f38c74252a333df5e613003b",
  },
  "get-slash-pointless-dot-unnormalized": {
    path: "/./example",
    canonical: "73895e0e829507e28e39fd24669aedc2434a8e179e547e3c075b42921f952cdb",
    signature: "beb03f223f7deae4146464f06e29eebbee9c8afbe15c290cf07aa8b119e14cff",
  },
  "post-vanilla": {
    method: "POST",
    canonical: "553f88c9e4d10fc9e109e2aeb65f030801b70c2f6468faca261d401ae622fc87",
    signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
  },
  "post-vanilla-query": {
    method: "POST",
    query: "Param1=value1",
    canonical: "9d659678c1756bb3113e2ce898845a0a79dbbc57b740555917687f1b3340fbbd",
    signature: "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
  },
  "post-header-key-sort": {
    method: "POST",
    headers: { "my-header1": "value1" },
    canonical: "9368318c2967cf6de74404b30c65a91e8f6253e0a8659d6d5319f1a812f87d65",
    signature: "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
  },
  "post-header-value-case": {
    method: "POST",
    headers: { "my-header1": "VALUE1" },
    canonical: "d51ced243e649e3de6ef63afbbdcbca03131a21a7103a1583706a64618606a93",
    signature: "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
  },
  "post-sts-header-before": {
    method: "POST",
    headers: { "x-amz-security-token": TOKEN },
    canonical: "c237e1b440d4c63c32ca95b5b99481081cb7b13c7e40434868e71567c1a882f6",
    signature: "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
  },
  "post-x-www-form-urlencoded": {
    method: "POST",
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      "content-length": "13",
      "x-amz-content-sha256": FORM_HASH,
    },
    body: FORM,
    canonical: "b1edd1d03544c25390e32085d55b57acc9a3961bb59415ff86c45c3d89d16cfb",
    signature: "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
  },
  "post-x-www-form-urlencoded-parameters": {
    method: "POST",
    headers: {
      "content-type": "application/x-www-form-urlencoded; charset=utf-8",
      "content-length": "13",
      "x-amz-content-sha256": FORM_HASH,
    },
    body: Buffer.from(FORM),
    canonical: "a89f1a5b53e37702ee6363ce1da3ce8f54386f3c8f352ae652153c2982a0bc4d",
    signature: "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422",
  },
};

describe("AWS's test suite", () => {
  test.each(Object.entries(vectors))("%s", (_, vector) => {
    const { method = "GET", path = "/", query = "", headers, body = "", canonical, signature } = vector;
    const request = {
      method,
      path,
      query,
      headers: { "x-amz-date": DATE_TIME, ...headers, host: "example.amazonaws.com" },
      body,
    };
    const credentialScope = "20150830/us-east-1/service/aws4_request";
    expect(stringToSign(DATE_TIME, credentialScope, canonicalRequest(request))).toBe(
      `AWS4-HMAC-SHA256\n20150830T123600Z\n${credentialScope}\n${canonical}`,
    );
    const names = ["host", "x-amz-date", ...Object.keys(headers ?? {})].sort().join(";");
    expect(authorization(request, { credentials, region: "us-east-1", service: "service" })).toBe(
      `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/${credentialScope}, SignedHeaders=${names}, Signature=${signature}`,
    );
  });
});

describe("the path of an Invoke", () => {
  // The percent signs of the path on the wire are encoded again: without that, only plain names can be called.
  test.each([
    ["orders", "/2015-03-31/functions/orders/invocations"],
    ["orders:prod", "/2015-03-31/functions/orders%253Aprod/invocations"],
    ["orders:$LATEST", "/2015-03-31/functions/orders%253A%2524LATEST/invocations"],
    [
      "arn:aws:lambda:eu-west-1:123456789012:function:orders",
      "/2015-03-31/functions/arn%253Aaws%253Alambda%253Aeu-west-1%253A123456789012%253Afunction%253Aorders/invocations",
    ],
  ])("%s", (name, canonicalUri) => {
    const request = lambdaRequest({ name });
    expect(request.path).not.toContain(":");
    expect(canonicalRequest(request).split("\n")[1]).toBe(canonicalUri);
  });

  test("a slash inside of a segment stays encoded", () => {
    const lines = canonicalRequest(lambdaRequest({ name: "a/b", basePath: "/x%2Fy" })).split("\n");
    expect(lines[1]).toBe("/x%252Fy/2015-03-31/functions/a%252Fb/invocations");
  });
});

describe("other signers agree", () => {
  test.each([
    "orders",
    "orders:prod",
    "123456789012:function:orders:$LATEST",
    "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:orders:$LATEST.PUBLISHED",
  ])("%s", async (name) => {
    const request = lambdaRequest({ name, body: Buffer.from('{"größe":1}') });
    const scope = { credentials, region: "us-gov-west-1", service: "lambda" };
    const ours = authorization(request, scope);
    expect(await bySmithy(request, scope)).toBe(ours);
    expect(byAws4(request, scope)).toBe(ours);
  });

  const alphanumeric = fc.stringMatching(/^[a-zA-Z0-9_-]{1,64}$/);
  const digits = fc.stringMatching(/^[0-9]{12}$/);
  const region = fc.stringMatching(/^[a-z]{2}(-gov|-isob)?-[a-z]{1,9}-[1-9]$/);
  const qualifier = fc.oneof(fc.constantFrom("$LATEST", "$LATEST.PUBLISHED"), alphanumeric);
  const name = fc.oneof(
    alphanumeric,
    fc.stringMatching(/^[a-z]{1,9}\.[A-Z]{1,9}$/),
    fc.tuple(digits, alphanumeric).map(([account, name]) => `${account}:function:${name}`),
    fc
      .tuple(fc.constantFrom("aws", "aws-cn"), region, digits, alphanumeric)
      .map(([partition, region, account, name]) => `arn:${partition}:lambda:${region}:${account}:function:${name}`),
  );
  const wire = fc.record(
    {
      name: fc.oneof(
        name,
        fc.tuple(name, qualifier).map((parts) => parts.join(":")),
        // No function's name, but what the encoding has to hold out against.
        fc.string({ unit: "binary", minLength: 1, maxLength: 20 }).filter((text) => !/^\.{1,2}$/.test(text)),
      ),
      basePath: fc.constantFrom("/svc", "/a%20b/c", "/%C3%A4%2F"),
      qualifier,
      body: fc.oneof(
        fc.uint8Array(),
        fc.string({ unit: "binary" }),
        fc.json(),
        fc.constantFrom("", new Uint8Array(0), Buffer.from("behind|the part|").subarray(7, 15)),
      ),
      token: fc.stringMatching(/^[A-Za-z0-9+/]{1,200}={0,2}$/),
      logs: fc.boolean(),
      host: fc.constantFrom("lambda.eu-west-1.amazonaws.com", "127.0.0.1:3001", "[::1]:4566"),
      time: fc.date({ min: new Date("2000-01-01"), max: new Date("2099-12-31"), noInvalidDate: true }),
    },
    { requiredKeys: ["name"] },
  );
  const scopes = fc.record({
    credentials: fc.record({
      accessKeyId: fc.stringMatching(/^[A-Z0-9]{1,20}$/),
      secretAccessKey: fc.stringMatching(/^[!-~]{1,40}$/),
    }),
    region,
    service: fc.constant("lambda"),
  });

  // Each signs its own set of headers by default: Smithy's adds `x-amz-content-sha256`, aws4 adds `content-length`.
  // What the set is, the request says (`SignedHeaders`), so they are told to sign the same as we do.
  test("whatever the request", async () => {
    await fc.assert(
      fc.asyncProperty(wire, scopes, async (given, scope) => {
        const request = lambdaRequest(given);
        const ours = authorization(request, scope);
        expect(await bySmithy(request, scope)).toBe(ours);
        expect(byAws4(request, scope)).toBe(ours);
      }),
      { numRuns: 500 },
    );
  });
});

describe("whatever changes, the signature does", () => {
  const scope: SigningScope = { credentials, region: "us-east-1", service: "lambda" };
  const request = lambdaRequest({ name: "orders:prod", qualifier: "prod", token: "token", body: '{"a":1}' });
  const signatureOf = (request: SigningRequest, scope: SigningScope) => authorization(request, scope).slice(-64);
  const withHeader = (name: string, value: string) => ({ ...request, headers: { ...request.headers, [name]: value } });
  const { "x-amz-security-token": _, ...withoutToken } = request.headers;

  const changed: Record<string, [SigningRequest, SigningScope]> = {
    "a byte of the body": [{ ...request, body: '{"a":2}' }, scope],
    "no body": [{ ...request, body: "" }, scope],
    "the method": [{ ...request, method: "PUT" }, scope],
    "a byte of the path": [{ ...request, path: request.path.replace("orders", "0rders") }, scope],
    "the path's encoding": [{ ...request, path: request.path.replace("%3A", "%253A") }, scope],
    "the case of an escape": [{ ...request, path: request.path.replace("%3A", "%3a") }, scope],
    "the qualifier": [{ ...request, query: "Qualifier=test" }, scope],
    "no qualifier": [{ ...request, query: "" }, scope],
    "the host": [withHeader("host", "lambda.us-east-2.amazonaws.com"), scope],
    "the time": [withHeader("x-amz-date", "20150830T123601Z"), scope],
    "the day": [withHeader("x-amz-date", "20150831T123600Z"), scope],
    "the token": [withHeader("x-amz-security-token", "Token"), scope],
    "no token": [{ ...request, headers: withoutToken }, scope],
    "one header more": [withHeader("x-amz-log-type", "Tail"), scope],
    "one header more, empty": [withHeader("x-amz-log-type", ""), scope],
    "a header's name": [{ ...request, headers: { ...withoutToken, "x-amz-security-tokem": "token" } }, scope],
    "a byte of the secret": [
      request,
      { ...scope, credentials: { ...credentials, secretAccessKey: credentials.secretAccessKey.replace("w", "v") } },
    ],
    "the region": [request, { ...scope, region: "us-east-2" }],
    "the service": [request, { ...scope, service: "lambdb" }],
  };
  const signatures = Object.entries(changed).map(([, [request, scope]]) => signatureOf(request, scope));

  test.each(Object.entries(changed))("%s", (_, [altered, alteredScope]) => {
    expect(signatureOf(altered, alteredScope)).toMatch(/^[0-9a-f]{64}$/);
    expect(signatureOf(altered, alteredScope)).not.toBe(signatureOf(request, scope));
  });

  test("each in its own way", () => {
    expect(new Set([...signatures, signatureOf(request, scope)]).size).toBe(signatures.length + 1);
  });

  test("but not for the same bytes as text, the order of the headers, or spaces around a value", () => {
    const reversed = Object.fromEntries(Object.entries(request.headers).reverse());
    const expected = authorization(request, scope);
    expect(authorization({ ...request, body: Buffer.from('{"a":1}') }, scope)).toBe(expected);
    expect(authorization({ ...request, headers: reversed }, scope)).toBe(expected);
    expect(authorization(withHeader("x-amz-security-token", "  token "), scope)).toBe(expected);
  });
});

describe("the signing key", () => {
  const base: Parameters<typeof signingKey> = ["secret", "20150830", "us-east-1", "lambda"];
  const keyOf = (parts: Parameters<typeof signingKey>) => signingKey(...parts).toString("hex");

  test.each<[string, Parameters<typeof signingKey>]>([
    ["secret", ["Secret", "20150830", "us-east-1", "lambda"]],
    ["date", ["secret", "20150831", "us-east-1", "lambda"]],
    ["region", ["secret", "20150830", "us-east-2", "lambda"]],
    ["service", ["secret", "20150830", "us-east-1", "iam"]],
  ])("of another %s is another one, also right after the first", (_, parts) => {
    const [first, second, again] = [keyOf(base), keyOf(parts), keyOf(base)];
    expect(second).toMatch(/^[0-9a-f]{64}$/);
    expect(second).not.toBe(first);
    expect(again).toBe(first);
  });
});

describe("amzDate", () => {
  test.each([
    ["2015-08-30T12:36:00.000Z", "20150830T123600Z"],
    ["2015-08-30T12:36:00.999Z", "20150830T123600Z"],
    ["2024-02-29T23:59:59.001Z", "20240229T235959Z"],
    ["2026-01-02T04:04:05.000+01:00", "20260102T030405Z"],
  ])("%s", (time, expected) => {
    expect(amzDate(Date.parse(time))).toBe(expected);
  });
});

describe("encodeRfc3986", () => {
  test("leaves the unreserved characters alone, and nothing else", () => {
    expect(encodeRfc3986(UNRESERVED)).toBe(UNRESERVED);
    expect(encodeRfc3986(" !\"#$%&'()*+,/:;<=>?@[\\]^`{|}")).toBe(
      "%20%21%22%23%24%25%26%27%28%29%2A%2B%2C%2F%3A%3B%3C%3D%3E%3F%40%5B%5C%5D%5E%60%7B%7C%7D",
    );
    expect(encodeRfc3986("ä€😀\0\n")).toBe("%C3%A4%E2%82%AC%F0%9F%98%80%00%0A");
  });

  test("as AWS's own client does", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(encodeRfc3986(text)).toBe(escapeUri(text));
        expect(decodeURIComponent(encodeRfc3986(text))).toBe(text);
      }),
    );
  });

  test("a function's name is one segment", () => {
    const target = parseFunction("arn:aws:lambda:eu-west-1:123456789012:function:orders");
    expect(encodeRfc3986(functionIdentifier(target))).toBe(
      "arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Aorders",
    );
  });
});

/** An Invoke as it goes over the wire. */
function lambdaRequest(given: {
  name: string;
  basePath?: string;
  qualifier?: string;
  body?: string | Uint8Array;
  token?: string;
  logs?: boolean;
  host?: string;
  time?: Date;
}): SigningRequest {
  const { name, basePath = "", qualifier, body = "{}", token, logs, host = "lambda.eu-west-1.amazonaws.com" } = given;
  return {
    method: "POST",
    path: `${basePath}/2015-03-31/functions/${encodeRfc3986(name)}/invocations`,
    query: qualifier === undefined ? "" : `Qualifier=${encodeRfc3986(qualifier)}`,
    headers: {
      "content-type": "application/json",
      host,
      "x-amz-date": amzDate((given.time ?? new Date("2015-08-30T12:36:00Z")).getTime()),
      ...(logs && { "x-amz-log-type": "Tail" }),
      ...(token !== undefined && { "x-amz-security-token": token }),
    },
    body,
  };
}

async function bySmithy(request: SigningRequest, { credentials, region, service }: SigningScope): Promise<string> {
  const signer = new SignatureV4({
    credentials: withToken(request, credentials),
    region,
    service,
    sha256: Sha256,
    uriEscapePath: true,
    applyChecksum: false,
  });
  const { method, path, query, headers, body } = request;
  const signingDate = new Date(
    (headers["x-amz-date"] ?? "").replace(/^(....)(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z"),
  );
  const signed = await signer.sign(
    {
      method,
      protocol: "https:",
      hostname: "unused",
      path,
      query: Object.fromEntries(new URLSearchParams(query)),
      headers: { ...headers },
      body,
    },
    { signingDate },
  );
  return signed.headers.authorization ?? "";
}

// It comes without types.
const aws4 = createRequire(import.meta.url)("aws4") as {
  sign(request: object, credentials: AwsCredentials): { headers: { Authorization: string } };
};

function byAws4(request: SigningRequest, { credentials, region, service }: SigningScope): string {
  const { method, path, query, headers, body } = request;
  const signed = aws4.sign(
    {
      method,
      path: query === "" ? path : `${path}?${query}`,
      headers,
      body,
      region,
      service,
      extraHeadersToIgnore: { "content-length": true },
    },
    withToken(request, credentials),
  );
  return signed.headers.Authorization;
}

function withToken({ headers }: SigningRequest, { accessKeyId, secretAccessKey }: AwsCredentials) {
  const sessionToken = headers["x-amz-security-token"];
  return { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) };
}
