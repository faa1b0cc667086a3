import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { DevelopmentCertificates } from "../tls/development/certificates.ts";
import { howToTrust } from "./how-to-trust.ts";

/** The plain HTTP port that hands out the authority's certificate. */
export type CaServer = AsyncDisposable & { readonly port: number };

export const CA_PATH = "/ca.pem";
const CERTIFICATE_TYPE = "application/x-x509-ca-cert";
const MAX_CONNECTIONS = 50;
/** A request must be in whole by then. */
const REQUEST_TIMEOUT_MS = 10_000;
const HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  connection: "close",
};

/**
 * Serves a development authority's certificate and a page that says what to do with it, and nothing else: a device can't
 * fetch by TLS what it needs to believe in TLS. Rejects when the port is taken.
 */
export async function startCaServer(
  { ca, fingerprint }: DevelopmentCertificates,
  { host, port }: { host: string; port: number },
): Promise<CaServer> {
  const page = pageOf(fingerprint);
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    const isRead = request.method === "GET" || request.method === "HEAD";
    if (isRead && request.url === CA_PATH) answer(response, 200, CERTIFICATE_TYPE, ca);
    else if (isRead && request.url === "/") answer(response, 200, "text/html; charset=utf-8", page);
    else answer(response, 404, "text/plain; charset=utf-8", "There is nothing here.\n");
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.listen({ host, port });
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { ...HEADERS, "content-type": type, "content-length": Buffer.byteLength(body) });
  response.end(body);
}

/** Node leaves the body out for HEAD by itself. */
function pageOf(fingerprint: string): string {
  const steps = howToTrust(CA_PATH).map(
    (line) => `<li>${line.replaceAll("&", "&amp;").replaceAll(">", "&gt;")}</li>`,
  );
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Bimride development CA</title></head>
<body>
<h1>Bimride development CA</h1>
<p>Phones give their position to pages with a certificate that they trust. <a href="${CA_PATH}">This is the authority</a> behind the one of this machine.</p>
<p>This page came without encryption. Compare the SHA-256 fingerprint that your phone shows with the one in the terminal before you trust it:</p>
<p><code>${fingerprint}</code></p>
<ul>
${steps.join("\n")}
</ul>
</body>
</html>
`;
}
