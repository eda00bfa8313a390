-- Teams that jobs belong to.
CREATE TABLE IF NOT EXISTS scheduler_owners (
  name       TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (name)
) STRICT;
