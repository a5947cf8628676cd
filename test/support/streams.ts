/** What tests of streaming functions share. */
import type { Writable } from "node:stream";

/** The part of Lambda's global `awslambda` that handlers use; importing the emulator defines it. */
export interface AwsLambda {
  streamifyResponse<Event>(
    handler: (event: Event, stream: Writable, context: unknown) => unknown,
  ): (event: Event, context: unknown) => unknown;
  readonly HttpResponseStream: {
    from(stream: Writable, prelude: object): Writable;
  };
}

/** Something to wait for. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}
