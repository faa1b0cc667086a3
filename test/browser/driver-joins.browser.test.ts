import { afterAll, beforeAll, expect, it } from "vitest";
import { type App, startApp } from "../../internal/app/app.ts";
import { loadSettings } from "../../internal/config/settings.ts";
import { createTelemetry } from "../../internal/telemetry/create-telemetry.ts";
import { tempFolder } from "../kit/temp-folder.ts";
import { describeInChromium, openPage } from "./chromium.ts";

const LOAD_MS = 30_000;
const HERE = { latitude: 57.717985, longitude: 12.02783, accuracy: 6 };

describeInChromium("a phone of the same network", () => {
  const stack = new AsyncDisposableStack();
  let app: App;
  let code: string;
  beforeAll(async () => {
    const { path } = stack.use(await tempFolder());
    const env = { BIMRIDE_LAN_CA_PORT: "0", BIMRIDE_DEMO_CARS: "1" };
    const flags = ["--lan", "--data", path, "--http-port", "0", "--grpc-port", "0"];
    const telemetry = createTelemetry({ role: "test", level: "silent", processMetrics: false });
    const interfaces = { wlan0: [{ family: "IPv4", internal: false, address: "192.168.77.5" }] } as never;
    app = stack.use(await startApp(loadSettings(env, flags), { telemetry, interfaces, ownKeys: true }));
    await app.ready();
    code = /#join=(.*)/.exec(app.invitation.join("\n"))![1]!;
  });
  afterAll(() => stack.disposeAsync());

  it("joins by the code that was scanned, asks for a trip, drives it, and is the same driver after a reload", async () => {
    await using browser = await openPage({ width: 360, height: 740, anyCertificate: true });
    const { page, context } = browser;
    await context.grantPermissions(["geolocation"], { origin: app.httpUrl });
    await context.setGeolocation(HERE);
    await page.goto(`${app.httpUrl}/driver.html#join=${code}`);
    await page.getByRole("button", { name: "Start driving" }).click();
    expect(page.url()).toBe(`${app.httpUrl}/driver.html`);
    await page.waitForSelector('.chip[data-reason="connected"]', { timeout: LOAD_MS });
    await page.getByRole("button", { name: "Give me a trip" }).click();
    await page.getByRole("button", { name: "Accept" }).click({ timeout: LOAD_MS });
    await page.getByRole("heading", { name: "Drive to the pickup" }).waitFor({ timeout: LOAD_MS });
    await page.waitForSelector(".car-marker", { timeout: LOAD_MS });
    await page.reload();
    await page.getByRole("button", { name: "Start driving" }).click();
    await page.getByRole("heading", { name: "Drive to the pickup" }).waitFor({ timeout: LOAD_MS });
    expect(browser.faults).toEqual([]);
  });

  it("says so when the code is of an earlier start", async () => {
    await using browser = await openPage({ width: 360, height: 740, anyCertificate: true });
    const { page } = browser;
    await page.goto(`${app.httpUrl}/driver.html#join=${"A".repeat(code.length)}`);
    await page.getByText("That link is no longer good").waitFor({ timeout: LOAD_MS });
    expect(page.url()).not.toContain("join");
  });
});
