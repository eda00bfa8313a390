-- The calendars that a revision names, as they were in it: a run's request is made from them.
CREATE TABLE IF NOT EXISTS scheduler_revision_calendars (
  job_id    TEXT NOT NULL,
  revision  INTEGER NOT NULL,
  calendars TEXT NOT NULL,
  PRIMARY KEY (job_id, revision)
) STRICT;
