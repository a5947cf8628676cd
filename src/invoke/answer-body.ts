/** The body of an answer that is taken apart as it comes, and comes no faster than it is asked for. */
import { createArrivals } from "./arrivals.ts";
import type { Connection } from "./connection.ts";
import { type OpenBody, RELEASE_MS } from "./open-body.ts";

/** Makes what a body consists of out of its bytes; their memory is another's when `read` returns. */
export type MakeDecoder<Part> = (give: (part: Part) => void) => Decoder;

interface Decoder {
  read(bytes: Uint8Array): void;
  /** There are no more. */
  end(): void;
}

export interface AnswerBody<Part> extends OpenBody<Part> {
  /** More of it has come. */
  read(bytes: Uint8Array): void;
  /** All of it has come. */
  end(): void;
  /** The connection was lost. What has come before is given before the error. */
  lose(reason: unknown): void;
  /** Nobody is to have it: the error is given at once. */
  abort(reason: unknown): void;
}

// A few reads of the socket, which would be stopped and started for each else.
const MAX_UNREAD = 256 * 1024;

/** @param onClose Called when nothing more is to be had of it. */
export function createAnswerBody<Part>(
  connection: Connection,
  makeDecoder: MakeDecoder<Part>,
  onClose: () => void,
): AnswerBody<Part> {
  const arrivals = createArrivals<Part>();
  const decoder = makeDecoder(arrivals.add);
  // Bytes that have come since nothing was left to be taken.
  let unread = 0;
  let isPaused = false;
  let isReleased = false;
  /** Is the connection another call's by now, or closed? */
  let isOver = false;
  let late: NodeJS.Timeout | undefined;

  function closeConnection(): void {
    if (!isOver) connection.destroy();
    isOver = true;
    clearTimeout(late);
    onClose();
  }

  function next(): Promise<IteratorResult<Part, undefined>> {
    const result = arrivals.next();
    if (!arrivals.isEmpty()) return result;
    unread = 0;
    if (isOver) onClose();
    else if (isPaused) connection.resume();
    isPaused = false;
    return result;
  }

  function close(): void {
    arrivals.stop();
    if (isOver || !isReleased) closeConnection();
    else {
      connection.resume();
      late ??= setTimeout(closeConnection, RELEASE_MS).unref();
    }
  }

  return {
    parts: {
      [Symbol.asyncIterator]: () => ({
        next,
        async return() {
          close();
          return { done: true, value: undefined };
        },
      }),
    },
    release() {
      isReleased = true;
    },
    close,
    read(bytes) {
      if (isReleased) return;
      try {
        decoder.read(bytes);
      } catch (error) {
        arrivals.end({ error });
        return closeConnection();
      }
      unread = arrivals.isEmpty() ? 0 : unread + bytes.length;
      if (isPaused || unread < MAX_UNREAD) return;
      isPaused = true;
      connection.pause();
    },
    end() {
      isOver = true;
      clearTimeout(late);
      try {
        decoder.end();
        arrivals.end();
      } catch (error) {
        arrivals.end({ error });
      }
      if (arrivals.isEmpty()) onClose();
    },
    lose(reason) {
      arrivals.end({ error: reason });
      closeConnection();
    },
    abort(reason) {
      arrivals.stop({ error: reason });
      closeConnection();
    },
  };
}
