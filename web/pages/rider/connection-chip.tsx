import { useEffect, useState } from "preact/hooks";
import type { Connection } from "../../client/connection.ts";

/** A break shorter than this is not shown: most are over before one has read of them. */
const CALM_MS = 1_500;

/** How this page hears of the car, in words. */
export function ConnectionChip({ connection }: { connection: Connection }) {
  const [shown, setShown] = useState(connection);
  useEffect(() => {
    if (connection.reason !== "reconnecting") return setShown(connection);
    const timer = setTimeout(() => setShown(connection), CALM_MS);
    return () => clearTimeout(timer);
  }, [connection]);
  const kind =
    shown.transport === "polling" ? "is-slow" : shown.transport === "offline" ? "is-off" : "is-live";
  return (
    <p class={`chip ${kind}`} data-transport={shown.transport}>
      <span class="dot" aria-hidden="true" />
      {shown.text}
    </p>
  );
}
