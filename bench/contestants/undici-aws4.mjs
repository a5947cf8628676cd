import aws4 from "aws4";
import { over } from "./undici.mjs";

const CREDENTIALS = {
  accessKeyId: process.env.AWS_ACCESS_KEY_ID,
  secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY,
};

export function prepare(endpoint) {
  const { host } = new URL(endpoint);
  return over(endpoint, (name, body) => {
    const path = `/2015-03-31/functions/${name}/invocations`;
    const headers = { "Content-Type": "application/json" };
    const request = { service: "lambda", region: "us-east-1", method: "POST", host, path, headers, body };
    return { path, body, headers: aws4.sign(request, CREDENTIALS).headers };
  });
}
