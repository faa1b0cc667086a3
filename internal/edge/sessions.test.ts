import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterEach, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { FleetService } from "../../gen/bimride/tracking/v1/fleet_pb.ts";
import { LiveService, type Version, type WatchTripsResponse } from "../../gen/bimride/tracking/v1/live_pb.ts";
import { SessionKind, SessionService } from "../../gen/bimride/tracking/v1/sessions_pb.ts";
import type { Role } from "../auth/principal.ts";
import { tripOf } from "../live/kit.ts";
import { CODE_METADATA } from "./failures.ts";
import { someTripId, startTestEdge, type TestEdge } from "./kit.ts";

const TRIP = someTripId(1);
const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing[Symbol.asyncDispose]();
});

const BOTH = ["edge-1", "edge-2"] as const;

/** Two edges of one deployment; both know of both. */
async function twoEdges(): Promise<[TestEdge, TestEdge]> {
  const trips = new Map([[TRIP, tripOf(TRIP)]]);
  const one = await startTestEdge(trips, { nodeId: "edge-1", liveNodes: BOTH });
  open.push(one);
  const other = await startTestEdge(trips, { nodeId: "edge-2", liveNodes: BOTH, beside: one });
  open.push(other);
  return [one, other];
}

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
const transportTo = (edge: TestEdge) => createConnectTransport({ baseUrl: edge.url, httpVersion: "1.1" });
const sessionsOn = (edge: TestEdge) => createClient(SessionService, transportTo(edge));
const versionText = (version: Version | undefined) =>
  `${version?.generation}.${version?.sequence}.${version?.index}`;
const codeOf = (error: unknown) => (error as { metadata: Headers }).metadata.get(CODE_METADATA);

/** A watch over Connect that keeps the versions it is told, until it ends. */
function watchConnect(edge: TestEdge, token: string) {
  const versions: string[] = [];
  const ended = Promise.withResolvers<string>();
  const gone = new AbortController();
  open.push({ [Symbol.asyncDispose]: async () => gone.abort() });
  const run = async () => {
    const options = { ...bearer(token), signal: gone.signal };
    const stream = createClient(LiveService, transportTo(edge)).watchTrips(
      { targets: [{ tripId: TRIP }] },
      options,
    );
    for await (const response of stream) note(response, versions);
  };
  run().then(
    () => ended.resolve(""),
    (error) => ended.resolve(codeOf(error) ?? "cut off"),
  );
  return { versions, ended: ended.promise };
}

function note({ message }: WatchTripsResponse, versions: string[]): void {
  if (message.case === "snapshot" || message.case === "update")
    versions.push(versionText(message.value.version));
}

/** The same over WebSocket. */
function watchWebSocket(edge: TestEdge, token: string) {
  const versions: string[] = [];
  const ended = Promise.withResolvers<string>();
  const socket = new WebSocket(
    `${edge.url.replace("http", "ws")}/v1/live`,
    ["bimride.v1.json"],
    bearer(token),
  );
  open.push({ [Symbol.asyncDispose]: async () => socket.terminate() });
  socket.on("open", () => socket.send(JSON.stringify({ targets: [{ tripId: TRIP }] })));
  socket.on("message", (data) => {
    const { snapshot, update } = JSON.parse(String(data));
    const version = (snapshot ?? update)?.version;
    if (version) versions.push(`${version.generation}.${version.sequence}.${version.index ?? 0}`);
  });
  socket.on("close", (code, reason) => ended.resolve(`${code} ${reason}`));
  return { versions, ended: ended.promise };
}

test("a user who watches on two devices, on two edges over two transports, is told the same versions in the same order", async () => {
  const [one, other] = await twoEdges();
  const car = await one.start(tripOf(TRIP));
  const [phone, tablet] = [await one.token("rider", "r1"), await one.token("rider", "r1")];
  const viewers = [watchConnect(one, phone), watchWebSocket(other, tablet), watchConnect(other, tablet)];
  await vi.waitFor(() => {
    for (const { versions } of viewers) expect(versions).toHaveLength(1);
  });
  for (let i = 1; i <= 30; i++) {
    await car.move(Date.now() + i);
    // Nobody may be so slow that changes are told together.
    await vi.waitFor(() => {
      for (const { versions } of viewers) expect(versions).toHaveLength(i + 1);
    });
  }
  expect(viewers[1]!.versions).toEqual(viewers[0]!.versions);
  expect(viewers[2]!.versions).toEqual(viewers[0]!.versions);
});

