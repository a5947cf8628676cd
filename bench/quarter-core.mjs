// A quarter of a core, which a function with 442 MB has: by a cgroup, where the machine lets us make one.
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

// A short period, so that it matters little where in one a process begins.
const PERIOD_US = 20_000;
const QUOTA_US = PERIOD_US / 4;

const VERSIONS = [
  {
    isMount: (type, options) => type === "cgroup" && options.split(",").includes("cpu"),
    ownPath: /^\d+:(?:[^:]*,)?cpu(?:,[^:]*)?:(.*)$/m,
    limits: { "cpu.cfs_period_us": PERIOD_US, "cpu.cfs_quota_us": QUOTA_US },
  },
  {
    isMount: (type) => type === "cgroup2",
    ownPath: /^0::(.*)$/m,
    limits: { "cpu.max": `${QUOTA_US} ${PERIOD_US}` },
  },
];

/** `wrap`, which makes of a command one that runs in there, and `close`; or `why` there is none. */
export function openQuarterCore() {
  let why = "there is no cgroup with a limit for CPU";
  for (const { parent, limits } of parents()) {
    try {
      return makeGroup(join(parent, `lambda-requests-bench-${process.pid}`), limits);
    } catch (error) {
      why = error.message;
    }
  }
  return { why };
}

/** Where a group may be made: at the top, which version 2 wants empty of processes, or below our own. */
function parents() {
  const mounts = linesOf("/proc/self/mounts").map((line) => line.split(" "));
  const own = linesOf("/proc/self/cgroup").join("\n");
  return VERSIONS.flatMap(({ isMount, ownPath, limits }) => {
    const [, top] = mounts.find(([, , type, options]) => type && isMount(type, options)) ?? [];
    return top === undefined
      ? []
      : [top, join(top, ownPath.exec(own)?.[1] ?? "")].map((parent) => ({ parent, limits }));
  });
}

function linesOf(path) {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch {
    return [];
  }
}

function makeGroup(group, limits) {
  mkdirSync(group);
  try {
    for (const [file, value] of Object.entries(limits)) writeFileSync(join(group, file), String(value));
  } catch (error) {
    rmdirSync(group);
    throw error;
  }
  const enter = `echo $$ > "${join(group, "cgroup.procs")}" && exec "$@"`;
  return {
    wrap: (command) => ["sh", "-c", enter, "sh", ...command],
    close: () => rmdirSync(group),
  };
}
