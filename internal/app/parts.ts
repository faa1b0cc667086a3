import { randomBytes } from "node:crypto";
import type { TokenMint } from "../auth/mint.ts";
import type { Authenticator, Role } from "../auth/principal.ts";
import type { Settings } from "../config/settings.ts";
import type { Limits } from "../core/limits.ts";
import type { Clock } from "../core/time.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { TripService } from "../trips/service.ts";
import type { Engines } from "./engines.ts";

/** What the roles of one process share. */
export type Parts = {
  settings: Settings;
  limits: Limits;
  clock: Clock;
  telemetry: Telemetry;
  engines: Engines;
  trips: TripService;
  authenticator: Authenticator;
  /** Undefined where tokens come from elsewhere. */
  mint: TokenMint | undefined;
};

/** The whole service in one process. */
export type App = AsyncDisposable & {
  readonly httpUrl: string;
  readonly grpcAddress: string;
  /** The engines behind it, for tests and tools. */
  readonly engines: Engines;
  /** A token of the process's own keys. Throws where tokens come from elsewhere. */
  mint(role: Role, subject: string): Promise<string>;
  /** Resolves once every readiness check is content. */
  ready(): Promise<void>;
  /** Resolves once the live projection has read what the log holds now. */
  liveCaughtUp(): Promise<void>;
};

/** For ids that nobody may guess. */
export function secureRandom(count: number): Uint8Array {
  return randomBytes(count);
}
