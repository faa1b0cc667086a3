import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { describeInChromium, openPage } from "./chromium.ts";
import { startRunningApp } from "./running-app.ts";

const IMAGES = fileURLToPath(new URL("../../docs/images/", import.meta.url));
const WANTED = process.env.BIMRIDE_SCREENSHOT === "1";
const LOAD_MS = 60_000;

/** A trip that makes a good picture: under way to its dropoff for long enough to have a trail. */
async function goodTrip(url: string): Promise<string | undefined> {
  const response = await fetch(`${url}/demo/trips`);
  const { trips } = (await response.json()) as { trips: { tripId: string; status: string }[] };
  return trips.find((trip) => String(trip.status).match(/^(6|.*ENROUTE_TO_DROPOFF)$/i))?.tripId;
}

describeInChromium("the pictures of the README", () => {
  it("are taken when BIMRIDE_SCREENSHOT is 1", { timeout: 300_000 }, async (context) => {
    if (!WANTED) context.skip("set BIMRIDE_SCREENSHOT=1 to take docs/images/*.png anew");
    await mkdir(IMAGES, { recursive: true });
    await using app = await startRunningApp(60);
    let tripId: string | undefined;
    await expect
      .poll(async () => (tripId = await goodTrip(app.url)), { timeout: 240_000, interval: 1_000 })
      .toBeDefined();
    await using browser = await openPage();
    const { page } = browser;
    await page.goto(app.url);
    await page.waitForSelector('.map[data-ready="yes"]', { timeout: LOAD_MS });
    await page.locator(".trip-way").getByText(" to ").nth(5).waitFor({ timeout: LOAD_MS });
    await page.waitForTimeout(6_000);
    await page.screenshot({ path: `${IMAGES}landing.png` });
    await page.goto(`${app.url}/trip/${tripId}`);
    await page.waitForSelector(".car-marker", { timeout: LOAD_MS });
    await page.waitForTimeout(25_000);
    await page.screenshot({ path: `${IMAGES}rider.png` });
  });
});
