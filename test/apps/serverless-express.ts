/** The application in Express 5, behind @codegenie/serverless-express. */
import { configure } from "@codegenie/serverless-express";
import { type Handler, isBinary } from "./app.ts";
import { createApp } from "./express.ts";

export const handler = configure({
  app: createApp(),
  // Left to itself, it prints every error.
  logSettings: { level: "none" },
  binarySettings: { isBinary: ({ headers }: { headers: Record<string, unknown> }) => isBinary(headers) },
}) as unknown as Handler;
