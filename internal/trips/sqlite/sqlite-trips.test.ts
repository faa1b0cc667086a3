import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { tripsContract } from "../contract.ts";
import { SqliteTrips } from "./sqlite-trips.ts";

const WRITER = fileURLToPath(new URL("./put-until-killed.ts", import.meta.url));

tripsContract("sqlite", async () => {
  const folder = mkdtempSync(join(tmpdir(), "bimride-trips-"));
  const path = join(folder, "trips.sqlite");
  const trips = await SqliteTrips.open({ path });
  onTestFinished(async () => {
    await trips[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });
  const reopened = async () => {
    await trips[Symbol.asyncDispose]();
    return SqliteTrips.open({ path });
  };
  const writer = () => spawn(process.execPath, [WRITER, path], { stdio: ["ignore", "pipe", "inherit"] });
  return { trips, reopened, writer };
});
