import { renderUnicodeCompact } from "uqr";
import { isLoopback } from "../config/registry.ts";
import type { DevelopmentCertificates } from "../tls/development/certificates.ts";
import { CA_PATH, startCaServer } from "./ca-server.ts";
import { howToTrust } from "./how-to-trust.ts";
import type { Lan } from "./lan.ts";
import type { Parts } from "./parts.ts";
import { choosePort } from "./ports.ts";

/**
 * Lets devices of the network in: starts the port of the development authority, where there is one, until the stack ends
 * it. Resolves with what to print. Rejects when the port was set by hand and is taken.
 */
export async function inviteDevices(
  stack: AsyncDisposableStack,
  { settings, lan }: Parts,
  publicUrls: readonly string[],
  { print, colours }: { print(line: string): void; colours: boolean },
): Promise<string[]> {
  if (!lan) return [];
  const urls = publicUrls.filter((url) => !isLoopback(new URL(url).hostname));
  const { certificates } = lan;
  if (!certificates || urls.length === 0)
    return invitationLines({ lan, urls, authority: undefined, colours });
  const { httpHost: host, lanCaPort, given } = settings;
  const port = await choosePort(lanCaPort, host, given.has("lanCaPort"), "lan.ca_port", print);
  const server = stack.use(await startCaServer(certificates, { host, port }));
  return invitationLines({ lan, urls, authority: { certificates, port: server.port }, colours });
}

export type Invitation = {
  lan: Lan;
  /** Origins under which devices reach the pages, the likeliest first. */
  urls: readonly string[];
  /** Undefined where the certificate is one of the settings. */
  authority: { certificates: DevelopmentCertificates; port: number } | undefined;
  /** Dark on light whatever the terminal's own colours are: not every camera takes a code the other way round. */
  colours: boolean;
};

const WHITE_ON_BLACK = "\u001b[97;40m";
const AS_BEFORE = "\u001b[0m";

/** What a person at the terminal needs to let a phone in, in lines. The join code is in them: they are for no log. */
export function invitationLines({ lan, urls, authority, colours }: Invitation): string[] {
  const [first] = urls;
  if (first === undefined)
    return ["lan   this machine is in no network that a phone could be in: loopback only"];
  const page = lan.joinCode === undefined ? `${first}/` : `${first}/driver.html#join=${lan.joinCode}`;
  return [
    ...urls.map((url) => `lan   ${url}`),
    ...(authority ? trustLines(first, authority) : []),
    "",
    lan.joinCode === undefined ? "Open on a phone of this network:" : "Drive with a phone of this network:",
    page,
    "",
    ...renderUnicodeCompact(page, { border: 2 })
      .split("\n")
      .map((line) => (colours ? WHITE_ON_BLACK + line + AS_BEFORE : line)),
  ];
}

function trustLines(url: string, { certificates, port }: NonNullable<Invitation["authority"]>): string[] {
  const { hostname } = new URL(url);
  const { caFile, fingerprint, made } = certificates;
  return [
    `ca    ${caFile}${made.authority ? ", new: to be trusted anew" : ""}`,
    `      SHA-256 ${fingerprint}`,
    `      a phone must trust it once: http://${hostname}:${port}/`,
    ...howToTrust(`http://${hostname}:${port}${CA_PATH}`).map((line) => `      ${line}`),
  ];
}
