-- When the target of the latest run reported last, and what it said of its progress.
ALTER TABLE scheduler_job_instances
  ADD COLUMN heard_ms BIGINT,
  ADD COLUMN said TEXT;
