import { leasesContract, snapshotsContract } from "../contract.ts";
import { startNatsLeasesHarness, startNatsSnapshotsHarness } from "./kit.ts";

leasesContract("the NATS leases", startNatsLeasesHarness);
snapshotsContract("the NATS snapshots", startNatsSnapshotsHarness);
