import { BusTap } from "../bench/load/bus-tap.ts";
import { checkHistory, compare, readTracks } from "../bench/load/checker.ts";
import { Deployment } from "../bench/load/deployment.ts";
import { LiveLedger } from "../bench/load/live-ledger.ts";
import { LoadDrivers } from "../bench/load/load-drivers.ts";
import { pause, until } from "../bench/load/pause.ts";
import { Viewers } from "../bench/load/viewers.ts";
import { newClient } from "../internal/cassandra/driver.ts";
import type { LiveChange } from "../internal/core/live.ts";
import { openNatsBus } from "../internal/live/nats/bus.ts";
import { connectNats } from "../internal/nats/link.ts";
import { type Drill, type DrillContext, type DrillResult, own } from "./drill.ts";

const CARS = 20;
const DRIVE_MS = 4_000;
const HISTORY_PATIENCE_MS = 60_000;
const SEEN_PATIENCE_MS = 10_000;
/** Time enough that the planted position is plainly older. */
const OLDER_MS = 5_000;
const DAY_MS = 86_400_000;

export const checkerPlants: Drill = {
  name: "checker",
  shows:
    "the checker itself: a row deleted in Cassandra, a fix read twice, a second owner and an old position are caught",
  run: plantAll,
};

/**
 * A small deployment where everything is well, which the checker must say, and then one plant after the other. Its own
 * counts are those before the plants; `measured` has what the checker said of each plant.
 */
async function plantAll({ args, owned, log }: DrillContext): Promise<DrillResult> {
  const folder = args.keep ? { folder: `${args.keep}/checker` } : {};
  const deployment = await own({ owned }, Deployment.start({ edges: 2, ...folder }));
  const ledger = new LiveLedger();
  const drivers = await LoadDrivers.create(deployment, CARS, "plant", 1_000);
  owned.defer(() => drivers.close());
  const tap = owned.use(await BusTap.open(deployment.engines.natsAddresses, "local", ledger, drivers.trips));
  const viewers = await Viewers.create(deployment, drivers.trips, CARS * 2, ledger);
  owned.defer(() => viewers.close());
  // Its only fix is alone in its row, so that deleting the row is a loss of exactly one.
  const lone = await LoadDrivers.create(deployment, 1, "lone", 60_000);
  owned.defer(() => lone.close());
  drivers.start();
  lone.start();
  await pause(DRIVE_MS);
  await lone.finish(SEEN_PATIENCE_MS);
  const { unacked } = await drivers.finish(SEEN_PATIENCE_MS);
  const trips = [...drivers.trips, ...lone.trips];
  const acked = [...drivers.acked, ...lone.acked];
  const clean = await checkHistory(deployment, trips, acked, HISTORY_PATIENCE_MS);
  const { wentBack, owners2 } = ledger;
  const faultAtMs = Date.now();
  log(`without a plant: ${JSON.stringify({ ...clean, wentBack, owners2, unacked })}`);

  const loss = await plantLoss(deployment, lone, trips, acked);
  const found = await readTracks(deployment, drivers.trips);
  const doubled = compare(drivers.acked, [...found, found[0]!]).duplicated;
  const second = await plantSecondOwner(deployment, tap, ledger, drivers.trips[0]!.tripId);
  const back = await plantRegression(deployment, tap, ledger, drivers.trips[1]!.tripId);
  const measured = {
    plantedLossMissing: loss,
    plantedDuplicates: doubled,
    plantedOwners2: second,
    plantedWentBack: back,
  };
  log(`what the checker says of the plants: ${JSON.stringify(measured)}`);
  const problems = [
    ...(clean.missing + clean.duplicated + wentBack + owners2 + unacked === 0 ? [] : ["not clean before"]),
    ...(loss === 1 ? [] : [`one fix was deleted and ${loss} are missing`]),
    ...(doubled === 1 ? [] : [`one fix was read twice and ${doubled} are duplicated`]),
    ...(second >= 1 ? [] : ["a second owner was not noticed"]),
    // The bus's reader and both viewers of the trip.
    ...(back >= 3 ? [] : [`an older position was noticed by ${back} of 3 readers`]),
  ];
  return {
    name: "checker",
    pid: 0,
    faultAt: new Date(faultAtMs).toISOString(),
    acked: clean.acked,
    missing: clean.missing,
    duplicated: clean.duplicated,
    ...{ wentBack, owners2, gapMs: 0, ok: problems.length === 0, unacked, measured, problems },
  };
}

/** Deletes the lone fix in Cassandra. Returns what is missing then. */
async function plantLoss(
  deployment: Deployment,
  lone: LoadDrivers,
  trips: readonly { tripId: string; driverId: string }[],
  acked: LoadDrivers["acked"],
): Promise<number> {
  const { address } = deployment.engines.cassandra;
  const [{ driverId, capturedAtMs }] = lone.acked as [LoadDrivers["acked"][number]];
  const client = newClient(
    { contactPoints: [address], localDataCenter: "datacenter1", keyspace: "bimride" },
    "bimride",
  );
  try {
    await client.execute(
      "DELETE FROM track_chunks WHERE party = ? AND day = ?",
      [`driver/${driverId}`, Math.floor(capturedAtMs / DAY_MS)],
      { prepare: true },
    );
  } finally {
    await client.shutdown();
  }
  return (await checkHistory(deployment, trips, acked, 0)).missing;
}

/** Somebody else publishes another content under the version that is out. */
async function plantSecondOwner(
  deployment: Deployment,
  tap: BusTap,
  ledger: LiveLedger,
  tripId: string,
): Promise<number> {
  const before = ledger.owners2;
  const last = tap.last(tripId)!;
  const position = { ...last.position!, latDeg: last.position!.latDeg + 0.01 };
  await publish(deployment, { ...last, position });
  await until(() => ledger.owners2 > before, SEEN_PATIENCE_MS, "the second owner is noticed").catch(() => {});
  return ledger.owners2 - before;
}

/** Somebody publishes a newer version with an older position. */
async function plantRegression(
  deployment: Deployment,
  tap: BusTap,
  ledger: LiveLedger,
  tripId: string,
): Promise<number> {
  const before = ledger.wentBack;
  const last = tap.last(tripId)!;
  const capturedAtMs = last.position!.capturedAtMs - OLDER_MS;
  const version = { ...last.version, sequence: last.version.sequence + 1 };
  await publish(deployment, {
    ...{ tripId, version, previous: last.version },
    position: { ...last.position!, capturedAtMs },
  });
  await until(() => ledger.wentBack >= before + 3, SEEN_PATIENCE_MS, "all readers notice it").catch(() => {});
  return ledger.wentBack - before;
}

async function publish({ engines }: Deployment, change: LiveChange): Promise<void> {
  await using link = await connectNats({ servers: [...engines.natsAddresses], name: "bimride-plant" });
  await using bus = await openNatsBus({ link, region: "local", onError: () => undefined });
  bus.publish(change);
  await link.connection.flush();
}
