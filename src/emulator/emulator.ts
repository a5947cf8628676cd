/// <reference lib="esnext.disposable" preserve="true" />
/** A local Lambda: the API, the functions behind it, the queue of events that nobody waits for. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { ConfigurationError } from "../errors.ts";
import { checkOptionNames } from "../invoke/option-names.ts";
import { Session } from "../session.ts";
import type { SessionOptions } from "../session-options.ts";
import { createApi } from "./api.ts";
import type { FunctionCall } from "./definition.ts";
import type { Faults } from "./faults.ts";
import { type Functions, type FunctionTable, loadFunctions } from "./functions.ts";
import { createQueue, type DeadLetter, type Queue } from "./queue.ts";
import { type RecordedInvocation, type Recorder, startRecorder } from "./recorder.ts";

/** Options of {@link Emulator.start}. */
export interface EmulatorOptions {
  /**
   * Functions by name: handlers, files that export one, or definitions: `{ orders: handler, users: "./users.mjs#handler",
   * reports: { command: "./bootstrap", timeout: 30000 } }`.
   */
  readonly functions: FunctionTable;
  /**
   * The port.
   * @default 0: a free one
   */
  readonly port?: number | undefined;
  /**
   * The address to listen on. Any other than loopback lets the network run your functions.
   * @default "127.0.0.1"
   */
  readonly host?: string | undefined;
  /**
   * The region that functions find in `AWS_REGION`. Calls of any region are answered.
   * @default "us-east-1"
   */
  readonly region?: string | undefined;
  /**
   * Don't print on the terminal what the functions print, nor which events are given up.
   * @default false
   */
  readonly quiet?: boolean | undefined;
  /**
   * Calls to refuse, answers to lose, and time to take, at random.
   * @default none
   */
  readonly faults?: Faults | undefined;
  /**
   * Origins of pages that may call from a browser, `http://localhost:5173`. Others may not: any page could run your functions.
   * @default none
   */
  readonly allowedOrigins?: readonly string[] | undefined;
  /**
   * Names by which it may be called besides `localhost` and loopback addresses, `host.docker.internal`.
   * @default none
   */
  readonly allowedHosts?: readonly string[] | undefined;
  /**
   * Milliseconds before an event of the type `Event` whose function failed is tried again, one each time.
   * @default [60000, 120000], as in AWS
   */
  readonly eventRetryDelays?: readonly number[] | undefined;
}

const OPTION_NAMES = [
  "functions",
  "port",
  "host",
  "region",
  "quiet",
  "faults",
  "allowedOrigins",
  "allowedHosts",
  "eventRetryDelays",
] as const satisfies (keyof EmulatorOptions)[];

/**
 * A local Lambda: AWS's own clients, and ours, call the functions behind it by the Invoke API, at once or as a stream, with any
 * credentials. A function given as a file or a command runs in execution environments of its own, as in Lambda; a handler given
 * as a value runs in this process, which enforces no limit of time or memory.
 *
 * @example
 * await using emulator = await Emulator.start({ functions: { orders: handler, users: "./users.mjs" } });
 * const session = emulator.session();
 * await session.get("http+lambda://orders/items");
 * console.log(emulator.invocations[0]?.event);
 */
export class Emulator {
  /** The URL to give to clients: `http://127.0.0.1:40123`. */
  readonly endpoint: string;
  readonly #server: Server;
  readonly #functions: Functions;
  readonly #queue: Queue;
  readonly #recorder: Recorder;
  readonly #region: string;

  private constructor(parts: {
    server: Server;
    endpoint: string;
    functions: Functions;
    queue: Queue;
    recorder: Recorder;
    region: string;
  }) {
    this.#server = parts.server;
    this.#functions = parts.functions;
    this.#queue = parts.queue;
    this.#recorder = parts.recorder;
    this.#region = parts.region;
    this.endpoint = parts.endpoint;
  }

  /**
   * Finds the functions and listens. Execution environments are started by the first invocations.
   *
   * @throws {ConfigurationError} when there is no such file, an option can't be, or the port can't be listened on.
   * @throws {InvalidTargetError} when a name can't be a function's.
   */
  static async start(options: EmulatorOptions): Promise<Emulator> {
    checkOptionNames(options, OPTION_NAMES);
    const { port = 0, host = "127.0.0.1", region = "us-east-1", quiet = false } = options;
    const { faults, allowedOrigins, allowedHosts } = options;
    const endpoint = (): string => endpointOf(server, host);
    const functions = loadFunctions(options.functions, { quiet, region, endpoint, faults });
    const queue = createQueue(functions.find, quiet ? () => undefined : tellDeadLetter, options.eventRetryDelays);
    const recorder = startRecorder();
    const server = createServer(
      createApi({ find: functions.find, queue: queue.add, onCall: recorder.add, allowedOrigins, allowedHosts, host }),
    );
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, host, resolve);
      });
    } catch (cause) {
      throw new ConfigurationError(`can't listen on ${host}:${port}: ${(cause as Error).message}`, { cause });
    }
    return new Emulator({ server, endpoint: endpoint(), functions, queue, recorder, region });
  }

  /** What came in, oldest first: the last 1,000, and of those as many as their events have 64 MB together. */
  get invocations(): readonly RecordedInvocation[] {
    return this.#recorder.invocations;
  }

  /**
   * A session whose calls come here, whatever the environment says.
   *
   * @param options Those of a `Session`.
   */
  session(options: SessionOptions = {}): Session {
    const credentials = { accessKeyId: "emulator", secretAccessKey: "emulator" };
    return new Session({ region: this.#region, credentials, ...options, endpoint: this.endpoint });
  }

  /**
   * The next invocations of one function, or of all, start with what is on disk then. Those that run are not disturbed.
   *
   * @throws {ConfigurationError} when there is no such function.
   */
  reload(functionName?: string): void {
    this.#functions.reload(functionName);
  }

  /** Stops listening, closes every connection, and ends every process that it has started. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    this.#queue.close();
    await Promise.all([closed, this.#functions.close()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Where this machine reaches it: an address that stands for all of its own is none to call. */
function endpointOf(server: Server, host: string): string {
  const { address, port, family } = server.address() as AddressInfo;
  const own = address === "0.0.0.0" ? "127.0.0.1" : address === "::" ? "::1" : address;
  // By the name that was given, where it was one: that is what is let in.
  const name = host === "localhost" ? host : own;
  return `http://${family === "IPv6" && name !== "localhost" ? `[${name}]` : name}:${port}`;
}

function tellDeadLetter({ call, attempts, reason }: DeadLetter): void {
  const times = attempts === 1 ? "once" : `${attempts} times`;
  process.stderr.write(
    `lambda-requests: an event for ${nameOf(call)} failed ${times} and is given up (${call.requestId}): ${reason}\n`,
  );
}

function nameOf({ target }: FunctionCall): string {
  return target.qualifier === undefined ? target.functionName : `${target.functionName}:${target.qualifier}`;
}
