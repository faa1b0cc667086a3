import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { tempFolder } from "../../../test/kit/temp-folder.ts";
import { partitionOf } from "../../core/ids.ts";
import { DEFAULT_LIMITS } from "../../core/limits.ts";
import { systemClock } from "../../core/time.ts";
import { encodeEntry } from "../../eventlog/codec.ts";
import { openSqliteLog } from "../../eventlog/sqlite/log.ts";
import { openSqliteHistory } from "../../history/sqlite/history.ts";
import { batchOf, CAR, fixOf } from "../../pipeline/test-drives.ts";
import { openDataFolder } from "../data-folder.ts";
import { runBimctl } from "./bimctl.ts";

const NOW_MS = 1_750_000_000_000;
const EXAMPLE = new URL("../../../examples/regions.geojson", import.meta.url).pathname;
const CAR_PARTY = { kind: "driver" as const, id: CAR };

async function bimctl(dataDir: string, argv: string[], env: Record<string, string> = {}) {
  const printed: string[] = [];
  const complained: string[] = [];
  const code = await runBimctl(argv, {
    env: { BIMRIDE_DATA_DIR: dataDir, ...env },
    print: (line) => printed.push(line),
    complain: (line) => complained.push(line),
    nowMs: () => NOW_MS,
  });
  return { code, out: printed.join("\n"), err: complained.join("\n") };
}

/** A data folder whose log has an hour of a car's fixes, one a minute, and whose history has none. */
async function hourOfLog() {
  const folder = await tempFolder();
  let nowMs = NOW_MS - 3_600_000;
  const clock = { ...systemClock, now: () => nowMs };
  const { partitions } = DEFAULT_LIMITS;
  await using log = await openSqliteLog({
    ...{ path: folder.file("log.sqlite"), region: "local", partitions, clock, limits: DEFAULT_LIMITS },
  });
  for (let seq = 0; seq < 60; seq++, nowMs += 60_000) {
    const records = [batchOf(nowMs, [fixOf(seq, nowMs - 200, 10 * seq)])];
    await log.append(
      partitionOf(CAR_PARTY, partitions),
      encodeEntry({ region: "local", traceparent: "", records }),
    );
  }
  return folder;
}

async function seqsIn(path: string): Promise<number[]> {
  await using history = await openSqliteHistory({ path });
  const fixes = await history.track({ party: CAR_PARTY, fromMs: 0, toMs: NOW_MS * 2, limit: 1_000 });
  return fixes.map(({ seq }) => seq);
}

