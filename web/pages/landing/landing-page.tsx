import { useEffect, useState } from "preact/hooks";
import { canDrawMap } from "../../map/webgl.ts";
import { useStreets } from "../rider/use-streets.ts";
import { loadSettingsPatiently, type PageSettings } from "../settings.ts";
import { demoTokens, hostTokens } from "../token-source.ts";
import { FleetPane } from "./fleet-pane.tsx";
import { TripList } from "./trip-list.tsx";
import { type Fleet, useFleet } from "./use-fleet.ts";

/** The first page: the city moving, and the trips that run in it. */
export function LandingPage() {
  const [settings, setSettings] = useState<PageSettings>();
  const [away, setAway] = useState(false);
  useEffect(() => {
    void loadSettingsPatiently(() => setAway(true)).then(setSettings);
  }, []);
  const token = hostTokens() ?? (settings?.demo ? demoTokens({ role: "ops" }) : undefined);
  return (
    <div class="landing">
      <Overview settings={settings} away={away && !settings} token={token} />
    </div>
  );
}

type OverviewProps = {
  settings: PageSettings | undefined;
  away: boolean;
  token: (() => Promise<string>) | undefined;
};

function Overview({ settings, away, token }: OverviewProps) {
  const [map, setMap] = useState<"on" | "off">(() => (canDrawMap() ? "on" : "off"));
  const streets = useStreets(settings ? settings.styleUrl : "");
  const fleet = useFleet(token);
  return (
    <>
      <main class="panel" aria-label="Running trips">
        <header class="panel-head">
          <p class="brand">Bimride</p>
          <p class={`chip ${fleet.connected ? "is-live" : "is-off"}`} role="status">
            <span class="dot" aria-hidden="true" />
            {statusWords(settings, away, token !== undefined, fleet)}
          </p>
        </header>
        <h1>The city, moving</h1>
        {settings && !token ? (
          <p class="lead">
            This server runs without its demo. Open your ride by the link you were given; it looks like{" "}
            <code>/trip/…</code>.
          </p>
        ) : (
          <>
            <p class="lead">Every car as it is now. Choose a trip to see it through its rider's eyes.</p>
            <FleetCounts fleet={fleet} />
            <TripList fleet={fleet} token={token} streets={streets} />
          </>
        )}
        <p class="hint">
          Have a phone at hand? <a href="/driver.html">Drive with it</a>.
        </p>
        {map === "off" && (
          <p class="hint">This browser can't draw the map; the list has every running trip.</p>
        )}
      </main>
      {map === "on" && settings && (
        <FleetPane
          fleet={fleet}
          streets={streets}
          styleUrl={settings.styleUrl}
          onBroken={() => setMap("off")}
        />
      )}
    </>
  );
}

function statusWords(
  settings: PageSettings | undefined,
  away: boolean,
  hasToken: boolean,
  fleet: Fleet,
): string {
  if (away) return "Bimride can't be reached, trying again";
  if (!settings) return "Connecting";
  if (!hasToken) return "Demo is off";
  if (fleet.connected) return "Live";
  return fleet.wasConnected ? "Connection lost, trying again" : "Connecting";
}

function FleetCounts({ fleet }: { fleet: Fleet }) {
  return (
    <dl class="counts">
      <div>
        <dt>{fleet.truncated ? "cars shown of many" : "cars in view"}</dt>
        <dd>{fleet.cars}</dd>
      </div>
      <div class="is-trip">
        <dt>on a trip</dt>
        <dd>{fleet.tripIds.length}</dd>
      </div>
    </dl>
  );
}
