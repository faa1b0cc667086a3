/** What an engine means by its port's promises. Each value is a table cell of docs/ENGINES.md. */
export type EngineFacts = {
  /** Name of the engine, and of its folder in the port's folder. */
  name: string;
  chosenBy: "embedded" | "real";
  /** What has happened once a write has resolved. */
  durable: string;
  /** What the end of its process, or of its server's, takes away. */
  loses: string;
  /** What it does when it is full or overtaxed. */
  atBound: string;
};

/** A port, its contract suite, and the engines behind it. */
export type PortFacts = {
  /** As in internal/app/engines.ts. */
  port: string;
  /** Words for the heading. */
  title: string;
  /** Folder of the port's file, its contract suite and its engines. */
  folder: string;
  /** Name of the function in the folder's contract file. */
  suite: string;
  engines: readonly EngineFacts[];
};

const NO_ANSWER = "no answer of the server: STORE_UNAVAILABLE";

/** Everything that docs/ENGINES.md says about engines and that no program can find out. */
export const PORTS: readonly PortFacts[] = [
  {
    port: "log",
    title: "The log",
    folder: "internal/eventlog",
    suite: "eventLogContract",
    engines: [
      {
        name: "sqlite",
        chosenBy: "embedded",
        durable:
          "committed by SQLite with WAL and `synchronous=FULL`: the disk was told to fsync before `append` resolved. Appends that wait together are committed together",
        loses: "nothing that was acknowledged",
        atBound:
          "`log.max_bytes` or the disk full: LOG_FULL, until trimming made room; `maxPendingLogBytes` waiting: LOG_UNAVAILABLE",
      },
      {
        name: "nats",
        chosenBy: "real",
        durable:
          "stored by a majority of `nats.replicas` servers. With `sync_interval: always` it is on their disks; by default it is in their files and flushed later (docs/OPERATIONS.md has both profiles)",
        loses:
          "nothing that was acknowledged when a server's process is killed. By default a power cut of a majority of the replicas at once loses what was not flushed; with `sync_interval: always` nothing",
        atBound:
          "`log.max_bytes` or the disk full: LOG_FULL, nothing old is dropped; servers away or `maxPendingLogBytes` waiting: LOG_UNAVAILABLE, and gateways write to their spool",
      },
    ],
  },
  {
    port: "history",
    title: "History",
    folder: "internal/history",
    suite: "historyContract",
    engines: [
      {
        name: "sqlite",
        chosenBy: "embedded",
        durable: "as the log's `sqlite`",
        loses: "nothing that was resolved; what was under way is written again from the cursor",
        atBound: "the disk full: STORE_UNAVAILABLE, the cursor stays",
      },
      {
        name: "cassandra",
        chosenBy: "real",
        durable:
          "with a quorum of the data centre's copies (LOCAL_QUORUM); on their disks by `commitlog_sync: batch` or `group`, up to 10 s later by its default `periodic` (docs/OPERATIONS.md)",
        loses:
          "nothing that was resolved with `batch` or `group`; with `periodic` what a majority of the copies that die together had not flushed. What was under way is written again from the cursor",
        atBound:
          "more than 512 requests under way and 8,192 waiting, or no quorum in time: STORE_UNAVAILABLE, the cursor stays",
      },
    ],
  },
  {
    port: "trips",
    title: "Trips",
    folder: "internal/trips",
    suite: "tripsContract",
    engines: [
      {
        name: "sqlite",
        chosenBy: "embedded",
        durable: "as the log's `sqlite`; trip, outbox row and idempotency key in one transaction",
        loses: "nothing that was answered",
        atBound: "the disk full: STORE_UNAVAILABLE, nothing is stored",
      },
      {
        name: "cassandra",
        chosenBy: "real",
        durable:
          "as the history's `cassandra`; a put takes effect with one conditional statement (LOCAL_SERIAL) on the trip's row, which names the change as not yet published. Everything else is judged by that row",
        loses:
          "nothing that was answered, as the history's. A put cut off by a crash is done or not; a driver or key that it had taken is free again 2 s after somebody wants it, its outbox row goes after 60 s. A change that another process stored may be listed as pending 2 s later",
        atBound:
          "as the history's. A conditional statement without an answer is read back; who can't tell answers STORE_UNAVAILABLE, and the put may have been carried out",
      },
    ],
  },
  {
    port: "latest",
    title: "Latest state",
    folder: "internal/latest",
    suite: "latestContract",
    engines: [
      {
        name: "memory",
        chosenBy: "embedded",
        durable: "not: it is a cache",
        loses: "everything; rebuilt from the last snapshot and the log after it before `/readyz` is 200",
        atBound: "parties leave by age, trips 30 min after their end",
      },
      {
        name: "redis",
        chosenBy: "real",
        durable: "not: it is a cache, whatever Redis writes to its disk",
        loses:
          "everything, or what a failover had not copied; the owners of the partitions notice and write it anew from memory. Until then trips from before it are STORE_UNAVAILABLE, not shown without their car",
        atBound: `every key expires by itself, parties leave by age, trips 30 min after their end; ${NO_ANSWER}`,
      },
    ],
  },
  {
    port: "bus",
    title: "Live bus",
    folder: "internal/live",
    suite: "liveBusContract",
    engines: [
      {
        name: "memory",
        chosenBy: "embedded",
        durable: "not: at most once, to those who listen now",
        loses: "subscriptions; viewers connect again and get a snapshot",
        atBound: "it has no queue: subscribers conflate",
      },
      {
        name: "nats",
        chosenBy: "real",
        durable: "not: at most once, to those who listen now (NATS core)",
        loses:
          "what is published while the servers are away; subscriptions come back by themselves, and a hole in the versions makes the edge read the snapshot again",
        atBound: "what the connection can't take is dropped, publishers wait for nobody",
      },
    ],
  },
  {
    port: "leases",
    title: "Leases",
    folder: "internal/partitions",
    suite: "leasesContract",
    engines: [
      {
        name: "local",
        chosenBy: "embedded",
        durable: "epochs in a file, renamed into place after fsync",
        loses: "the leases; the next process gets larger epochs",
        atBound: "one process holds all partitions",
      },
      {
        name: "nats",
        chosenBy: "real",
        durable: "in the memory of `nats.replicas` servers (key-value bucket)",
        loses:
          "with all servers of the bucket at once what it held; leases that are valid stay so, and epochs grow on because they are no less than the wall clock's milliseconds",
        atBound:
          "a process that can't renew loses its leases by its own monotonic clock before another may hold them; partitions spread evenly over the processors that live",
      },
    ],
  },
  {
    port: "snapshots",
    title: "Snapshots",
    folder: "internal/partitions",
    suite: "snapshotsContract",
    engines: [
      {
        name: "local",
        chosenBy: "embedded",
        durable: "a file with a checksum, renamed into place after fsync",
        loses: "at most the newest snapshot, which lengthens the replay",
        atBound: "one file per name",
      },
      {
        name: "nats",
        chosenBy: "real",
        durable: "in the memory of `nats.replicas` servers (object store), with a checksum",
        loses:
          "with all servers of the store at once all snapshots but those that a process saved lately itself and has in memory; the others' loss lengthens the replay",
        atBound:
          "one object per name; no answer within half a minute: STORE_UNAVAILABLE, and the next period tries again",
      },
    ],
  },
  {
    port: "nodes",
    title: "Nodes (placement)",
    folder: "internal/placement",
    suite: "nodesContract",
    engines: [
      {
        name: "local",
        chosenBy: "embedded",
        durable: "not: one process knows itself",
        loses: "everything; the next process announces itself",
        atBound: "one process serves everyone",
      },
      {
        name: "nats",
        chosenBy: "real",
        durable: "in the memory of `nats.replicas` servers (key-value bucket)",
        loses: "who lives; every node announces itself anew within its period",
        atBound:
          "a node that says nothing leaves by itself; a client that was sent elsewhere is served all the same",
      },
    ],
  },
  {
    port: "revocations",
    title: "Revocations (sessions)",
    folder: "internal/sessions",
    suite: "revocationsContract",
    engines: [
      {
        name: "local",
        chosenBy: "embedded",
        durable: "in a file of the data folder, appended to and forced to the disk",
        loses: "nothing",
        atBound: "`maxRevocations`: further ones are refused with OVERLOADED",
      },
      {
        name: "nats",
        chosenBy: "real",
        durable:
          "in the files of `nats.replicas` servers (key-value bucket), as the log is; each entry leaves by itself when its time is over",
        loses:
          "nothing; processes go on with what they know while the servers are away, and write it anew when the bucket was lost",
        atBound: "`maxRevocations`, or the bucket full: further ones are refused, none leaves early",
      },
    ],
  },
];
