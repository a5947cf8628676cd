/** A response whose body is still on its way: what is known of its invocation grows until the last byte is here. */
import type { AnswerParts } from "./answer.ts";
import { checkSize, decodeStream } from "./content-encoding.ts";
import type { LastingSignal } from "./deadline.ts";
import { FunctionError, sentences } from "./errors.ts";
import type { OpenInvocation } from "./invocation-info.ts";
import { listenForAbort } from "./invoke/abortable.ts";
import { endFailure, failureAdvice, readFunctionFailure } from "./invoke/function-failure.ts";
import type { InvocationEnd, PayloadStream } from "./invoke/invoker.ts";
import { readAhead } from "./read-ahead.ts";
import { hasNoBody, LambdaResponse, type ResponseFacts, readingError, responseInit } from "./response.ts";

/** The parts of a response whose body is on its way. */
export interface StreamedParts extends Omit<AnswerParts, "body"> {
  readonly body: PayloadStream;
}

/** What the way of the body needs besides the body. */
interface Ending {
  /** Where it is noted that, and how, the invocation has ended. */
  readonly open: OpenInvocation;
  /** Ends what is still being received. */
  readonly lasting: LastingSignal;
}

/** An invocation that failed after its response had begun. */
type FailedEnd = InvocationEnd & { readonly functionError: string };

// Bytes to read ahead, so that a short body is over, and its connection free, even if nobody does.
const READ_AHEAD = 64 * 1024;

/** So that it can be told from one whose bytes are all here. */
export class StreamedResponse extends LambdaResponse {}

/** The response that has begun. Its body errors where the function, or what lies between, breaks off. */
export function toStreamedResponse(
  { status, headers, body }: StreamedParts,
  method: string,
  facts: ResponseFacts,
  { open, lasting, maxResponseSize }: Ending & { readonly maxResponseSize: number },
): StreamedResponse {
  const init = responseInit(status, headers);
  const received = receive(body, { open, lasting }, failedMidway);
  const isUnseen = hasNoBody(method, status);
  const response = new StreamedResponse(isUnseen ? null : streamOf(decoded(), received.giveUp, lasting), init, facts);
  if (isUnseen) void readUnseen(received);
  // Weakly, for what is received must not hold a response that nobody else does.
  const held = new WeakRef(response);
  return response;

  async function* decoded(): AsyncGenerator<Uint8Array, void, undefined> {
    const encoding = init.headers.get("content-encoding");
    let size = 0;
    try {
      for await (const piece of encoding === null ? received.pieces : decodeStream(received.pieces, encoding)) {
        size += piece.length;
        checkSize(size, maxResponseSize);
        yield piece;
      }
    } catch (error) {
      throw readingError(error, facts);
    }
  }

  function failedMidway({ functionError, errorDetails = "", logs }: FailedEnd, size: number): FunctionError {
    const failure = readFunctionFailure(endFailure(functionError, Buffer.from(errorDetails)), logs);
    const had = `It had answered with ${size} bytes of its body by then`;
    const advice = failureAdvice(failure.kind);
    return new FunctionError(failure, {
      response: held.deref() ?? new StreamedResponse(null, init, facts),
      ...(logs !== undefined && { logs }),
      advice: advice === undefined ? had : sentences(had, advice),
      ...(facts.target !== undefined && { target: facts.target }),
      request: facts.request,
    });
  }
}

/** Nobody will read its body: where that streams, it has a connection. */
export function letGo(response: Response): void {
  if (response instanceof StreamedResponse) void response.body?.cancel().catch(() => undefined);
}

/** A response that nobody is given, because of what failed behind it. */
export function orLetGo<Result>(work: Promise<Result>, response: Response): Promise<Result> {
  return work.catch((error: unknown) => {
    letGo(response);
    throw error;
  });
}

/** A body as the function sends it. */
interface Received {
  readonly pieces: AsyncGenerator<Uint8Array, void, undefined>;
  /** Nobody waits for the rest: the connection is closed, whatever it is waiting for. */
  giveUp(reason: unknown): void;
}

function receive(
  body: PayloadStream,
  { open, lasting }: Ending,
  failedMidway: (end: FailedEnd, size: number) => FunctionError,
): Received {
  const iterator = body[Symbol.asyncIterator]();
  let isOver = false;

  async function* pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    let size = 0;
    for (;;) {
      const next = await iterator.next().catch((error: unknown) => {
        over(error);
        throw error;
      });
      lasting.signal.throwIfAborted();
      if (next.done) {
        const end = next.value ?? {};
        const { functionError } = end;
        const error = functionError === undefined ? undefined : failedMidway({ ...end, functionError }, size);
        isOver = true;
        open.end(end, error);
        lasting.end();
        if (error !== undefined) throw error;
        return;
      }
      size += next.value.length;
      // A stream of the web's takes no piece to be empty.
      if (next.value.length > 0) yield next.value;
    }
  }

  function over(reason: unknown): void {
    isOver = true;
    open.fail(reason);
    lasting.end();
  }

  function giveUp(reason: unknown): void {
    if (isOver) return;
    // The one ends a wait for the next piece, the other what only stops between two.
    lasting.abort(reason);
    void Promise.resolve(iterator.return?.()).catch(() => undefined);
    over(reason);
  }

  return { pieces: pieces(), giveUp };
}

/** As the platform does with those of its own, a body that nobody holds any more is given up. */
const forgotten = new FinalizationRegistry<Received["giveUp"]>((giveUp) => giveUp(unread()));

function streamOf(
  source: AsyncGenerator<Uint8Array, void, undefined>,
  giveUp: Received["giveUp"],
  { signal }: LastingSignal,
): ReadableStream<Uint8Array> {
  const next = readAhead(source, READ_AHEAD);
  let forget = (): void => undefined;
  const finish = (): void => {
    forget();
    forgotten.unregister(next);
  };
  const stream = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        // Weakly, or a signal that lives on would hold every stream that nobody has read.
        const held = new WeakRef(controller);
        forget = listenForAbort(signal, () => {
          held.deref()?.error(signal.reason);
          giveUp(signal.reason);
        });
      },
      async pull(controller) {
        try {
          const piece = await next();
          if (piece !== undefined) return controller.enqueue(piece);
          finish();
          controller.close();
        } catch (error) {
          finish();
          controller.error(error);
          giveUp(error);
        }
      },
      cancel(reason) {
        finish();
        giveUp(reason ?? unread());
      },
    },
    { highWaterMark: 0 },
  );
  forgotten.register(stream, giveUp, next);
  return stream;
}

/** Of a body that nobody is to see (HEAD), what may stand before its end, which has the log. */
async function readUnseen({ pieces, giveUp }: Received): Promise<void> {
  let size = 0;
  try {
    for await (const piece of pieces) {
      size += piece.length;
      if (size > READ_AHEAD) return giveUp(unread());
    }
  } catch {
    // `invocation.completed` says it to those who ask.
  }
}

function unread(): DOMException {
  return new DOMException("the body was not read to its end", "AbortError");
}
