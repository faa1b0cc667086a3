import { createServer } from "node:net";

/**
 * Below the range that systems take for outgoing connections: otherwise a client that reconnects to a stopped server may
 * be given the server's own port and connect to itself, and the server can't come back.
 */
const FIRST_PORT = 12_000;
const LAST_PORT = 31_999;
const ATTEMPTS = 200;

/** A port that nobody listens on at the moment. Somebody may take it until it is used: see retryWhenTaken. */
export async function freePort(host = "127.0.0.1"): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT + 1));
    if (await isFreePort(host, port)) return port;
  }
  throw new Error(`no free port among ${ATTEMPTS} tried between ${FIRST_PORT} and ${LAST_PORT}`);
}

/** A server found its port taken by somebody else. */
export class PortTaken extends Error {
  override readonly name = "PortTaken";
}

/** Runs a start that chooses free ports, again with others when somebody was quicker: at most five times. */
export async function retryWhenTaken<Result>(start: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start();
    } catch (error) {
      if (!(error instanceof PortTaken) || attempt === 5) throw error;
    }
  }
}

/** Whether nobody listens there at the moment. */
export function isFreePort(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
