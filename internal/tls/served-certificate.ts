import type { X509Certificate } from "node:crypto";
import type { Clock } from "../core/time.ts";
import type { ClientTrust, ServerTls } from "../core/tls.ts";
import type { TlsEvents } from "./events.ts";
import { type CertificateAndKey, type CertificateFiles, readCertificate } from "./read-certificate.ts";

/** The certificate of this process, followed by its servers and believed by its own clients. */
export type ServedCertificate = ServerTls &
  Disposable & {
    readonly leaf: X509Certificate;
    /** For clients in this very process: they believe this certificate alone, under whatever name they connect. */
    trust(): ClientTrust;
  };

export type ServedCertificateDeps = {
  events: TlsEvents;
  /** Of the machine: certificates are valid in real time. */
  clock: Clock;
  /** How often the files are looked at. */
  lookEveryMs?: number;
};

/** Whoever renews a certificate has weeks for it, so a minute is soon enough. */
const LOOK_EVERY_MS = 60_000;

/**
 * Reads the files, and again when they change, until it is disposed. A pair that can't be used is not taken and, when it
 * stays so, told once: what was served before is served on. Rejects as readCertificate does.
 */
export async function serveCertificate(
  files: CertificateFiles,
  { events, clock, lookEveryMs = LOOK_EVERY_MS }: ServedCertificateDeps,
): Promise<ServedCertificate> {
  const servers = new Set<Parameters<ServerTls["follow"]>[0]>();
  let current = await readCertificate(files, clock.now());
  events.serving(current.leaf);

  const take = (renewed: CertificateAndKey) => {
    current = renewed;
    for (const server of servers) server.setSecureContext(contextOf(renewed));
    events.renewed(renewed.leaf);
  };
  let trouble = "";
  let told = "";
  const look = async () => {
    const before = trouble;
    try {
      const found = await readCertificate(files, clock.now());
      if (found.cert !== current.cert || found.key !== current.key) take(found);
      trouble = "";
      told = "";
    } catch (error) {
      // The first time it may be half of a pair that is just being written; the second time somebody has to mend it.
      trouble = (error as Error).message;
      if (trouble === before && trouble !== told) {
        told = trouble;
        events.notRenewed(error as Error);
      }
    }
  };
  let looking = false;
  const stop = clock.every(lookEveryMs, () => {
    if (looking) return;
    looking = true;
    void look().finally(() => {
      looking = false;
    });
  });
  return {
    get cert() {
      return current.cert;
    },
    get key() {
      return current.key;
    },
    get leaf() {
      return current.leaf;
    },
    minVersion: "TLSv1.2",
    follow(server) {
      servers.add(server);
      server.once("close", () => servers.delete(server));
    },
    trust: () => ({ certificate: current.leaf.toString() }),
    [Symbol.dispose]: stop,
  };
}

function contextOf({ cert, key }: CertificateAndKey) {
  return { cert, key, minVersion: "TLSv1.2" } as const;
}
