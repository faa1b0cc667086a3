import type { DeviceState } from "../core/fix.ts";
import type { Clock } from "../core/time.ts";
import type { LiveBus } from "../live/bus.ts";
import type { IngestEvents, Transport } from "./events.ts";
import type { Home } from "./homes.ts";
import { deviceStateJson, enterHome, type SessionState } from "./session-state.ts";

export type AnnouncerDeps = { bus: LiveBus; clock: Clock; events: IngestEvents };

/**
 * Writes into the log (or the spool while that is away) what a session is beside its fixes. Nobody waits for it: an
 * epoch needs no store.
 */
export class Announcer {
  readonly #deps: AnnouncerDeps;

  constructor(deps: AnnouncerDeps) {
    this.#deps = deps;
  }

  /** A session opened, or opened again: SessionOpened into the log. The other gateways wait for {@link tellOthers}. */
  opened(state: SessionState, transport: Transport, traceparent: string): void {
    state.announced = true;
    this.#append(state, transport, traceparent, "open");
    this.#deps.events.sessionOpened(transport, state.partyKey, state.sessionId, state.sessionEpoch);
  }

  /** Tells the other gateways that the session opened. Where one of them knows better, it answers on the bus. */
  tellOthers({ partyKey, sessionId, sessionEpoch }: SessionState): void {
    this.#deps.bus.notify({ partyKey, kind: "sessionOpened", sessionId, sessionEpoch });
  }

  /** Repeats the SessionOpened record when it did not reach the log. Called before fixes are appended. */
  ensureOpened(state: SessionState, transport: Transport, traceparent: string): void {
    if (state.announced) return;
    state.announced = true;
    this.#append(state, transport, traceparent, "open");
  }

  /** The session was given a new epoch, with which it keeps the marker. */
  renewed(state: SessionState, transport: Transport, traceparent: string): void {
    state.announced = true;
    this.#append(state, transport, traceparent, "open");
  }

  /**
   * The session's last stream is gone. Best effort: without it viewers learn from silence instead.
   * @param lost the client did not say goodbye
   */
  closed(state: SessionState, transport: Transport, lost: boolean): void {
    this.#append(state, transport, "", lost ? "lost" : "closed");
  }

  /** The session goes on in another region: its end goes to the log of the old one, what it is to that of the new one. */
  moved(state: SessionState, home: Home, transport: Transport, traceparent: string): void {
    const { announced, region, deviceStateJson: device } = state;
    if (!announced) {
      enterHome(state, home);
      return;
    }
    this.closed(state, transport, false);
    enterHome(state, home);
    this.#deps.events.sessionMoved(state.partyKey, state.sessionId, region, home.region);
    this.ensureOpened(state, transport, traceparent);
    if (device) this.deviceState(state, Object.fromEntries(JSON.parse(device)), traceparent);
  }

  /** The device's state, when it differs from the one before. */
  deviceState(state: SessionState, deviceState: DeviceState | undefined, traceparent: string): void {
    if (!deviceState) return;
    const json = deviceStateJson(deviceState);
    if (json === state.deviceStateJson) return;
    state.deviceStateJson = json;
    const { clock, events } = this.#deps;
    const { appender, party, sessionId, sessionEpoch, partition } = state;
    const receivedAtMs = Math.round(clock.now());
    appender
      .append(
        partition,
        { kind: "deviceState", party, sessionId, sessionEpoch, receivedAtMs, state: deviceState },
        traceparent,
      )
      .catch((error: unknown) => {
        if (state.deviceStateJson === json) state.deviceStateJson = "";
        events.recordLost("deviceState", error);
      });
  }

  #append(
    state: SessionState,
    transport: Transport,
    traceparent: string,
    is: "open" | "closed" | "lost",
  ): void {
    const { clock, events } = this.#deps;
    const closed = is !== "open";
    const { appender, party, sessionId, sessionEpoch, partition, deviceId, appVersion } = state;
    const receivedAtMs = Math.round(clock.now());
    const record = {
      kind: "sessionOpened",
      party,
      sessionId,
      sessionEpoch,
      receivedAtMs,
      deviceId,
      appVersion,
      transport,
      closed,
      lost: is === "lost",
    } as const;
    appender.append(partition, record, traceparent).catch((error: unknown) => {
      if (!closed) state.announced = false;
      events.recordLost("sessionOpened", error);
    });
  }
}
