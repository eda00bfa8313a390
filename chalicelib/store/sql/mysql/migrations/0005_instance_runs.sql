-- Runs that a retry or a rerun superseded; the latest run is in the instance itself.
CREATE TABLE IF NOT EXISTS scheduler_instance_runs (
  instance_id  CHAR(32) NOT NULL,
  number       INT NOT NULL,
  state        VARCHAR(40) NOT NULL,
  reason       VARCHAR(40),
  external_id  MEDIUMTEXT,
  external_url MEDIUMTEXT,
  handle       MEDIUMTEXT,
  result_path  MEDIUMTEXT,
  log_path     MEDIUMTEXT,
  error        MEDIUMTEXT,
  created_ms   BIGINT NOT NULL,
  launched_ms  BIGINT,
  started_ms   BIGINT,
  ended_ms     BIGINT,
  PRIMARY KEY (instance_id, number),
  CONSTRAINT scheduler_instance_runs_state
    CHECK (state IN ('WAITING', 'LAUNCHING', 'LAUNCHED', 'RUNNING', 'SUCCEEDED', 'FAILED',
           'TIMED_OUT', 'KILLED', 'SKIPPED')),
  CONSTRAINT scheduler_instance_runs_number CHECK (number >= 1)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
