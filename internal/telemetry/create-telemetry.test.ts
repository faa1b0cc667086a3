import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { BimrideError } from "../core/errors.ts";
import { createTelemetry, type TelemetryOptions } from "./create-telemetry.ts";
import { errorsDocument } from "./errors-doc.ts";

const TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJyLTEifQ.c2lnbmF0dXJl";

function capture(options: Partial<TelemetryOptions> = {}) {
  const lines: string[] = [];
  const telemetry = createTelemetry({
    role: "test",
    level: "info",
    processMetrics: false,
    sink: { write: (line) => lines.push(line) },
    ...options,
  });
  return { ...telemetry, lines };
}

describe("the logger", () => {
  test("writes one JSON object a line with time, level and role", () => {
    const { logger, lines } = capture();
    logger.info({ partition: 3 }, "opened");
    const record = JSON.parse(lines[0]!);
    expect(record).toMatchObject({ level: "info", role: "test", msg: "opened", partition: 3 });
    expect(Date.parse(record.time)).toBeGreaterThan(0);
    expect(lines[0]!.endsWith("}\n")).toBe(true);
  });

  test("leaves out what is below its level", () => {
    const { logger, lines } = capture({ level: "warn" });
    logger.info("quiet");
    expect(lines).toEqual([]);
  });

  test("never writes credentials or places, however deep and whatever the case", () => {
    const { logger, lines } = capture();
    const secrets = { Authorization: `Bearer ${TOKEN}`, fix: { latDeg: 57.7089, longitude_e7: 119746000 } };
    logger.info({ headers: [secrets], token: TOKEN, note: `was ${TOKEN}` }, `refused ${TOKEN}`);
    logger.child({ bindings: { position: [57.7089, 11.9746] } }).info("moved");
    const text = lines.join("");
    for (const secret of [TOKEN, "57.7089", "119746000", "11.9746"]) expect(text).not.toContain(secret);
    expect(text).toContain("[redacted]");
  });

  test("writes errors with stack and cause but without tokens", () => {
    const { logger, lines } = capture();
    logger.error(
      { err: new BimrideError("INTERNAL", undefined, { cause: new Error(`bad ${TOKEN}`) }) },
      "failed",
    );
    const record = JSON.parse(lines[0]!);
    expect(record.err).toMatchObject({ code: "INTERNAL" });
    expect(record.err.stack).toContain("caused by: Error: bad [redacted]");
  });

  test("bears cycles and big integers", () => {
    const { logger, lines } = capture();
    const loop: Record<string, unknown> = { big: 12n };
    loop.self = loop;
    logger.info({ loop }, "odd");
    expect(JSON.parse(lines[0]!).loop).toMatchObject({ big: 12, self: "[Circular]" });
  });

  test("writes plain lines for people", () => {
    const { logger, lines } = capture({ format: "plain" });
    logger.warn({ port: 8081, why: "8080 is taken" }, "moved");
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} warn {2}test: moved port=8081 why="8080 is taken"\n$/);
  });
});

test("the registry carries the process's metrics with the event-loop delay", async () => {
  const { registry } = capture({ processMetrics: true });
  const text = await registry.metrics();
  for (const name of [
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "nodejs_eventloop_lag_p99_seconds",
  ]) {
    expect(text).toContain(name);
  }
});

test("docs/ERRORS.md is what the vocabulary says", () => {
  expect(readFileSync(new URL("../../docs/ERRORS.md", import.meta.url), "utf8")).toBe(errorsDocument());
});
