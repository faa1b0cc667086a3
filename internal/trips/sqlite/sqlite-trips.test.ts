import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { tripsContract } from "../contract.ts";
import { SqliteTrips } from "./sqlite-trips.ts";

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
  return { trips, reopened };
});
