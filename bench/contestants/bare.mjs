export const name = "a bare POST, unsigned (node:http)";

export async function prepare(endpoint) {
  const { Agent, request } = await import("node:http");
  const agent = new Agent({ keepAlive: true });
  const { hostname, port } = new URL(endpoint);
  const path = "/2015-03-31/functions/orders/invocations";
  const payload = JSON.stringify({ httpMethod: "GET", path: "/items", queryStringParameters: { limit: "1" } });
  const post = () =>
    new Promise((resolve, reject) => {
      const sent = request({ hostname, port, path, agent, method: "POST" }, (response) => {
        const chunks = [];
        response.on("data", (chunk) => chunks.push(chunk)).on("end", () => resolve(Buffer.concat(chunks)));
      });
      sent.on("error", reject).end(payload);
    });
  return async () => JSON.parse(JSON.parse((await post()).toString()).body).items[0].sku;
}
