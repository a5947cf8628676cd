import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvalidTargetError } from "../src/errors.ts";
import { createFetch } from "../src/fetch.ts";
import type { Invocation, Invoker } from "../src/invoke/invoker.ts";
import { formatTarget, parseLambdaUrl, parseTarget, type Target } from "../src/target.ts";

const ACCOUNT = "123456789012";
const orders = { functionName: "orders" };
const arn = { ...orders, region: "eu-west-1", accountId: ACCOUNT, partition: "aws" };

interface Form {
  readonly url: string;
  readonly target: Target;
  /** The canonical authority. */
  readonly canonical: string;
}

const NAMES: Form[] = [
  { url: "orders", target: orders, canonical: "orders" },
  { url: "Orders_API-2", target: { functionName: "Orders_API-2" }, canonical: "Orders_API-2" },
  { url: "1", target: { functionName: "1" }, canonical: "1" },
  { url: "007", target: { functionName: "007" }, canonical: "007" },
  { url: "_", target: { functionName: "_" }, canonical: "_" },
  { url: "my%2Dfn", target: { functionName: "my-fn" }, canonical: "my-fn" },
  { url: "my%2Efn", target: { functionName: "my.fn" }, canonical: "my%2Efn" },
  { url: "a%2eb%2ec", target: { functionName: "a.b.c" }, canonical: "a%2Eb%2Ec" },
  { url: "a".repeat(256), target: { functionName: "a".repeat(256) }, canonical: "a".repeat(256) },
];

const QUALIFIERS: Form[] = ["prod", "Prod_2-x", "7", "007", "$LATEST", "$LATEST.PUBLISHED"].flatMap((qualifier) => {
  const form = { target: { ...orders, qualifier }, canonical: `${qualifier}.orders` };
  return [
    { ...form, url: `${qualifier}.orders` },
    { ...form, url: `orders%3A${qualifier}` },
    { ...form, url: `orders%3a${qualifier.replace("$", "%24").replace(".", "%2e")}` },
    { ...form, url: `orders:${qualifier}` },
  ];
});

const DOTS: Form[] = [
  // Before a bare name, a dot ends an alias; the longest of Lambda's own qualifiers is read first.
  {
    url: "$LATEST.PUBLISHED",
    target: { functionName: "PUBLISHED", qualifier: "$LATEST" },
    canonical: "$LATEST.PUBLISHED",
  },
  {
    url: "$LATEST.PUBLISHED.PUBLISHED",
    target: { functionName: "PUBLISHED", qualifier: "$LATEST.PUBLISHED" },
    canonical: "$LATEST.PUBLISHED.PUBLISHED",
  },
  { url: "my%2Efn%3Aprod", target: { functionName: "my.fn", qualifier: "prod" }, canonical: "my%2Efn%3Aprod" },
  { url: "my.fn:prod", target: { functionName: "my.fn", qualifier: "prod" }, canonical: "my%2Efn%3Aprod" },
  {
    url: "my%2Efn%3A$LATEST%2EPUBLISHED",
    target: { functionName: "my.fn", qualifier: "$LATEST.PUBLISHED" },
    canonical: "my%2Efn%3A$LATEST%2EPUBLISHED",
  },
];

const PARTIAL: Form[] = [
  {
    url: `${ACCOUNT}:function:orders`,
    target: { ...orders, accountId: ACCOUNT },
    canonical: `${ACCOUNT}%3Afunction%3Aorders`,
  },
  {
    url: `${ACCOUNT}:function:orders:prod`,
    target: { ...orders, accountId: ACCOUNT, qualifier: "prod" },
    canonical: `${ACCOUNT}%3Afunction%3Aorders%3Aprod`,
  },
  // The service's own pattern lets `function:` out, and takes a region.
  { url: `${ACCOUNT}:orders`, target: { ...orders, accountId: ACCOUNT }, canonical: `${ACCOUNT}%3Afunction%3Aorders` },
  {
    url: `us-gov-west-1:${ACCOUNT}:function:orders`,
    target: { ...orders, region: "us-gov-west-1", accountId: ACCOUNT },
    canonical: `us-gov-west-1%3A${ACCOUNT}%3Afunction%3Aorders`,
  },
  {
    url: "eusc-de-east-1:function:orders:7",
    target: { ...orders, region: "eusc-de-east-1", qualifier: "7" },
    canonical: "eusc-de-east-1%3Afunction%3Aorders%3A7",
  },
  {
    url: `${ACCOUNT}:function:function`,
    target: { functionName: "function", accountId: ACCOUNT },
    canonical: `${ACCOUNT}%3Afunction%3Afunction`,
  },
];

