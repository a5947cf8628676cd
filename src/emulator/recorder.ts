/** What came in, for tests to look at. */
import type { InvocationType } from "../invoke/invoker.ts";
import type { FunctionCall } from "./definition.ts";

/** A call as it came in. */
export interface RecordedInvocation {
  readonly functionName: string;
  readonly qualifier?: string;
  readonly invocationType: InvocationType;
  readonly requestId: string;
  /** By `InvokeWithResponseStream`? */
  readonly responseStreaming: boolean;
  readonly tenantId?: string;
  /** What the function was given, parsed anew each time. */
  readonly event: unknown;
  readonly clientContext?: unknown;
}

export interface Recorder {
  readonly invocations: readonly RecordedInvocation[];
  add(call: FunctionCall): void;
}

// A process that emulates for days must not keep all of them.
const MAX_CALLS = 1_000;
const MAX_BYTES = 64 * 1024 * 1024;

export function startRecorder(): Recorder {
  const invocations: RecordedInvocation[] = [];
  const sizes: number[] = [];
  let bytes = 0;
  return {
    invocations,
    add(call) {
      invocations.push(record(call));
      sizes.push(call.payload.length);
      bytes += call.payload.length;
      while (invocations.length > MAX_CALLS || (bytes > MAX_BYTES && invocations.length > 1)) {
        invocations.shift();
        bytes -= sizes.shift() ?? 0;
      }
    },
  };
}

function record(call: FunctionCall): RecordedInvocation {
  const { target, requestId, payload, tenantId, clientContext } = call;
  const { invocationType = "RequestResponse", responseStreaming = false } = call;
  return {
    functionName: target.functionName,
    ...(target.qualifier !== undefined && { qualifier: target.qualifier }),
    invocationType,
    requestId,
    responseStreaming,
    ...(tenantId !== undefined && { tenantId }),
    get event() {
      const text = Buffer.from(payload).toString("utf8");
      try {
        return JSON.parse(text) as unknown;
      } catch {
        // Only who asks by a dry run may send what is no JSON.
        return text;
      }
    },
    ...(clientContext !== undefined && { clientContext: JSON.parse(Buffer.from(clientContext, "base64").toString()) }),
  };
}
