-- Whose limits an instance counts against, its place in its group (0 waits, 1 holds a slot, else NULL), and
-- what the checks of its prerequisites found. How many of an owner's wait is asked whenever more are to come.
ALTER TABLE scheduler_job_instances ADD COLUMN backfill TEXT;
ALTER TABLE scheduler_job_instances ADD COLUMN overlap TEXT;
ALTER TABLE scheduler_job_instances ADD COLUMN max_active INTEGER;
ALTER TABLE scheduler_job_instances ADD COLUMN grp TEXT;
ALTER TABLE scheduler_job_instances ADD COLUMN place INTEGER;
ALTER TABLE scheduler_job_instances ADD COLUMN checks INTEGER NOT NULL DEFAULT 0;
ALTER TABLE scheduler_job_instances ADD COLUMN checked_ms INTEGER;
ALTER TABLE scheduler_job_instances ADD COLUMN findings TEXT;
ALTER TABLE scheduler_job_instances ADD COLUMN launch_attempt INTEGER NOT NULL DEFAULT 1;
ALTER TABLE scheduler_job_instances ADD COLUMN asked_ms INTEGER;
CREATE INDEX IF NOT EXISTS scheduler_job_instances_backfill ON scheduler_job_instances (backfill, state, nominal_ms);
CREATE INDEX IF NOT EXISTS scheduler_job_instances_group ON scheduler_job_instances (owner, grp, place, nominal_ms);
CREATE INDEX IF NOT EXISTS scheduler_job_instances_owner_state ON scheduler_job_instances (owner, state, id);
