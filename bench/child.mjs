// Runs a process of the benchmark to its end, and gives what it reports.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

// What a developer has set must not become part of what is measured, nor be sent anywhere.
const SETTINGS = /^(AWS_|LAMBDA_|NODE_OPTIONS$|NODE_EXTRA_CA_CERTS$|NODE_V8_COVERAGE$|HTTPS?_PROXY$)/i;
const OWN = Object.fromEntries(Object.entries(process.env).filter(([name]) => !SETTINGS.test(name)));
const ENVIRONMENT = {
  ...OWN,
  AWS_ACCESS_KEY_ID: "AKIDBENCH",
  AWS_SECRET_ACCESS_KEY: "bench",
  AWS_REGION: "us-east-1",
  AWS_DEFAULT_REGION: "us-east-1",
  AWS_CONFIG_FILE: "/nonexistent",
  AWS_SHARED_CREDENTIALS_FILE: "/nonexistent",
  AWS_EC2_METADATA_DISABLED: "true",
  NODE_NO_WARNINGS: "1",
};

/**
 * @param command A file of this folder, or a whole command.
 * @param env Variables besides those that every process here has.
 * @param wrap Makes of a command another that runs it, in a cgroup say.
 */
export function run(command, args, { env = {}, wrap = (line) => line } = {}) {
  const line = typeof command === "string" ? [process.execPath, fileOf(command)] : command;
  const [executable, ...rest] = wrap([...line, ...args]);
  return new Promise((resolve, reject) => {
    const child = spawn(executable, rest, { env: { ...ENVIRONMENT, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    let [out, errors] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text) => {
      out += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      errors += text;
    });
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (code === 0) resolve(JSON.parse(out));
      else reject(new Error(`ended with ${code ?? signal}:\n${errors}`));
    });
  });
}

function fileOf(path) {
  return fileURLToPath(new URL(path, import.meta.url));
}