describe("rebuild", () => {
  const history = ["--projection", "history"];

  test("makes the history what the log says and reports it; a dry run reports the same and writes nothing", async () => {
    await using folder = await hourOfLog();
    const args = ["rebuild", "--region", "local", "--from", "30m ago", ...history];
    const planned = await bimctl(folder.file(""), [...args, "--dry-run", "--json"]);
    expect(planned).toMatchObject({ code: 0, err: "" });
    expect(await seqsIn(folder.file("history.sqlite"))).toEqual([]);
    const done = await bimctl(folder.file(""), [...args, "--json"]);
    const [plan, report] = [planned, done].map(({ out }) => JSON.parse(out));
    expect(report).toMatchObject({
      ...{ schema: "bimride.rebuild/1", region: "local", projection: "history", dryRun: false },
      ...{ from: new Date(NOW_MS - 1_800_000).toISOString(), to: new Date(NOW_MS).toISOString() },
    });
    expect(plan.total).toEqual(report.total);
    expect(plan.dryRun).toBe(true);
    // Whole chunks: eight minutes beside the range too.
    expect(await seqsIn(folder.file("history.sqlite"))).toEqual(Array.from({ length: 37 }, (_, i) => 23 + i));
    const again = await bimctl(folder.file(""), args);
    expect(again.out).toContain("nothing to change");
    expect((await bimctl(folder.file(""), ["rebuild", "--from", "log", ...history])).out).toMatch(
      /all +60 +60 +37 +23 /,
    );
    expect(await seqsIn(folder.file("history.sqlite"))).toHaveLength(60);
  });

  test("says where the log begins when it does not reach so far back", async () => {
    await using folder = await hourOfLog();
    const { code, err } = await bimctl(folder.file(""), ["rebuild", "--from", "2h", ...history]);
    expect(code).toBe(1);
    expect(err).toContain(`begins at ${new Date(NOW_MS - 3_600_000).toISOString()}`);
  });

  test("says who holds the data folder, and when it works beside a running system", async () => {
    await using folder = await hourOfLog();
    using _held = openDataFolder(folder.file(""), false);
    const { code, err } = await bimctl(folder.file(""), ["rebuild", "--from", "10m", ...history]);
    expect(code).toBe(1);
    expect(err).toMatch(new RegExp(`held by process ${process.pid} .*real engines only`));
  });

  test("makes no data folder, and has nothing to do for the latest state of embedded engines", async () => {
    await using folder = await tempFolder();
    const missing = await bimctl(folder.file("none"), ["rebuild", "--from", "10m", ...history]);
    expect(missing).toMatchObject({ code: 1, err: expect.stringContaining("there is no data folder") });
    expect(existsSync(folder.file("none"))).toBe(false);
    const latest = await bimctl(folder.file(""), ["rebuild", "--from", "10m", "--projection", "latest"]);
    expect(latest).toMatchObject({ code: 1, err: expect.stringContaining("nothing to rebuild") });
    for (const { err } of [missing, latest])
      expect(err).toMatch(/embedded engines.*; real ones .*--engines real/);
  });

  test.each([
    ["rebuild", ["--from", "10m"], {}],
    ["rebuild", ["--from", "10m", "--region", "south"], { BIMRIDE_REGIONS_FILE: EXAMPLE }],
    ["resume", [], {}],
  ])("%s %j in a folder without a log is refused and leaves it empty", async (command, args, env) => {
    await using folder = await tempFolder();
    const { code, err } = await bimctl(folder.file(""), [command, ...args, ...history], env);
    expect({ code, err }).toEqual({ code: 1, err: expect.stringMatching(/^data\.dir: .* holds no log/) });
    expect(await readdir(folder.path)).toEqual([]);
  });

  test.each([
    [["--from", "1h"], "--projection must be one of history, latest"],
    [["--from", "1h", "--projection", "live"], "--projection must be one of"],
    [history, "--from is missing"],
    [[...history, "--from", "yesterday"], "--from must be a time like"],
    [[...history, "--from", "2026-02-30 noon"], "--from must be a time like"],
    [[...history, "--from", "1h", "--to", "2h"], "--to lies before --from"],
    [[...history, "--from", "2030-01-01T00:00:00Z"], "--from lies in the future"],
    [[...history, "--from", "1h", "--rate", "fast"], "--rate must be"],
    [[...history, "--from", "1h", "--region", "mars"], "the regions are local"],
    [[...history, "--from", "1h", "--colour", "red"], "--colour"],
  ])("doesn't understand %j, and says why", async (args, words) => {
    await using folder = await tempFolder();
    const { code, err } = await bimctl(folder.file(""), ["rebuild", ...args]);
    expect(code).toBe(2);
    expect(err).toContain(words);
  });

  test("wants the region where there are several, and lists them", async () => {
    await using folder = await tempFolder();
    const args = ["rebuild", "--from", "1h", ...history];
    const { code, err } = await bimctl(folder.file(""), args, { BIMRIDE_REGIONS_FILE: EXAMPLE });
    expect(code).toBe(2);
    expect(err).toContain("--region must be one of north, south");
  });
});

describe("resume", () => {
  test("says so when no partition lost its place, and wants to know the projection", async () => {
    await using folder = await hourOfLog();
    const { code, out } = await bimctl(folder.file(""), ["resume", "--projection", "history"]);
    expect(code).toBe(0);
    expect(out).toContain("no partition of history lost its place");
    expect((await bimctl(folder.file(""), ["resume"])).code).toBe(2);
  });
});
