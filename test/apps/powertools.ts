/** The application in the HTTP router of Powertools for AWS Lambda. */
import { Router } from "@aws-lambda-powertools/event-handler/http";
import type { ALBEvent, Context } from "aws-lambda";
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
  lists,
  METHODS,
  TEXT,
} from "./app.ts";

const app = new Router();

// Left to itself, the router gives nothing but media, gzip and deflate as base64.
app.use(async ({ reqCtx, next }) => {
  await next();
  reqCtx.isBase64Encoded = isBinary(Object.fromEntries(reqCtx.res.headers));
});

app.route(
  async ({ event, req }) => {
    // The router resolves the path to a URL of its own; the event's is the raw one.
    const { search } = new URL(req.url);
    const url = ("rawPath" in event ? event.rawPath : (event as ALBEvent).path) + search;
    return json(echo(req.method, url, req.headers, new Uint8Array(await req.arrayBuffer())));
  },
  { method: [...METHODS], path: /\/echo(\/.*)?/ },
);
app.get("/query", ({ req }) => json(fields(lists(new URL(req.url).searchParams))));
app.get("/cookies", () => ({
  statusCode: 200,
  headers: { "Content-Type": "text/plain; charset=utf-8" },
  cookies: [...COOKIES],
  body: "ok",
}));
app.get("/cookies/dated", () => new Response("ok", { headers: { "Set-Cookie": DATED_COOKIE } }));
app.get("/cookies/seen", ({ req }) => json(req.headers.get("cookie") ?? ""));
app.route(
  ({ params }) => {
    const code = Number(params.code);
    return isBodyless(code) ? new Response(null, { status: code }) : new Response(`status ${code}`, { status: code });
  },
  { method: [...METHODS], path: "/status/:code" },
);
app.get("/text", () => new Response(TEXT));
app.get("/bytes", () => new Response(BYTES, { headers: { "Content-Type": "application/octet-stream" } }));
app.post("/bytes", async ({ req }) => {
  const type = req.headers.get("content-type") ?? "application/octet-stream";
  return new Response(await req.arrayBuffer(), { headers: { "Content-Type": type } });
});
for (const [encoding, bytes] of Object.entries(COMPRESSED)) {
  app.get(`/${encoding}`, () => {
    const headers = { "Content-Type": "application/json; charset=utf-8", "Content-Encoding": encoding };
    return new Response(bytes, { headers });
  });
}
app.post("/form", async ({ req }) => json(fields(lists(new URLSearchParams(await req.text())))));
app.post("/json", async ({ req }) => json({ received: await req.json() }));
app.get("/redirect", () => new Response(null, { status: 302, headers: { Location: "/text" } }));
app.get("/headers", () => ({
  statusCode: 200,
  headers: { "Content-Type": "text/plain; charset=utf-8", "X-One": "1", "Cache-Control": "no-store" },
  multiValueHeaders: { "X-Many": ["a", "b"] },
  body: "ok",
}));
app.get("/empty", () => new Response(null));
app.get("/error", () => {
  throw new Error("broken on purpose");
});

export const handler: Handler = (event, context) => app.resolve(event, context as Context);

/** An object that is returned as it is might be taken for a Lambda result. */
function json(value: unknown): Response {
  return Response.json(value);
}
