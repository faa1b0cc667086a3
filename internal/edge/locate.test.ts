import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { pino } from "pino";
import { Registry } from "prom-client";
import { afterEach, describe, expect, it } from "vitest";
import { PlacementService } from "../../gen/bimride/tracking/v1/placement_pb.ts";
import { ROLES } from "../auth/principal.ts";
import { DEFAULT_LIMITS } from "../core/limits.ts";
import { tripOf } from "../live/kit.ts";
import { nodeOf } from "../placement/contract.ts";
import { localNodes } from "../placement/local/nodes.ts";
import type { LiveNode } from "../placement/nodes.ts";
import { createPlacement, type Placement } from "../placement/placement.ts";
import { DEFAULT_WEB_SETTINGS } from "./deps.ts";
import { createNodeServer } from "./edge.ts";
import { someTripId, startTestEdge, type TestEdge } from "./kit.ts";
import { placementRoutes } from "./rest/placement.ts";

const TRIP = someTripId(1);
const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing[Symbol.asyncDispose]();
});

const NODES = [
  nodeOf("g1", "gateway"),
  nodeOf("g2", "gateway"),
  nodeOf("e1"),
  nodeOf("e2"),
  nodeOf("e3"),
  nodeOf("e4"),
];

async function placementOver(nodes: readonly LiveNode[]): Promise<Placement> {
  const registry = localNodes();
  for (const node of nodes) await registry.announce(node);
  const regionOf = (latDeg: number, _lonDeg: number, last: string) =>
    latDeg > 60 ? "no1" : latDeg > 57 && last !== "" ? last : "se1";
  const byRegion = new Map([
    ["se1", registry],
    ["no1", registry],
  ]);
  return createPlacement({ byRegion, defaultRegion: "se1", regionOf });
}

async function edgeOver(nodes: readonly LiveNode[] = NODES): Promise<TestEdge> {
  const test = await startTestEdge(new Map(), { placement: await placementOver(nodes) });
  open.push(test);
  return test;
}

function clientOf(test: TestEdge, token: string | undefined, make = createConnectTransport) {
  const transport = make({
    baseUrl: test.url,
    httpVersion: "1.1",
    interceptors: [
      (next) => (request) => {
        if (token) request.header.set("authorization", `Bearer ${token}`);
        return next(request);
      },
    ],
  });
  return createClient(PlacementService, transport);
}

async function ask(url: string, token: string | undefined, query = "") {
  const response = await fetch(`${url}/v1/placement${query}`, {
    headers: token ? { authorization: `Bearer ${token}` } : {},
  });
  return { status: response.status, headers: response.headers, json: await response.json() };
}

/** The code of the error that a call fails with. */
async function codeOf(call: Promise<unknown>): Promise<string> {
  const error = ConnectError.from(
    await call.then(
      () => undefined,
      (thrown: unknown) => thrown,
    ),
  );
  return error.metadata.get("bimride-code") ?? Code[error.code];
}

