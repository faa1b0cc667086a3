import { defineConfig } from "vitest/config";

const folders = "{bench,cmd,demo,drills,examples,internal,scripts,test,web}";

/**
 * Two kinds of tests: plain ones, two files at a time, then those that drive a real Chromium (`*.browser.test.ts`), one
 * at a time. Timeouts are generous because the machine may be busy: tests wait on conditions, so only a hang meets them.
 */
export default defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    reporters: ["default", "./scripts/skipped-reporter.ts"],
    projects: [
      {
        extends: true,
        test: {
          name: "plain",
          include: [`${folders}/**/*.test.ts`],
          exclude: ["**/node_modules/**", "**/*.browser.test.ts"],
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "browser",
          include: [`${folders}/**/*.browser.test.ts`],
          exclude: ["**/node_modules/**"],
          maxWorkers: 1,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
