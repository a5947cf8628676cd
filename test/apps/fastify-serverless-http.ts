/** The application in Fastify 5, behind serverless-http. */
import serverless from "serverless-http";
import { type Handler, isBinary } from "./app.ts";
import { createApp } from "./fastify.ts";

const app = createApp();
await app.ready();

// The server, not the app: the latter's answers go through `inject` and a string, which no bytes survive.
export const handler = serverless(app.server, { binary: isBinary }) as Handler;
