import { randomUUID } from "node:crypto";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import axe from "axe-core";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ServiceProcess } from "../../bench/load/service-process.ts";
import { HistoryService, TrackView } from "../../gen/bimride/tracking/v1/history_pb.ts";
import { TripService, TripStatus, WaypointKind } from "../../gen/bimride/tracking/v1/trip_pb.ts";
import { describeInChromium, openPage, type TestPage } from "./chromium.ts";

const LOAD_MS = 30_000;
/** Torpagatan in the demo city. */
const START = { latitude: 57.717985, longitude: 12.02783 };
const PICTURES = process.env.DRIVER_PICTURES ?? "";

let app: ServiceProcess;

function clientsOf() {
  const transport = createConnectTransport({ baseUrl: app.httpUrl, httpVersion: "1.1" });
  return { trips: createClient(TripService, transport), history: createClient(HistoryService, transport) };
}

const asRole = async (role: "backend" | "support" | "driver", subject: string) => ({
  headers: { authorization: `Bearer ${await app.mint(role, subject)}` },
});

async function bookTrip(driverId: string): Promise<string> {
  const place = { latitudeDeg: START.latitude, longitudeDeg: START.longitude };
  const { trip } = await clientsOf().trips.createTrip(
    {
      idempotencyKey: randomUUID(),
      riderIds: [`rider-of-${driverId}`],
      driverId,
      waypoints: [
        { kind: WaypointKind.PICKUP, position: { ...place, longitudeDeg: 12.0335 }, label: "Torpagatan 40" },
        {
          kind: WaypointKind.DROPOFF,
          position: { ...place, longitudeDeg: 12.0414 },
          label: "Munkebäckstorget",
        },
      ],
      plannedPath: [place, { ...place, longitudeDeg: 12.0414 }],
    },
    await asRole("backend", "test"),
  );
  return trip!.tripId;
}

/** Walks east, a step a second, until the scope ends. */
function walk(context: BrowserContext): AsyncDisposable & { steps: number } {
  const walker = { steps: 0, [Symbol.asyncDispose]: async () => {} };
  let moving: Promise<void> = Promise.resolve();
  const step = () => {
    walker.steps++;
    moving = context
      .setGeolocation({
        latitude: START.latitude,
        longitude: START.longitude + walker.steps * 0.0001,
        accuracy: 6,
      })
      .catch(() => {});
  };
  step();
  const timer = setInterval(step, 1_000);
  walker[Symbol.asyncDispose] = async () => {
    clearInterval(timer);
    await moving;
  };
  return walker;
}

async function openDriver(browser: TestPage, driverId: string): Promise<void> {
  const { page, context } = browser;
  await context.grantPermissions(["geolocation"], { origin: app.httpUrl });
  await page.goto(`${app.httpUrl}/driver.html`);
  await page.getByLabel("Access token of a driver").fill(await app.mint("driver", driverId));
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByRole("button", { name: "Start driving" }).click();
  await page.waitForSelector('.chip[data-reason="connected"]', { timeout: LOAD_MS });
}

const numberOf = async (page: Page, name: "unsent" | "settled") =>
  Number(await page.locator("[data-unsent]").getAttribute(`data-${name}`));

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

async function picture(page: Page, name: string): Promise<void> {
  if (PICTURES) await page.screenshot({ path: `${PICTURES}/${name}.png` });
}

