import { existsSync } from "node:fs";
import { jwksFile, jwksUrl, type KeySource } from "../auth/jwks.ts";
import { jwtAuthenticator } from "../auth/jwt.ts";
import { jwksPathOf, makeKeyFiles, openSigningKey } from "../auth/keys.ts";
import { type TokenMint, tokenMint } from "../auth/mint.ts";
import { limitsOf, type Settings, SettingsError } from "../config/settings.ts";
import type { Limits } from "../core/limits.ts";
import { type Clock, systemClock } from "../core/time.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { TripAnnouncer } from "../trips/announcer.ts";
import { TripService } from "../trips/service.ts";
import { type DataFolder, openDataFolder } from "./data-folder.ts";
import { type Edge, startEdge } from "./edge-role.ts";
import { openEngines } from "./engines.ts";
import { startGateway } from "./gateway-role.ts";
import { type App, type Parts, secureRandom } from "./parts.ts";
import { choosePort } from "./ports.ts";
import { type Processor, startProcessor } from "./processor-role.ts";

export type { App } from "./parts.ts";

export type AppOptions = {
  telemetry: Telemetry;
  /** Time of the fixes; the machine's by default. */
  clock?: Clock;
  /** Told what a person at the terminal should know. */
  print?(line: string): void;
  /** Bounds to override, for tools that let time run faster than it does. */
  limits?: Partial<Limits>;
  /** Make signing keys in the data folder when none are configured, as demo mode does. */
  ownKeys?: boolean;
};

const TOKEN_TTL_MS = 48 * 3_600_000;
const POLL_MS = 20;

/** Builds and starts everything; disposing ends it in reverse order: no new work first, the stores last. */
export async function startApp(settings: Settings, options: AppOptions): Promise<App> {
  const { telemetry, clock = systemClock, print = () => {} } = options;
  const limits = { ...limitsOf(settings), ...options.limits };
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(openDataFolder(settings.dataDir, settings.dataFresh));
  const keys = await openKeys(settings, folder, clock, options.ownKeys ?? settings.demoEnabled);
  const engines = await openEngines(stack, {
    path: folder.path,
    region: settings.region,
    clock,
    limits,
    logMaxBytes: settings.logMaxBytes,
    logger: telemetry.logger,
  });
  const { authIssuer: issuer, authAudience: audience, region } = settings;
  const { log, bus, trips } = engines;
  const announcer = stack.use(
    new TripAnnouncer({ trips, log, bus, clock, logger: telemetry.logger.child({ part: "trips" }) }),
  );
  const parts: Parts = {
    settings,
    limits,
    clock,
    telemetry,
    engines,
    trips: new TripService({ trips, announcer, clock, limits, region, randomBytes: secureRandom }),
    authenticator: jwtAuthenticator({ keys: keys.source, issuer, audience, clock }),
    mint: keys.mint,
  };
  const processor = stack.use(await startProcessor(parts));
  // Nobody may see a state older than one that was shown before a crash: first the replay, then the doors.
  await processor.liveCaughtUp();
  const port = (setting: "http" | "grpc") =>
    setting === "http"
      ? choosePort(settings.httpPort, settings.httpHost, settings.given.has("httpPort"), "http.port", print)
      : choosePort(settings.grpcPort, settings.grpcHost, settings.given.has("grpcPort"), "grpc.port", print);
  const gateway = stack.use(await startGateway(parts, await port("grpc")));
  const edge = stack.use(await startEdge(parts, await port("http"), gateway, processor));
  const app = face(parts, processor, edge, gateway.address);
  if (settings.demoEnabled) {
    const { startDemo } = await import("./demo.ts");
    stack.use(await startDemo(app, parts));
  }
  const owned = stack.move();
  return Object.assign(app, { [Symbol.asyncDispose]: () => owned.disposeAsync() });
}

function face(
  parts: Parts,
  processor: Processor,
  edge: Edge,
  grpcAddress: string,
): Omit<App, typeof Symbol.asyncDispose> {
  return {
    httpUrl: edge.url,
    grpcAddress,
    engines: parts.engines,
    async mint(role, subject) {
      if (!parts.mint) throw new Error("this process does not sign tokens: the key set comes from elsewhere");
      return (await parts.mint({ role, subject, ttlMs: TOKEN_TTL_MS })).token;
    },
    async ready() {
      while (!(await edge.isReady())) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    },
    liveCaughtUp: () => processor.liveCaughtUp(),
  };
}

type Keys = { source: KeySource; mint: TokenMint | undefined };

async function openKeys(
  settings: Settings,
  folder: DataFolder,
  clock: Clock,
  mayMake: boolean,
): Promise<Keys> {
  if (settings.authJwksUrl) return { source: jwksUrl(new URL(settings.authJwksUrl)), mint: undefined };
  if (settings.authJwksFile) return { source: await jwksFile(settings.authJwksFile, clock), mint: undefined };
  const keyFolder = folder.path("keys");
  const there = existsSync(jwksPathOf(keyFolder));
  if (!there && !mayMake) {
    throw new SettingsError([
      "auth.jwks_file or auth.jwks_url must be set without demo mode (or make development keys: npm run -s bimctl -- keys)",
    ]);
  }
  const key = there ? await openSigningKey(keyFolder) : await makeKeyFiles(keyFolder);
  const mint = tokenMint(key, settings.authIssuer, settings.authAudience, () => clock.now());
  return { source: await jwksFile(jwksPathOf(keyFolder), clock), mint };
}
