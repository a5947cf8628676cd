/** What AWS puts into every event by itself: ids, times, the caller's address. Here it is made up, in AWS's formats. */
import { randomUUID } from "node:crypto";
import { perSecond } from "./per-second.ts";

/** The address that a function sees as the caller's. */
export const SOURCE_IP = "127.0.0.1";
// `$default` is the one stage that no framework cuts off the path or puts in front of it.
export const STAGE = "$default";

/** `10/Jul/2026:19:19:04 +0000`, of milliseconds since 1970. */
export const requestTime: (milliseconds: number) => string = perSecond((time) => {
  // `Fri, 10 Jul 2026 19:19:04 GMT`
  const [, day, month, year, clock] = time.toUTCString().split(" ");
  return `${day}/${month}/${year}:${clock} +0000`;
});

/** `Root=1-<8 hex digits: seconds>-<24 hex digits>`, of milliseconds since 1970. */
export function traceId(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000)
    .toString(16)
    .padStart(8, "0");
  const id = randomUUID();
  // Without the digits that are the same in all of them.
  return `Root=1-${seconds}-${id.slice(0, 8)}${id.slice(9, 13)}${id.slice(24)}`;
}

/** API Gateway's own request id, `ATfSdF7nPHcErRA=`: 11 bytes in base64, of which hex digits are a part. */
export function extendedRequestId(): string {
  const id = randomUUID();
  return `${id.slice(24)}${id.slice(0, 2)}A=`;
}

/** The addresses that a request came by: those that the caller names, and the caller's own. */
export function forwardedFor(before: string | undefined): string {
  return before === undefined ? SOURCE_IP : `${before}, ${SOURCE_IP}`;
}

/** The id of an API, or of a Function URL: the first label of its host. */
export function firstLabel(host: string): string {
  return host.split(/[.:]/, 1)[0] ?? host;
}
