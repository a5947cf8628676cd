/** The application in Hono 4, behind its own adapter. */
import { Hono } from "hono";
import { handle } from "hono/aws-lambda";
import { HTTPException } from "hono/http-exception";
import type { StatusCode } from "hono/utils/http-status";
import {
  BYTES,
  COMPRESSED,
  COOKIES,
  DATED_COOKIE,
  echo,
  fields,
  type Handler,
  isBinary,
  isBodyless,
  TEXT,
} from "./app.ts";

const app = new Hono();

// Takes `/echo` as well.
app.all("/echo/*", async (context) => {
  const { pathname, search } = new URL(context.req.url);
  const body = new Uint8Array(await context.req.arrayBuffer());
  return context.json(echo(context.req.method, pathname + search, context.req.raw.headers, body));
});
app.get("/query", (context) => context.json(fields(context.req.queries())));
app.get("/cookies", (context) => {
  context.header("Set-Cookie", COOKIES[0], { append: true });
  context.header("Set-Cookie", COOKIES[1], { append: true });
  return context.text("ok");
});
app.get("/cookies/dated", (context) => {
  context.header("Set-Cookie", DATED_COOKIE);
  return context.text("ok");
});
app.get("/cookies/seen", (context) => context.json(context.req.header("cookie") ?? ""));
app.all("/status/:code", (context) => {
  const code = Number(context.req.param("code")) as StatusCode;
  context.status(code);
  return isBodyless(code) ? context.body(null) : context.text(`status ${code}`);
});
app.get("/text", (context) => context.text(TEXT));
app.get("/bytes", (context) =>
  context.body(new Uint8Array(BYTES), { headers: { "Content-Type": "application/octet-stream" } }),
);
app.post("/bytes", async (context) => {
  const type = context.req.header("content-type") ?? "application/octet-stream";
  return context.body(await context.req.arrayBuffer(), { headers: { "Content-Type": type } });
});
for (const [encoding, bytes] of Object.entries(COMPRESSED)) {
  app.get(`/${encoding}`, (context) =>
    context.body(new Uint8Array(bytes), {
      headers: { "Content-Type": "application/json; charset=utf-8", "Content-Encoding": encoding },
    }),
  );
}
app.post("/form", async (context) => context.json(fields(await context.req.parseBody({ all: true }))));
app.post("/json", async (context) => context.json({ received: await context.req.json() }));
app.get("/redirect", (context) => context.redirect("/text"));
app.get("/headers", (context) => {
  context.header("X-One", "1");
  context.header("X-Many", "a", { append: true });
  context.header("X-Many", "b", { append: true });
  context.header("Cache-Control", "no-store");
  return context.text("ok");
});
app.get("/empty", (context) => context.body(null));
app.get("/error", () => {
  // Any other error is printed as well.
  throw new HTTPException(500);
});

export const handler = handle(app, {
  isContentTypeBinary: (type) => isBinary({ "content-type": type }),
}) as Handler;
