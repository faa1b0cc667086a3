import type { Settings } from "../config/settings.ts";
import { systemClock } from "../core/time.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { tlsEvents } from "../tls/events.ts";
import type { CertificateFiles } from "../tls/read-certificate.ts";
import { type ServedCertificate, serveCertificate } from "../tls/served-certificate.ts";

/**
 * The certificate that the settings name, to be read before anything is made; undefined when they name none. Rejects with
 * an EngineError when it can't be used.
 */
export async function openCertificate(
  { tlsCertFile: certFile, tlsKeyFile: keyFile }: Settings,
  telemetry: Telemetry,
): Promise<ServedCertificate | undefined> {
  return certFile === "" ? undefined : openCertificateOf({ certFile, keyFile }, telemetry);
}

/** The certificate of these files. */
export function openCertificateOf(
  files: CertificateFiles,
  { logger, registry }: Telemetry,
): Promise<ServedCertificate> {
  const events = tlsEvents({ registry, logger: logger.child({ part: "tls" }) });
  return serveCertificate(files, { events, clock: systemClock });
}
