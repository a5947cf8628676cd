/** One command on its way through a client of AWS's SDK: it is let out once, and seen at the wire. */
import { ConfigurationError } from "../errors.ts";
import type { NetworkError, WireResponse } from "./http.ts";
import { type Invocation, isStreamed } from "./invoker.ts";
import type { Body } from "./open-body.ts";
import { lostConnection } from "./sdk-error.ts";

/** One command on its way through the client, and what is seen of it at the wire. */
export interface Passage {
  readonly invocation: Invocation;
  /** Has the client begun with it? A mock, which stands in for `send`, never does. */
  begun: boolean;
  request?: { readonly protocol: string; readonly hostname: string; readonly port?: number };
  response?: WireResponse;
  /** Of an answer that streams. */
  body?: Body;
  lost?: NetworkError;
}

type Next = (args: { readonly request: unknown }) => Promise<{ readonly response: unknown }>;

/** A command's middleware, which the SDK types by command and step. */
interface Stack {
  add(middleware: (next: Next) => Next, where: object): void;
  addRelativeTo(middleware: (next: Next) => Next, where: object): void;
}

/** Lets a command out once, and sees what is sent and what comes back. */
export function watch(command: { readonly middlewareStack: object }, invocation: Invocation): Passage {
  const passage: Passage = { invocation, begun: false };
  const stack = command.middlewareStack as Stack;
  const retries = { toMiddleware: "retryMiddleware" };
  let failure: unknown;
  let exchanged: ReturnType<Next> | undefined;

  // The retries get an error that they don't repeat, and don't wait for either; everybody else, the SDK's own.
  const hideFailure = (next: Next): Next => {
    return (args) =>
      next(args).catch((error: unknown) => {
        failure = error;
        throw new Error("lambda-requests decides what is sent again");
      });
  };
  const showFailure = (next: Next): Next => {
    passage.begun = true;
    if (invocation.progress !== undefined) invocation.progress.sent = false;
    return (args) =>
      next(args).catch((error: unknown) => {
        throw failure ?? error;
      });
  };
  // The last one before the wire: whoever passes again gets what came of the first time.
  const sendOnce = (next: Next): Next => {
    return (args) => {
      exchanged ??= exchange(passage, args, next);
      return exchanged;
    };
  };
  stack.addRelativeTo(showFailure, { ...retries, name: "lambdaRequestsShowFailure", relation: "before" });
  stack.addRelativeTo(hideFailure, { ...retries, name: "lambdaRequestsHideFailure", relation: "after" });
  stack.add(sendOnce, { name: "lambdaRequestsSendOnce", step: "deserialize", priority: "low" });
  return passage;
}

type Headers = Readonly<Record<string, string | undefined>>;

/**
 * An SDK that does not know a field leaves it out. Without its name, a durable execution would not be safe to repeat; without
 * its tenant, a call would be another one.
 */
function checkSent({ tenantId, durableExecutionName, request, target }: Invocation, headers: Headers): void {
  for (const [what, value] of [
    ["x-amz-durable-execution-name", durableExecutionName],
    ["x-amz-tenant-id", tenantId],
  ] as const) {
    if (value === undefined || headers[what] === value) continue;
    const message = `this version of @aws-sdk/client-lambda, or its middleware, leaves out ${what}; update it. Nothing was sent`;
    throw new ConfigurationError(message, { request, target });
  }
}

async function exchange(passage: Passage, args: Parameters<Next>[0], send: Next): Promise<Awaited<ReturnType<Next>>> {
  const { invocation } = passage;
  checkSent(invocation, (args.request as { readonly headers?: Headers }).headers ?? {});
  passage.request = args.request as NonNullable<Passage["request"]>;
  if (invocation.progress !== undefined) invocation.progress.sent = true;
  try {
    const result = await send(args);
    const response = result.response as { statusCode: number; headers: Record<string, string>; body?: unknown };
    const { statusCode: status, headers } = response;
    if (isStreamed(invocation) && status < 300) {
      // Not for the client to read: it waits for the first event, takes any end for a good one, and leaves the
      // connection open when nobody wants the rest.
      passage.body = response.body as Body;
      // It may be lost before anybody reads.
      passage.body.on?.("error", () => undefined);
      response.body = nothing();
      passage.response = { status, headers, body: Buffer.alloc(0) };
    } else {
      const body = await readBody(response.body);
      // A view: the client makes something else of the object that it gets.
      response.body = new Uint8Array(body.buffer, body.byteOffset, body.length);
      passage.response = { status, headers, body };
    }
    return result;
  } catch (error) {
    passage.lost = lostConnection(error as NodeJS.ErrnoException);
    throw error;
  }
}

async function* nothing(): AsyncGenerator<Uint8Array, void, undefined> {}

async function readBody(body: unknown): Promise<Buffer> {
  const isStream = typeof body === "object" && body !== null && Symbol.asyncIterator in body;
  const pieces: Uint8Array[] = [];
  for await (const piece of isStream ? (body as AsyncIterable<Uint8Array | string>) : [body as Uint8Array | string]) {
    pieces.push(typeof piece === "string" ? Buffer.from(piece) : (piece ?? new Uint8Array()));
  }
  return Buffer.concat(pieces);
}
