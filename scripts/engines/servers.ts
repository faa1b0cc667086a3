import { findProgram } from "../../test/kit/engines/find-program.ts";
import { installWithGo } from "./go-program.ts";
import { missing, type Outcome, ready } from "./outcome.ts";
import { PINNED } from "./pinned.ts";
import { isAtLeast, runProgram, versionIn } from "./run-program.ts";

/** nats-server: found when new enough, else built. */
export async function haveNatsServer(): Promise<Outcome> {
  const { module, version, atLeast } = PINNED.natsServer;
  const found = await versionOf("nats-server");
  if (found !== undefined && isAtLeast(found.version, atLeast)) return ready(describe("nats-server", found));
  return installWithGo({ name: "nats-server", source: `${module}@v${version}` });
}

/** toxiproxy-server: found, else built. */
export async function haveToxiproxy(): Promise<Outcome> {
  const { module, package: folder, version } = PINNED.toxiproxy;
  const found = findProgram("toxiproxy-server");
  if (found !== undefined) return ready(`toxiproxy-server: found, ${found}`);
  return installWithGo({
    name: "toxiproxy-server",
    source: `${module}${folder}@v${version}`,
    builtAs: "server",
  });
}

/** grpcurl, the stock gRPC client of the documents' lines: found, else built. */
export async function haveGrpcurl(): Promise<Outcome> {
  const { module, package: folder, version } = PINNED.grpcurl;
  const found = findProgram("grpcurl");
  if (found !== undefined) return ready(`grpcurl: found, ${found}`);
  return installWithGo({ name: "grpcurl", source: `${module}${folder}@v${version}` });
}

/** redis-server: found when new enough. It comes from the system's packages. */
export async function haveRedis(): Promise<Outcome> {
  const { atLeast } = PINNED.redis;
  const found = await versionOf("redis-server");
  const byHand = "Debian and Ubuntu: apt install redis-server; macOS: brew install redis";
  if (found === undefined) return missing(`redis-server: missing; ${byHand}`);
  if (isAtLeast(found.version, atLeast)) return ready(describe("redis-server", found));
  return missing(
    `redis-server: ${found.version} at ${found.path} is older than ${atLeast}; get a newer one: ${byHand}`,
  );
}

type Found = { path: string; version: string };

async function versionOf(name: string): Promise<Found | undefined> {
  const path = findProgram(name);
  if (path === undefined) return undefined;
  const version = versionIn((await runProgram(path, ["--version"])).output);
  return version === undefined ? undefined : { path, version };
}

function describe(name: string, { path, version }: Found): string {
  return `${name}: found, ${version} at ${path}`;
}
