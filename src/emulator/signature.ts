/** The form of a Signature Version 4. An emulator knows no secret, so the signature itself is taken as it is. */
import type { IncomingHttpHeaders } from "node:http";
import { ApiError } from "./api-error.ts";

/** What a caller signed with. */
export interface Signer {
  readonly region: string;
}

const FORM =
  /^AWS4-HMAC-SHA256 Credential=([^/,\s]+)\/(\d{8})\/([^/,\s]+)\/([^/,\s]+)\/aws4_request, ?SignedHeaders=([^,\s]+), ?Signature=([0-9a-f]{64})$/;

/** @throws {ApiError} as AWS refuses it. */
export function checkSignature(headers: IncomingHttpHeaders): Signer {
  const { authorization } = headers;
  if (authorization === undefined) {
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
