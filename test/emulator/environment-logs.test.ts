// What functions in execution environments print: the tail of an invocation, and the terminal.
import { once } from "node:events";
import { Readable, Writable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { linePrinter } from "../../src/emulator/environment/line-printer.ts";
import { createLog } from "../../src/emulator/environment/log.ts";
import { parseReport } from "../../src/invocation-info.ts";
import { callOf, invoke, resultOf, startFunction } from "../support/environment-functions.ts";

describe("the tail of an invocation", () => {
  test("is what the function printed, between the lines of Lambda", async () => {
    const { logs, result } = await invoke(startFunction("handlers.mjs#printing"), { lines: ["one", "two"] });
    const [start, ...lines] = logs.split("\n");
    expect(start).toMatch(/^INIT_START Runtime Version: nodejs:/);
    expect(lines).toEqual([
      `START RequestId: ${result.requestId} Version: $LATEST`,
      expect.stringMatching(new RegExp(`^\\d{4}-.*Z\t${result.requestId}\tINFO\tone$`)),
      expect.stringMatching(/\tINFO\ttwo$/),
      `END RequestId: ${result.requestId}`,
      expect.stringMatching(
        /^REPORT RequestId: \S+\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 256 MB\tMax Memory Used: \d+ MB\tInit Duration: [\d.]+ ms\t$/,
      ),
      "",
    ]);
    expect(parseReport(logs)).toMatchObject({ memorySize: 256 });
  });

  test("has each level of the console, and what was printed beside it", async () => {
    const { logs } = await invoke(startFunction("handlers.mjs#levels"));
    for (const text of ["DEBUG\ta debug", "INFO\t{ an: 'info' }", "WARN\ta warning\nof two lines", "ERROR\tan error"]) {
      expect(logs).toContain(`\t${text}\n`);
    }
    expect(logs).toContain("\nbare\n");
    expect(logs).toContain("\non stderr\n");
  });

  test("is no longer than 4 KB, and holds the last words of a process that ended", async () => {
    const { logs } = await invoke(startFunction("handlers.mjs#lastWords"));
    expect(Buffer.byteLength(logs)).toBe(4096);
    expect(logs).toContain("line 4999 ");
    expect(logs).toMatch(/Error Type: Runtime\.ExitError\t\n$/);
  });

  test("is only there when it is asked for", async () => {
    expect(await startFunction("handlers.mjs").run(callOf({}, { logs: false }))).not.toHaveProperty("logs");
  });

  test("is its own: what is printed between two invocations belongs to the later one", async () => {
    const runner = startFunction("handlers.mjs#chatty");
    const logs: string[] = [];
    for (let i = 0; i < 20; i++) logs.push((await invoke(runner)).logs);
    expect(logs[0]).toContain("INIT_START");
    // Each prints one line, be it in time or not; none is lost, and none is there twice.
    const lines = logs.join("").match(/INFO\tbetween\n/g);
    expect(lines?.length).toBeGreaterThanOrEqual(19);
    expect(lines?.length).toBeLessThanOrEqual(20);
    for (const log of logs) expect(log.match(/^REPORT /gm)?.length).toBe(1);
  });

  test("under a flood, stays small, and others don't notice", async () => {
    const flood = invoke(startFunction("handlers.mjs#flooding", { timeout: 1000 }));
    const other = startFunction("handlers.mjs");
    global.gc?.();
    const before = process.memoryUsage().rss;
    let answered = 0;
    let isOver = false;
    void flood.then(() => {
      isOver = true;
    });
    while (!isOver) {
      await resultOf(other);
      answered++;
    }
    expect(answered).toBeGreaterThan(5);
    const { text, logs } = await flood;
    expect(text).toContain("Task timed out");
    expect(Buffer.byteLength(logs)).toBe(4096);
    expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024);
  });
});

describe("the terminal", () => {
  let printed: string[] = [];
  beforeEach(() => {
    printed = [];
    for (const stream of [process.stdout, process.stderr]) {
      vi.spyOn(stream, "write").mockImplementation((text) => {
        printed.push(String(text));
        return true;
      });
    }
  });
  afterEach(() => void vi.restoreAllMocks());

  test("shows what a function prints, with its name", async () => {
    const runner = startFunction("handlers.mjs#levels", { quiet: false, version: "7" });
    await resultOf(runner);
    const lines = printed.join("").split("\n");
    expect(lines).toContainEqual(expect.stringMatching(/^orders:7 \| .*\tDEBUG\ta debug$/));
    expect(lines).toContain("orders:7 | of two lines");
    expect(lines).toContain("orders:7 | bare");
    expect(lines).toContain("orders:7 | on stderr");
    expect(printed.join("")).not.toContain("REPORT");
  });

  test("shows why Lambda ended it", async () => {
    await invoke(startFunction("handlers.mjs#slow", { quiet: false, timeout: 300 }), { milliseconds: 60_000 });
    expect(printed.join("")).toMatch(/^orders \| \S+ \S+ Task timed out after 0\.30 seconds$/m);
  });

  test("shows nothing of one that is quiet", async () => {
    await resultOf(startFunction("handlers.mjs#levels"));
    await invoke(startFunction("handlers.mjs#exiting"), { status: 1 });
    expect(printed).toEqual([]);
  });
});

describe("a terminal", () => {
  /** It takes nothing until it is told to. */
  function slowTerminal(): { terminal: Writable; printed: string[]; take: () => void } {
    const printed: string[] = [];
    let taken = (): void => undefined;
    const terminal = new Writable({
      highWaterMark: 16,
      write(chunk: Buffer, _encoding, done) {
        printed.push(chunk.toString());
        taken = done;
      },
    });
    return { terminal, printed, take: () => taken() };
  }

  test("that is slow makes the function wait", async () => {
    const { terminal, printed, take } = slowTerminal();
    const stream = new Readable({ read: () => undefined, highWaterMark: 1024 });
    const log = createLog({ name: "orders", quiet: false });
    log.listen(stream, terminal);
    stream.push("a line that is long enough\n");
    await vi.waitFor(() => expect(stream.isPaused()).toBe(true));
    expect(printed).toEqual(["orders | a line that is long enough\n"]);
    const resumed = once(stream, "resume");
    take();
    await resumed;
    expect(log.takeTail()).toBe("a line that is long enough\n");
  });

  test("gets whole lines, cut only where they don't end", () => {
    const { terminal, printed, take } = slowTerminal();
    const printer = linePrinter(terminal, "orders");
    printer.print(Buffer.from("one\ntw"));
    take();
    printer.print(Buffer.from("o"));
    printer.print(Buffer.from("\nthr"));
    take();
    printer.flush();
    take();
    printer.flush();
    printer.print(Buffer.alloc(20_000, "x"));
    take();
    expect(printed).toEqual(["orders | one\n", "orders | two\n", "orders | thr\n", `orders | ${"x".repeat(20_000)}\n`]);
  });

  test("wakes all that wait for it", async () => {
    const { terminal, take } = slowTerminal();
    const printers = Array.from({ length: 20 }, () => linePrinter(terminal, "orders"));
    const calls = printers.map((printer) => {
      printer.print(Buffer.from("x\n"));
      return new Promise<void>((resolve) => printer.onDrain(resolve));
    });
    for (let i = 0; i < 20; i++) {
      take();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(calls);
    expect(terminal.listenerCount("drain")).toBe(0);
  });
});
