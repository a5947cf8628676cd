import { Pool } from "undici";
import { bodyOf, GET, makeEvent, postOf, putOf } from "../event.mjs";

/** The least that a call can be: a POST of what is ready to be sent, unsigned. */
export function prepare(endpoint) {
  const headers = { "Content-Type": "application/json" };
  return over(endpoint, (name, body) => ({ path: `/2015-03-31/functions/open-${name}/invocations`, headers, body }));
}

export function over(endpoint, requestOf) {
  const pool = new Pool(endpoint);
  const payloads = new Map();

  async function invoke(name, key, makeRequest) {
    if (!payloads.has(key)) payloads.set(key, JSON.stringify(makeEvent(makeRequest(key))));
    const { body } = await pool.request({ method: "POST", ...requestOf(name, payloads.get(key)) });
    return body.json();
  }

  return {
    get: async (name = "orders") => JSON.parse((await invoke(name, GET, () => GET)).body),
    post: async (name = "orders", json) => JSON.parse((await invoke(name, json, postOf)).body),
    up: async (name, content) => JSON.parse((await invoke(name, content, putOf)).body),
    down: async (name) => bodyOf(await invoke(name, GET, () => GET)),
  };
}
