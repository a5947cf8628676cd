/** What an execution environment is made from. */

/** All that an environment has to know. */
export interface EnvironmentSettings {
  readonly functionName: string;
  /** Digits, or `$LATEST`. */
  readonly version: string;
  readonly region: string;
  readonly accountId: string;
  /** A Node.js module and the name of its export; or a command. */
  readonly program: { readonly file: string; readonly handler: string | undefined } | { readonly command: string };
  /** Where it runs. Default: see `taskRoot`. */
  readonly folder?: string | undefined;
  /** Milliseconds. */
  readonly timeout: number;
  /** MB. */
  readonly memorySize: number;
  /** Invocations at a time. */
  readonly concurrency: number;
  /** Environment variables, over those that Lambda sets. */
  readonly environment: Readonly<Record<string, string>>;
  /** Where the emulator listens: functions that invoke others find them here. */
  readonly endpoint: () => string;
  /** Don't print on the terminal what the function prints. */
  readonly quiet: boolean;
}
