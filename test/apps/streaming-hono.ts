/** The streaming application in Hono 4, behind its own adapter. */
import { Hono } from "hono";
import { streamHandle } from "hono/aws-lambda";
import { answerTo, type StreamingHandler, toWebResponse } from "./streaming-app.ts";

const app = new Hono();

// Left to itself, it prints every error.
app.onError((_error, context) => context.text("Internal Server Error", 500));
app.all("*", async (context) => {
  const { pathname, searchParams } = new URL(context.req.url);
  const answer = answerTo({
    method: context.req.method,
    path: pathname,
    query: searchParams,
    contentType: context.req.header("content-type"),
    body: new Uint8Array(await context.req.arrayBuffer()),
  });
  return answer === undefined ? context.notFound() : toWebResponse(answer);
});

export const handler = streamHandle(app) as StreamingHandler;