const ARNS: Form[] = [
  ...[
    ["aws", "eu-west-1"],
    ["aws-cn", "cn-north-1"],
    ["aws-us-gov", "us-gov-east-1"],
    ["aws-iso", "us-iso-east-1"],
    ["aws-iso-b", "us-isob-east-1"],
    ["aws-iso-e", "eu-isoe-west-1"],
    ["aws-eusc", "eusc-de-east-1"],
  ].map(([partition = "", region = ""]) => ({
    url: `arn:${partition}:lambda:${region}:${ACCOUNT}:function:orders`,
    target: { ...orders, partition, region, accountId: ACCOUNT },
    canonical: `arn%3A${partition}%3Alambda%3A${region}%3A${ACCOUNT}%3Afunction%3Aorders`,
  })),
  {
    url: `arn:aws:lambda:eu-west-1:${ACCOUNT}:function:orders:prod`,
    target: { ...arn, qualifier: "prod" },
    canonical: `arn%3Aaws%3Alambda%3Aeu-west-1%3A${ACCOUNT}%3Afunction%3Aorders%3Aprod`,
  },
  {
    url: `arn:aws:lambda:eu-west-1:${ACCOUNT}:function:my.fn:$LATEST.PUBLISHED`,
    target: { ...arn, functionName: "my.fn", qualifier: "$LATEST.PUBLISHED" },
    canonical: `arn%3Aaws%3Alambda%3Aeu-west-1%3A${ACCOUNT}%3Afunction%3Amy%2Efn%3A$LATEST%2EPUBLISHED`,
  },
];

const FORMS = [...NAMES, ...QUALIFIERS, ...DOTS, ...PARTIAL, ...ARNS];

describe("every form names its target", () => {
  test.each(FORMS)("$url", async ({ url, target, canonical }) => {
    const text = `http+lambda://${url}/v1?a=1`;
    const href = `http+lambda://${canonical}/v1?a=1`;
    expect(parseTarget(text)).toEqual(target);
    expect(parseLambdaUrl(text)).toEqual({ target, path: "/v1", query: "a=1", href });

    // The canonical form is a fixed point, for WHATWG's parser as well as for ours.
    expect(formatTarget(target, "/v1?a=1")).toBe(href);
    expect(new URL(href).href).toBe(href);
    for (const form of [href, new URL(href)]) expect(parseLambdaUrl(form)).toMatchObject({ target, href });
    expect(await targetOf(new Request(href))).toEqual(target);

    // As typed, it is a URL where its colons are no port to WHATWG.
    if (!URL.canParse(text) || new URL(text).port !== "") return;
    expect(parseTarget(new URL(text))).toEqual(target);
    expect(await targetOf(new Request(text))).toEqual(target);
  });

  test("which of them WHATWG's parser takes: all but those with a colon", () => {
    for (const { url } of FORMS) {
      const text = `http+lambda://${url}/`;
      const isUrl = URL.canParse(text) && new URL(text).port === "";
      expect([url, isUrl]).toEqual([url, !url.includes(":")]);
    }
  });

  test("a percent-encoded ARN in lower case", () => {
    expect(parseTarget(`http+lambda://arn%3aaws%3alambda%3aeu-west-1%3a${ACCOUNT}%3afunction%3aorders`)).toEqual(arn);
  });
});

