/** The streaming application as a `fetch` handler, behind the streaming Lambda adapter of srvx (h3 and Nitro use it). */
import type { Writable } from "node:stream";
import { type AWSLambdaResponseStream, type AwsLambdaEvent, handleLambdaEventWithStream } from "srvx/aws-lambda";
import { answerTo, type StreamingHandler, toWebResponse } from "./streaming-app.ts";

async function fetch(request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  const answer = answerTo({
    method: request.method,
    path: pathname,
    query: searchParams,
    contentType: request.headers.get("content-type") ?? undefined,
    body: new Uint8Array(await request.arrayBuffer()),
  });
  return answer === undefined ? new Response("not found", { status: 404 }) : toWebResponse(answer);
}

export const handler: StreamingHandler = awslambda.streamifyResponse(
  (event: AwsLambdaEvent, stream: Writable, context) =>
    handleLambdaEventWithStream(fetch, event, stream as unknown as AWSLambdaResponseStream, context as never),
);
