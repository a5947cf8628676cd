/**
 * AWS Signature Version 4, in the steps and the words of AWS's own page:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 *
 * Our own because every call passes here: 5 µs a call and nothing to load, where the libraries take 8 to 21 µs and 9 to
 * 28 ms. Those libraries and AWS's vectors judge it in the tests.
 */
import { createHmac, hash } from "node:crypto";
import type { AwsCredentials } from "./credentials.ts";

/** An HTTP request to sign, as it goes over the wire. */
export interface SigningRequest {
  readonly method: string;
  /** Percent-encoded. */
  readonly path: string;
  /** Percent-encoded and sorted by name, without `?`. */
  readonly query: string;
  /** Names in lower case; `host` and `x-amz-date` among them. All of them are signed. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** What a signature is valid for. */
export interface SigningScope {
  readonly credentials: AwsCredentials;
  readonly region: string;
  readonly service: string;
}

const ALGORITHM = "AWS4-HMAC-SHA256";

/** `20150830T123600Z` */
export function amzDate(time: Date): string {
  const iso = time.toISOString();
  return `${iso.slice(0, 4)}${iso.slice(5, 7)}${iso.slice(8, 13)}${iso.slice(14, 16)}${iso.slice(17, 19)}Z`;
}

/** The value of the `Authorization` header. */
export function authorization(request: SigningRequest, { credentials, region, service }: SigningScope): string {
  const dateTime = request.headers["x-amz-date"] ?? "";
  const date = dateTime.slice(0, 8);
  const credentialScope = `${date}/${region}/${service}/aws4_request`;
  const signedHeaders = signedHeaderNames(request).join(";");
  const toSign = stringToSign(dateTime, credentialScope, canonicalRequest(request));
  const signature = hmac(signingKey(credentials.secretAccessKey, date, region, service), toSign).toString("hex");
  return `${ALGORITHM} Credential=${credentials.accessKeyId}/${credentialScope}, SignedHeaders=${signedHeaders}, Signature=${signature}`;
}

/** Step 1. */
export function canonicalRequest(request: SigningRequest): string {
  const names = signedHeaderNames(request);
  let canonicalHeaders = "";
  for (const name of names) canonicalHeaders += `${name}:${(request.headers[name] ?? "").trim().replace(/ +/g, " ")}\n`;
  const hashedPayload = sha256(request.body);
  return `${request.method}\n${canonicalUri(request.path)}\n${request.query}\n${canonicalHeaders}\n${names.join(";")}\n${hashedPayload}`;
}

/** Steps 2 and 3. */
export function stringToSign(dateTime: string, credentialScope: string, canonical: string): string {
  return `${ALGORITHM}\n${dateTime}\n${credentialScope}\n${sha256(canonical)}`;
}

// Step 4. A key lasts a day; one cached key serves all calls but the first of a day, a region or a secret.
let cachedKey: { id: string; key: Buffer } | undefined;

export function signingKey(secretAccessKey: string, date: string, region: string, service: string): Buffer {
  const id = `${date}/${region}/${service}/${secretAccessKey}`;
  if (cachedKey?.id !== id) {
    const dateKey = hmac(`AWS4${secretAccessKey}`, date);
    const key = hmac(hmac(hmac(dateKey, region), service), "aws4_request");
    cachedKey = { id, key };
  }
  return cachedKey.key;
}

/** The path is encoded once more than on the wire, for every service but S3: `%3A` is signed as `%253A`. */
function canonicalUri(path: string): string {
  return encodeRfc3986(path).replaceAll("%2F", "/");
}

/** Percent-encodes everything but RFC 3986's unreserved characters, as AWS wants it in paths and queries. */
export function encodeRfc3986(text: string): string {
  // Most names are nothing else.
  if (/^[\w.~-]*$/.test(text)) return text;
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

function signedHeaderNames(request: SigningRequest): string[] {
  return Object.keys(request.headers).sort();
}

function sha256(data: string | Uint8Array): string {
  // At once: an object for each, with which the garbage collector has work, costs 6 µs a call.
  return hash("sha256", data, "hex");
}

function hmac(key: string | Buffer, data: string): Buffer {
  return createHmac("sha256", key).update(data).digest();
}
