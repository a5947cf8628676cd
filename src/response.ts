/** {@link LambdaResponse}: a `Response` that knows about its invocation. */
import { type FunctionFailure, HTTPError, type RequestSummary } from "./errors.ts";
import type { InvocationResult } from "./invoke/invoker.ts";
import type { Target } from "./target.ts";

/** What the REPORT line of a function's log says. Times in milliseconds, memory in MB. */
export interface InvocationReport {
  readonly duration: number;
  readonly billedDuration: number;
  readonly memorySize: number;
  readonly maxMemoryUsed: number;
  /** Present when it was a cold start. */
  readonly initDuration?: number;
}

/** What is known about the invocation that answered. */
export interface InvocationInfo {
  readonly functionName: string;
  readonly qualifier?: string;
  readonly region?: string;
  /** Lambda's id of the invocation, as in the function's log. */
  readonly requestId?: string;
  /** The version that ran: digits, or `$LATEST`. */
  readonly executedVersion?: string;
  readonly traceId?: string;
  /** How often the call was sent. */
  readonly attempts: number;
  /** Milliseconds from the event's sending to the result's last byte. */
  readonly elapsed: number;
  readonly payloadFormat: string;
  /** Present when the function failed; the response is a 502 then. */
  readonly functionError?: FunctionFailure;
  /** The end of the function's log, when `logs` was set. */
  readonly logs?: string;
  /** The log's REPORT line, when `logs` was set. */
  readonly report?: InvocationReport;
}

/** Everything about a response that is not its status, headers and body. */
export interface ResponseFacts {
  readonly request: RequestSummary;
  readonly target: Target;
  readonly invocation: InvocationInfo;
  readonly history: readonly LambdaResponse[];
  readonly elapsed: number;
}

type BodyOf = ConstructorParameters<typeof Response>[0];

/**
 * A standard `Response`, with its readers as methods and its facts as accessors: on some platforms' types they are plain
 * properties, which no class could override.
 */
interface StandardResponse {
  readonly body: Response["body"];
  readonly bodyUsed: boolean;
  readonly headers: Response["headers"];
  readonly ok: boolean;
  readonly redirected: boolean;
  readonly status: number;
  readonly statusText: string;
  readonly type: Response["type"];
  readonly url: string;
  arrayBuffer(): Promise<ArrayBuffer>;
  blob(): ReturnType<Response["blob"]>;
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
  clone(): Response;
  formData(): ReturnType<Response["formData"]>;
  json<Value = unknown>(): Promise<Value>;
  text(): Promise<string>;
}

const StandardResponse: new (body?: BodyOf, init?: ResponseInit) => StandardResponse =
  Response as unknown as typeof StandardResponse;

/** Statuses with which a `Response` has no body: https://fetch.spec.whatwg.org/#null-body-status */
export const NULL_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

/**
 * A standard `Response`, with what is known about the call. `fetch` and a `Session` return it; it is not made by hand.
 *
 * @example
 * const response = await session.get("http+lambda://orders/v1", { logs: true });
 * response.raiseForStatus();
 * console.log(response.status, response.invocation.requestId, response.invocation.report?.billedDuration);
 */
export class LambdaResponse extends StandardResponse {
  /** What is known about the invocation: request id, version, logs. */
  readonly invocation: InvocationInfo;
  /** The redirects that led here, oldest first. */
  readonly history: readonly LambdaResponse[];
  /** Milliseconds from the call to this response, redirects included. */
  readonly elapsed: number;
  readonly #facts: ResponseFacts;

  /** @internal */
  constructor(body: BodyOf, init: ResponseInit, facts: ResponseFacts) {
    super(body, init);
    this.#facts = facts;
    this.invocation = facts.invocation;
    this.history = facts.history;
    this.elapsed = facts.elapsed;
  }

  /** The canonical URL that answered. */
  override get url(): string {
    return this.#facts.request.url;
  }

  override get redirected(): boolean {
    return this.history.length > 0;
  }

