import { expect, test, vi } from "vitest";
import { startTestGateway } from "./kit.ts";
import { RegionPhone } from "./region-rig.ts";

test("a driver who goes on sending while the spool drains is told of every fix that was buffered", async () => {
  await using gateway = await startTestGateway({ spool: true });
  const phone = new RegionPhone(gateway, "driver-1");
  await phone.hello();
  gateway.log.failure = "LOG_UNAVAILABLE";
  const verdicts: string[] = [];
  for (let seq = 0; seq < 5; seq++) verdicts.push(await phone.drive(0));
  gateway.log.failure = undefined;
  while (verdicts.at(-1) !== "ACCEPTED") verdicts.push(await phone.drive(0));
  const buffered = verdicts.flatMap((code, seq) => (code === "BUFFERED" ? [seq] : []));
  const told = () =>
    phone
      .all("ack")
      .filter(({ batchId }) => batchId === 0)
      .flatMap((ack) => ack.verdicts.map(({ seq }) => seq));
  await vi.waitFor(() => expect(told().sort((a, b) => a - b)).toEqual(buffered), 10_000);
});
