import { expect } from "vitest";
import { fakeServer } from "../../test/kit/fake-server.ts";
import type { RedisLink } from "./link.ts";
import type { RedisOptions } from "./options.ts";

/** `host:port` taken apart. */
export function nodeAt(address: string): { host: string; port: number } {
  const [host = "", port] = address.split(":");
  return { host, port: Number(port) };
}

/** What tests connect to one server with. */
export function redisAt(address: string, rest: Partial<RedisOptions> = {}): RedisOptions {
  return { nodes: [nodeAt(address)], cluster: false, ...rest };
}

/** Answers every command with the same bytes. */
export function fakeRedis(answer: string) {
  return fakeServer((socket) => {
    socket.on("data", (data) => {
      for (const _ of data.toString("latin1").matchAll(/\*\d+\r\n/g)) socket.write(answer);
    });
  });
}

/** Runs a command until it is answered. */
export async function untilAnswered(link: RedisLink): Promise<void> {
  for (;;) {
    try {
      await link.command("PING");
      return;
    } catch (error) {
      expect(error).toMatchObject({ code: "STORE_UNAVAILABLE" });
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
