/** Runs the list of expectations as tests. */
import { it } from "vitest";
import type { PayloadFormat } from "../../src/formats/formats.ts";
import { type AppName, type Call, type Expectation, expectations } from "./expectations.ts";
import { failureOf } from "./failures.ts";

/** How an expectation went. */
export interface Outcome {
  readonly app: AppName;
  readonly format: PayloadFormat;
  readonly expectation: Expectation;
  readonly passed: boolean;
}

export interface Way {
  readonly app: AppName;
  readonly format: PayloadFormat;
  readonly call: Call;
  /** Which expectations; default: all. */
  readonly only?: (expectation: Expectation) => boolean;
  readonly record?: (outcome: Outcome) => void;
}

export function expectAll({ app, format, call, only = () => true, record = () => undefined }: Way): void {
  for (const expectation of expectations.filter(only)) {
    const loss = expectation.lostBy?.[format];
    const failure = failureOf(app, format, expectation);
    const name = loss === undefined ? expectation.name : `${expectation.name} (lost: ${loss.reason})`;
    const run = async (): Promise<void> => {
      try {
        await (loss === undefined ? expectation.run(call) : loss.run(call, app));
      } catch (error) {
        record({ app, format, expectation, passed: false });
        throw error;
      }
      record({ app, format, expectation, passed: true });
    };
    if (failure === undefined) it(name, run);
    else it.fails(`${name} (fails: ${failure.reason})`, run);
  }
}
