import type { RequestOptions } from "node:https";
import { createSecureContext } from "node:tls";
import { type ChannelCredentials, type ChannelOptions, credentials } from "@grpc/grpc-js";
import type { ClientTrust } from "../internal/core/tls.ts";

/** A certificate that is believed by itself is so under every name. */
const anyName = () => undefined;

/** Options of an HTTPS request that believes so. */
export function requestTrust(trust: ClientTrust): RequestOptions {
  if ("certificate" in trust) return { ...onlyThis(trust.certificate), checkServerIdentity: anyName };
  return trust.authority === undefined ? {} : { ca: trust.authority };
}

/** Options of a gRPC channel with these credentials. */
export function channelOptions(trust: ClientTrust | undefined): ChannelOptions {
  // No name is checked then, and Node warns of an address that is given for one.
  return trust && "certificate" in trust ? { "grpc.ssl_target_name_override": "localhost" } : {};
}

/** Credentials of a gRPC channel that believes so; plaintext when there is nothing to believe. */
export function channelTrust(trust: ClientTrust | undefined): ChannelCredentials {
  if (trust === undefined) return credentials.createInsecure();
  if ("certificate" in trust) {
    const context = createSecureContext(onlyThis(trust.certificate));
    return credentials.createFromSecureContext(context, { checkServerIdentity: anyName });
  }
  return credentials.createSsl(trust.authority === undefined ? null : Buffer.from(trust.authority));
}

/** The one certificate at which every chain must end, although it is no authority's. */
function onlyThis(certificate: string) {
  return { ca: certificate, allowPartialTrustChain: true };
}
