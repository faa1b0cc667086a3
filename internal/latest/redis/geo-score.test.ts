import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sharedEngines } from "../../../test/kit/engines/shared.ts";
import { haversineM } from "../../core/geo.ts";
import { nodeAt } from "../../redis/kit.ts";
import { connectRedis, type RedisLink } from "../../redis/link.ts";
import { coarseErrorM, coarseScore, geoScore } from "./geo-score.ts";
import { freshRegion } from "./kit.ts";

let link: RedisLink;
beforeAll(async () => {
  link = await connectRedis({ nodes: [nodeAt(sharedEngines().redis)], cluster: false });
});
afterAll(() => link[Symbol.asyncDispose]());

test("a place has the score that GEOADD gives it", async () => {
  const key = `bimride:test:${freshRegion()}`;
  const latitudes = fc.double({ min: -85.05, max: 85.05, noNaN: true });
  const longitudes = fc.double({ min: -180, max: 179.999999, noNaN: true });
  await fc.assert(
    fc.asyncProperty(latitudes, longitudes, async (latDeg, lonDeg) => {
      await link.command("GEOADD", key, lonDeg, latDeg, "place");
      const score = await link.command("ZSCORE", key, "place");
      expect(geoScore(latDeg, lonDeg)).toBe(Number(String(score)));
    }),
    { numRuns: 2_000 },
  );
  await link.command("UNLINK", key);
});

test("the place of a coarse score is near, as Redis itself says", async () => {
  const key = `bimride:test:${freshRegion()}`;
  const latitudes = fc.double({ min: -85, max: 85, noNaN: true });
  const longitudes = fc.double({ min: -179.99, max: 179.99, noNaN: true });
  await fc.assert(
    fc.asyncProperty(latitudes, longitudes, async (latDeg, lonDeg) => {
      await link.command("ZADD", key, coarseScore(geoScore(latDeg, lonDeg)), "place");
      const [[lon, lat]] = (await link.command("GEOPOS", key, "place")) as [[Buffer, Buffer]];
      const distanceM = haversineM(latDeg, lonDeg, Number(String(lat)), Number(String(lon)));
      expect(distanceM).toBeLessThan(coarseErrorM(Math.max(0, Math.abs(latDeg) - 0.01)) + 0.5);
    }),
    { numRuns: 1_000 },
  );
  await link.command("UNLINK", key);
});

test("places that GEO does not know lie at its border", () => {
  const most = 2 ** 52 - 1;
  expect(geoScore(90, 180)).toBe(most);
  expect(geoScore(-90, -180)).toBe(0);
  expect(geoScore(89.9, 0)).toBe(geoScore(85.05112878, 0));
});