describe("the whole URL", () => {
  test.each([
    ["http+lambda://orders", "/", "", "http+lambda://orders/"],
    ["http+lambda://orders/", "/", "", "http+lambda://orders/"],
    ["http+lambda://orders?a=1", "/", "a=1", "http+lambda://orders/?a=1"],
    ["http+lambda://orders/?", "/", "", "http+lambda://orders/"],
    ["http+lambda://orders#top", "/", "", "http+lambda://orders/"],
    ["http+lambda://orders/v1#top?a=1", "/v1", "", "http+lambda://orders/v1"],
    ["http+lambda://orders:prod?a=1#b", "/", "a=1", "http+lambda://prod.orders/?a=1"],
    ["http+lambda://orders/a?b?c", "/a", "b?c", "http+lambda://orders/a?b?c"],
    ["http+lambda://orders/a:b@c", "/a:b@c", "", "http+lambda://orders/a:b@c"],
    ["HTTP+Lambda://Orders/V1", "/V1", "", "http+lambda://Orders/V1"],
    ["  http+lambda://orders/v1\n", "/v1", "", "http+lambda://orders/v1"],
  ])("%j", (url, path, query, href) => {
    expect(parseLambdaUrl(url)).toMatchObject({ path, query, href });
    expect(parseLambdaUrl(href)).toMatchObject({ path, query, href });
  });

  test.each([
    "/a/../b/./c",
    "/../..",
    "/a/%2e%2e/b/%2E/c",
    "/a/b/..",
    "//a//b/",
    "/a%2Fb%2f",
    "/ü/世界/😀",
    "/a b",
    '/<>"{}|^`\\',
    "/%zz%",
    "/~a.b-c_d!$&'()*+,;=:@",
    "/\ud800",
    "?q=ü b",
    "?q=<>\"'{}|",
    "?%zz",
    "/%00",
  ])("%j is what WHATWG's parser makes of it", (rest) => {
    const standard = new URL(`http+lambda://orders${rest}`);
    const ours = parseLambdaUrl(`http+lambda://orders${rest}`);
    expect(ours?.path).toBe(standard.pathname || "/");
    expect(ours?.query).toBe(standard.search.slice(1));
  });

  test("relative URLs resolve against the canonical one", () => {
    const base =
      parseLambdaUrl(`http+lambda://arn:aws:lambda:eu-west-1:${ACCOUNT}:function:orders/a/b/c?d`)?.href ?? "";
    const up = new URL("../x", base);
    expect(parseLambdaUrl(up)).toMatchObject({ target: arn, path: "/a/x", query: "" });
    expect(parseLambdaUrl(new URL("/y?z=1", base))).toMatchObject({ target: arn, path: "/y", query: "z=1" });
    expect(parseTarget(new URL("//users/", base))).toEqual({ functionName: "users" });
    expect(parseLambdaUrl(new URL("../x", "http+lambda://$LATEST.PUBLISHED.orders/a/b"))).toMatchObject({
      target: { functionName: "orders", qualifier: "$LATEST.PUBLISHED" },
      path: "/x",
    });
  });

  test.each([
    ["ada:secret@", ["ada", "secret"]],
    ["ada@", ["ada", ""]],
    ["ada:@", ["ada", ""]],
    [":secret@", ["", "secret"]],
    ["@", ["", ""]],
    ["ada:a:b@", ["ada", "a:b"]],
    ["a%40b:s%3A%2F%C3%BC@", ["a@b", "s:/ü"]],
    ["a@b:secret@", ["a@b", "secret"]],
  ])("user and password of %s", (userinfo, expected) => {
    const url = parseLambdaUrl(`http+lambda://${userinfo}orders:prod/v1`);
    expect(url?.userinfo).toEqual(expected);
    expect(url?.target).toEqual({ ...orders, qualifier: "prod" });
    expect(url?.href).toBe("http+lambda://prod.orders/v1");
  });

  test("user and password of a URL object", () => {
    const url = parseLambdaUrl(new URL("http+lambda://ada:s%40crt@prod.orders/v1"));
    expect(url).toMatchObject({ userinfo: ["ada", "s@crt"], href: "http+lambda://prod.orders/v1" });
    expect(parseLambdaUrl("http+lambda://orders/")).not.toHaveProperty("userinfo");
  });

  test("other schemes are not ours, unless said so", () => {
    for (const url of ["https://orders/", "lambda://orders/", "orders", "", "//orders/", new URL("about:blank")]) {
      expect(parseLambdaUrl(url)).toBeUndefined();
    }
    const schemes = ["http+lambda:", "lambda:"];
    expect(parseLambdaUrl("LAMBDA://orders:prod/v1", schemes)).toMatchObject({ href: "lambda://prod.orders/v1" });
    expect(parseLambdaUrl("http+lambda://orders", schemes)).toMatchObject({ href: "http+lambda://orders/" });
    expect(parseLambdaUrl("http+lambda://orders", ["lambda:"])).toBeUndefined();
  });

  test("the option schemes", async () => {
    const { invoker, targets } = recorder();
    const passedOn: unknown[] = [];
    const options = {
      invoker,
      schemes: ["Lambda", "fn:"],
      fetch: (async (url: unknown) => passedOn.push(url)) as never,
    };
    const fetch = createFetch(options);
    const response = await fetch("lambda://orders/v1");
    await fetch(new Request("fn://users/"));
    await fetch("http+lambda://orders/");
    expect(targets).toEqual([orders, { functionName: "users" }]);
    expect(response.url).toBe("lambda://orders/v1");
    expect(passedOn).toEqual(["http+lambda://orders/"]);
  });
});

