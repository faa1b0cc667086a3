import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { assignPartitions } from "./assign.ts";

const memberIds = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,3}$/), { minLength: 1, maxLength: 20 });
const partitionCount = fc.integer({ min: 1, max: 64 });
const nobody = (count: number): undefined[] => Array.from({ length: count }, () => undefined);

function countsOf(members: readonly string[], owners: readonly (string | undefined)[]): number[] {
  return members.map((member) => owners.filter((owner) => owner === member).length);
}

const movesBetween = (before: readonly unknown[], after: readonly unknown[]) =>
  before.flatMap((owner, partition) => (owner === after[partition] ? [] : [partition]));

describe("who should own which partition", () => {
  test("everybody has as many as anybody else, or one more", () => {
    fc.assert(
      fc.property(memberIds, partitionCount, fc.infiniteStream(fc.nat(30)), (members, count, picks) => {
        const owners = Array.from({ length: count }, () => members[picks.next().value!]);
        const counts = countsOf(members, assignPartitions(members, owners));
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        expect(counts.reduce((sum, each) => sum + each, 0)).toBe(count);
      }),
    );
  });

  test("the order in which members are named changes nothing, and a repeat changes nothing", () => {
    fc.assert(
      fc.property(memberIds, partitionCount, (members, count) => {
        const targets = assignPartitions(members, nobody(count));
        expect(assignPartitions(members.toReversed(), nobody(count))).toEqual(targets);
        expect(assignPartitions([...members, ...members], targets)).toEqual(targets);
      }),
    );
  });

  test("one that joins gets its share, and nothing else moves", () => {
    fc.assert(
      fc.property(memberIds, partitionCount, (members, count) => {
        const before = assignPartitions(members, nobody(count));
        const after = assignPartitions([...members, "newcomer"], before);
        const moved = movesBetween(before, after);
        expect(moved.every((partition) => after[partition] === "newcomer")).toBe(true);
        expect(moved.length).toBe(Math.floor(count / (members.length + 1)));
      }),
    );
  });

  test("of one that leaves everything moves, and nothing else", () => {
    fc.assert(
      fc.property(memberIds, partitionCount, (members, count) => {
        fc.pre(members.length > 1);
        const before = assignPartitions(members, nobody(count));
        const after = assignPartitions(members.slice(1), before);
        const moved = movesBetween(before, after);
        expect(moved.every((partition) => before[partition] === members[0])).toBe(true);
        expect(moved.length).toBe(countsOf([members[0]!], before)[0]);
      }),
    );
  });

  test("what is on its way to somebody changes nothing for the others", () => {
    fc.assert(
      fc.property(memberIds, partitionCount, fc.infiniteStream(fc.boolean()), (members, count, gone) => {
        const before = assignPartitions(members, nobody(count));
        const after = assignPartitions([...members, "newcomer"], before);
        const released = before.map((owner, i) =>
          owner !== after[i] && gone.next().value! ? undefined : owner,
        );
        expect(assignPartitions([...members, "newcomer"], released)).toEqual(after);
      }),
    );
  });

  test("nobody owns anything while there are no members", () => {
    expect(assignPartitions([], ["gone", undefined])).toEqual([undefined, undefined]);
  });
});
