import { afterAll, beforeAll, expect, it } from "vitest";
import { ServiceProcess } from "../../bench/load/service-process.ts";
import { describeInChromium, openPage } from "./chromium.ts";

const LOAD_MS = 30_000;

describeInChromium("the landing page", () => {
  let app: ServiceProcess;
  beforeAll(async () => {
    app = await ServiceProcess.start([], { BIMRIDE_DEMO_CARS: "12" });
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
  });

  it("shows the city moving, with names and phases of trips, and keeps its console clean", async () => {
    await using browser = await openPage();
    const { page, faults } = browser;
    await page.goto(app.httpUrl);
    await page.waitForSelector('.map[data-ready="yes"]', { timeout: LOAD_MS });
    await expect
      .poll(async () => Number(await page.locator(".counts dd").first().innerText()), { timeout: LOAD_MS })
      .toBeGreaterThan(5);
    await page.locator(".trip-way").getByText(" to ").first().waitFor({ timeout: LOAD_MS });
    const picture = async () => (await page.locator(".map canvas").screenshot()).toString("base64");
    const before = await picture();
    await expect.poll(picture, { timeout: LOAD_MS, interval: 500 }).not.toBe(before);
    expect(faults).toEqual([]);
  });

  it("lists the trips where WebGL is missing", async () => {
    await using browser = await openPage({ withoutWebgl: true, width: 360, height: 700 });
    const { page } = browser;
    await page.goto(app.httpUrl);
    await page.locator(".trips a").first().waitFor({ timeout: LOAD_MS });
    const widths = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    expect(widths[0]).toBeLessThanOrEqual(widths[1]!);
    await page.locator(".trips a").first().click();
    await page.getByRole("list", { name: "Stops" }).waitFor({ timeout: LOAD_MS });
  });
});
