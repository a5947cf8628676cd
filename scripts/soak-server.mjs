// The other end of soak.mjs, in a process of its own: it speaks the Invoke API over raw sockets and takes each delivery
// as the call itself asks it to. What it counts is the truth that the client is held to.
import { createServer } from "node:net";

const MAX_REQUEST = 64 * 1024;
const DOWN_MS = 30;
// A client that has closed everything is through long before.
const GRACE_MS = 5_000;
const CRASH = '{"errorType":"Runtime.ExitError","errorMessage":"Runtime exited without providing a reason"}';

/** What becomes of a delivery; behind `run-`, the function has run. */
const TROUBLES = {
  answer: ({ reply, id }) => reply(200, result(id)),
  slow: ({ reply, id }) => setTimeout(() => reply(200, result(id)), 5 + Math.random() * 95),
  unavailable: ({ reply, id }) => reply(200, result(id, 503)),
  // Now and then just as the next call is written.
  close({ reply, id, socket }) {
    reply(200, result(id));
    setTimeout(() => socket.destroy(), Math.random() * 10);
  },
  restart({ reply, id }) {
    reply(200, result(id));
    if (!server.listening) return;
    server.close();
    setTimeout(listen, DOWN_MS);
  },
  crash: ({ reply }) => reply(200, CRASH, { "X-Amz-Function-Error": "Unhandled" }),
  text: ({ reply }) => reply(200, "}{"),
  throttle: ({ refuse }) => refuse(429, "TooManyRequestsException"),
  hint: ({ refuse }) => refuse(429, "TooManyRequestsException", { "Retry-After": "1" }),
  ec2: ({ refuse }) => refuse(502, "EC2ThrottledException"),
  403: ({ refuse }) => refuse(403, "AccessDeniedException"),
  404: ({ refuse }) => refuse(404, "ResourceNotFoundException"),
  409: ({ refuse }) => refuse(409, "ResourceConflictException"),
  500: ({ refuse }) => refuse(500, "ServiceException"),
  502: ({ reply }) => reply(502, "<html><title>Bad Gateway</title></html>"),
  503: ({ reply }) => reply(503, "<html><title>Service Unavailable</title></html>"),
  reset: ({ socket }) => socket.resetAndDestroy(),
  half: ({ socket }) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
  garbage: ({ socket }) => socket.write("SSH-2.0-OpenSSH_9.2\r\n"),
  stall: () => undefined,
};

const sockets = new Set();
/** By call: how often it arrived, and how often its function ran. */
let counts = {};

const server = createServer((socket) => {
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket));
  socket.on("error", () => undefined);
  let received = "";
  socket.setEncoding("latin1").on("data", (chunk) => {
    received += chunk;
    if (received.length > MAX_REQUEST) socket.destroy();
    const begin = received.indexOf("\r\n\r\n") + 4;
    const end = begin + Number(/^content-length: *(\d+)/im.exec(received)?.[1]);
    if (begin < 4 || !(received.length >= end)) return;
    const event = JSON.parse(received.slice(begin, end));
    received = received.slice(end);
    deliver(event.queryStringParameters, socket);
  });
});

function deliver({ id, plan }, socket) {
  counts[id] ??= { received: 0, ran: 0 };
  const [, run, trouble] = /^(run-)?(.*)$/.exec(plan.split(" ")[counts[id].received++] ?? "run-answer");
  if (run) counts[id].ran++;
  const reply = (status, body, headers = {}) => {
    const fields = Object.entries({ ...headers, "Content-Length": body.length });
    socket.write(`HTTP/1.1 ${status} \r\n${fields.map((field) => `${field.join(": ")}\r\n`).join("")}\r\n${body}`);
  };
  const refuse = (status, name, headers) => reply(status, '{"Message":"no"}', { ...headers, "X-Amzn-ErrorType": name });
  TROUBLES[trouble]({ id, socket, reply, refuse });
}

function result(id, statusCode = 200) {
  return JSON.stringify({ statusCode, body: id });
}

let port = 0;
function listen() {
  server.listen({ port, host: "127.0.0.1", backlog: 1024 });
}

// After a restart, another connection may sit on the port for a moment.
server.on("error", () => setTimeout(listen, 5));
server.once("listening", () => {
  port = server.address().port;
  process.send({ port });
});
listen();

// Asked for its counts, it first takes in what is still on the way.
process.on("message", () => {
  const begin = performance.now();
  const report = () => {
    if (sockets.size > 0 && performance.now() - begin < GRACE_MS) return setTimeout(report, 10);
    process.send({ counts, sockets: sockets.size });
    counts = {};
  };
  report();
});
process.on("disconnect", () => process.exit());
