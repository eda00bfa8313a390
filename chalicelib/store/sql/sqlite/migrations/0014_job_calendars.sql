-- Which jobs name which calendars, as their definitions are now.
CREATE TABLE IF NOT EXISTS scheduler_job_calendars (
  owner    TEXT NOT NULL,
  calendar TEXT NOT NULL,
  job_id   TEXT NOT NULL,
  PRIMARY KEY (owner, calendar, job_id)
) STRICT;
CREATE INDEX IF NOT EXISTS scheduler_job_calendars_job ON scheduler_job_calendars (job_id);
