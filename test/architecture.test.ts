import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { staleGenerated } from "../scripts/check/generated.ts";
import {
  lockedAddresses,
  longCommands,
  strayBytes,
  strayEnvironment,
  undeclaredPackages,
} from "../scripts/check/house-rules.ts";
import { findCycles, importsOf, readImportGraph } from "../scripts/check/import-graph.ts";
import { parseImportTable } from "../scripts/check/import-table.ts";
import { forbiddenImports } from "../scripts/check/imports.ts";
import { breakingChanges, lintProto } from "../scripts/check/proto.ts";
import { runSteps } from "../scripts/check/run-steps.ts";

const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

describe("the project", () => {
  test("imports only what the table of docs/ARCHITECTURE.md allows", async () => {
    expect(await forbiddenImports(root, await readImportGraph(root))).toEqual([]);
  });

  test("has no import cycle", async () => {
    expect(findCycles(await readImportGraph(root))).toEqual([]);
  });
});

describe("planted faults are found", () => {
  let copy: string;
  beforeEach(async () => {
    copy = await mkdtemp(join(tmpdir(), "bimride-planted-"));
    for (const path of [
      "proto",
      "gen",
      "docs",
      "internal/core",
      "bench/results",
      "drills/results",
      "buf.yaml",
      "buf.gen.yaml",
      "package-lock.json",
    ]) {
      await cp(join(root, path), join(copy, path), { recursive: true });
    }
  });
  afterEach(() => rm(copy, { recursive: true, force: true }));

  const plant = async (path: string, text: string) => {
    await mkdir(dirname(join(copy, path)), { recursive: true });
    await writeFile(join(copy, path), text);
  };
  const edit = async (path: string, from: string, to: string) => {
    const text = await readFile(join(copy, path), "utf8");
    expect(text).toContain(from);
    await writeFile(join(copy, path), text.replace(from, to));
  };
  const imports = async () => forbiddenImports(copy, await readImportGraph(copy));

  test("a field that changes its number breaks the contract", async () => {
    expect(await breakingChanges(copy)).toEqual([]);
    await edit("proto/bimride/tracking/v1/fix.proto", "uint32 seq = 1;", "uint32 seq = 11;");
    expect((await breakingChanges(copy)).join("\n")).toMatch(/fix\.proto.*"seq"/);
  });

  test("a removed method breaks the contract", async () => {
    const path = "proto/bimride/tracking/v1/live.proto";
    await edit(path, "rpc GetLiveTrip(GetLiveTripRequest) returns (GetLiveTripResponse);", "");
    expect((await breakingChanges(copy)).join("\n")).toMatch(/live\.proto.*"GetLiveTrip"/);
  });

  test("a field without a comment is refused by the contract's lint", async () => {
    expect(await lintProto(copy)).toEqual([]);
    await edit(
      "proto/bimride/tracking/v1/fix.proto",
      "message Party {",
      "message Party {\n  string bare = 99;\n",
    );
    expect((await lintProto(copy)).join("\n")).toContain("bare");
  });

  test("a generated file that somebody edited, lost or added is named", async () => {
    // docs/ENGINES.md is made of the contract suites, and some of the engines' deviations stand beside tests.
    await cp(join(root, "internal"), join(copy, "internal"), { recursive: true });
    await symlink(join(root, "node_modules"), join(copy, "node_modules"));
    expect(await staleGenerated(copy)).toEqual([]);
    await edit("gen/bimride/tracking/v1/fix_pb.ts", "message bimride.tracking.v1.Fix\n", "message Fix\n");
    await rm(join(copy, "docs/ERRORS.md"));
    await plant("gen/bimride/tracking/v1/old_pb.ts", "export {};\n");
    const stale = (await staleGenerated(copy)).join("\n");
    for (const path of ["fix_pb.ts", "docs/ERRORS.md", "old_pb.ts"]) expect(stale).toContain(path);
  });

  test("an import that the table does not allow is named with its row", async () => {
    await plant(
      "internal/core/clock-file.ts",
      'import { readFile } from "node:fs/promises";\nexport { readFile };\n',
    );
    await plant(
      "internal/pipeline/stages/leak.ts",
      'import type { Logger } from "pino";\nexport type L = Logger;\n',
    );
    const problems = await imports();
    expect(problems).toContain("internal/core/clock-file.ts imports node; internal/core may not");
    expect(problems).toContain(
      "internal/pipeline/stages/leak.ts imports pino; internal/pipeline/stages may not",
    );
  });

  test("a folder of internal without a row is named", async () => {
    await plant("internal/surprise/thing.ts", "export const thing = 1;\n");
    expect(await imports()).toContain("internal/surprise has no row in docs/ARCHITECTURE.md");
  });

  test("a test that something else imports is named", async () => {
    await plant("internal/core/some.test.ts", "export const helper = 1;\n");
    await plant("internal/core/uses.ts", 'export { helper } from "./some.test.ts";\n');
    expect(await imports()).toContain(
      "internal/core/uses.ts imports internal/core/some.test.ts, which only tests may",
    );
  });

  test("what only tests import is theirs, until something else imports it", async () => {
    await plant("internal/core/rig.ts", 'import "vitest";\nexport const rig = 1;\n');
    await plant("internal/core/rig.test.ts", 'import "./rig.ts";\n');
    expect((await imports()).filter((problem) => problem.includes("rig"))).toEqual([]);
    await plant("internal/core/user.ts", 'import "./rig.ts";\n');
    expect(await imports()).toContain("internal/core/rig.ts imports vitest; internal/core may not");
  });

  test("a package that package.json does not name is found", async () => {
    await cp(join(root, "package.json"), join(copy, "package.json"));
    await plant(
      "internal/core/odd.ts",
      'import { odd } from "left-pad";\nimport "node:fs";\nimport "pino";\nodd();\n',
    );
    expect(await undeclaredPackages(copy, await readImportGraph(copy))).toEqual([
      "internal/core/odd.ts imports left-pad, which package.json does not name",
    ]);
  });

  test("an import cycle is named with its files, also one of types", async () => {
    await plant("internal/core/a.ts", 'import type { B } from "./b.ts";\nexport type A = B;\n');
    await plant("internal/core/b.ts", 'import type { A } from "./a.ts";\nexport type B = A;\n');
    expect(findCycles(await readImportGraph(copy))).toEqual([
      "import cycle: internal/core/a.ts → internal/core/b.ts → internal/core/a.ts",
    ]);
  });

  test("a long command, a stray process.env and stray bytes are named", async () => {
    await plant("cmd/long.ts", "export {};\n".repeat(41));
    await plant("internal/core/env.ts", "export const home = process.env.HOME;\n");
    await plant("docs/nul.md", "a\0b\n");
    await plant("docs/open.md", "no newline");
    await plant("docs/blanks.md", "text  \n");
    expect(await longCommands(copy)).toEqual(["cmd/long.ts has 41 lines, 40 are allowed"]);
    expect(await strayEnvironment(copy)).toHaveLength(1);
    expect((await strayBytes(copy)).map((line) => line.split(" ")[0])).toEqual([
      "docs/blanks.md",
      "docs/nul.md",
      "docs/open.md",
    ]);
  });

  test("a download address in the lock file is named", async () => {
    expect(await lockedAddresses(copy)).toEqual([]);
    await edit(
      "package-lock.json",
      '"version": "24.21.0"',
      '"resolved": "https://example.test/x.tgz", "version": "1"',
    );
    expect(await lockedAddresses(copy)).toHaveLength(1);
  });
});

