import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { ENGINES } from "../../internal/app/engines.ts";
import { DEVIATIONS } from "../../internal/history/cassandra/deviations.ts";
import { tempFolder } from "../../test/kit/temp-folder.ts";
import { enginesDocument, MISSING } from "./engines-document.ts";
import { PORTS } from "./facts.ts";
import { contractTests } from "./suite-tests.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

describe("the document of engines", () => {
  test("knows every port and both engines of each", () => {
    expect(PORTS.map(({ port }) => port).sort()).toEqual(Object.keys(ENGINES).sort());
    for (const { port, engines } of PORTS)
      expect([port, engines.map(({ chosenBy }) => chosenBy)]).toEqual([port, ["embedded", "real"]]);
  });

  test("lists a contract's tests once for all its engines, with the reason where one is left out", async () => {
    const document = await enginesDocument(ROOT);
    const [{ reason, tests }] = DEVIATIONS as unknown as [(typeof DEVIATIONS)[0]];
    expect(document).toContain(`| ${tests[0]} | ✓ | ${reason} |`);
    const row = "| let exactly one of many concurrent writers of a version win | ✓ | ✓ |";
    expect(document.split(row)).toHaveLength(2);
    for (const line of document.split("\n").filter((one) => one.startsWith("| ")))
      expect(line.split(/(?<!\\)\|/).filter((cell) => cell.trim() === "")).toHaveLength(2);
  });

  test("finds as many tests as the suites have", async () => {
    for (const { folder, suite, title } of PORTS) {
      const tests = await contractTests(`${ROOT}/${folder}/contract.ts`, suite).catch(() => undefined);
      if (tests) expect([title, tests.length > 1, new Set(tests).size]).toEqual([title, true, tests.length]);
    }
  });

  test("has no engine whose suite does not run", async () => {
    const source = await readFile(`${ROOT}/internal/app/engines.ts`, "utf8");
    const document = await enginesDocument(ROOT);
    for (const { title, folder, engines } of PORTS) {
      const entries = [...source.matchAll(/import\("\.\.\/([^"]+)"\)/g)].map(
        ([, path]) => `internal/${path}`,
      );
      const present = engines.filter(({ name }) =>
        entries.some((path) => path.startsWith(`${folder}/${name}/`) && existsSync(`${ROOT}/${path}`)),
      );
      const section = document.split(`## ${title}\n`)[1]!.split("\n## ")[0]!;
      if (present.length === engines.length)
        expect([title, section]).not.toEqual([title, expect.stringContaining(MISSING)]);
    }
  });
});

describe("the tests of a suite", () => {
  const suite = async (text: string) => {
    await using folder = await tempFolder();
    await writeFile(folder.file("more.ts"), 'export function more(it: any) { it("d", () => {}); }');
    await writeFile(folder.file("contract.ts"), text);
    return await contractTests(folder.file("contract.ts"), "suite");
  };

  test("are those of its functions, of files beside it, of rows and of loops", async () => {
    const found = await suite(`
      import { more } from "./more.ts";
      export function suite() {
        describe("x", () => {
          it("a", () => {});
          parts(it);
          for (const n of [1, 2]) test(\`with \${n} cars\`, () => {});
        });
      }
      function parts(test) {
        test.each([[1], [2]])("b of %s", () => {});
        test("c", { timeout: 5 }, () => {});
        more(test);
      }
      function another() { it("not of it", () => {}); }`);
    expect(found).toEqual(["a", "b of …", "c", "d", "with … cars"]);
  });

  test("are found behind a function that leaves out deviations, and by the name of a constant", async () => {
    const found = await suite(`
      const CRASH = "dies";
      export function suite(name, start, deviations) {
        const promise = (title, run) => {
          const reason = deviations.find(({ tests }) => tests.includes(title))?.reason;
          if (reason === undefined) test(title, run);
          else test.skip(\`\${title} (\${reason})\`, run);
        };
        promise("lives", () => {});
        promise(CRASH, () => {});
      }`);
    expect(found).toEqual(["lives", "dies"]);
  });

  test("may not be skipped in the suite itself, where no reason stands", async () => {
    await expect(suite('export function suite() { it.skip("a", () => {}); }')).rejects.toThrow(
      /"a" is skipped without a reason/,
    );
  });

  test("are none in a file without the suite", async () => {
    expect(await suite("export const nothing = 1;")).toBeUndefined();
  });
});
