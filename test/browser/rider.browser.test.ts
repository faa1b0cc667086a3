import { afterAll, beforeAll, expect, it } from "vitest";
import { ServiceProcess } from "../../bench/load/service-process.ts";
import { TripStatus } from "../../gen/bimride/tracking/v1/trip_pb.ts";
import { describeInChromium, openPage } from "./chromium.ts";
import {
  expectOnlyForward,
  recordVersions,
  shownVersions,
  waitForMove,
  waitForTransport,
} from "./rider-probe.ts";
import { startTestCar } from "./test-car.ts";

const LOAD_MS = 30_000;

describeInChromium("the rider page", () => {
  let app: ServiceProcess;
  beforeAll(async () => {
    app = await ServiceProcess.start([], { BIMRIDE_DEMO_CARS: "8" });
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
  });

  it("moves the car, says the phase in words, and keeps its console clean", async () => {
    await using car = await startTestCar(app);
    await using browser = await openPage();
    const { page, faults } = browser;
    await recordVersions(page);
    await page.goto(`${app.httpUrl}/trip/${car.tripId}`);
    await waitForTransport(page, "stream", LOAD_MS);
    expect(await page.locator("h1").textContent()).toBe("Your driver is on the way");
    await waitForMove(page, 12, LOAD_MS);
    await car.setStatus(TripStatus.ARRIVED_AT_PICKUP);
    await page.getByRole("heading", { name: "Your driver is here" }).waitFor();
    await page.locator(".visually-hidden").getByText("Your driver is here.").waitFor();
    expect(await page.getByText("© OpenStreetMap contributors, ODbL").isVisible()).toBe(true);
    expect(await page.locator(".stop-marker.is-dropoff").innerText()).toMatch(/Dropoff\s+Munkebäckstorget/);
    const versions = await shownVersions(page);
    expect(versions.length).toBeGreaterThan(3);
    expectOnlyForward(versions);
    expect(new URL(page.url()).search).toBe("");
    expect(faults).toEqual([]);
  });

  it("fits a phone of 360 pixels without scrolling sideways", async () => {
    await using car = await startTestCar(app);
    await using browser = await openPage({ width: 360, height: 740 });
    const { page } = browser;
    await page.goto(`${app.httpUrl}/trip/${car.tripId}`);
    await page.waitForSelector(".car-marker", { timeout: LOAD_MS });
    const widths = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    expect(widths[0]).toBeLessThanOrEqual(widths[1]!);
    const map = (await page.locator(".map").boundingBox())!;
    expect(map.height).toBeGreaterThan(200);
    expect(await page.locator("h1").isVisible()).toBe(true);
    expect(await page.locator(".chip").isVisible()).toBe(true);
  });

  it("says everything in words where WebGL is missing", async () => {
    await using car = await startTestCar(app);
    await using browser = await openPage({ withoutWebgl: true });
    const { page, faults } = browser;
    await page.goto(`${app.httpUrl}/trip/${car.tripId}`);
    const where = page.getByRole("region", { name: "Where the car is" });
    await where.waitFor({ timeout: LOAD_MS });
    await expect
      .poll(() => where.innerText(), { timeout: LOAD_MS })
      .toMatch(/On Torpagatan, \d+ m west of Torpagatan 40/);
    expect(await where.innerText()).toMatch(/Heading east at about 35 km\/h/);
    expect(await page.locator("canvas").count()).toBe(0);
    expect(faults).toEqual([]);
  });

  it("steps without gliding for those who want less motion", async () => {
    await using car = await startTestCar(app);
    await using browser = await openPage({ reducedMotion: true });
    const { page } = browser;
    await page.goto(`${app.httpUrl}/trip/${car.tripId}`);
    await page.waitForSelector(".car-marker", { timeout: LOAD_MS });
    const moves = await page.evaluate(async () => {
      const marker = document.querySelector<HTMLElement>(".car-marker")!;
      const seen = new Set<string>();
      const until = performance.now() + 5_000;
      while (performance.now() < until) {
        seen.add(marker.style.transform);
        await new Promise(requestAnimationFrame);
      }
      return seen.size;
    });
    expect(moves).toBeGreaterThan(1);
    expect(moves).toBeLessThan(10);
  });

  it("tells of a trip without a driver, a canceled trip and one that does not exist", async () => {
    await using car = await startTestCar(app, { withDriver: false });
    await using browser = await openPage();
    const { page } = browser;
    await page.goto(`${app.httpUrl}/trip/${car.tripId}`);
    await page.getByRole("heading", { name: "Looking for a driver" }).waitFor({ timeout: LOAD_MS });
    await page.getByText("No driver is assigned yet.").waitFor();
    await car.cancel("The rider changed plans");
    await page.getByRole("heading", { name: "This trip was canceled" }).waitFor();
    await page.getByText("The rider changed plans").waitFor();
    await page.goto(`${app.httpUrl}/trip/${car.tripId.slice(0, -4)}0000`);
    await page.getByRole("heading", { name: "No such trip" }).waitFor({ timeout: LOAD_MS });
    await page.goto(`${app.httpUrl}/trip/what`);
    await page.getByRole("link", { name: "See all running trips" }).waitFor({ timeout: LOAD_MS });
  });

  it("lets the driver see where the rider is from the switch on until the pickup, and the driver's page shows it", async () => {
    await using car = await startTestCar(app);
    await using browser = await openPage();
    const { page, context, faults } = browser;
    await context.grantPermissions(["geolocation"], { origin: app.httpUrl });
    await context.setGeolocation({ latitude: 57.7178, longitude: 12.035, accuracy: 8 });
    await page.goto(`${app.httpUrl}/trip/${car.tripId}`);
    const choice = page.getByRole("checkbox", { name: "Show the driver where I am until I'm picked up" });
    await choice.waitFor({ timeout: LOAD_MS });
    expect(await choice.isChecked()).toBe(false);

    await using other = await openPage();
    const driver = other.page;
    const token = await app.mint("driver", car.driverId);
    await driver.addInitScript((text) => {
      (globalThis as { bimride?: object }).bimride = { token: () => text };
    }, token);
    await driver.goto(`${app.httpUrl}/trip/${car.tripId}`);
    await driver.waitForSelector(".car-marker", { timeout: LOAD_MS });
    expect(await driver.locator(".rider-marker").count()).toBe(0);
    expect(await driver.getByRole("checkbox").count()).toBe(0);

    await choice.click();
    await driver.locator(".rider-marker").waitFor({ timeout: LOAD_MS });
    await expect.poll(() => choice.isChecked()).toBe(true);
    await car.setStatus(TripStatus.ARRIVED_AT_PICKUP);
    await driver.getByRole("heading", { name: "Your driver is here" }).waitFor();
    expect(await driver.locator(".rider-marker").count()).toBe(1);
    await car.setStatus(TripStatus.ENROUTE_TO_DROPOFF);
    await expect.poll(() => driver.locator(".rider-marker").count(), { timeout: LOAD_MS }).toBe(0);
    await expect.poll(() => choice.count()).toBe(0);
    expect([...faults, ...other.faults]).toEqual([]);
  });

  it("is reached from the landing page by keyboard alone, and used so", async () => {
    await using browser = await openPage();
    const { page } = browser;
    await page.goto(app.httpUrl);
    await page.locator(".trips a").first().waitFor({ timeout: LOAD_MS });
    await page.waitForSelector('.map[data-ready="yes"]', { timeout: LOAD_MS });
    await page.keyboard.press("Tab");
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute("href") ?? "");
    expect(await focused()).toMatch(/^\/trip\//);
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/trip\//);
    await page.waitForSelector('.map[data-ready="yes"]', { timeout: LOAD_MS });
    const names: string[] = [];
    for (let i = 0; i < 6; i++) {
      await page.keyboard.press("Tab");
      names.push(await page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? ""));
    }
    expect(names).toEqual(
      expect.arrayContaining(["Bimride, all running trips", "Map of your ride", "Zoom in"]),
    );
  });
});