test("dynamic imports, re-exports and worker files count as imports", () => {
  const text = [
    'export * from "./a.ts";',
    'const b = await import("@scope/b/deep.js");',
    'new Worker(new URL("./c.ts", import.meta.url));',
  ].join("\n");
  expect(importsOf("internal/x/file.ts", text)).toEqual(["internal/x/a.ts", "@scope/b", "internal/x/c.ts"]);
});

test("a table that names an unknown group or a folder twice is refused", () => {
  const { problems } = parseImportTable(
    "## Who may import whom\n\n| group | is |\n|---|---|\n| g | `x` |\n\n| folder | may |\n|---|---|\n| `a` | nobody |\n| `a` | g, nothing |\n",
  );
  expect(problems).toEqual([
    'the import table uses "nobody", which is no group',
    "a stands twice in the import table",
  ]);
});

describe("the runner of checks", () => {
  const steps = [
    { name: "good", find: async () => [] },
    { name: "bad", find: async () => ["one fault"] },
    { name: "broken", find: () => Promise.reject(new Error("fell over")) },
  ];
  const run = async (isTTY: boolean) => {
    let text = "";
    const failed = await runSteps(steps, { isTTY, write: (piece) => (text += piece) }, 2);
    return { failed, text };
  };

  test("runs all steps, reports every failure and counts them", async () => {
    const { failed, text } = await run(false);
    expect(failed).toBe(2);
    for (const words of ["ok   good", "FAIL bad", "one fault", "FAIL broken", "fell over"])
      expect(text).toContain(words);
  });

  test("writes plain lines where there is no terminal, and what runs now on one", async () => {
    expect((await run(false)).text).not.toContain("\x1b");
    expect((await run(true)).text).toContain("… good");
  });
});
