-- Thin columns of many rows: what statistics are made of. One owner at a time, because then an index has the
-- order of the sample.

-- name: finished
SELECT i.id, i.job_id, i.owner, i.nominal_ms, i.kind, i.state, i.reason, i.run, i.run_created_ms,
       i.launched_ms, i.started_ms, i.ended_ms
  FROM scheduler_job_instances i
   @by(scheduler_job_instances_nominal)  -- if job_id
   @by(scheduler_job_instances_owner)  -- if of_owner
   @by_primary  -- if of_all
 WHERE i.ended_ms IS NOT NULL
   AND i.job_id = :job_id AND i.nominal_ms >= :from_ms AND i.nominal_ms < :to_ms  -- if job_id
   AND i.owner = :owner  -- if of_owner
   AND i.id >= :from_id AND i.id < :to_id  -- if of_many
   AND i.kind = :kind  -- if kind
   AND @one_of(i.job_id, :among)  -- if among
 ORDER BY i.nominal_ms DESC LIMIT :limit  -- if job_id
 ORDER BY i.id DESC LIMIT :limit  -- if of_many

-- name: unfinished
SELECT i.job_id, i.owner, i.nominal_ms, i.state
  FROM scheduler_job_instances i
   @by(scheduler_job_instances_job)  -- if job_id
   @by(scheduler_job_instances_owner_state)  -- if of_owner
   @by(scheduler_job_instances_state)  -- if of_all
 WHERE i.state IN ('WAITING', 'LAUNCHING', 'LAUNCHED', 'RUNNING')
   AND i.job_id = :job_id AND i.nominal_ms >= :from_ms AND i.nominal_ms < :to_ms  -- if job_id
   AND i.owner = :owner  -- if of_owner
   AND i.id >= :from_id AND i.id < :to_id  -- if of_many
   AND i.kind = :kind  -- if kind
   AND @one_of(i.job_id, :among)  -- if among
 LIMIT :limit

-- name: skipped
-- A job has few ranges: as many as it had suspensions, outages and changes.
SELECT j.owner, s.job_id, s.from_ms, s.to_ms, s.reason, s.revision, s.run
  FROM scheduler_jobs j
   @by(scheduler_jobs_owner)  -- if of_owner
   @by_primary  -- if of_all
   @joined scheduler_skip_ranges s @by_primary
    ON s.job_id = j.id AND s.from_ms < :to_ms AND s.to_ms > :from_ms
 WHERE s.reason <> 'PURGED'
   AND j.id = :job_id  -- if job_id
   AND j.owner = :owner  -- if of_owner
   AND j.id > ''  -- if of_all
   AND @one_of(j.id, :among)  -- if among
 LIMIT :limit

-- name: skip_page
SELECT s.job_id, s.from_ms, s.to_ms, s.reason, s.revision, s.run FROM scheduler_skip_ranges s
 WHERE s.job_id = :job_id AND s.from_ms < :before_ms
 ORDER BY s.from_ms DESC LIMIT :limit
