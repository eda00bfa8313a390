-- Whose limits an instance counts against, its place in its group (0 waits, 1 holds a slot, else NULL), and
-- what the checks of its prerequisites found. How many of an owner's wait is asked whenever more are to come.
ALTER TABLE scheduler_job_instances
  ADD COLUMN backfill CHAR(32),
  ADD COLUMN overlap VARCHAR(40),
  ADD COLUMN max_active INT,
  ADD COLUMN grp VARCHAR(100),
  ADD COLUMN place TINYINT,
  ADD COLUMN checks INT NOT NULL DEFAULT 0,
  ADD COLUMN checked_ms BIGINT,
  ADD COLUMN findings MEDIUMTEXT,
  ADD COLUMN launch_attempt INT NOT NULL DEFAULT 1,
  ADD COLUMN asked_ms BIGINT,
  ADD KEY scheduler_job_instances_backfill (backfill, state, nominal_ms),
  ADD KEY scheduler_job_instances_group (owner, grp, place, nominal_ms),
  ADD KEY scheduler_job_instances_owner_state (owner, state, id);
