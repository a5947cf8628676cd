/** When a function has nothing left to do: the event loop is empty, and Node.js would end. */
let callback: (() => void) | undefined;
let isListening = false;

/** Calls back then, in place of what was to be called before; `undefined` takes that back. */
export function onEmptyLoop(call: (() => void) | undefined): void {
  callback = call;
  if (isListening) return;
  isListening = true;
  process.on("beforeExit", () => {
    const waiting = callback;
    callback = undefined;
    // Node.js goes on only when there is something in its loop again.
    if (waiting !== undefined) setImmediate(waiting);
  });
}
