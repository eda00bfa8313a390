-- The last unit of work that each connection committed. When the answer to a COMMIT is lost, its row
-- says whether the unit happened, so that nothing is done twice.
CREATE TABLE IF NOT EXISTS scheduler_writers (
  id      TEXT NOT NULL,
  unit    INTEGER NOT NULL,
  seen_ms INTEGER NOT NULL,
  PRIMARY KEY (id)
) STRICT;
CREATE INDEX IF NOT EXISTS scheduler_writers_seen ON scheduler_writers (seen_ms);
