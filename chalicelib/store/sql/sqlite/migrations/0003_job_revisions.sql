-- Every version of a definition; instances keep the one they were created with.
CREATE TABLE IF NOT EXISTS scheduler_job_revisions (
  job_id     TEXT NOT NULL,
  revision   INTEGER NOT NULL,
  definition TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  PRIMARY KEY (job_id, revision),
  CONSTRAINT scheduler_job_revisions_count CHECK (revision >= 1)
) STRICT;
