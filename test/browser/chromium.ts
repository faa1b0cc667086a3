import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { describe } from "vitest";

/** For machines without a display, a sandbox or a graphics card, and without calls home. */
const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** The browser to drive: CHROME_PATH, else chromium or google-chrome on the PATH; undefined when there is none. */
export function findChromium(): string | undefined {
  const { CHROME_PATH: given, PATH: path = "" } = process.env;
  if (given) return existsSync(given) ? given : undefined;
  for (const name of ["chromium", "google-chrome"]) {
    const found = path
      .split(delimiter)
      .map((folder) => join(folder, name))
      .find(existsSync);
    if (found) return found;
  }
  return undefined;
}

const executablePath = findChromium();
if (!executablePath && process.env.CI) {
  throw new Error("no Chromium: set CHROME_PATH or install chromium; in CI the browser tests must run");
}
if (!executablePath) {
  process.stderr.write(
    "\nBROWSER TESTS SKIPPED: no Chromium. Set CHROME_PATH or install chromium or google-chrome.\n\n",
  );
}

/** A suite that needs Chromium: skipped aloud where there is none, and with CI set the run fails. */
export const describeInChromium = executablePath ? describe : describe.skip;

export type OpenOptions = {
  width?: number;
  height?: number;
  dark?: boolean;
  /** Without WebGL, as on an old machine. */
  withoutWebgl?: boolean;
  reducedMotion?: boolean;
  /** Takes any certificate, as a phone does once it trusts the development authority. */
  anyCertificate?: boolean;
};

/** A page in a browser of its own, and what its console said that it should not have. */
export type TestPage = AsyncDisposable & { page: Page; context: BrowserContext; faults: string[] };

/** Opens a fresh browser with an empty profile. Everything is gone at the end of the scope. */
export async function openPage(options: OpenOptions = {}): Promise<TestPage> {
  const { width = 1280, height = 800, dark = false, withoutWebgl = false, reducedMotion = false } = options;
  const profile = await mkdtemp(join(tmpdir(), "bimride-chromium-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: executablePath!,
    args: withoutWebgl ? [...ARGS, "--disable-3d-apis"] : ARGS,
    viewport: { width, height },
    colorScheme: dark ? "dark" : "light",
    reducedMotion: reducedMotion ? "reduce" : "no-preference",
    locale: "en-GB",
    ignoreHTTPSErrors: options.anyCertificate ?? false,
  });
  const page = context.pages()[0] ?? (await context.newPage());
  const faults: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(message.text());
  });
  page.on("pageerror", (error) => faults.push(String(error)));
  return {
    page,
    context,
    faults,
    async [Symbol.asyncDispose]() {
      await context.close();
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
