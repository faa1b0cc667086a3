import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { ID_PATTERN } from "../core/ids.ts";
import { CallLimit } from "./call-limit.ts";
import { Guests } from "./guests.ts";

const CODE = "the-code";
const HALF_HOUR_MS = 30 * 60_000;

function guestsAt(time = { nowMs: 0 }) {
  const clock = { monotonic: () => time.nowMs };
  return { time, guests: new Guests({ joinCode: CODE, clock, randomBytes: (count) => randomBytes(count) }) };
}

describe("guests", () => {
  test("join with the code alone, each as somebody else", () => {
    const { guests } = guestsAt();
    const ids = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const { guest, left } = guests.join(CODE);
      expect(left).toEqual([]);
      expect(guest.driverId).toMatch(/^phone-[b-z2-9]{4}$/);
      expect(guest.riderId).toMatch(ID_PATTERN);
      ids.add(guest.driverId).add(guest.riderId);
    }
    expect(ids.size).toBe(40);
    for (const wrong of ["", "the-cod", "the-code-", "THE-CODE", undefined, 7, [CODE], { code: CODE }])
      expect(() => guests.join(wrong)).toThrow(expect.objectContaining({ code: "TOKEN_INVALID" }));
  });

  test("are at most twenty; who was silent for half an hour makes room and is known no more", () => {
    const { guests, time } = guestsAt();
    const all = Array.from({ length: 20 }, () => guests.join(CODE).guest);
    const secrets = all.map((guest) => guests.secretOf(guest, "driver"));
    expect(() => guests.join(CODE)).toThrow(expect.objectContaining({ code: "OVERLOADED" }));
    time.nowMs = HALF_HOUR_MS;
    for (const secret of secrets.slice(2)) guests.bySecret(secret);
    time.nowMs = HALF_HOUR_MS + 1;
    const { left } = guests.join(CODE);
    expect(left).toEqual(all.slice(0, 2));
    expect(guests.byDriver(all[0]!.driverId)).toBeUndefined();
    expect(() => guests.bySecret(secrets[0])).toThrow(expect.objectContaining({ code: "TOKEN_INVALID" }));
    expect(guests.byDriver(all[2]!.driverId)).toEqual(all[2]);
  });

  test("get tokens by their own secrets, each for its role, of this start", () => {
    const { guests } = guestsAt();
    const { guest } = guests.join(CODE);
    const [driver, rider] = [guests.secretOf(guest, "driver"), guests.secretOf(guest, "rider")];
    expect(guests.bySecret(driver)).toEqual({ guest, role: "driver" });
    expect(guests.bySecret(rider)).toEqual({ guest, role: "rider" });
    const other = guestsAt().guests;
    const strange = other.secretOf(guest, "driver");
    const [, id, seal] = rider.split(".");
    const wrong = [
      strange,
      `driver.${id}.${seal}`,
      `ops.${id}.${seal}`,
      `${driver}.x`,
      driver.slice(0, -1),
      "",
      undefined,
    ];
    for (const secret of wrong)
      expect(() => guests.bySecret(secret)).toThrow(expect.objectContaining({ code: "TOKEN_INVALID" }));
  });
});

test("an address has so many calls a minute, whatever others do, and only so many addresses are counted", () => {
  const time = { nowMs: 0 };
  const limit = new CallLimit(2, { monotonic: () => time.nowMs });
  const refused = expect.objectContaining({ code: "RATE_LIMITED" });
  for (let i = 0; i < 2; i++) limit.count("a");
  expect(() => limit.count("a")).toThrow(refused);
  for (let i = 1; i < 1_000; i++) limit.count(`b${i}`);
  expect(() => limit.count("c")).toThrow(refused);
  limit.count("b1");
  time.nowMs = 60_000;
  for (const address of ["a", "c"]) limit.count(address);
});
