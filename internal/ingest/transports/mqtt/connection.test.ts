import { create, toJsonString } from "@bufbuild/protobuf";
import { expect, test, vi } from "vitest";
import { type PublishRequest, PublishRequestSchema } from "../../../../gen/bimride/tracking/v1/ingest_pb.ts";
import type { ErrorCode } from "../../../core/errors.ts";
import { cases, fixesMessage, goodFix, helloMessage, nth } from "../conformance-rig.ts";
import { startTestGateway, type TestGateway } from "../kit.ts";
import { connectPacket, MqttDriver, rawMqtt } from "./kit.ts";

const PATIENCE = { timeout: 20_000 };

const problems = (gateway: TestGateway, code: ErrorCode) =>
  gateway.metric("bimride_ingest_problems_total", { code, transport: "mqtt" });

const deviceState = (batteryPercent: number): PublishRequest =>
  create(PublishRequestSchema, { message: { case: "deviceState", value: { batteryPercent } } });

/** Kinds of the driver's records, with what tells them apart. */
async function recordsOf(gateway: TestGateway, driver: string): Promise<string[]> {
  return (await gateway.records()).flatMap((record) => {
    if (!("party" in record) || record.party.id !== driver) return [];
    if (record.kind === "sessionOpened") return [record.closed ? "closed" : "opened"];
    return record.kind === "deviceState" ? [`battery ${record.state.batteryPercent}`] : [record.kind];
  });
}

test("a CONNECT that is not let in gets the return code that says why, and is counted", async () => {
  await using gateway = await startTestGateway();
  const driver = await gateway.token("driver", "driver-1");
  const expired = await gateway.token("driver", "driver-1", 1_000);
  gateway.clock.shiftMs = 5_000;
  const refused: [object, number, ErrorCode][] = [
    [{ clientId: "short", password: driver }, 2, "SESSION_ID_INVALID"],
    [{ clientId: "with space in it", password: driver }, 2, "SESSION_ID_INVALID"],
    [{ password: "nonsense" }, 4, "TOKEN_INVALID"],
    [{ password: expired }, 4, "TOKEN_EXPIRED"],
    [{ password: await gateway.token("support", "somebody") }, 5, "ROLE_FORBIDDEN"],
    [{ password: driver, will: { topic: "v1/driver/driver-2/fixes", payload: "{}" } }, 5, "TOPIC_FORBIDDEN"],
    [{ password: driver, will: { topic: "v1/driver/driver-1/fixes", payload: "{" } }, 5, "MESSAGE_INVALID"],
  ];
  for (const [options, returnCode, code] of refused) {
    const before = await problems(gateway, code);
    await expect(MqttDriver.connect(gateway, "driver-1", options)).rejects.toMatchObject({
      code: returnCode,
    });
    expect(await problems(gateway, code)).toBe(before + 1);
  }
  expect(gateway.ingest.openStreams).toBe(0);
});

test.each([3, 5])("a client of protocol level %d is told that it is not spoken here", async (level) => {
  await using gateway = await startTestGateway();
  using raw = await rawMqtt(gateway);
  raw.socket.write(connectPacket({ level, password: await gateway.token("driver", "driver-1") }));
  await vi.waitFor(() => expect(raw.isClosed).toBe(true), PATIENCE);
  expect(Buffer.concat(raw.received)).toEqual(Buffer.from([0x20, 2, 0, 1]));
});

test("sessions are always clean: no session is ever present, and nothing is kept for who comes back", async () => {
  await using gateway = await startTestGateway();
  for (let time = 0; time < 2; time++) {
    using raw = await rawMqtt(gateway);
    const packet = connectPacket({ password: await gateway.token("driver", "driver-1") });
    // The flags, without "clean session".
    packet[packet.indexOf("MQTT") + 5] = 0b1100_0000;
    raw.socket.write(packet);
    await vi.waitFor(
      () => expect(Buffer.concat(raw.received)).toEqual(Buffer.from([0x20, 2, 0, 0])),
      PATIENCE,
    );
  }
});

test("the client id names the session: who says no Hello is in it, who says one with another id is refused", async () => {
  await using gateway = await startTestGateway();
  await using driver = await MqttDriver.connect(gateway, "driver-1", { clientId: "my-session-1" });
  await driver.listen();
  expect((await nth(driver.asClient, "welcome")).resumeAfterSeq).toBeUndefined();
  await driver.publish(helloMessage("another-session"));
  expect(await nth(driver.asClient, "problem")).toMatchObject({ code: "SESSION_ID_INVALID" });
  await driver.publish(fixesMessage([goodFix(3)]));
  const batch = (await gateway.records()).find(({ kind }) => kind === "fixBatch");
  expect(batch).toMatchObject({ sessionId: "my-session-1", fixes: [{ seq: 3 }] });
});

test("who subscribes late gets the Welcome all the same", async () => {
  await using gateway = await startTestGateway();
  await using driver = await MqttDriver.connect(gateway, "driver-1");
  await driver.publish(helloMessage("session-1"));
  await driver.publish(fixesMessage([goodFix(8)]));
  await driver.listen();
  expect(await nth(driver.asClient, "welcome")).toMatchObject({ resumeAfterSeq: 8 });
});

