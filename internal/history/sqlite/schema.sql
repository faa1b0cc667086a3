-- Version 1 of the embedded history.

-- Chunks of fixes. Rows lie in the order in which chunks were begun, so those that still grow lie together; the key's
-- day (see TrackChunk) follows from first_at_ms and needs no column here.
CREATE TABLE chunks (
  id INTEGER PRIMARY KEY,
  party TEXT NOT NULL,
  first_at_ms INTEGER NOT NULL,
  session_id TEXT NOT NULL,
  first_seq INTEGER NOT NULL,
  min_at_ms INTEGER NOT NULL,
  max_at_ms INTEGER NOT NULL,
  -- 1 when a fix lies so far from first_at_ms that a search by it would miss the chunk.
  wide INTEGER NOT NULL,
  -- bimride.state.v1.TrackChunk
  fixes BLOB NOT NULL
);
CREATE UNIQUE INDEX chunks_key ON chunks (party, first_at_ms, session_id, first_seq);
CREATE INDEX chunks_by_time ON chunks (first_at_ms);
CREATE INDEX chunks_wide ON chunks (party) WHERE wide = 1;

CREATE TABLE trip_finals (
  trip_id TEXT PRIMARY KEY,
  revision INTEGER NOT NULL,
  settled_at_ms INTEGER NOT NULL,
  distance_m REAL NOT NULL,
  approach_m REAL NOT NULL,
  -- JSON, a list of PhaseSpan
  phases TEXT NOT NULL,
  -- bimride.state.v1.FinalTrack
  track BLOB NOT NULL
);
CREATE INDEX trip_finals_by_time ON trip_finals (settled_at_ms);

CREATE TABLE trip_events (
  trip_id TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  key TEXT NOT NULL,
  -- JSON, the rest of the TripEvent
  event TEXT NOT NULL,
  PRIMARY KEY (trip_id, at_ms, key)
) WITHOUT ROWID;
CREATE INDEX trip_events_by_time ON trip_events (at_ms);
