-- The highest number that a run of the purged instances had: the same token is never given twice.
ALTER TABLE scheduler_skip_ranges ADD COLUMN run INTEGER;
