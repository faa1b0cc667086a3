/**
 * Who should own which partition: spread evenly (counts differ by at most one) with the fewest moves from what is. A
 * function of its arguments alone, so that all who see the same members and owners come to the same result.
 * @param members in any order; undefined for every partition when there are none
 * @param owners the owner of each partition now; undefined or not a member: nobody
 */
export function assignPartitions(
  members: Iterable<string>,
  owners: readonly (string | undefined)[],
): (string | undefined)[] {
  const counts = new Map([...new Set(members)].toSorted().map((member) => [member, 0]));
  if (counts.size === 0) return owners.map(() => undefined);
  for (const owner of owners) {
    if (owner !== undefined && counts.has(owner)) counts.set(owner, counts.get(owner)! + 1);
  }
  const quotas = quotasOf(counts, owners.length);
  const room = new Map(quotas);
  const kept = owners.map((owner) => {
    const left = owner === undefined ? 0 : (room.get(owner) ?? 0);
    if (left === 0) return undefined;
    room.set(owner!, left - 1);
    return owner;
  });
  return kept.map((owner) => {
    if (owner !== undefined) return owner;
    const roomiest = mostRoom(room);
    room.set(roomiest, room.get(roomiest)! - 1);
    return roomiest;
  });
}

/**
 * The partitions that don't divide evenly go to those who have more than the rest already, so that fewest move. How much
 * more does not count: while some are on their way, the result stays the same.
 */
function quotasOf(counts: ReadonlyMap<string, number>, partitions: number): Map<string, number> {
  const base = Math.floor(partitions / counts.size);
  const extra = partitions % counts.size;
  const inExcess = (member: string) => (counts.get(member)! > base ? 1 : 0);
  // Sorting is stable: among equals the members' own order decides.
  const order = [...counts.keys()].toSorted((a, b) => inExcess(b) - inExcess(a));
  return new Map(order.map((member, i) => [member, i < extra ? base + 1 : base]));
}

function mostRoom(room: ReadonlyMap<string, number>): string {
  let best = "";
  let most = -1;
  for (const [member, left] of room) {
    if (left > most || (left === most && member < best)) {
      best = member;
      most = left;
    }
  }
  return best;
}
