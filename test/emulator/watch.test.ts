import { writeFileSync } from "node:fs";
import { mkdir, mkdtemp, realpath, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type WatchOptions, watchFiles } from "../../src/emulator/config/watch.ts";
import { ConfigurationError } from "../../src/errors.ts";

let folder: string;
let watcher: { close(): void } | undefined;

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "lambda-requests-")));
});

afterEach(async () => {
  watcher?.close();
  await rm(folder, { recursive: true });
});

const at = (path: string): string => join(folder, path);

/** Watches, and gives a function that waits until this path has been told; it gives all that was told until then. */
function start(paths: readonly string[], options: WatchOptions = {}): (path: string) => Promise<string[]> {
  let told: string[] = [];
  let onTold = (): void => undefined;
  watcher = watchFiles(
    paths.map(at),
    (changed) => {
      told.push(...changed);
      onTold();
    },
    { quietFor: 20, ...options },
  );
  return (path) =>
    new Promise((resolve) => {
      onTold = () => {
        if (!told.includes(at(path))) return;
        resolve([...new Set(told)].map((one) => one.slice(folder.length + 1)));
        told = [];
      };
      onTold();
    });
}

describe.each([
  ["as the system watches", {}],
  ["with a watch on each folder", { recursive: false }],
])("a folder that is watched, %s,", (_name, options: WatchOptions) => {
  it("tells of files that are new, written, replaced and deleted, in folders of any depth", async () => {
    await mkdir(at("src/admin"), { recursive: true });
    await writeFile(at("src/orders.mjs"), "1");
    const told = start(["src"], options);
    await writeFile(at("src/orders.mjs"), "2");
    await told("src/orders.mjs");
    await writeFile(at("src/admin/users.mjs"), "1");
    await told("src/admin/users.mjs");
    for (const text of ["3", "4", "5"]) {
      await writeFile(at("src/orders.mjs.tmp"), text);
      await rename(at("src/orders.mjs.tmp"), at("src/orders.mjs"));
      await told("src/orders.mjs");
    }
    await rm(at("src/orders.mjs"));
    await told("src/orders.mjs");
  });

  it("sees into a folder that is made later, and into one that is made again", async () => {
    const told = start(["."], options);
    for (let time = 0; time < 3; time++) {
      await mkdir(at("dist"));
      await told("dist");
      await mkdir(at("dist/deep"));
      await told("dist/deep");
      await writeFile(at("dist/deep/orders.mjs"), "1");
      await told("dist/deep/orders.mjs");
      await rm(at("dist"), { recursive: true });
      await told("dist");
    }
  });

  it("leaves out packages, what begins with a dot, and what an editor puts down for a moment", async () => {
    for (const name of ["node_modules/a", ".git/a", "src/node_modules/a"]) await mkdir(at(name), { recursive: true });
    const told = start(["."], options);
    const ignored = [
      "node_modules/a/b.js",
      ".git/a/b",
      "src/node_modules/a/b.js",
      ".env",
      "a.mjs~",
      ".a.mjs.swp",
      "4913",
    ];
    for (const name of ignored) await writeFile(at(name), "1");
    await mkdir(at(".cache"));
    await writeFile(at("src/orders.mjs"), "1");
    expect(await told("src/orders.mjs")).toEqual(["src/orders.mjs"]);
  });
});

describe("a file that is watched", () => {
  it("is seen each time that another takes its place, and its neighbours are not", async () => {
    await writeFile(at("template.yaml"), "1");
    const told = start(["template.yaml"]);
    for (const text of ["2", "3"]) {
      await writeFile(at("other.yaml"), text);
      await writeFile(at("new.yaml"), text);
      await rename(at("new.yaml"), at("template.yaml"));
      expect(await told("template.yaml")).toEqual(["template.yaml"]);
    }
    await rm(at("template.yaml"));
    await told("template.yaml");
    await writeFile(at("template.yaml"), "4");
    await told("template.yaml");
  });
});

describe("a folder that is watched", () => {
  it("may be deleted and made again", async () => {
    await mkdir(at("dist"));
    const told = start(["dist"]);
    await rm(at("dist"), { recursive: true });
    await told("dist");
    await mkdir(at("dist"));
    await told("dist");
    await writeFile(at("dist/orders.mjs"), "1");
    await told("dist/orders.mjs");
  });

  it("tells of what changes together at once, and of each path once", async () => {
    const calls: (readonly string[])[] = [];
    const done = new Promise<void>((resolve) => {
      const onChange = (changed: readonly string[]): void => {
        calls.push(changed);
        resolve();
      };
      watcher = watchFiles([folder], onChange, { quietFor: 300 });
    });
    for (const name of ["b", "a", "b", "c", "a"]) await writeFile(at(name), "1");
    await done;
    expect(calls).toEqual([[at("a"), at("b"), at("c")]]);
  });

  it("has to be there", () => {
    expect(() => watchFiles([at("no/where")], () => undefined)).toThrow(ConfigurationError);
    expect(() => watchFiles([at("no/where")], () => undefined)).toThrow(/can't watch .*where: ENOENT/);
  });

  it("tells of nothing once it is closed", async () => {
    const told = start(["."]);
    await writeFile(at("a"), "1");
    await told("a");
    let calls = 0;
    const second = watchFiles([folder], () => calls++, { quietFor: 0 });
    // In one go, so that nothing is told before.
    writeFileSync(at("b"), "1");
    second.close();
    await told("b");
    expect(calls).toBe(0);
  });
});
