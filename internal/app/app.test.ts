import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { expect, test } from "vitest";
import { tempFolder } from "../../test/kit/temp-folder.ts";
import { loadSettings } from "../config/settings.ts";
import { createTelemetry } from "../telemetry/create-telemetry.ts";
import { startApp } from "./app.ts";
import type { Role } from "./roles.ts";

/** One per start, as in a process. */
const newTelemetry = () => createTelemetry({ role: "test", level: "silent", processMetrics: false });

test.each(["gateway", "processor", "edge"] as const satisfies Role[])(
  "%s alone does not start on embedded engines, and makes nothing",
  async (role) => {
    await using folder = await tempFolder();
    const data = folder.file("data");
    const settings = loadSettings({ BIMRIDE_ENGINES: "embedded" }, ["--data", data]);
    await expect(
      startApp(settings, { telemetry: newTelemetry(), roles: new Set([role]) }),
    ).rejects.toMatchObject({
      setting: "engines",
      message: expect.stringMatching(new RegExp(`^engines: .*${role} alone needs BIMRIDE_ENGINES=real$`)),
    });
    expect(existsSync(data)).toBe(false);
  },
);

test("a gateway that can't start leaves nothing in its data folder", async () => {
  await using folder = await tempFolder();
  const env = {
    BIMRIDE_ENGINES: "real",
    BIMRIDE_NATS_SERVERS: "127.0.0.1:1",
    BIMRIDE_AUTH_JWKS_URL: "https://issuer.example/keys",
  };
  const roles = new Set<Role>(["gateway"]);
  for (const data of [folder.file(""), folder.file("made")]) {
    const settings = loadSettings(env, ["--data", data]);
    await expect(startApp(settings, { telemetry: newTelemetry(), roles })).rejects.toMatchObject({
      setting: "nats.servers",
    });
  }
  expect(await readdir(folder.path)).toEqual([]);
});
