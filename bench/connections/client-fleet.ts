import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { ClientAcked, ClientCommand, ClientCounts, LinkKind } from "./client-process.ts";
import type { LinkTarget } from "./link.ts";

const CLIENT_PROCESS = fileURLToPath(new URL("./client-process.ts", import.meta.url));
/** Connections in one process. */
const PER_PROCESS = 2_500;

/** Many idle clients, in processes of their own. Disposing ends them; so does the end of this process. */
export class ClientFleet implements AsyncDisposable {
  readonly #children: readonly ChildProcess[];

  private constructor(children: readonly ChildProcess[]) {
    this.#children = children;
  }

  /** Begins to connect; {@link counts} tells how far it is. */
  static open(kind: LinkKind, targets: readonly LinkTarget[]): ClientFleet {
    const children: ChildProcess[] = [];
    for (let first = 0; first < targets.length; first += PER_PROCESS) {
      const child = fork(CLIENT_PROCESS, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
      children.push(child);
      tell(child, { do: "open", kind, targets: targets.slice(first, first + PER_PROCESS) });
    }
    return new ClientFleet(children);
  }

  /** Every client sends one fix more. */
  sendFix(): void {
    for (const child of this.#children) tell(child, { do: "sendFix" });
  }

  async counts(): Promise<ClientCounts> {
    const all = await this.#ask<ClientCounts>({ do: "tell" });
    return all.reduce((sum, one) => ({
      open: sum.open + one.open,
      beating: sum.beating + one.beating,
      unacked: sum.unacked + one.unacked,
      breaks: sum.breaks + one.breaks,
    }));
  }

  /** Seqs that were called durable, by party. */
  async acked(): Promise<Map<string, number[]>> {
    const all = await this.#ask<ClientAcked>({ do: "tellAcked" });
    return new Map(all.flatMap(({ acked }) => Object.entries(acked)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const exit = once(child, "exit");
        child.kill("SIGKILL");
        await exit;
      }),
    );
  }

  #ask<Answer>(command: ClientCommand): Promise<Answer[]> {
    return Promise.all(
      this.#children.map(async (child) => {
        const answer = once(child, "message");
        tell(child, command);
        return (await answer)[0] as Answer;
      }),
    );
  }
}

function tell(child: ChildProcess, command: ClientCommand): void {
  child.send(command);
}
