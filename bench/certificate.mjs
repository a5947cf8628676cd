// A certificate for 127.0.0.1 that lasts a day, in files: what the server has, and what the contestants trust.
import { spawnSync } from "node:child_process";
import { join } from "node:path";

/** `undefined` where there is no `openssl` to make one. */
export function makeCertificate(folder) {
  const [keyFile, certFile] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const { status } = spawnSync("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"],
    ...["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"],
    ...["-keyout", keyFile, "-out", certFile],
  ]);
  return status === 0 ? { keyFile, certFile } : undefined;
}
