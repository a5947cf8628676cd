import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { LambdaClient } from "@aws-sdk/client-lambda";
import { describe, expect, test } from "vitest";
import { ConfigurationError } from "../../src/errors.ts";
import { parseEndpointUrl, resolveEndpoint } from "../../src/invoke/endpoint.ts";

/** Every region that AWS's SDK knows, out of its partition data, which it does not export. */
function regionsOfTheSdk(): string[] {
  const core = createRequire(createRequire(import.meta.url).resolve("@aws-sdk/client-lambda"));
  const path = core
    .resolve("@aws-sdk/core/client")
    .replace(/dist-cjs.*$/, "dist-es/submodules/client/util-endpoints/lib/aws/partitions.js");
  const source = readFileSync(path, "utf8");
  const { partitions } = JSON.parse(source.slice(source.indexOf("{"), source.lastIndexOf("}") + 1)) as {
    partitions: { regions: Record<string, unknown> }[];
  };
  return partitions.flatMap(({ regions }) => Object.keys(regions));
}

/** What AWS's own client makes of the same settings. */
async function sdkEndpoint(region: string, fips: boolean, dualstack: boolean): Promise<{ url: URL; region: string }> {
  const client = new LambdaClient({ region, useFipsEndpoint: fips, useDualstackEndpoint: dualstack });
  const { url } = client.config.endpointProvider({
    Region: await client.config.region(),
    UseFIPS: await client.config.useFipsEndpoint(),
    UseDualStack: await client.config.useDualstackEndpoint(),
  });
  return { url, region: await client.config.region() };
}

const known = regionsOfTheSdk();
const unknown = ["us-east-9", "us-gov-north-7", "cn-south-3", "us-iso-north-2", "us-isob-south-4", "eu-isoe-east-9"];
const odd = [
  "us-isof-west-2",
  "eusc-de-west-2",
  "eusc-fr-west-1",
  "xx-moon-1",
  "moon",
  "local",
  "cn-north",
  "us-east-1a",
];
const fipsRegions = ["fips-us-east-1", "us-east-1-fips", "fips-us-gov-west-1", "cn-north-1-fips", "us-iso-east-1-fips"];

describe("the hosts are those of AWS's own client", () => {
  test("its data holds every partition", () => {
    expect(known.length).toBeGreaterThan(45);
    expect(known).toEqual(
      expect.arrayContaining(["us-east-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1", "us-iso-east-1"]),
    );
    expect(known).toEqual(expect.arrayContaining(["us-isob-east-1", "eu-isoe-west-1", "us-isof-south-1"]));
  });

  for (const useFipsEndpoint of [false, true]) {
    for (const useDualstackEndpoint of [false, true]) {
      test(`FIPS ${useFipsEndpoint}, dual-stack ${useDualstackEndpoint}`, async () => {
        for (const region of [...known, ...unknown, ...odd, ...fipsRegions]) {
          const ours = resolveEndpoint({ region, useFipsEndpoint, useDualstackEndpoint });
          const { url, region: signingRegion } = await sdkEndpoint(region, useFipsEndpoint, useDualstackEndpoint);
          expect(ours, region).toEqual({
            protocol: url.protocol,
            hostname: url.hostname,
            port: 443,
            host: url.host,
            basePath: "",
            signingRegion,
            isLoopback: false,
          });
        }
      });
    }
  }

  test("written out, one of each kind", () => {
    const host = (settings: Parameters<typeof resolveEndpoint>[0]) => resolveEndpoint(settings).host;
    expect(host({ region: "eu-west-1" })).toBe("lambda.eu-west-1.amazonaws.com");
    expect(host({ region: "eu-west-1", useDualstackEndpoint: true })).toBe("lambda.eu-west-1.api.aws");
    expect(host({ region: "us-gov-west-1", useFipsEndpoint: true })).toBe("lambda-fips.us-gov-west-1.amazonaws.com");
    expect(host({ region: "us-east-2-fips", useDualstackEndpoint: true })).toBe("lambda-fips.us-east-2.api.aws");
    expect(host({ region: "cn-north-1" })).toBe("lambda.cn-north-1.amazonaws.com.cn");
    expect(host({ region: "eusc-de-east-1" })).toBe("lambda.eusc-de-east-1.amazonaws.eu");
  });

  test("a FIPS region signs for the real one", () => {
    expect(resolveEndpoint({ region: "fips-us-east-1" }).signingRegion).toBe("us-east-1");
    expect(resolveEndpoint({ region: "us-gov-west-1-fips" }).signingRegion).toBe("us-gov-west-1");
  });
});

describe("a region that can't be one is refused", () => {
  const regions = [
    "",
    " ",
    "us-east-1 ",
    "US-EAST-1",
    "us.east.1",
    "us-east-1/",
    "us-east-1/@evil.example#",
    "us_east_1",
  ];
  const others = [
    "-us-east-1",
    "us-east-1-",
    "us-east-1\r\nHost: x",
    "usa\u0000",
    "ü-east-1",
    "*",
    "fips-",
    "a".repeat(64),
  ];
  test.each([...regions, ...others])("%j", (region) => {
    expect(() => resolveEndpoint({ region })).toThrow(ConfigurationError);
    expect(() => resolveEndpoint({ region, endpoint: "http://localhost:4566" })).toThrow(/is no region/);
  });

  test("the message is one short line", () => {
    const message = messageOf(() => resolveEndpoint({ region: `${"a".repeat(5000)}\n` }));
    expect(message.length).toBeLessThan(400);
    expect(message).not.toContain("\n");
  });

  test("neither region nor endpoint", () => {
    expect(() => resolveEndpoint({})).toThrow(new ConfigurationError("there is no region"));
  });
});

