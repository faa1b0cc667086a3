import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { connectAsync } from "mqtt";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { selfSigned } from "../../../../test/kit/self-signed.ts";
import { tempFolder } from "../../../../test/kit/temp-folder.ts";
import { startTestGateway, type TestGateway } from "../kit.ts";
import { answerOf } from "./kit.ts";

const run = promisify(execFile);
const PATIENCE = { timeout: 20_000 };

/** Connects, subscribes, sends a fix with QoS 1 and prints a line for what happens; a client of three callbacks. */
const PAHO = `
import sys
import paho.mqtt.client as paho
port, driver, token, payload = sys.argv[1:]
def on_connect(client, userdata, flags, reason, *rest):
    print("connected", reason, flush=True)
    client.subscribe("v1/driver/" + driver + "/down", qos=1)
def on_subscribe(client, userdata, mid, *rest):
    client.publish("v1/driver/" + driver + "/fixes", payload, qos=1)
seen = set()
def done(what, client):
    seen.add(what)
    print(what, flush=True)
    if seen >= {"puback", "ack"}: client.disconnect()
def on_publish(client, userdata, mid, *rest): done("puback", client)
def on_message(client, userdata, message):
    if b'"ack"' in message.payload: done("ack", client)
# Version 1 of the library knows no versions of its callbacks.
version = [paho.CallbackAPIVersion.VERSION2] if hasattr(paho, "CallbackAPIVersion") else []
client = paho.Client(*version, client_id="paho-session", protocol=paho.MQTTv311)
client.on_connect, client.on_subscribe = on_connect, on_subscribe
client.on_publish, client.on_message = on_publish, on_message
client.username_pw_set("any", token)
client.connect("127.0.0.1", int(port))
client.loop_forever(retry_first_connection=False)
`;

async function works(command: string, ...args: string[]): Promise<boolean> {
  return run(command, args).then(
    () => true,
    () => false,
  );
}

const hasMosquitto = (await works("which", "mosquitto_pub")) && (await works("which", "mosquitto_sub"));
/** The first Python that has paho-mqtt; Debian's package is for Debian's own. */
const python = await (async () => {
  for (const candidate of ["python3", "/usr/bin/python3"])
    if (await works(candidate, "-c", "import paho.mqtt.client")) return candidate;
  return undefined;
})();

/** One good fix as a person would write it. */
const fix = (seq: number) =>
  JSON.stringify({
    fixes: {
      fixes: [
        { seq, capturedAtMs: String(Date.now()), position: { latitudeDeg: 57.7, longitudeDeg: 11.97 } },
      ],
    },
  });

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway[Symbol.asyncDispose]());

/** `session seq` of the driver's fixes in the log. */
async function storedOf(driver: string): Promise<string[]> {
  return (await gateway.records()).flatMap((record) =>
    record.kind === "fixBatch" && record.party.id === driver
      ? record.fixes.map(({ seq }) => `${record.sessionId} ${seq}`)
      : [],
  );
}

describe.skipIf(!hasMosquitto)("mosquitto's clients (Debian: mosquitto-clients)", () => {
  const common = async (driver: string, clientId: string) => [
    ...["-h", "127.0.0.1", "-p", String(gateway.mqttPort), "-i", clientId],
    ...["-u", "any", "-P", await gateway.token("driver", driver)],
  ];

  test.each([0, 1, 2])("mosquitto_pub sends a fix in one line, with QoS %d", async (qos) => {
    const driver = `mosquitto-${qos}`;
    const topic = `v1/driver/${driver}/fixes`;
    await run("mosquitto_pub", [
      ...(await common(driver, "mosquitto-session")),
      ...["-q", String(qos), "-t", topic, "-m", fix(5)],
    ]);
    await vi.waitFor(async () => expect(await storedOf(driver)).toEqual(["mosquitto-session 5"]), PATIENCE);
  });

  test("mosquitto_sub alone gets Welcome", async () => {
    const args = [
      ...(await common("listener", "listener-session")),
      "-t",
      "v1/driver/listener/down",
      "-C",
      "1",
    ];
    const { stdout } = await run("mosquitto_sub", args);
    expect(JSON.parse(stdout)).toMatchObject({ welcome: { region: "test" } });
  });

  test("mosquitto_pub is told that a token is none", async () => {
    const args = (await common("driver-1", "mosquitto-session")).with(-1, "nonsense");
    const refused = run("mosquitto_pub", [...args, "-t", "v1/driver/driver-1/fixes", "-m", "{}"]);
    await expect(refused).rejects.toMatchObject({
      stderr: expect.stringContaining("bad user name or password"),
    });
  });
});

