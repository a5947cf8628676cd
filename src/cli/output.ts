/** What the commands share: where they read and write, and how they refuse a command line. */
import { type ParseArgsConfig, parseArgs } from "node:util";

/** Standard input, output and error. */
export interface Io {
  readonly stdin: AsyncIterable<Uint8Array | string>;
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream;
}

/** The command line is wrong. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** `node:util`'s parser, with its errors as {@link UsageError}. */
export function parseCommandLine<Config extends ParseArgsConfig>(config: Config): ReturnType<typeof parseArgs<Config>> {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/**
 * Resolves when all of it is written, so that the process may end, or when it can't be: what that means is for the
 * stream's `error` event, which main.ts hears.
 */
export function write(stream: NodeJS.WritableStream, data: string | Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    stream.write(data, () => resolve());
  });
}
