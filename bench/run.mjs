// Times the built package against AWS's SDK and a bare POST: each contestant in processes of its own, in shuffled order, on
// one local server. Prints the median of several processes, and ratios, which are what a reader on another machine can use.
import { fork } from "node:child_process";
import { readdirSync } from "node:fs";
import { cpus } from "node:os";

const CALLS = 4000;
const IN_FLIGHT = 32;
const ROUNDS = 5;

if (process.argv[2] === "--contestant") await measure(process.argv[3], process.argv[4]);
else await compare();

async function measure(file, endpoint) {
  const begin = performance.now();
  const { name, prepare } = await import(`./contestants/${file}`);
  const call = await prepare(endpoint);
  if ((await call()) !== "A-1") throw new Error(`${name} gives a wrong answer`);
  const cold = performance.now() - begin;
  await many(call, CALLS / 2);
  const cpu = process.cpuUsage();
  await many(call, CALLS);
  const { user, system } = process.cpuUsage(cpu);
  process.send({ name, cold, warm: (user + system) / CALLS });
  process.exit();
}

async function many(call, count) {
  let left = count;
  await Promise.all(
    Array.from({ length: IN_FLIGHT }, async () => {
      while (left-- > 0) await call();
    }),
  );
}

async function compare() {
  const server = fork(new URL("server.mjs", import.meta.url));
  const port = await new Promise((resolve) => server.once("message", resolve));
  const endpoint = `http://127.0.0.1:${port}`;
  const files = readdirSync(new URL("contestants", import.meta.url));
  const results = new Map();
  for (let round = 0; round < ROUNDS; round++) {
    for (const file of files.sort(() => Math.random() - 0.5)) {
      const { name, ...times } = await contest(file, endpoint);
      results.set(name, [...(results.get(name) ?? []), times]);
    }
  }
  server.disconnect();
  const rows = [...results].map(([name, runs]) => ({
    name,
    warm: median(runs.map(({ warm }) => warm)),
    spread: Math.max(...runs.map(({ warm }) => warm)) / Math.min(...runs.map(({ warm }) => warm)),
    cold: median(runs.map(({ cold }) => cold)),
  }));
  const sdk = rows.find(({ name }) => name.startsWith("@aws-sdk"));
  console.log(`Node ${process.version}, ${cpus()[0]?.model}, ${IN_FLIGHT} in flight, median of ${ROUNDS} processes\n`);
  console.log("| | CPU a call | of the SDK's | spread | import and first call | of the SDK's |");
  console.log("|---|---|---|---|---|---|");
  for (const { name, warm, spread, cold } of rows.sort((a, b) => a.warm - b.warm)) {
    const ratios = [`${(warm / sdk.warm).toFixed(2)} ×`, `${(cold / sdk.cold).toFixed(2)} ×`];
    console.log(
      `| ${name} | ${warm.toFixed(0)} µs | ${ratios[0]} | ${spread.toFixed(2)} | ${cold.toFixed(0)} ms | ${ratios[1]} |`,
    );
  }
}

function contest(file, endpoint) {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, AWS_ACCESS_KEY_ID: "bench", AWS_SECRET_ACCESS_KEY: "bench", NODE_NO_WARNINGS: "1" };
    const child = fork(new URL(import.meta.url), ["--contestant", file, endpoint], { env });
    child.once("message", resolve);
    child.once("exit", (code) => code === 0 || reject(new Error(`${file} exited with ${code}`)));
  });
}

function median(values) {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
}
