/** The application in Fastify 5, behind @fastify/aws-lambda. */
import { isUtf8 } from "node:buffer";
import { parse } from "node:querystring";
import awsLambdaFastify from "@fastify/aws-lambda";
import fastify, { type FastifyInstance, type FastifyRequest } from "fastify";
import {
  BODY_LIMIT,
  BYTES,
  COMPRESSED,
  COOKIES,
  DATED_COOKIE,
  echo,
  fields,
  type Handler,
  isBodyless,
  TEXT,
} from "./app.ts";

/** The application without an adapter. */
export function createApp(): FastifyInstance {
  const app = fastify({ bodyLimit: BODY_LIMIT });
  app.addContentTypeParser("application/x-www-form-urlencoded", { parseAs: "string" }, (_request, body, done) =>
    done(null, parse(String(body))),
  );

  // A plugin has its own parsers: here every body stays what it was.
  app.register(async (raw) => {
    raw.removeAllContentTypeParsers();
    raw.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));

    for (const path of ["/echo", "/echo/*"]) {
      raw.all(path, (request) =>
        echo(request.method, request.raw.url ?? "", Object.entries(request.headers), bodyOf(request)),
      );
    }
    raw.all<{ Params: { code: string } }>("/status/:code", (request, reply) => {
      const code = Number(request.params.code);
      reply.code(code);
      return isBodyless(code) ? reply.send() : reply.type("text/plain; charset=utf-8").send(`status ${code}`);
    });
    raw.post("/bytes", (request, reply) =>
      reply.header("content-type", request.headers["content-type"] ?? "application/octet-stream").send(bodyOf(request)),
    );
  });

  app.get<{ Querystring: Record<string, unknown> }>("/query", (request) => fields(request.query));
  app.get("/cookies", (_request, reply) =>
    reply.header("set-cookie", COOKIES[0]).header("set-cookie", COOKIES[1]).send("ok"),
  );
  app.get("/cookies/dated", (_request, reply) => reply.header("set-cookie", DATED_COOKIE).send("ok"));
  app.get("/cookies/seen", (request, reply) =>
    reply.type("application/json; charset=utf-8").send(JSON.stringify(request.headers.cookie ?? "")),
  );
  app.get("/text", (_request, reply) => reply.type("text/plain; charset=utf-8").send(TEXT));
  app.get("/bytes", (_request, reply) => reply.send(BYTES));
  for (const [encoding, bytes] of Object.entries(COMPRESSED)) {
    app.get(`/${encoding}`, (_request, reply) =>
      reply.header("content-encoding", encoding).type("application/json; charset=utf-8").send(bytes),
    );
  }
  app.post<{ Body: Record<string, unknown> }>("/form", (request) => fields(request.body));
  app.post("/json", (request) => ({ received: request.body }));
  app.get("/redirect", (_request, reply) => reply.redirect("/text"));
  app.get("/headers", (_request, reply) =>
    reply.headers({ "X-One": "1", "X-Many": ["a", "b"], "Cache-Control": "no-store" }).send("ok"),
  );
  app.get("/empty", (_request, reply) => reply.send());
  app.get("/error", () => {
    throw new Error("broken on purpose");
  });
  return app;
}

export const handler = awsLambdaFastify(createApp(), {
  // Text where it can be: other adapters can't see the body when they choose, this one can.
  enforceBase64: (response) => !isUtf8(response.rawPayload),
  // Without it, headers of the format `alb-multi-value` that occur once are not read.
  albMultiValueHeaders: true,
}) as Handler;

function bodyOf(request: FastifyRequest): Buffer {
  return Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
}
