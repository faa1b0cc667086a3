import { hostname, networkInterfaces } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { loadSettings } from "../../config/settings.ts";
import { howToTrust } from "../how-to-trust.ts";
import { CERTIFICATES_FOLDER } from "../lan.ts";
import { lanAddresses } from "../lan-addresses.ts";
import { certificateHost, machineNames } from "../machine-names.ts";
import { makeFolder } from "../make-folder.ts";
import { type Command, UsageError } from "./command.ts";

/** Makes what a server with TLS needs for development; prints the files as assignments of the settings that want them. */
export const certsCommand: Command = {
  usage: "[--out DIR] [--host NAME_OR_ADDRESS]…",
  summary:
    "makes a development CA and a server certificate of it for this machine and the hosts (default: in the data folder), or says that those that are there will do",
  async run(args, { env, print, complain, nowMs }) {
    const { values } = parseArgs({
      args: [...args],
      options: { out: { type: "string" }, host: { type: "string", multiple: true, default: [] } },
    });
    const given = values.host.map((host) => {
      const accepted = certificateHost(host);
      if (accepted === undefined)
        throw new UsageError(`--host takes a host name or an address, not ${JSON.stringify(host)}`);
      return accepted;
    });
    const folder = values.out ?? join(loadSettings(env, []).dataDir, CERTIFICATES_FOLDER);
    try {
      makeFolder(folder);
    } catch (error) {
      complain(`the folder of the certificates, ${folder}, can't be made: ${(error as Error).message}`);
      return 1;
    }
    const { developmentCertificates } = await import("../../tls/development/certificates.ts");
    const machine = hostname();
    const hosts = [...machineNames(machine), ...lanAddresses(networkInterfaces()), ...given];
    const found = await developmentCertificates({ folder, hosts, machine, nowMs: nowMs() });
    print(`# CA ${found.caFile}: ${found.made.authority ? "made" : "kept"}, SHA-256 ${found.fingerprint}`);
    print(
      `# certificate: ${found.made.certificate ? "made" : "kept"}, until ${new Date(found.expiresAtMs).toISOString().slice(0, 10)}, for ${found.hosts.join(", ")}`,
    );
    for (const line of howToTrust(found.caFile)) print(`# ${line}`);
    print(`BIMRIDE_TLS_CERT_FILE=${found.certFile}`);
    print(`BIMRIDE_TLS_KEY_FILE=${found.keyFile}`);
    return 0;
  },
};
