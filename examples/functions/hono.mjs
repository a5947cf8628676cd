// A Hono app as a Lambda function.
import { Hono } from "hono";
import { handle } from "hono/aws-lambda";

const app = new Hono();

app.get("/hello/:name", (c) => c.text(`Hello, ${c.req.param("name")}!\n`));
app.post("/sum", async (c) => c.json({ sum: (await c.req.json()).numbers.reduce((a, b) => a + b, 0) }));
// With a content type: without one, the adapter would send bytes as text, and damage them.
app.get("/download", (c) =>
  c.body(
    Uint8Array.from({ length: 100_000 }, (_, i) => i % 256),
    200,
    { "Content-Type": "application/octet-stream" },
  ),
);

export const handler = handle(app);
