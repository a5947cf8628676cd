// Lambda's place in the benchmark, in a process of its own: the Invoke API over HTTP, and over TLS where there is a
// certificate. On bare sockets, since it must cost far less than who calls it.
import { readFileSync } from "node:fs";
import { STATUS_CODES } from "node:http";
import { createServer } from "node:net";
import { availableParallelism } from "node:os";
import { createServer as createSecureServer } from "node:tls";
import { streamOf } from "./frames.mjs";
import { READERS, resultFor } from "./functions.mjs";

const SIGNATURE = /^authorization: AWS4-HMAC-SHA256 Credential=\S+, ?SignedHeaders=\S+, ?Signature=[0-9a-f]{64}\r?$/im;
const HEAD_END = "\r\n\r\n";
// More callers than the usual 511 may knock at a time.
const BACKLOG = 4096;
const [keyFile, certFile] = process.argv.slice(2);

let date = new Date().toUTCString();
setInterval(() => {
  date = new Date().toUTCString();
}, 1000);

const server = createServer(serve);
const port = await listen(server);
const securePort = keyFile && (await listen(createSecureServer(secrets(), serve)));
process.send({ port, securePort });
process.on("disconnect", () => process.exit());
// To wake a process that sleeps costs whoever sends to it, and only those who are slow enough for it to fall asleep.
if (availableParallelism() > 1) stayAwake();

function stayAwake() {
  setImmediate(stayAwake);
}

function secrets() {
  return { key: readFileSync(keyFile), cert: readFileSync(certFile) };
}

function listen(listener) {
  return new Promise((resolve) => {
    listener.listen(0, "127.0.0.1", BACKLOG, () => resolve(listener.address().port));
  });
}

function serve(socket) {
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  let held = Buffer.alloc(0);
  let request;
  socket.on("data", (chunk) => {
    let rest = chunk;
    if (request === undefined) {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      const end = held.indexOf(HEAD_END);
      if (end < 0) return;
      request = readHead(held.latin1Slice(0, end));
      rest = held.subarray(end + HEAD_END.length);
      held = Buffer.alloc(0);
    }
    request.left -= rest.length;
    if (request.isRead) request.pieces.push(rest);
    if (request.left > 0) return;
    answer(socket, request);
    request = undefined;
  });
}

function readHead(head) {
  const [, path] = head.split(" ", 2);
  const [, , , functionName, operation] = path.split("/");
  const isOpen = functionName.startsWith("open-");
  const name = isOpen ? functionName.slice("open-".length) : functionName;
  return {
    name,
    operation,
    left: Number(/^content-length: *(\d+)/im.exec(head)?.[1]),
    isAllowed: isOpen || SIGNATURE.test(head),
    isRead: READERS.has(name),
    pieces: [],
  };
}

function answer(socket, { name, operation, left, isAllowed, pieces }) {
  // Whoever sends no length, or two requests at a time, is measured wrong.
  if (left !== 0) return refuse(socket, 411, "LengthRequiredException");
  if (!isAllowed) return refuse(socket, 403, "MissingAuthenticationTokenException");
  if (operation === "response-streaming-invocations") return stream(socket, Number(name.slice("stream-".length)));
  const result = resultFor(name, pieces.length === 1 ? pieces[0] : Buffer.concat(pieces));
  if (result === undefined) return refuse(socket, 404, "ResourceNotFoundException");
  reply(socket, 200, result);
}

function refuse(socket, status, name) {
  reply(socket, status, Buffer.from(JSON.stringify({ Type: "User", message: name })), `X-Amzn-ErrorType: ${name}\r\n`);
}

function reply(socket, status, body, headers = "X-Amz-Executed-Version: $LATEST\r\n") {
  socket.cork();
  socket.write(`${headOf(status, "application/json")}${headers}Content-Length: ${body.length}${HEAD_END}`, "latin1");
  socket.write(body);
  socket.uncork();
}

async function stream(socket, size) {
  const headers = `X-Amz-Executed-Version: $LATEST\r\nTransfer-Encoding: chunked${HEAD_END}`;
  const head = headOf(200, "application/vnd.amazon.eventstream") + headers;
  let isFirst = true;
  for (const piece of streamOf(size)) {
    const isTaken = socket.write(isFirst ? Buffer.concat([Buffer.from(head, "latin1"), piece]) : piece);
    isFirst = false;
    if (socket.destroyed) return;
    if (!isTaken) await drained(socket);
  }
}

function drained(socket) {
  return new Promise((resolve) => {
    const done = () => {
      socket.off("drain", done).off("close", done);
      resolve();
    };
    socket.on("drain", done).on("close", done);
  });
}

function headOf(status, type) {
  return (
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nDate: ${date}\r\nContent-Type: ${type}\r\nConnection: keep-alive\r\n` +
    "x-amzn-RequestId: 5e2f9c1c-7b63-4bd5-a2a8-3c5d4c8f9a10\r\nx-amzn-Remapped-Content-Length: 0\r\n" +
    "X-Amzn-Trace-Id: Root=1-65a1b2c3-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=0\r\n"
  );
}
