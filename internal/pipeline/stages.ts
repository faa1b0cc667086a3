import type { FixContext } from "./context.ts";
import { dedupe } from "./stages/dedupe.ts";
import { join } from "./stages/join.ts";
import { order } from "./stages/order.ts";
import { place } from "./stages/place.ts";
import { publish } from "./stages/publish.ts";
import { share } from "./stages/share.ts";
import { phase } from "./stages/trip-phase.ts";

/** One step of a fix on its way: pure, synchronous, changes the context and the states in it. False ends the way. */
export type Stage = (context: FixContext) => boolean;

/**
 * THE LIST: what happens to a fix, in order.
 *
 * 1. dedupe   a fix seen before ends here
 * 2. order    the marker's session and its newest seq move the marker; what is late or superseded does not
 * 3. join     the running trip of the party, if any
 * 4. place    outlier gate and Kalman filter; a late fix gets its place in the trail
 * 5. phase    pickup, en route, dropoff, seen in the driver's fixes
 * 6. share    a waiting rider's place, for the driver of their trip
 * 7. publish  the latest place, the trip's live change, the fix for history
 *
 * Freshness is no stage: it comes from time alone and is judged where it is shown, from the stamps that `publish` sets.
 */
export const STAGES: readonly Stage[] = [dedupe, order, join, place, phase, share, publish];
