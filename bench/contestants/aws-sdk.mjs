import { InvokeCommand, InvokeWithResponseStreamCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { bodyOf, GET, makeEvent, postOf, putOf } from "../event.mjs";

export function prepare(endpoint) {
  // Its default is 50, and calls beyond it would wait.
  const agent = { maxSockets: 1024 };
  const requestHandler = { httpAgent: agent, httpsAgent: agent };
  const client = new LambdaClient({ endpoint, region: "us-east-1", requestHandler });

  async function invoke(name, request) {
    const command = new InvokeCommand({ FunctionName: name, Payload: JSON.stringify(makeEvent(request)) });
    const { Payload } = await client.send(command);
    return JSON.parse(Payload.transformToString());
  }

  return {
    get: async (name = "orders") => JSON.parse((await invoke(name, GET)).body),
    post: async (name = "orders", json) => JSON.parse((await invoke(name, postOf(json))).body),
    up: async (name, content) => JSON.parse((await invoke(name, putOf(content))).body),
    down: async (name) => bodyOf(await invoke(name, GET)),
    async stream(name) {
      const Payload = JSON.stringify(makeEvent(GET));
      const { EventStream } = await client.send(new InvokeWithResponseStreamCommand({ FunctionName: name, Payload }));
      let prelude = Buffer.alloc(0);
      let status;
      let first;
      let size = 0;
      for await (const { PayloadChunk, InvokeComplete } of EventStream) {
        if (InvokeComplete?.ErrorCode) throw new Error(InvokeComplete.ErrorCode);
        let piece = PayloadChunk?.Payload;
        if (piece === undefined) continue;
        if (status === undefined) {
          prelude = Buffer.concat([prelude, piece]);
          const end = prelude.indexOf("\0".repeat(8));
          if (end < 0) continue;
          status = JSON.parse(prelude.toString("utf8", 0, end)).statusCode;
          piece = prelude.subarray(end + 8);
          if (piece.length === 0) continue;
        }
        first ??= performance.now();
        size += piece.length;
      }
      return { first, size };
    },
  };
}
