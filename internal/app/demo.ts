import { createFleet } from "../../demo/fleet.ts";
import { readRoadGraph } from "../../demo/road-graph.ts";
import { Simulation } from "../../demo/simulation.ts";
import { cancelGuestTrips } from "../edge/guest-trips.ts";
import type { App, Parts } from "./parts.ts";

/** Share of the demo cars with a trip. */
const BUSY_SHARE = 0.6;

/** The demo city's fleet, driving against this process through its real ports. */
export async function startDemo(
  app: Omit<App, typeof Symbol.asyncDispose>,
  parts: Parts,
): Promise<AsyncDisposable> {
  const { settings, clock, telemetry, tls } = parts;
  const fleet = createFleet({
    seed: settings.demoSeed,
    cars: settings.demoCars,
    graph: await readRoadGraph(),
    startMs: clock.now(),
  });
  const simulation = new Simulation({
    fleet,
    grpcAddress: app.grpcAddress,
    httpUrl: app.httpUrl,
    ...(tls ? { trust: () => tls.trust() } : {}),
    mint: (role, subject) => app.mint(role, subject),
    clock,
    random: Math.random,
    logger: telemetry.logger.child({ part: "demo" }),
    busyShare: BUSY_SHARE,
  });
  await cancelGuestTrips(parts); // of phones that an earlier run knew
  await simulation.start();
  return simulation;
}
