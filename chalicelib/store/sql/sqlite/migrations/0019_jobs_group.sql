-- The concurrency group that the definition names, and how many instances failed one after the other.
ALTER TABLE scheduler_jobs ADD COLUMN grp TEXT;
ALTER TABLE scheduler_jobs ADD COLUMN streak INTEGER NOT NULL DEFAULT 0;
CREATE INDEX IF NOT EXISTS scheduler_jobs_group ON scheduler_jobs (owner, grp, id);
