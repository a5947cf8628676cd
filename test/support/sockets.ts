/** What tests look at behind a connection, and what they need of one. Each `undo` belongs into afterEach. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { vi } from "vitest";

/** A port that nobody listens on. One that was just closed may be another test's server in a moment. */
export const CLOSED_PORT = 2;

/** Has a server listen on a port of its own, until `undo`. */
export async function listening(server: Server): Promise<{ origin: string; undo: () => void }> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    undo() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The sockets that this process opens from now on, seen from the inside. */
export function watchClientSockets(): { sockets: Socket[]; undo: () => void } {
  const sockets: Socket[] = [];
  const onSocket = (message: unknown): void => void sockets.push((message as { socket: Socket }).socket);
  subscribe("net.client.socket", onSocket);
  return { sockets, undo: () => void unsubscribe("net.client.socket", onSocket) };
}

/** Takes every certificate. */
export function trustEverybody(): { undo: () => void } {
  const { NODE_TLS_REJECT_UNAUTHORIZED: before } = process.env;
  // Node warns of it, once.
  const emitWarning = vi.spyOn(process, "emitWarning").mockReturnValue();
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
  return {
    undo() {
      emitWarning.mockRestore();
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
    },
  };
}

/** Which timer runs on a connection: 00 is none, 02 that of the probes (proc_net_tcp.txt in Linux's documentation). */
export function tcpTimer(localPort: number, remotePort: number): string | undefined {
  const address = (port: number): string => `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const ends = `${address(localPort)} ${address(remotePort)}`;
  const lines = readFileSync("/proc/net/tcp", "utf8").split("\n");
  const fields = lines
    .find((line) => line.includes(ends))
    ?.trim()
    .split(/\s+/);
  return fields?.[5]?.slice(0, 2);
}
