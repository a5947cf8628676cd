#!/usr/bin/env node
/** The command `lambda-requests`: picks what to do, and turns errors into messages and exit codes. */
import { LambdaRequestsError } from "../errors.ts";
import { VERSION } from "../version.ts";
import type { Io } from "./output.ts";
import { UsageError } from "./output.ts";

const USAGE = `lambda-requests ${VERSION}: HTTP requests to AWS Lambda functions

Usage:
  lambda-requests [METHOD] URL [OPTIONS]           send a request
  lambda-requests emulate [NAME=FILE[#EXPORT] ...] [OPTIONS]
                                                   run functions behind a local
                                                   Lambda API

A URL is http+lambda://FUNCTION/PATH, or FUNCTION/PATH for short. FUNCTION is
a name, NAME:ALIAS, or an ARN.

Options of a request:
  -H, --header 'NAME: VALUE'   add a header; may be repeated
  -d, --data TEXT|@FILE|@-     the body, from a file or standard input with @;
                               makes the method POST
  -i, --include                print status and headers, to standard error
  -S, --stream                 print the body as it comes
      --logs                   print the function's log, to standard error
      --check-status           exit with 3, 4 or 5 for a 3xx, 4xx or 5xx
      --region REGION          default: AWS_REGION, or the profile's
      --profile NAME           default: AWS_PROFILE
      --endpoint-url URL       an emulator, or a VPC endpoint
  -h, --help
      --version

Options of emulate; without a function, those of ./serverless.yml or
./template.yaml are run:
      --exec NAME='COMMAND'    a command that speaks the Runtime API; may be
                               repeated
      --config FILE            functions with limits, versions and aliases, JSON
      --template FILE          the functions of a serverless.yml, or of a SAM or
                               CloudFormation template
      --port N                 default: a free one; its URL is the first line
                               of output
      --host ADDRESS           default: 127.0.0.1
      --allow-host NAME        by which it may be called as well, such as
                               host.docker.internal; may be repeated
      --timeout MS             of the functions named here; default: 3000
      --watch                  load functions anew when files change
      --fault SPEC             go wrong on purpose: throttle=0.1,error=0.01,
                               drop=0.01,latency=100-300
      --quiet                  don't print what the functions print

Exit codes: 0 an answer came, whatever its status; 1 none came, or it could not
be written; 2 the command line is wrong; with --check-status also 3, 4 or 5 for
a status 3xx, 4xx or 5xx.

Examples:
  lambda-requests orders/v1/items?limit=10
  lambda-requests POST orders:prod/v1/items -d '{"sku":"A-1"}'
  lambda-requests emulate orders=./orders.mjs --port 9001
  lambda-requests orders/v1 --endpoint-url http://127.0.0.1:9001
`;

/** Runs one command line; the exit code. */
async function main(args: readonly string[], io: Io): Promise<number> {
  const [first] = args;
  if (first === undefined) {
    io.stderr.write(USAGE);
    return 2;
  }
  if (first === "--version") {
    io.stdout.write(`${VERSION}\n`);
    return 0;
  }
  if (first === "help" || args.includes("-h") || args.includes("--help")) {
    io.stdout.write(USAGE);
    return 0;
  }
  try {
    // Each is loaded when it is wanted: a request has no use for the emulator.
    if (first === "emulate") return await (await import("./emulate.ts")).emulate(args.slice(1), io);
    return await (await import("./request.ts")).request(args, io);
  } catch (error) {
    if (error instanceof UsageError) {
      io.stderr.write(`lambda-requests: ${error.message}\nSee lambda-requests --help\n`);
      return 2;
    }
    // Anything else is a fault of ours, and its stack is what is needed to mend it.
    const expected = error instanceof LambdaRequestsError || error instanceof TypeError;
    io.stderr.write(`lambda-requests: ${expected ? error.message : String((error as Error).stack ?? error)}\n`);
    return 1;
  }
}

function cantWrite(which: "output" | "error", { message }: Error): never {
  process.stderr.write(`lambda-requests: can't write to standard ${which}: ${message}\n`);
  process.exit(1);
}

// `lambda-requests … | head` closes the pipe early; that is no fault. Without standard error the body is still wanted.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  cantWrite("output", error);
});
process.stderr.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") cantWrite("error", error);
});
process.exitCode = await main(process.argv.slice(2), process);
