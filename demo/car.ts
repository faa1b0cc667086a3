import type { Random } from "./random.ts";
import type { RoadGraph } from "./road-graph.ts";
import { appendArcs, createPathBuilder, pathAlong, type RoadPath, STOPS } from "./road-path.ts";
import { route, routeArcs } from "./route.ts";
import { BRAKING, endMs, type Motion, motionAt, planTimetable, type Timetable } from "./timetable.ts";
import { wanderArcs } from "./wander.ts";

/** What a car is doing; `parked` and `cruising` cars are free for a job. */
export const CAR_PHASES = [
  "parked",
  "cruising",
  "to_pickup",
  "at_pickup",
  "to_dropoff",
  "at_dropoff",
] as const;
export type CarPhase = (typeof CAR_PHASES)[number];

/** Part of a car's day: a drive, or standing at the end of the drive before it. */
type Leg = { phase: CarPhase; startMs: number; endMs: number; table: Timetable };
/** The path to the pickup, and the path from there to the dropoff. */
export type Job = { toPickup: RoadPath; toDropoff: RoadPath };

/** A car and its driver. The phases follow from one another by the clock; nothing depends on how often one looks. */
export type Car = {
  /** Brings the car to a moment, which must not lie before the last one; tells of each new phase, in order. */
  settle(nowMs: number, onPhase: (phase: CarPhase, atMs: number) => void): void;
  phase(): CarPhase;
  isFree(): boolean;
  /** Where it is at a moment from the last `settle` up to the end of the current phase. */
  motion(atMs: number): Motion;
  /** Sends a free car on a job from where it is at `nowMs`, the moment of the last `settle`. */
  start(nowMs: number, pickupNode: number, dropoffNode: number): Job;
  /** Ends a job: the car stops at the next place it can and is free. Nothing for a free car. */
  abandon(nowMs: number): void;
};

/** Seconds that drivers stand, lowest and highest. */
const PARKED_S = [15, 120] as const;
const AT_PICKUP_S = [25, 75] as const;
const AT_DROPOFF_S = [12, 35] as const;
const CRUISE_M = [700, 2500] as const;
type StopRule = { chance: number; waitS: readonly [number, number] };
const LIGHTS: StopRule = { chance: 0.4, waitS: [4, 28] };
const GIVE_WAY: StopRule = { chance: 0.5, waitS: [1, 4] };

/**
 * @param node where the car stands at `startMs`
 * @param random the driver's own whims
 */
export function createCar(graph: RoadGraph, random: Random, node: number, startMs: number): Car {
  const pace = random.between(0.8, 1.02);
  let job: Job | undefined;
  let leg = standing("parked", drive(pathAlong(graph, node, []), startMs, 0), startMs, PARKED_S);

  function drive(path: RoadPath, atMs: number, startSpeedMps: number): Timetable {
    const last = path.stops.length - 1;
    const waitS = (point: number) => {
      const stop = path.stops[point]!;
      if (stop === STOPS.none || point === 0 || point === last) return 0;
      const rule = stop === STOPS.lights ? LIGHTS : GIVE_WAY;
      return random.chance(rule.chance) ? random.between(...rule.waitS) : 0;
    };
    return planTimetable(path, { startMs: atMs, startSpeedMps, pace: () => pace, waitS });
  }

  function driving(phase: CarPhase, path: RoadPath, atMs: number, startSpeedMps: number): Leg {
    const table = drive(path, atMs, startSpeedMps);
    return { phase, startMs: atMs, endMs: endMs(table), table };
  }

  function standing(
    phase: CarPhase,
    table: Timetable,
    atMs: number,
    seconds: readonly [number, number],
  ): Leg {
    return { phase, startMs: atMs, endMs: atMs + random.between(...seconds) * 1000, table };
  }

  function following(done: Leg): Leg {
    const atMs = done.endMs;
    switch (done.phase) {
      case "to_pickup":
        return standing("at_pickup", done.table, atMs, AT_PICKUP_S);
      case "at_pickup":
        return driving("to_dropoff", job!.toDropoff, atMs, 0);
      case "to_dropoff":
        return standing("at_dropoff", done.table, atMs, AT_DROPOFF_S);
      case "cruising":
        return standing("parked", done.table, atMs, PARKED_S);
      default: {
        job = undefined;
        const [at, before] = lastNodes(done.table.path);
        const arcs = wanderArcs(graph, at, before, random.between(...CRUISE_M), random);
        return driving("cruising", pathAlong(graph, at, arcs), atMs, 0);
      }
    }
  }

  /** The rest of the current drive up to a node before which the car can still brake, and that node's predecessor. */
  function leadIn(nowMs: number) {
    const now = motionAt(leg.table, nowMs);
    const { path } = leg.table;
    const safeM = now.drivenM + now.speedMps ** 2 / (2 * BRAKING) + 1;
    const ahead = path.nodePoint.findIndex((point) => path.distanceM[point]! >= safeM);
    const index = ahead >= 0 ? ahead : path.nodes.length - 1;
    const builder = createPathBuilder();
    builder.add(now.latDeg, now.lonDeg, 1, now.tunnel);
    for (let point = 0; point <= path.nodePoint[index]!; point++) {
      if (path.distanceM[point]! <= now.drivenM) continue;
      builder.add(path.latDeg[point]!, path.lonDeg[point]!, path.speedMps[point]!, path.tunnel[point] === 1);
    }
    return { now, builder, node: path.nodes[index]!, before: index > 0 ? path.nodes[index - 1]! : -1 };
  }

  const isFree = () => leg.phase === "parked" || leg.phase === "cruising";
  return {
    settle(nowMs, onPhase) {
      while (leg.endMs <= nowMs) {
        leg = following(leg);
        onPhase(leg.phase, leg.startMs);
      }
    },
    phase: () => leg.phase,
    isFree,
    motion: (atMs) => motionAt(leg.table, atMs),
    start(nowMs, pickupNode, dropoffNode) {
      const { now, builder, node, before } = leadIn(nowMs);
      const arcs = routeArcs(graph, node, pickupNode, before);
      appendArcs(builder, graph, node, arcs);
      const toPickup = builder.build();
      const [, beforePickup] = lastNodes(toPickup);
      job = { toPickup, toDropoff: route(graph, pickupNode, dropoffNode, beforePickup) };
      leg = driving("to_pickup", toPickup, nowMs, now.speedMps);
      return job;
    },
    abandon(nowMs) {
      if (isFree()) return;
      job = undefined;
      const { now, builder, node } = leadIn(nowMs);
      appendArcs(builder, graph, node, []);
      leg = driving("cruising", builder.build(), nowMs, now.speedMps);
    },
  };
}

/** The last node of a path and the one before it, −1 when there is none. */
function lastNodes(path: RoadPath): [last: number, before: number] {
  const count = path.nodes.length;
  return [path.nodes[count - 1]!, count > 1 ? path.nodes[count - 2]! : -1];
}
