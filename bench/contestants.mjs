// Who is timed, and in which parts.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { run } from "./child.mjs";

export const OURS = "lambda-requests";
export const SESSION = "lambda-requests, Session";
export const SDK = "@aws-sdk/client-lambda";
export const FLOOR = "bare undici POST, unsigned";
export const RAW = "raw socket";

const ALL = [
  { name: OURS, file: "lambda-requests.mjs", parts: ["cold", "warm", "large", "stream", "concurrency"] },
  { name: SESSION, file: "session.mjs", parts: ["cold", "warm", "concurrency"] },
  // Its SDK is the one that the built package finds for itself, which can't be in the same bundle.
  { name: "lambda-requests over the SDK", file: "sdk-invoker.mjs", parts: ["cold", "warm"], isBundled: false },
  { name: FLOOR, file: "undici.mjs", parts: ["cold", "warm", "large", "concurrency"] },
  { name: "bare undici POST, aws4", file: "undici-aws4.mjs", parts: ["cold", "warm"] },
  { name: SDK, file: "aws-sdk.mjs", parts: ["cold", "warm", "large", "stream", "concurrency"] },
  { name: "@lifeomic/alpha", file: "alpha.mjs", parts: ["cold", "warm"] },
  { name: "aws4fetch over Node's fetch", file: "aws4fetch.mjs", parts: ["cold", "warm"] },
  // More threads would wait for one another alone.
  { name: "Python's lambda-requests", file: "python.py", parts: ["cold", "warm"], isPython: true, mostInFlight: 32 },
  { name: RAW, file: "raw-socket.mjs", parts: ["stream"], isRaw: true },
];

const PYTHON = "python3";
const VERSIONS = "import sys, boto3, lambda_requests; print(sys.version.split()[0], 'with boto3', boto3.__version__)";
const { status, stdout } = spawnSync(PYTHON, ["-c", VERSIONS], { encoding: "utf8" });

/** What Python's contestant runs on; `undefined` where it can't. */
export const pythonVersion = status === 0 ? stdout.trim() : undefined;

/** Why somebody is missing. */
export const skipped =
  status === 0 ? [] : ["Python's lambda-requests: there is no python3 with boto3 and lambda_requests"];

export function contestantsOf(part, names) {
  const present = ALL.filter(({ isPython = false }) => !isPython || status === 0);
  return present.filter(({ name, parts }) => parts.includes(part) && (names === undefined || names.includes(name)));
}

/**
 * Has a process of `measure/` measure one contestant.
 *
 * @param job What to do; `contestant` in it is a module in the place of the contestant's own.
 */
export async function contest({ name, file, isPython }, what, job, options) {
  const contestant = new URL(`contestants/${file}`, import.meta.url);
  try {
    if (isPython) return await run([PYTHON, fileURLToPath(contestant)], [what, JSON.stringify(job)], options);
    return await run(`measure/${what}.mjs`, [JSON.stringify({ contestant: contestant.href, ...job })], options);
  } catch (error) {
    throw new Error(`${name} (measure/${what}.mjs) ${error.message}`);
  }
}
