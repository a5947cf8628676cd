// Holds many calls in flight from the built package, against a server that fails in every way there is, and checks what
// the package promises: that every call ends, that what can't be repeated runs once at most, that an outcome is the
// truth, that nothing is left behind. Which troubles a call has follows from --seed and the call's number.
import { fork } from "node:child_process";
import { createHash } from "node:crypto";
import { subscribe } from "node:diagnostics_channel";
import { getEventListeners, once } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import { parseArgs } from "node:util";
import { InvokeError, LambdaRequestsError, LambdaResponse, Session } from "../dist/index.js";

const { values: given } = parseArgs({
  options: {
    seconds: { type: "string", default: "120" },
    "in-flight": { type: "string", default: "200" },
    seed: { type: "string", default: "1" },
    // While the server is down, its port may be anybody's.
    steady: { type: "boolean", default: false },
  },
});
const [seconds, inFlight, seed] = [given.seconds, given["in-flight"], given.seed].map(Number);

// What a round keeps is a few hundred bytes a call; the counts of a round are checked and forgotten.
const ROUND_S = 30;
const WARM_UP_S = Math.min(5, seconds / 4);
// Far longer than the slowest call: six attempts of 100 ms, or a time limit of half a second.
const HANG_MS = 30_000;
const MAX_GROWTH_MB = 4;
// Under these troubles a session's quota of retries runs dry: each gets some calls, and is closed after the last.
const CALLS_A_SESSION = 200;
const SESSIONS_AT_A_TIME = 10;

const METHODS = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "POST", "PATCH", "POST", "PATCH"];
/** How often what happens to a delivery, by the names of soak-server.mjs; behind `run-`, the function has run. */
const TROUBLES = bag({
  ...{
    "run-answer": 500,
    "run-slow": 100,
    "run-unavailable": 30,
    "run-close": 40,
    "run-restart": given.steady ? 0 : 1,
  },
  ...{ "run-crash": 30, "run-text": 10, "run-half": 20, "run-500": 20, "run-503": 20, "run-reset": 30 },
  ...{ throttle: 40, hint: 20, ec2: 20, 403: 10, 404: 10, 409: 10, 500: 20, 502: 20, reset: 30, garbage: 10 },
});
/** For calls with a limit; the others would wait for ever. */
const TROUBLES_AND_STALLS = [...TROUBLES, ...bag({ stall: 30, "run-stall": 30 })];

// The developer's own settings have no part in this.
for (const name of Object.keys(process.env)) if (name.startsWith("AWS_")) delete process.env[name];
Object.assign(process.env, { AWS_CONFIG_FILE: "/nonexistent", AWS_SHARED_CREDENTIALS_FILE: "/nonexistent" });
const surprises = [];
process.on("unhandledRejection", (error) => surprises.push(error));
process.on("warning", (warning) => surprises.push(warning));
let openSockets = 0;
subscribe("net.client.socket", ({ socket }) => {
  openSockets++;
  socket.once("close", () => openSockets--);
});

const server = fork(new URL("soak-server.mjs", import.meta.url), { execArgv: [] });
// Its stack is on the terminal.
server.once("exit", (code) => code !== 0 && process.exit(1));
const [{ port }] = await once(server, "message");
// Never aborted, and listened to by many calls.
const { signal: shared } = new AbortController();
const resources = process.getActiveResourcesInfo().sort().join();

/** Of the calls of an outcome: how many ran never, once, more often. */
const outcomes = Object.fromEntries(
  ["response", "function error", "not-started", "unknown", "aborted"].map((outcome) => [outcome, [0, 0, 0]]),
);
const tally = { calls: 0, retries: 0, received: 0, ran: 0, completed: 0, ranUnknown: 0 };
/** By promise: the calls that broke it. */
const promises = new Map();
let nextId = 1;

const begin = performance.now();
await round(WARM_UP_S);
const before = heap();
for (let left = seconds - WARM_UP_S; left > 0; left -= ROUND_S) await round(Math.min(left, ROUND_S));
const elapsed = (performance.now() - begin) / 1000;
const after = heap();
server.disconnect();
report();
process.exit([...promises.values()].some(({ length }) => length > 0) ? 1 : 0);

