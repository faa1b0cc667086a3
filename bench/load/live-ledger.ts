import { compareVersions, formatVersion, type Version, ZERO_VERSION } from "../../internal/core/version.ts";

/** What a reader saw of a trip: the state's version and, where it has one, the car's position as a viewer gets it. */
export type Sighting = {
  tripId: string;
  version: Version;
  /** Undefined where the state has no position, or the message does not carry it. */
  position: SeenPosition | undefined;
};

/** The part of a position that comes from the log alone, so that every owner must compute the same. */
export type SeenPosition = {
  latitudeE7: number;
  longitudeE7: number;
  headingDeg: number | undefined;
  speedCmps: number | undefined;
  accuracyDm: number;
  capturedAtMs: number;
};

/** Contents remembered per trip, by version; the oldest leave. */
const MAX_VERSIONS = 256;
/** Findings kept in words; all are counted. */
const MAX_FINDINGS = 20;

/**
 * Judges live state at those who read it, as invariants 3 and 4 ask. All readers of a service share one ledger.
 *
 * `wentBack`: what one reader shows of one trip got older: a version smaller than one that the reader had before, or a
 * position captured before the one that it had (within the same generation).
 *
 * `owners2`: one trip and version with two different contents, whoever saw them. Versions come from the log and pipeline
 * stages are pure, so an owner of a partition and one that should not be it any more compute the same content for the
 * same version; where they don't, two of them were effective. Content is the position but for stamps of the processor.
 */
export class LiveLedger {
  wentBack = 0;
  owners2 = 0;
  /** Sightings with a position that were compared. */
  compared = 0;
  /** Of these, versions that another reader, or this one, had seen before. */
  seenAgain = 0;
  readonly findings: string[] = [];
  readonly #contents = new Map<string, Map<string, string>>();

  /** A reader that shows only what is newer, as every client must. */
  reader(name: string): LedgerReader {
    return new LedgerReader(name, this);
  }

  /** Compares the content with what others saw under the same version. */
  compare(reader: string, { tripId, version, position }: Sighting): void {
    if (!position) return;
    this.compared++;
    const content = Object.values(position).join(" ");
    const of = this.#contents.get(tripId) ?? new Map<string, string>();
    this.#contents.set(tripId, of);
    const key = formatVersion(version);
    const before = of.get(key);
    if (before === undefined) {
      of.set(key, content);
      if (of.size > MAX_VERSIONS) of.delete(of.keys().next().value as string);
      return;
    }
    this.seenAgain++;
    if (before === content) return;
    this.owners2++;
    this.find(`${reader}: trip ${tripId} version ${key} has two contents`);
  }

  /** Notes what was found, without coordinates. */
  find(text: string): void {
    if (this.findings.length < MAX_FINDINGS) this.findings.push(text);
  }
}

/** One reader of live state; it may look at any number of trips. */
export class LedgerReader {
  readonly #name: string;
  readonly #ledger: LiveLedger;
  readonly #shown = new Map<string, { version: Version; capturedAtMs: number }>();

  constructor(name: string, ledger: LiveLedger) {
    this.#name = name;
    this.#ledger = ledger;
  }

  /** The version that the reader has of the trip. */
  version(tripId: string): Version {
    return this.#shown.get(tripId)?.version ?? ZERO_VERSION;
  }

  /**
   * Something that was promised to be newer, or at least as new: what is older counts as gone back. True when it is newer.
   */
  shows(sighting: Sighting): boolean {
    const { tripId, version, position } = sighting;
    this.#ledger.compare(this.#name, sighting);
    const had = this.#shown.get(tripId);
    const order = had ? compareVersions(version, had.version) : 1;
    if (had && order < 0)
      this.#wentBack(tripId, `version ${formatVersion(version)} after ${formatVersion(had.version)}`);
    if (order <= 0) return false;
    const sameGeneration = had?.version.generation === version.generation;
    if (had && position && sameGeneration && position.capturedAtMs < had.capturedAtMs)
      this.#wentBack(tripId, `captured ${had.capturedAtMs - position.capturedAtMs} ms before what it had`);
    const capturedAtMs = position?.capturedAtMs ?? (sameGeneration ? (had?.capturedAtMs ?? 0) : 0);
    this.#shown.set(tripId, { version, capturedAtMs });
    return true;
  }

  /** Something that may be older, which the reader then drops, as the bus's readers do. True when it is newer. */
  takes(sighting: Sighting): boolean {
    if (compareVersions(sighting.version, this.version(sighting.tripId)) > 0) return this.shows(sighting);
    this.#ledger.compare(this.#name, sighting);
    return false;
  }

  #wentBack(tripId: string, how: string): void {
    this.#ledger.wentBack++;
    this.#ledger.find(`${this.#name}: trip ${tripId} went back: ${how}`);
  }
}
