import axe from "axe-core";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ServiceProcess } from "../../bench/load/service-process.ts";
import { describeInChromium, openPage } from "./chromium.ts";
import { startTestCar } from "./test-car.ts";

const LOAD_MS = 30_000;

/** Serious and critical faults that axe finds, with the elements that have them. */
async function faultsOf(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const violations = await page.evaluate(async () => {
    const tool = (window as unknown as { axe: typeof import("axe-core") }).axe;
    return (await tool.run()).violations;
  });
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
}

describeInChromium("axe finds nothing serious", () => {
  let app: ServiceProcess;
  beforeAll(async () => {
    app = await ServiceProcess.start([], { BIMRIDE_DEMO_CARS: "8" });
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
  });

  for (const dark of [false, true]) {
    const scheme = dark ? "dark" : "light";
    it(`on the rider page, live and stale, ${scheme}`, async () => {
      await using car = await startTestCar(app);
      await using browser = await openPage({ dark });
      const { page } = browser;
      await page.goto(`${app.httpUrl}/trip/${car.tripId}`);
      await page.waitForSelector(".car-marker", { timeout: LOAD_MS });
      expect(await faultsOf(page)).toEqual([]);
      car.fallSilent();
      await page.waitForSelector(".freshness", { timeout: LOAD_MS });
      expect(await faultsOf(page)).toEqual([]);
    });

    it(`on the landing page, ${scheme}`, async () => {
      await using browser = await openPage({ dark });
      const { page } = browser;
      await page.goto(app.httpUrl);
      await page.waitForSelector(".trips a", { timeout: LOAD_MS });
      await page.waitForSelector('.map[data-ready="yes"]', { timeout: LOAD_MS });
      expect(await faultsOf(page)).toEqual([]);
    });
  }
});