  /**
   * Throws for 4xx and 5xx; returns the response itself otherwise.
   *
   * @throws {HTTPError}
   */
  raiseForStatus(): this {
    if (this.status >= 400) throw new HTTPError(this, { request: this.#facts.request, target: this.#facts.target });
    return this;
  }

  override clone(): LambdaResponse {
    const { body, status, statusText, headers } = super.clone();
    return new LambdaResponse(body, { status, statusText, headers }, this.#facts);
  }
}

/**
 * A response whose bytes are already here. `json()`, `text()` and the like answer from them; a stream, which costs as
 * much as all the rest of a call (some 35 µs), is made only for those who ask for one.
 */
class BufferedResponse extends LambdaResponse {
  readonly #bytes: Uint8Array;
  readonly #facts: ResponseFacts;
  #used = false;
  #standard: Response | undefined;

  constructor(bytes: Uint8Array, init: ResponseInit, facts: ResponseFacts) {
    super(null, init, facts);
    this.#bytes = bytes;
    this.#facts = facts;
  }

  /** From the first use of the stream on, a plain `Response` keeps the books. */
  #asStandard(): Response {
    this.#standard ??= new Response(this.#bytes as BodyOf, { headers: this.headers });
    return this.#standard;
  }

  async #read<Result>(fromBytes: (bytes: Uint8Array) => Result, fromStandard: (response: Response) => Promise<Result>) {
    if (this.#standard !== undefined) return fromStandard(this.#standard);
    if (this.#used) throw new TypeError("Body is unusable: Body has already been read");
    this.#used = true;
    return fromBytes(this.#bytes);
  }

  override get body(): Response["body"] {
    const { body } = this.#asStandard();
    if (this.#used) {
      this.#used = false;
      void body?.cancel();
    }
    return body;
  }

  override get bodyUsed(): boolean {
    return this.#used || this.#standard?.bodyUsed === true;
  }

  override arrayBuffer(): Promise<ArrayBuffer> {
    return this.#read(
      (bytes) => ownBytes(bytes).buffer,
      (response) => response.arrayBuffer(),
    );
  }

  override bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#read(ownBytes, async (response) => new Uint8Array(await response.arrayBuffer()));
  }

  override text(): Promise<string> {
    return this.#read(decodeText, (response) => response.text());
  }

  override json<Value = unknown>(): Promise<Value> {
    return this.#read(
      (bytes) => JSON.parse(decodeText(bytes)) as Value,
      (response) => response.json() as Promise<Value>,
    );
  }

  // These two need the content type, which the platform knows how to read.
  override async blob(): ReturnType<Response["blob"]> {
    return this.#unread().blob();
  }

  override async formData(): ReturnType<Response["formData"]> {
    return this.#unread().formData();
  }

  #unread(): Response {
    if (this.#used) throw new TypeError("Body is unusable: Body has already been read");
    return this.#asStandard();
  }

  override clone(): LambdaResponse {
    if (this.bodyUsed) throw new TypeError("Response.clone: Body has already been consumed.");
    const { status, statusText, headers } = this;
    const init = { status, statusText, headers };
    if (this.#standard === undefined) return new BufferedResponse(this.#bytes, init, this.#facts);
    return new LambdaResponse(this.#standard.clone().body, init, this.#facts);
  }
}

// The servers of other runtimes read a Response's body from the inside, where a BufferedResponse has none.
const IS_NODE = !("Bun" in globalThis) && !("Deno" in globalThis);

/** A response with these bytes, or without a body. */
export function makeResponse(bytes: Uint8Array | null, init: ResponseInit, facts: ResponseFacts): LambdaResponse {
  if (bytes === null) return new LambdaResponse(null, init, facts);
  return IS_NODE ? new BufferedResponse(bytes, init, facts) : new LambdaResponse(bytes as BodyOf, init, facts);
}

/** A response whose status and headers are good, and whose body can't be read. */
export function makeUnreadable(error: Error, init: ResponseInit, facts: ResponseFacts): LambdaResponse {
  const body = new ReadableStream({ start: (controller) => controller.error(error) });
  return new LambdaResponse(body as BodyOf, init, facts);
}

/** What there is to know about an invocation, from its result. */
export function describeInvocation(
  result: InvocationResult,
  known: Pick<InvocationInfo, "elapsed" | "payloadFormat"> & { target: Target; functionError?: FunctionFailure },
): InvocationInfo {
  const { target, elapsed, payloadFormat, functionError } = known;
  const { requestId, executedVersion, traceId, logs, attempts = 1 } = result;
  const region = result.region ?? target.region;
  const report = logs === undefined ? undefined : parseReport(logs);
  return {
    functionName: target.functionName,
    ...(target.qualifier !== undefined && { qualifier: target.qualifier }),
    ...(region !== undefined && { region }),
    ...(requestId !== undefined && { requestId }),
    ...(executedVersion !== undefined && { executedVersion }),
    ...(traceId !== undefined && { traceId }),
    attempts,
    elapsed,
    payloadFormat,
    ...(functionError !== undefined && { functionError }),
    ...(logs !== undefined && { logs }),
    ...(report !== undefined && { report }),
  };
}

/**
 * The REPORT line of a log, by key and in any order; emulators write it differently from AWS. A function with JSON logs
 * has a `platform.report` in its place.
 *
 * @internal
 */
export function parseReport(logs: string): InvocationReport | undefined {
  for (const line of logs.split("\n").reverse()) {
    if (line.startsWith("REPORT RequestId: ")) return reportOf((name) => numberAfter(line, name));
    if (line.includes('"platform.report"')) return jsonReport(line);
  }
  return undefined;
}

function reportOf(read: (name: string) => number | undefined): InvocationReport | undefined {
  const duration = read("Duration");
  const billedDuration = read("Billed Duration");
  const memorySize = read("Memory Size");
  const maxMemoryUsed = read("Max Memory Used");
  const initDuration = read("Init Duration");
  if (duration === undefined || billedDuration === undefined) return undefined;
  if (memorySize === undefined || maxMemoryUsed === undefined) return undefined;
  const report = { duration, billedDuration, memorySize, maxMemoryUsed };
  return initDuration === undefined ? report : { ...report, initDuration };
}

function numberAfter(line: string, name: string): number | undefined {
  const field = line.split("\t").find((part) => part.startsWith(`${name}: `));
  const number = Number.parseFloat(field?.slice(name.length + 2) ?? "");
  return Number.isNaN(number) ? undefined : number;
}

const JSON_NAMES: Readonly<Record<string, string>> = {
  Duration: "durationMs",
  "Billed Duration": "billedDurationMs",
  "Memory Size": "memorySizeMB",
  "Max Memory Used": "maxMemoryUsedMB",
  "Init Duration": "initDurationMs",
};

function jsonReport(line: string): InvocationReport | undefined {
  try {
    const metrics = (JSON.parse(line) as { record?: { metrics?: Record<string, unknown> } }).record?.metrics ?? {};
    return reportOf((name) => {
      const value = metrics[JSON_NAMES[name] ?? ""];
      return typeof value === "number" ? value : undefined;
    });
  } catch {
    return undefined;
  }
}

/** As `fetch` decodes text: UTF-8 whatever the content type says, without a byte-order mark. */
function decodeText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** A copy: the bytes may be a part of a larger buffer, or those of a clone as well. */
function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
