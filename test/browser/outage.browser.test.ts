import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ServiceProcess } from "../../bench/load/service-process.ts";
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
const STREAM = "**/bimride.tracking.v1.LiveService/WatchTrips";
/** STALE comes after 30 s, the page's own ticks and a reconnect besides. */
const STALE_WITHIN_MS = 45_000;
/** The first probe of a better way comes within 15 s, one that finds it blocked doubles the wait. */
const CLIMB_WITHIN_MS = 75_000;

/** Lets a test block the ways of a page as a network would. To be called before `goto`. */
async function blockable(page: Page) {
  const blocked = { streams: false, sockets: false };
  const open = new Set<() => void>();
  await page.route(STREAM, (route) => (blocked.streams ? route.abort() : route.continue()));
  await page.routeWebSocket("**/v1/live", (socket) => {
    if (blocked.sockets) return void socket.close({ code: 1011 });
    const server = socket.connectToServer();
    open.add(() => {
      void socket.close({ code: 1011 });
      void server.close();
    });
  });
  return {
    blocked,
    cutSockets(): void {
      for (const cut of open) cut();
      open.clear();
    },
  };
}

describeInChromium("the rider page in trouble", () => {
  let app: ServiceProcess;
  beforeAll(async () => {
    app = await ServiceProcess.start([], { BIMRIDE_DEMO_CARS: "4" });
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
  });

  it("goes stale while the server is away, says why, and recovers when it is back", async () => {
    await using car = await startTestCar(app);
    await using browser = await openPage();
    const { page } = browser;
    await recordVersions(page);
    await page.goto(`${app.httpUrl}/trip/${car.tripId}`);
    await waitForMove(page, 5, LOAD_MS);
    await app.kill();
    await waitForTransport(page, "offline", 10_000);
    await page.locator(".freshness.is-grave").waitFor({ timeout: STALE_WITHIN_MS });
    expect(await page.locator(".freshness").innerText()).toMatch(/Nothing has been heard since \d\d:\d\d/);
    expect(await page.locator(".car-marker.is-muted").count()).toBe(1);
    await app.restart();
    await waitForTransport(page, "stream", 60_000);
    await page.locator(".freshness").waitFor({ state: "detached", timeout: LOAD_MS });
    await waitForMove(page, 5, LOAD_MS);
    const versions = await shownVersions(page);
    expect(versions.length).toBeGreaterThan(5);
    expectOnlyForward(versions);
  });

  it("says that the phone is silent, with the time", async () => {
    await using car = await startTestCar(app);
    await using browser = await openPage();
    const { page } = browser;
    await page.goto(`${app.httpUrl}/trip/${car.tripId}`);
    await waitForMove(page, 3, LOAD_MS);
    car.fallSilent();
    await page.getByText(/The driver's phone has had no signal since \d\d:\d\d\./).waitFor({
      timeout: STALE_WITHIN_MS,
    });
    expect(await page.locator(".map").getAttribute("data-mode")).toBe("frozen");
    car.drive();
    await page.locator(".freshness").waitFor({ state: "detached", timeout: LOAD_MS });
  });

  it("falls to WebSocket, then to polling within 10 s, says so, and climbs back without a step back", async () => {
    await using car = await startTestCar(app);
    await using browser = await openPage();
    const { page } = browser;
    const network = await blockable(page);
    await recordVersions(page);
    network.blocked.streams = true;
    await page.goto(`${app.httpUrl}/trip/${car.tripId}`);
    await waitForTransport(page, "websocket", LOAD_MS);
    network.blocked.sockets = true;
    network.cutSockets();
    await waitForTransport(page, "polling", 10_000);
    expect(await page.locator(".chip").innerText()).toMatch(/Asking every few seconds/);
    await waitForMove(page, 5, LOAD_MS);
    network.blocked.streams = false;
    network.blocked.sockets = false;
    await waitForTransport(page, "stream", CLIMB_WITHIN_MS);
    await waitForMove(page, 5, LOAD_MS);
    const versions = await shownVersions(page);
    expect(versions.length).toBeGreaterThan(5);
    expectOnlyForward(versions);
  });

  it("polls within 10 s where streams and WebSockets hang without a word", async () => {
    await using car = await startTestCar(app);
    await using browser = await openPage();
    const { page } = browser;
    await page.route(STREAM, () => {});
    await page.routeWebSocket("**/v1/live", () => {});
    await page.goto(`${app.httpUrl}/trip/${car.tripId}`);
    await waitForTransport(page, "polling", 10_000);
    await waitForMove(page, 3, LOAD_MS);
  });

  it("recovers when its token is refused", async () => {
    await using car = await startTestCar(app);
    await using browser = await openPage();
    const { page } = browser;
    let given = 0;
    await page.route("**/demo/token", async (route) => {
      // The watcher and the switch that shares the rider's place ask for one each.
      if (given++ > 1) return route.continue();
      const token = await app.mint("rider", "somebody", -60_000);
      return route.fulfill({ json: { token } });
    });
    await page.goto(`${app.httpUrl}/trip/${car.tripId}`);
    await waitForTransport(page, "stream", LOAD_MS);
    expect(given).toBeGreaterThanOrEqual(3);
  });
});
