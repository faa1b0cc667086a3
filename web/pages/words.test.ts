import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { Freshness, FreshnessReason, VehiclePositionSchema } from "../../gen/bimride/tracking/v1/live_pb.ts";
import { TripSchema, TripStatus } from "../../gen/bimride/tracking/v1/trip_pb.ts";
import { describeConnection } from "../client/connection.ts";
import { emptyState } from "../client/trip-state.ts";
import type { TripState } from "../client/watcher.ts";
import { announcement, NOTHING_SAID } from "./rider/announcements.ts";
import {
  clockTime,
  directionWords,
  distanceWords,
  freshnessLabel,
  freshnessSentence,
  phaseHeadline,
} from "./words.ts";

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

  it("have a sentence for every reason, with the time of the last position where there is one", () => {
    const timeless = new Set<FreshnessReason>([
      FreshnessReason.NO_DRIVER,
      FreshnessReason.NO_POSITION_YET,
      FreshnessReason.MOCK_LOCATION,
      FreshnessReason.APPROXIMATE_LOCATION,
    ]);
    for (const reason of Object.values(FreshnessReason)) {
      const sentence = freshnessSentence(view(Freshness.STALE, reason), false);
      expect(sentence).toMatch(/^[A-Z].*\.$/);
      expect(sentence?.includes(clockTime(SINCE_MS))).toBe(!timeless.has(reason));
    }
  });

  it("have a sentence for every reason before the first position too, without a time", () => {
    for (const reason of Object.values(FreshnessReason)) {
      const never = { ...view(Freshness.UNSPECIFIED, reason), sinceMs: 0 };
      const sentence = freshnessSentence(never, false);
      if (reason === FreshnessReason.UNSPECIFIED) expect(sentence).toBeUndefined();
      else expect(sentence).toMatch(/^[A-Z][^0-9]*\.$/);
    }
  });

  it("say of a fresh position when it is not to be trusted", () => {
    const mock = view(Freshness.LIVE, FreshnessReason.MOCK_LOCATION);
    expect(freshnessSentence(mock, false)).toBe("The driver's phone reports made-up positions.");
    expect(freshnessLabel(mock)).toBe("Not certain");
    expect(freshnessLabel(view(Freshness.LIVE, FreshnessReason.UNSPECIFIED))).toBe("Live");
    expect(freshnessSentence(view(Freshness.LIVE, FreshnessReason.APPROXIMATE_LOCATION), false)).toBe(
      "The driver's phone tells only roughly where it is.",
    );
  });

  it("have a headline for every phase", () => {
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

const POSITION = create(VehiclePositionSchema, {
  latitudeE7: 1,
  longitudeE7: 1,
  capturedAtMs: BigInt(SINCE_MS),
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

  it("tell once of positions that are made up, and not of each that is a little late", () => {
    const mock = state({ freshness: view(Freshness.LIVE, FreshnessReason.MOCK_LOCATION) });
    const late = state({ freshness: view(Freshness.DELAYED, FreshnessReason.NO_SIGNAL) });
    let { said } = announcement(NOTHING_SAID, state({}));
    const texts = [late, mock, late, mock, state({ position: POSITION })].map((each) => {
      const told = announcement(said, each);
      said = told.said;
      return told.text;
    });
    const made = "The driver's phone reports made-up positions.";
    expect(texts).toEqual(["", made, "", "", "The position is up to date again."]);
  });
});
