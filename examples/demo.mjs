// `npm run demo`: functions behind a local Lambda API, called as if they were web servers. No AWS account is needed.
import { connect, createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { Session } from "lambda-requests";
import { Emulator } from "lambda-requests/emulator";

const file = (name) => fileURLToPath(new URL(`functions/${name}`, import.meta.url));
let failures = 0;

const emulator = await Emulator.start({
  functions: {
    orders: file("express.mjs"),
    greeter: file("hono.mjs"),
    chat: file("chat.mjs"),
    broken: file("broken.mjs"),
  },
  // What the functions log is shown below, where it belongs.
  quiet: true,
});
const session = new Session({ endpoint: emulator.endpoint, region: "us-east-1", logs: true });

console.log("lambda-requests: functions as web servers");
console.log(`A local Lambda API listens on ${emulator.endpoint}. Behind it:`);
console.log("  orders   Express behind serverless-http");
console.log("  greeter  Hono behind hono/aws-lambda");
console.log("  chat     Hono, streaming server-sent events");
console.log("  broken   a bare handler that throws\n");

await show("A GET with a query", "GET", "http+lambda://orders/items", { params: { limit: 1 } }, async (r) => {
  expect(r.status, 200);
  expect(await r.text(), '{"items":["tea"]}');
});

await show("A path with a name in it", "GET", "http+lambda://greeter/hello/Zo%C3%AB", {}, async (r) => {
  expect(r.status, 200);
  expect(await r.text(), "Hello, Zoë!\n");
});

await show("A form", "POST", "http+lambda://orders/items", { data: { sku: "A-1", note: "no sugar" } }, async (r) => {
  expect(r.status, 201);
  expect(r.headers.get("location"), "/items/42");
  expect(await r.json(), { id: 42, sku: "A-1", note: "no sugar" });
});

await show("JSON", "POST", "http+lambda://greeter/sum", { json: { numbers: [1, 2, 3] } }, async (r) => {
  expect(r.status, 200);
  expect(await r.json(), { sum: 6 });
});

const picture = crypto.getRandomValues(new Uint8Array(60_000));
await show(
  "Bytes up and down, compared one by one",
  "PUT",
  "http+lambda://orders/picture",
  { data: picture, headers: { "Content-Type": "image/png" } },
  async (r) => {
    expect(r.headers.get("content-type"), "image/png");
    expect(Buffer.compare(await r.clone().bytes(), picture), 0);
  },
);

await show("A download", "GET", "http+lambda://greeter/download", {}, async (r) => {
  const bytes = await r.clone().bytes();
  expect(bytes.length, 100_000);
  expect(
    bytes.every((byte, i) => byte === i % 256),
    true,
  );
});

await show("Two cookies, which stay two", "GET", "http+lambda://orders/login", {}, async (r) => {
  expect(r.headers.getSetCookie(), ["session=abc123; Path=/; HttpOnly", "theme=dark; Path=/"]);
});

await show("The session sends them back, along a redirect", "GET", "http+lambda://orders/account", {}, async (r) => {
  expect(r.url, "http+lambda://orders/account/cookies");
  expect(
    r.history.map(({ status }) => status),
    [302],
  );
  expect(await r.json(), { cookie: "session=abc123; theme=dark" });
});

await show("A page that is not there", "GET", "http+lambda://greeter/nowhere", {}, async (r) => {
  expect(r.status, 404);
  expect(await r.text(), "404 Not Found");
});

await show(
  "A function that fails is a 502, with its error and its log",
  "GET",
  "http+lambda://broken/pay",
  {},
  async (r) => {
    expect(r.status, 502);
    expect(await r.text(), "the card reader is on fire");
    expect(r.invocation.functionError?.errorType, "RangeError");
    expect(r.invocation.logs?.includes("charging the card for /pay"), true);
  },
);

await showStream("An answer that streams, token by token", "http+lambda://chat/ask", { question: "Why?" });

console.log("At most once: a server in between reads a request and drops the connection.");
console.log("Did the function run? Nobody can know.\n");
await showLoss("A GET is sent again", "GET", "2 requests arrived; the answer is 200, after 2 attempts");
await showLoss("A POST is not", "POST", "1 request arrived; the function may have run: outcome unknown");

await session.close();
await emulator.close();
console.log(failures === 0 ? "All answers are as expected." : `${failures} answers are not as expected.`);
process.exitCode = failures === 0 ? 0 : 1;

/** Prints a call and its answer, and whether it is the one expected. */
async function show(title, method, url, options, check) {
  console.log(`# ${title}`);
  try {
    const response = await session.request(method, url, options);
    const copy = response.clone();
    console.log(`  ${method} ${response.url}`);
    console.log(`  ${response.status} ${response.statusText}  ${response.headers.get("content-type") ?? ""}`);
    for (const cookie of response.headers.getSetCookie()) console.log(`  set-cookie: ${cookie}`);
    console.log(`  ${await describe(copy)}`);
    const { functionError, logs = "" } = response.invocation;
    if (functionError !== undefined) {
      console.log(`  ${functionError.errorType}: ${functionError.errorMessage}`);
      for (const line of logs.trimEnd().split("\n")) console.log(`  | ${shorten(readable(line))}`);
    }
    await check(response);
    console.log("  as expected\n");
  } catch (error) {
    failures++;
    console.log(`  NOT AS EXPECTED: ${error.message}\n`);
  }
}

/** Prints each event of a stream when it comes, and how long after the call. */
async function showStream(title, url, json) {
  console.log(`# ${title}\n  POST ${url}`);
  const begin = performance.now();
  const since = () => `${String(Math.round(performance.now() - begin)).padStart(4)} ms`;
  const response = await session.post(url, { json, responseStreaming: true });
  const { status, headers } = response;
  console.log(`  ${status} ${response.statusText}  ${headers.get("content-type")}, after ${since().trim()}`);
  let answer = "";
  for await (const { data } of response.events()) {
    answer += data;
    console.log(`  ${since()}  ${JSON.stringify(data)}`);
  }
  const wanted = "You asked: Why? A good question.";
  if (answer !== wanted) failures++;
  console.log(answer === wanted ? "  as expected\n" : `  NOT AS EXPECTED: ${wanted}\n`);
}

/** Drops the first connection once a request has come over it; passes the others on. */
async function showLoss(title, method, wanted) {
  console.log(`# ${title}`);
  let requests = 0;
  const between = createServer((socket) => {
    socket.once("data", (data) => {
      if (requests++ === 0) return socket.destroy();
      relay(socket, data);
    });
    socket.on("error", () => {});
  });
  await new Promise((listening) => between.listen(0, "127.0.0.1", listening));
  const lossy = new Session({ endpoint: `http://127.0.0.1:${between.address().port}`, region: "us-east-1" });
  const outcome = await lossy.request(method, "http+lambda://orders/items").then(
    ({ status, invocation }) => `the answer is ${status}, after ${invocation.attempts} attempts`,
    (error) => `the function may have run: outcome ${error.outcome}`,
  );
  await lossy.close();
  between.close();
  const seen = `${requests} request${requests === 1 ? "" : "s"} arrived; ${outcome}`;
  console.log(`  ${method} http+lambda://orders/items\n  ${seen}`);
  if (seen !== wanted) failures++;
  console.log(seen === wanted ? "  as expected\n" : `  NOT AS EXPECTED: ${wanted}\n`);
}

function relay(socket, data) {
  const { hostname, port } = new URL(emulator.endpoint);
  const onward = connect(Number(port), hostname, () => onward.write(data));
  onward.on("error", () => socket.destroy());
  socket.on("close", () => onward.destroy());
  socket.pipe(onward).pipe(socket);
}

async function describe(response) {
  const bytes = await response.bytes();
  const type = response.headers.get("content-type") ?? "";
  if (/^(text|application\/json)/.test(type)) return shorten(Buffer.from(bytes).toString("utf8").trim());
  return `${bytes.length} bytes, beginning with ${Buffer.from(bytes.subarray(0, 8)).toString("hex")}`;
}

/** A log line that fits: its id short, its tabs as spaces. */
function readable(line) {
  return line.replace(/([0-9a-f]{8})(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "$1…").replaceAll("\t", " ");
}

function shorten(line) {
  return line.length > 74 ? `${line.slice(0, 73)}…` : line;
}

function expect(actual, wanted) {
  if (JSON.stringify(actual) !== JSON.stringify(wanted)) {
    throw new Error(`${JSON.stringify(actual)} instead of ${JSON.stringify(wanted)}`);
  }
}
