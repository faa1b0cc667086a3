import { describe, expect, test } from "vitest";
import { LiveLedger, type SeenPosition, type Sighting } from "./live-ledger.ts";

const position = (capturedAtMs: number, latitudeE7 = 577_000_000): SeenPosition => ({
  latitudeE7,
  longitudeE7: 119_700_000,
  headingDeg: 90,
  speedCmps: 1_000,
  accuracyDm: 40,
  capturedAtMs,
});

const seen = (
  sequence: number,
  at: SeenPosition | undefined = position(sequence),
  generation = 1,
): Sighting => ({
  tripId: "local-trip",
  version: { generation, sequence, index: 0 },
  position: at,
});

describe("the ledger of live state", () => {
  test("is content with readers that see the same versions, some of them fewer than others", () => {
    const ledger = new LiveLedger();
    const [one, other] = [ledger.reader("one"), ledger.reader("other")];
    for (const sequence of [1, 2, 3, 9]) one.shows(seen(sequence));
    for (const sequence of [2, 9, 9]) other.shows(seen(sequence));
    expect(ledger).toMatchObject({ wentBack: 0, owners2: 0, compared: 7, seenAgain: 3 });
  });

  test("catches a planted regression of the version", () => {
    const ledger = new LiveLedger();
    const reader = ledger.reader("viewer");
    reader.shows(seen(5));
    expect(reader.shows(seen(4))).toBe(false);
    expect(ledger.wentBack).toBe(1);
    expect(ledger.findings[0]).toContain("version 1.4.0 after 1.5.0");
  });

  test("catches a planted regression of the position under a newer version", () => {
    const ledger = new LiveLedger();
    const reader = ledger.reader("viewer");
    reader.shows(seen(5, position(5_000)));
    reader.shows(seen(6, undefined));
    reader.shows(seen(7, position(4_000)));
    expect(ledger.wentBack).toBe(1);
  });

  test("catches a planted second owner, whichever readers see the two contents", () => {
    const ledger = new LiveLedger();
    ledger.reader("one").shows(seen(5));
    ledger.reader("other").shows(seen(5, position(5, 577_000_001)));
    expect(ledger.owners2).toBe(1);
    expect(ledger.wentBack).toBe(0);
  });

  test("catches a second owner also in what a reader of the bus drops", () => {
    const ledger = new LiveLedger();
    const bus = ledger.reader("bus");
    bus.takes(seen(5));
    bus.takes(seen(6));
    expect(bus.takes(seen(5))).toBe(false);
    expect(ledger).toMatchObject({ wentBack: 0, owners2: 0 });
    expect(bus.takes(seen(5, position(5, 1)))).toBe(false);
    expect(ledger).toMatchObject({ wentBack: 0, owners2: 1 });
  });

  test("lets another driver's first position be older: a generation begins anew", () => {
    const ledger = new LiveLedger();
    const reader = ledger.reader("viewer");
    reader.shows(seen(50, position(9_000)));
    reader.shows(seen(3, position(8_000), 2));
    expect(ledger.wentBack).toBe(0);
  });

  test("a state that is made of the trip's record alone has gone back where there was a newer one", () => {
    const ledger = new LiveLedger();
    const reader = ledger.reader("store");
    reader.shows(seen(5));
    for (const generation of [0, 1])
      expect(reader.shows({ ...seen(0, position(1), generation), position: undefined })).toBe(false);
    expect(ledger.wentBack).toBe(2);
    expect(reader.version("local-trip").sequence).toBe(5);
  });

  test("keeps findings without coordinates, and not more than a few", () => {
    const ledger = new LiveLedger();
    const reader = ledger.reader("viewer");
    for (let sequence = 100; sequence > 0; sequence--) reader.shows(seen(sequence));
    expect(ledger.wentBack).toBe(99);
    expect(ledger.findings.length).toBeLessThan(30);
    expect(ledger.findings.join()).not.toContain("5770");
  });
});
