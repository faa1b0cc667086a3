import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EngineError } from "../core/engine-error.ts";
import { DataFolderHeldError, openDataFolder } from "./data-folder.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bimride-folder-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Another process that holds the folder until it is killed. */
async function otherHolder() {
  const code = `import { openDataFolder } from ${JSON.stringify(new URL("./data-folder.ts", import.meta.url).href)};
    globalThis.held = openDataFolder(${JSON.stringify(folder)}, false); console.log("held"); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", code], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  return child;
}

describe("the data folder", () => {
  test("is given to one process only, and says who holds it", async () => {
    const child = await otherHolder();
    try {
      expect(() => openDataFolder(folder, false)).toThrow(DataFolderHeldError);
      expect(() => openDataFolder(folder, false)).toThrow(`process ${child.pid} since`);
      expect(() => openDataFolder(folder, true)).toThrow(DataFolderHeldError);
    } finally {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  });

  test("is free again after its holder was killed", async () => {
    const child = await otherHolder();
    child.kill("SIGKILL");
    await once(child, "exit");
    using held = openDataFolder(folder, false);
    expect(existsSync(held.path("holder"))).toBe(true);
  });

  test("that is a file, lies in one or can't be made is told in one line that names the setting", () => {
    const file = join(folder, "file");
    writeFileSync(file, "kept");
    for (const [path, why] of [
      [file, /is a file, or lies in one$/],
      [join(file, "below"), /is a file, or lies in one$/],
      ["/proc/bimride/below", /can't be made, or not be written to \(ENOENT\)$/],
    ] as const) {
      const open = () => openDataFolder(path, false);
      expect(open).toThrow(EngineError);
      expect(open).toThrow(`data.dir: ${path} `);
      expect(open).toThrow(why);
    }
  });

  test("whose lock is damaged is not said to be held", () => {
    writeFileSync(
      join(folder, "lock.sqlite"),
      "no database, but as long as SQLite's header or longer".repeat(9),
    );
    expect(() => openDataFolder(folder, false)).toThrow(
      /^data\.dir: .*\(lock\.sqlite: file is not a database\)$/,
    );
  });

  test("leaves nothing of its own where nothing was kept", () => {
    const own = join(folder, "made", "here");
    openDataFolder(own, false)[Symbol.dispose]();
    openDataFolder(own, true)[Symbol.dispose]();
    openDataFolder(folder, false)[Symbol.dispose]();
    expect(readdirSync(folder)).toEqual([]);
  });

  test("stays as it is where something was kept, or was there before", () => {
    const own = join(folder, "made", "here");
    {
      using held = openDataFolder(own, false);
      writeFileSync(held.path("kept"), "");
    }
    expect(readdirSync(own).sort()).toEqual(["kept", "lock.sqlite"]);
    rmSync(join(own, "kept"));
    openDataFolder(own, false)[Symbol.dispose]();
    expect(readdirSync(own)).toEqual(["lock.sqlite"]);
  });

  test("is emptied by a fresh start only", () => {
    const file = join(folder, "something");
    writeFileSync(file, "kept");
    openDataFolder(folder, false)[Symbol.dispose]();
    expect(existsSync(file)).toBe(true);
    openDataFolder(folder, true)[Symbol.dispose]();
    expect(existsSync(file)).toBe(false);
  });
});
