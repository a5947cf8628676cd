/**
 * The global `awslambda` of Lambda's Node.js runtime, with which functions declare that they stream:
 * https://docs.aws.amazon.com/lambda/latest/dg/config-rs-write-functions.html
 */
import { Writable } from "node:stream";
import { writeFrame } from "../formats/stream.ts";

const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");
const HTTP_INTEGRATION = "application/vnd.awslambda.http-integration-response";

/** Where a streaming function writes its answer. Here it is collected. */
export class ResponseStream extends Writable {
  readonly #chunks: Buffer[] = [];
  #prelude: object | undefined;

  constructor() {
    super({ decodeStrings: true, objectMode: false });
  }

  /** A part of AWS's API. The answer's type is in the prelude, or nobody asks for it. */
  setContentType(_contentType: string): void {}

  /** The prelude goes before the first `write`; `end` alone sends none, in AWS's runtime as here. */
  set prelude(prelude: object) {
    this.#prelude = prelude;
  }

  override write(chunk: unknown, ...rest: never[]): boolean {
    if (this.#prelude !== undefined) {
      const prelude = this.#prelude;
      this.#prelude = undefined;
      super.write(writeFrame(prelude, new Uint8Array()));
    }
    const bytes = typeof chunk === "string" || chunk instanceof Uint8Array ? chunk : JSON.stringify(chunk);
    return super.write(bytes, ...rest);
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#chunks.push(chunk);
    done();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

/** Was the handler made by `awslambda.streamifyResponse`? */
export function isStreaming(handler: object): boolean {
  return (handler as { [STREAMING]?: unknown })[STREAMING] === "response";
}

/** Defines the global, unless there is one already. A module that streams needs it when it is loaded. */
export function defineAwslambda(): void {
  (globalThis as { awslambda?: unknown }).awslambda ??= {
    streamifyResponse<Handler extends object>(handler: Handler): Handler {
      return Object.assign(handler, { [STREAMING]: "response" });
    },
    HttpResponseStream: {
      from(stream: ResponseStream, prelude: object): ResponseStream {
        stream.setContentType(HTTP_INTEGRATION);
        stream.prelude = prelude;
        return stream;
      },
    },
  };
}
