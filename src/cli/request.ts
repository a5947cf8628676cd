/** `lambda-requests [METHOD] URL`: one request; its body goes to standard output, all else to standard error. */
import { isUtf8 } from "node:buffer";
import { readFile } from "node:fs/promises";
import { TextDecoder } from "node:util";
import { LambdaResponse } from "../response.ts";
import { Session } from "../session.ts";
import { type Io, parseCommandLine, UsageError, write } from "./output.ts";

export async function request(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseCommandLine({
    args: [...args],
    allowPositionals: true,
    options: {
      header: { type: "string", short: "H", multiple: true, default: [] },
      data: { type: "string", short: "d" },
      include: { type: "boolean", short: "i", default: false },
      stream: { type: "boolean", short: "S", default: false },
      logs: { type: "boolean", default: false },
      "check-status": { type: "boolean", default: false },
      region: { type: "string" },
      profile: { type: "string" },
      "endpoint-url": { type: "string" },
    },
  });
  const body = values.data === undefined ? undefined : await readData(values.data, io);
  const { method, url } = readPositionals(positionals, body !== undefined);
  const headers = values.header.map(readHeader);
  if (body !== undefined && !headers.some(([name]) => name.toLowerCase() === "content-type")) {
    headers.push(["Content-Type", isJson(body) ? "application/json" : "application/x-www-form-urlencoded"]);
  }

  await using session = new Session({
    region: values.region,
    profile: values.profile,
    endpoint: values["endpoint-url"],
    logs: values.logs,
    responseStreaming: values.stream,
  });
  const response = await session.request(method, url, { headers, ...(body !== undefined && { data: body }) });
  if (values.include) await write(io.stderr, head(response));
  await (values.stream ? writeAsItComes : writeAtOnce)(response, io);
  if (response instanceof LambdaResponse) await write(io.stderr, aftermath(response));
  return values["check-status"] && response.status >= 300 ? Math.floor(response.status / 100) : 0;
}

async function writeAtOnce(response: Response, { stdout, stderr }: Io): Promise<void> {
  const bytes = new Uint8Array(await response.arrayBuffer());
  const type = response.headers.get("content-type") ?? "";
  if (!stdout.isTTY || bytes.length === 0 || isReadable(bytes, type)) return write(stdout, bytes);
  await write(stderr, `lambda-requests: ${bytes.length} bytes that are no text; to save them, add > FILE\n`);
}

async function writeAsItComes(response: Response, { stdout, stderr }: Io): Promise<void> {
  const type = response.headers.get("content-type") ?? "";
  const decoder = new TextDecoder("utf-8", { fatal: true });
  for await (const piece of response.body ?? []) {
    const bytes = piece as Uint8Array;
    // A stream that is labelled with nothing else may well be text, whose pieces are looked at one by one.
    if (stdout.isTTY && !isReadablePiece(bytes, type === "application/octet-stream" ? "" : type, decoder)) {
      return write(stderr, "\nlambda-requests: what comes is no text; to save it, add > FILE\n");
    }
    await write(stdout, bytes);
  }
}

function readPositionals(positionals: readonly string[], hasBody: boolean): { method: string; url: string } {
  const [first, second, third] = positionals;
  if (third !== undefined) throw new UsageError(`one URL at a time; what is ${JSON.stringify(third)}?`);
  const [method, url] = second === undefined ? [hasBody ? "POST" : "GET", first] : [first, second];
  if (url === undefined || url === "") throw new UsageError("which URL?");
  return { method: method ?? "GET", url: /^[a-z][a-z0-9+.-]*:\/\//i.test(url) ? url : `http+lambda://${url}` };
}

function readHeader(header: string): [string, string] {
  const colon = header.indexOf(":");
  // The value may be a secret, and stays out of the message.
  if (colon < 1) throw new UsageError("a header is written 'NAME: VALUE'");
  return [header.slice(0, colon).trim(), header.slice(colon + 1).trim()];
}

async function readData(data: string, { stdin }: Io): Promise<Uint8Array | string> {
  if (!data.startsWith("@")) return data;
  if (data === "@-") {
    const chunks: Uint8Array[] = [];
    for await (const chunk of stdin) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks);
  }
  try {
    return await readFile(data.slice(1));
  } catch (error) {
    throw new UsageError(`--data ${data}: ${(error as Error).message}`);
  }
}

function isJson(body: Uint8Array | string): boolean {
  const text = typeof body === "string" ? body : Buffer.from(body).toString("utf8");
  if (!/^\s*[[{]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

// By a list of types that are none, for those that are text are too many: YAML, SQL, JSON lines…
const NO_TEXT =
  /^(?:(?:image|audio|video|font)\/(?!.*\+xml\b)|application\/(?:octet-stream|pdf|zip|gzip|wasm|protobuf)\b)/i;

/** May a terminal show it? Bytes that are no text can change how it works. */
function isReadable(bytes: Uint8Array, type: string): boolean {
  return isUtf8(bytes) && !bytes.includes(0) && !NO_TEXT.test(type);
}

/** The same of a piece that may end within a character. */
function isReadablePiece(bytes: Uint8Array, type: string, decoder: TextDecoder): boolean {
  try {
    decoder.decode(bytes, { stream: true });
    return !bytes.includes(0) && !NO_TEXT.test(type);
  } catch {
    return false;
  }
}

function head({ status, statusText, headers }: Response): string {
  const fields = [...headers].map(([name, value]) => `${name}: ${value}\n`);
  return `HTTP/1.1 ${status} ${statusText}\n${fields.join("")}\n`;
}

/** The function's log, and what it died of; the body of such a response is only its message. */
function aftermath({ invocation }: LambdaResponse): string {
  const { functionError, functionName, logs = "" } = invocation;
  if (functionError === undefined) return logs;
  const { errorType = "an error" } = functionError;
  return `${logs}\nlambda-requests: the function ${functionName} failed with ${errorType}\n`;
}
