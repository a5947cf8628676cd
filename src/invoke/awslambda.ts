/**
 * The global `awslambda` of Lambda's Node.js runtime, with which functions declare that they stream:
 * https://docs.aws.amazon.com/lambda/latest/dg/config-rs-write-functions.html
 */
import { writeFrame } from "../formats/stream.ts";
import type { ResponseStream } from "./response-stream.ts";

const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");
const HTTP_INTEGRATION = "application/vnd.awslambda.http-integration-response";

/** Was the handler made by `awslambda.streamifyResponse`? */
export function isStreaming(handler: object): boolean {
  return (handler as { [STREAMING]?: unknown })[STREAMING] === "response";
}

/**
 * Defines the global, or what it lacks: AWS's SDK has one of its own, with nothing of this. A module that streams needs it when
 * it is loaded.
 */
export function defineAwslambda(): void {
  const runtime = {
    streamifyResponse<Handler extends object>(handler: Handler): Handler {
      return Object.assign(handler, { [STREAMING]: "response" });
    },
    HttpResponseStream: {
      from(stream: ResponseStream, prelude: object): ResponseStream {
        stream.setContentType(HTTP_INTEGRATION);
        // What is changed in it later is too late.
        const head = writeFrame(prelude, new Uint8Array());
        stream._onBeforeFirstWrite = (write) => write(head);
        return stream;
      },
    },
  };
  const holder = globalThis as unknown as { awslambda?: Partial<typeof runtime> };
  holder.awslambda ??= {};
  holder.awslambda.streamifyResponse ??= runtime.streamifyResponse;
  holder.awslambda.HttpResponseStream ??= runtime.HttpResponseStream;
}
