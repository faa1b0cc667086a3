-- Version 1 of the embedded trips store.

-- The newest version of each trip; body is the trip as JSON, the columns repeat what is searched for.
CREATE TABLE trips (
  trip_id TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  driver_id TEXT NOT NULL,
  running INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  body TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX trips_newest ON trips (created_at_ms, trip_id);
CREATE INDEX trips_of_driver ON trips (driver_id, created_at_ms, trip_id);
-- One running trip per driver.
CREATE UNIQUE INDEX running_trip_of_driver ON trips (driver_id) WHERE running = 1 AND driver_id <> '';

CREATE TABLE trip_riders (
  rider_id TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  trip_id TEXT NOT NULL,
  PRIMARY KEY (rider_id, created_at_ms, trip_id)
) WITHOUT ROWID;
CREATE INDEX riders_of_trip ON trip_riders (trip_id);

-- Stored changes that are not yet in the log, in the order they were stored; previous is the version before, as JSON.
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  trip_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  body TEXT NOT NULL,
  previous TEXT,
  UNIQUE (trip_id, version)
);

-- Keys under which trips were created.
CREATE TABLE claims (
  key TEXT PRIMARY KEY,
  digest TEXT NOT NULL,
  trip_id TEXT NOT NULL,
  claimed_at_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX claims_by_age ON claims (claimed_at_ms);
