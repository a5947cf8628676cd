/**
 * The runtime of Node.js functions: loads a handler, and runs it with one event after the other. It is a program of its own,
 * which the emulator starts with the file of the handler and, if need be, the name of its export.
 */
import { defineAwslambda, isStreaming } from "../../invoke/awslambda.ts";
import { errorPayload, toJson } from "../../invoke/handler-result.ts";
import { callHandler } from "./call-handler.ts";
import { callStreaming } from "./call-streaming.ts";
import { makeContext } from "./handler-context.ts";
import { loadHandler } from "./load-handler.ts";
import { createRuntimeClient, type RuntimeInvocation } from "./runtime-client.ts";
import { logError, patchConsole, setRequestId } from "./runtime-console.ts";
import { RuntimeError } from "./thrown.ts";

/** With which AWS's runtime ends. */
const EXIT = { uncaughtException: 129, unhandledRejection: 128 };

const [, , file = "", name] = process.argv;
const client = createRuntimeClient(process.env.AWS_LAMBDA_RUNTIME_API ?? "");
let report: ((payload: string) => Promise<void>) | undefined = client.postInitError;

let isFailing = false;

async function fail(what: string, error: unknown, status: number): Promise<void> {
  logError(what, error);
  // One report is enough, and the process is not to end before it is sent.
  if (isFailing) return;
  isFailing = true;
  await report?.(errorPayload(error));
  process.exit(status);
}

async function runInvocation(handler: (...values: never[]) => unknown, invocation: RuntimeInvocation): Promise<void> {
  const { requestId, event, traceId } = invocation;
  setRequestId(requestId);
  if (traceId === undefined) delete process.env._X_AMZN_TRACE_ID;
  else process.env._X_AMZN_TRACE_ID = traceId;
  report = (payload) => client.postError(requestId, payload);
  if (isStreaming(handler)) await callStreaming(handler, invocation, client);
  else {
    const answer = await callHandler(handler, () => JSON.parse(event), makeContext(invocation))
      .then(toJson)
      .then(
        (result) => () => client.postResult(requestId, result),
        (error: unknown) => {
          logError("Invoke Error", error);
          return () => client.postError(requestId, errorPayload(error));
        },
      );
    await answer();
  }
  report = undefined;
}

async function main(): Promise<void> {
  patchConsole();
  process.on("uncaughtException", (error) => void fail("Uncaught Exception", error, EXIT.uncaughtException));
  process.on("unhandledRejection", (reason) => {
    const error = new RuntimeError("UnhandledPromiseRejection", String(reason), { reason });
    void fail("Unhandled Promise Rejection", error, EXIT.unhandledRejection);
  });
  defineAwslambda();
  try {
    const handler = await loadHandler(file, name);
    report = undefined;
    for (;;) await runInvocation(handler, await client.next());
  } catch (error) {
    await fail("Uncaught Exception", error, EXIT.uncaughtException);
  }
}

void main();
