// The processes of execution environments: many at once, ended in the middle, and none left behind.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test, vi } from "vitest";
import type { FunctionRunner } from "../../src/emulator/definition.ts";
import { callOf, FUNCTIONS, invoke, resultOf, startFunction } from "../support/environment-functions.ts";
import { hasEnded, isRunning, openMeeting } from "../support/environment-processes.ts";

describe("many at once", () => {
  test("500 invocations of 20 functions, two environments each", { timeout: 20_000 }, async () => {
    const runners = Array.from({ length: 20 }, (_, i) =>
      startFunction("handlers.mjs", { functionName: `orders-${i}`, concurrency: 2, timeout: 15_000 }),
    );
    const results = await Promise.all(
      Array.from({ length: 500 }, async (_, i) => {
        const runner = runners[i % runners.length] as FunctionRunner;
        for (;;) {
          try {
            return await resultOf(runner, { i });
          } catch (error) {
            if ((error as { status?: number }).status !== 429) throw error;
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
        }
      }),
    );
    expect(results).toEqual(Array.from({ length: 500 }, (_, i) => ({ i })));
    await Promise.all(runners.map((runner) => runner.close()));
  });

  test("one whose process is ended from outside fails alone", async () => {
    const meeting = await openMeeting();
    const meet = (runner: FunctionRunner) => invoke(runner, { port: meeting.port });
    const runner = startFunction("handlers.mjs#meeting");
    const others = [meet(runner), meet(runner)];
    const sockets = [await meeting.arrival(), await meeting.arrival()];
    const killed = invoke(startFunction("handlers.mjs#orphan"), { port: meeting.port });
    const [pid = 0, child = 0] = await readPids(await meeting.arrival());
    process.kill(pid, "SIGKILL");
    const { text, functionError } = await killed;
    expect(functionError).toBe("Unhandled");
    expect(text).toContain("Runtime exited with error: signal: killed");
    await hasEnded(child);
    for (const socket of sockets) socket.end();
    expect((await Promise.all(others)).map(({ text }) => text)).toEqual(['"met"', '"met"']);
    meeting.close();
  });

  test("one whose process is ended while it has nothing to do is not missed", async () => {
    const runner = startFunction("handlers.mjs#counting");
    const { pid }: { pid: number } = await resultOf(runner);
    process.kill(pid, "SIGKILL");
    await hasEnded(pid);
    expect(await resultOf(runner)).toMatchObject({ count: 1 });
  });
});

describe("none is left", () => {
  test("when the runner is closed, whatever it does", async () => {
    const meeting = await openMeeting();
    const idle = startFunction("handlers.mjs#parent");
    const { pid, child }: { pid: number; child: number } = await resultOf(idle);
    expect([isRunning(pid), isRunning(child)]).toEqual([true, true]);
    const busy = startFunction("handlers.mjs#orphan");
    const running = invoke(busy, { port: meeting.port });
    const pids = await readPids(await meeting.arrival());
    await Promise.all([idle.close(), busy.close(), startFunction("handlers.mjs").close()]);
    expect(await running).toMatchObject({ functionError: "Unhandled" });
    await Promise.all([pid, child, ...pids].map(hasEnded));
    await expect(idle.run(callOf())).rejects.toMatchObject({ status: 500, name: "ServiceException" });
    await idle.close();
    meeting.close();
  });

  test("when one has had nothing to do for some minutes", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const runner = startFunction("handlers.mjs#counting");
      const { pid }: { pid: number } = await resultOf(runner);
      vi.advanceTimersByTime(4 * 60 * 1000);
      expect(await resultOf(runner)).toEqual({ count: 2, pid });
      vi.advanceTimersByTime(4 * 60 * 1000);
      expect(isRunning(pid)).toBe(true);
      vi.advanceTimersByTime(2 * 60 * 1000);
      await hasEnded(pid);
      expect(await resultOf(runner)).toMatchObject({ count: 1 });
    } finally {
      vi.useRealTimers();
    }
  });

  test("when it is closed while one starts", async () => {
    const runner = startFunction("handlers.mjs");
    const running = runner.run(callOf()).catch((error: unknown) => error);
    await runner.close();
    expect(await running).toMatchObject({ status: 500 });
  });

  test("when a function has answered and its children have not ended", async () => {
    const runner = startFunction("handlers.mjs#parent");
    const { pid, child }: { pid: number; child: number } = await resultOf(runner);
    process.kill(pid, "SIGKILL");
    await hasEnded(child);
  });

  const python = `python3 -c 'import socket, subprocess, os, json, urllib.request as u
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/next"
port = json.load(u.urlopen(api))["port"]
child = subprocess.Popen(["sleep", "600"])
with socket.create_connection(("127.0.0.1", port)) as s: s.sendall(f"{os.getpid()} {child.pid}\\n".encode())
while True: pass'`;

  test.skipIf(process.platform === "win32").each([
    ["a Node.js function", join(FUNCTIONS, "handlers.mjs")],
    ["a command", `command:${python}`],
  ])("when this process is killed in the middle of %s", async (_name, program) => {
    const meeting = await openMeeting();
    const runner = pathToFileURL(join(import.meta.dirname, "../../dist/emulator/environment/runner.js")).href;
    const parent = spawn(process.execPath, [join(FUNCTIONS, "parent.mjs"), runner, program, String(meeting.port)], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    const pids = await readPids(await meeting.arrival());
    expect(pids.map(isRunning)).toEqual([true, true]);
    parent.kill("SIGKILL");
    await once(parent, "exit");
    await Promise.all(pids.map(hasEnded));
    meeting.close();
  });
});

async function readPids(socket: NodeJS.ReadableStream & { end(): void }): Promise<number[]> {
  let text = "";
  for await (const piece of socket) {
    text += piece;
    if (text.endsWith("\n")) break;
  }
  socket.end();
  return text.trim().split(" ").map(Number);
}
