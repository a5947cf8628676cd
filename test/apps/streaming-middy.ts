/** The streaming application as a handler in middy, which writes what the handler returns. */
import { Readable } from "node:stream";
import middy from "@middy/core";
import { answerTo, type StreamingHandler, toPrelude } from "./streaming-app.ts";
import { type ProxyEvent, readEvent } from "./streaming-plain.ts";

export const handler = middy({ streamifyResponse: true }).handler((event: unknown) => {
  const question = readEvent(event as ProxyEvent);
  const answer = answerTo(question);
  if (answer === undefined) return { statusCode: 404, headers: { "Content-Type": "text/plain" }, body: "not found" };
  const { body } = answer;
  const isEmpty = body === null || question.method === "HEAD";
  return { ...toPrelude(answer), body: isEmpty ? "" : Readable.from(body) };
}) as unknown as StreamingHandler;
