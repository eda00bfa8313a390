-- What AWS calls a run: events of services that know no token of ours name nothing else.
CREATE INDEX IF NOT EXISTS scheduler_job_instances_external
  ON scheduler_job_instances (external_id) WHERE external_id IS NOT NULL;
