import { expect, test } from "vitest";
import { loadSettings } from "../../config/settings.ts";
import { tellEngines } from "./engines-told.ts";

const told = (env: Record<string, string>, argv: string[] = []) => {
  const lines: string[] = [];
  tellEngines(loadSettings(env, argv), (line) => lines.push(line));
  return lines;
};

test("a command that works on embedded engines which nobody named says so, and how to name others", () => {
  expect(told({})).toEqual([
    "working on the embedded engines in .bimride; real ones are named with --engines real or BIMRIDE_ENGINES=real",
  ]);
});

test("one whose engines or folder were named does not", () => {
  expect(told({ BIMRIDE_ENGINES: "real" })).toEqual([]);
  expect(told({}, ["--engines", "embedded"])).toEqual([]);
  expect(told({ BIMRIDE_DATA_DIR: "/data" })).toEqual([]);
});