/** Some seconds of calls, after which nothing may be left of them. */
async function round(length) {
  const end = performance.now() + length * 1000;
  const calls = [];
  const pool = sessionPool();
  const worker = async () => {
    while (performance.now() < end) {
      const call = plan(nextId++);
      calls.push(call);
      await pool.use((session) => make(call, session));
    }
  };
  const workers = Promise.all(Array.from({ length: inFlight }, worker));
  const watchdog = setTimeout(() => abandon(calls), length * 1000 + HANG_MS);
  await workers;
  clearTimeout(watchdog);
  await pool.close();
  server.send("report");
  const [{ counts, sockets }] = await once(server, "message");
  for (let turns = 0; turns < 10; turns++) await turn();
  check(calls, counts);
  promise("after close() no socket is left, on either side", sockets + openSockets === 0, `${sockets}, ${openSockets}`);
  const left = process.getActiveResourcesInfo().sort().join();
  promise("after close() no timer or handle is left", left === resources, left);
  const listeners = getEventListeners(shared, "abort").length;
  promise("no listener is left on a signal that many calls shared", listeners === 0, listeners);
}

function sessionPool() {
  const open = [];
  const make = (index) => {
    // Every other one lets its calls wait for sockets.
    const maxSockets = index % 2 === 0 ? undefined : Math.max(1, Math.floor((inFlight / SESSIONS_AT_A_TIME) * 0.75));
    const session = new Session({
      ...{ endpoint: `http://127.0.0.1:${port}`, region: "eu-west-1", maxSockets },
      credentials: { accessKeyId: "soak", secretAccessKey: "soak" },
      retry: { attempts: 3, maxDelay: 20 },
      hooks: { onRetry: () => void tally.retries++ },
    });
    return { session, left: CALLS_A_SESSION, pending: 0 };
  };
  let next = 0;
  return {
    async use(call) {
      const index = next++ % SESSIONS_AT_A_TIME;
      if (!(open[index]?.left > 0)) open[index] = make(index);
      const current = open[index];
      current.left--;
      current.pending++;
      await call(current.session);
      if (--current.pending === 0 && current.left === 0) await current.session.close();
    },
    close: () => Promise.all(open.map(({ session }) => session.close())),
  };
}

/** What to call and how, and what the server is to do at each delivery. */
function plan(id) {
  const random = generator(`${seed} ${id}`);
  const chance = (probability) => random() < probability;
  const oneOf = (list) => list[Math.floor(random() * list.length)];
  const method = oneOf(METHODS);
  const timeout = chance(0.3) ? 1 + random() * 500 : undefined;
  const abortAfter = chance(0.2) ? random() * 200 : undefined;
  const troubles = timeout === undefined && abortAfter === undefined ? TROUBLES : TROUBLES_AND_STALLS;
  const retry = {
    ...(chance(0.2) && { attempts: 1 + Math.floor(random() * 6) }),
    ...(chance(0.1) && { unsafe: true }),
    ...(chance(0.1) && { statuses: [503] }),
  };
  const options = {
    params: { id, plan: Array.from({ length: 6 }, () => oneOf(troubles)).join(" ") },
    ...(method.startsWith("P") && (chance(0.2) ? { data: new Blob([method]).stream() } : { json: { id } })),
    ...(timeout !== undefined && { timeout }),
    retry: chance(0.1) ? false : retry,
    functionErrors: oneOf(["throw", "response"]),
  };
  const reason = oneOf([new Error("enough"), "enough", null, undefined]);
  return { id, method, options, abortAfter, reason, isShared: chance(0.5) };
}

/** Makes the call and writes down what came of it. */
async function make(call, session) {
  const { id, method, options, abortAfter, reason, isShared } = call;
  const controller = abortAfter === undefined ? undefined : new AbortController();
  const timer = controller && setTimeout(() => controller.abort(reason), abortAfter);
  if (abortAfter < 10) controller.abort(reason);
  const signal = controller?.signal ?? (isShared ? shared : undefined);
  try {
    const response = await session.request(method, `http+lambda://soak/${id}`, { ...options, signal });
    describe(response);
    const text = await response.text();
    const isOwn = [String(id), "}{"].includes(text) || method === "HEAD" || call.outcome === "function error";
    if (!isOwn) call.problem = `the answer of another call: ${text}`;
  } catch (error) {
    if (controller?.signal.aborted && error === controller.signal.reason) call.outcome = "aborted";
    else if (error instanceof InvokeError) Object.assign(call, { outcome: error.outcome, attempts: error.attempts });
    else if (error instanceof LambdaRequestsError && error.response) describe(error.response);
    else call.problem = `ended with ${error}`;
  } finally {
    clearTimeout(timer);
  }

  function describe(response) {
    if (!(response instanceof LambdaResponse)) call.problem = `no LambdaResponse: ${response}`;
    const { functionError, attempts } = response.invocation;
    Object.assign(call, { outcome: functionError === undefined ? "response" : "function error", attempts });
  }
}

