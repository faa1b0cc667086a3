import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { connect, createServer, type Server } from "node:tls";
import { pino } from "pino";
import { Registry } from "prom-client";
import { expect, test, vi } from "vitest";
import { type TestCertificate, testCertificate } from "../../test/kit/development-tls.ts";
import { tempFolder } from "../../test/kit/temp-folder.ts";
import { type Clock, systemClock } from "../core/time.ts";
import { tlsEvents } from "./events.ts";
import { type ServedCertificate, serveCertificate } from "./served-certificate.ts";

const LOOK_EVERY_MS = 20;

async function serve(files: TestCertificate) {
  const [registry, logs] = [new Registry(), [] as string[]];
  const logger = pino({}, { write: (line: string) => logs.push(line) });
  let looks = 0;
  const every: Clock["every"] = (periodMs, look) =>
    systemClock.every(periodMs, () => {
      looks++;
      look();
    });
  const clock = { ...systemClock, every };
  const deps = { events: tlsEvents({ logger, registry }), clock, lookEveryMs: LOOK_EVERY_MS };
  const served = await serveCertificate(files, deps);
  const metric = async (name: string) =>
    (await registry.getSingleMetric(`bimride_tls_${name}`)!.get()).values[0]!.value;
  const looksMore = async (count: number) => {
    const enough = looks + count;
    await vi.waitFor(() => expect(looks).toBeGreaterThanOrEqual(enough), 10_000);
  };
  return { served, logs, metric, looksMore };
}

async function listen({ cert, key, minVersion }: ServedCertificate): Promise<Server> {
  const server = createServer({ cert, key, minVersion }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

/** The serial number of the certificate that a newcomer is shown, once it was believed. */
async function shown(server: Server, ca: string): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port: (server.address() as AddressInfo).port, ca });
  await once(socket, "secureConnect");
  const { serialNumber } = socket.getPeerX509Certificate()!;
  socket.destroy();
  return serialNumber;
}

const serialOf = ({ cert }: { cert: string }) => new X509Certificate(cert).serialNumber;

test("a renewed certificate is shown to newcomers, at every server that follows, without a restart", async () => {
  await using folder = await tempFolder();
  const files = await testCertificate(folder);
  const { served, metric } = await serve(files);
  using _served = served;
  const servers = [await listen(served), await listen(served)];
  for (const server of servers) served.follow(server);
  const before = serialOf(served);
  for (const server of servers) expect(await shown(server, files.ca)).toBe(before);

  const renewed = await files.renew(Date.now() + 60_000);
  await vi.waitFor(() => expect(serialOf(served)).toBe(serialOf(renewed)), 10_000);
  for (const server of servers) expect(await shown(server, files.ca)).toBe(serialOf(renewed));
  expect(served.trust()).toEqual({ certificate: served.leaf.toString() });
  expect(await metric("renewals_total")).toBe(1);
  expect(await metric("certificate_expires_seconds")).toBe(served.leaf.validToDate.getTime() / 1_000);
  for (const server of servers) server.close();
});

test("half a pair, or what is none, is not taken and told once; the pair is taken when it is whole", async () => {
  await using folder = await tempFolder();
  const files = await testCertificate(folder);
  const { served, logs, metric, looksMore } = await serve(files);
  using _served = served;
  const before = serialOf(served);
  await writeFile(files.certFile, "not yet");
  await vi.waitFor(async () => expect(await metric("refused_renewals_total")).toBe(1), 10_000);
  await looksMore(5); // none of which has anything new to tell
  expect(serialOf(served)).toBe(before);
  expect(logs.filter((line) => line.includes("not renewed"))).toHaveLength(1);
  expect(logs.join("")).not.toContain("PRIVATE KEY");
  const renewed = await files.renew();
  await vi.waitFor(() => expect(serialOf(served)).toBe(serialOf(renewed)), 10_000);
});

test("a server that is closed follows no more", async () => {
  await using folder = await tempFolder();
  const files = await testCertificate(folder);
  const { served } = await serve(files);
  using _served = served;
  const server = await listen(served);
  served.follow(server);
  server.close();
  await once(server, "close");
  const given = vi.spyOn(server, "setSecureContext");
  const renewed = await files.renew();
  await vi.waitFor(() => expect(serialOf(served)).toBe(serialOf(renewed)), 10_000);
  expect(given).not.toHaveBeenCalled();
});
