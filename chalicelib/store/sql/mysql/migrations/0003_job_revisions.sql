-- Every version of a definition; instances keep the one they were created with.
CREATE TABLE IF NOT EXISTS scheduler_job_revisions (
  job_id     CHAR(32) NOT NULL,
  revision   INT NOT NULL,
  definition MEDIUMTEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  created_by VARCHAR(255) NOT NULL,
  PRIMARY KEY (job_id, revision),
  CONSTRAINT scheduler_job_revisions_count CHECK (revision >= 1)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
