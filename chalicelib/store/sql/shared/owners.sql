-- fragment: owner_columns
o.name, o.created_ms, o.max_jobs, o.max_waiting, o.max_backfill

-- name: owner
SELECT @owner_columns FROM scheduler_owners o WHERE o.name = :name

-- name: lock_owners
SELECT @owner_columns
  FROM @listed(:ids) scheduler_owners o @by_primary ON o.name = listed.value
 ORDER BY o.name @for_update

-- name: save_owner
UPDATE scheduler_owners
   SET max_jobs = :max_jobs, max_waiting = :max_waiting, max_backfill = :max_backfill
 WHERE name = :name

-- name: job_count
-- Deleted jobs have freed their names: the index of names holds the others alone.
SELECT COUNT(*) FROM scheduler_jobs j @by(scheduler_jobs_name)
 WHERE j.owner = :owner AND j.name_key > ''

-- name: waiting_counts
SELECT i.owner, COUNT(*)
  FROM @listed(:ids) scheduler_job_instances i @by(scheduler_job_instances_owner_state)
    ON i.owner = listed.value
 WHERE i.state = 'WAITING'
 GROUP BY i.owner
