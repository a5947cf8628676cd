/** The application in Express 5, behind serverless-http. */
import express, { type Express, type Request } from "express";
import serverless from "serverless-http";
import {
  BODY_LIMIT,
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

/** The application without an adapter. */
export function createApp(): Express {
  const app = express();
  // Express prints an error that nobody handled, except in this environment.
  app.set("env", "test");

  app.use("/echo", async (request, response) => {
    const body = await readBody(request);
    response.json(echo(request.method, request.originalUrl, Object.entries(request.headers), body));
  });
  app.get("/query", (request, response) => {
    response.json(fields(request.query));
  });
  app.get("/cookies", (_request, response) => {
    response.append("Set-Cookie", COOKIES[0]).append("Set-Cookie", COOKIES[1]).send("ok");
  });
  app.get("/cookies/dated", (_request, response) => {
    response.append("Set-Cookie", DATED_COOKIE).send("ok");
  });
  app.get("/cookies/seen", (request, response) => {
    response.json(request.get("cookie") ?? "");
  });
  app.all("/status/:code", (request, response) => {
    const code = Number(request.params.code);
    response.status(code);
    if (isBodyless(code)) response.end();
    else response.type("text").send(`status ${code}`);
  });
  app.get("/text", (_request, response) => {
    response.type("text").send(TEXT);
  });
  app.get("/bytes", (_request, response) => {
    response.send(BYTES);
  });
  app.post("/bytes", async (request, response) => {
    const body = await readBody(request);
    // `response.type()` would add a charset.
    response.setHeader("Content-Type", request.get("content-type") ?? "application/octet-stream");
    response.send(body);
  });
  for (const [encoding, bytes] of Object.entries(COMPRESSED)) {
    app.get(`/${encoding}`, (_request, response) => {
      response.set("Content-Encoding", encoding).type("json").send(bytes);
    });
  }
  app.post("/form", express.urlencoded({ limit: BODY_LIMIT }), (request, response) => {
    response.json(fields(request.body));
  });
  app.post("/json", express.json({ limit: BODY_LIMIT }), (request, response) => {
    response.json({ received: request.body });
  });
  app.get("/redirect", (_request, response) => {
    response.redirect("/text");
  });
  app.get("/headers", (_request, response) => {
    response.set({ "X-One": "1", "X-Many": ["a", "b"], "Cache-Control": "no-store" }).send("ok");
  });
  app.get("/empty", (_request, response) => {
    response.end();
  });
  app.get("/error", () => {
    throw new Error("broken on purpose");
  });
  return app;
}

export const handler = serverless(createApp(), { binary: isBinary }) as Handler;

/** `express.raw` would inflate a compressed body, or refuse it. */
async function readBody(request: Request): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}
