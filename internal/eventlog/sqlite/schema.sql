-- Version 1 of the embedded log.

-- What was fixed when the log was made: its region and number of partitions.
CREATE TABLE log (region TEXT NOT NULL, partitions INTEGER NOT NULL);

-- Entries in the order of their commits (id), which is also the order of their times, so that trimming works from the
-- front; readers go through the index, which holds each partition in its own order.
CREATE TABLE entries (
  id INTEGER PRIMARY KEY,
  partition INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  logged_at_ms INTEGER NOT NULL,
  body BLOB NOT NULL
);
CREATE UNIQUE INDEX entries_in_order ON entries (partition, sequence);

-- Last sequence removed from each partition: numbers are never given out again, also when all entries are gone.
CREATE TABLE trimmed (partition INTEGER PRIMARY KEY, through INTEGER NOT NULL);
