import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // A developer's own AWS settings must not reach a test: each test says what its environment is.
    globalSetup: ["test/support/build.ts"],
    setupFiles: ["test/support/clean-environment.ts"],
    testTimeout: 20_000,
  },
}) as unknown;
