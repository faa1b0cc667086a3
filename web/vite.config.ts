import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Builds the pages into web/dist: three HTML files and hashed assets, nothing inline, so that a strict CSP holds. */
export default defineConfig({
  root: here("."),
  base: "/",
  publicDir: false,
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: here("dist"),
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    reportCompressedSize: false,
    // MapLibre alone is over a megabyte; it is a chunk of its own that loads after the page stands.
    chunkSizeWarningLimit: 1500,
    rolldownOptions: {
      input: { landing: here("index.html"), trip: here("trip.html"), driver: here("driver.html") },
    },
  },
});
