import type { Drill, DrillContext } from "./drill.ts";
import { harmFor } from "./faults.ts";
import { type DrillPlan, type Fault, underLoad, type World } from "./under-load.ts";

const BAD_MS = 10_000;
/** Each way, so a round trip takes 200 ± 100 ms longer. */
const SLOW = { latency: 100, jitter: 50 } as const;

export const natsSlow: Drill = {
  name: "nats-slow",
  shows: "the link to NATS gets 100 ± 50 ms slower each way: acks come later and as many",
  run: overLink("nats-slow", true, (world) => {
    const link = linkOf(world);
    return harmFor(
      world,
      () => link.harm("latency", SLOW),
      () => link.heal(),
      BAD_MS,
    );
  }),
};

export const natsCut: Drill = {
  name: "nats-cut",
  shows: "the link to NATS is cut for 10 s: BUFFERED meanwhile, drained afterwards, nothing lost or doubled",
  run: overLink("nats-cut", false, (world) => {
    const link = linkOf(world);
    return harmFor(
      world,
      () => link.cut(),
      () => link.heal(),
      BAD_MS,
    );
  }),
};

export const natsHalfOpen: Drill = {
  name: "nats-half-open",
  shows: "nothing comes through the link to NATS for 10 s and nobody closes it: as if it were cut",
  run: overLink("nats-half-open", false, (world) => {
    const link = linkOf(world);
    return harmFor(
      world,
      () => link.harm("timeout", { timeout: 0 }),
      () => link.heal(),
      BAD_MS,
    );
  }),
};

function overLink(name: string, acksPromised: boolean, fault: (world: World) => Promise<Fault>) {
  const plan: DrillPlan = { name, acksPromised, deployment: { natsOverProxy: true }, fault };
  return (context: DrillContext) => underLoad(plan, context);
}

function linkOf({ deployment }: World) {
  const { natsLink } = deployment.engines;
  if (!natsLink) throw new Error("this drill needs a link to NATS that can be harmed");
  return natsLink;
}
