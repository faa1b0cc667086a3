-- Version 2: a chunk's key names the log entry that began it, so that a fix that stands twice in the log never replaces a
-- chunk that it began before. Rows of version 1 keep 0.
ALTER TABLE chunks ADD COLUMN first_sequence INTEGER NOT NULL DEFAULT 0;
DROP INDEX chunks_key;
CREATE UNIQUE INDEX chunks_key ON chunks (party, first_at_ms, session_id, first_seq, first_sequence);
