import type { Fix } from "../internal/core/fix.ts";
import { destination, distanceM, METRES_PER_DEGREE } from "../internal/core/geo.ts";
import type { Random } from "./random.ts";
import type { RoadGraph } from "./road-graph.ts";
import type { Motion } from "./timetable.ts";

/** How good the simulated phones are. */
export type DeviceSettings = {
  /** Time between fixes. */
  fixIntervalMs: number;
  /** Share of fixes that lie 60–300 m off. */
  jumpShare: number;
  /** Mean seconds from one offline spell of a phone to the next; Infinity for none. */
  offlineEveryS: number;
  /** Places in the city where phones lose the satellites for 10–60 s. */
  deadZones: number;
  /** Whether the phones' clocks are wrong: mostly by less than a second, some by minutes. */
  wrongClocks: boolean;
};

export const DEVICE_DEFAULTS: DeviceSettings = {
  fixIntervalMs: 4000,
  jumpShare: 0.003,
  offlineEveryS: 900,
  deadZones: 14,
  wrongClocks: true,
};

/** A place without satellites. */
export type DeadZone = { latDeg: number; lonDeg: number; radiusM: number };

/** What the device hands to the driver app at a capture. */
export type Capture = {
  online: boolean;
  /** Undefined without signal. */
  fix: Fix | undefined;
};

/** A phone in a car. */
export type Device = {
  /** Milliseconds that the phone's clock is ahead of the true one. */
  clockAheadMs: number;
  /** Measures. To be called every `fixIntervalMs`, in the order of time. */
  capture(atMs: number, truth: Motion): Capture;
};

const OFFLINE_S = [15, 75] as const;
const LOST_S = [10, 60] as const;
/** After a tunnel, until the satellites are found again. */
const REACQUIRE_S = [2, 5] as const;
/** A zone leaves a phone alone for so long after it has struck. */
const REST_S = 180;
/** How long the error of a phone drifts before it has forgotten where it was; autocorrelation 0.95 after 1 s. */
const DRIFT_S = 20;
const STANDING_MPS = 0.3;

/** Places without satellites at random nodes. */
export function createDeadZones(graph: RoadGraph, count: number, random: Random): DeadZone[] {
  return Array.from({ length: count }, () => {
    const node = Math.floor(random.unit() * graph.nodeCount);
    return {
      latDeg: graph.nodeLatDeg[node]!,
      lonDeg: graph.nodeLonDeg[node]!,
      radiusM: random.between(60, 150),
    };
  });
}

export function createDevice(
  settings: DeviceSettings,
  zones: DeadZone[],
  random: Random,
  startMs: number,
): Device {
  const clockAheadMs = settings.wrongClocks ? drawClockError(random) : 0;
  const antenna = createAntenna(settings, random);
  let seq = 0;
  let lostUntilMs = startMs;
  let zonesRestUntilMs = startMs;
  let offlineFromMs = startMs + random.waiting(settings.offlineEveryS) * 1000;
  let offlineUntilMs = offlineFromMs + random.between(...OFFLINE_S) * 1000;

  function seesSatellites(atMs: number, truth: Motion): boolean {
    if (truth.tunnel) lostUntilMs = Math.max(lostUntilMs, atMs + random.between(...REACQUIRE_S) * 1000);
    else if (atMs >= zonesRestUntilMs && zones.some((zone) => inZone(zone, truth))) {
      lostUntilMs = atMs + random.between(...LOST_S) * 1000;
      zonesRestUntilMs = lostUntilMs + REST_S * 1000;
    }
    return atMs >= lostUntilMs;
  }

  function isOnline(atMs: number): boolean {
    if (atMs >= offlineUntilMs) {
      offlineFromMs = atMs + random.waiting(settings.offlineEveryS) * 1000;
      offlineUntilMs = offlineFromMs + random.between(...OFFLINE_S) * 1000;
    }
    return atMs < offlineFromMs;
  }

  return {
    clockAheadMs,
    capture(atMs, truth) {
      const online = isOnline(atMs);
      const fix = seesSatellites(atMs, truth)
        ? antenna.measure(seq++, atMs + clockAheadMs, truth)
        : undefined;
      return { online, fix };
    },
  };
}

function inZone(zone: DeadZone, truth: Motion): boolean {
  return distanceM(zone.latDeg, zone.lonDeg, truth.latDeg, truth.lonDeg) < zone.radiusM;
}

/** Most phones take the time from the network; a few are set by hand. */
function drawClockError(random: Random): number {
  const kind = random.unit();
  const spreadMs = kind < 0.8 ? 300 : kind < 0.95 ? 5_000 : 90_000;
  return Math.round(random.normal() * spreadMs);
}

/** The measuring part: an error that drifts (and hardly does while standing), some white noise, now and then a jump. */
function createAntenna(settings: DeviceSettings, random: Random) {
  const spreadM = random.between(0.7, 1.9);
  let eastM = random.normal() * spreadM;
  let northM = random.normal() * spreadM;
  const drift = (errorM: number, forgotten: number) =>
    errorM * forgotten + random.normal() * spreadM * Math.sqrt(1 - forgotten ** 2);

  function measure(seq: number, capturedAtMs: number, truth: Motion): Fix {
    const standing = truth.speedMps < STANDING_MPS;
    const sinceS = (settings.fixIntervalMs / 1000) * (standing ? 0.02 : 1);
    const forgotten = Math.exp(-sinceS / DRIFT_S);
    eastM = drift(eastM, forgotten);
    northM = drift(northM, forgotten);
    const whiteM = standing ? 0.02 : 0.25;
    const off = {
      eastM: eastM + random.normal() * whiteM,
      northM: northM + random.normal() * whiteM,
      accuracyM: spreadM * random.between(1.8, 3.2),
    };
    if (random.chance(settings.jumpShare)) jump(off, random);
    return {
      seq,
      capturedAtMs: Math.round(capturedAtMs),
      ...shifted(truth, off.eastM, off.northM),
      accuracyM: Math.round(off.accuracyM * 10) / 10,
      speedMps: standing ? 0 : Math.max(0, Math.round((truth.speedMps + random.normal() * 0.2) * 100) / 100),
      headingDeg: standing
        ? Number.NaN
        : Math.round(((truth.headingDeg + random.normal() * 2 + 360) % 360) * 10) / 10,
      altitudeM: Number.NaN,
      source: "fused",
      mock: false,
    };
  }
  return { measure };
}

/** Moves an error 60–300 m away; half of the phones notice it. */
function jump(off: { eastM: number; northM: number; accuracyM: number }, random: Random): void {
  const [lengthM, angle] = [random.between(60, 300), random.between(0, 2 * Math.PI)];
  off.eastM += Math.sin(angle) * lengthM;
  off.northM += Math.cos(angle) * lengthM;
  if (random.chance(0.5)) off.accuracyM = lengthM * random.between(0.4, 1);
}

function shifted(truth: Motion, eastM: number, northM: number): { latDeg: number; lonDeg: number } {
  const north = destination(truth.latDeg, truth.lonDeg, 0, northM);
  return {
    latDeg: north.latDeg,
    lonDeg: north.lonDeg + eastM / (METRES_PER_DEGREE * Math.cos((truth.latDeg * Math.PI) / 180)),
  };
}
