/** The streaming application in the HTTP router of Powertools for AWS Lambda. */
import { NotFoundError, Router, streamify } from "@aws-lambda-powertools/event-handler/http";
import { METHODS } from "./app.ts";
import { answerTo, type StreamingHandler, toWebResponse } from "./streaming-app.ts";

const app = new Router();

app.route(
  async ({ req }) => {
    const { pathname, searchParams } = new URL(req.url);
    const answer = answerTo({
      method: req.method,
      path: pathname,
      query: searchParams,
      contentType: req.headers.get("content-type") ?? undefined,
      body: new Uint8Array(await req.arrayBuffer()),
    });
    if (answer === undefined) throw new NotFoundError();
    return toWebResponse(answer);
  },
  { method: [...METHODS], path: /\/.*/ },
);

export const handler = streamify(app) as unknown as StreamingHandler;
