import { createClient } from "@connectrpc/connect";
import { useEffect, useRef, useState } from "preact/hooks";
import { type Trip, TripService, TripStatus } from "../../../gen/bimride/tracking/v1/trip_pb.ts";
import { connectTransportTo } from "../../client/transports/stream.ts";
import { tokenParty } from "../token-party.ts";
import type { TokenSource } from "../token-source.ts";
import { locate, sendPlaces } from "./place-sender.ts";

const WAITING: readonly TripStatus[] = [
  TripStatus.NEW,
  TripStatus.ENROUTE_TO_PICKUP,
  TripStatus.ARRIVED_AT_PICKUP,
];

type Props = { trip: Trip; token: TokenSource };

/**
 * The switch by which a waiting rider lets the driver see where they are. Only what was switched on here is sent from here:
 * the rider's app may be what sends.
 */
export function SharePlace({ trip, token }: Props) {
  const [riderId, setRiderId] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const stop = useRef<() => void>(undefined);
  const isWaiting = WAITING.includes(trip.status);
  const isShared = riderId !== undefined && trip.sharingRiderIds.includes(riderId);

  useEffect(() => {
    void token().then(
      (text) => {
        const party = tokenParty(text);
        if (party?.role === "rider") setRiderId(party.subject);
      },
      () => {}, // the trip's own watch says so
    );
  }, []);
  const end = () => {
    stop.current?.();
    stop.current = undefined;
  };
  useEffect(() => end, []);
  useEffect(() => {
    if (!isWaiting) end();
  }, [isWaiting]);
  if (riderId === undefined || !isWaiting) return null;

  const turn = async (on: boolean) => {
    setBusy(true);
    setProblem("");
    end();
    try {
      if (on) await locate();
      await say(trip.tripId, on, token);
      if (on) stop.current = sendPlaces(token);
    } catch (error) {
      setProblem(problemOf(error));
    }
    setBusy(false);
  };
  return (
    <section class="share-place" aria-label="Your place">
      <label>
        <input
          type="checkbox"
          checked={isShared}
          disabled={isBusy}
          onChange={(event) => void turn(event.currentTarget.checked)}
        />
        <span>Show the driver where I am until I'm picked up</span>
      </label>
      {problem !== "" && <p role="alert">{problem}</p>}
      {isShared && !stop.current && !isBusy && (
        <p>Switched on before. To send your place from this page, switch it off and on again.</p>
      )}
    </section>
  );
}

async function say(tripId: string, granted: boolean, token: TokenSource): Promise<void> {
  const trips = createClient(TripService, connectTransportTo(location.origin));
  const headers = { authorization: `Bearer ${await token()}` };
  await trips.setLocationSharing({ tripId, granted }, { headers });
}

function problemOf(error: unknown): string {
  const isDenied = error instanceof GeolocationPositionError && error.code === error.PERMISSION_DENIED;
  if (isDenied) return "Your browser may not see where you are. Allow it for this page, then try again.";
  if (error instanceof GeolocationPositionError) return "Your device can't tell where it is right now.";
  return "That did not work. Please try again.";
}
