import { expect, test } from "vitest";
import { sharedEngines } from "../../test/kit/engines/shared.ts";
import { startToxiproxy } from "../../test/kit/engines/toxiproxy.ts";
import { sleep, systemClock } from "../core/time.ts";
import { openCrew } from "./crew.ts";
import { until } from "./test-world.ts";

const pause = (ms: number) => sleep(systemClock, ms);

test("processors join, leave, are cut off and come back under traffic: nothing is lost, doubled, skipped or taken back", {
  timeout: 120_000,
}, async () => {
  await using proxy = await startToxiproxy();
  const way = await proxy.link(sharedEngines().nats);
  await using crew = await openCrew();
  const a = await crew.join("a");
  await until(() => a.valid().length === 4);
  await pause(1_500);

  const b = await crew.join("b", way.address);
  await until(() => a.valid().length === 2 && b.valid().length === 2);
  await pause(1_500);

  // b stands still, as far as the others can tell, and comes back with what it had in memory.
  await way.harm("timeout", { timeout: 0 });
  await until(() => a.valid().length === 4);
  await pause(2_000);
  await way.heal();
  await until(() => a.valid().length === 2 && b.valid().length === 2);
  await pause(1_000);

  await a.leave();
  await until(() => b.valid().length === 4);
  const c = await crew.join("c");
  await until(() => b.valid().length === 2 && c.valid().length === 2);
  await pause(1_000);

  // b is gone for good.
  await way.cut();
  await until(() => c.valid().length === 4);
  await pause(1_000);
  expect(await crew.finish([c])).toEqual([]);
  expect(crew.publishedCount).toBeGreaterThan(500);
  await b.leave();
});
