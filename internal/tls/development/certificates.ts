import { createPrivateKey, X509Certificate } from "node:crypto";
import { chmod, readFile, rename, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import type { CertificateFiles } from "../read-certificate.ts";
import { type Issued, issueCertificate, makeAuthority } from "./issue.ts";
import { isPrivate, permits } from "./name-constraints.ts";

/** Certificates of a folder, and what was made of them just now. */
export type DevelopmentCertificates = CertificateFiles & {
  caFile: string;
  /** The authority's certificate, PEM. */
  ca: string;
  /** SHA-256 of it, as devices show it: bytes in hex with colons. */
  fingerprint: string;
  /** Names and addresses that the server's certificate is for. */
  hosts: readonly string[];
  expiresAtMs: number;
  /** What was not there or would not do any more. A new authority has to be trusted anew. */
  made: { authority: boolean; certificate: boolean };
};

export type DevelopmentOptions = {
  /** Exists. */
  folder: string;
  /** Names and addresses that the server is reached by, beside those of loopback. */
  hosts: readonly string[];
  /** Names the authority that is made, for whoever trusts it: this machine. */
  machine: string;
  /** Wall clock, milliseconds since 1970. */
  nowMs: number;
};

/** What is valid for less is made anew. */
const RENEW_BEFORE_MS = 30 * 86_400_000;
const LOOPBACK_HOSTS = ["localhost", "127.0.0.1", "::1"];

/**
 * The development authority of the folder and a certificate that it signed for the hosts: those that are there while they
 * do, else new ones. Keys are for their owner's eyes only. What somebody else put there is not taken for ours and replaced.
 */
export async function developmentCertificates(options: DevelopmentOptions): Promise<DevelopmentCertificates> {
  const { folder, nowMs, machine } = options;
  const hosts = [...new Set([...LOOPBACK_HOSTS, ...options.hosts])];
  const file = (name: string) => join(folder, name);
  const ca = { certFile: file("ca.pem"), keyFile: file("ca-key.pem") };
  const server = { certFile: file("cert.pem"), keyFile: file("key.pem") };

  const constraints = hosts.filter((host) => !isPrivate(host));
  const knownAuthority = await read(ca);
  const authority =
    knownAuthority && isAuthorityFor(knownAuthority, constraints, nowMs)
      ? knownAuthority
      : await makeAuthority(`Bimride development, ${machine}, ${day(nowMs)}`, constraints, nowMs);
  if (authority !== knownAuthority) await write(ca, authority);

  const knownServer = await read(server);
  const certificate =
    knownServer && isOf(authority, knownServer, hosts, nowMs)
      ? knownServer
      : await issueCertificate(authority, hosts, nowMs);
  if (certificate !== knownServer) await write(server, certificate);

  return {
    ...server,
    caFile: ca.certFile,
    ca: authority.cert,
    fingerprint: new X509Certificate(authority.cert).fingerprint256,
    hosts,
    expiresAtMs: new X509Certificate(certificate.cert).validToDate.getTime(),
    made: { authority: authority !== knownAuthority, certificate: certificate !== knownServer },
  };
}

function isAuthorityFor(issued: Issued, hosts: readonly string[], nowMs: number): boolean {
  const cert = new X509Certificate(issued.cert);
  return (
    cert.ca &&
    permits(cert.raw, hosts) &&
    cert.checkIssued(cert) &&
    cert.verify(cert.publicKey) &&
    isValid(cert, nowMs)
  );
}

function isOf(authority: Issued, issued: Issued, hosts: readonly string[], nowMs: number): boolean {
  const [ca, cert] = [new X509Certificate(authority.cert), new X509Certificate(issued.cert)];
  const covers = (host: string) => (isIP(host) ? cert.checkIP(host) : cert.checkHost(host)) !== undefined;
  return cert.checkIssued(ca) && cert.verify(ca.publicKey) && isValid(cert, nowMs) && hosts.every(covers);
}

function isValid({ validFromDate, validToDate }: X509Certificate, nowMs: number): boolean {
  return nowMs >= validFromDate.getTime() && nowMs + RENEW_BEFORE_MS < validToDate.getTime();
}

/** The pair of the files; undefined where there is none, or what can't be one. */
async function read({ certFile, keyFile }: CertificateFiles): Promise<Issued | undefined> {
  try {
    const [cert, key] = [await readFile(certFile, "utf8"), await readFile(keyFile, "utf8")];
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)) ? { cert, key } : undefined;
  } catch {
    return undefined; // not there or damaged: the same to whoever makes a new one
  }
}

/** The key first: a certificate without its key would be taken for one that can be used. */
async function write({ certFile, keyFile }: CertificateFiles, { cert, key }: Issued): Promise<void> {
  await replace(keyFile, key, 0o600);
  await replace(certFile, cert, 0o644);
}

/** Written beside and moved into place, so that a reader never sees half of it. */
async function replace(path: string, content: string, mode: number): Promise<void> {
  const temporary = `${path}.new`;
  await writeFile(temporary, content, { mode });
  await chmod(temporary, mode);
  await rename(temporary, path);
}

function day(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10);
}
