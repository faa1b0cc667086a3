import type { Page } from "playwright-core";
import { expect } from "vitest";

/** Writes down every version that the page shows, from before its first script. To be called before `goto`. */
export async function recordVersions(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const shown: string[] = [];
    Object.assign(window, { shownVersions: shown });
    const look = () => {
      const version = document.querySelector("[data-version]")?.getAttribute("data-version");
      if (version && version !== shown.at(-1)) shown.push(version);
    };
    new MutationObserver(look).observe(document, {
      subtree: true,
      childList: true,
      attributes: true,
      attributeFilter: ["data-version"],
    });
  });
}

export async function shownVersions(page: Page): Promise<string[]> {
  return await page.evaluate(() => (window as unknown as { shownVersions: string[] }).shownVersions);
}

/** Fails when a version was shown twice or an older one after a newer one. */
export function expectOnlyForward(versions: readonly string[]): void {
  const order = (text: string) => text.split(".").map(Number) as [number, number, number];
  for (let i = 1; i < versions.length; i++) {
    const [before, after] = [order(versions[i - 1]!), order(versions[i]!)];
    const delta = after[0] - before[0] || after[1] - before[1] || after[2] - before[2];
    expect(delta, `${versions[i - 1]} then ${versions[i]}`).toBeGreaterThan(0);
  }
}

/** Waits until the page says that it hears of the car in this way. */
export async function waitForTransport(page: Page, name: string, timeoutMs: number): Promise<void> {
  await page.waitForSelector(`.chip[data-transport="${name}"]`, { timeout: timeoutMs });
}

/** Where the car is drawn, in pixels of the page. */
export async function carAt(page: Page): Promise<{ x: number; y: number }> {
  const box = await page.locator(".car-marker").boundingBox();
  if (!box) throw new Error("no car on the map");
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}

/** Waits until the car has moved so many pixels from where it is now. */
export async function waitForMove(page: Page, pixels: number, timeoutMs: number): Promise<void> {
  await page.waitForSelector(".car-marker", { timeout: timeoutMs });
  const from = await carAt(page);
  await expect
    .poll(
      async () => {
        const at = await carAt(page);
        return Math.hypot(at.x - from.x, at.y - from.y);
      },
      { timeout: timeoutMs, interval: 200 },
    )
    .toBeGreaterThan(pixels);
}
