import { JetStreamApiError } from "@nats-io/jetstream";
import { TimeoutError } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { VirtualClock } from "../core/virtual-clock.ts";
import { whileItBegins } from "./while-it-begins.ts";

const refused = (code: number) => new JetStreamApiError({ code: 500, err_code: code, description: "no" });

/** Fails so in turn, then gives the number of the try. */
function opening(...failures: Error[]) {
  let tries = 0;
  return async () => {
    const failure = failures[tries++];
    if (failure) throw failure;
    return tries;
  };
}

async function onVirtualTime<T>(outcome: Promise<T>, clock: VirtualClock): Promise<T> {
  let ended = false;
  const end = outcome.finally(() => {
    ended = true;
  });
  end.catch(() => {});
  for (let at = 0; !ended; at += 100) {
    clock.advanceTo(at);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return end;
}

test("waits for servers that do not answer yet, and for nothing else", async () => {
  const clock = new VirtualClock(0);
  const open = opening(new TimeoutError(), refused(10_008));
  expect(await onVirtualTime(whileItBegins(clock, open), clock)).toBe(3);
  await expect(whileItBegins(clock, opening(refused(10_074)))).rejects.toMatchObject({ code: 10_074 });
});

test("gives up after a while", async () => {
  const clock = new VirtualClock(0);
  const never = async () => {
    throw new TimeoutError();
  };
  await expect(onVirtualTime(whileItBegins(clock, never), clock)).rejects.toThrow("timeout");
  expect(clock.monotonic()).toBeLessThan(15_000);
});
