-- The release of the zone database by which the nominal time was computed; NULL before this column.
ALTER TABLE scheduler_job_instances ADD COLUMN tzdata VARCHAR(40);
