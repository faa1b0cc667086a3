import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { Freshness, FreshnessReason } from "../../gen/bimride/tracking/v1/live_pb.ts";
import { TripSchema, TripStatus } from "../../gen/bimride/tracking/v1/trip_pb.ts";
import { describeConnection } from "../client/connection.ts";
import { emptyState } from "../client/trip-state.ts";
import type { TripState } from "../client/watcher.ts";
import { announcement, NOTHING_SAID } from "./rider/announcements.ts";
import { clockTime, directionWords, distanceWords, freshnessSentence, phaseHeadline } from "./words.ts";

const SINCE_MS = Date.UTC(2026, 5, 1, 12, 2);
const view = (freshness: Freshness, reason: FreshnessReason, assumed = false) => ({
  freshness,
  reason,
  sinceMs: SINCE_MS,
  assumed,
});

describe("the words of the pages", () => {
  it("name the reason of a silence and its time", () => {
    expect(freshnessSentence(view(Freshness.STALE, FreshnessReason.NO_SIGNAL), false)).toBe(
      `The driver's phone has had no signal since ${clockTime(SINCE_MS)}.`,
    );
    expect(freshnessSentence(view(Freshness.LIVE, FreshnessReason.UNSPECIFIED), false)).toBeUndefined();
    expect(freshnessSentence(view(Freshness.LOST, FreshnessReason.UNSPECIFIED, true), true)).toContain(
      "connection to Bimride is down",
    );
  });

  it("have a sentence for every reason and a headline for every phase", () => {
    for (const reason of Object.values(FreshnessReason))
      expect(freshnessSentence(view(Freshness.STALE, reason), false)).toMatch(/^[A-Z].*\.$/);
    for (const status of Object.values(TripStatus))
      expect(phaseHeadline(create(TripSchema, { status }))).toMatch(/^[A-Z]/);
  });

  it("round distances and courses as people do", () => {
    expect([4, 84, 949, 1_449, 12_300].map(distanceWords)).toEqual([
      "10 m",
      "80 m",
      "950 m",
      "1.4 km",
      "12 km",
    ]);
    expect([0, 44, 359, 225].map(directionWords)).toEqual(["north", "north-east", "north", "south-west"]);
  });
});

describe("announcements", () => {
  const state = (change: Partial<TripState>): TripState => ({
    ...emptyState("t"),
    connection: describeConnection("stream", "connected", 0),
    problem: undefined,
    trip: create(TripSchema, { status: TripStatus.ENROUTE_TO_PICKUP, driverId: "d" }),
    freshness: view(Freshness.LIVE, FreshnessReason.UNSPECIFIED),
    ...change,
  });

  it("tell the phase once, and nothing while only the car moves", () => {
    const first = announcement(NOTHING_SAID, state({}));
    expect(first.text).toBe("Your driver is on the way.");
    expect(announcement(first.said, state({})).text).toBe("");
  });

  it("tell of polling and of the way back, not of a moment's break nor of another kind of stream", () => {
    let said = announcement(NOTHING_SAID, state({})).said;
    const next = (
      transport: TripState["connection"]["transport"],
      reason: TripState["connection"]["reason"],
    ) => {
      const told = announcement(said, state({ connection: describeConnection(transport, reason, 0) }));
      said = told.said;
      return told.text;
    };
    expect(next("offline", "reconnecting")).toBe("");
    expect(next("websocket", "fallback")).toBe("");
    expect(next("polling", "fallback")).toMatch(/^Asking every few seconds/);
    expect(next("stream", "connected")).toBe("Live updates.");
    expect(next("offline", "unreachable")).toMatch(/^No connection/);
  });

  it("tell when the position can't be relied on, with the reason", () => {
    const { said } = announcement(NOTHING_SAID, state({}));
    const stale = state({ freshness: view(Freshness.STALE, FreshnessReason.NO_SIGNAL) });
    const told = announcement(said, stale);
    expect(told.text).toMatch(/^The driver's phone has had no signal since/);
    expect(announcement(told.said, stale).text).toBe("");
  });
});
