import { createServer } from "node:net";

/** A port that was asked for by hand is taken. */
export class PortTakenError extends Error {
  override readonly name = "PortTakenError";
}

const TRIES = 100;

/**
 * The port to listen on: the wanted one, or, when it is a default and taken, the next free one, which is said. 0 stays 0.
 * @param given true when somebody set the port by hand: then it must be free
 * @param setting name for messages, e.g. http.port
 * @throws PortTakenError
 */
export async function choosePort(
  wanted: number,
  host: string,
  given: boolean,
  setting: string,
  say: (line: string) => void,
): Promise<number> {
  if (wanted === 0 || (await isFree(wanted, host))) return wanted;
  if (given) throw new PortTakenError(`${setting}: port ${wanted} of ${host} is taken`);
  for (let port = wanted + 1; port < Math.min(wanted + TRIES, 65_536); port++) {
    if (!(await isFree(port, host))) continue;
    say(`port ${wanted} is taken, ${setting} is ${port}`);
    return port;
  }
  throw new PortTakenError(`${setting}: ports ${wanted} to ${wanted + TRIES - 1} of ${host} are all taken`);
}

/** Rejects when the port was set by hand and is taken, so that a start which can't listen has done nothing yet. */
export async function checkPort(
  wanted: number,
  host: string,
  given: boolean,
  setting: string,
): Promise<void> {
  if (given) await choosePort(wanted, host, given, setting, () => {});
}

/** The host as it stands in an address with a port: IPv6 in brackets. */
export function urlHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE" || error.code === "EACCES") resolve(false);
      else reject(error);
    });
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
