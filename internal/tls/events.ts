import type { X509Certificate } from "node:crypto";
import { Counter, Gauge } from "prom-client";
import type { Telemetry } from "../telemetry/telemetry.ts";

/** What becomes of the certificate of this process, as metrics and log lines. */
export type TlsEvents = ReturnType<typeof tlsEvents>;

export function tlsEvents({ logger, registry }: Telemetry) {
  const registers = [registry];
  const expires = new Gauge({
    name: "bimride_tls_certificate_expires_seconds",
    help: "When the certificate that is served expires, seconds since 1970.",
    registers,
  });
  const renewals = new Counter({
    name: "bimride_tls_renewals_total",
    help: "Renewed certificates that were taken without a restart.",
    registers,
  });
  const refusals = new Counter({
    name: "bimride_tls_refused_renewals_total",
    help: "Changed certificates or keys that could not be used: the one before is served on.",
    registers,
  });
  const serving = (leaf: X509Certificate) => expires.set(leaf.validToDate.getTime() / 1_000);
  return {
    serving,
    renewed(leaf: X509Certificate): void {
      serving(leaf);
      renewals.inc();
      logger.info({ expires: leaf.validToDate.toISOString() }, "certificate renewed");
    },
    notRenewed(error: Error): void {
      refusals.inc();
      logger.warn({ err: error }, "certificate not renewed: the one before is served on");
    },
  };
}
