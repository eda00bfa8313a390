-- Runs that a retry or a rerun superseded; the latest run is in the instance itself.
CREATE TABLE IF NOT EXISTS scheduler_instance_runs (
  instance_id  CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  number       INT NOT NULL,
  state        VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  reason       VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin,
  external_id  MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  external_url MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  handle       MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  result_path  MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  log_path     MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  error        MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
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