describe("an endpoint of the caller's own", () => {
  const port = { "http:": 80, "https:": 443 };

  test.each([
    ["http://localhost:4566", "localhost:4566", "localhost", 4566, "", true],
    ["http://LocalHost:4566/", "localhost:4566", "localhost", 4566, "", true],
    ["http://orders.localhost", "orders.localhost", "orders.localhost", port["http:"], "", true],
    ["http://127.0.0.1:3001", "127.0.0.1:3001", "127.0.0.1", 3001, "", true],
    ["http://127.255.3.4", "127.255.3.4", "127.255.3.4", port["http:"], "", true],
    ["http://127.1:9000", "127.0.0.1:9000", "127.0.0.1", 9000, "", true],
    ["http://[::1]:9001/", "[::1]:9001", "::1", 9001, "", true],
    ["https://[0:0:0:0:0:0:0:1]", "[::1]", "::1", port["https:"], "", true],
    ["https://[2001:db8::7]:8443", "[2001:db8::7]:8443", "2001:db8::7", 8443, "", false],
    ["http://128.0.0.1", "128.0.0.1", "128.0.0.1", port["http:"], "", false],
    ["http://127.0.0.1.example.com", "127.0.0.1.example.com", "127.0.0.1.example.com", port["http:"], "", false],
    ["http://notlocalhost", "notlocalhost", "notlocalhost", port["http:"], "", false],
    ["http://localhost.example.com", "localhost.example.com", "localhost.example.com", port["http:"], "", false],
    ["https://example.com:443", "example.com", "example.com", port["https:"], "", false],
    ["http://example.com:80/svc", "example.com", "example.com", port["http:"], "/svc", false],
    ["http://example.com:443", "example.com:443", "example.com", 443, "", false],
    ["HTTPS://example.com/a%20b/c/", "example.com", "example.com", port["https:"], "/a%20b/c", false],
    ["https://example.com//", "example.com", "example.com", port["https:"], "", false],
    ["https://example.com/a/../svc/.", "example.com", "example.com", port["https:"], "/svc", false],
  ])("%s", (url, host, hostname, portNumber, basePath, isLoopback) => {
    const protocol = url.toLowerCase().startsWith("https") ? "https:" : "http:";
    const address = { protocol, hostname, port: portNumber, host, basePath, isLoopback };
    expect(parseEndpointUrl(url)).toEqual(address);
    expect(resolveEndpoint({ endpoint: url })).toEqual({ ...address, signingRegion: "us-east-1" });
    expect(resolveEndpoint({ endpoint: url, region: "cn-north-1" }).signingRegion).toBe("cn-north-1");
    expect(new URL(url).host).toBe(host);
  });

  test.each([
    "",
    "localhost",
    "localhost:4566",
    "//localhost:4566",
    "ftp://localhost",
    "http+lambda://orders",
    "http:localhost",
    "http:/localhost",
    "http:///localhost",
    "http:\\\\localhost",
    "http://",
    "http://a b",
    " http://localhost",
    "http://localhost\n",
    "http://local\thost",
    "http://localhost:99999",
    "http://[::1",
    "http://localhost?",
    "http://localhost/?a=b",
    "http://localhost/#",
    "http://localhost/#fragment",
    "http://user@localhost",
    "http://:password@localhost",
    "http://user:password@localhost",
  ])("%j is refused", (url) => {
    expect(() => parseEndpointUrl(url)).toThrow(ConfigurationError);
    expect(() => resolveEndpoint({ endpoint: url, region: "us-east-1" })).toThrow(ConfigurationError);
  });

  test("no message holds a password or a query", () => {
    const urls = [
      "http://user:hunter2@localhost",
      "http://user:hun/hunter2@localhost",
      "http://user:p#hunter2@localhost",
      "http://user:p?hunter2@localhost",
      "http://user:a@hunter2@localhost",
      "http://user:a\nhunter2@localhost",
      "user:hunter2@localhost:4566",
      "ftp://user:hunter2@localhost",
      "http://hunter2@local host",
      "http://localhost/?token=hunter2",
      "http://localhost/#hunter2",
    ];
    for (const url of urls)
      expect(
        messageOf(() => parseEndpointUrl(url)),
        url,
      ).not.toContain("hunter2");
    expect(messageOf(() => parseEndpointUrl("http://user:hunter2@localhost"))).toContain('"http://localhost"');
  });

  test("FIPS and dual-stack contradict it, as in AWS's SDK", () => {
    const endpoint = "https://vpce-1.lambda.us-east-1.vpce.amazonaws.com";
    expect(() => resolveEndpoint({ endpoint, useFipsEndpoint: true })).toThrow(/FIPS/);
    expect(() => resolveEndpoint({ endpoint, region: "fips-us-east-1" })).toThrow(/FIPS/);
    expect(() => resolveEndpoint({ endpoint, region: "us-east-1", useDualstackEndpoint: true })).toThrow(/dual-stack/);
    const { endpointProvider } = new LambdaClient({ region: "us-east-1" }).config;
    expect(() => endpointProvider({ Endpoint: endpoint, Region: "us-east-1", UseFIPS: true })).toThrow(/FIPS/);
    expect(() => endpointProvider({ Endpoint: endpoint, Region: "us-east-1", UseDualStack: true })).toThrow(
      /Dualstack/,
    );
  });
});

function messageOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  throw new Error("it did not throw");
}
