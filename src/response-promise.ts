/** A promise of a response, with the response's readers. */

/** A promise of a response that can be read at once: `await session.get(url).json()`. */
export interface ResponsePromise<Kind extends Response> extends Promise<Kind> {
  json<Value = unknown>(): Promise<Value>;
  text(): Promise<string>;
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
  arrayBuffer(): Promise<ArrayBuffer>;
  blob(): ReturnType<Response["blob"]>;
  formData(): ReturnType<Response["formData"]>;
}

export function withReaders<Kind extends Response>(promise: Promise<Kind>): ResponsePromise<Kind> {
  return Object.assign(promise, {
    json: <Value>() => promise.then((response) => response.json() as Promise<Value>),
    text: () => promise.then((response) => response.text()),
    bytes: () => promise.then(async (response) => new Uint8Array(await response.arrayBuffer())),
    arrayBuffer: () => promise.then((response) => response.arrayBuffer()),
    blob: () => promise.then((response) => response.blob()),
    formData: () => promise.then((response) => response.formData()),
  });
}
