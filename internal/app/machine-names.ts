import { isIP } from "node:net";

/** A label as certificates and phones take it: RFC 1123, without `_`. */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const MAX_NAME = 253;

/** The host as it stands in a certificate; undefined when it is neither a name nor an address. */
export function certificateHost(given: string): string | undefined {
  if (isIP(given) !== 0) return given;
  const name = given.toLowerCase();
  const labels = name.split(".");
  // What ends in a number is meant as an address, and is none.
  if (name.length > MAX_NAME || /^\d+$/.test(labels.at(-1)!)) return undefined;
  return labels.every((label) => LABEL.test(label)) ? name : undefined;
}

/** The names by which a machine is known in its network: its own, and the one of multicast DNS. */
export function machineNames(hostname: string): string[] {
  const name = certificateHost(hostname);
  if (name === undefined || isIP(name) !== 0) return [];
  return name.includes(".") ? [name] : [name, `${name}.local`];
}