test("lists a user's watches on all edges, those of a sign-in as one, and says which is the caller's own", async () => {
  const [one, other] = await twoEdges();
  await one.start(tripOf(TRIP));
  const [phone, tablet] = [await one.token("rider", "r1"), await one.token("rider", "r1")];
  watchConnect(one, phone);
  watchWebSocket(other, phone);
  watchWebSocket(other, tablet);
  watchConnect(other, await one.token("rider", "r2"));
  const { sessions, complete } = await vi.waitFor(async () => {
    const response = await sessionsOn(one).listSessions({}, bearer(tablet));
    expect(response.sessions).toHaveLength(2);
    return response;
  });
  expect(complete).toBe(true);
  const watching = { kind: SessionKind.WATCHING, userId: "r1" };
  expect(sessions.filter(({ current }) => current)).toMatchObject([{ ...watching, transport: "websocket" }]);
  expect(sessions.filter(({ current }) => !current)).toMatchObject([watching]);
  const text = JSON.stringify(sessions.map(({ sessionId }) => sessionId));
  for (const token of [phone, tablet]) {
    const { signInId } = await one.authenticator.authenticate(token);
    expect(text).not.toContain(signInId);
  }
});

test("revoked, a sign-in's watches end on every edge over every transport, it gets in nowhere, and others go on", async () => {
  const [one, other] = await twoEdges();
  const car = await one.start(tripOf(TRIP));
  const [phone, tablet] = [await one.token("rider", "r1"), await one.token("rider", "r1")];
  const revoked = [watchConnect(one, phone), watchConnect(other, phone), watchWebSocket(other, phone)];
  const stays = watchWebSocket(one, tablet);
  const { sessions } = await vi.waitFor(async () => {
    for (const { versions } of [...revoked, stays]) expect(versions).toHaveLength(1);
    return sessionsOn(one).listSessions({}, bearer(tablet));
  });
  const meant = sessions.find(({ current }) => !current)!;
  const answer = await sessionsOn(one).revokeSession({ sessionId: meant.sessionId }, bearer(tablet));
  expect(answer.streams).toBe(3);
  expect(await Promise.all(revoked.map(({ ended }) => ended))).toEqual([
    ...["SESSION_REVOKED", "SESSION_REVOKED", "4401 SESSION_REVOKED"],
  ]);
  for (const edge of [one, other]) {
    const rest = await fetch(`${edge.url}/v1/trips/${TRIP}/live`, bearer(phone));
    expect([rest.status, ((await rest.json()) as { code: string }).code]).toEqual([401, "SESSION_REVOKED"]);
    expect(await watchConnect(edge, phone).ended).toBe("SESSION_REVOKED");
    expect(await watchWebSocket(edge, phone).ended).toBe("4401 SESSION_REVOKED");
  }
  await car.move(Date.now() + 1);
  await vi.waitFor(() => expect(stays.versions).toHaveLength(2));
  await expect(
    sessionsOn(one).revokeSession({ sessionId: meant.sessionId }, bearer(tablet)),
  ).rejects.toSatisfy((error) => codeOf(error) === "NOT_FOUND");
});

test("a watch that a token of another sign-in refreshed ends with that one, not with the first", async () => {
  const [one] = await twoEdges();
  await one.start(tripOf(TRIP));
  const [first, second] = [await one.token("rider", "r1"), await one.token("rider", "r1")];
  const live = createClient(LiveService, transportTo(one));
  const stream = live.watchTrips({ targets: [{ tripId: TRIP }] }, bearer(first))[Symbol.asyncIterator]();
  const { value } = await stream.next();
  const { watchId } = (value as WatchTripsResponse).message.value as { watchId: string };
  await live.refreshWatch({ watchId }, bearer(second));
  const revoke = async (token: string) => {
    const { signInId } = await one.authenticator.authenticate(token);
    await one.revocations.revoke({ user: "rider/r1", signInId, sessionId: "", untilMs: Date.now() + 60_000 });
  };
  await revoke(first);
  expect((await stream.next()).done).toBe(false);
  const next = stream.next();
  await revoke(second);
  await expect(next).rejects.toSatisfy((error) => codeOf(error) === "SESSION_REVOKED");
  await expect(live.refreshWatch({ watchId }, bearer(second))).rejects.toSatisfy(
    (error) => codeOf(error) === "SESSION_REVOKED",
  );
});

