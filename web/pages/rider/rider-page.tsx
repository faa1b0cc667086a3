import { useEffect, useState } from "preact/hooks";
import { loadSettingsPatiently, type PageSettings } from "../settings.ts";
import { demoTokens, hostTokens, type TokenSource } from "../token-source.ts";
import { Notice } from "./notice.tsx";
import { TokenForm } from "./token-form.tsx";
import { TripView } from "./trip-view.tsx";

/** Trip ids as the server makes them: region, then 26 characters. */
const TRIP_ID = /^[a-z0-9]{1,16}-[0-9a-hjkmnp-tv-z]{26}$/;

/** The page of one trip: finds its settings and a token, then shows the trip. */
export function RiderPage({ tripId }: { tripId: string }) {
  const [settings, setSettings] = useState<PageSettings>();
  const [away, setAway] = useState(false);
  const [typed, setTyped] = useState<TokenSource>();
  useEffect(() => {
    void loadSettingsPatiently(() => setAway(true)).then(setSettings);
  }, []);

  if (!TRIP_ID.test(tripId))
    return <Notice title="No such trip" text="This address does not name a trip." back />;
  if (!settings) {
    if (!away) return <Notice title="Finding your ride…" />;
    return (
      <Notice title="Bimride can't be reached" text="We keep trying; there is nothing you need to do." />
    );
  }
  const token = typed ?? hostTokens() ?? (settings.demo ? demoTokens({ role: "rider", tripId }) : undefined);
  if (!token) return <TokenForm onToken={(text) => setTyped(() => async () => text)} />;
  return <TripView tripId={tripId} settings={settings} token={token} />;
}
