import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { nuid } from "@nats-io/transport-node";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { PartyKind } from "../../../gen/bimride/tracking/v1/fix_pb.ts";
import { LiveService } from "../../../gen/bimride/tracking/v1/live_pb.ts";
import {
  SessionKind,
  SessionService,
  SessionStanding,
} from "../../../gen/bimride/tracking/v1/sessions_pb.ts";
import { sharedEngines } from "../../../test/kit/engines/shared.ts";
import { DEFAULT_LIMITS } from "../../core/limits.ts";
import { systemClock } from "../../core/time.ts";
import { CODE_METADATA } from "../../edge/failures.ts";
import { someTripId, startTestEdge, type TestEdge } from "../../edge/kit.ts";
import { startTestGateway, type TestGateway } from "../../ingest/transports/kit.ts";
import { RegionPhone } from "../../ingest/transports/region-rig.ts";
import { tripOf } from "../../live/kit.ts";
import { openNatsBus } from "../../live/nats/bus.ts";
import { connectNats } from "../../nats/link.ts";
import { revocableAuthenticator } from "../revocable-authenticator.ts";
import { RollCall } from "../roll-call.ts";
import { removeTestRevocations } from "./kit.ts";
import { openNatsRevocations } from "./revocations.ts";

const NODES = ["gateway-1", "gateway-2", "edge-1", "edge-2"] as const;
const TRIP = someTripId(1);
const DRIVER = "d1";
/** What RevokeSession promises. */
const CLOSED_WITHIN_MS = 1_000;

const prefix = `t${nuid.next()}_`;
const stack = new AsyncDisposableStack();
let gateways: [TestGateway, TestGateway];
let edges: [TestEdge, TestEdge];

const onError = (error: unknown) => {
  throw error;
};

/** A process as far as sessions go: a connection of its own to the servers that all share. */
async function process(nodeId: string) {
  const link = stack.use(await connectNats({ servers: [sharedEngines().nats], name: nodeId }));
  const bus = stack.use(await openNatsBus({ link, region: "se1", prefix, onError }));
  const revocations = stack.use(
    await openNatsRevocations({
      ...{ link, region: "se1", prefix, replicas: 1, clock: systemClock, limits: DEFAULT_LIMITS, onError },
    }),
  );
  const rollCall = stack.use(
    new RollCall({
      ...{ bus, nodeId, ioClock: systemClock, limits: DEFAULT_LIMITS, onUnheard: onError },
      liveNodes: () => NODES,
      newId: () => nuid.next(),
    }),
  );
  return { link, bus, revocations, rollCall };
}

beforeAll(async () => {
  const [first, second] = [await process(NODES[0]), await process(NODES[1])];
  stack.defer(() => removeTestRevocations(first.link, prefix));
  const one = stack.use(await startTestGateway({ engines: first }));
  const other = stack.use(await startTestGateway({ engines: second, beside: one }));
  gateways = [one, other];
  first.rollCall.answerFor((user) => one.ingest.present(user));
  second.rollCall.answerFor((user) => other.ingest.present(user));

  const trips = new Map([[TRIP, { ...tripOf(TRIP), driverId: DRIVER }]]);
  const [third, fourth] = [await process(NODES[2]), await process(NODES[3])];
  const edge = stack.use(await startTestEdge(trips, third));
  const authenticator = revocableAuthenticator(edge.authenticator, fourth.revocations);
  edges = [edge, stack.use(await startTestEdge(trips, { ...fourth, authenticator }))];
  for (const each of edges) await each.start(trips.get(TRIP)!);
}, 60_000);
afterAll(() => stack.disposeAsync());

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
const transportTo = ({ url }: TestEdge) => createConnectTransport({ baseUrl: url, httpVersion: "1.1" });

/** A watch of the driver's trip; resolves with when and with what code it ended. */
async function watch(edge: TestEdge, token: string) {
  const stream = createClient(LiveService, transportTo(edge)).watchTrips(
    { targets: [{ tripId: TRIP }] },
    bearer(token),
  );
  const reader = stream[Symbol.asyncIterator]();
  await reader.next();
  const ended = (async () => {
    try {
      while (!(await reader.next()).done);
      return { code: "", atMs: performance.now() };
    } catch (error) {
      return { code: (error as { metadata: Headers }).metadata.get(CODE_METADATA), atMs: performance.now() };
    }
  })();
  return { ended };
}

test("a session revoked at one edge ends at the gateway and at the other edge within a second", async () => {
  const [edge, otherEdge] = edges;
  const token = await edge.token("driver", DRIVER);
  const { signInId } = await edge.authenticator.authenticate(token);
  const phone = new RegionPhone(gateways[1], DRIVER, "session-1", 0, "driver", signInId);
  await phone.hello();
  const watches = [await watch(edge, token), await watch(otherEdge, token)];
  const caller = await edge.token("admin", "a");
  const sessions = createClient(SessionService, transportTo(edge));
  const user = { kind: PartyKind.DRIVER, id: DRIVER };
  const list = await sessions.listSessions({ user }, bearer(caller));
  expect(list.complete).toBe(true);
  const standings = list.sessions.map(({ kind, standing, current }) => ({ kind, standing, current }));
  expect(standings).toContainEqual({
    ...{ kind: SessionKind.PUBLISHING, standing: SessionStanding.MOVES_MARKER, current: false },
  });
  expect(standings).toHaveLength(2);

  const startedMs = performance.now();
  const { streams } = await sessions.revokeSession({ sessionId: "session-1", user }, bearer(caller));
  expect(streams).toBe(3);
  await vi.waitFor(() => expect(phone.ended).toBe("SESSION_REVOKED"), {
    timeout: CLOSED_WITHIN_MS,
    interval: 1,
  });
  const phoneMs = performance.now() - startedMs;
  const ended = await Promise.all(watches.map(({ ended }) => ended));
  expect(ended.map(({ code }) => code)).toEqual(["SESSION_REVOKED", "SESSION_REVOKED"]);
  const tookMs = Math.max(phoneMs, ...ended.map(({ atMs }) => atMs - startedMs));
  expect(tookMs).toBeLessThan(CLOSED_WITHIN_MS);
  const again = new RegionPhone(gateways[0], DRIVER, "session-1");
  void again.hello().catch(() => {});
  await vi.waitFor(() => expect(again.ended).toBe("SESSION_REVOKED"));
});

test("of phones that insist on two gateways one keeps the marker, and the list says that it is contested", async () => {
  const phones: RegionPhone[] = [];
  for (let i = 0; i < 4; i++) {
    const phone = new RegionPhone(gateways[i % 2]!, "d2", i % 2 === 0 ? "phone-a0001" : "phone-b0001", i);
    await phone.hello();
    if (i > 0) await vi.waitFor(() => expect(phones[i - 1]!.ended).toBe("SUPERSEDED"), 5_000);
    phones.push(phone);
  }
  const refused = new RegionPhone(gateways[0], "d2", "phone-a0001", 4);
  void refused.hello().catch(() => {});
  await vi.waitFor(() => expect(refused.ended).toBe("SUPERSEDED"), 5_000);
  expect(refused.all("superseded")[0]!.retryAfterMs).toBeGreaterThan(50_000);
  expect(phones[3]!.ended).toBeUndefined();
  const support = bearer(await edges[0].token("support", "s"));
  const { sessions } = await createClient(SessionService, transportTo(edges[0])).listSessions(
    { user: { kind: PartyKind.DRIVER, id: "d2" } },
    support,
  );
  expect(sessions).toMatchObject([{ sessionId: "phone-b0001", standing: SessionStanding.CONTESTED }]);
  phones[3]!.close();
});
