// The event that a program makes by hand when it calls a web app by a bare client of the Invoke API: what API Gateway
// would have sent, as far as adapters read it.

/** For a GET without a body. */
export const GET = {
  method: "GET",
  path: "/items",
  query: { limit: "1" },
  headers: {},
  body: null,
  isBase64Encoded: false,
};

export function postOf(json) {
  const headers = { "Content-Type": "application/json" };
  return { method: "POST", path: "/items", query: null, headers, body: JSON.stringify(json), isBase64Encoded: false };
}

/** For a text or bytes. */
export function putOf(content) {
  const isText = typeof content === "string";
  const headers = { "Content-Type": isText ? "text/plain; charset=utf-8" : "application/octet-stream" };
  const body = isText ? content : content.toString("base64");
  return { method: "PUT", path: "/file", query: null, headers, body, isBase64Encoded: !isText };
}

export function makeEvent({ method, path, query, headers, body, isBase64Encoded }) {
  const all = { Host: "orders", Accept: "*/*", "User-Agent": "bench", ...headers };
  return {
    resource: "/{proxy+}",
    path,
    httpMethod: method,
    headers: all,
    multiValueHeaders: lists(all),
    queryStringParameters: query,
    multiValueQueryStringParameters: query && lists(query),
    pathParameters: { proxy: path.slice(1) },
    stageVariables: null,
    requestContext: {
      resourcePath: "/{proxy+}",
      httpMethod: method,
      path,
      stage: "$default",
      protocol: "HTTP/1.1",
      requestId: "5e2f9c1c-7b63-4bd5-a2a8-3c5d4c8f9a10",
      identity: { sourceIp: "127.0.0.1", userAgent: "bench" },
    },
    body,
    isBase64Encoded,
  };
}

function lists(map) {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, [value]]));
}

/** The body of a result: text or bytes. */
export function bodyOf({ body, isBase64Encoded }) {
  return isBase64Encoded ? Buffer.from(body, "base64") : body;
}
