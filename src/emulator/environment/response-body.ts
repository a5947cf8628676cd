/** A result that a runtime streams, as it comes: no faster than it is read. */
import type { IncomingMessage } from "node:http";

/** How a streamed result ended. `failure` is the JSON of an error that the runtime sent behind it. */
type BodyEnd =
  | { readonly kind: "complete" }
  | { readonly kind: "failed"; readonly failure: Uint8Array }
  | { readonly kind: "truncated" };

/** The body of a streamed result. */
export interface ResponseBody {
  /** The next piece, as soon as there is one; `undefined` behind the last. */
  read(): Promise<Uint8Array | undefined>;
  /** Nobody reads on. The function is not to notice: on AWS it runs on as well. */
  discard(): void;
  readonly ended: Promise<BodyEnd>;
}

const ERROR_TYPE = "lambda-runtime-function-error-type";
const ERROR_BODY = "lambda-runtime-function-error-body";

export function receiveBody(request: IncomingMessage): ResponseBody {
  const pieces: Uint8Array[] = [];
  let isDiscarded = false;
  let isOver = false;
  let wake = (): void => undefined;

  const ended = new Promise<BodyEnd>((resolve) => {
    const end = (how: BodyEnd): void => {
      isOver = true;
      resolve(how);
      wake();
    };
    request.on("data", (piece: Uint8Array) => {
      if (isDiscarded) return;
      pieces.push(piece);
      request.pause();
      wake();
    });
    request.on("end", () => end(readTrailers(request)));
    request.on("error", () => end({ kind: "truncated" }));
    request.on("close", () => end({ kind: "truncated" }));
  });

  return {
    ended,
    async read() {
      while (pieces.length === 0 && !isOver) {
        request.resume();
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return pieces.shift();
    },
    discard() {
      isDiscarded = true;
      pieces.length = 0;
      request.resume();
    },
  };
}

/** How a runtime says that its function failed in the middle of a result: in trailers, the error in base64. */
function readTrailers({ trailers }: IncomingMessage): BodyEnd {
  const errorType = trailers[ERROR_TYPE];
  const encoded = trailers[ERROR_BODY];
  if (errorType === undefined && encoded === undefined) return { kind: "complete" };
  if (encoded !== undefined) return { kind: "failed", failure: Buffer.from(encoded, "base64") };
  return { kind: "failed", failure: Buffer.from(JSON.stringify({ errorType, errorMessage: "" })) };
}
