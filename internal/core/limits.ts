/**
 * Every bound of the system that is not a deployment's choice, in one place. What happens at each bound is said in its
 * comment; docs/ARCHITECTURE.md lists them. Parts take the whole object or a slice of it as an argument.
 */
export const DEFAULT_LIMITS = {
  /** Partitions of a region's log; fixed at creation. */
  partitions: 16,
  /** Fixes per message on streams; more: BATCH_TOO_LARGE, nothing stored, the stream goes on. */
  maxFixesPerMessage: 1_000,
  /** Fixes per PublishBatch; more: BATCH_TOO_LARGE. */
  maxFixesPerBatch: 10_000,
  /** Bytes per inbound message; more ends a stream with MESSAGE_TOO_LARGE, HTTP answers 413. */
  maxMessageBytes: 1 << 20,
  /** Fixes of one session waiting for the log; more are answered RATE_LIMITED. */
  maxPendingFixesPerSession: 20_000,
  /** Bytes of answers that a client has not read; more ends its stream with CLIENT_TOO_SLOW. */
  maxUnreadAnswerBytes: 1 << 20,
  /** MQTT publishes of QoS 1 and 2 of a connection without their PUBACK or PUBREC; at it nothing more is read until one has it. */
  maxUnackedPublishes: 100,
  /** Bytes of a JSON body of POST /v1/fixes, so that a full batch fits in; more: 413. */
  maxJsonBodyBytes: 4 << 20,
  /** Open ingest streams per gateway; more: OVERLOADED. */
  maxIngestStreams: 20_000,
  /** Parties whose sessions a gateway remembers; the longest silent without a stream are forgotten. */
  maxKnownParties: 100_000,
  /** Hellos, device states, trip actions, sharing of places and token refreshes per stream and second, sustained; more: RATE_LIMITED. */
  maxControlMessagesPerSecond: 2,
  /** The burst on top of it. */
  maxControlBurst: 100,
  /** A client is asked for a fresh token so long before its own ends; when that has less than twice so long to go, after half of it. */
  tokenRefreshAheadMs: 60_000,
  /** Wanted rate: a device is never asked to send more often than this. */
  fastestWantedMs: 1_000,
  /** Wanted rate: the safety floor. On a trip a device is never asked to send more seldom, nor than 80 % of delayedAfterMs. */
  slowestOnTripMs: 8_000,
  /** Wanted rate: the same for a driver without a trip, who must not look STALE in a search; nor than 80 % of staleAfterMs. */
  slowestIdleMs: 24_000,
  /** Wanted rate: the same for a rider whom nobody watches; nor than 80 % of lostAfterMs. */
  slowestRiderMs: 60_000,
  /** A stream is told of another wanted rate not more often than this. */
  wantedRatePauseMs: 2_000,
  /** A slower wanted rate is told once it has been right for so long. */
  slowerRateAfterMs: 6_000,
  /** An edge tells the gateways this often that somebody watches a trip. */
  watchedRepeatMs: 8_000,
  /** Hearing that a trip is watched counts for so long; then nobody watches it, unless it was heard again. */
  watchedForMs: 20_000,
  /** Trips of which an edge remembers when it last told that they are watched; beyond, some are told of too often. */
  maxTripsTold: 50_000,
  /** Streams without any message for so long are ended with IDLE_TIMEOUT. */
  ingestIdleTimeoutMs: 180_000,
  /** A stream must say Hello within this, else HELLO_EXPECTED. */
  helloTimeoutMs: 10_000,
  /** Sustained fixes per second and session; more, once the burst is spent: RATE_LIMITED. */
  maxFixesPerSecondPerSession: 200,
  /** Fixes of a session beyond the sustained rate, for a backfill; more: RATE_LIMITED with a wait. */
  maxFixBurstPerSession: 50_000,
  /** Bytes appended and not yet durable, per gateway and region; more: appends are refused with LOG_UNAVAILABLE and verdicts withheld. */
  maxPendingLogBytes: 64 << 20,
  /** Fixes in one log entry; more go into the next one. */
  maxFixesPerEntry: 100,
  /** Bytes of one log entry from which the next fix goes into the next one. */
  maxEntryBytes: 32 << 10,
  /** Wait for company before a log entry is written. */
  lingerMs: 5,
  /** The same while the gateway is nearly idle. */
  lingerIdleMs: 0,
  /** The same under load. */
  lingerLoadedMs: 10,
  /** Oldest acceptable capture time before receipt, after offset correction; older: INVALID, CAPTURED_TOO_OLD. */
  maxFixAgeMs: 48 * 3_600_000,
  /** Newest acceptable capture time after receipt, likewise; newer: INVALID, CAPTURED_IN_FUTURE. */
  maxFixAheadMs: 60_000,
  /** Verdict LATE from this age on. */
  lateAfterMs: 600_000,
  /** Clock offsets within ± this are not told from network delay and not applied. */
  clockDeadBandMs: 1_000,
  /** Intervals of seen sequence numbers kept per session; on overflow the oldest gap is closed for live, and history relies on the reader's dedupe. */
  maxDedupeIntervals: 64,
  /** Sessions remembered per party; the oldest are forgotten. */
  maxSessionsPerParty: 8,
  /** Take-overs of a party's marker within takeOverWindowMs; at more, whoever has the marker keeps it, and others are refused with SUPERSEDED and a wait. */
  maxTakeOversPerWindow: 3,
  /** The time that maxTakeOversPerWindow counts in. */
  takeOverWindowMs: 60_000,
  /** A revocation of a session holds at least so long; longer, up to maxRevocationMs, when its stream's token does. */
  revocationMs: 24 * 3_600_000,
  /** A revocation holds no longer. Tokens must not be made to last longer. */
  maxRevocationMs: 30 * 24 * 3_600_000,
  /** Revocations that hold at a time; further ones are refused with OVERLOADED, none is forgotten early. */
  maxRevocations: 100_000,
  /** Wait for the nodes' answers when a user's sessions are listed; who did not answer by then is missing, and that is said. */
  rollCallMs: 300,
  /** Sessions in one list and in one node's answer; the newest are told. */
  maxListedSessions: 100,
  /** A party silent for so long is dropped from the pipeline's state. */
  partyIdleMs: 48 * 3_600_000,
  /** Points of a live trail; the oldest leave. */
  maxTrailPoints: 300,
  /** Points of a planned path; more: FIELD_INVALID. */
  maxPathPoints: 5_000,
  /** Waypoints of a trip; more: FIELD_INVALID. */
  maxWaypoints: 20,
  /** Riders of a trip; more: FIELD_INVALID. */
  maxRiders: 8,
  /** Trips of a rider who shares their place that the pipeline remembers; the oldest are forgotten, their drivers shown nothing. */
  maxSharedTripsPerRider: 4,
  /** Trips in one watch; more: WATCH_TOO_MANY_TRIPS. */
  maxTripsPerWatch: 20,
  /** Watches per edge node; more: WATCH_TOO_MANY. */
  maxWatchesPerNode: 20_000,
  /** Watches per user and edge node; more: WATCH_TOO_MANY. */
  maxWatchesPerUser: 50,
  /** Events waiting for one viewer; more: its backlog is replaced by a snapshot. */
  maxQueuedEventsPerViewer: 64,
  /** A stream without news for so long says so with a heartbeat. */
  heartbeatMs: 15_000,
  /** Live access ends this long after the trip. */
  liveAfterEndMs: 30 * 60_000,
  /** Freshness: a position older than this is DELAYED. */
  delayedAfterMs: 10_000,
  /** Freshness: a position older than this is STALE. */
  staleAfterMs: 30_000,
  /** Freshness: a position older than this is LOST. */
  lostAfterMs: 120_000,
  /** Cars in one viewport answer; more: `truncated` is set. */
  maxCarsPerViewport: 5_000,
  /** Time between two answers of a viewport stream; what happens between them is told together. */
  viewportPeriodMs: 1_000,
  /** Points on one page of a track; more: FIELD_INVALID. Other lists have smaller pages of their own. */
  maxPageSize: 10_000,
  /** Fixes of a history chunk; it is written then. */
  maxFixesPerChunk: 60,
  /** Time that a history chunk stays open; it is written then. */
  maxChunkSpanMs: 240_000,
  /** Settlement after a trip's end. */
  settleAfterMs: 600_000,
  /**
   * Time between snapshots of a projection. History's could come less often, but its replay is made beside that of live,
   * which viewers wait for when a processor died.
   */
  snapshotPeriodMs: 10_000,
  /** An owner appends a Tick when its partition was silent for so long while some state waits for time. */
  tickAfterMs: 1_000,
  /** An owner appends a Tick to a partition that was silent for so long, so that its cursor never lags behind the log's age. */
  keepAliveTickMs: 3_600_000,
  /** A processor shows that it lives this often. */
  memberRenewMs: 500,
  /** A processor that showed no life for so long, on the observer's own clock, loses its partitions. */
  memberSilentMs: 2_000,
  /** Longest wait for an owner to store what is open before a partition is handed over. */
  handOverMs: 5_000,
  /** A gateway or edge shows that it lives this often. */
  nodeRenewMs: 1_000,
  /** A gateway or edge that showed no life for so long, on the observer's own clock, is no place to send clients to. */
  nodeSilentMs: 3_000,
  /** Gateways and edges that a region's placement knows; further ones are not seen, and no client is sent to them. */
  maxNodesPerRegion: 1_000,
  /** A party keeps its region until it is so far outside of it; region borders are this thick. */
  regionHysteresisM: 2_000,
  /** A place outside all regions belongs to the nearest one within this reach, else to the default region. */
  regionReachM: 50_000,
  /** How long the log keeps entries. */
  logRetentionMs: 48 * 3_600_000,
};
export type Limits = typeof DEFAULT_LIMITS;
