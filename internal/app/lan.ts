import { randomBytes } from "node:crypto";
import { hostname, networkInterfaces } from "node:os";
import type { Settings } from "../config/settings.ts";
import { EngineError } from "../core/engine-error.ts";
import { systemClock } from "../core/time.ts";
import type { DevelopmentCertificates } from "../tls/development/certificates.ts";
import type { DataFolder } from "./data-folder.ts";
import { type Interfaces, lanAddresses } from "./lan-addresses.ts";
import { machineNames } from "./machine-names.ts";
import { makeFolder } from "./make-folder.ts";
import { ALL_ROLES, type Role } from "./roles.ts";

/** What a process knows that lets devices of its network in (`npm start -- --lan`). */
export type Lan = {
  /** Its addresses there, the likeliest first; empty where it is in no network, and then it stays on loopback. */
  addresses: readonly string[];
  /** With this a phone joins the demo; for the terminal only, never for a log. Undefined without demo mode. */
  joinCode: string | undefined;
};

/** Where development certificates are kept within the data folder; `bimctl certs` uses the same. */
export const CERTIFICATES_FOLDER = "tls";
/** Where to listen to be reached under all of them. */
export const EVERY_ADDRESS = "0.0.0.0";
/** 128 bits. */
const JOIN_CODE_BYTES = 16;

/**
 * The settings as they are in this network, with what there is to know of it; as given without listen.lan. Throws an
 * EngineError for a role that is not everything.
 */
export function enterLan(
  given: Settings,
  roles: ReadonlySet<Role>,
  interfaces: Interfaces = networkInterfaces(),
): { settings: Settings; lan: Lan | undefined } {
  if (!given.listenLan) return { settings: given, lan: undefined };
  if (roles.size < ALL_ROLES.size)
    throw new EngineError(
      "listen.lan",
      "is for one process that is everything (npm start); a role listens where http.host and grpc.host say",
    );
  const addresses = lanAddresses(interfaces);
  const isSet = given.given.has("httpHost") || addresses.length === 0;
  const settings = isSet ? given : { ...given, httpHost: EVERY_ADDRESS };
  const joinCode = given.demoEnabled ? randomBytes(JOIN_CODE_BYTES).toString("base64url") : undefined;
  return { settings, lan: { addresses, joinCode } };
}

/** The development certificates of the data folder, for this machine as it is now. */
export async function lanCertificates(folder: DataFolder, lan: Lan): Promise<DevelopmentCertificates> {
  // Loaded where it is needed: few starts make certificates.
  const { developmentCertificates } = await import("../tls/development/certificates.ts");
  const machine = hostname();
  const path = folder.path(CERTIFICATES_FOLDER);
  makeFolder(path);
  const hosts = [...machineNames(machine), ...lan.addresses];
  return developmentCertificates({ folder: path, hosts, machine, nowMs: systemClock.now() });
}
