import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { DEFAULT_LIMITS, type Limits } from "../../core/limits.ts";
import { systemClock } from "../../core/time.ts";
import { connectNats } from "../../nats/link.ts";
import type { Lease, Leases } from "../lease.ts";
import { freshPrefix, TEST_REGION } from "./kit.ts";
import { LeaseRecord } from "./lease-record.ts";
import { openNatsLeases } from "./leases.ts";

const PROCESS = fileURLToPath(new URL("./member-process.ts", import.meta.url));
export const PARTITIONS = 16;
const POLL_MS = 5;

/** A member of a test's fleet in this process. */
export type Member = {
  leases: Leases;
  /** The last list. */
  held: readonly Lease[];
  /** What its listener is to wait for. */
  wait: (now: readonly Lease[]) => void | Promise<void>;
  leave(): Promise<void>;
};

/** A member in a process of its own. */
export type MemberProcess = {
  child: ChildProcess;
  /** Partitions valid as it last said, with their epochs. */
  valid: ReadonlyMap<number, number>;
  /** Lines it has written. */
  lines: number;
  kill(signal: NodeJS.Signals): Promise<void>;
};

export type FleetOptions = { limits?: Partial<Limits>; replicas?: number };

/** Members of one bucket of leases, in this process and others, all under the eyes of one record. */
export class Fleet implements AsyncDisposable {
  readonly prefix = freshPrefix();
  readonly record = new LeaseRecord();
  readonly errors: unknown[] = [];
  readonly #servers: string[];
  readonly #options: FleetOptions;
  readonly #members = new Set<Member>();
  readonly #processes = new Set<MemberProcess>();

  constructor(servers: string[], options: FleetOptions = {}) {
    this.#servers = servers;
    this.#options = options;
  }

  async join(memberId: string, servers: string[] = this.#servers): Promise<Member> {
    const { limits, replicas = 1 } = this.#options;
    const link = await connectNats({ servers, name: memberId });
    const leases = await openNatsLeases({
      ...TEST_REGION,
      ...{ link, memberId, replicas, prefix: this.prefix, partitions: PARTITIONS, clock: systemClock },
      limits: { ...DEFAULT_LIMITS, ...limits },
      onError: (error) => this.errors.push(error),
    });
    const member: Member = {
      leases,
      held: [],
      wait: () => {},
      leave: async () => {
        this.#members.delete(member);
        await leases[Symbol.asyncDispose]();
        await link[Symbol.asyncDispose]();
      },
    };
    this.#members.add(member);
    await leases.held((now) => {
      member.held = now;
      this.record.add(now);
      return member.wait(now);
    });
    return member;
  }

  /** Resolves when the process has said something. */
  async spawn(memberId: string): Promise<MemberProcess> {
    const [address = ""] = this.#servers;
    const args = [PROCESS, address, this.prefix, memberId];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    const member: MemberProcess = {
      child,
      valid: new Map(),
      lines: 0,
      async kill(signal) {
        const gone = signal === "SIGKILL" ? once(child, "exit") : undefined;
        child.kill(signal);
        await gone;
      },
    };
    this.#processes.add(member);
    createInterface({ input: child.stdout! }).on("line", (line) => this.#said(member, line));
    await until(() => member.lines > 0);
    return member;
  }

  /** Resolves when the partitions are spread over exactly these, as evenly as they can be, and all is valid. */
  async spread(over: readonly (Member | MemberProcess)[]): Promise<void> {
    await until(() => {
      const counts = over.map((member) => validOf(member).size);
      const all = new Set(over.flatMap((member) => [...validOf(member).keys()]));
      const even = Math.max(...counts) - Math.min(...counts) <= 1;
      return even && all.size === PARTITIONS && counts.reduce((sum, each) => sum + each, 0) === PARTITIONS;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child } of this.#processes) child.kill("SIGKILL");
    await Promise.all([...this.#members].map((member) => member.leave()));
    this.record.stop();
    // Whatever a test did: no two leases of a partition were ever valid at once.
    expect(this.record.overlaps()).toEqual([]);
  }

  #said(member: MemberProcess, line: string): void {
    let seen: [number, number, string, string][];
    try {
      seen = JSON.parse(line);
    } catch {
      return; // a process that is killed ends in the middle of a line
    }
    member.lines++;
    member.valid = new Map(seen.map(([partition, epoch]) => [partition, epoch]));
    for (const [partition, epoch, firstNs, lastNs] of seen)
      this.record.merge({ partition, epoch, firstNs: BigInt(firstNs), lastNs: BigInt(lastNs) });
  }
}

/** The partitions that the member holds validly, with their epochs. */
export function validOf(member: Member | MemberProcess): ReadonlyMap<number, number> {
  if ("child" in member) return member.valid;
  const valid = member.held.filter((lease) => lease.valid());
  return new Map(valid.map(({ partition, epoch }) => [partition, epoch]));
}

/** Waits for a condition. */
export async function until(what: () => boolean): Promise<void> {
  while (!what()) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
