import { once } from "node:events";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { openSigningKey } from "../internal/auth/keys.ts";
import { tokenMint } from "../internal/auth/mint.ts";
import { systemClock } from "../internal/core/time.ts";
import type { ClientTrust } from "../internal/core/tls.ts";
import { createTelemetry } from "../internal/telemetry/create-telemetry.ts";
import { createFleet } from "./fleet.ts";
import { readRoadGraph } from "./road-graph.ts";
import { Simulation } from "./simulation.ts";

const USAGE = `usage: npm run simulate -- [--cars N] [--seed S] [--http URL] [--grpc HOST:PORT] [--keys DIR] [--busy SHARE] [--locate] [--ca FILE]
A fleet in the demo city against any server that trusts the keys in DIR (made by: npm run -s bimctl -- keys).
Defaults: 100 cars, seed 1, http://127.0.0.1:8080, 127.0.0.1:50051, .bimride/keys, 0.6. Ends with Ctrl-C.
An https URL means TLS on both ports. --ca: whom to believe there (the ca.pem of: npm run -s bimctl -- certs).
--locate: the phones ask the server at --http which gateway to use, and fall back to the one at --grpc.`;

const TOKEN_TTL_MS = 12 * 3_600_000;
const REPORT_MS = 10_000;

/** Runs a simulated fleet until it is told to stop. Returns the exit code. */
export async function runSimulate(argv: readonly string[]): Promise<number> {
  let args: ReturnType<typeof parse>;
  try {
    args = parse(argv);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}\n`);
    return 2;
  }
  const mint = tokenMint(await openSigningKey(args.keys), "bimride", "bimride", () => Date.now());
  await using simulation = new Simulation({
    fleet: createFleet({
      seed: args.seed,
      cars: args.cars,
      graph: await readRoadGraph(),
      startMs: Date.now(),
    }),
    grpcAddress: args.grpc,
    httpUrl: args.http,
    locate: args.locate,
    ...(args.trust ? { trust: args.trust } : {}),
    mint: async (role, subject) => (await mint({ role, subject, ttlMs: TOKEN_TTL_MS })).token,
    clock: systemClock,
    random: Math.random,
    logger: createTelemetry({ role: "simulate", level: "warn" }).logger,
    busyShare: args.busy,
  });
  const stop = Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
  await simulation.start();
  const report = setInterval(() => {
    process.stdout.write(`${args.cars} cars, ${simulation.running} trips, ${simulation.acked} fixes acked\n`);
  }, REPORT_MS);
  await stop;
  clearInterval(report);
  return 0;
}

function parse(argv: readonly string[]) {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      cars: { type: "string", default: "100" },
      seed: { type: "string", default: "1" },
      http: { type: "string", default: "http://127.0.0.1:8080" },
      grpc: { type: "string", default: "127.0.0.1:50051" },
      keys: { type: "string", default: ".bimride/keys" },
      busy: { type: "string", default: "0.6" },
      locate: { type: "boolean", default: false },
      ca: { type: "string" },
    },
  });
  const [cars, seed, busy] = [Number(values.cars), Number(values.seed), Number(values.busy)];
  if (!(cars >= 1 && cars <= 10_000)) throw new RangeError("--cars takes 1 to 10,000");
  if (!Number.isInteger(seed)) throw new RangeError("--seed takes a whole number");
  if (!(busy >= 0 && busy <= 1)) throw new RangeError("--busy takes 0 to 1");
  return { ...values, cars, seed, busy, trust: trustOf(values.http, values.ca) };
}

function trustOf(http: string, ca: string | undefined): (() => ClientTrust) | undefined {
  const isSecure = URL.canParse(http) && new URL(http).protocol === "https:";
  if (!isSecure && ca !== undefined) throw new RangeError("--ca is for a --http that begins with https://");
  const authority = ca === undefined ? undefined : readFileSync(ca, "utf8");
  return isSecure ? () => ({ authority }) : undefined;
}
