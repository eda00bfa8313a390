-- The calendars that the definition names, as they are now: a schedule is known from its job's row alone.
ALTER TABLE scheduler_jobs ADD COLUMN calendars TEXT;
