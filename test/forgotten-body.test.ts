/** A body that nobody holds any more: its connection is closed when the garbage collector comes by. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const SCRIPT = `
import { setImmediate as turn } from "node:timers/promises";
import { Session } from "lambda-requests";
import { Emulator } from "lambda-requests/emulator";

const stopped = { forgotten: false, held: false };
const endless = awslambda.streamifyResponse(async (event, stream) => {
  const name = event.path.slice(1);
  stream.once("close", () => { stopped[name] = true; });
  while (!stream.destroyed) {
    if (!stream.write(Buffer.alloc(16384))) await new Promise((go) => { stream.once("drain", go); stream.once("close", go); });
  }
});
const emulator = await Emulator.start({ functions: { endless }, quiet: true });
const session = new Session({ endpoint: emulator.endpoint, region: "us-east-1", responseStreaming: true });
// A signal that lives on must not hold the one that is forgotten.
const { signal } = new AbortController();
const get = (name) => session.get("http+lambda://endless/" + name, { signal });

const statuses = [(await get("forgotten")).status];
// Only the stream is held, as a pipe or a reader would.
const { body } = await get("held");
for (let turns = 0; !stopped.forgotten && turns < 2000; turns++) {
  gc();
  await turn();
}
const first = (await body.getReader().read()).value.length > 0;
console.log(JSON.stringify({ statuses, ...stopped, first }));
await session.close();
await emulator.close();
`;

test("is given up; one whose stream somebody holds is not", async () => {
  const args = ["--expose-gc", "--input-type=module", "--eval", SCRIPT];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, {
    cwd: join(import.meta.dirname, ".."),
  });
  expect(stderr).toBe("");
  expect(JSON.parse(stdout)).toEqual({ statuses: [200], forgotten: true, held: false, first: true });
});
