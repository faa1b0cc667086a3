import { defineConfig } from "vitest/config";

const folders = "{bench,cmd,demo,drills,examples,internal,scripts,test,web}";

const browser = "**/*.browser.test.ts";
const engines = [
  `${folders}/**/{nats,redis,cassandra}/**/*.test.ts`,
  "test/engines/**/*.test.ts",
  `${folders}/**/*.engines.test.ts`,
];

/**
 * Three kinds of tests: plain ones, two files at a time; those that need real engines (test/kit/engines says how these
 * are found), which share one of each; then those that drive a real Chromium (`*.browser.test.ts`), one at a time. Timeouts are generous because the machine may be busy: tests wait on conditions, so only a hang meets them.
 */
export default defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    expect: { poll: { timeout: 20_000 } },
    reporters: ["default", "./scripts/skipped-reporter.ts"],
    projects: [
      {
        extends: true,
        test: {
          name: "plain",
          include: [`${folders}/**/*.test.ts`],
          exclude: ["**/node_modules/**", browser, ...engines],
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "engines",
          include: engines,
          exclude: ["**/node_modules/**", browser],
          // Real servers on a busy machine: a start may take a minute.
          testTimeout: 180_000,
          hookTimeout: 180_000,
          globalSetup: "./test/kit/engines/vitest-setup.ts",
          runner: "./test/kit/engines/vitest-runner.ts",
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: "browser",
          include: [`${folders}/${browser}`],
          exclude: ["**/node_modules/**"],
          maxWorkers: 1,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
