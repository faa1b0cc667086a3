import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { decodeStreets, type PackedStreets } from "../../demo/city/decode-streets.ts";
import { nearestStreet, type Streets } from "./nearest-street.ts";

const packed = JSON.parse(
  readFileSync(new URL("../../demo/city/streets.json", import.meta.url), "utf8"),
) as PackedStreets;
const streets: Streets = {
  lines: decodeStreets(packed),
  bounds: packed.bounds,
  attribution: packed.attribution,
};

it("names the street also between its corners, and none out in the sea", () => {
  expect(nearestStreet(streets, { latDeg: 57.71775, lonDeg: 12.0346 })).toBe("Torpagatan");
  expect(nearestStreet(streets, { latDeg: 57.6924, lonDeg: 11.9016 })).toBe("Älvsborgsbron");
  expect(nearestStreet(streets, { latDeg: 57.6, lonDeg: 11.5 })).toBeUndefined();
});
