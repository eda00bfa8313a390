-- Named calendars: when the jobs that name them do not fire.
CREATE TABLE IF NOT EXISTS scheduler_calendars (
  owner       TEXT NOT NULL,
  name        TEXT NOT NULL,
  document    TEXT NOT NULL,
  edit        INTEGER NOT NULL,
  created_ms  INTEGER NOT NULL,
  created_by  TEXT NOT NULL,
  modified_ms INTEGER NOT NULL,
  modified_by TEXT NOT NULL,
  PRIMARY KEY (owner, name),
  CONSTRAINT scheduler_calendars_edit CHECK (edit >= 1)
) STRICT;
