import type { Streets } from "../../map/nearest-street.ts";
import { MapPane } from "../rider/map-pane.tsx";
import { useTrip } from "../rider/use-trip.ts";
import type { PageSettings } from "../settings.ts";
import type { TokenSource } from "../token-source.ts";

type Props = {
  tripId: string;
  settings: PageSettings;
  token: TokenSource;
  streets: Streets | undefined;
  onBroken(): void;
};

/** The map of a driver on a trip: the car as the server publishes it, which is what the rider sees. */
export function TripPane({ tripId, settings, token, streets, onBroken }: Props) {
  const watched = useTrip(tripId, settings, token);
  return <MapPane watched={watched} streets={streets} styleUrl={settings.styleUrl} onBroken={onBroken} />;
}
