-- One row a nominal time of a job: that is the UNIQUE key. version shuts out late writers.
-- wake_ms: when the sweep must look; NULL when terminal or held. active: it holds a slot.
CREATE TABLE IF NOT EXISTS scheduler_job_instances (
  id               TEXT NOT NULL,
  job_id           TEXT NOT NULL,
  owner            TEXT NOT NULL,
  nominal_ms       INTEGER NOT NULL,
  kind             TEXT NOT NULL,
  parameters       TEXT NOT NULL,
  state            TEXT NOT NULL,
  reason           TEXT,
  revision         INTEGER NOT NULL,
  run              INTEGER NOT NULL,
  attempt          INTEGER NOT NULL,
  version          INTEGER NOT NULL,
  wake_ms          INTEGER,
  deadline_ms      INTEGER,
  active           INTEGER NOT NULL,
  claim_epoch      INTEGER NOT NULL,
  lease_ms         INTEGER,
  claim_count      INTEGER NOT NULL,
  stop_kind        TEXT,
  stop_by          TEXT,
  stop_reason      TEXT,
  stop_deadline_ms INTEGER,
  external_id      TEXT,
  external_url     TEXT,
  handle           TEXT,
  result_path      TEXT,
  log_path         TEXT,
  error            TEXT,
  waiting_on       TEXT,
  created_ms       INTEGER NOT NULL,
  run_created_ms   INTEGER NOT NULL,
  ready_ms         INTEGER,
  launched_ms      INTEGER,
  started_ms       INTEGER,
  ended_ms         INTEGER,
  PRIMARY KEY (id),
  CONSTRAINT scheduler_job_instances_state_known
    CHECK (state IN ('WAITING', 'LAUNCHING', 'LAUNCHED', 'RUNNING', 'SUCCEEDED', 'FAILED',
           'TIMED_OUT', 'KILLED', 'SKIPPED')),
  CONSTRAINT scheduler_job_instances_kind_known CHECK (kind IN ('SCHEDULED', 'MANUAL', 'BACKFILL')),
  CONSTRAINT scheduler_job_instances_ended
    CHECK ((ended_ms IS NOT NULL) = (state IN ('SUCCEEDED', 'FAILED', 'TIMED_OUT', 'KILLED',
           'SKIPPED'))),
  CONSTRAINT scheduler_job_instances_asleep CHECK (ended_ms IS NULL OR wake_ms IS NULL),
  CONSTRAINT scheduler_job_instances_slot CHECK (active IN (0, 1) AND (active = 0 OR ended_ms IS NULL)),
  CONSTRAINT scheduler_job_instances_in_flight
    CHECK (state NOT IN ('LAUNCHING', 'LAUNCHED', 'RUNNING') OR active = 1),
  CONSTRAINT scheduler_job_instances_stop
    CHECK ((stop_kind IS NULL) = (stop_by IS NULL) AND (stop_kind IS NULL) = (stop_deadline_ms IS NULL)),
  CONSTRAINT scheduler_job_instances_counts
    CHECK (nominal_ms >= 0 AND revision >= 1 AND run >= 1 AND attempt >= 1 AND version >= 1
           AND claim_epoch >= 0 AND claim_count >= 0)
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS scheduler_job_instances_nominal ON scheduler_job_instances (job_id, nominal_ms);
CREATE INDEX IF NOT EXISTS scheduler_job_instances_wake ON scheduler_job_instances (wake_ms);
CREATE INDEX IF NOT EXISTS scheduler_job_instances_active ON scheduler_job_instances (job_id, active);
CREATE INDEX IF NOT EXISTS scheduler_job_instances_job ON scheduler_job_instances (job_id, state, nominal_ms);
CREATE INDEX IF NOT EXISTS scheduler_job_instances_owner ON scheduler_job_instances (owner, id);
CREATE INDEX IF NOT EXISTS scheduler_job_instances_state ON scheduler_job_instances (state, id);