function check(calls, counts) {
  tally.ran += Object.values(counts).filter(({ ran }) => ran > 0).length;
  for (const { id, method, outcome, attempts, problem, options } of calls) {
    const { received, ran } = counts[id] ?? { received: 0, ran: 0 };
    delete counts[id];
    const limit = options.retry === false ? 1 : (options.retry.attempts ?? 3);
    const isCompleted = outcome === "response" || outcome === "function error";
    const mayRepeat = (method !== "POST" && method !== "PATCH") || options.retry.unsafe === true;
    const seen = `${attempts}/${limit} attempts, received ${received}, ran ${ran}`;
    const facts = `${id} (${method} ${options.params.plan}: ${outcome}, ${seen}; ${problem})`;
    promise("every call ends, with its own answer, our error or its abort's reason", !problem, facts);
    promise("a POST or PATCH that is not unsafe runs once at most", mayRepeat || ran <= 1, facts);
    promise("what has not started did not run", outcome !== "not-started" || ran === 0, facts);
    promise("what was answered, or failed as a function, ran", !isCompleted || ran >= 1, facts);
    promise("no more attempts than allowed", (attempts ?? 1) <= limit, facts);
    promise("no more deliveries than attempts", received <= (attempts ?? limit), facts);
    tally.calls++;
    tally.received += received;
    if (isCompleted) tally.completed++;
    else if (ran > 0) tally.ranUnknown++;
    if (outcome !== undefined) outcomes[outcome][Math.min(ran, 2)]++;
  }
  promise("every delivery is of a call that was made", Object.keys(counts).length === 0, Object.keys(counts));
}

function promise(text, isKept, facts) {
  if (!promises.has(text)) promises.set(text, []);
  if (!isKept) promises.get(text).push(facts);
}

function abandon(calls) {
  const hanging = calls.filter(({ outcome, problem }) => outcome === undefined && problem === undefined);
  console.log(`FAILED every call ends: ${hanging.length} hang, such as`, hanging.slice(0, 3));
  process.exit(1);
}

function report() {
  const { calls, retries, received, ran, completed, ranUnknown } = tally;
  const sum = `${ran} = ${completed} completed + ${ranUnknown} unknown or aborted`;
  promise("the calls that ran are the completed and some unknown or aborted", ran === completed + ranUnknown, sum);
  promise(`the heap is where it was, within ${MAX_GROWTH_MB} MB`, after - before < MAX_GROWTH_MB, after - before);
  promise("no rejection goes unhandled, and Node warns of nothing", surprises.length === 0, surprises);
  const row = (first, ...cells) => console.log(first.padEnd(16) + cells.map((cell) => `${cell}`.padStart(12)).join(""));
  console.log(`${inFlight} calls in flight for ${elapsed.toFixed(0)} s, seed ${seed}`);
  console.log(`${calls} calls, ${Math.round(calls / elapsed)} a second, ${retries} retries, ${received} deliveries`);
  console.log(`calls that ran: ${sum}`);
  console.log(`heap: ${before.toFixed(1)} MB after ${WARM_UP_S} s, ${after.toFixed(1)} MB at the end\n`);
  row("outcome", "calls", "ran never", "once", "more often");
  for (const [outcome, [never, once, more]] of Object.entries(outcomes)) {
    row(outcome, never + once + more, never, once, more);
  }
  console.log();
  for (const [text, failures] of promises) {
    console.log(`${failures.length === 0 ? "ok    " : "FAILED"} ${text}`);
    for (const facts of failures.slice(0, 3)) console.log("      ", facts);
    if (failures.length > 3) console.log(`       and ${failures.length - 3} more`);
  }
}

/** In MB, without garbage. */
function heap() {
  globalThis.gc();
  return process.memoryUsage().heapUsed / 1024 / 1024;
}

function bag(weights) {
  return Object.entries(weights).flatMap(([name, weight]) => Array(weight).fill(name));
}

/** Random numbers that follow from a text. */
function generator(text) {
  const bytes = createHash("shake256", { outputLength: 256 }).update(text).digest();
  let next = 0;
  return () => bytes.readUInt32LE(4 * next++) / 2 ** 32;
}
