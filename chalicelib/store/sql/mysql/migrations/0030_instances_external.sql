-- What AWS calls a run: events of services that know no token of ours name nothing else. The beginning is
-- enough to find it; the statement compares the rest.
ALTER TABLE scheduler_job_instances ADD KEY scheduler_job_instances_external (external_id(72));
