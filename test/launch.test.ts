import { execFile } from "node:child_process";
import { symlink } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { tempFolder } from "./kit/temp-folder.ts";

const LAUNCHER = fileURLToPath(new URL("../cmd/launch.js", import.meta.url));
const OLD_NODE = `data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"18.19.0"}})`;

function run(args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, (error, out, err) =>
      resolve({ code: Number(error?.code ?? 0), out, err }),
    );
  });
}

test("an old Node is told in one line what is needed and how to start", async () => {
  const { code, err } = await run(["--import", OLD_NODE, LAUNCHER, "bimctl", "help"]);
  expect(code).toBe(1);
  expect(err.trim().split("\n")).toHaveLength(1);
  expect(err).toMatch(/needs Node 24 or newer.*npm start/);
});

test("a command that is not on the list is refused with the list", async () => {
  const { code, err } = await run([LAUNCHER, "../secret"]);
  expect(code).toBe(2);
  expect(err).toContain("bimride|gateway|processor|edge|bimctl|drive");
});

test("a command gets its arguments and its exit code gets out", async () => {
  const help = await run([LAUNCHER, "bimctl", "help"]);
  expect(help).toMatchObject({ code: 0, err: "" });
  expect(help.out).toContain("token --role");
  expect(await run([LAUNCHER, "bimctl", "frobnicate"])).toMatchObject({ code: 2, out: "" });
});

test("as a linked program the name it is called by is the command", async () => {
  await using folder = await tempFolder();
  await symlink(LAUNCHER, folder.file("bimctl"));
  expect((await run([folder.file("bimctl"), "help"])).out).toContain("token --role");
});
