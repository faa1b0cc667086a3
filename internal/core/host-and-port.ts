const HOST_AND_PORT = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/;
/** As RFC 1123 section 2.1 has it, and with `_`, which names of services within Docker may have. */
const LABEL = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/;
const OCTET = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);
const MAX_NAME = 253;

/** True for `host:port`: a host name, an IPv4 address or an IPv6 address in brackets, and a port from 1 to 65535. */
export function isHostAndPort(text: string): boolean {
  const [, host = "", port] = HOST_AND_PORT.exec(text) ?? [];
  return Number(port) >= 1 && Number(port) <= 65_535 && isHost(host);
}

function isHost(host: string): boolean {
  if (host.startsWith("[")) return URL.canParse(`http://${host}`);
  const labels = host.replace(/\.$/, "").split(".");
  // What ends in a number is an address, never a name: no top level domain is one.
  if (/^\d+$/.test(labels.at(-1)!)) return IPV4.test(host);
  return host.length <= MAX_NAME && labels.every((label) => LABEL.test(label));
}
