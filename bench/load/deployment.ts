import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Role } from "../../internal/app/roles.ts";
import { jwksPathOf, makeKeyFiles } from "../../internal/auth/keys.ts";
import { type TokenMint, tokenMint } from "../../internal/auth/mint.ts";
import type { Role as UserRole } from "../../internal/auth/principal.ts";
import { loadSettings } from "../../internal/config/settings.ts";
import {
  allOrNone,
  type DeploymentEngines,
  type EngineOptions,
  startDeploymentEngines,
} from "./deployment-engines.ts";
import { cpuSecondsOf } from "./process-cpu.ts";
import { type RoleProcess, type SettingTexts, startRole } from "./role-process.ts";
import type { Service } from "./service.ts";

export type DeploymentOptions = EngineOptions & {
  /** Processes of each role; 1 unless said otherwise. */
  gateways?: number;
  processors?: number;
  edges?: number;
  /** Settings of every process. */
  settings?: SettingTexts;
  /** More settings of one process, `index` from 0. */
  settingsOf?(role: Role, index: number): SettingTexts;
  /** Where the roles' data and logs lie, a folder each, kept at the end; without it temporary ones. */
  folder?: string;
};

const TOKEN_TTL_MS = 12 * 3_600_000;

/**
 * A whole deployment on this machine: the three real engines and any number of gateways, processors and edges, all
 * processes of their own on free ports, with keys of its own. Any of them can be killed, stopped and started again; what
 * is told of it (addresses) stays the same. Disposing ends all and removes what they wrote; when this process dies they
 * are ended too.
 */
export class Deployment implements Service {
  readonly engines: DeploymentEngines;
  readonly gateways: readonly RoleProcess[];
  readonly processors: readonly RoleProcess[];
  readonly edges: readonly RoleProcess[];
  readonly #mint: TokenMint;
  readonly #owned: AsyncDisposableStack;

  private constructor(
    engines: DeploymentEngines,
    roles: readonly RoleProcess[],
    mint: TokenMint,
    owned: AsyncDisposableStack,
  ) {
    this.engines = engines;
    this.gateways = roles.filter(({ role }) => role === "gateway");
    this.processors = roles.filter(({ role }) => role === "processor");
    this.edges = roles.filter(({ role }) => role === "edge");
    this.#mint = mint;
    this.#owned = owned;
  }

  /**
   * Starts the engines, then the processors, then gateways and edges; resolves when all are ready.
   * @throws EngineMissing, among others, when an engine can't be had; nothing is left running then
   */
  static async start(options: DeploymentOptions = {}): Promise<Deployment> {
    await using stack = new AsyncDisposableStack();
    const keys = await mkdtemp(join(tmpdir(), "bimride-deployment-"));
    stack.defer(() => rm(keys, { recursive: true, force: true }));
    const key = await makeKeyFiles(keys);
    const { authIssuer, authAudience } = loadSettings({}, []);
    const mint = tokenMint(key, authIssuer, authAudience, () => Date.now());
    const engines = stack.use(await startDeploymentEngines(options));

    const begin = (role: Role, count = 1) =>
      Array.from({ length: count }, (_, index) =>
        startRole({
          role,
          name: `${role}-${index + 1}`,
          settings: {
            ...engines.settings,
            "auth.jwks_file": jwksPathOf(keys),
            ...options.settings,
            ...options.settingsOf?.(role, index),
          },
          ...(options.folder ? { folder: join(options.folder, `${role}-${index + 1}`) } : {}),
        }),
      );
    const processors = await allOrNone(stack, begin("processor", options.processors));
    const others = await allOrNone(stack, [
      ...begin("gateway", options.gateways),
      ...begin("edge", options.edges),
    ]);
    return new Deployment(engines, [...processors, ...others], mint, stack.move());
  }

  get edgeUrls(): string[] {
    return this.edges.map(({ httpUrl }) => httpUrl);
  }

  get gatewayAddresses(): string[] {
    return this.gateways.map(({ grpcAddress }) => grpcAddress);
  }

  get roles(): readonly RoleProcess[] {
    return [...this.processors, ...this.gateways, ...this.edges];
  }

  get nodeUrls(): string[] {
    return this.roles.map(({ httpUrl }) => httpUrl);
  }

  async mint(role: UserRole, subject: string, ttlMs = TOKEN_TTL_MS): Promise<string> {
    return (await this.#mint({ role, subject, ttlMs })).token;
  }

  cpuSecondsByRole(): Record<Role, number> {
    const sum = (of: readonly RoleProcess[]) => of.reduce((total, { pid }) => total + cpuSecondsOf(pid), 0);
    return { gateway: sum(this.gateways), processor: sum(this.processors), edge: sum(this.edges) };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned.disposeAsync();
  }
}
