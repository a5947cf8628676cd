// Node.js functions that stream, for the tests of execution environments.
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

const { streamifyResponse, HttpResponseStream } = awslambda;

export const handler = streamifyResponse(async (event, stream) => {
  for (const piece of event.pieces) stream.write(piece);
  stream.end();
});

/** Writes its second piece when a server says so. */
export const stepwise = streamifyResponse(
  async ({ port }, stream) => {
    stream.write("first ");
    const socket = connect(port, "127.0.0.1");
    socket.resume();
    await once(socket, "close");
    stream.write("second");
    stream.end();
  },
  { highWaterMark: 1024 },
);

export const http = streamifyResponse(async (_event, stream) => {
  const body = HttpResponseStream.from(stream, { statusCode: 201, headers: { "content-type": "text/plain" } });
  body.write("hello");
  body.end();
});

export const empty = streamifyResponse(async (_event, stream) => stream.end());

export const failing = streamifyResponse(async ({ pieces }, stream) => {
  for (const piece of pieces) stream.write(piece);
  await delay(1);
  throw new RangeError("midway");
});

export const unended = streamifyResponse(async (_event, stream) => {
  stream.write("and then");
});

export const sync = streamifyResponse((_event, stream) => stream.end("x"));

export const exiting = streamifyResponse(async (_event, stream) => {
  stream.write("and then");
  await delay(20);
  process.exit(3);
});

export const hanging = streamifyResponse(async (_event, stream) => {
  stream.write("and then");
  await delay(60_000);
});

/** Says how much it could write before it had to wait, and then writes it all. */
export const much = streamifyResponse(async ({ megabytes }, stream) => {
  const piece = Buffer.alloc(64 * 1024, "m");
  for (let i = 0; i < megabytes * 16; i++) {
    console.log(`piece ${i}`);
    if (!stream.write(piece)) await once(stream, "drain");
  }
  stream.end();
  console.log("all written");
});

export const context = streamifyResponse(async (_event, stream, given) => {
  stream.end(JSON.stringify({ ...given, remaining: given.getRemainingTimeInMillis() }));
});
