import { expect, test } from "vitest";
import { sharedEngines } from "./shared.ts";

test("the run shares one engine of each kind", () => {
  expect(Object.values(sharedEngines()).every((address) => /:\d+$/.test(address))).toBe(true);
});
