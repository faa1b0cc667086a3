import { once } from "node:events";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { expect, test, vi } from "vitest";
import { fixesMessage, goodFix, nth, verdictsOf } from "../conformance-rig.ts";
import { startTestGateway, type TestGateway } from "../kit.ts";
import { MqttDriver } from "./kit.ts";

const PATIENCE = { timeout: 20_000 };
const RECONNECTING = { reconnectPeriod: 50 };

/** (session, seq) of every fix in the log, as often as it is there. */
async function copies(gateway: TestGateway): Promise<string[]> {
  return (await gateway.records()).flatMap((record) =>
    record.kind === "fixBatch" ? record.fixes.map(({ seq }) => `${record.sessionId} ${seq}`) : [],
  );
}

/** Passes bytes both ways until the connections on it are cut; new ones pass. */
async function startProxy(toPort: number) {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connectTcp(toPort, "127.0.0.1");
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => {});
    }
    near.pipe(far);
    far.pipe(near);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  return {
    port: (server.address() as { port: number }).port,
    cut,
    [Symbol.dispose]() {
      cut();
      server.close();
    },
  };
}

test.each([1, 2] as const)(
  "a publish of QoS %d is acknowledged when the log has it, and not before",
  async (qos) => {
    await using gateway = await startTestGateway();
    await using driver = await MqttDriver.connect(gateway, "driver-1");
    const gate = Promise.withResolvers<void>();
    gateway.log.gate = gate.promise;
    const published = driver.publish(fixesMessage([goodFix(0)]), { qos });
    // What came after it is taken and answered all the same, pings included; its own acknowledgement waits its turn.
    const empty = driver.publish(fixesMessage([], 2));
    await driver.listen();
    driver.mqtt.sendPing();
    await driver.next("packetreceive");
    expect(driver.acked).toEqual([]);
    expect(await copies(gateway)).toEqual([]);
    gateway.log.gate = Promise.resolve();
    gate.resolve();
    await Promise.all([published, empty]);
    expect(driver.acked).toHaveLength(2);
    expect(driver.acked[0]).toBeLessThan(driver.acked[1] as number);
    expect(await copies(gateway)).toEqual(["session-1 0"]);
  },
);

test("cut off between PUBLISH and PUBACK, the client's resend loses nothing and doubles nothing", async () => {
  await using gateway = await startTestGateway();
  using proxy = await startProxy(gateway.mqttPort);
  const through = { ...gateway, mqttPort: proxy.port };
  await using driver = await MqttDriver.connect(through, "driver-1", RECONNECTING);
  const gate = Promise.withResolvers<void>();
  gateway.log.gate = gate.promise;
  const published = driver.publish(fixesMessage([goodFix(0), goodFix(1)]));
  await vi.waitFor(() => expect(gateway.ingest.pendingBytes).toBeGreaterThan(0), PATIENCE);
  const again = driver.next("reconnect");
  proxy.cut();
  await again;
  expect(driver.acked).toEqual([]);
  gate.resolve();
  await published;
  expect(await copies(gateway)).toEqual(["session-1 0", "session-1 1"]);
});

test("when the log took a batch and its answer was lost, the resend makes a copy that readers know as one", async () => {
  await using gateway = await startTestGateway();
  await using driver = await MqttDriver.connect(gateway, "driver-1", RECONNECTING);
  gateway.log.losesAnswers = true;
  const published = driver.publish(fixesMessage([goodFix(7)]));
  await driver.next("close");
  expect(driver.acked).toEqual([]);
  gateway.log.losesAnswers = false;
  await published;
  expect(new Set(await copies(gateway))).toEqual(new Set(["session-1 7"]));
});

test("what is BUFFERED in the spool is acknowledged once the log has it; until then pings are answered and fixes taken", async () => {
  await using gateway = await startTestGateway({ spool: true });
  await using driver = await MqttDriver.connect(gateway, "driver-1");
  await driver.listen();
  gateway.log.failure = "LOG_UNAVAILABLE";
  const published = [0, 1, 2].map((seq) => driver.publish(fixesMessage([goodFix(seq)], seq + 1)));
  expect(verdictsOf(await nth(driver.asClient, "ack", 3))).toEqual({ 2: "BUFFERED" });
  const pinged = Promise.withResolvers<void>();
  driver.mqtt.on("packetreceive", ({ cmd }) => cmd === "pingresp" && pinged.resolve());
  driver.mqtt.sendPing();
  await pinged.promise;
  expect(driver.acked).toEqual([]);
  gateway.log.failure = undefined;
  await Promise.all(published);
  expect(await copies(gateway)).toEqual(["session-1 0", "session-1 1", "session-1 2"]);
});

test("fixes over the rate are held back and taken later, then the publish is acknowledged", async () => {
  await using gateway = await startTestGateway({
    limits: { maxFixBurstPerSession: 5, maxFixesPerSecondPerSession: 50 },
  });
  await using driver = await MqttDriver.connect(gateway, "driver-1");
  await driver.listen();
  await driver.publish(fixesMessage(Array.from({ length: 9 }, (_, seq) => goodFix(seq))));
  expect(Object.values(verdictsOf(await nth(driver.asClient, "ack")))).toContain("RATE_LIMITED");
  expect((await copies(gateway)).toSorted()).toEqual(
    Array.from({ length: 9 }, (_, seq) => `session-1 ${seq}`),
  );
});

test("at maxUnackedPublishes nothing more is read until one is acknowledged", async () => {
  await using gateway = await startTestGateway({ limits: { maxUnackedPublishes: 3 } });
  await using driver = await MqttDriver.connect(gateway, "driver-1");
  const gate = Promise.withResolvers<void>();
  gateway.log.gate = gate.promise;
  const taken = async () => {
    const bytes = await gateway.metric("bimride_ingest_received_bytes_total", { transport: "mqtt" });
    return bytes / Buffer.byteLength(payload);
  };
  const payload = JSON.stringify({
    fixes: {
      fixes: [{ seq: 1, capturedAtMs: `${Date.now()}`, position: { latitudeDeg: 57, longitudeDeg: 12 } }],
    },
  });
  const published = Array.from({ length: 8 }, () =>
    driver.mqtt.publishAsync(driver.topics.fixes, payload, { qos: 1 }),
  );
  await vi.waitFor(async () => expect(await taken()).toBe(3), PATIENCE);
  // Another's connection is served meanwhile, which takes many turns more than what is left of this one would.
  await using other = await MqttDriver.connect(gateway, "driver-2");
  await nth((await other.listen()).asClient, "welcome");
  expect(await taken()).toBe(3);
  gateway.log.gate = Promise.resolve();
  gate.resolve();
  await Promise.all(published);
  expect(await taken()).toBe(8);
  expect(driver.acked).toEqual(driver.acked.toSorted((a, b) => a - b));
});

test("a message that is refused for good is acknowledged, with a Problem, or it would come for ever", async () => {
  await using gateway = await startTestGateway();
  await using driver = await MqttDriver.connect(gateway, "driver-1");
  await driver.listen();
  for (const raw of ["{", "no message", '{"fixes":{}}'])
    await driver.mqtt.publishAsync(driver.topics.fixes, raw, { qos: 1 });
  const codes = driver.answers.flatMap((answer) => (answer.case === "problem" ? [answer.value.code] : []));
  expect(codes).toEqual(["MESSAGE_INVALID", "MESSAGE_INVALID", "BATCH_EMPTY"]);
  expect(driver.ended).toBeUndefined();
});
