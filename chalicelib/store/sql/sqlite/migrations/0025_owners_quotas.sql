-- What an owner may have at most; NULL is the installation's default.
ALTER TABLE scheduler_owners ADD COLUMN max_jobs INTEGER;
ALTER TABLE scheduler_owners ADD COLUMN max_waiting INTEGER;
ALTER TABLE scheduler_owners ADD COLUMN max_backfill INTEGER;