describeInChromium("the driver page", () => {
  beforeAll(async () => {
    app = await ServiceProcess.start([], { BIMRIDE_DEMO_CARS: "4" });
  });
  afterAll(() => app[Symbol.asyncDispose]());

  it("drives a trip: takes it, sends where the phone is, keeps what it can't send, and ends it", async () => {
    const driverId = `page-${randomUUID().slice(0, 8)}`;
    await using browser = await openPage({ width: 360, height: 740 });
    const { page, context } = browser;
    await using _walk = walk(context);
    await openDriver(browser, driverId);
    await expect.poll(() => numberOf(page, "settled"), { timeout: LOAD_MS }).toBeGreaterThan(0);
    const tripId = await bookTrip(driverId);
    await page.getByRole("button", { name: "Accept" }).click();
    await page.getByRole("heading", { name: "Drive to the pickup" }).waitFor({ timeout: LOAD_MS });
    await expect.poll(() => page.locator(".facts").textContent()).toContain("every 4 seconds");
    // The car as the server publishes it.
    await page.waitForSelector(".car-marker", { timeout: LOAD_MS });

    await context.setOffline(true);
    await page.waitForSelector('.chip[data-reason="offline"]', { timeout: LOAD_MS });
    await expect.poll(() => numberOf(page, "unsent"), { timeout: LOAD_MS }).toBeGreaterThan(1);
    expect(await page.locator(".facts").textContent()).toMatch(/\d positions waiting/);
    await picture(page, "offline");
    // Also a reload in between loses nothing: the browser has it.
    await context.setOffline(false);
    await expect.poll(() => numberOf(page, "unsent"), { timeout: LOAD_MS }).toBe(0);

    for (const [button, heading] of [
      ["Arrived", "Wait for your rider"],
      ["Start", "Drive to the dropoff"],
      ["Arrived", "At the dropoff"],
    ] as const) {
      await page.getByRole("button", { name: button, exact: true }).click();
      await page.getByRole("heading", { name: heading }).waitFor({ timeout: LOAD_MS });
    }
    await page.getByRole("button", { name: "Complete" }).click();
    await page.getByText("Your last trip is complete.").waitFor({ timeout: LOAD_MS });
    const { trips, history } = clientsOf();
    const { trip } = await trips.getTrip({ tripId }, await asRole("backend", "test"));
    expect(trip?.status).toBe(TripStatus.COMPLETE);
    const settled = await numberOf(page, "settled");
    expect(settled).toBeGreaterThan(3);
    await expect
      .poll(async () => {
        const view = TrackView.RECORDED;
        const { points } = await history.getTrack(
          { tripId, view, pageSize: 1_000 },
          await asRole("support", "desk"),
        );
        return points.length;
      })
      .toBeGreaterThan(2);
    await page.getByRole("button", { name: "Stop driving" }).click();
    await page.getByRole("button", { name: "Start driving" }).waitFor();
    // The browser tells of the connections that it could not make while offline; of nothing else.
    expect(browser.faults.filter((fault) => !fault.includes("ERR_INTERNET_DISCONNECTED"))).toEqual([]);
  });

  it("goes on after a reload with what was unsent", async () => {
    const driverId = `page-${randomUUID().slice(0, 8)}`;
    await using browser = await openPage({ width: 360, height: 740 });
    const { page, context } = browser;
    await using _walk = walk(context);
    await openDriver(browser, driverId);
    await expect.poll(() => numberOf(page, "settled"), { timeout: LOAD_MS }).toBeGreaterThan(0);
    await context.setOffline(true);
    await expect.poll(() => numberOf(page, "unsent"), { timeout: LOAD_MS }).toBeGreaterThan(0);
    const kept = await page.evaluate(() => indexedDB.databases());
    expect(kept.map(({ name }) => name)).toEqual([`bimride-driver-${driverId}`]);
    await context.setOffline(false);
    await page.reload();
    await openDriver(browser, driverId);
    await expect.poll(() => numberOf(page, "unsent"), { timeout: LOAD_MS }).toBe(0);
    expect(await numberOf(page, "settled")).toBeGreaterThan(0);
  });

  it("stands back when another phone takes over, and drives again when told to", async () => {
    const driverId = `page-${randomUUID().slice(0, 8)}`;
    await using first = await openPage({ width: 360, height: 740 });
    await using second = await openPage({ width: 360, height: 740 });
    await using _walks = walk(first.context);
    await using _too = walk(second.context);
    await openDriver(first, driverId);
    await openDriver(second, driverId);
    await first.page.getByRole("heading", { name: "Another phone took over" }).waitFor({ timeout: LOAD_MS });
    await picture(first.page, "superseded");
    expect(await faultsOf(first.page)).toEqual([]);
    await first.page.getByRole("button", { name: "Use this phone" }).click();
    await first.page.waitForSelector('.chip[data-reason="connected"]', { timeout: LOAD_MS });
    await second.page.getByRole("heading", { name: "Another phone took over" }).waitFor({ timeout: LOAD_MS });
  });

  it("says what to do where the location is not allowed", async () => {
    await using browser = await openPage({ width: 360, height: 740 });
    const { page } = browser;
    await page.goto(`${app.httpUrl}/driver.html`);
    await page.getByLabel("Access token of a driver").fill(await app.mint("driver", "denied"));
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Start driving" }).focus();
    await page.keyboard.press("Enter");
    await page.getByText("Location is not allowed").waitFor({ timeout: LOAD_MS });
    await picture(page, "denied");
    expect(await faultsOf(page)).toEqual([]);
  });

  for (const dark of [false, true]) {
    it(`axe finds nothing serious, and a narrow phone shows it all, ${dark ? "dark" : "light"}`, async () => {
      const driverId = `page-${randomUUID().slice(0, 8)}`;
      await using browser = await openPage({ width: 360, height: 740, dark });
      const { page, context } = browser;
      await using _walk = walk(context);
      await page.goto(`${app.httpUrl}/driver.html`);
      expect(await faultsOf(page)).toEqual([]);
      await picture(page, `sign-in-${dark}`);
      await openDriver(browser, driverId);
      await bookTrip(driverId);
      await page.getByRole("button", { name: "Accept" }).waitFor({ timeout: LOAD_MS });
      expect(await faultsOf(page)).toEqual([]);
      await picture(page, `offer-${dark}`);
      await page.getByRole("button", { name: "Accept" }).click();
      await page.waitForSelector(".car-marker", { timeout: LOAD_MS });
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
      if (PICTURES) await page.waitForTimeout(4_000);
      await picture(page, `driving-${dark}`);
    });
  }
});
