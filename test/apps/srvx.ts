/** The application as a `fetch` handler, behind the Lambda adapter of srvx, which h3 and Nitro stand on. */
import { toLambdaHandler } from "srvx/aws-lambda";
import {
  BYTES,
  COMPRESSED,
  COOKIES,
  DATED_COOKIE,
  echo,
  fields,
  type Handler,
  isBodyless,
  lists,
  TEXT,
} from "./app.ts";

type Answer = (request: Request, url: URL) => Response | Promise<Response>;

const routes: Readonly<Record<string, Answer>> = {
  "GET /query": (_request, url) => Response.json(fields(lists(url.searchParams))),
  "GET /cookies": () => {
    const response = new Response("ok");
    for (const cookie of COOKIES) response.headers.append("Set-Cookie", cookie);
    return response;
  },
  "GET /cookies/dated": () => new Response("ok", { headers: { "Set-Cookie": DATED_COOKIE } }),
  "GET /cookies/seen": (request) => Response.json(request.headers.get("cookie") ?? ""),
  "GET /text": () => new Response(TEXT),
  "GET /bytes": () => new Response(BYTES, { headers: { "Content-Type": "application/octet-stream" } }),
  "POST /bytes": async (request) => {
    const type = request.headers.get("content-type") ?? "application/octet-stream";
    return new Response(await request.arrayBuffer(), { headers: { "Content-Type": type } });
  },
  "POST /form": async (request) => Response.json(fields(lists(new URLSearchParams(await request.text())))),
  "POST /json": async (request) => Response.json({ received: await request.json() }),
  "GET /redirect": () => new Response(null, { status: 302, headers: { Location: "/text" } }),
  "GET /headers": () => {
    const headers = new Headers({ "X-One": "1", "X-Many": "a", "Cache-Control": "no-store" });
    headers.append("X-Many", "b");
    return new Response("ok", { headers });
  },
  "GET /empty": () => new Response(null),
  "GET /error": () => {
    throw new Error("broken on purpose");
  },
};

export const handler = toLambdaHandler({
  async fetch(request) {
    const url = new URL(request.url);
    const { pathname, search } = url;
    if (pathname === "/echo" || pathname.startsWith("/echo/")) {
      const body = new Uint8Array(await request.arrayBuffer());
      return Response.json(echo(request.method, pathname + search, request.headers, body));
    }
    const code = Number(/^\/status\/(\d+)$/.exec(pathname)?.[1]);
    if (code > 0) return new Response(isBodyless(code) ? null : `status ${code}`, { status: code });
    if (Object.hasOwn(COMPRESSED, pathname.slice(1))) return compressed(pathname.slice(1));
    const answer = routes[`${request.method} ${pathname}`];
    return answer === undefined ? new Response("not found", { status: 404 }) : answer(request, url);
  },
  // Without it, what the handler throws fails the function.
  error: () => new Response("Internal Server Error", { status: 500 }),
}) as unknown as Handler;

function compressed(encoding: string): Response {
  const headers = { "Content-Type": "application/json; charset=utf-8", "Content-Encoding": encoding };
  return new Response(COMPRESSED[encoding as keyof typeof COMPRESSED], { headers });
}
