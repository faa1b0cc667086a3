import type { WantedRate } from "../../driver-client/driver-state.ts";
import type { Position } from "../../driver-client/position.ts";

/** How locating stands. `insecure`: browsers tell a place to pages over HTTPS, or of this machine, only. */
export type LocatingState = "starting" | "located" | "searching" | "denied" | "unsupported" | "insecure";

/** A place that takes longer than this is said to be searched for. */
const PATIENCE_MS = 20_000;
/** Only a standing device says nothing for longer than this share of the wanted interval: then it is asked. */
const ASK_AFTER = 0.95;
const DENIED = 1;

/** Listens to the device's place. */
export type Locating = { setRate(rate: WantedRate): void; stop(): void };

/** Why no place can be had here at all; undefined when it can. */
export function whyNotLocating(): "insecure" | "unsupported" | undefined {
  if (!isSecureContext) return "insecure";
  return "geolocation" in navigator ? undefined : "unsupported";
}

/**
 * Starts to listen, as accurately as is wanted. Devices that stand still tell nothing by themselves: they are asked as often
 * as positions are wanted, so that a parked car is no lost one.
 */
export function startLocating(
  rate: WantedRate,
  onPosition: (position: Position) => void,
  onState: (state: LocatingState) => void,
): Locating {
  let wanted = rate;
  let watch: number | undefined;
  let ask: ReturnType<typeof setTimeout> | undefined;
  const options = (): PositionOptions => ({
    enableHighAccuracy: wanted.accuracy === "high" || wanted.accuracy === "any",
    maximumAge: 0,
    timeout: PATIENCE_MS,
  });
  const take = (position: Position) => {
    onState("located");
    onPosition(position);
    askLater();
  };
  const fail = ({ code }: GeolocationPositionError) => {
    onState(code === DENIED ? "denied" : "searching");
    askLater();
  };
  const askLater = () => {
    clearTimeout(ask);
    ask = setTimeout(() => {
      // A new watch measures anew; a question beside a standing watch is not answered everywhere while nothing moves.
      listen();
      askLater();
    }, wanted.intervalMs * ASK_AFTER);
  };
  const listen = () => {
    if (watch !== undefined) navigator.geolocation.clearWatch(watch);
    const askedAtMs = Date.now();
    watch = navigator.geolocation.watchPosition(
      (found) => take(positionOf(found, askedAtMs)),
      fail,
      options(),
    );
  };
  listen();
  askLater();
  return {
    setRate(next) {
      wanted = next;
      listen();
      askLater();
    },
    stop() {
      clearTimeout(ask);
      if (watch !== undefined) navigator.geolocation.clearWatch(watch);
      ask = undefined;
    },
  };
}

function positionOf({ coords, timestamp }: GeolocationPosition, askedAtMs: number): Position {
  const { latitude, longitude, accuracy, speed, heading, altitude } = coords;
  return {
    latDeg: latitude,
    lonDeg: longitude,
    accuracyM: accuracy,
    ...(speed === null ? {} : { speedMps: speed }),
    // Browsers say NaN for the heading of who stands.
    ...(heading === null || Number.isNaN(heading) ? {} : { headingDeg: heading }),
    ...(altitude === null ? {} : { altitudeM: altitude }),
    source: "fused",
    // Nothing older was asked for; some devices say when they came to where they stand.
    capturedAtMs: timestamp >= askedAtMs ? timestamp : Date.now(),
  };
}
