/** What a drill is asked for. */
export type DrillArgs = {
  /** Fixes per second that must be acked; a little more is sent. Each drill has its own default. */
  rate: number | undefined;
  viewers: number;
  seed: number;
  /** Faults, for drills that repeat theirs. */
  kills: number | undefined;
  /** Folder that the processes' logs and data are left in; undefined: all is removed. */
  keep: string | undefined;
};

/** What a drill has of the one who runs it. */
export type DrillContext = {
  args: DrillArgs;
  /** What is put on it is ended with the drill, however that ends. */
  owned: AsyncDisposableStack;
  log(line: string): void;
};

/** Puts on the stack what a start brings; when the drill was ended meanwhile it is ended at once, and this rejects. */
export async function own<Thing extends AsyncDisposable>(
  { owned }: Pick<DrillContext, "owned">,
  starting: Promise<Thing>,
): Promise<Thing> {
  const thing = await starting;
  if (!owned.disposed) return owned.use(thing);
  await thing[Symbol.asyncDispose]();
  throw new Error("the drill was ended");
}

/** One drill, as `npm run drill -- NAME` runs it. */
export type Drill = {
  name: string;
  /** What is done and what must hold, in a sentence, for the usage and the documents. */
  shows: string;
  run(context: DrillContext): Promise<DrillResult>;
};

/** The result of a drill: schema bimride.drill/1. */
export type DrillResult = {
  name: string;
  /** Process that the (last) fault hit; 0 where it hit none of ours. */
  pid: number;
  /** ISO time of the first fault. */
  faultAt: string;
  /** Fixes that drivers were told are durable. */
  acked: number;
  /** Of these, how many history does not have. */
  missing: number;
  /** Fixes that history gives more than once. */
  duplicated: number;
  /** Times that a viewer, a store or a reader of the bus saw something older than before. */
  wentBack: number;
  /** Versions that two contents were seen under. */
  owners2: number;
  /** Longest time without a live update of any one viewer during the fault; the cars' own interval is in it. */
  gapMs: number;
  ok: boolean;
} & Partial<DrillDetails>;

export type DrillDetails = {
  /** Fixes acked per second; `during` from the first fault until the last is over. */
  ackedPerSecond: { before: number; during: number; after: number };
  /** True where acks must go on during the fault. */
  acksPromised: boolean;
  faults: number;
  faultMs: number;
  /** Time between two fixes of one car. */
  carIntervalMs: number;
  /** As gapMs, in the time before the fault. */
  gapBeforeMs: number;
  /** Longest time without an update of one partition, read from the bus. */
  partitionGapMs: number;
  /** Verdicts BUFFERED. */
  buffered: number;
  /** Fixes that stayed without a verdict, or were refused for good. */
  unacked: number;
  refused: number;
  /** Writes of an older partition epoch that stores refused, as they must. */
  staleWritesRefused: number;
  /** Sightings of live state that were compared, and how many of a version that was seen before. */
  compared: number;
  seenAgain: number;
  /** Reconnects of viewers. */
  viewerReconnects: number;
  /** p95 and all of the times from a fault until every partition had updates again. */
  takeOverMs: { p95: number; each: number[] };
  /** What else a drill measured, in milliseconds or counts. */
  measured: Record<string, number>;
  /** Why it is not ok. */
  problems: string[];
};

/** What `npm run drill` prints. */
export type DrillReport = {
  schema: "bimride.drill/1";
  machine: { cpu: string; cores: number; memGiB: number };
  drills: DrillResult[];
  ok: boolean;
};