describe("formatTarget", () => {
  test("the path has a default and a leading slash", () => {
    expect(formatTarget(orders)).toBe("http+lambda://orders/");
    expect(formatTarget(orders, "v1")).toBe("http+lambda://orders/v1");
    expect(formatTarget(orders, "?a=1")).toBe("http+lambda://orders/?a=1");
  });

  test.each<[Target, RegExp]>([
    [{ functionName: "" }, /the function's name is empty/],
    [{ functionName: "a/b" }, /can't hold "\/"/],
    [{ functionName: "a:b" }, /can't hold ":"/],
    [{ functionName: "orders", qualifier: "" }, /"" is no qualifier/],
    [{ functionName: "orders", qualifier: "$latest" }, /"\$latest" is no qualifier/],
    [{ functionName: "orders", region: "moon" }, /"moon" is no region/],
    [{ functionName: "orders", accountId: "12" }, /"12" is no account id/],
    [{ functionName: "orders", partition: "aws" }, /partition "aws" has to .* have a region and an account/],
    [{ ...arn, partition: "a:b" }, /partition "a:b" has to be aws or begin with it/],
    [{ functionName: "a".repeat(257) }, /257 characters long; Lambda takes 256/],
  ])("refuses %j", (target, message) => {
    expect(() => formatTarget(target)).toThrow(InvalidTargetError);
    expect(() => formatTarget(target)).toThrow(message);
  });
});

describe("refused, with the wrong part named", () => {
  const empty = /the function's name is empty/;
  const noArn = /is no ARN of a function: it has to look like arn:aws:lambda:REGION:ACCOUNT:function:NAME/;
  test.each<[string, RegExp]>([
    ["", empty],
    ["ada:pw@", empty],
    ["prod.", empty],
    [`arn:aws:lambda:eu-west-1:${ACCOUNT}:function:`, empty],
    ["%2E", /can't be dots alone/],
    ["%2e%2e%3Aprod", /can't be dots alone/],
    [`${ACCOUNT}:function:..`, /can't be dots alone/],
    [":prod", /":prod" is no function: write name, name:qualifier, account:function:name or an ARN/],
    [".orders", /"" is no qualifier/],
    ["orders:", /"" is no qualifier/],
    ["orders%3A", /"" is no qualifier/],
    ["my fn", /can't hold " "/],
    ["größe", /can't hold "ö"/],
    ["gr%C3%B6%C3%9Fe", /can't hold "ö"/],
    ["😀", /can't hold "😀"/],
    ["a\\b", /can't hold "\\\\"/],
    ["a%2Fb", /can't hold "\/"/],
    ["a%2fb", /can't hold "\/"/],
    ["a%00", /can't hold "\\u0000"/],
    ["a%0Ab", /can't hold "\\n"/],
    ["a%40b", /can't hold "@"/],
    ["a%3Fb", /can't hold "\?"/],
    ["a%252E", /can't hold "%"/],
    ["[::1]", /is no function/],
    ["$LATEST", /can't hold "\$"/],
    ["%zz", /"%zz" is not percent-encoded UTF-8/],
    ["%ff", /"%ff" is not percent-encoded UTF-8/],
    ["%zz:pw@orders", /user and password before @ are not percent-encoded UTF-8/],
    ["prod.my.fn", /one alias and one dot; a name with dots in it is written with %2E/],
    ["prod.my%2Dfn", /"prod\.my%2Dfn": write a dot in a function's name as %2E, and an alias as %3Aalias/],
    ["%24LATEST.orders", /write a dot in a function's name as %2E/],
    ["my.fn%2E", /write a dot in a function's name as %2E/],
    [
      "orders:$latest",
      /"\$latest" is no qualifier: a version is digits, .* and there are \$LATEST and \$LATEST\.PUBLISHED/,
    ],
    ["orders:$LATEST.published", /"\$LATEST\.published" is no qualifier/],
    ["orders:$PUBLISHED", /"\$PUBLISHED" is no qualifier/],
    ["orders:a.b", /"a\.b" is no qualifier/],
    ["orders:pr%20od", /"pr od" is no qualifier/],
    ["$latest.orders", /"\$latest" is no qualifier/],
    ["$LATEST.published.orders", /one alias and one dot/],
    ["orders:prod:7", /is no function/],
    [`orders:${"q".repeat(129)}`, /129 characters long; Lambda takes 128/],
    ["a".repeat(257), /257 characters long; Lambda takes 256/],
    ["a".repeat(100_000), /100000 characters long; Lambda takes 256/],
    [`${ACCOUNT}:function:${"a".repeat(240)}`, /262 characters long; Lambda takes 256/],
    [`1234:function:orders`, /is no function/],
    [`arn:aws:s3:eu-west-1:${ACCOUNT}:function:orders`, noArn],
    [`arn:aws:lambda:eu-west-1:${ACCOUNT}:layer:orders`, noArn],
    [`arn:aws:lambda:eu-west-1:${ACCOUNT}:function`, noArn],
    [`arn:gcp:lambda:eu-west-1:${ACCOUNT}:function:orders`, noArn],
    [`arn::lambda:eu-west-1:${ACCOUNT}:function:orders`, noArn],
    ["arn:aws:lambda", noArn],
    [`arn:aws:lambda::${ACCOUNT}:function:orders`, /: "" is no region/],
    [`arn:aws:lambda:eu-west:${ACCOUNT}:function:orders`, /: "eu-west" is no region/],
    [`arn:aws:lambda:EU-WEST-1:${ACCOUNT}:function:orders`, /: "EU-WEST-1" is no region/],
    ["arn:aws:lambda:eu-west-1::function:orders", /: "" is no account id \(12 digits\)/],
    ["arn:aws:lambda:eu-west-1:1234:function:orders", /: "1234" is no account id \(12 digits\)/],
    [`arn:aws:lambda:eu-west-1:${ACCOUNT}:function:or*ders`, /can't hold "\*"/],
    [`arn:aws:lambda:eu-west-1:${ACCOUNT}:function:orders:`, /"" is no qualifier/],
    [`arn:aws:lambda:eu-west-1:${ACCOUNT}:function:orders:1:2`, /"1:2" is no qualifier/],
  ])("http+lambda://%s", (authority, message) => {
    const error = refusal(() => parseTarget(`http+lambda://${authority}/v1`));
    expect(error.message).toMatch(message);
    expect(error.code).toBe("ERR_INVALID_TARGET");
    expect(error.message.length).toBeLessThan(900);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a message is one line that a terminal can show
    expect(error.message).not.toMatch(/[\u0000-\u001f]/);
  });

  test.each([
    "http+lambda://or\u0000ders/",
    "http+lambda://or\tders/",
    "http+lambda://orders/a\nb",
    "http+lambda://orders/?\u007f",
  ])("a control character: %j", (url) => {
    expect(refusal(() => parseTarget(url)).message).toMatch(/a URL can't hold a control character/);
  });

  test.each(["http+lambda:orders", "http+lambda:/orders/v1", "HTTP+lambda:", "http+lambda:\\\\orders"])(
    "the two slashes are missing: %j",
    (url) => {
      expect(refusal(() => parseTarget(url)).message).toContain(
        "write // after http+lambda:, as in http+lambda://function/path",
      );
    },
  );

  test.each(["https://orders/", "orders", "", "http+lambda//orders", "lambda://orders"])(
    "another scheme: %j",
    (url) => {
      expect(refusal(() => parseTarget(url)).message).toBe(
        `${JSON.stringify(url)} is not a Lambda URL: it has to begin with http+lambda://`,
      );
    },
  );

  test("a port in a URL object, which may have lost zeros", () => {
    const url = new URL("http+lambda://orders:007/v1");
    expect(refusal(() => parseTarget(url)).message).toBe(
      '"http+lambda://orders:7/v1": in a URL object, ":7" is a port and has lost leading zeros; ' +
        "write http+lambda://7.orders/ or http+lambda://orders%3A7/",
    );
    expect(parseTarget("http+lambda://orders:007/v1")).toEqual({ ...orders, qualifier: "007" });
  });

  test("a port in a Request", async () => {
    await expect(targetOf(new Request("http+lambda://orders:7/v1"))).rejects.toThrow(/":7" is a port/);
  });

  test("no message holds a user's password", () => {
    const urls = [
      "http+lambda://ada:hunter2@/",
      "http+lambda://ada:hunter2@a b/",
      "http+lambda://ada:hunter2@%zz/",
      "http+lambda://ada:%zzhunter2@orders/",
      "http+lambda://ada:hunter2@prod.my%2Dfn/",
      "http+lambda://ada:hunter2@arn:aws:s3/",
      "http+lambda://ada:hunter2@orders:$latest/",
      "http+lambda://ada:hun\tter2hunter2@orders/",
      "http+lambda://ada:x@hunter2@a b/",
      "http+lambda://hunter2@a b/",
      `http+lambda://ada:hunter2@${"a".repeat(300)}/`,
      "http+lambda:ada:hunter2@orders/",
      "http+lambda:/ada:hunter2@orders/",
      "http+lambda:///ada:hunter2@orders/",
      "htp+lambda://ada:hunter2@orders/",
      "ada:hunter2@orders",
      "//ada:hunter2@orders/",
      new URL("http+lambda://ada:hunter2@orders:7/"),
      new URL("http+lambda://ada:hunter2@orders$/"),
      new URL("https://ada:hunter2@orders/"),
    ];
    for (const url of urls) {
      const { message } = refusal(() => parseTarget(url));
      expect(message, String(url)).not.toContain("hunter2");
    }
    expect(refusal(() => parseTarget("http+lambda://ada:hunter2@a b/v1")).message).toContain('"http+lambda://a b/v1"');
  });
});

describe("for all", () => {
  const characters = (alphabet: string, minLength: number, maxLength: number) =>
    fc.string({ unit: fc.constantFrom(...alphabet), minLength, maxLength });
  const LETTERS = "abcXYZ0189_-";
  const qualifier = fc.oneof(characters(LETTERS, 1, 40), fc.constantFrom("$LATEST", "$LATEST.PUBLISHED", "function"));
  const name = fc.oneof(
    characters(`${LETTERS}.`, 1, 40).filter((name) => !/^\.+$/.test(name)),
    fc.constantFrom("function", "arn", "PUBLISHED", "us-east-1", ACCOUNT),
  );
  const region = fc.constantFrom("us-east-1", "ap-southeast-2", "us-gov-west-1", "us-isob-east-1", "eusc-de-east-1");
  const accountId = characters("0123456789", 12, 12);
  const optional = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });
  const target = fc
    .record({
      functionName: name,
      qualifier: optional(qualifier),
      region: optional(region),
      accountId: optional(accountId),
      partition: optional(fc.constantFrom("aws", "aws-cn", "aws-us-gov")),
    })
    .map(({ partition, ...rest }) => {
      const whole = rest.region !== undefined && rest.accountId !== undefined ? { ...rest, partition } : rest;
      return Object.fromEntries(Object.entries(whole).filter(([, value]) => value !== undefined)) as unknown as Target;
    });

  test("targets: parsing what was formatted gives the target back", () => {
    fc.assert(
      fc.property(target, fc.webPath(), (target, path) => {
        const href = formatTarget(target, path);
        expect(parseTarget(href)).toEqual(target);
        expect(parseTarget(new URL(href))).toEqual(target);
        // Of `/..` Node's parser makes an empty path.
        expect(parseLambdaUrl(href)?.path).toBe(new URL(href).pathname || "/");
      }),
    );
  });

  test("targets: the canonical form is a URL that says the same to WHATWG", () => {
    fc.assert(
      fc.property(target, (target) => {
        const href = formatTarget(target, "/v1?a=1");
        expect(new URL(href).href).toBe(href);
        expect(new URL(href).port).toBe("");
      }),
    );
  });

  test("paths: what WHATWG's parser makes of them", () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: we refuse those, WHATWG drops some of them
    const text = fc.string({ unit: "binary" }).filter((text) => !/[\u0000-\u001f\u007f]/.test(text));
    fc.assert(
      fc.property(fc.constantFrom("/", "?"), text, (start, rest) => {
        // An end that neither trims.
        const tail = `${start}${rest}.`;
        const standard = new URL(`http+lambda://orders${tail}`);
        const ours = parseLambdaUrl(`http+lambda://orders${tail}`);
        expect(ours?.path).toBe(standard.pathname || "/");
        expect(ours?.query).toBe(standard.search.slice(1));
      }),
    );
  });

  test("strings: a target, no Lambda URL, or an InvalidTargetError, and never the password", () => {
    const piece = fc.oneof(fc.string({ unit: "binary" }), characters("%:@/.?#$a1 \\[]", 0, 12), name, qualifier);
    const url = fc.oneof(
      piece,
      fc.tuple(piece, piece).map(([a, b]) => `http+lambda:${a}${b}`),
      fc.tuple(piece, piece).map(([a, b]) => `http+lambda://${a}${b}`),
      fc.tuple(piece, piece).map(([a, b]) => `http+lambda://arn:aws:lambda:${a}:${b}`),
      piece.map((a) => `http+lambda://ada:hunter2@${a}`),
    );
    fc.assert(
      fc.property(url, (url) => {
        try {
          const parsed = parseLambdaUrl(url);
          if (parsed !== undefined) expect(parseTarget(parsed.href)).toEqual(parsed.target);
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidTargetError);
          expect((error as Error).message).not.toContain("hunter2");
        }
      }),
      { numRuns: 1000 },
    );
  });
});

/** What a Request becomes, by way of fetch. */
async function targetOf(request: Request): Promise<Target | undefined> {
  const { invoker, targets } = recorder();
  await createFetch({ invoker })(request);
  return targets[0];
}

function recorder(): { invoker: Invoker; targets: Target[] } {
  const targets: Target[] = [];
  const invoke = async ({ target }: Invocation) => {
    targets.push(target);
    return { payload: Buffer.from("{}") };
  };
  return { invoker: { invoke }, targets };
}

function refusal(act: () => unknown): InvalidTargetError {
  try {
    act();
  } catch (error) {
    if (error instanceof InvalidTargetError) return error;
    throw error;
  }
  throw new Error("it did not throw");
}
