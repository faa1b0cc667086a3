import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { ServiceProcess } from "../bench/load/service-process.ts";
import { openApiDocument } from "../internal/edge/openapi.ts";
import { fencedBlocks, type RunnableBlock, runnableBlocks } from "./kit/fenced-blocks.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string) => readFileSync(`${root}${path}`, "utf8");
const RUN_TIMEOUT_MS = 120_000;

/** Runs the blocks in one shell, as a reader would, against the service instead of the default ports. */
function runBlocks(blocks: readonly RunnableBlock[], service: ServiceProcess): Promise<string[]> {
  const script = blocks.map((block, index) => `${block.script}\necho; echo '@@ end of ${index}'`).join("\n");
  const aimed = script
    .replaceAll("http://127.0.0.1:8080", service.httpUrl)
    .replaceAll("127.0.0.1:50051", service.grpcAddress)
    .replaceAll("127.0.0.1:1883", service.mqttAddress);
  return new Promise((resolve) => {
    const options = { cwd: root, env: service.env, timeout: RUN_TIMEOUT_MS };
    execFile("bash", ["-c", `set -euo pipefail\nexec 2>&1\n${aimed}`], options, (_error, output) => {
      resolve(output.split(/@@ end of \d+\n/));
    });
  });
}

/** The simulated fleet needs a moment for its first trip. */
async function untilTripsRun({ httpUrl }: ServiceProcess): Promise<void> {
  await expect
    .poll(async () => (await fetch(`${httpUrl}/demo/trips`)).text(), { timeout: 30_000, interval: 200 })
    .toContain('"tripId"');
}

/** Every block ran to its end, and its output has what the document says it shows. */
function expectShown(path: string, blocks: readonly RunnableBlock[], outputs: readonly string[]): void {
  for (const [index, { shows, line }] of blocks.entries()) {
    const output = outputs[index] ?? "";
    expect(outputs.length, `${path}:${line} ended with a failure:\n${output}`).toBeGreaterThan(index + 1);
    let from = 0;
    for (const words of shows) {
      const at = output.indexOf(words, from);
      expect(at, `${path}:${line} shows ${words}\nbut the output is\n${output}`).toBeGreaterThanOrEqual(0);
      from = at + words.length;
    }
  }
}

describe("the documents' commands run as they stand", { timeout: 2 * RUN_TIMEOUT_MS }, () => {
  test("docs/API.md", async () => {
    await using service = await ServiceProcess.start(["--no-demo"]);
    const blocks = runnableBlocks(read("docs/API.md"));
    expect(blocks.length).toBeGreaterThan(10);
    expectShown("docs/API.md", blocks, await runBlocks(blocks, service));
  });

  test("README.md", async () => {
    await using service = await ServiceProcess.start([], { BIMRIDE_DEMO_CARS: "10" });
    await untilTripsRun(service);
    const blocks = runnableBlocks(read("README.md"));
    expect(blocks.length).toBeGreaterThan(0);
    expectShown("README.md", blocks, await runBlocks(blocks, service));
  });
});

test("docs/API.md names every REST route and every method of the contract's services", async () => {
  const api = read("docs/API.md");
  for (const [path, methods] of Object.entries(openApiDocument.paths)) {
    for (const method of Object.keys(methods)) expect(api).toContain(`${method.toUpperCase()} ${path}`);
  }
  for (const file of await readdir(`${root}proto/bimride/tracking/v1`)) {
    for (const [, method] of read(`proto/bimride/tracking/v1/${file}`).matchAll(/^ {2}rpc (\w+)\(/gm)) {
      expect(api).toContain(`${method}\``);
    }
  }
});

test("the client code of the README is the example that runs", () => {
  const code = fencedBlocks(read("README.md")).filter((block) => block.info === "ts");
  expect(code.map((block) => block.text)).toEqual([read("examples/1-watch-a-trip.ts")]);
});

test("links of the documents lead to files that exist", async () => {
  const documents = ["README.md", "CHANGELOG.md", "examples/README.md"];
  for (const folder of ["docs", "docs/adr"]) {
    for (const name of await readdir(`${root}${folder}`))
      if (name.endsWith(".md")) documents.push(`${folder}/${name}`);
  }
  for (const document of documents) {
    for (const [, target] of read(document).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue;
      const path = new URL(target!, new URL(document, `file://${root}`));
      const there = await readdir(new URL(".", path)).catch((): string[] => []);
      const name = path.pathname.split("/").filter(Boolean).at(-1) ?? "";
      const inFolder = path.pathname.endsWith("/") ? there.length > 0 : there.includes(name);
      expect(inFolder, `${document} links to ${target}`).toBe(true);
    }
  }
});

test("files that docs/ARCHITECTURE.md names exist", () => {
  const named = read("docs/ARCHITECTURE.md").matchAll(
    /`((?:internal|test|web|cmd|demo|bench|scripts)\/[\w./-]+)`/g,
  );
  const missing = [...named].map(([, path]) => path!).filter((path) => !existsSync(`${root}${path}`));
  expect(missing).toEqual([]);
});