describe("Locate", () => {
  it("tells a driver the gateway by the token's own party, with what a client needs to go there", async () => {
    const test = await edgeOver();
    const token = await test.token("driver", "dana");
    const target = {
      case: "party",
      value: { place: { case: "position", value: { latitudeDeg: 57.7, longitudeDeg: 11.97 } } },
    } as const;
    const answer = await clientOf(test, token).locate({ target });
    expect(answer).toMatchObject({ region: "se1", validForMs: 60_000 });
    const { node, alternates } = answer;
    expect([node!.nodeId, ...alternates.map(({ nodeId }) => nodeId)].toSorted()).toEqual(["g1", "g2"]);
    expect(node).toMatchObject({
      httpUrl: `http://${node!.nodeId}.invalid:8080`,
      grpcAddress: `${node!.nodeId}.invalid:50051`,
    });
    const overWeb = clientOf(test, token, createGrpcWebTransport);
    expect(await overWeb.locate({ target })).toEqual(answer);
    const rest = await ask(test.url, token, "?geohash=u6sd");
    expect(rest.json).toMatchObject({ region: "se1", node: { nodeId: node!.nodeId } });
    expect(rest.headers.get("cache-control")).toBe("no-store");

    const others = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const other = await ask(test.url, await test.token("driver", `d${i}`));
        return other.json.node.nodeId;
      }),
    );
    expect(new Set(others)).toEqual(new Set(["g1", "g2"]));
  });

  it("tells every viewer of a trip the same edge, whether or not there is such a trip", async () => {
    const test = await edgeOver();
    await test.start(tripOf(TRIP));
    for (const tripId of [TRIP, someTripId(404)]) {
      const answers = await Promise.all(
        ROLES.map(async (role) => {
          const token = await test.token(role, "someone");
          const { status, json } = await ask(test.url, token, `?tripId=${tripId}`);
          expect(status).toBe(200);
          const target = { case: "trip", value: { tripId } } as const;
          const answer = await clientOf(test, token).locate({ target });
          expect(answer.node!.nodeId).toBe(json.node.nodeId);
          return json;
        }),
      );
      expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
      expect(answers[0]).toMatchObject({ region: "se1", validForMs: 60_000 });
      expect(answers[0].alternates).toHaveLength(2);
      expect(answers[0].node.grpcAddress).toBeUndefined();
    }
  });

  it("lets drivers and riders be placed, each for themselves, everybody watch, and nobody without a token", async () => {
    const test = await edgeOver();
    const party = { case: "party", value: {} } as const;
    const trip = { case: "trip", value: { tripId: TRIP } } as const;
    const matrix: Record<string, [string, string]> = {};
    for (const role of ROLES) {
      const client = clientOf(test, await test.token(role, "x"));
      const told = async (target: typeof party | typeof trip) =>
        client.locate({ target }).then(
          () => "ok",
          (error) => codeOf(Promise.reject(error)),
        );
      matrix[role] = [await told(party), await told(trip)];
      const { status } = await ask(test.url, await test.token(role, "x"));
      expect(status).toBe(matrix[role][0] === "ok" ? 200 : 403);
    }
    const refused: [string, string] = ["ROLE_FORBIDDEN", "ok"];
    expect(matrix).toEqual({
      ...{ driver: ["ok", "ok"], rider: ["ok", "ok"] },
      ...Object.fromEntries(["backend", "support", "ops", "admin"].map((role) => [role, refused])),
    });
    for (const token of [undefined, "nonsense"]) {
      const code = token ? "TOKEN_INVALID" : "TOKEN_MISSING";
      expect(await codeOf(clientOf(test, token).locate({ target: trip }))).toBe(code);
      expect(await ask(test.url, token, `?tripId=${TRIP}`)).toMatchObject({ status: 401, json: { code } });
    }
  });

  it("keeps the last region near a border, and takes a geohash for a place", async () => {
    const test = await edgeOver();
    const token = await test.token("driver", "dana");
    const region = async (query: string) => (await ask(test.url, token, query)).json.region;
    expect(await region("?geohash=u6sd")).toBe("se1");
    expect(await region("?geohash=u6sd&lastRegion=no1")).toBe("no1");
    expect(await region("?geohash=u7")).toBe("no1");
    expect(await region("?lastRegion=no1")).toBe("no1");
    expect(await region("?lastRegion=gone")).toBe("se1");
    expect(await region("")).toBe("se1");
  });

  it("refuses what it can't read, naming the field, and anything like a place in a URL", async () => {
    const test = await edgeOver();
    const token = await test.token("driver", "dana");
    const client = clientOf(test, token);
    const position = (latitudeDeg: number, longitudeDeg: number) =>
      ({ place: { case: "position", value: { latitudeDeg, longitudeDeg } } }) as const;
    const cases = [
      [undefined, "MESSAGE_INVALID"],
      [position(91, 0), "POSITION_INVALID"],
      [position(0, Number.NaN), "POSITION_INVALID"],
      [position(0, 0), "POSITION_NULL_ISLAND"],
      [{ place: { case: "geohash", value: "aaa" } }, "FIELD_INVALID"],
      [{ place: { case: "geohash", value: "" } }, "FIELD_INVALID"],
      [{ lastRegion: "Not A Region" }, "FIELD_INVALID"],
    ] as const;
    for (const [value, code] of cases) {
      const call = client.locate(value ? { target: { case: "party", value } } : {});
      expect(await codeOf(call)).toBe(code);
    }
    for (const tripId of ["", "trip", "../x"])
      expect(await codeOf(client.locate({ target: { case: "trip", value: { tripId } } }))).toBe(
        "FIELD_INVALID",
      );

    for (const query of [
      "?geohash=u6sd1z",
      "?geohash=",
      "?geohash=u&geohash=u",
      "?lastRegion=A",
      "?tripId=x",
      `?tripId=${TRIP}&geohash=u6`,
    ])
      expect(await ask(test.url, token, query)).toMatchObject({
        status: 400,
        json: { code: "FIELD_INVALID" },
      });
    expect(test.logs.join("\n")).not.toMatch(/u6sd|geohash/);
  });

  it("says so when no node is known, and that trying again makes sense", async () => {
    const test = await edgeOver([nodeOf("e1")]);
    const token = await test.token("driver", "dana");
    expect(await ask(test.url, token)).toMatchObject({
      status: 503,
      json: { code: "NO_LIVE_NODE", retryable: true },
    });
  });

  it("is answered by nodes that are no edges too", async () => {
    const test = await edgeOver();
    const token = await test.token("driver", "dana");
    const placement = await placementOver(NODES);
    const gateway = await createNodeServer({
      clock: test.clock,
      limits: DEFAULT_LIMITS,
      telemetry: { logger: pino({ level: "silent" }), registry: new Registry() },
      readiness: [],
      web: DEFAULT_WEB_SETTINGS,
      plugins: [placementRoutes({ placement, authenticator: test.authenticator })],
    });
    open.push(gateway);
    const { port } = await gateway.listen("127.0.0.1", 0);
    const url = `http://127.0.0.1:${port}`;
    expect((await ask(url, token)).json).toEqual((await ask(test.url, token)).json);
    expect(await ask(url, undefined)).toMatchObject({ status: 401, json: { code: "TOKEN_MISSING" } });
  });
});
