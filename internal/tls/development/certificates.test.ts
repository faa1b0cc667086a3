import { createPrivateKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:tls";
import { describe, expect, test } from "vitest";
import { tempFolder } from "../../../test/kit/temp-folder.ts";
import { developmentCertificates } from "./certificates.ts";
import { issueCertificate } from "./issue.ts";
import { isPrivate } from "./name-constraints.ts";

const DAY_MS = 86_400_000;
const nowMs = Date.now();

function makerOf(folder: string) {
  return (hosts: readonly string[] = ["192.168.1.7"], atMs = nowMs) =>
    developmentCertificates({ folder, hosts, machine: "test", nowMs: atMs });
}

/** Shakes hands by the certificate, as a client that trusts the authority; rejects with what the client minds. */
async function shakeHands(
  served: { cert: string; key: string },
  ca: string,
  servername: string,
): Promise<void> {
  const server = createServer(served).listen(0, "127.0.0.1");
  server.on("tlsClientError", () => {}); // the client's to judge
  await once(server, "listening");
  const socket = connect({ host: "127.0.0.1", port: (server.address() as AddressInfo).port, ca, servername });
  try {
    await once(socket, "secureConnect");
  } finally {
    socket.destroy();
    server.close();
  }
}

describe("development certificates", () => {
  test("are an authority for nothing but servers, and a certificate that phones take", async () => {
    await using folder = await tempFolder();
    const found = await makerOf(folder.path)(["192.168.1.7", "phone.local", "10.0.0.3"]);
    const [ca, cert] = [new X509Certificate(found.ca), new X509Certificate(await readFile(found.certFile))];
    expect(found.made).toEqual({ authority: true, certificate: true });
    expect([ca.ca, cert.ca]).toEqual([true, false]);
    expect(cert.checkIssued(ca) && cert.verify(ca.publicKey) && ca.verify(ca.publicKey)).toBe(true);
    for (const address of ["127.0.0.1", "::1", "192.168.1.7", "10.0.0.3"])
      expect(cert.checkIP(address)).toBe(address);
    for (const name of ["localhost", "phone.local"]) expect(cert.checkHost(name)).toBe(name);
    expect([cert.checkIP("192.168.1.8"), cert.checkHost("example.com")]).toEqual([undefined, undefined]);
    expect(cert.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]); // serverAuth and nothing else
    expect(cert.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" });
    expect(cert.validToDate.getTime() - cert.validFromDate.getTime()).toBeLessThanOrEqual(397 * DAY_MS);
    expect(found.fingerprint).toBe(ca.fingerprint256);
    const caKey = createPrivateKey(await readFile(folder.file("ca-key.pem")));
    expect(ca.checkPrivateKey(caKey)).toBe(true);
    for (const name of ["ca-key.pem", "key.pem"])
      expect((await stat(folder.file(name))).mode & 0o777).toBe(0o600);
  });

  test("are believed by whoever trusts the authority", async () => {
    await using folder = await tempFolder();
    const found = await makerOf(folder.path)();
    const served = {
      cert: await readFile(found.certFile, "utf8"),
      key: await readFile(found.keyFile, "utf8"),
    };
    await shakeHands(served, found.ca, "localhost");
    await expect(shakeHands(served, found.ca, "example.com")).rejects.toMatchObject({
      code: "ERR_TLS_CERT_ALTNAME_INVALID",
    });
  });

  test("stay as they are while they will do", async () => {
    await using folder = await tempFolder();
    const make = makerOf(folder.path);
    const first = await make(["192.168.1.7", "track.example.com"]);
    for (const hosts of [["track.example.com"], [], ["192.168.1.7"]]) {
      const again = await make(hosts, nowMs + 300 * DAY_MS);
      expect(again).toMatchObject({ ca: first.ca, made: { authority: false, certificate: false } });
    }
  });

  test("are renewed by the same authority for another address of the network, and in their last 30 days", async () => {
    await using folder = await tempFolder();
    const make = makerOf(folder.path);
    const { ca } = await make();
    const renewed = { ca, made: { authority: false, certificate: true } };
    expect(await make(["192.168.1.8"])).toMatchObject(renewed);
    expect(await make(["192.168.1.8"], nowMs + 336 * DAY_MS)).toMatchObject(renewed);
  });

  test("get a new authority in its last 30 days, for a host that it may not sign for, and for a damaged one", async () => {
    await using folder = await tempFolder();
    const make = makerOf(folder.path);
    const anew = { made: { authority: true, certificate: true } };
    await make();
    expect(await make(["track.example.com"])).toMatchObject(anew);
    expect(await make(["203.0.113.9"])).toMatchObject(anew);
    expect(await make([], nowMs + 1_796 * DAY_MS)).toMatchObject(anew);
    await writeFile(folder.file("ca-key.pem"), "damaged");
    expect(await make()).toMatchObject(anew);
    await mkdir(folder.file("other"));
    expect((await makerOf(folder.file("other"))()).made).toEqual(anew.made);
  });

  test("the authority is not believed for anybody else, whoever has its key", async () => {
    await using folder = await tempFolder();
    const { ca } = await makerOf(folder.path)(["track.example.com"]);
    const authority = { cert: ca, key: await readFile(folder.file("ca-key.pem"), "utf8") };
    const stolen = await issueCertificate(authority, ["example.com"], nowMs);
    await expect(shakeHands(stolen, ca, "example.com")).rejects.toThrow(/permitted subtree violation/);
    await shakeHands(
      await issueCertificate(authority, ["track.example.com"], nowMs),
      ca,
      "track.example.com",
    );
  });
});

test.each([
  [
    true,
    [
      "10.1.2.3",
      "172.31.255.255",
      "192.168.0.1",
      "127.0.0.9",
      "::1",
      "fd12::7",
      "fe80::1",
      "a.local",
      "localhost",
    ],
  ],
  [false, ["11.0.0.1", "172.32.0.1", "192.169.0.1", "::2", "2001:db8::1", "local.example.com", "alocal"]],
])("private is %s of %j", (expected, hosts) => {
  for (const host of hosts) expect([host, isPrivate(host)]).toEqual([host, expected]);
});
