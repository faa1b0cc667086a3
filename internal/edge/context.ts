import type { EdgeDeps } from "./deps.ts";
import { type EdgeEvents, edgeEvents } from "./events.ts";
import { WatchRegistry } from "./live/watch-registry.ts";
import { SessionsFace } from "./sessions-face.ts";
import { type TripsFace, tripsFace } from "./trips-face.ts";

/** What the HTTP server of any node works with, whatever its role. */
export type NodeContext = Pick<
  EdgeDeps,
  "clock" | "limits" | "telemetry" | "readiness" | "web" | "plugins" | "tls"
> & {
  events: EdgeEvents;
};

/** What Connect, REST and WebSocket share: the dependencies, the watches of this node, and the use-cases on top. */
export type EdgeContext = EdgeDeps & {
  events: EdgeEvents;
  watches: WatchRegistry;
  tripsFace: TripsFace;
  sessionsFace: SessionsFace;
};

export function edgeContext(deps: EdgeDeps): EdgeContext {
  const events = edgeEvents(deps.telemetry);
  const watches = new WatchRegistry({ ...deps, events });
  deps.rollCall.answerFor((user) => watches.present(user));
  const sessionsFace = new SessionsFace({ ...deps, events });
  return { ...deps, events, watches, tripsFace: tripsFace(deps), sessionsFace };
}
