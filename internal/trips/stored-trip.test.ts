import { expect, test } from "vitest";
import { storedTrip } from "./stored-trip.ts";
import { trip } from "./test-trips.ts";

test("a trip is read as it was stored", () => {
  const one = { ...trip(1), sharingRiderIds: ["r1"] };
  expect(storedTrip(JSON.stringify(one))).toEqual(one);
});

test("in a trip stored before riders could share their place nobody does", () => {
  const { sharingRiderIds: _, ...old } = trip(1);
  expect(storedTrip(JSON.stringify(old))).toEqual(trip(1));
});
