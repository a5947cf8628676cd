// Node.js functions for the tests of execution environments, as an ES module. Each export is a function of its own.
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

let count = 0;

export const handler = async (event) => event;
export const counting = async () => ({ count: ++count, pid: process.pid });
export const environment = async () => process.env;
export const place = async () => ({ cwd: process.cwd(), zone: Intl.DateTimeFormat().resolvedOptions().timeZone });

export const context = async (_event, given) => ({
  ...given,
  remaining: given.getRemainingTimeInMillis(),
  trace: process.env._X_AMZN_TRACE_ID,
  keys: Object.keys(given),
});

/** Until another process lets it go on. */
export const meeting = async ({ port }) => {
  const { connect } = await import("node:net");
  return new Promise((resolve, reject) => {
    connect(port, "127.0.0.1")
      .on("error", reject)
      .on("close", () => resolve("met"))
      .resume();
  });
};

export const sync = () => ({ a: 1 });
export const nothing = () => undefined;
export const undef = async () => undefined;
export const never = async () => new Promise(() => undefined);
export const neverCalling = (_event, _context, _callback) => undefined;
export const byCallback = (event, _context, callback) => callback(null, event);
export const lateCallback = (event, _context, callback) => void setTimeout(callback, 20, null, event);
export const failingCallback = (_event, _context, callback) => callback(new TypeError("by callback"));
export const twice = (_event, _context, callback) => {
  callback(null, 1);
  callback(new Error("too late"));
};
export const succeed = (event, given) => given.succeed(event);
export const done = (event, given) => given.done(null, event);
export const fail = (_event, given) => given.fail(new RangeError("by context"));
export const waiting = ({ wait }, given, callback) => {
  given.callbackWaitsForEmptyEventLoop = wait;
  setTimeout(() => console.log("the loop is empty"), 100);
  callback(null, "answered");
};
export const nested = { deeper: { handler: async () => "found" } };
export const text = "no function";

export const failing = async () => {
  console.log("about to fail");
  throw Object.assign(new TypeError("bad ü"), { code: "E_BAD" });
};
export const throwing = () => {
  throw "mere text";
};
export const big = async ({ bytes }) => "a".repeat(bytes - 2);
export const unserialisable = async () => ({ a: 1n });
export const exiting = async ({ status }) => process.exit(status);
export const aborting = async () => process.abort();
export const killed = async ({ signal }) => {
  process.kill(process.pid, signal);
  await delay(10_000);
};
export const uncaught = async () => {
  setImmediate(() => {
    throw new RangeError("nobody catches it");
  });
  await delay(10_000);
};
export const unhandled = async () => {
  void Promise.reject(new RangeError("nobody handles it"));
  await delay(10_000);
};
/** Ends when it has answered. */
export const afterwards = async () => {
  setTimeout(() => process.exit(7), 20);
  return process.pid;
};
export const busy = async () => {
  console.log("busy from now on");
  for (;;);
};
export const slow = async ({ milliseconds }) => delay(milliseconds, process.pid);
export const buffers = async ({ megabytes }) => {
  const all = [];
  for (let i = 0; i < megabytes; i++) {
    all.push(Buffer.alloc(1024 * 1024, 1));
    await delay(1);
  }
  return all.length;
};
/** So fast that nobody has seen it before it is over. */
export const burst = async ({ megabytes }) => Buffer.alloc(megabytes * 1024 * 1024, 1).length;
export const heap = async () => {
  const all = [];
  for (;;) all.push({ all });
};

export const printing = async ({ lines }) => {
  for (const line of lines) console.log(line);
};
export const levels = async () => {
  console.debug("a %s", "debug");
  console.info({ an: "info" });
  console.warn("a warning\nof two lines");
  console.error("an error");
  process.stdout.write("bare\n");
  process.stderr.write("on stderr\n");
};
/** Prints behind its answer. */
export const chatty = (_event, given, callback) => {
  given.callbackWaitsForEmptyEventLoop = false;
  setTimeout(() => console.log("between"), 0);
  callback(null, null);
};
export const flooding = async () => {
  const line = "flood ".repeat(200);
  for (;;) console.log(line);
};
export const lastWords = async () => {
  for (let i = 0; i < 5000; i++) console.log(`line ${i} ${"x".repeat(50)}`);
  process.exit(1);
};

/** Starts a process that would live on. */
export const parent = async () => {
  const child = spawn("sleep", ["600"], { stdio: "ignore", detached: false });
  return { pid: process.pid, child: child.pid };
};
/** The same, and then it hears of nothing any more. */
export const orphan = async ({ port }) => {
  const { connect } = await import("node:net");
  const child = spawn("sleep", ["600"], { stdio: "ignore" });
  await new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.end(`${process.pid} ${child.pid}\n`).on("close", resolve).resume();
  });
  for (;;);
};
/** Nothing of it is left in the loop, but a server that listens. */
export const listening = (_event, given, callback) => {
  given.callbackWaitsForEmptyEventLoop = false;
  createServer().listen(0);
  callback(null, "listening");
};
