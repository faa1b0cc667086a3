import { writeFile } from "node:fs/promises";
import { type Issued, issueCertificate, makeAuthority } from "../../internal/tls/development/issue.ts";
import type { CertificateFiles } from "../../internal/tls/read-certificate.ts";
import type { TempFolder } from "./temp-folder.ts";

/** Files of a test's own that hold a certificate and its key, to be written again and again. */
export type TestCertificate = CertificateFiles & {
  /** What to trust, PEM. */
  ca: string;
  /** Issues another certificate for loopback and writes it into the files. @returns what it wrote */
  renew(nowMs?: number): Promise<Issued>;
};

/** Makes an authority and a certificate of it. */
export async function testCertificate(folder: TempFolder): Promise<TestCertificate> {
  const files = { certFile: folder.file("served.pem"), keyFile: folder.file("served-key.pem") };
  const authority = await makeAuthority("test", [], Date.now());
  const renew = async (nowMs = Date.now()) => {
    const issued = await issueCertificate(authority, ["localhost", "127.0.0.1"], nowMs);
    await writeFile(files.keyFile, issued.key);
    await writeFile(files.certFile, issued.cert);
    return issued;
  };
  await renew();
  return { ...files, ca: authority.cert, renew };
}
