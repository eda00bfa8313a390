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

-- name: waiting
-- Of each owner: its own limit, and how many wait.
SELECT o.name, o.max_waiting,
       (SELECT COUNT(*) FROM scheduler_job_instances i @by(scheduler_job_instances_owner_state)
         WHERE i.owner = o.name AND i.state = 'WAITING')
  FROM @listed(:ids) scheduler_owners o @by_primary ON o.name = listed.value

-- name: due_owners
-- Each as often as it has jobs among those that would be looked at now.
SELECT j.owner FROM scheduler_jobs j
 WHERE j.wake_ms <= :now
 ORDER BY j.wake_ms, j.id LIMIT :limit

-- name: lock_free_owners
SELECT o.name
  FROM @listed(:ids) scheduler_owners o @by_primary ON o.name = listed.value
 ORDER BY o.name @for_update_skip_locked
