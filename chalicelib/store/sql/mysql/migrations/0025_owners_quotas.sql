-- What an owner may have at most; NULL is the installation's default.
ALTER TABLE scheduler_owners
  ADD COLUMN max_jobs INT,
  ADD COLUMN max_waiting INT,
  ADD COLUMN max_backfill INT;
