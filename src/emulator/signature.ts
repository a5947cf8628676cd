/** Who may call: nobody's web page, and else everybody whose request has the form of one signed by Signature Version 4. */

import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";
import { ApiError } from "./api-error.ts";

/** What a caller signed with. */
export interface Signer {
  readonly region: string;
}

const FORM =
  /^AWS4-HMAC-SHA256 Credential=([^/,\s]+)\/(\d{8})\/([^/,\s]+)\/([^/,\s]+)\/aws4_request, ?SignedHeaders=([^,\s]+), ?Signature=([0-9a-f]{64})$/;

/**
 * An emulator knows no secret, so any key will do, and the signature itself is taken as it is. So is its date, of which
 * AWS wants that it is within five minutes: callers under test have clocks of their own.
 *
 * @throws {ApiError} as AWS refuses it.
 */
export function checkSignature(headers: IncomingHttpHeaders): Signer {
  const { authorization = "" } = headers;
  if (authorization === "") {
    throw new ApiError(403, "MissingAuthenticationTokenException", { message: "Missing Authentication Token" });
  }
  const parts = FORM.exec(authorization);
  if (parts === null) throw incomplete("Authorization header requires Credential, SignedHeaders and Signature.");
  const [, , date = "", region = "", service, signedHeaders = ""] = parts;
  const amzDate = headers["x-amz-date"];
  if (typeof amzDate !== "string" || !/^\d{8}T\d{6}Z$/.test(amzDate)) {
    throw incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
  }
  if (service !== "lambda") {
    throw new ApiError(403, "InvalidSignatureException", {
      message: `Credential should be scoped to correct service: 'lambda'.`,
    });
  }
  if (amzDate.slice(0, 8) !== date) {
    throw new ApiError(403, "InvalidSignatureException", {
      message: `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${date}' != '${amzDate.slice(0, 8)}'.`,
    });
  }
  const names = signedHeaders.split(";");
  if (!names.includes("host") || !names.includes("x-amz-date")) {
    throw incomplete("'Host' and 'X-Amz-Date' must be 'SignedHeaders' in the AWS Authorization header.");
  }
  return { region };
}

function incomplete(message: string): ApiError {
  return new ApiError(403, "IncompleteSignatureException", { message });
}

/** From where calls are taken besides this machine's own programs. */
export interface Admission {
  /**
   * Origins of browser pages that may call, `http://localhost:5173`.
   * @default none
   */
  readonly allowedOrigins?: readonly string[] | undefined;
  /**
   * Host names by which the emulator may be called besides `localhost` and loopback addresses, without the port:
   * `host.docker.internal`.
   * @default none
   */
  readonly allowedHosts?: readonly string[] | undefined;
  /**
   * What the server listens on. Where that is not loopback, any address is let in: it is by a name that a page would have the
   * browser come here.
   * @default loopback
   */
  readonly host?: string | undefined;
}

const HOST = /^(\[[\da-f:.]+\]|[^:[\]]+)(?::\d+)?$/i;
const LOOPBACK = /^(?:(?:[\w.-]+\.)?localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

function isLoopback(host: string): boolean {
  return LOOPBACK.test(host) || host === "::1";
}

/**
 * Anybody's page can make a browser send a request to loopback, and a name of anybody's can be made to lead there
 * (DNS rebinding). Neither must run functions.
 *
 * @returns the headers with which a page that may call can read the answer.
 * @throws {ApiError} for a page that may not call, and for a name that is not this machine's.
 */
export function admit(headers: IncomingHttpHeaders, admission: Admission): Record<string, string> {
  const { allowedOrigins = [], allowedHosts = [], host: own = "127.0.0.1" } = admission;
  const host = HOST.exec(headers.host ?? "")?.[1]?.toLowerCase() ?? "";
  const isAddress = !isLoopback(own) && isIP(host.replace(/^\[|\]$/g, "")) !== 0;
  const isNamed = [own, ...allowedHosts].some((allowed) => allowed.toLowerCase() === host);
  if (!isLoopback(host) && !isAddress && !isNamed) {
    throw forbidden(
      `The emulator is not called by the name ${JSON.stringify(host)}: a page on the web may have had it lead here. ` +
        "To allow the name, add it to the option allowedHosts.",
    );
  }
  const { origin } = headers;
  if (origin === undefined) {
    if (headers["sec-fetch-site"] !== "cross-site") return {};
    throw forbidden("A page on the web can't invoke functions of the emulator.");
  }
  if (!allowedOrigins.includes(origin)) {
    throw forbidden(
      `A page of ${JSON.stringify(origin)} can't invoke functions of the emulator. ` +
        "To allow it, add the origin to the option allowedOrigins.",
    );
  }
  return { "Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": ANSWER_HEADERS, Vary: "Origin" };
}

/** Not AWS's own AccessDeniedException, for which one would look into policies. */
function forbidden(message: string): ApiError {
  return new ApiError(403, "ForbiddenException", { message });
}

const ANSWER_HEADERS = [
  "Date",
  "Retry-After",
  "X-Amz-Durable-Execution-Arn",
  "X-Amz-Executed-Version",
  "X-Amz-Function-Error",
  "X-Amz-Log-Result",
  "x-amzn-ErrorType",
  "x-amzn-Remapped-Content-Length",
  "x-amzn-RequestId",
  "X-Amzn-Trace-Id",
].join(", ");

/** What a page that may call may send: the answer to a browser that asks before. */
export const PREFLIGHT: Readonly<Record<string, string>> = {
  "Access-Control-Allow-Methods": "POST",
  // A `*` would not stand for Authorization.
  "Access-Control-Allow-Headers": [
    "amz-sdk-invocation-id",
    "amz-sdk-request",
    "Authorization",
    "baggage",
    "Content-Type",
    "traceparent",
    "tracestate",
    "X-Amz-Client-Context",
    "X-Amz-Content-Sha256",
    "X-Amz-Date",
    "X-Amz-Durable-Execution-Name",
    "X-Amz-Invocation-Type",
    "X-Amz-Log-Type",
    "X-Amz-Security-Token",
    "X-Amz-Tenant-Id",
    "X-Amz-User-Agent",
    "x-amzn-RequestId",
    "X-Amzn-Trace-Id",
  ].join(", "),
  "Access-Control-Max-Age": "7200",
};
