import { describe, expect, it, vi } from "vitest";
import type { LiveChange, RiderPlace } from "../core/live.ts";
import type { LiveBus, PartyMessage, PresentSession } from "./bus.ts";
import { ChangeMaker, positionAt } from "./kit.ts";

const A = "se1-0000000000000000000000000a";
const B = "se1-0000000000000000000000000b";

const PRESENT: PresentSession = {
  ...{ kind: "publishing", sessionId: "session-1", signInId: "in-1", deviceId: "phone", appVersion: "1.0" },
  ...{ transport: "grpc", openedAtMs: 1_700_000_000_000, lastHeardAtMs: 1_700_000_000_001 },
  ...{ expiresAtMs: 8.64e15, standing: "contested", sessionEpoch: 1_700_000_000_002 },
};
/** One of every kind. */
const MESSAGES: readonly PartyMessage[] = [
  { partyKey: "driver/d1", kind: "assignmentChanged", tripId: A, tripVersion: 2 },
  { partyKey: "driver/d1", kind: "sessionOpened", sessionId: "session-1", sessionEpoch: 1_700_000_000_000 },
  {
    ...{ partyKey: "driver/d1", kind: "markerTold", sessionId: "session-1", sessionEpoch: 1_700_000_000_001 },
    takeOversMs: [1_700_000_000_000, 1_700_000_000_000.5],
  },
  { partyKey: "driver/d1", kind: "rollCall", user: "ops/an o@example.org", askId: "ask-1" },
  {
    ...{ partyKey: "driver/d1", kind: "present", nodeId: "n1" },
    sessions: [PRESENT, { ...PRESENT, kind: "watching", sessionId: "", standing: "", sessionEpoch: 0 }],
  },
];

/**
 * What every engine of the live bus must do.
 * @param open a fresh bus; `settled` resolves once everything published before has reached those who listened
 */
