import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { grpcTransport, type IngestClient, type IngestTransport, webSocketJsonTransport } from "./clients.ts";
import { fixesMessage, goodFix, helloMessage, nth } from "./conformance-rig.ts";
import { startTestGateway, type TestGateway } from "./kit.ts";

let one: TestGateway;
let other: TestGateway;
const clients: IngestClient[] = [];
beforeAll(async () => {
  one = await startTestGateway();
  other = await startTestGateway({ beside: one });
});
afterAll(async () => {
  for (const client of clients) client.close();
  await other[Symbol.asyncDispose]();
  await one[Symbol.asyncDispose]();
});

async function streamOn(gateway: TestGateway, transport: IngestTransport, token: string, sessionId: string) {
  const client = transport.connect(gateway, token);
  clients.push(client);
  client.send(helloMessage(sessionId));
  await vi.waitFor(() => {
    const welcomed = client.answers.some((answer) => answer.case === "welcome");
    expect(welcomed || client.ended !== undefined).toBe(true);
  }, 10_000);
  return client;
}

const revoke = async (driver: string, signInId: string, sessionId = "") =>
  one.revocations.revoke({ user: `driver/${driver}`, signInId, sessionId, untilMs: Date.now() + 60_000 });
const signInOf = async (token: string) => (await one.ingest.authenticate(token)).signInId;
const ended = (client: IngestClient, code: string) =>
  vi.waitFor(() => expect(client.ended).toBe(code), 10_000);

async function post(gateway: TestGateway, token: string, sessionId: string): Promise<string | number> {
  const fix = {
    seq: 0,
    capturedAtMs: String(Date.now()),
    position: { latitudeDeg: 57.7, longitudeDeg: 11.97 },
  };
  const response = await fetch(`http://${gateway.httpAddress}/v1/fixes`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ hello: { sessionId }, fixes: { fixes: [fix], batchId: 1 } }),
  });
  return response.ok ? response.status : ((await response.json()) as { code: string }).code;
}

describe.each([grpcTransport, webSocketJsonTransport])("over $name", (transport) => {
  const driver = (name: string) => `${name}-${transport.label}`;

  test("a revoked sign-in's stream ends at once, and neither streams nor batches of it are taken anywhere", async () => {
    const token = await one.token("driver", driver("d1"));
    const client = await streamOn(one, transport, token, "session-1");
    await revoke(driver("d1"), await signInOf(token));
    await ended(client, "SESSION_REVOKED");
    for (const gateway of [one, other]) {
      await ended(await streamOn(gateway, transport, token, "session-2"), "SESSION_REVOKED");
      expect(await post(gateway, token, "session-2")).toBe("SESSION_REVOKED");
    }
    const fresh = await one.token("driver", driver("d1"));
    const again = await streamOn(other, transport, fresh, "session-3");
    expect(again.ended).toBeUndefined();
    expect(await post(one, fresh, "session-3")).toBe(200);
  });

  test("a revoked session id is refused to any sign-in, its fixes by batch too, and other sessions go on", async () => {
    const [first, second] = [
      await one.token("driver", driver("d2")),
      await one.token("driver", driver("d2")),
    ];
    const client = await streamOn(one, transport, first, "session-1");
    await revoke(driver("d2"), "another", "session-1");
    await ended(client, "SESSION_REVOKED");
    await ended(await streamOn(other, transport, second, "session-1"), "SESSION_REVOKED");
    expect(await post(other, second, "session-1")).toBe("SESSION_REVOKED");
    const goesOn = await streamOn(one, transport, first, "session-2");
    goesOn.send(fixesMessage([goodFix(0)]));
    await nth(goesOn, "ack");
    expect(goesOn.ended).toBeUndefined();
  });

  test("a stream whose token was refreshed by another sign-in belongs to that one", async () => {
    const [first, second] = [
      await one.token("driver", driver("d3")),
      await one.token("driver", driver("d3")),
    ];
    const client = await streamOn(one, transport, first, "session-1");
    client.send({
      ...helloMessage("session-1"),
      message: { case: "tokenRefresh", value: refreshOf(second) },
    });
    const present = () => one.ingest.present(`driver/${driver("d3")}`);
    const secondId = await signInOf(second);
    await vi.waitFor(() => expect(present()[0]?.signInId).toBe(secondId));
    await revoke(driver("d3"), await signInOf(first));
    client.send(fixesMessage([goodFix(0)]));
    await nth(client, "ack");
    await revoke(driver("d3"), secondId);
    await ended(client, "SESSION_REVOKED");
  });
});

const refreshOf = (token: string) => ({ $typeName: "bimride.tracking.v1.TokenRefresh" as const, token });

test("a gateway tells of a user's streams what the client said of itself, and how they stand", async () => {
  const token = await one.token("driver", "d4");
  const first = await streamOn(one, grpcTransport, token, "session-1");
  const before = Date.now();
  const [present, ...none] = one.ingest.present("driver/d4");
  expect(none).toEqual([]);
  expect(present).toMatchObject({
    ...{ kind: "publishing", sessionId: "session-1", deviceId: "phone", appVersion: "1.0" },
    ...{ transport: "grpc", standing: "movesMarker", signInId: await signInOf(token) },
  });
  expect(Math.abs(present!.openedAtMs - before)).toBeLessThan(10_000);
  expect(present!.lastHeardAtMs).toBeGreaterThanOrEqual(present!.openedAtMs);
  expect(one.ingest.present("rider/d4")).toEqual([]);
  first.close();
  await vi.waitFor(() => expect(one.ingest.present("driver/d4")).toEqual([]), 10_000);
});
