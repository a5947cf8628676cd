import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "..");

/** What the examples take for granted. */
const PRELUDE = `
import { LambdaClient, InvokeCommand } from "@aws-sdk/client-lambda";
import { type RequestTrace, sdkInvoker, awsInvoker, createFetch, fetch, formatTarget, handlerInvoker, type Invoker, LambdaRequestsError, parseTarget, Session, InvalidTargetError, ConfigurationError, PayloadTooLargeError, InvokeError, TimeoutError, FunctionError, HTTPError, TooManyRedirectsError, UnsafeRedirectError } from "lambda-requests";
import { Emulator } from "lambda-requests/emulator";
import { instrument } from "lambda-requests/opentelemetry";
import { subscribe } from "node:diagnostics_channel";
import { alb, albMultiValue, functionUrl, httpApi, restApi } from "lambda-requests/formats";
interface Order { id: number }
declare const session: Session;
declare const handler: (event: { path: string }) => Promise<unknown>;
declare const recordedFetch: typeof globalThis.fetch;
declare const key: string, password: string, bytes: Uint8Array;
`;

/** Code in `@example` of doc blocks, in the README and in docs/. */
async function examples(): Promise<string[]> {
  const files = (await readdir(join(root, "src"), { recursive: true })).filter((file) => file.endsWith(".ts"));
  const sources = await Promise.all(files.map((file) => readFile(join(root, "src", file), "utf8")));
  const inDocs = sources.flatMap((source) =>
    [...source.matchAll(/@example\n((?: *\*(?!\/).*\n)+)/g)].map(([, block = ""]) => block.replace(/^ *\* ?/gm, "")),
  );
  const docs = (await readdir(join(root, "docs"))).filter((file) => file.endsWith(".md"));
  const pages = ["README.md", ...docs.map((file) => `docs/${file}`)];
  const texts = await Promise.all(pages.map((page) => readFile(join(root, page), "utf8")));
  const inPages = texts.flatMap((text) => [...text.matchAll(/```ts\n(.*?)```/gs)].map(([, code = ""]) => code));
  // Their imports are the prelude's.
  return [...inDocs, ...inPages].map((code) => code.replace(/^import .*\n/gm, ""));
}

it("every example of the documentation compiles", async () => {
  const folder = join(root, "test/consumer/generated");
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  const found = await examples();
  expect(found.length).toBeGreaterThan(20);
  for (const [index, code] of found.entries()) {
    await writeFile(join(folder, `example-${index}.ts`), `${PRELUDE}export async function example() {\n${code}\n}\n`);
  }
  const config = {
    extends: "../tsconfig.node.json",
    compilerOptions: { skipLibCheck: true },
    files: [],
    include: ["*.ts"],
  };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config));
  const args = ["-p", join(folder, "tsconfig.json"), "--pretty", "false"];
  const { stdout } = await promisify(execFile)(join(root, "node_modules/.bin/tsc"), args, { cwd: root }).catch(
    (error: { stdout: string }) => error,
  );
  expect(stdout).toBe("");
});
