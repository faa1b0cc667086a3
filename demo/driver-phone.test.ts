import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { TestGateway } from "../internal/ingest/transports/kit.ts";
import { fixInput, sessionIn, startTwoRegions, storedIn } from "../internal/ingest/transports/region-rig.ts";
import { toFix } from "../internal/ingest/validate.ts";
import { driverPhone } from "./driver-phone.ts";

const PATIENCE = { timeout: 20_000 };
let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startTwoRegions();
});
afterAll(() => gateway[Symbol.asyncDispose]());

test("the simulated driver app goes where it is told to move, and says so when it comes back", async () => {
  const phone = driverPhone({
    driverId: "d1",
    grpcAddress: `127.0.0.1:${gateway.grpcPort}`,
    httpUrl: `http://${gateway.httpAddress}`,
    token: () => gateway.token("driver", "d1"),
    now: () => Date.now(),
    random: () => 0.5,
  });
  const drive = async (seq: number, metres: number) => {
    phone.capture([toFix(fixInput(seq, metres, Date.now()))]);
    await vi.waitFor(() => expect(phone.acked).toBe(seq + 1), PATIENCE);
  };
  await drive(0, -500);
  await drive(1, 2_500);
  // The Hello after Move opens the session in the new region again.
  await vi.waitFor(
    async () => expect(await sessionIn(gateway, "north", "d1")).toEqual(["opened", "opened"]),
    PATIENCE,
  );
  phone.setOnline(false);
  phone.setOnline(true);
  // Within the border's breadth it stays where it was.
  await drive(2, -1_500);
  await phone.stop();
  expect(await storedIn(gateway, "south", "d1")).toEqual([0]);
  expect(await storedIn(gateway, "north", "d1")).toEqual([1, 2]);
});
