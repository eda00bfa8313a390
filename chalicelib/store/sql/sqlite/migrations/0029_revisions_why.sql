-- Why a revision was made, and which fields it changed (a JSON list of their names).
ALTER TABLE scheduler_job_revisions ADD COLUMN reason TEXT;
ALTER TABLE scheduler_job_revisions ADD COLUMN changed TEXT;
