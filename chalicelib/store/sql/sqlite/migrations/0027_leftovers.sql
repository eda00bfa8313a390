-- Runs that were purged, until their files are removed too.
CREATE TABLE IF NOT EXISTS scheduler_leftovers (
  token TEXT NOT NULL,
  PRIMARY KEY (token)
) STRICT;
