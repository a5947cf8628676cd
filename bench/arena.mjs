// Where the contestants meet: the server's process, and the certificate that it is trusted by.
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeCertificate } from "./certificate.mjs";

/**
 * Has `work` done in an arena. An error, such as a wrong answer, ends the command.
 *
 * @param quick Less of everything, to see that it works.
 */
export async function inArena({ quick }, work) {
  const arena = await openArena(quick);
  try {
    await work(arena);
  } catch (error) {
    console.error(`\n${error.stack}`);
    process.exitCode = 1;
  } finally {
    arena.close();
  }
}

async function openArena(quick) {
  const folder = mkdtempSync(join(tmpdir(), "lambda-requests-bench-"));
  const certificate = makeCertificate(folder);
  const files = certificate === undefined ? [] : [certificate.keyFile, certificate.certFile];
  const server = fork(fileURLToPath(new URL("server.mjs", import.meta.url)), files, { execArgv: [] });
  const [{ port, securePort }] = await once(server, "message");
  return {
    ...{ quick, folder },
    endpoint: `http://127.0.0.1:${port}`,
    secureEndpoint: securePort && `https://127.0.0.1:${securePort}`,
    /** For processes that call the secure endpoint. */
    trust: { env: certificate === undefined ? {} : { NODE_EXTRA_CA_CERTS: certificate.certFile } },
    close() {
      server.disconnect();
      rmSync(folder, { recursive: true });
    },
  };
}
