-- The concurrency group that the definition names, and how many instances failed one after the other.
ALTER TABLE scheduler_jobs
  ADD COLUMN grp VARCHAR(100),
  ADD COLUMN streak INT NOT NULL DEFAULT 0,
  ADD KEY scheduler_jobs_group (owner, grp, id);
