/** Functions in execution environments, for tests: started by a file or a command, ended when the test file is over. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { afterAll } from "vitest";
import type { FunctionCall, FunctionRunner } from "../../src/emulator/definition.ts";
import { type EnvironmentSettings, environmentRunner } from "../../src/emulator/environment/runner.ts";
import type { InvocationEnd, InvocationResult, PayloadStream } from "../../src/invoke/invoker.ts";

/** The folder of the functions' files. */
export const FUNCTIONS: string = join(import.meta.dirname, "../emulator/functions");

const runners: FunctionRunner[] = [];
afterAll(() => Promise.all(runners.map((runner) => runner.close())));

/** A function of a file, `handlers.mjs#counting`, or of a command. */
export function startFunction(
  program: string | { readonly command: string },
  settings: Partial<EnvironmentSettings> = {},
): FunctionRunner {
  const runner = environmentRunner({
    functionName: "orders",
    version: "$LATEST",
    region: "eu-west-1",
    accountId: "123456789012",
    program: typeof program === "string" ? readReference(program) : program,
    timeout: 10_000,
    memorySize: 256,
    concurrency: 10,
    environment: {},
    quiet: true,
    endpoint: () => "http://127.0.0.1:2",
    ...settings,
  });
  runners.push(runner);
  return runner;
}

function readReference(reference: string): { file: string; handler: string | undefined } {
  const [file = "", handler] = reference.split("#");
  return { file: join(FUNCTIONS, file), handler };
}

/** What came of an invocation, decoded. */
export interface Outcome {
  readonly text: string;
  readonly functionError: string | undefined;
  readonly logs: string;
  readonly result: InvocationResult;
}

/** A call as the API makes it, with its log. */
export function callOf(event: unknown = {}, call: Partial<FunctionCall> = {}): FunctionCall {
  return {
    target: { functionName: "orders" },
    payload: Buffer.from(JSON.stringify(event)),
    logs: true,
    request: { method: "GET", url: "http+lambda://orders/" },
    requestId: randomUUID(),
    traceId: "Root=1-00000000-000000000000000000000000;Sampled=0",
    ...call,
  };
}

export async function invoke(
  runner: FunctionRunner,
  event: unknown = {},
  call: Partial<FunctionCall> = {},
): Promise<Outcome> {
  const result = await runner.run(callOf(event, call));
  const text = Buffer.from(result.payload as Uint8Array).toString("utf8");
  return { text, functionError: result.functionError, logs: result.logs ?? "", result };
}

/** The result of one that has not failed, as JSON. */
export async function resultOf(
  runner: FunctionRunner,
  event: unknown = {},
  call: Partial<FunctionCall> = {},
): Promise<never> {
  const { text, functionError } = await invoke(runner, event, call);
  if (functionError !== undefined) throw new Error(`it failed: ${text}`);
  return JSON.parse(text) as never;
}

/** The payload of one that has failed. */
export async function failureOf(
  runner: FunctionRunner,
  event: unknown = {},
  call: Partial<FunctionCall> = {},
): Promise<{ errorType: string; errorMessage: string; trace?: string[] }> {
  const { text, functionError } = await invoke(runner, event, call);
  if (functionError !== "Unhandled") throw new Error(`it did not fail: ${functionError} ${text}`);
  return JSON.parse(text) as { errorType: string; errorMessage: string };
}

/** A result as it comes. */
export async function openStream(
  runner: FunctionRunner,
  event: unknown = {},
  call: Partial<FunctionCall> = {},
  signal?: AbortSignal,
): Promise<AsyncIterator<Uint8Array, InvocationEnd | undefined>> {
  const { payload } = await runner.run(callOf(event, { responseStreaming: true, ...call }), signal);
  if (payload instanceof Uint8Array) throw new Error(`no stream: ${Buffer.from(payload)}`);
  return (payload as PayloadStream)[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, InvocationEnd | undefined>;
}

/** All of it, and its end. */
export async function readAll(
  iterator: AsyncIterator<Uint8Array, InvocationEnd | undefined>,
): Promise<{ text: string; end: InvocationEnd | undefined }> {
  const pieces: Uint8Array[] = [];
  let next = await iterator.next();
  for (; !next.done; next = await iterator.next()) pieces.push(next.value);
  return { text: Buffer.concat(pieces).toString("utf8"), end: next.value };
}
