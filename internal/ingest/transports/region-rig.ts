import { expect, vi } from "vitest";
import { destination } from "../../core/geo.ts";
import { DEFAULT_LIMITS } from "../../core/limits.ts";
import type { Trip } from "../../core/trip.ts";
import { parseRegions } from "../../regions/region-file.ts";
import { regionFinder } from "../../regions/region-of.ts";
import { newTrip } from "../../trips/new-trip.ts";
import type { FixInput, HelloInput, ServerMessage } from "../messages.ts";
import type { IngestSession } from "../session.ts";
import { startTestGateway, type TestGateway, type TestGatewayOptions } from "./kit.ts";

const BORDER_LAT_DEG = 57.7;
const LON_DEG = 12;
const box = (south: number, north: number) => [
  ...[
    [11, south],
    [13, south],
    [13, north],
    [11, north],
  ],
  [11, south],
];
const feature = (name: string, south: number, north: number) => ({
  type: "Feature",
  properties: { name, default: name === "south" },
  geometry: { type: "Polygon", coordinates: [box(south, north)] },
});
const features = [feature("south", 57, BORDER_LAT_DEG), feature("north", BORDER_LAT_DEG, 58.5)];

/** Two regions with a border from west to east. */
export const regionOf = regionFinder(
  parseRegions(JSON.stringify({ type: "FeatureCollection", features }), {
    cassandraLocalDc: "datacenter1",
    cassandraKeyspace: "bimride",
  }),
  DEFAULT_LIMITS,
);

/** A place so many metres north of the border. */
export const northOf = (metres: number) => destination(BORDER_LAT_DEG, LON_DEG, 0, metres);

/** A gateway of the region south that serves north too. */
export function startTwoRegions(options: TestGatewayOptions = {}): Promise<TestGateway> {
  return startTestGateway({ ...options, regions: ["south", "north"], regionOf });
}

/** A running trip of the region. */
export function tripIn(region: string, driverId: string, version = 1): Trip {
  const stop = { position: northOf(0), riderId: "", label: "" };
  const waypoints = [
    { ...stop, kind: "pickup" as const },
    { ...stop, kind: "dropoff" as const },
  ];
  const order = { type: "exclusive" as const, riderIds: ["r1"], driverId, waypoints, plannedPath: [] };
  const tripId = `${region}-01arz3ndektsv4rrffq69g5fav`;
  return { ...newTrip(tripId, region, order, Date.now()), version };
}

type Kind = ServerMessage["kind"];
type Of<K extends Kind> = Extract<ServerMessage, { kind: K }>;

/** A driver's or rider's phone on the gateway's session itself, without a transport. */
export class RegionPhone {
  readonly answers: ServerMessage[] = [];
  /** The code that the stream ended with, empty for none; undefined while it runs. */
  ended: string | undefined;
  readonly #gateway: TestGateway;
  readonly #session: IngestSession;
  readonly #sessionId: string;
  #seq: number;
  #batchId = 0;

  constructor(
    gateway: TestGateway,
    subject: string,
    sessionId = "session-1",
    firstSeq = 0,
    role: "driver" | "rider" = "driver",
    signInId = "in-1",
  ) {
    this.#gateway = gateway;
    this.#sessionId = sessionId;
    this.#seq = firstSeq;
    this.#session = gateway.ingest.openSession({
      principal: { role, subject, signInId, expiresAtMs: Number.MAX_SAFE_INTEGER },
      transport: "grpc",
      traceparent: "",
      port: {
        send: (message) => void this.answers.push(message),
        end: (error) => {
          this.ended = error?.code ?? "";
        },
      },
    });
  }

  /** Says Hello; resolves with the Welcome. */
  async hello(fields: Partial<HelloInput> = {}): Promise<Of<"welcome">> {
    const before = this.all("welcome").length;
    this.#session.receive({
      kind: "hello",
      ...helloInput(this.#sessionId, fields),
    });
    return this.nth("welcome", before + 1);
  }

  /** Sends a fix at so many metres north of the border; resolves with its verdict. */
  async drive(metres: number, fields: Partial<FixInput> = {}): Promise<string> {
    const batchId = ++this.#batchId;
    const fix = { ...fixInput(this.#seq++, metres, this.#gateway.clock.now()), ...fields };
    this.#session.receive({ kind: "fixes", fixes: [fix], deviceTimeMs: 0, batchId, assignmentVersion: 0 });
    const ack = await vi.waitFor(() => {
      const found = this.answers.find((answer) => "batchId" in answer && answer.batchId === batchId);
      expect(found).toBeDefined();
      return found!;
    }, 10_000);
    return ack.kind === "ack" ? ack.verdicts[0]!.code : ack.kind;
  }

  all<K extends Kind>(kind: K): Of<K>[] {
    return this.answers.filter((answer): answer is Of<K> => answer.kind === kind);
  }

  /** Waits for the nth (from 1) answer of the kind. */
  async nth<K extends Kind>(kind: K, count = 1): Promise<Of<K>> {
    await vi.waitFor(() => expect(this.all(kind).length).toBeGreaterThanOrEqual(count), 10_000);
    return this.all(kind)[count - 1]!;
  }

  /** Regions of the Moves so far. */
  get moves(): string[] {
    return this.all("move").map(({ region }) => region);
  }

  /** The connection is gone. */
  close(): void {
    this.#session.closed();
  }
}

export function helloInput(sessionId: string, fields: Partial<HelloInput> = {}): HelloInput {
  return {
    ...{ sessionId, party: undefined, deviceId: "phone", appVersion: "1", deviceTimeMs: 0 },
    ...{ lastRegion: "", position: undefined, deviceState: undefined },
    ...fields,
  };
}

export function fixInput(seq: number, metres: number, capturedAtMs: number): FixInput {
  return {
    ...{ seq, capturedAtMs, ...northOf(metres), accuracyM: 5, speedMps: 10, headingDeg: 0 },
    ...{ altitudeM: undefined, source: "gnss", mock: false },
  };
}

/** Seqs of the driver's fixes in the region's log, in its order. */
export async function storedIn(gateway: TestGateway, region: string, driver: string): Promise<number[]> {
  return (await gateway.records(region)).flatMap((record) =>
    record.kind === "fixBatch" && record.party.id === driver ? record.fixes.map(({ seq }) => seq) : [],
  );
}

/** What the region's log says of the driver's session: `opened`, `closed`, device states as their battery's percent. */
export async function sessionIn(gateway: TestGateway, region: string, driver: string) {
  return (await gateway.records(region)).flatMap((record) => {
    if (!("party" in record) || record.party.id !== driver) return [];
    if (record.kind === "sessionOpened") return record.closed ? "closed" : "opened";
    return record.kind === "deviceState" ? `battery ${record.state.batteryPercent}` : [];
  });
}
