import type { FixStore, StoredFix, StoredKey } from "./fix-store.ts";
import type { CapturedFix } from "./position.ts";

/** Seqs that are set aside at a time; one write for so many, and at most so many skipped when the process dies. */
const SEQS_AT_A_TIME = 1_000;
const ID_LENGTH = 22;
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** A random id of a session. */
export function newSessionId(random: () => number): string {
  return Array.from({ length: ID_LENGTH }, () => LETTERS[Math.floor(random() * LETTERS.length)]).join("");
}

export type JournalOptions = {
  store: FixStore;
  /** 0 up to, not including, 1. */
  random(): number;
  /** The store failed: from now on fixes are kept in memory only. Called once. */
  onFailed(error: unknown): void;
};

/**
 * Writes down behind the driver's back which session it is in and which fixes are open, so that a process that starts again
 * goes on where the last one was killed. A seq is never given out twice: they are set aside in the store before they are
 * used, and a session for which that fails is left for a new one.
 */
export class Journal {
  readonly #options: JournalOptions;
  #sessionId: string;
  #region = "";
  #nextSeq = 0;
  /** Seqs below may be given out. */
  #seqLimit = SEQS_AT_A_TIME;
  #isReserving = false;
  #isBroken = false;
  readonly #put = new Map<string, StoredFix>();
  readonly #remove = new Map<string, StoredKey>();
  #writing: Promise<void> | undefined;

  private constructor(options: JournalOptions) {
    this.#options = options;
    this.#sessionId = newSessionId(options.random);
  }

  /** Reads what is there. Never rejects: without a store it is as on the first run. */
  static async open(options: JournalOptions): Promise<{ journal: Journal; fixes: StoredFix[] }> {
    const journal = new Journal(options);
    let fixes: StoredFix[] = [];
    try {
      const stored = await options.store.load();
      fixes = stored.fixes;
      const { sessionId = journal.#sessionId, firstFreeSeq = 0, region = "" } = stored.session ?? {};
      const limit = firstFreeSeq + SEQS_AT_A_TIME;
      await options.store.saveSession({ sessionId, firstFreeSeq: limit, region });
      journal.#sessionId = sessionId;
      journal.#region = region;
      journal.#nextSeq = firstFreeSeq;
      journal.#seqLimit = limit;
    } catch (error) {
      // The session of the store, if there is one, is not gone on with: its seqs could not be set aside.
      journal.#seqLimit = Number.POSITIVE_INFINITY;
      journal.#fail(error);
    }
    return { journal, fixes };
  }

  get sessionId(): string {
    return this.#sessionId;
  }

  /** Region that the gateway named last, or empty. */
  get region(): string {
    return this.#region;
  }

  set region(region: string) {
    if (region === this.#region) return;
    this.#region = region;
    this.#saveSession();
  }

  /** True while fixes outlive the process. */
  get isPersistent(): boolean {
    return !this.#isBroken;
  }

  /** The seq of the next fix; undefined when none may be given out in this session any more. */
  takeSeq(): number | undefined {
    if (this.#nextSeq >= this.#seqLimit) return undefined;
    if (!this.#isReserving && this.#seqLimit - this.#nextSeq <= SEQS_AT_A_TIME / 2) this.#reserve();
    return this.#nextSeq++;
  }

  /** Goes on under a new session id; what is kept of the old one stays. */
  renew(): void {
    this.#sessionId = newSessionId(this.#options.random);
    this.#nextSeq = 0;
    this.#seqLimit = this.#isBroken ? Number.POSITIVE_INFINITY : SEQS_AT_A_TIME;
    this.#saveSession();
  }

  keep(fix: CapturedFix): void {
    if (this.#isBroken) return;
    this.#put.set(keyOf(this.#sessionId, fix.seq), { sessionId: this.#sessionId, fix });
    this.#write();
  }

  forget(sessionId: string, seqs: Iterable<number>): void {
    if (this.#isBroken) return;
    for (const seq of seqs) {
      const key = keyOf(sessionId, seq);
      // Also when its put waits only: one like it may be under way.
      this.#put.delete(key);
      this.#remove.set(key, { sessionId, seq });
    }
    this.#write();
  }

  /** Writes what is open and lets go of the store. Never rejects. */
  async close(): Promise<void> {
    await this.#writing;
    this.#options.store.close();
  }

  #reserve(): void {
    const sessionId = this.#sessionId;
    const limit = this.#seqLimit + SEQS_AT_A_TIME;
    this.#isReserving = true;
    this.#saveSession(limit, () => {
      if (this.#sessionId === sessionId) this.#seqLimit = limit;
    });
  }

  #saveSession(firstFreeSeq = this.#seqLimit, then: () => void = () => {}): void {
    if (this.#isBroken) return;
    const session = { sessionId: this.#sessionId, firstFreeSeq, region: this.#region };
    this.#options.store
      .saveSession(session)
      .then(then, (error: unknown) => this.#fail(error))
      .finally(() => {
        this.#isReserving = false;
      });
  }

  #write(): void {
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
  }

  async #writeAll(): Promise<void> {
    // What comes in the same moment goes into one write.
    await Promise.resolve();
    while (!this.#isBroken && this.#put.size + this.#remove.size > 0) {
      const [put, remove] = [[...this.#put.values()], [...this.#remove.values()]];
      this.#put.clear();
      this.#remove.clear();
      try {
        await this.#options.store.change(put, remove);
      } catch (error) {
        this.#fail(error);
      }
    }
  }

  #fail(error: unknown): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    this.#put.clear();
    this.#remove.clear();
    this.#options.onFailed(error);
  }
}

const keyOf = (sessionId: string, seq: number) => `${sessionId}/${seq}`;
