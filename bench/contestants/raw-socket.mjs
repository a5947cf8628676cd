import { connect } from "node:net";
import { GET, makeEvent } from "../event.mjs";

const END = Buffer.from("\r\n0\r\n\r\n");

/** The least that a stream can cost: the bytes are counted as they come, and nothing is made of them. */
export function prepare(endpoint) {
  const { hostname, port, host } = new URL(endpoint);
  const payload = JSON.stringify(makeEvent(GET));
  const socket = connect({ host: hostname, port, noDelay: true });
  return {
    stream(name) {
      const head = [
        `POST /2021-11-15/functions/open-${name}/response-streaming-invocations HTTP/1.1`,
        `Host: ${host}`,
        "Content-Type: application/json",
        `Content-Length: ${Buffer.byteLength(payload)}`,
      ];
      socket.write(`${head.join("\r\n")}\r\n\r\n${payload}`);
      return new Promise((resolve, reject) => {
        let first;
        // Of head, frames and body.
        let size = 0;
        let tail = Buffer.alloc(0);
        const read = (piece) => {
          first ??= performance.now();
          size += piece.length;
          tail = piece.length < END.length ? Buffer.concat([tail, piece]) : piece;
          tail = tail.subarray(-END.length);
          if (!tail.equals(END)) return;
          socket.off("data", read).off("error", reject);
          resolve({ first, size });
        };
        socket.on("data", read).on("error", reject);
      });
    },
  };
}
