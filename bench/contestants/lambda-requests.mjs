import { createFetch } from "../../dist/index.js";

export function prepare(endpoint) {
  return over(createFetch({ endpoint, region: "us-east-1" }));
}

export function over(fetch) {
  return {
    async get(name = "orders") {
      return (await fetch(`http+lambda://${name}/items?limit=1`)).json();
    },
    async post(name = "orders", json) {
      const headers = { "Content-Type": "application/json" };
      const body = JSON.stringify(json);
      return (await fetch(`http+lambda://${name}/items`, { method: "POST", headers, body })).json();
    },
    async up(name, content) {
      const type = typeof content === "string" ? "text/plain; charset=utf-8" : "application/octet-stream";
      const headers = { "Content-Type": type };
      return (await fetch(`http+lambda://${name}/file`, { method: "PUT", headers, body: content })).json();
    },
    async down(name, kind) {
      const response = await fetch(`http+lambda://${name}/file`);
      return kind === "text" ? response.text() : response.bytes();
    },
    async stream(name) {
      const { body } = await fetch(`http+lambda://${name}/file`, { lambda: { responseStreaming: true } });
      let first;
      let size = 0;
      for await (const piece of body) {
        first ??= performance.now();
        size += piece.length;
      }
      return { first, size };
    },
  };
}
