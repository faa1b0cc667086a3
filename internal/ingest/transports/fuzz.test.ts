import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { VerdictCode } from "../../../gen/bimride/tracking/v1/ingest_pb.ts";
import {
  grpcBatchTransport,
  grpcTransport,
  httpJsonTransport,
  httpProtobufTransport,
  type IngestClient,
  type IngestTransport,
  webSocketJsonTransport,
  webSocketProtobufTransport,
} from "./clients.ts";
import { fixesMessage, goodFix, helloMessage, nth } from "./conformance-rig.ts";
import { badInput, seededRandom, type Wire } from "./fuzz-inputs.ts";
import { startTestGateway, type TestGateway } from "./kit.ts";
import { mqttJsonTransport, mqttProtobufTransport } from "./mqtt-clients.ts";

/** Change it to search elsewhere; every run with the same one sends the same. */
const SEED = 20_260_101;
const WAVE = 250;
/** Every so many inputs a good fix. */
const GOOD_EVERY = 5;
/** Calls under way at once on transports without streams. */
const LANES = 8;
/** What a process may keep after all inputs, beyond what it keeps after the first half: noise of the heap. */
const MAX_HEAP_GROWTH_BYTES = 24 << 20;

/** 10,000 inputs and more for each of gRPC, WebSocket, HTTP and MQTT. */
const CASES: [string, number, IngestTransport, Wire][] = [
  [grpcTransport.name, 10_000, grpcTransport, { json: false, batch: false }],
  [grpcBatchTransport.name, 2_000, grpcBatchTransport, { json: false, batch: true }],
  [webSocketProtobufTransport.name, 10_000, webSocketProtobufTransport, { json: false, batch: false }],
  [webSocketJsonTransport.name, 10_000, webSocketJsonTransport, { json: true, batch: false }],
  [httpProtobufTransport.name, 5_000, httpProtobufTransport, { json: false, batch: true }],
  [httpJsonTransport.name, 5_000, httpJsonTransport, { json: true, batch: true }],
  [mqttJsonTransport.name, 5_000, mqttJsonTransport, { json: true, batch: false }],
  [mqttProtobufTransport.name, 5_000, mqttProtobufTransport, { json: false, batch: false }],
];

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway[Symbol.asyncDispose]());

/** Sequence numbers that damage to others' digits hardly ever hits. */
const goodSeq = (index: number) => (index * 2_654_435_761 + 977) % 2_900_000_000;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

function heapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

const openHandles = () => process.getActiveResourcesInfo().filter((name) => name !== "Timeout").length;

/** Lanes of one driver each. Counts, per good seq, how often it was ACCEPTED. */
class Fuzzing {
  readonly accepted = new Map<number, number>();
  readonly sent: number[] = [];
  readonly #lanes: IngestClient[];
  readonly #random = seededRandom(SEED);
  readonly #wire: Wire;

  constructor(lanes: IngestClient[], wire: Wire) {
    this.#lanes = lanes;
    this.#wire = wire;
  }

  /** Sends so many inputs and waits until the good ones among them are acked. */
  async wave(inputs: number): Promise<void> {
    for (let i = 0; i < inputs; i++) {
      const lane = this.#lanes[i % this.#lanes.length] as IngestClient;
      // Every lane ends a wave with a good fix, so that a wave that is acked leaves nothing under way.
      if (i % GOOD_EVERY !== 0 && i < inputs - this.#lanes.length) {
        lane.sendRaw(badInput(this.#random, this.#wire));
        continue;
      }
      const seq = goodSeq(this.sent.length);
      this.sent.push(seq);
      lane.send(fixesMessage([goodFix(seq)], 1));
    }
    await vi.waitFor(
      () => {
        this.#harvest();
        expect(this.sent.filter((seq) => !this.accepted.has(seq))).toEqual([]);
      },
      { timeout: 20_000, interval: 5 },
    );
  }

  #harvest(): void {
    for (const lane of this.#lanes) {
      expect(lane.ended, "the stream goes on").toBeUndefined();
      for (const answer of (lane.answers as IngestClient["answers"][number][]).splice(0)) {
        if (answer.case === "problem") expect(answer.value.code).not.toBe("INTERNAL");
        if (answer.case !== "ack") continue;
        for (const { seq, code } of answer.value.verdicts)
          if (code === VerdictCode.ACCEPTED) this.accepted.set(seq, (this.accepted.get(seq) ?? 0) + 1);
      }
    }
  }
}

test.each(CASES)(
  "%s: every good fix among %d inputs, most of them bad, is acked once and stored once",
  async (_name, inputs, transport, wire) => {
    const handlesBefore = openHandles();
    const problemsBefore = await gateway.metric("bimride_ingest_problems_total", {
      transport: transport.label,
    });
    const name = transport.name.replaceAll(" ", "-");
    const lanes: IngestClient[] = [];
    for (let lane = 0; lane < (transport.streams ? 1 : LANES); lane++) {
      const client = transport.connect(gateway, await gateway.token("driver", `${name}-${lane}`));
      client.send(helloMessage("session-1"));
      if (transport.streams) await nth(client, "welcome");
      lanes.push(client);
    }
    const fuzzing = new Fuzzing(lanes, wire);
    for (let sent = 0; sent < inputs / 2; sent += WAVE) await fuzzing.wave(WAVE);
    const heapBefore = heapBytes();
    for (let sent = 0; sent < inputs / 2; sent += WAVE) await fuzzing.wave(WAVE);
    expect(heapBytes() - heapBefore).toBeLessThan(MAX_HEAP_GROWTH_BYTES);

    for (const seq of fuzzing.sent) expect(fuzzing.accepted.get(seq)).toBe(1);
    for (const lane of lanes) lane.close();
    await vi.waitFor(() => expect(gateway.ingest.openStreams).toBe(0), 10_000);
    await vi.waitFor(() => expect(openHandles()).toBeLessThanOrEqual(handlesBefore), {
      timeout: 15_000,
      interval: 50,
    });
    await gateway.ingest.flush();
    expect(gateway.ingest.pendingBytes).toBe(0);
    expect(await gateway.metric("bimride_ingest_problems_total", { code: "INTERNAL" })).toBe(0);
    const problems = await gateway.metric("bimride_ingest_problems_total", { transport: transport.label });
    expect(problems - problemsBefore).toBeGreaterThan(inputs / 3);

    const stored = (await gateway.records()).flatMap((record) =>
      record.kind === "fixBatch" && record.party.id.startsWith(`${name}-`)
        ? record.fixes.map(({ seq }) => seq)
        : [],
    );
    const times = new Map<number, number>();
    for (const seq of stored) times.set(seq, (times.get(seq) ?? 0) + 1);
    for (const seq of fuzzing.sent) expect(times.get(seq)).toBe(1);
  },
);
