/** The `statusCode` of a result. */
import { InvalidResultError } from "./format.ts";
import { show } from "./show.ts";

/** A number, or one in a string, of which a `Response` can be made. None: 200. */
export function decodeStatus(statusCode: unknown): number {
  if (statusCode === undefined || statusCode === null) return 200;
  const status = typeof statusCode === "string" && /^\d+$/.test(statusCode) ? Number(statusCode) : statusCode;
  if (typeof status === "number" && Number.isInteger(status) && status >= 200 && status <= 599) return status;
  throw new InvalidResultError(`statusCode is ${show(statusCode)}, not a whole number from 200 to 599`);
}