test("of two connections of a party with one client id the newer stays; another party's are left alone", async () => {
  await using gateway = await startTestGateway();
  await using older = await MqttDriver.connect(gateway, "driver-1");
  await older.publish(fixesMessage([goodFix(0)]));
  await using other = await MqttDriver.connect(gateway, "driver-2");
  await other.publish(fixesMessage([goodFix(0)]));
  await using newer = await MqttDriver.connect(gateway, "driver-1");
  await vi.waitFor(() => expect(older.ended).toBe(""), PATIENCE);
  await newer.publish(fixesMessage([goodFix(1)]));
  await other.publish(fixesMessage([goodFix(1)]));
  expect([newer.ended, other.ended]).toEqual([undefined, undefined]);
  expect(await recordsOf(gateway, "driver-1")).not.toContain("closed");
});

test("the last will is taken when a connection breaks, and not after a DISCONNECT", async () => {
  await using gateway = await startTestGateway();
  const payload = toJsonString(PublishRequestSchema, deviceState(7));
  for (const [name, leaves] of [
    ["driver-lost", false],
    ["driver-left", true],
  ] as const) {
    const will = { topic: `v1/driver/${name}/fixes`, payload: Buffer.from(payload), qos: 1 as const };
    const driver = await MqttDriver.connect(gateway, name, { will });
    await driver.publish(deviceState(50));
    if (leaves) await driver.mqtt.endAsync();
    else driver.mqtt.stream.destroy();
    await vi.waitFor(async () => expect((await recordsOf(gateway, name)).at(-1)).toBe("closed"), PATIENCE);
  }
  expect(await recordsOf(gateway, "driver-lost")).toEqual(["opened", "battery 50", "battery 7", "closed"]);
  expect(await recordsOf(gateway, "driver-left")).toEqual(["opened", "battery 50", "closed"]);
});

test("who is silent for one and a half keepalives is gone, its will taken; who pings stays, however long it says nothing", async () => {
  await using gateway = await startTestGateway({ limits: { ingestIdleTimeoutMs: 2_500 } });
  await using pinging = await MqttDriver.connect(gateway, "driver-1", { keepalive: 1 });
  using silent = await rawMqtt(gateway);
  const password = await gateway.token("driver", "driver-2");
  silent.socket.write(connectPacket({ keepaliveS: 1, password }));
  using careless = await rawMqtt(gateway);
  careless.socket.write(
    connectPacket({ keepaliveS: 0, password: await gateway.token("driver", "driver-3") }),
  );
  await vi.waitFor(() => expect(silent.isClosed).toBe(true), PATIENCE);
  expect(careless.isClosed, "no keepalive asked for: as long as any stream may be silent").toBe(false);
  await vi.waitFor(() => expect(careless.isClosed).toBe(true), PATIENCE);
  expect(await problems(gateway, "IDLE_TIMEOUT")).toBe(2);
  expect(pinging.ended).toBeUndefined();
  await pinging.publish(fixesMessage([goodFix(0)]));
});

test("a publish to any other topic ends the connection; other filters are refused, the own one beside them granted", async () => {
  await using gateway = await startTestGateway();
  await using driver = await MqttDriver.connect(gateway, "driver-1");
  const own = driver.topics.down;
  const others = ["#", "v1/driver/+/down", "v1/driver/driver-2/down", driver.topics.fixes, "$SYS/#"];
  for (const topic of others) await expect(driver.mqtt.subscribeAsync(topic)).rejects.toThrow();
  expect(await driver.mqtt.subscribeAsync({ [own]: { qos: 0 } })).toMatchObject([{ qos: 0 }]);
  expect(await problems(gateway, "TOPIC_FORBIDDEN")).toBe(others.length);
  await nth(driver.asClient, "welcome");
  driver.mqtt.publish("v1/driver/driver-2/fixes", "{}", { qos: 1 });
  expect(await nth(driver.asClient, "problem")).toMatchObject({ code: "TOPIC_FORBIDDEN" });
  await vi.waitFor(() => expect(driver.ended).toBe(""), PATIENCE);
  expect(driver.acked).toEqual([]);
});

test("nothing is retained and nothing goes to another client: the subscriber gets what is meant for it alone", async () => {
  await using gateway = await startTestGateway();
  await using sender = await MqttDriver.connect(gateway, "driver-1");
  await sender.publish(fixesMessage([goodFix(0)]), { retain: true });
  await sender.listen();
  await nth(sender.asClient, "welcome");
  await sender.publish(fixesMessage([goodFix(1)]), { retain: true });
  await nth(sender.asClient, "ack");
  expect(sender.answers.map((answer) => answer.case)).toEqual(["welcome", "ack"]);
  await sender.mqtt.unsubscribeAsync(sender.topics.down);
  await sender.publish(fixesMessage([goodFix(2)]));
  expect(cases(sender.asClient, "ack")).toHaveLength(1);
});

test("answers come as the client's last message did: in JSON before the first, then in protobuf when it spoke that", async () => {
  await using gateway = await startTestGateway();
  await using driver = await MqttDriver.connect(gateway, "driver-1");
  const firstBytes: (number | undefined)[] = [];
  driver.mqtt.on("message", (_topic, payload) => firstBytes.push(payload[0]));
  await driver.listen();
  await nth(driver.asClient, "welcome");
  // Field 2, empty: a batch without fixes.
  await driver.mqtt.publishAsync(driver.topics.fixes, Buffer.from([0x12, 0]), { qos: 1 });
  await nth(driver.asClient, "problem");
  expect(firstBytes.map((byte) => byte === "{".charCodeAt(0))).toEqual([true, false]);
});
