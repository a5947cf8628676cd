/** A response whose body is still on its way: what is known of its invocation grows until the last byte is here. */
import type { AnswerParts } from "./answer.ts";
import { checkSize, decodeStream } from "./content-encoding.ts";
import type { LastingSignal } from "./deadline.ts";
import { FunctionError, InvokeError, sentences } from "./errors.ts";
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
// How long a body that nobody is to read may take, before its connection is worth less than a new one.
const PATIENCE_MS = 1_000;

/** A response whose body is on its way, by the name that a dump of it shows. */
class StreamedResponse extends LambdaResponse {}

/** The response that has begun. Its body errors where the function, or what lies between, breaks off. */
export function toStreamedResponse(
  { status, headers, body }: StreamedParts,
  method: string,
  facts: ResponseFacts,
  { open, lasting, maxResponseSize }: Ending & { readonly maxResponseSize: number },
): LambdaResponse {
  const init = responseInit(status, headers);
  const received = receive(body, { open, lasting }, failedMidway);
  const isUnseen = hasNoBody(method, status);
  const response = new StreamedResponse(isUnseen ? null : streamOf(decoded(), received, lasting), init, facts);
  if (isUnseen) void received.readRest();
  // Weakly, for what is received must not hold a response that nobody else does.
  const held = new WeakRef(response);
  receptions.set(response, received);
  return response;

  async function* decoded(): AsyncGenerator<Uint8Array, void, undefined> {
    const encoding = init.headers.get("content-encoding");
    const isTransferable = body.transferable === true && encoding === null;
    let size = 0;
    try {
      for await (const piece of encoding === null
        ? received.pieces
        : decodeStream(received.pieces, encoding, { bytes: maxResponseSize, signal: lasting.signal })) {
        size += piece.length;
        checkSize(size, maxResponseSize);
        // Whoever takes the memory of a piece over, as a transfer does, must not take its neighbours'.
        const isAlone = isTransferable && piece.length === piece.buffer.byteLength;
        yield isAlone ? piece : new Uint8Array(piece);
      }
      if (encoding === null) checkWhole(size);
      // A coding may end before its stream does.
      else void received.readRest();
    } catch (error) {
      throw readingError(error, facts);
    }
  }

  /** A function may be cut off in its own process, by a framework that ends its stream in good order. */
  function checkWhole(size: number): void {
    const said = init.headers.get("content-length");
    if (said === null || !/^\d+$/.test(said) || size >= Number(said)) return;
    throw new InvokeError(`the function said content-length: ${said}, but its body ended after ${size} bytes`, {
      ...{ code: "ERR_INCOMPLETE_STREAM", outcome: "completed", request: facts.request, target: facts.target },
    });
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

/** Responses by what is received of them. */
const receptions = new WeakMap<Response, Received>();

/** Nobody may ever read its body: where that streams and is not over, it has a connection to be let go. */
export function letGo(response: Response): void {
  if (receptions.get(response)?.isOver() === false) void response.body?.cancel().catch(() => undefined);
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
  readonly pieces: AsyncIterable<Uint8Array>;
  /** Reads on for the end, which has the log, though nobody is to see what comes before it; not for long. */
  readRest(): Promise<void>;
  /** Nobody waits for the rest: the connection is closed, whatever it is waiting for. */
  giveUp(reason: unknown): void;
  /** Is there nothing more to come? */
  isOver(): boolean;
}

function receive(
  body: PayloadStream,
  { open, lasting }: Ending,
  failedMidway: (end: FailedEnd, size: number) => FunctionError,
): Received {
  const iterator = body[Symbol.asyncIterator]();
  let size = 0;
  let isOver = false;

  async function next(): Promise<IteratorResult<Uint8Array, undefined>> {
    while (!isOver) {
      const { done, value } = await iterator.next().catch((error: unknown) => {
        isOver = true;
        open.fail(error);
        throw error;
      });
      lasting.signal.throwIfAborted();
      if (done) endWith(value || {});
      else {
        size += value.length;
        // A stream of the web's takes no piece to be empty.
        if (value.length > 0) return { done: false, value };
      }
    }
    return { done: true, value: undefined };
  }

  /** @throws {FunctionError} of a function that failed after its response had begun. */
  function endWith(end: InvocationEnd): void {
    isOver = true;
    const { functionError } = end;
    const error = functionError === undefined ? undefined : failedMidway({ ...end, functionError }, size);
    open.end(end, error);
    if (error !== undefined) throw error;
  }

  function stop(reason: unknown): void {
    if (isOver) return;
    isOver = true;
    void Promise.resolve(iterator.return?.()).catch(() => undefined);
    open.fail(reason);
  }

  function giveUp(reason: unknown): void {
    // Ends a decoder; and an invoker of a user's own may hear of this sooner than of the iterator's end.
    lasting.abort(reason);
    stop(reason);
    lasting.end();
  }

  async function readRest(): Promise<void> {
    const before = size;
    const late = setTimeout(() => stop(unread()), PATIENCE_MS).unref();
    try {
      while (!(await next()).done) if (size - before > READ_AHEAD) stop(unread());
    } catch {
      // `invocation.completed` says it to those who ask.
    }
    clearTimeout(late);
    lasting.end();
  }

  return { pieces: { [Symbol.asyncIterator]: () => ({ next }) }, readRest, giveUp, isOver: () => isOver };
}

/** As the platform does with those of its own, a body that nobody holds any more is given up. */
const forgotten = new FinalizationRegistry<Received["giveUp"]>((giveUp) => giveUp(unread()));

function streamOf(
  source: AsyncGenerator<Uint8Array, void, undefined>,
  { giveUp }: Received,
  { signal, end }: LastingSignal,
): ReadableStream<Uint8Array> {
  const next = readAhead(source, READ_AHEAD, end);
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
          const { done, value } = await next();
          if (!done) return controller.enqueue(value);
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

function unread(): DOMException {
  return new DOMException("the body was not read to its end", "AbortError");
}
