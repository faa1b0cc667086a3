import { useEffect, useRef, useState } from "preact/hooks";
import { canDrawMap } from "../../map/webgl.ts";
import { useStreets } from "../rider/use-streets.ts";
import type { PageSettings } from "../settings.ts";
import { BeforeDrive } from "./before-drive.tsx";
import { askForTrip } from "./demo-guest.ts";
import { DrivePanel } from "./drive-panel.tsx";
import { BEFORE_DRIVE, type Drive, type DriveState, startDrive } from "./driving.ts";
import type { Identity } from "./identity.ts";
import { whyNotLocating } from "./locating.ts";
import { OwnPane } from "./own-pane.tsx";
import { TripPane } from "./trip-pane.tsx";

type Props = { settings: PageSettings; identity: Identity };

/** A driver's page once it is known who drives: the panel with everything in words, and the map where one can be drawn. */
export function DriveView({ settings, identity }: Props) {
  const [state, setState] = useState<DriveState>(() => ({
    ...BEFORE_DRIVE,
    locating: whyNotLocating() ?? BEFORE_DRIVE.locating,
  }));
  const [phase, setPhase] = useState<"before" | "starting" | "driving" | "failed">("before");
  const [map, setMap] = useState<"on" | "off">(() => (canDrawMap() ? "on" : "off"));
  const drive = useRef<Drive>(undefined);
  const streets = useStreets(settings.styleUrl);
  useEffect(() => () => void drive.current?.stop(), []);

  const start = async () => {
    setPhase("starting");
    try {
      drive.current = await startDrive(identity.token, (change) =>
        setState((now) => ({ ...now, ...change })),
      );
      setPhase(drive.current ? "driving" : "before");
    } catch {
      setPhase("failed");
    }
  };
  const stop = async () => {
    const over = drive.current;
    drive.current = undefined;
    setPhase("before");
    setState((now) => ({ ...BEFORE_DRIVE, driver: now.driver, position: now.position }));
    await over?.stop();
  };
  const driver = drive.current?.driver;
  if (phase !== "driving" || !driver || !state.driver)
    return <BeforeDrive state={state} phase={phase} onStart={() => void start()} />;

  const { trip } = state.driver.assignment ?? {};
  const { position } = state;
  const giveTrip =
    identity.isGuest && !trip && position
      ? async () => askForTrip(await identity.token(), position)
      : undefined;
  return (
    <div class={`trip drive ${map === "off" ? "is-text" : ""}`}>
      <DrivePanel
        state={state}
        driver={driver}
        streets={streets}
        giveTrip={giveTrip}
        onStop={() => void stop()}
      />
      {map === "on" && trip && (
        <TripPane
          key={trip.tripId}
          tripId={trip.tripId}
          settings={settings}
          token={identity.token}
          streets={streets}
          onBroken={() => setMap("off")}
        />
      )}
      {map === "on" && !trip && (
        <OwnPane
          position={position}
          streets={streets}
          styleUrl={settings.styleUrl}
          onBroken={() => setMap("off")}
        />
      )}
    </div>
  );
}
