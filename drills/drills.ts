import { checkerPlants } from "./checker-plants.ts";
import type { Drill } from "./drill.ts";
import { killCassandra } from "./kill-cassandra.ts";
import { killEdge } from "./kill-edge.ts";
import { killGateway } from "./kill-gateway.ts";
import { killNats } from "./kill-nats.ts";
import { killNatsLeader } from "./kill-nats-leader.ts";
import { killProcess } from "./kill-process.ts";
import { killProcessor } from "./kill-processor.ts";
import { killRedis } from "./kill-redis.ts";
import { mqttPuback } from "./mqtt-puback.ts";
import { natsCut, natsHalfOpen, natsSlow } from "./nats-link.ts";
import { redisEmptied } from "./redis-emptied.ts";
import { rollingRestart } from "./rolling-restart.ts";
import { spoolDiskFull } from "./spool-disk-full.ts";
import { stopProcessor } from "./stop-processor.ts";

/** THE LIST of drills, in the order of `npm run drill -- all`: whoever judges is tested first. */
export const DRILLS: readonly Drill[] = [
  checkerPlants,
  killProcess,
  killProcessor,
  stopProcessor,
  killGateway,
  mqttPuback,
  killEdge,
  killNats,
  killNatsLeader,
  natsSlow,
  natsCut,
  natsHalfOpen,
  spoolDiskFull,
  killRedis,
  redisEmptied,
  killCassandra,
  rollingRestart,
];
