import type { NetworkInterfaceInfo } from "node:os";

/** Networks that a machine is in, as networkInterfaces() of node:os tells them. */
export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** Addresses of networks within this machine: containers, virtual machines, tunnels. A phone is in none of them. */
const VIRTUAL = /^(docker|br-|veth|virbr|vmnet|vboxnet|cni|flannel|cali|tun|tap|utun|wg)/;
/** Given by a machine to itself where nobody gave it one (RFC 3927). */
const LINK_LOCAL = /^169\.254\./;

/** The IPv4 addresses under which devices of the same network reach this machine, the likeliest first. */
export function lanAddresses(interfaces: Interfaces): string[] {
  const found = Object.entries(interfaces).flatMap(([name, addresses = []]) =>
    addresses
      .filter(({ family, internal, address }) => family === "IPv4" && !internal && !LINK_LOCAL.test(address))
      .map(({ address }) => ({ name, address })),
  );
  const real = found.filter(({ name }) => !VIRTUAL.test(name));
  return [...new Set([...real, ...found].map(({ address }) => address))];
}
