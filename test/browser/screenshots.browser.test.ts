import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import { ServiceProcess } from "../../bench/load/service-process.ts";
import { describeInChromium, openPage } from "./chromium.ts";

const IMAGES = fileURLToPath(new URL("../../docs/images/", import.meta.url));
const WANTED = process.env.BIMRIDE_SCREENSHOT === "1";
const LOAD_MS = 60_000;
/** Until markers glide and street names stand. */
const SETTLE_MS = 8_000;

/** Running trips on the way to their dropoff. */
async function tripsUnderWay(url: string): Promise<string[]> {
  const response = await fetch(`${url}/demo/trips`);
  const { trips } = (await response.json()) as { trips: { tripId: string; status: string }[] };
  return trips.filter(({ status }) => status === "ENROUTE_TO_DROPOFF").map(({ tripId }) => tripId);
}

/** True once the page has a car that drives, and nothing to complain of. */
async function isPicturesque(page: Page): Promise<boolean> {
  const mode = await page.locator(".map").getAttribute("data-mode");
  return mode === "driving" && (await page.locator(".freshness").count()) === 0;
}

describeInChromium("the pictures of the README", () => {
  it("are taken when BIMRIDE_SCREENSHOT is 1", { timeout: 400_000 }, async (context) => {
    if (!WANTED) context.skip("set BIMRIDE_SCREENSHOT=1 to take docs/images/*.png anew");
    await mkdir(IMAGES, { recursive: true });
    await using app = await ServiceProcess.start([], { BIMRIDE_DEMO_CARS: "60" });
    // A few minutes into the day the cars are spread over all phases and have trails.
    await expect
      .poll(async () => (await tripsUnderWay(app.httpUrl)).length, { timeout: 300_000, interval: 1_000 })
      .toBeGreaterThan(7);
    await using browser = await openPage();
    const { page } = browser;
    await page.goto(app.httpUrl);
    await page.waitForSelector('.map[data-ready="yes"]', { timeout: LOAD_MS });
    await page.locator(".trip-way").getByText(" to ").nth(5).waitFor({ timeout: LOAD_MS });
    await page.waitForTimeout(SETTLE_MS);
    await page.screenshot({ path: `${IMAGES}landing.png` });
    for (const tripId of await tripsUnderWay(app.httpUrl)) {
      await page.goto(`${app.httpUrl}/trip/${tripId}`);
      await page.waitForSelector(".car-marker", { timeout: LOAD_MS });
      await page.waitForTimeout(SETTLE_MS);
      if (await isPicturesque(page)) break;
    }
    expect(await isPicturesque(page)).toBe(true);
    await page.screenshot({ path: `${IMAGES}rider.png` });
  });
});
