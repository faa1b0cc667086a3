import { sleep, systemClock } from "../core/time.ts";
import type { History, RecordedFix } from "../history/history.ts";
import type { LatestFlush } from "../latest/latest.ts";
import { MemoryLatest } from "../latest/memory/memory-latest.ts";
import { T0 } from "../pipeline/test-drives.ts";
import { DRIVERS } from "./crew-traffic.ts";

/** Latest state that watches over what it is told. */
export class WatchedLatest extends MemoryLatest {
  readonly faults: string[] = [];

  override async update(flush: LatestFlush): Promise<{ refused: number }> {
    const before = await this.#seqs(flush);
    const result = await super.update(flush);
    for (const [i, seq] of (await this.#seqs(flush)).entries())
      if (seq < before[i]!) this.faults.push(`${flush.parties[i]!.partyKey}: ${before[i]} to ${seq}`);
    return result;
  }

  #seqs({ parties }: LatestFlush): Promise<number[]> {
    return Promise.all(parties.map(async (party) => (await this.party(party.partyKey))?.seq ?? -1));
  }
}

/** What history has of the driver, whenever it was. */
export function trackOf(history: History, id: string): Promise<RecordedFix[]> {
  const range = { fromMs: 0, toMs: T0 * 2, limit: 10_000 };
  return history.track({ party: { kind: "driver", id }, ...range });
}

/** Looks all the time whether the record of a car ever becomes shorter. */
export function watchHistory(history: History) {
  const faults: string[] = [];
  const most = DRIVERS.map(() => 0);
  let stopped = false;
  const looking = (async () => {
    while (!stopped) {
      for (const [i, id] of DRIVERS.entries()) {
        const { length } = await trackOf(history, id);
        if (length < most[i]!) faults.push(`history of ${id}: ${most[i]} fixes, then ${length}`);
        most[i] = length;
      }
      await sleep(systemClock, 5);
    }
  })();
  return {
    async stop(): Promise<string[]> {
      stopped = true;
      await looking;
      return faults;
    },
  };
}
