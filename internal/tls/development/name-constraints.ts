import { isIP, isIPv4 } from "node:net";

/** Object identifier of the extension, RFC 5280 section 4.2.1.10. */
export const NAME_CONSTRAINTS = "2.5.29.30";

/** Networks that nobody reaches from elsewhere: loopback, private and link-local, of both kinds. */
const PRIVATE_NETWORKS = [
  [[127, 0, 0, 0], 8],
  [[10, 0, 0, 0], 8],
  [[172, 16, 0, 0], 12],
  [[192, 168, 0, 0], 16],
  [[169, 254, 0, 0], 16],
  [[...Array<number>(15).fill(0), 1], 128],
  [[0xfc, ...Array<number>(15).fill(0)], 7],
  [[0xfe, 0x80, ...Array<number>(14).fill(0)], 10],
] as const;
/** Names that are given on this machine or its network only (RFC 6761, RFC 6762), those below them too. */
const PRIVATE_NAMES = ["localhost", "local"] as const;

const SEQUENCE = 0x30;
/** Implicit tags: the permitted subtrees, and of general names dNSName and iPAddress. */
const PERMITTED = 0xa0;
const DNS_NAME = 0x82;
const IP_ADDRESS = 0x87;

/** True when a development authority may sign for the host without being made for it. */
export function isPrivate(host: string): boolean {
  if (isIP(host) === 0) return PRIVATE_NAMES.some((name) => host === name || host.endsWith(`.${name}`));
  const bytes = addressBytes(host);
  return PRIVATE_NETWORKS.some(
    ([network, bits]) => network.length === bytes.length && isIn(bytes, network, bits),
  );
}

/**
 * The value of the extension, DER: an authority with it is believed for private networks and names, and for the hosts
 * given, whoever gets hold of its key.
 * @param hosts names and addresses beyond the private ones
 */
export function nameConstraints(hosts: readonly string[]): Buffer<ArrayBuffer> {
  return element(SEQUENCE, element(PERMITTED, Buffer.concat(subtreesOf(hosts))));
}

/**
 * True when the certificate of an authority has such an extension for at least these hosts.
 * @param certificate DER. Node does not read the extension, so what would be made is looked for in it byte for byte.
 */
export function permits(certificate: Buffer, hosts: readonly string[]): boolean {
  return subtreesOf(hosts).every((subtree) => certificate.includes(subtree));
}

function subtreesOf(hosts: readonly string[]): Buffer<ArrayBuffer>[] {
  const names = [...PRIVATE_NAMES, ...hosts.filter((host) => isIP(host) === 0)];
  const addresses = hosts.filter((host) => isIP(host) !== 0);
  const single = addresses.map((host) => [addressBytes(host), isIPv4(host) ? 32 : 128] as const);
  return [
    ...names.map((name) => element(DNS_NAME, Buffer.from(name, "ascii"))),
    ...[...PRIVATE_NETWORKS, ...single].map(([network, bits]) =>
      element(IP_ADDRESS, Buffer.from([...network, ...mask(network.length, bits)])),
    ),
  ].map((base) => element(SEQUENCE, base));
}

function element(tag: number, content: Buffer): Buffer<ArrayBuffer> {
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function mask(length: number, bits: number): number[] {
  return Array.from({ length }, (_, i) => 0xff & (0xff00 >> Math.min(8, Math.max(0, bits - 8 * i))));
}

function isIn(address: readonly number[], network: readonly number[], bits: number): boolean {
  const masks = mask(network.length, bits);
  return network.every((byte, i) => byte === (address[i]! & masks[i]!));
}

function addressBytes(address: string): number[] {
  if (isIPv4(address)) return address.split(".").map(Number);
  // The URL parser writes the address out in one way, of which `::` is the only abbreviation left.
  const written = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = "", tail] = written.split("::");
  const groups = (text: string | undefined) =>
    text ? text.split(":").map((group) => Number.parseInt(group, 16)) : [];
  const [before, after] = [groups(head), groups(tail)];
  const zeros = Array<number>(8 - before.length - after.length).fill(0);
  return [...before, ...zeros, ...after].flatMap((group) => [group >> 8, group & 0xff]);
}
