/** Requests that no invocation answers: those of the web, and those that a mounted `fetch` takes. */
import { abortable } from "./invoke/abortable.ts";
import type { HopRequest } from "./redirects.ts";
import type { BodyInput, LambdaRequestInit } from "./request.ts";

/**
 * Sends one request by a `fetch`, which knows none of our options and follows no redirect.
 *
 * @param signal Ends the body as well, which is read after this.
 */
export function sendByFetch(
  fetch: typeof globalThis.fetch,
  href: string,
  { method, headers, body }: HopRequest<BodyInput>,
  { lambda: _ours, ...init }: LambdaRequestInit,
  signal: AbortSignal | undefined,
): Promise<Response> {
  const standard = {
    ...init,
    ...{ method, headers: [...headers], body, redirect: "manual" },
    // The platform wants to be told that a stream is sent.
    ...(isStream(body) && { duplex: "half" }),
    ...(signal !== undefined && { signal }),
  };
  return abortable(Promise.resolve(fetch(href, standard as unknown as RequestInit)).catch(withoutData), signal);
}

/** What the platform's parser stumbled over may repeat what was sent, and would be printed with the error. */
function withoutData(error: unknown): never {
  const { cause } = Object(error) as { cause?: unknown };
  if (cause instanceof Error && "data" in cause) delete cause.data;
  throw error;
}

/** Can it be sent once only? */
export function isStream(body: BodyInput | null): boolean {
  return body !== null && typeof body === "object" && Symbol.asyncIterator in body;
}
