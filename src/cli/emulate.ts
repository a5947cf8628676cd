/** `lambda-requests emulate NAME=FILE[#EXPORT] …`: a local Lambda API, until it is interrupted. */
import { resolve } from "node:path";
import { Emulator } from "../emulator/index.ts";
import { type Io, parseCommandLine, UsageError, write } from "./output.ts";

export async function emulate(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseCommandLine({
    args: [...args],
    allowPositionals: true,
    options: { port: { type: "string", default: "0" } },
  });
  if (!/^\d{1,5}$/.test(values.port) || Number(values.port) > 65_535) {
    throw new UsageError(`--port ${values.port} is no port: 0 to 65535`);
  }
  const functions = Object.fromEntries(positionals.map(readFunction));
  if (positionals.length === 0) throw new UsageError("which functions? Write NAME=FILE, as in orders=./orders.mjs");

  await using emulator = await Emulator.start({ functions, port: Number(values.port) });
  await write(io.stdout, `${emulator.endpoint}\n`);
  const names = Object.keys(functions).join(", ");
  await write(
    io.stderr,
    `Functions: ${names}. Stop with Ctrl-C.\nFor clients: export AWS_ENDPOINT_URL_LAMBDA=${emulator.endpoint}\n`,
  );
  await interrupted();
  return 0;
}

function readFunction(text: string): [name: string, file: string] {
  const equals = text.indexOf("=");
  if (equals < 1) throw new UsageError(`${JSON.stringify(text)}: write NAME=FILE, as in orders=./orders.mjs`);
  return [text.slice(0, equals), resolve(text.slice(equals + 1))];
}

function interrupted(): Promise<void> {
  return new Promise((done) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => done());
  });
}
