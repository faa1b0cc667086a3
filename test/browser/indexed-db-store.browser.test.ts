import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JSHandle, Page } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll } from "vitest";
import type { FixStore } from "../../web/driver-client/fix-store.ts";
import { fixStoreContract } from "../../web/driver-client/stores/contract.ts";
import { describeInChromium, openPage, type TestPage } from "./chromium.ts";

const ENTRY = new URL("../../web/driver-client/stores/indexed-db-store.ts", import.meta.url).pathname;

const PAGE = `<!doctype html><title>store</title>
<script type="module">import * as library from "/store.js"; window.library = library;</script>`;

type Module = { openIndexedDbStore(name: string): Promise<FixStore> };

/** The store of a page, as if it were here. */
async function storeIn(page: Page, name: string): Promise<FixStore> {
  const handle: JSHandle<FixStore> = await page.evaluateHandle(
    (database) => (window as unknown as { library: Module }).library.openIndexedDbStore(database),
    name,
  );
  return {
    load: () => handle.evaluate((store) => store.load()),
    saveSession: (session) => handle.evaluate((store, given) => store.saveSession(given), session),
    change: (put, remove) =>
      handle.evaluate((store, given) => store.change(given.put, given.remove), {
        put: [...put],
        remove: [...remove],
      }),
    // At the end the browser may be gone before it comes to that.
    close: () => void handle.evaluate((store) => store.close()).catch(() => {}),
  };
}

describeInChromium("in a browser", () => {
  let browser: TestPage;
  let server: Server;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "bimride-store-"));
    await build({
      configFile: false,
      logLevel: "error",
      build: { outDir: folder, lib: { entry: ENTRY, formats: ["es"], fileName: () => "store.js" } },
    });
    const script = await readFile(join(folder, "store.js"));
    server = createServer(({ url }, response) => {
      const isScript = url === "/store.js";
      response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
      response.end(isScript ? script : PAGE);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    browser = await openPage();
    await browser.page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  });
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    server?.closeAllConnections();
    server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  fixStoreContract("IndexedDB", async () => {
    const name = randomUUID();
    return { open: () => storeIn(browser.page, name) };
  });
});
