-- One row a job. cursor_ms: every nominal time before it has its disposition. wake_ms: when the
-- sweep must look; NULL for never. name_key is the name while the job lives: a deleted job frees it.
CREATE TABLE IF NOT EXISTS scheduler_jobs (
  id                 TEXT NOT NULL,
  owner              TEXT NOT NULL,
  name               TEXT NOT NULL,
  name_key           TEXT,
  state              TEXT NOT NULL,
  revision           INTEGER NOT NULL,
  definition         TEXT NOT NULL,
  cursor_ms          INTEGER NOT NULL,
  wake_ms            INTEGER,
  suspended_by       TEXT,
  suspended_reason   TEXT,
  suspended_since_ms INTEGER,
  suspended_until_ms INTEGER,
  failures           INTEGER NOT NULL,
  edit               INTEGER NOT NULL,
  created_ms         INTEGER NOT NULL,
  created_by         TEXT NOT NULL,
  modified_ms        INTEGER NOT NULL,
  modified_by        TEXT NOT NULL,
  PRIMARY KEY (id),
  CONSTRAINT scheduler_jobs_state
    CHECK (state IN ('NEW', 'SCHEDULED', 'SUSPENDED', 'EXPIRED', 'DELETED')),
  CONSTRAINT scheduler_jobs_name_freed CHECK ((state = 'DELETED') = (name_key IS NULL)),
  CONSTRAINT scheduler_jobs_suspended CHECK ((state = 'SUSPENDED') = (suspended_since_ms IS NOT NULL)),
  CONSTRAINT scheduler_jobs_suspender CHECK ((suspended_by IS NULL) = (suspended_since_ms IS NULL)),
  CONSTRAINT scheduler_jobs_counts
    CHECK (revision >= 1 AND edit >= 1 AND failures >= 0 AND cursor_ms >= 0)
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS scheduler_jobs_name ON scheduler_jobs (owner, name_key);
CREATE INDEX IF NOT EXISTS scheduler_jobs_wake ON scheduler_jobs (wake_ms);
CREATE INDEX IF NOT EXISTS scheduler_jobs_owner ON scheduler_jobs (owner, id);
CREATE INDEX IF NOT EXISTS scheduler_jobs_name_alone ON scheduler_jobs (name_key);
