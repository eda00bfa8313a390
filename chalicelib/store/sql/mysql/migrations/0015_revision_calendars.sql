-- The calendars that a revision names, as they were in it: a run's request is made from them.
CREATE TABLE IF NOT EXISTS scheduler_revision_calendars (
  job_id    CHAR(32) NOT NULL,
  revision  INT NOT NULL,
  calendars MEDIUMTEXT NOT NULL,
  PRIMARY KEY (job_id, revision)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
