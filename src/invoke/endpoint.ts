/**
 * Where Lambda is: the host of a region, or the endpoint that the caller names.
 *
 * The hosts are those of AWS's own rules for Lambda, which its SDKs share:
 * https://docs.aws.amazon.com/general/latest/gr/lambda-service.html
 */
import { ConfigurationError } from "../errors.ts";

/** The parts of an endpoint's URL, as a client of Node needs them. */
export interface EndpointAddress {
  readonly protocol: "https:" | "http:";
  /** An IPv6 address has no brackets here. */
  readonly hostname: string;
  readonly port: number;
  /** The `Host` header: with the port only if it is not the scheme's own, and with an IPv6 address's brackets. */
  readonly host: string;
  /** The prefix of every path, without a slash at its end; usually empty. */
  readonly basePath: string;
  /** Whether it is on this machine. */
  readonly isLoopback: boolean;
}

/** Where calls go, and for which region they are signed. */
export interface Endpoint extends EndpointAddress {
  readonly signingRegion: string;
}

interface Partition {
  readonly regions: RegExp;
  readonly suffix: string;
  readonly dualstackSuffix: string;
}

// aws-us-gov has the same names as aws. A region that nobody knows yet is taken for one of aws, as the SDKs do.
const AWS = { suffix: "amazonaws.com", dualstackSuffix: "api.aws" };
const PARTITIONS: readonly Partition[] = [
  {
    regions: /^(?:cn-\w+-\d+|aws-cn-global)$/,
    suffix: "amazonaws.com.cn",
    dualstackSuffix: "api.amazonwebservices.com.cn",
  },
  { regions: /^eusc-de-\w+-\d+$/, suffix: "amazonaws.eu", dualstackSuffix: "api.amazonwebservices.eu" },
  { regions: /^(?:us-iso-\w+-\d+|aws-iso-global)$/, suffix: "c2s.ic.gov", dualstackSuffix: "api.aws.ic.gov" },
  { regions: /^(?:us-isob-\w+-\d+|aws-iso-b-global)$/, suffix: "sc2s.sgov.gov", dualstackSuffix: "api.aws.scloud" },
  {
    regions: /^(?:eu-isoe-\w+-\d+|aws-iso-e-global)$/,
    suffix: "cloud.adc-e.uk",
    dualstackSuffix: "api.cloud-aws.adc-e.uk",
  },
  {
    regions: /^(?:us-isof-\w+-\d+|aws-iso-f-global)$/,
    suffix: "csp.hci.ic.gov",
    dualstackSuffix: "api.aws.hci.ic.gov",
  },
];

// The region becomes a part of the host, so it must not hold anything that could lead elsewhere.
const HOST_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
// An old way to ask for FIPS: `fips-us-east-1`, `us-east-1-fips`.
const FIPS_REGION = /^fips-|-fips$/;

/**
 * Finds out where calls go.
 *
 * @throws {ConfigurationError} when there is neither a region nor an endpoint, or they can't be, or contradict.
 */
export function resolveEndpoint(settings: {
  region?: string;
  endpoint?: string;
  useFipsEndpoint?: boolean;
  useDualstackEndpoint?: boolean;
}): Endpoint {
  const { endpoint, useDualstackEndpoint = false } = settings;
  if (settings.region === undefined && endpoint === undefined) throw new ConfigurationError("there is no region");
  // Emulators don't look at the region, but a signature has to name one.
  const region = settings.region?.replace(FIPS_REGION, "") ?? "us-east-1";
  const fips = settings.useFipsEndpoint === true || FIPS_REGION.test(settings.region ?? "");
  if (!HOST_LABEL.test(region)) {
    throw new ConfigurationError(
      `${quote(region)} is no region: it holds lower case letters, digits and -, as in us-east-1`,
    );
  }

  if (endpoint !== undefined) {
    const address = parseEndpointUrl(endpoint);
    if (fips || useDualstackEndpoint) {
      throw new ConfigurationError(
        `the endpoint ${address.host} is given, so ${fips ? "FIPS" : "dual-stack"} can't be asked for as well`,
      );
    }
    return { ...address, signingRegion: region };
  }
  const partition = PARTITIONS.find(({ regions }) => regions.test(region)) ?? AWS;
  const suffix = useDualstackEndpoint ? partition.dualstackSuffix : partition.suffix;
  const host = `${fips ? "lambda-fips" : "lambda"}.${region}.${suffix}`;
  return { ...parseEndpointUrl(`https://${host}`), signingRegion: region };
}

/**
 * Takes an endpoint's URL apart.
 *
 * @throws {ConfigurationError} when it is no plain `http:` or `https:` URL.
 */
export function parseEndpointUrl(url: string): EndpointAddress {
  // WHATWG's parser reads "http:host" and "http:\\host" as well, and drops tabs and newlines.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (!/^https?:\/\/[^/\\]/i.test(url) || /[\u0000-\u0020\u007f]/.test(url) || !URL.canParse(url)) {
    throw new ConfigurationError(
      `the endpoint ${quote(url)} is no URL such as https://example.com or http://host:3001`,
    );
  }
  const { protocol, hostname, port, host, pathname, username, password } = new URL(url);
  if (username !== "" || password !== "") {
    throw new ConfigurationError(`the endpoint ${quote(url)} can't hold a user or a password`);
  }
  if (/[?#]/.test(url)) throw new ConfigurationError(`the endpoint ${quote(url)} can't hold a query or a fragment`);
  return {
    protocol: protocol === "https:" ? "https:" : "http:",
    hostname: hostname.replace(/^\[|\]$/g, ""),
    port: port === "" ? (protocol === "https:" ? 443 : 80) : Number(port),
    host,
    basePath: pathname.replace(/\/+$/, ""),
    isLoopback: /^(?:(?:.+\.)?localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname),
  };
}

/** For messages: short, with control characters visible, without user, password and query. */
function quote(text: string): string {
  const safe = text.replace(/^([a-z]+:\/\/)?.*@/is, "$1").replace(/[?#].*$/s, "");
  return JSON.stringify(safe.length > 200 ? `${safe.slice(0, 200)}…` : safe);
}
