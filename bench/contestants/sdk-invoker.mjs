import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { createFetch, sdkInvoker } from "../../dist/index.js";
import { over } from "./lambda-requests.mjs";

// The copy that sdkInvoker itself finds: a program has one.
const { resolve } = createRequire(new URL("../../dist/index.js", import.meta.url));
const { LambdaClient } = await import(pathToFileURL(resolve("@aws-sdk/client-lambda")).href);

export function prepare(endpoint) {
  const agent = { maxSockets: 1024 };
  const requestHandler = { httpAgent: agent, httpsAgent: agent };
  const client = new LambdaClient({ endpoint, region: "us-east-1", requestHandler });
  return over(createFetch({ invoker: sdkInvoker(client) }));
}
