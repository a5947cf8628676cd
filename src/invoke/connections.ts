/** The connections to one origin: which is free, which call waits for one, and how long a free one is kept. */
import { type Connection, type Origin, openConnection } from "./connection.ts";

/** A call that wants a connection. */
export interface Caller {
  /** It has one. */
  onConnection(connection: Connection): void;
  /** There will be none. */
  onFailure(error: Error): void;
}

export interface Connections {
  /** Gives the caller a connection, at once if one is free. */
  take(caller: Caller): void;
  /** The caller, which has no connection yet, wants none any more. */
  leave(caller: Caller): void;
  /** Closes all of them. Whoever has one, or waits for one, fails. */
  close(reason: Error): void;
}

// A free connection that the server closes just as a POST is written is a call of unknown outcome. Lambda keeps free
// connections longer than this, and a server that says how long gets a second less.
const FREE_MS = 20_000;
const HINT_MARGIN_MS = 1_000;

/** @param maxSockets How many at a time. */
export function createConnections(origin: Origin, maxSockets: number, timeout: number): Connections {
  const all = new Set<Connection>();
  /** The one that was used last is at the end, and is taken first: the others may go. */
  const free: Connection[] = [];
  const waiting: Caller[] = [];
  const connecting = new Map<Caller, Connection>();
  let session: Buffer | undefined;

  function open(caller: Caller): void {
    const opened = openConnection(
      origin,
      { timeout, session },
      {
        onConnect(connection) {
          connecting.delete(caller);
          caller.onConnection(connection);
        },
        onFree,
        onClose(connection, reason) {
          all.delete(connection);
          remove(free, connection);
          if (reason !== undefined) session = undefined;
          if (reason !== undefined && connecting.delete(caller)) caller.onFailure(reason);
          const next = all.size < maxSockets ? waiting.shift() : undefined;
          if (next !== undefined) open(next);
        },
        onSession(given) {
          session = given;
        },
      },
    );
    all.add(opened);
    connecting.set(caller, opened);
  }

  function onFree(connection: Connection, hint: string | undefined): void {
    const limit = freeLimit(hint);
    const next = limit > 0 ? waiting.shift() : undefined;
    if (limit <= 0) connection.destroy();
    else if (next !== undefined) next.onConnection(connection);
    else {
      free.push(connection);
      connection.keep(limit);
    }
  }

  return {
    take(caller) {
      for (let connection = free.pop(); connection !== undefined; connection = free.pop()) {
        if (connection.reuse()) return caller.onConnection(connection);
      }
      if (all.size < maxSockets) open(caller);
      else waiting.push(caller);
    },
    leave(caller) {
      remove(waiting, caller);
      const connection = connecting.get(caller);
      connecting.delete(caller);
      connection?.destroy();
    },
    close(reason) {
      for (const caller of waiting.splice(0)) caller.onFailure(reason);
      for (const connection of all) connection.destroy(reason);
    },
  };
}

function remove<Item>(list: Item[], item: Item): void {
  const index = list.indexOf(item);
  if (index >= 0) list.splice(index, 1);
}

function freeLimit(keepAlive: string | undefined): number {
  const hint = /timeout=(\d+)/i.exec(keepAlive ?? "")?.[1];
  return hint === undefined ? FREE_MS : Math.min(FREE_MS, Number(hint) * 1000 - HINT_MARGIN_MS);
}
