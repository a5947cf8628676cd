// A process that has an environment, and is ended from outside. It is told where to find the runner, and by whom it is called.
const [, , runner, file, port] = process.argv;
const { environmentRunner } = await import(runner);
const run = environmentRunner({
  functionName: "orphan",
  version: "$LATEST",
  region: "us-east-1",
  accountId: "000000000000",
  program: file.startsWith("command:") ? { command: file.slice("command:".length) } : { file, handler: "orphan" },
  timeout: 600_000,
  memorySize: 128,
  concurrency: 1,
  endpoint: () => "http://127.0.0.1:2",
  environment: {},
  quiet: true,
});
await run.run({
  target: { functionName: "orphan" },
  payload: Buffer.from(JSON.stringify({ port: Number(port) })),
  logs: false,
  request: { method: "GET", url: "" },
  requestId: "00000000-0000-4000-8000-000000000000",
  traceId: "Root=1",
});
