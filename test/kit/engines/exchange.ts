import { connect } from "node:net";

/**
 * Connects, sends, and reads until `done` finds what it looks for in the answer.
 * @param timeoutMs of the whole exchange
 * @throws when the connection fails, closes or takes too long before that
 */
export function exchange<Found>(
  address: { host: string; port: number },
  request: Uint8Array | string | undefined,
  done: (answer: Buffer) => Found | undefined,
  timeoutMs = 2_000,
): Promise<Found> {
  return new Promise((resolve, reject) => {
    const socket = connect(address);
    let answer: Buffer = Buffer.alloc(0);
    const fail = (error: Error) => {
      socket.destroy();
      reject(error);
    };
    const timer = setTimeout(() => fail(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    socket.once("connect", () => request !== undefined && socket.write(request));
    socket.once("error", fail);
    socket.once("close", () => {
      clearTimeout(timer);
      reject(new Error("the connection was closed"));
    });
    socket.on("data", (chunk: Buffer) => {
      answer = Buffer.concat([answer, chunk]);
      const found = done(answer);
      if (found === undefined) return;
      resolve(found);
      socket.destroy();
    });
  });
}
