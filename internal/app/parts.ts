import { randomBytes } from "node:crypto";
import type { TokenMint } from "../auth/mint.ts";
import type { Authenticator, Role as UserRole } from "../auth/principal.ts";
import type { Settings } from "../config/settings.ts";
import type { Limits } from "../core/limits.ts";
import type { Clock } from "../core/time.ts";
import type { EventLog } from "../eventlog/log.ts";
import type { Nodes } from "../placement/nodes.ts";
import type { Regions } from "../regions/regions.ts";
import type { Revocations } from "../sessions/revocations.ts";
import type { RollCall } from "../sessions/roll-call.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { DevelopmentCertificates } from "../tls/development/certificates.ts";
import type { ServedCertificate } from "../tls/served-certificate.ts";
import type { TripService } from "../trips/service.ts";
import type { EngineContext, Engines } from "./engines.ts";
import type { Lan } from "./lan.ts";

/** A region as this process sees it. */
export type RegionParts = { context: EngineContext; engines: Engines };

/** What a process that lets somebody in knows of who may come in, and who is in. */
export type Door = {
  /** Looks at revocations too. */
  authenticator: Authenticator;
  revocations: Revocations;
  rollCall: RollCall;
};

/** What the roles of one process share. */
export type Parts = {
  settings: Settings;
  limits: Limits;
  clock: Clock;
  telemetry: Telemetry;
  /** Names this process among the others, in logs and placement. */
  nodeId: string;
  regions: Regions;
  /** Region for places outside every polygon, else the one nearest, near the border the last one (regions/region-of.ts). */
  regionOf(latDeg: number, lonDeg: number, lastRegion: string): string;
  /** The regions that this process works with. */
  byRegion: ReadonlyMap<string, RegionParts>;
  /** The registries of gateways and edges, by region; empty where no client comes. */
  nodes: ReadonlyMap<string, Nodes>;
  /** The stores over all regions; the log is the own region's. */
  engines: Engines;
  trips: TripService;
  /** Who is let in; undefined where nobody is: a processor alone. */
  door: Door | undefined;
  /** Undefined where tokens come from elsewhere. */
  mint: TokenMint | undefined;
  /** The certificate that every port of the process shows; undefined without TLS. */
  tls: ServedCertificate | undefined;
  /** Undefined unless devices of the network are let in. */
  lan: LanParts | undefined;
};

/** What is known of the network, and the certificates that were made for it, unless the settings name others. */
export type LanParts = Lan & { certificates: DevelopmentCertificates | undefined };

/** One process of the service. */
export type App = AsyncDisposable & {
  readonly httpUrl: string;
  /** host:port of the drivers' gRPC port; empty without a gateway. */
  readonly grpcAddress: string;
  /** host:port of the devices' MQTT port; empty without a gateway. */
  readonly mqttAddress: string;
  /** For the terminal of `npm start -- --lan`: how a phone gets in, with a code that is for no log. Else empty. */
  readonly invitation: readonly string[];
  /** The engines behind it, over all regions, for tests and tools. */
  readonly engines: Engines;
  /** The logs of the regions that this process works with. */
  readonly logs: ReadonlyMap<string, EventLog>;
  /** A token of the process's own keys. Throws where tokens come from elsewhere. */
  mint(role: UserRole, subject: string): Promise<string>;
  /** Resolves once every readiness check is content. */
  ready(): Promise<void>;
  /** Resolves once the live projection has read what the log holds now of the partitions at hand. */
  liveCaughtUp(): Promise<void>;
  /** Partitions that this process's live projections work on now, over all regions. */
  readonly partitionsAtHand: number;
};

/** For ids that nobody may guess. */
export function secureRandom(count: number): Uint8Array {
  return randomBytes(count);
}
