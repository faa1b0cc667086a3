-- For the tests of this folder.
CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