test("a viewport ends with its sign-in, whatever the subject of the token looks like", async () => {
  const [one] = await twoEdges();
  const subject = "an o@example.org";
  const token = await one.token("ops", subject);
  const viewport = {
    southWest: { latitudeDeg: 57, longitudeDeg: 11 },
    northEast: { latitudeDeg: 58, longitudeDeg: 12 },
  };
  const stream = createClient(FleetService, transportTo(one)).watchViewport({ viewport }, bearer(token));
  const reader = stream[Symbol.asyncIterator]();
  await reader.next();
  const next = reader.next();
  const { signInId } = await one.authenticator.authenticate(token);
  const revocation = { user: `ops/${subject}`, signInId, sessionId: "", untilMs: Date.now() + 60_000 };
  await one.revocations.revoke(revocation);
  await expect(next).rejects.toSatisfy((error) => codeOf(error) === "SESSION_REVOKED");
});

test("who may list and revoke whose: parties their own, support lists and admin revokes anybody's whom they name", async () => {
  const [one] = await twoEdges();
  await one.start(tripOf(TRIP));
  const token = await one.token("rider", "r1");
  const watch = watchConnect(one, token);
  await vi.waitFor(() => expect(watch.versions).toHaveLength(1));
  const call = async (method: string, path: string, role: Role, subject: string) => {
    const response = await fetch(`${one.url}/v1/sessions${path}`, {
      method,
      ...bearer(await one.token(role, subject)),
    });
    const body = (await response.json()) as {
      code?: string;
      sessions?: { sessionId: string }[];
      streams?: number;
    };
    return { said: body.code ?? response.status, body };
  };
  const named = "?userKind=rider&userId=r1";
  const { body } = await call("GET", named, "support", "s");
  const id = body.sessions![0]!.sessionId;
  const said = async (...args: Parameters<typeof call>) => (await call(...args)).said;
  expect(await said("GET", "", "rider", "r1")).toBe(200);
  expect(await said("GET", named, "rider", "r1")).toBe(200);
  expect(await said("GET", named, "rider", "r2")).toBe("PARTY_MISMATCH");
  expect(await said("GET", named, "admin", "a")).toBe(200);
  expect(await said("GET", "", "support", "s")).toBe("FIELD_INVALID");
  expect(await said("GET", "?userId=r1", "support", "s")).toBe("FIELD_INVALID");
  expect(await said("GET", "?userKind=rider&userId=r%201", "support", "s")).toBe("FIELD_INVALID");
  for (const role of ["backend", "ops"] as const)
    expect(await said("GET", named, role, "x")).toBe("ROLE_FORBIDDEN");
  for (const role of ["backend", "ops", "support"] as const)
    expect(await said("DELETE", `/${id}${named}`, role, "x")).toBe("ROLE_FORBIDDEN");
  expect(await said("DELETE", `/${id}${named}`, "rider", "r2")).toBe("PARTY_MISMATCH");
  expect(await said("DELETE", `/${id}`, "rider", "r2")).toBe("NOT_FOUND");
  expect(await said("DELETE", `/no${named}`, "admin", "a")).toBe("NOT_FOUND");
  expect((await call("DELETE", `/${id}${named}`, "admin", "a")).body.streams).toBe(1);
  expect(await watch.ended).toBe("SESSION_REVOKED");
  expect(one.logs.join("")).not.toContain(token);
});

test("while a node does not answer, the list says that it may lack sessions, and what is not found is not denied", async () => {
  const trips = new Map([[TRIP, tripOf(TRIP)]]);
  const alone = await startTestEdge(trips, { nodeId: "edge-1", liveNodes: [...BOTH] });
  open.push(alone);
  const token = await alone.token("rider", "r1");
  expect(await sessionsOn(alone).listSessions({}, bearer(token))).toMatchObject({
    sessions: [],
    complete: false,
  });
  await expect(
    sessionsOn(alone).revokeSession({ sessionId: "somewhere-1" }, bearer(token)),
  ).rejects.toSatisfy((error) => codeOf(error) === "STORE_UNAVAILABLE");
});
