// A server that speaks as much of the Invoke API as a warm GET needs, in a process of its own.
import { createServer } from "node:http";

const result = JSON.stringify({
  statusCode: 200,
  headers: { "content-type": "application/json", "x-powered-by": "bench" },
  body: JSON.stringify({ items: [{ id: 1, sku: "A-1" }] }),
  isBase64Encoded: false,
});

const server = createServer((request, response) => {
  request.resume().on("end", () => {
    response.writeHead(200, {
      "Content-Type": "application/json",
      "Content-Length": Buffer.byteLength(result),
      "x-amzn-RequestId": "5e2f9c1c-7b63-4bd5-a2a8-3c5d4c8f9a10",
      "X-Amz-Executed-Version": "$LATEST",
    });
    response.end(result);
  });
});
server.listen(0, "127.0.0.1", () => process.send(server.address().port));
process.on("disconnect", () => process.exit());
