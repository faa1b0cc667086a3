import "reflect-metadata"; // @peculiar/x509 asks for it before it loads
import { randomBytes } from "node:crypto";
import { isIP } from "node:net";
import * as x509 from "@peculiar/x509";
import { NAME_CONSTRAINTS, nameConstraints } from "./name-constraints.ts";

/** A certificate with its key, PEM. */
export type Issued = { cert: string; key: string };

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;
/** Clocks of phones may be behind by so much. */
const BACKDATED_MS = 3_600_000;
const AUTHORITY_DAYS = 1_825;
/** Apple's devices refuse longer ones than 398 days of authorities that they know, and the trend is downwards. */
const CERTIFICATE_DAYS = 365;

/**
 * Makes an authority that may sign certificates of servers and no other authorities.
 * @param name to be told from others by whoever trusts it
 * @param hosts what it may sign for beyond private networks and names
 */
export async function makeAuthority(name: string, hosts: readonly string[], nowMs: number): Promise<Issued> {
  const keys = await newKeys();
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    ...{ name: [{ CN: [name] }, { O: ["Bimride development"] }], keys, signingAlgorithm: ALGORITHM },
    ...validity(nowMs, AUTHORITY_DAYS),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      new x509.Extension(NAME_CONSTRAINTS, true, nameConstraints(hosts)),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return pem(cert, keys);
}

/** Makes a certificate for a server of these names and addresses. */
export async function issueCertificate(
  authority: Issued,
  hosts: readonly string[],
  nowMs: number,
): Promise<Issued> {
  const issuer = new x509.X509Certificate(authority.cert);
  const der = x509.PemConverter.decodeFirst(authority.key);
  const signingKey = await crypto.subtle.importKey("pkcs8", der, ALGORITHM, false, ["sign"]);
  const keys = await newKeys();
  const names = hosts.map((value) => ({ type: isIP(value) ? ("ip" as const) : ("dns" as const), value }));
  const cert = await x509.X509CertificateGenerator.create({
    ...{ subject: [{ CN: ["Bimride development server"] }], issuer: issuer.subject },
    ...{ publicKey: keys.publicKey, signingKey, signingAlgorithm: ALGORITHM },
    ...validity(nowMs, CERTIFICATE_DAYS),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(names),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return pem(cert, keys);
}

function newKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

/** With a serial number of 127 random bits: positive, as RFC 5280 wants it. */
function validity(nowMs: number, days: number) {
  const serial = randomBytes(16);
  serial[0]! &= 0x7f;
  return {
    serialNumber: serial.toString("hex"),
    notBefore: new Date(nowMs - BACKDATED_MS),
    notAfter: new Date(nowMs + days * DAY_MS),
  };
}

async function pem(cert: x509.X509Certificate, { privateKey }: CryptoKeyPair): Promise<Issued> {
  const key = x509.PemConverter.encode(await crypto.subtle.exportKey("pkcs8", privateKey), "PRIVATE KEY");
  return { cert: `${cert.toString("pem")}\n`, key: `${key}\n` };
}