describe("MQTT.js", () => {
  /** Sends a fix and resolves once it has its PUBACK and the Ack. */
  async function sendFix(url: string, driver: string, options: object = {}, from = gateway): Promise<void> {
    const password = await from.token("driver", driver);
    const client = await connectAsync(
      url,
      {
        protocolVersion: 4,
        clientId: "mqttjs-session",
        username: "any",
        password,
        reconnectPeriod: 0,
        ...options,
      },
      false,
    );
    try {
      const kinds: (string | undefined)[] = [];
      client.on("message", (_topic, payload) => kinds.push(answerOf(payload).case));
      await client.subscribeAsync(`v1/driver/${driver}/down`);
      await client.publishAsync(`v1/driver/${driver}/fixes`, fix(1), { qos: 1 });
      await vi.waitFor(() => expect(kinds).toContain("ack"), PATIENCE);
    } finally {
      await client.endAsync();
    }
  }

  test("sends fixes over TCP and WebSocket", async () => {
    await sendFix(`mqtt://127.0.0.1:${gateway.mqttPort}`, "js-tcp");
    await sendFix(`ws://${gateway.httpAddress}/mqtt`, "js-ws");
    expect(await storedOf("js-tcp")).toEqual(["mqttjs-session 1"]);
    expect(await storedOf("js-ws")).toEqual(["mqttjs-session 1"]);
  });

  test("sends fixes over TLS, where the port takes nothing else", async () => {
    await using folder = await tempFolder();
    const { certificate, key, ca } = await selfSigned(folder);
    const followed: unknown[] = [];
    const tls = {
      ...{ cert: await readFile(certificate, "utf8"), key: await readFile(key, "utf8") },
      ...{ minVersion: "TLSv1.2" as const, follow: (server: unknown) => void followed.push(server) },
    };
    await using secure = await startTestGateway({ mqtt: { tls } });
    expect(followed, "a renewed certificate finds the server").toHaveLength(1);
    await sendFix(`mqtts://localhost:${secure.mqttPort}`, "js-tls", { ca }, secure);
    await expect(
      connectAsync(
        `mqtt://127.0.0.1:${secure.mqttPort}`,
        { reconnectPeriod: 0, connectTimeout: 2_000 },
        false,
      ),
    ).rejects.toThrow();
  });

  test("connects again by itself, and sends again what had no PUBACK", async () => {
    gateway.log.failure = "LOG_UNAVAILABLE";
    const client = await connectAsync(
      `mqtt://127.0.0.1:${gateway.mqttPort}`,
      {
        ...{ protocolVersion: 4, clientId: "mqttjs-session", username: "any", reconnectPeriod: 50 },
        password: await gateway.token("driver", "js-again"),
      },
      false,
    );
    const reconnected = new Promise<void>((resolve) => {
      client.once("reconnect", () => resolve());
    });
    const published = client.publishAsync("v1/driver/js-again/fixes", fix(1), { qos: 1 });
    await reconnected;
    gateway.log.failure = undefined;
    await published;
    await client.endAsync();
    expect(await storedOf("js-again")).toEqual(["mqttjs-session 1"]);
  });
});

test.skipIf(!python)(
  "Python's paho-mqtt (Debian: python3-paho-mqtt) sends a fix, gets its PUBACK and its Ack",
  async () => {
    const args = [
      "-c",
      PAHO,
      String(gateway.mqttPort),
      "paho",
      await gateway.token("driver", "paho"),
      fix(9),
    ];
    const child: ChildProcess = spawn(python ?? "", args, { stdio: ["ignore", "pipe", "inherit"] });
    let printed = "";
    child.stdout?.on("data", (text: Buffer) => {
      printed += text;
    });
    const [code] = await once(child, "close");
    expect(printed).toContain("puback");
    expect(code).toBe(0);
    expect(await storedOf("paho")).toEqual(["paho-session 9"]);
  },
);
