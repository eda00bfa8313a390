-- Concurrency groups: at most so many instances of all jobs that name the group at once.
CREATE TABLE IF NOT EXISTS scheduler_groups (
  owner       TEXT NOT NULL,
  name        TEXT NOT NULL,
  size        INTEGER NOT NULL,
  description TEXT NOT NULL,
  edit        INTEGER NOT NULL,
  created_ms  INTEGER NOT NULL,
  created_by  TEXT NOT NULL,
  modified_ms INTEGER NOT NULL,
  modified_by TEXT NOT NULL,
  PRIMARY KEY (owner, name),
  CONSTRAINT scheduler_groups_size CHECK (size >= 0 AND edit >= 1)
) STRICT;
