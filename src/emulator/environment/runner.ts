/** A function that runs in processes of its own, as on AWS: a file of Node.js, or a runtime of any language. */
import { abortable } from "../../invoke/abortable.ts";
import type { FunctionRunner } from "../definition.ts";
import { createPool } from "./pool.ts";
import type { EnvironmentSettings } from "./settings.ts";

export type { EnvironmentSettings } from "./settings.ts";

/**
 * Runs one version of a function in execution environments like Lambda's:
 * https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
 *
 * Nothing is started before the first invocation. What the caller aborts runs on, as on AWS: only its result is lost.
 */
export function environmentRunner(settings: EnvironmentSettings): FunctionRunner {
  const pool = createPool(settings);
  return {
    version: settings.version,
    async run(call, signal) {
      signal?.throwIfAborted();
      return abortable(pool.run(call, signal), signal);
    },
    close: () => pool.close(),
    retire: () => pool.retire(),
  };
}
