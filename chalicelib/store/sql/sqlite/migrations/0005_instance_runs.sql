-- Runs that a retry or a rerun superseded; the latest run is in the instance itself.
CREATE TABLE IF NOT EXISTS scheduler_instance_runs (
  instance_id  TEXT NOT NULL,
  number       INTEGER NOT NULL,
  state        TEXT NOT NULL,
  reason       TEXT,
  external_id  TEXT,
  external_url TEXT,
  handle       TEXT,
  result_path  TEXT,
  log_path     TEXT,
  error        TEXT,
  created_ms   INTEGER NOT NULL,
  launched_ms  INTEGER,
  started_ms   INTEGER,
  ended_ms     INTEGER,
  PRIMARY KEY (instance_id, number),
  CONSTRAINT scheduler_instance_runs_state
    CHECK (state IN ('WAITING', 'LAUNCHING', 'LAUNCHED', 'RUNNING', 'SUCCEEDED', 'FAILED',
           'TIMED_OUT', 'KILLED', 'SKIPPED')),
  CONSTRAINT scheduler_instance_runs_number CHECK (number >= 1)
) STRICT;
