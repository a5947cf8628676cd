// A Hono app that streams its answer, as a Lambda function.
import { setTimeout as wait } from "node:timers/promises";
import { Hono } from "hono";
import { streamHandle } from "hono/aws-lambda";
import { streamSSE } from "hono/streaming";

const app = new Hono();

// Where a language model's tokens would come from.
async function* answerTo(question) {
  for (const token of ["You", " asked:", ` ${question}`, " A", " good", " question", "."]) {
    await wait(20);
    yield token;
  }
}

app.post("/ask", async (c) => {
  const { question } = await c.req.json();
  return streamSSE(c, async (stream) => {
    for await (const token of answerTo(question)) await stream.writeSSE({ data: token });
  });
});

export const handler = streamHandle(app);
