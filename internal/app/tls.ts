import type { Settings } from "../config/settings.ts";
import { systemClock } from "../core/time.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { tlsEvents } from "../tls/events.ts";
import { type ServedCertificate, serveCertificate } from "../tls/served-certificate.ts";

/**
 * The certificate that the settings name, read before anything is made; undefined when they name none. Rejects with an
 * EngineError when it can't be used.
 */
export async function openCertificate(
  { tlsCertFile, tlsKeyFile }: Settings,
  telemetry: Telemetry,
): Promise<ServedCertificate | undefined> {
  if (tlsCertFile === "") return undefined;
  const events = tlsEvents({ ...telemetry, logger: telemetry.logger.child({ part: "tls" }) });
  return serveCertificate({ certFile: tlsCertFile, keyFile: tlsKeyFile }, { events, clock: systemClock });
}
