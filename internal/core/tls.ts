/** What a TLS server of Node takes: HTTP/1.1, HTTP/2, bare TLS. */
type SecureServer = {
  setSecureContext(options: { cert: string; key: string; minVersion: "TLSv1.2" }): void;
  once(event: "close", listener: () => void): unknown;
};

/** The certificate that all ports of a process show, as it is now: it is renewed while they listen. */
export type ServerTls = {
  /** Certificate, then those between it and its authority, PEM. */
  readonly cert: string;
  /** Its private key, PEM. Never to be logged. */
  readonly key: string;
  /** Older protocols are refused. */
  readonly minVersion: "TLSv1.2";
  /** Gives a server every renewed certificate until it closes. New connections get it, open ones stay as they are. */
  follow(server: SecureServer): void;
};

/**
 * What a client believes that connects by TLS: what an authority has signed for the name it connects to, or one very
 * certificate, whatever names stand in it. Texts are PEM; without an authority it is the runtime's own list.
 */
export type ClientTrust = { authority: string | undefined } | { certificate: string };
