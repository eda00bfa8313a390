-- Which jobs name which calendars, as their definitions are now.
CREATE TABLE IF NOT EXISTS scheduler_job_calendars (
  owner    VARCHAR(100) NOT NULL,
  calendar VARCHAR(100) NOT NULL,
  job_id   CHAR(32) NOT NULL,
  PRIMARY KEY (owner, calendar, job_id),
  KEY scheduler_job_calendars_job (job_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
