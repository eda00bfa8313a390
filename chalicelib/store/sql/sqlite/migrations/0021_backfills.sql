-- Ranges of nominal times that somebody wants run. cursor_ms: how far they are disposed of.
-- wake_ms: when the sweep must look; NULL while its instances are at work, and when it has ended.
CREATE TABLE IF NOT EXISTS scheduler_backfills (
  id           TEXT NOT NULL,
  owner        TEXT NOT NULL,
  job_id       TEXT NOT NULL,
  state        TEXT NOT NULL,
  from_ms      INTEGER NOT NULL,
  to_ms        INTEGER NOT NULL,
  cursor_ms    INTEGER NOT NULL,
  newest_first INTEGER NOT NULL,
  reprocess    TEXT NOT NULL,
  overlap      TEXT NOT NULL,
  max_active   INTEGER NOT NULL,
  revision     INTEGER NOT NULL,
  parameters   TEXT NOT NULL,
  total        INTEGER NOT NULL,
  made         INTEGER NOT NULL,
  rerun        INTEGER NOT NULL,
  existing     INTEGER NOT NULL,
  wait_ms      INTEGER NOT NULL,
  wake_ms      INTEGER,
  failures     INTEGER NOT NULL,
  error        TEXT,
  reason       TEXT,
  created_ms   INTEGER NOT NULL,
  created_by   TEXT NOT NULL,
  ended_ms     INTEGER,
  end_reason   TEXT,
  PRIMARY KEY (id),
  CONSTRAINT scheduler_backfills_state_known CHECK (state IN ('RUNNING', 'COMPLETED', 'CANCELLED')),
  CONSTRAINT scheduler_backfills_range
    CHECK (from_ms < to_ms AND cursor_ms >= from_ms AND cursor_ms <= to_ms),
  CONSTRAINT scheduler_backfills_ended
    CHECK ((ended_ms IS NULL) = (state = 'RUNNING') AND (ended_ms IS NULL OR wake_ms IS NULL))
) STRICT;
CREATE INDEX IF NOT EXISTS scheduler_backfills_wake ON scheduler_backfills (wake_ms);
CREATE INDEX IF NOT EXISTS scheduler_backfills_job ON scheduler_backfills (job_id, id);
CREATE INDEX IF NOT EXISTS scheduler_backfills_job_state ON scheduler_backfills (job_id, state, id);
CREATE INDEX IF NOT EXISTS scheduler_backfills_owner ON scheduler_backfills (owner, id);
CREATE INDEX IF NOT EXISTS scheduler_backfills_state ON scheduler_backfills (state, id);
