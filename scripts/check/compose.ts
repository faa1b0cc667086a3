import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Ajv } from "ajv";
import { parse } from "yaml";
import { REGISTRY } from "../../internal/config/registry.ts";

/** The file that is checked. */
export const COMPOSE_PATH = "docker-compose.yml";

const HTTP_PORT = REGISTRY.httpPort.default;
const GRPC_PORT = REGISTRY.grpcPort.default;

/** The folder of a role in its container, see deploy/Dockerfile. */
const DATA_FOLDER = "/data";

type Service = {
  image?: string;
  build?: { context: string; dockerfile: string };
  depends_on?: Record<string, { condition?: string }>;
  volumes?: string[];
  healthcheck?: unknown;
  command?: string | string[];
  environment?: Record<string, string>;
  ports?: string[];
  restart?: string;
};

type Compose = { services: Record<string, Service>; volumes: Record<string, unknown> };

/**
 * What is wrong with docker-compose.yml: by the Compose Specification's own schema, which the package docker-compose
 * ships, and in what a schema can't see: names that lead nowhere, files that are not there, public addresses where
 * nobody listens, services that end and that nobody waits for, spools that don't outlive their container.
 */
export async function composeProblems(root: string): Promise<string[]> {
  const text = await readFile(join(root, COMPOSE_PATH), "utf8");
  const document: unknown = parse(text, { merge: true });
  const wrong = await schemaProblems(document);
  return (wrong.length > 0 ? wrong : deadEnds(root, document as Compose)).map(
    (problem) => `${COMPOSE_PATH}: ${problem}`,
  );
}

async function schemaProblems(document: unknown): Promise<string[]> {
  const path = createRequire(import.meta.url).resolve("docker-compose/schema/compose-spec.json");
  // Ajv knows draft 7 under its http name only; it is its default.
  const { $schema: _, ...schema } = JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;
  const validate = new Ajv({ strict: false, validateFormats: false, allErrors: true }).compile(schema);
  if (validate(document)) return [];
  return (validate.errors ?? []).map(
    (error) => `${error.instancePath || "the file"} ${error.message} ${JSON.stringify(error.params)}`,
  );
}

function deadEnds(root: string, { services, volumes }: Compose): string[] {
  const problems: string[] = [];
  const used = new Set<string>();
  for (const [name, service] of Object.entries(services)) {
    for (const other of Object.keys(service.depends_on ?? {})) {
      if (services[other] === undefined) problems.push(`${name} depends on ${other}, which is no service`);
    }
    for (const mount of service.volumes ?? []) {
      const [source] = withDefaults(mount).split(":") as [string];
      if (source.startsWith("./")) {
        if (!existsSync(join(root, source))) problems.push(`${name} mounts ${source}, which is not there`);
      } else if (!source.startsWith("/")) {
        used.add(source);
        if (!(source in volumes)) problems.push(`${name} mounts ${source}, which is no volume`);
      }
    }
    if (service.build !== undefined && !existsSync(join(root, service.build.dockerfile))) {
      problems.push(`${name} is built from ${service.build.dockerfile}, which is not there`);
    }
    problems.push(...unreachable(name, service));
    if (service.restart === "unless-stopped" && service.healthcheck === undefined) {
      problems.push(`${name} has no health check`);
    }
  }
  problems.push(...unawaited(services), ...lostSpools(services));
  const unused = Object.keys(volumes).filter((volume) => !used.has(volume));
  return [...problems, ...unused.map((volume) => `nobody mounts the volume ${volume}`)];
}

/** Services that do their work and end: `up --wait` fails over one unless another service waits for its success. */
function unawaited(services: Compose["services"]): string[] {
  const awaited = new Set(
    Object.values(services).flatMap(({ depends_on = {} }) =>
      Object.keys(depends_on).filter(
        (other) => depends_on[other]?.condition === "service_completed_successfully",
      ),
    ),
  );
  return Object.entries(services)
    .filter(([name, { restart }]) => restart !== "unless-stopped" && !awaited.has(name))
    .map(([name]) => `${name} ends by itself, and nobody waits for its success`);
}

/** Gateways whose spool goes with the container, or that would share one. */
function lostSpools(services: Compose["services"]): string[] {
  const problems: string[] = [];
  const holders = new Map<string, string>();
  for (const [name, { command, volumes = [] }] of Object.entries(services)) {
    if (roleOf(command) !== "gateway") continue;
    const volume = volumes.find((mount) => mount.split(":")[1] === DATA_FOLDER)?.split(":")[0];
    const other = volume && holders.get(volume);
    if (!volume) problems.push(`${name} keeps its spool in no named volume`);
    else if (other) problems.push(`${name} has the spool of ${other}`);
    else holders.set(volume, name);
  }
  return problems;
}

function roleOf(command: Service["command"]): string | undefined {
  return Array.isArray(command) ? command[0] : command;
}

/** Where placement would send clients of a gateway or edge, and nobody outside the containers gets to. */
function unreachable(name: string, { command, environment = {}, ports = [] }: Service): string[] {
  const role = roleOf(command);
  if (role !== "gateway" && role !== "edge") return [];
  const published = (port: number) =>
    ports.find((mapping) => mapping.endsWith(`:${port}`))?.slice(0, -`:${port}`.length) ?? "nowhere";
  const wanted: Record<string, string> = { BIMRIDE_HTTP_PUBLIC_URL: `http://${published(HTTP_PORT)}` };
  if (role === "gateway") wanted.BIMRIDE_GRPC_PUBLIC_ADDRESS = `${published(GRPC_PORT)}`;
  return Object.entries(wanted)
    .filter(([variable, address]) => environment[variable] !== address)
    .map(([variable, address]) => `${name} is reached at ${address}, which is not its ${variable}`);
}

/** Compose's `${NAME:-default}`, as it is without the environment. */
function withDefaults(text: string): string {
  return text.replaceAll(/\$\{\w+:-([^}]*)\}/g, "$1");
}
