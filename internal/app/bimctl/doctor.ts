import { access, statfs } from "node:fs/promises";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import { loadSettings, type Settings } from "../../config/settings.ts";
import { EngineError } from "../../core/engine-error.ts";
import { readCertificate } from "../../tls/read-certificate.ts";
import { DataFolderHeldError, openDataFolder } from "../data-folder.ts";
import { makeFolder } from "../make-folder.ts";
import { readRegions } from "../read-regions.ts";
import type { Command, Context } from "./command.ts";

const MIN_FREE_BYTES = 1 << 30;
/** Of a certificate's time less than so much is left. */
const RENEW_BEFORE_MS = 14 * 86_400_000;
const BROWSERS = ["chromium", "google-chrome"];

/** What was found. `note` is something missing that only some uses need. */
type Finding = { state: "ok" | "note" | "FAIL"; words: string };

/** Looks at what a start needs and says what is wrong; exit code 1 when a start would fail. */
export const doctorCommand: Command = {
  usage: "[flags of npm start]",
  summary:
    "looks at runtime, ports, data folder, disk, region file, certificate and browser, and says what is wrong",
  async run(args, context) {
    const settings = loadSettings(context.env, args);
    const findings = [
      runtime(),
      await port("http.port", settings.httpPort, settings.httpHost, settings.given.has("httpPort")),
      await port("grpc.port", settings.grpcPort, settings.grpcHost, settings.given.has("grpcPort")),
      await port("mqtt.port", settings.mqttPort, settings.mqttHost, settings.given.has("mqttPort")),
      await dataFolder(settings.dataDir),
      await diskSpace(settings),
      await regions(settings),
      ...(await certificate(settings, context.nowMs())),
      await pages(),
      await browser(context),
    ];
    for (const { state, words } of findings) context.print(`${state.padEnd(4)} ${words}`);
    return findings.some((finding) => finding.state === "FAIL") ? 1 : 0;
  },
};

function runtime(): Finding {
  const { node, sqlite } = process.versions;
  const good = Number(node.split(".")[0]) >= 24;
  return {
    state: good ? "ok" : "FAIL",
    words: `Node ${node}${good ? "" : ", 24 or newer is needed"}, SQLite ${sqlite}`,
  };
}

async function port(setting: string, wanted: number, host: string, given: boolean): Promise<Finding> {
  if (wanted === 0) return { state: "ok", words: `${setting}: any free one` };
  const fault = await listenFault(wanted, host);
  if (fault === undefined) return { state: "ok", words: `${setting} ${wanted} on ${host} is free` };
  const otherwise = given ? "it was set by hand, so a start ends" : "a start takes the next free one";
  return { state: given ? "FAIL" : "note", words: `${setting} ${wanted} on ${host}: ${fault}; ${otherwise}` };
}

function listenFault(wanted: number, host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    probe.listen({ port: wanted, host, exclusive: true }, () => probe.close(() => resolve(undefined)));
  });
}

async function dataFolder(folder: string): Promise<Finding> {
  try {
    openDataFolder(folder, false)[Symbol.dispose]();
    // The room on its disk is looked at next.
    makeFolder(folder);
    return { state: "ok", words: `data folder ${folder} can be written and nobody holds it` };
  } catch (error) {
    if (error instanceof DataFolderHeldError) return { state: "FAIL", words: `data folder ${error.message}` };
    if (error instanceof EngineError) return { state: "FAIL", words: error.message };
    throw error;
  }
}

async function diskSpace(settings: Settings): Promise<Finding> {
  try {
    const { bavail, bsize } = await statfs(settings.dataDir);
    const free = bavail * bsize;
    const words = `${(free / 2 ** 30).toFixed(1)} GiB free for the data folder; the log may take ${(settings.logMaxBytes / 2 ** 30).toFixed(1)} GiB`;
    if (free < MIN_FREE_BYTES) return { state: "FAIL", words };
    return { state: free < settings.logMaxBytes ? "note" : "ok", words };
  } catch (error) {
    return { state: "FAIL", words: `disk space is unknown: ${(error as Error).message}` };
  }
}

async function regions(settings: Settings): Promise<Finding> {
  try {
    const { all } = await readRegions(settings);
    return { state: "ok", words: `regions: ${all.map(({ name }) => name).join(", ")}` };
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return { state: "FAIL", words: error.message };
  }
}

/** Nothing to say without TLS. */
async function certificate(settings: Settings, nowMs: number): Promise<Finding[]> {
  const { tlsCertFile: certFile, tlsKeyFile: keyFile } = settings;
  if (certFile === "") return [];
  try {
    const { leaf } = await readCertificate({ certFile, keyFile }, nowMs);
    const until = leaf.validToDate;
    const isShort = until.getTime() - nowMs < RENEW_BEFORE_MS;
    const words = `certificate ${certFile} is valid until ${until.toISOString().slice(0, 10)}`;
    return [{ state: isShort ? "note" : "ok", words: isShort ? `${words}: renew it` : words }];
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return [{ state: "FAIL", words: error.message }];
  }
}

async function pages(): Promise<Finding> {
  const built = await isThere(new URL("../../../web/dist/index.html", import.meta.url).pathname);
  return built
    ? { state: "ok", words: "pages are built" }
    : {
        state: "FAIL",
        words: "pages are not built: npm run prepare (npm ci does it, unless with --ignore-scripts)",
      };
}

async function browser({ env }: Context): Promise<Finding> {
  const folders = (env.PATH ?? "").split(delimiter);
  const candidates = [
    env.CHROME_PATH,
    ...folders.flatMap((folder) => BROWSERS.map((name) => join(folder, name))),
  ];
  for (const candidate of candidates) {
    if (candidate && (await isThere(candidate)))
      return { state: "ok", words: `browser for the tests: ${candidate}` };
  }
  return {
    state: "note",
    words: `no browser for the tests (CHROME_PATH, ${BROWSERS.join(", ")}): those that need one are skipped`,
  };
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false; // not there, or not for us: the same to whoever asks
  }
}
