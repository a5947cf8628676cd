/** Whether processes live, for the tests of what is to end with their environment. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    // One that has ended, and whose new parent has not heard of it yet.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return process.platform !== "linux";
  }
}

/** Until it has ended: a kernel does not do that at once. */
export async function hasEnded(pid: number): Promise<void> {
  while (isRunning(pid)) await delay(5);
}

/** Can this machine run it? */
export function canRun(command: string): boolean {
  return spawnSync(command, ["--version"]).status === 0;
}

/** A server at which functions wait, and which says how many have come. */
export interface Meeting {
  readonly port: number;
  /** The next one that has come. */
  arrival(): Promise<Socket>;
  close(): void;
}

export async function openMeeting(): Promise<Meeting> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const arrived: Socket[] = [];
  const waiting: ((socket: Socket) => void)[] = [];
  server.on("connection", (socket) => {
    socket.on("error", () => undefined);
    const next = waiting.shift();
    if (next === undefined) arrived.push(socket);
    else next(socket);
  });
  return {
    port: (server.address() as AddressInfo).port,
    arrival() {
      const socket = arrived.shift();
      return socket === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(socket);
    },
    close: () => void server.close(),
  };
}
