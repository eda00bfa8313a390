-- One row a job. cursor_ms: every nominal time before it has its disposition. wake_ms: when the
-- sweep must look; NULL for never. name_key is the name while the job lives: a deleted job frees it.
CREATE TABLE IF NOT EXISTS scheduler_jobs (
  id                 CHAR(32) NOT NULL,
  owner              VARCHAR(100) NOT NULL,
  name               VARCHAR(100) NOT NULL,
  name_key           VARCHAR(100),
  state              VARCHAR(40) NOT NULL,
  revision           INT NOT NULL,
  definition         MEDIUMTEXT NOT NULL,
  cursor_ms          BIGINT NOT NULL,
  wake_ms            BIGINT,
  suspended_by       VARCHAR(255),
  suspended_reason   MEDIUMTEXT,
  suspended_since_ms BIGINT,
  suspended_until_ms BIGINT,
  failures           INT NOT NULL,
  edit               INT NOT NULL,
  created_ms         BIGINT NOT NULL,
  created_by         VARCHAR(255) NOT NULL,
  modified_ms        BIGINT NOT NULL,
  modified_by        VARCHAR(255) NOT NULL,
  PRIMARY KEY (id),
  CONSTRAINT scheduler_jobs_name UNIQUE (owner, name_key),
  KEY scheduler_jobs_wake (wake_ms),
  KEY scheduler_jobs_owner (owner, id),
  KEY scheduler_jobs_name_alone (name_key),
  CONSTRAINT scheduler_jobs_state
    CHECK (state IN ('NEW', 'SCHEDULED', 'SUSPENDED', 'EXPIRED', 'DELETED')),
  CONSTRAINT scheduler_jobs_name_freed CHECK ((state = 'DELETED') = (name_key IS NULL)),
  CONSTRAINT scheduler_jobs_suspended CHECK ((state = 'SUSPENDED') = (suspended_since_ms IS NOT NULL)),
  CONSTRAINT scheduler_jobs_suspender CHECK ((suspended_by IS NULL) = (suspended_since_ms IS NULL)),
  CONSTRAINT scheduler_jobs_counts
    CHECK (revision >= 1 AND edit >= 1 AND failures >= 0 AND cursor_ms >= 0)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
