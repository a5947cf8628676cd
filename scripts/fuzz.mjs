// `npm run fuzz [CASES]`: test/fuzz.test.ts with many more cases than the tests have time for.
import { spawnSync } from "node:child_process";

const cases = process.argv[2] ?? "120000";
console.log(`${cases} cases`);
const { status } = spawnSync(process.execPath, ["node_modules/vitest/vitest.mjs", "run", "test/fuzz.test.ts"], {
  stdio: "inherit",
  env: { ...process.env, FUZZ_RUNS: cases },
});
process.exit(status ?? 1);
