-- Version 3: an older version of a row never replaces a newer one (internal/history/version.ts). Rows of before are older
-- than anything.
ALTER TABLE chunks ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE trip_finals ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
