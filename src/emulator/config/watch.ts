/** Tells of files that change, for `--watch`. */
import { type FSWatcher, readdirSync, statSync, watch } from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";
import { ConfigurationError } from "../../errors.ts";

/** What {@link watchFiles} can be told. */
export interface WatchOptions {
  /**
   * Milliseconds without a change before `onChange` is called: an editor saves in several steps, a build in many.
   * @default 100
   */
  readonly quietFor?: number;
  /**
   * Let the system watch what is inside of a folder. Where it can't, as on Linux, Node.js imitates it with a watch on every
   * file, `node_modules` and all; there each folder gets a watch of its own instead.
   * @default on macOS and Windows
   */
  readonly recursive?: boolean;
}

// A program that never stops writing must not keep the others' changes back.
const LONGEST_WAIT = 2000;

/** Vim tries with this name whether it may write in a folder. */
const PROBE = "4913";

/**
 * Watches files, and folders with all that is in them but `node_modules`, what begins with a dot (`.git`), and what editors
 * put down for a moment. It sees a file that is replaced, and a folder that is deleted and made again.
 *
 * @param onChange Gets the absolute paths that have changed since the last time.
 * @throws {ConfigurationError} when a path can't be watched.
 */
export function watchFiles(
  paths: readonly string[],
  onChange: (changed: readonly string[]) => void,
  { quietFor = 100, recursive = process.platform === "darwin" || process.platform === "win32" }: WatchOptions = {},
): { close(): void } {
  const watchers = new Map<string, FSWatcher>();
  const changed = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let since = 0;

  function report(path: string): void {
    changed.add(path);
    if (timer === undefined) {
      since = Date.now();
      timer = setTimeout(tell, quietFor);
    } else if (Date.now() - since < LONGEST_WAIT) timer.refresh();
  }

  function tell(): void {
    timer = undefined;
    const paths = [...changed].sort();
    changed.clear();
    onChange(paths);
  }

  /** Watches a folder. What is in it is looked at by name, so that a file may be another one each time. */
  function watchFolder(folder: string, id: string, heed: (name: string) => void, deep: boolean): void {
    watchers.get(id)?.close();
    const watcher = watch(folder, { recursive: deep && recursive }, (_event, name) => {
      if (typeof name === "string") heed(name);
    });
    // The folder is gone, which its own folder tells as well.
    watcher.on("error", () => watcher.close());
    watchers.set(id, watcher);
  }

  function watchTree(folder: string): void {
    watchFolder(folder, `${folder}${sep}`, (name) => heedEntry(folder, name), true);
    if (recursive) return;
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (!entry.isDirectory() || isIgnored(entry.name)) continue;
      try {
        watchTree(join(folder, entry.name));
      } catch (error) {
        // One that nobody may read, or that is gone already, can stay out. That there can't be more watches is another matter.
        if (isOutOfWatches(error)) throw error;
      }
    }
  }

  /** Something in a folder is new, another, or gone. */
  function heedEntry(folder: string, name: string): void {
    if (name.split(/[/\\]/).some(isIgnored)) return;
    const path = join(folder, name);
    report(path);
    if (!recursive) watchAnew(path);
  }

  /** A folder that was made, or made again: the watch on the old one sees nothing of it. */
  function watchAnew(path: string): void {
    if (!isFolder(path)) return;
    try {
      watchTree(path);
    } catch {
      // It is gone again, or there are no more watches; that it has changed is told all the same.
    }
  }

  /** Watches from the folder above, where it is seen when the path itself is replaced. */
  function watchRoot(path: string): void {
    const name = basename(path);
    try {
      watchFolder(dirname(path), path, (changedName) => changedName === name && heedRoot(path), false);
    } catch (error) {
      // Of a folder, what is in it can still be watched.
      if (!isFolder(path)) throw error;
    }
    if (isFolder(path)) watchTree(path);
  }

  function heedRoot(path: string): void {
    report(path);
    watchAnew(path);
  }

  function close(): void {
    clearTimeout(timer);
    for (const watcher of watchers.values()) watcher.close();
    watchers.clear();
  }

  for (const path of paths) {
    try {
      watchRoot(resolve(path));
    } catch (cause) {
      close();
      if (cause instanceof ConfigurationError) throw cause;
      if (isOutOfWatches(cause)) throw tooMany(path, cause);
      throw new ConfigurationError(`can't watch ${path}: ${(cause as Error).message}`, { cause });
    }
  }
  return { close };
}

/** Is a name in a watched folder of no interest? */
export function isIgnored(name: string): boolean {
  return name === "node_modules" || name.startsWith(".") || name.endsWith("~") || name === PROBE;
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function isOutOfWatches(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOSPC" || code === "EMFILE";
}

function tooMany(path: string, cause: unknown): ConfigurationError {
  return new ConfigurationError(
    `can't watch all of ${path}: the system allows no more watches (on Linux, fs.inotify.max_user_watches)`,
    { cause },
  );
}
