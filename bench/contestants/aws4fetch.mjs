import { AwsClient } from "aws4fetch";
import { bodyOf, GET, makeEvent, postOf, putOf } from "../event.mjs";

export function prepare(endpoint) {
  const client = new AwsClient({
    accessKeyId: process.env.AWS_ACCESS_KEY_ID,
    secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY,
    service: "lambda",
    region: "us-east-1",
  });

  async function invoke(name, request) {
    const body = JSON.stringify(makeEvent(request));
    const headers = { "Content-Type": "application/json" };
    const url = `${endpoint}/2015-03-31/functions/${name}/invocations`;
    const response = await client.fetch(url, { method: "POST", headers, body });
    return response.json();
  }

  return {
    get: async (name = "orders") => JSON.parse((await invoke(name, GET)).body),
    post: async (name = "orders", json) => JSON.parse((await invoke(name, postOf(json))).body),
    up: async (name, content) => JSON.parse((await invoke(name, putOf(content))).body),
    down: async (name) => bodyOf(await invoke(name, GET)),
  };
}
