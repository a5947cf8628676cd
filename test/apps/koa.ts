/** The application in Koa 3, behind serverless-http. */
import { parse } from "node:querystring";
import Koa, { type Context } from "koa";
import serverless from "serverless-http";
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

const app = new Koa();
// Koa prints what a middleware throws, unless told not to.
app.silent = true;

app.use(async (context) => {
  const { method, path } = context;
  if (path === "/echo" || path.startsWith("/echo/")) {
    const body = await readBody(context);
    context.body = echo(method, context.originalUrl, Object.entries(context.headers), body);
    return;
  }
  const code = /^\/status\/(\d+)$/.exec(path)?.[1];
  if (code !== undefined) {
    context.status = Number(code);
    context.body = isBodyless(context.status) ? null : `status ${code}`;
    return;
  }
  if (isEncoding(path.slice(1))) {
    context.set("Content-Encoding", path.slice(1));
    context.type = "json";
    context.body = COMPRESSED[path.slice(1) as keyof typeof COMPRESSED];
    return;
  }
  await routes[`${method} ${path}`]?.(context);
});

const routes: Readonly<Record<string, (context: Context) => void | Promise<void>>> = {
  "GET /query": (context) => {
    context.body = fields(context.query);
  },
  "GET /cookies": (context) => {
    context.append("Set-Cookie", COOKIES[0]);
    context.append("Set-Cookie", COOKIES[1]);
    context.body = "ok";
  },
  "GET /cookies/dated": (context) => {
    context.append("Set-Cookie", DATED_COOKIE);
    context.body = "ok";
  },
  "GET /cookies/seen": (context) => {
    context.type = "json";
    context.body = JSON.stringify(context.get("cookie"));
  },
  "GET /text": (context) => {
    context.body = TEXT;
  },
  "GET /bytes": (context) => {
    context.body = BYTES;
  },
  "POST /bytes": async (context) => {
    const body = await readBody(context);
    // `context.type` would add a charset.
    context.set("Content-Type", context.get("content-type") || "application/octet-stream");
    context.body = body;
  },
  "POST /form": async (context) => {
    context.body = fields(parse((await readBody(context)).toString()));
  },
  "POST /json": async (context) => {
    context.body = { received: JSON.parse((await readBody(context)).toString()) };
  },
  "GET /redirect": (context) => {
    context.redirect("/text");
  },
  "GET /headers": (context) => {
    context.set({ "X-One": "1", "X-Many": ["a", "b"], "Cache-Control": "no-store" });
    context.body = "ok";
  },
  "GET /empty": (context) => {
    context.body = "";
  },
  "GET /error": () => {
    throw new Error("broken on purpose");
  },
};

export const handler = serverless(app, { binary: isBinary }) as Handler;

function isEncoding(name: string): boolean {
  return Object.hasOwn(COMPRESSED, name);
}

/** Koa has no body parser of its own. */
async function readBody(context: Context): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of context.req) chunks.push(chunk);
  return Buffer.concat(chunks);
}
