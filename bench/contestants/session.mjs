import { Session } from "../../dist/index.js";

export function prepare(endpoint) {
  const statuses = new Map();
  const session = new Session({
    ...{ endpoint, region: "us-east-1" },
    headers: { "X-Team": "billing" },
    cookies: { theme: "dark" },
    hooks: {
      beforeRequest: (request) => request.headers.set("X-Sent-At", String(Date.now())),
      afterResponse: ({ status }) => {
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      },
      onRetry: ({ attempt }) => {
        statuses.set(attempt, (statuses.get(attempt) ?? 0) + 1);
      },
    },
    retry: { statuses: [503] },
  });
  return {
    /** Brings the cookie that every later call of the shop has to send. */
    begin: () => session.get("http+lambda://shop/login").json(),
    get: (name = "shop") => session.get(`http+lambda://${name}/items`, { params: { limit: 1 } }).json(),
    post: (name = "shop", json) => session.post(`http+lambda://${name}/items`, { json }).json(),
  };
}
