/** The streaming application in Fastify 5, behind @fastify/aws-lambda. */
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import awsLambdaFastify from "@fastify/aws-lambda";
import fastify from "fastify";
import { BODY_LIMIT } from "./app.ts";
import { answerTo, type StreamingHandler } from "./streaming-app.ts";

const app = fastify({ bodyLimit: BODY_LIMIT });
app.removeAllContentTypeParsers();
app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
app.all("/*", (request, reply) => {
  const { pathname, searchParams } = new URL(request.url, "https://app");
  const answer = answerTo({
    method: request.method,
    path: pathname,
    query: searchParams,
    contentType: request.headers["content-type"],
    body: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
  });
  if (answer === undefined) return reply.callNotFound();
  reply.code(answer.status);
  for (const [name, value] of answer.headers) {
    const before = reply.getHeader(name);
    reply.header(name, before === undefined ? value : [before, value].flat().map(String));
  }
  for (const cookie of answer.cookies) reply.header("set-cookie", cookie);
  return reply.send(answer.body === null ? undefined : Readable.from(answer.body));
});

const proxy = awsLambdaFastify(app, { payloadAsStream: true });
await app.ready();

// As its README has it.
export const handler: StreamingHandler = awslambda.streamifyResponse(
  async (event: never, stream: Writable, context) => {
    const { meta, stream: body } = await proxy(event, context);
    await pipeline(body, awslambda.HttpResponseStream.from(stream, { ...meta }));
  },
);