export function liveBusContract(
  engine: string,
  open: () => Promise<{ bus: LiveBus; settled: () => Promise<void>; listenerErrors: () => number }>,
): void {
  describe(`live bus on ${engine}`, () => {
    it("brings the changes of a trip in order to each who subscribed, and to nobody else", async () => {
      const { bus, settled } = await open();
      await using _bus = bus;
      const heard: Record<string, LiveChange[]> = { first: [], second: [], other: [] };
      await bus.subscribe(A, (change) => heard.first!.push(change));
      await bus.subscribe(A, (change) => heard.second!.push(change));
      await bus.subscribe(B, (change) => heard.other!.push(change));
      const maker = new ChangeMaker(A);
      const sent = [maker.begin(), ...Array.from({ length: 200 }, (_, i) => maker.move(i))];
      for (const change of sent) bus.publish(change);
      await settled();
      expect(heard.first).toEqual(sent);
      expect(heard.second).toEqual(sent);
      expect(heard.other).toEqual([]);
    });

    it("holds nothing for those who come later, nor for those who left", async () => {
      const { bus, settled } = await open();
      await using _bus = bus;
      const maker = new ChangeMaker(A);
      bus.publish(maker.begin());
      await settled();
      const heard: LiveChange[] = [];
      const subscription = await bus.subscribe(A, (change) => heard.push(change));
      const meant = maker.move(1);
      bus.publish(meant);
      await settled();
      subscription[Symbol.dispose]();
      subscription[Symbol.dispose]();
      bus.publish(maker.move(2));
      await settled();
      expect(heard).toEqual([meant]);
    });

    it("keeps two subscriptions of one listener apart", async () => {
      const { bus, settled } = await open();
      await using _bus = bus;
      const listener = vi.fn();
      const first = await bus.subscribe(A, listener);
      await bus.subscribe(A, listener);
      first[Symbol.dispose]();
      bus.publish(new ChangeMaker(A).begin());
      await settled();
      expect(listener).toHaveBeenCalledTimes(1);
    });

    it("does not let a listener that throws disturb the publisher or the others", async () => {
      const { bus, settled, listenerErrors } = await open();
      await using _bus = bus;
      const other = vi.fn();
      await bus.subscribe(A, () => {
        throw new Error("listener at fault");
      });
      await bus.subscribe(A, other);
      expect(() => bus.publish(new ChangeMaker(A).begin())).not.toThrow();
      await settled();
      expect(other).toHaveBeenCalledTimes(1);
      expect(listenerErrors()).toBe(1);
    });

    it("keeps the order for everybody when a listener publishes", async () => {
      const { bus, settled } = await open();
      await using _bus = bus;
      const maker = new ChangeMaker(A);
      const [first, second] = [maker.begin(), maker.move(1)];
      await bus.subscribe(A, (change) => {
        if (change.version.sequence === first.version.sequence) bus.publish(second);
      });
      const heard: number[] = [];
      await bus.subscribe(A, (change) => heard.push(change.version.sequence));
      bus.publish(first);
      await settled();
      await settled();
      expect(heard).toEqual([first.version.sequence, second.version.sequence]);
    });

    it("brings waiting riders' places to those who subscribed to them, and not to those who watch the trip", async () => {
      const { bus, settled } = await open();
      await using _bus = bus;
      const watching = vi.fn();
      const heard: RiderPlace[] = [];
      const other = vi.fn();
      await bus.subscribe(A, watching);
      const subscription = await bus.subscribeRiders(A, (place) => heard.push(place));
      await bus.subscribeRiders(B, other);
      const about = { tripId: A, riderId: "r1" };
      const meant: RiderPlace[] = [
        { ...about, sequence: 2 ** 40, index: 0, position: { ...positionAt(5), speedMps: Number.NaN } },
        { ...about, sequence: 2 ** 40, index: 1, position: undefined },
      ];
      for (const place of meant) bus.publishRider(place);
      await settled();
      subscription[Symbol.dispose]();
      bus.publishRider({ ...about, sequence: 2 ** 40 + 1, index: 0, position: positionAt(6) });
      await settled();
      expect(heard).toEqual(meant);
      expect(watching).not.toHaveBeenCalled();
      expect(other).not.toHaveBeenCalled();
    });

    it("brings messages to the streams of their party", async () => {
      const { bus, settled } = await open();
      await using _bus = bus;
      const heard: PartyMessage[] = [];
      const subscription = await bus.listen("driver/d1", (message) => heard.push(message));
      for (const meant of MESSAGES) bus.notify(meant);
      bus.notify({ ...MESSAGES[0]!, partyKey: "driver/d2" });
      await settled();
      subscription[Symbol.dispose]();
      bus.notify(MESSAGES[0]!);
      await settled();
      expect(heard).toEqual(MESSAGES);
    });

    it("brings every kind of message as it was sent", async () => {
      const { bus, settled } = await open();
      await using _bus = bus;
      const heard: PartyMessage[] = [];
      await bus.listen("rider/r1", (message) => heard.push(message));
      const sent: PartyMessage[] = [
        { partyKey: "rider/r1", kind: "assignmentChanged", tripId: A, tripVersion: 7 },
        {
          partyKey: "rider/r1",
          kind: "sessionOpened",
          sessionId: "session-1",
          sessionEpoch: 1_700_000_000_001,
        },
        { partyKey: "rider/r1", kind: "watched", tripId: A, forMs: 20_000, saidAtMs: 1_700_000_000_001 },
        { partyKey: "rider/r1", kind: "watched", tripId: A, forMs: 20_000, saidAtMs: 1_700_000_008_001 },
      ];
      for (const message of sent) bus.notify(message);
      await settled();
      expect(heard).toEqual(sent);
    });

    it("says nothing any more once disposed", async () => {
      const { bus, settled } = await open();
      const listener = vi.fn();
      await bus.subscribe(A, listener);
      await bus[Symbol.asyncDispose]();
      expect(() => bus.publish(new ChangeMaker(A).begin())).not.toThrow();
      await settled();
      expect(listener).not.toHaveBeenCalled();
    });
  });
}
