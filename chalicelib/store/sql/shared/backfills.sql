-- fragment: backfill_columns
b.id, b.owner, b.job_id, b.state, b.from_ms, b.to_ms, b.cursor_ms, b.newest_first, b.reprocess, b.overlap,
b.max_active, b.revision, b.parameters, b.total, b.made, b.rerun, b.existing, b.wait_ms, b.wake_ms,
b.failures, b.error, b.reason, b.created_ms, b.created_by, b.ended_ms, b.end_reason

-- name: backfill
SELECT @backfill_columns FROM scheduler_backfills b
 WHERE b.id = :id
   AND @one_of(b.owner, :owners)  -- if owners

-- name: backfills
-- One owner and one state at a time: then an index has the order of the page.
SELECT @backfill_columns FROM scheduler_backfills b
   @by_primary  -- if any_owner_and_state
   @by(scheduler_backfills_owner)  -- if owner_only
   @by(scheduler_backfills_state)  -- if state_only
   @by_either(scheduler_backfills_owner, scheduler_backfills_state)  -- if owner_and_state
   @by(scheduler_backfills_job)  -- if job_only
   @by(scheduler_backfills_job_state)  -- if job_and_state
 WHERE b.id < :after
   AND b.owner = :owner  -- if owner
   AND @one_of(b.owner, :owners)  -- if owners
   AND b.job_id = :job_id  -- if job_id
   AND b.state = :state  -- if state
 ORDER BY b.id DESC LIMIT :limit

-- name: backfill_counts
SELECT i.backfill, i.state, COUNT(*)
  FROM @listed(:ids) scheduler_job_instances i @by(scheduler_job_instances_backfill)
    ON i.backfill = listed.value
 GROUP BY i.backfill, i.state

-- name: due_backfills
SELECT b.id, b.job_id, b.owner FROM scheduler_backfills b
 WHERE b.wake_ms <= :now
 ORDER BY b.wake_ms, b.id LIMIT :limit

-- name: instance_states
SELECT i.id, i.state
  FROM @listed(:ids) scheduler_job_instances i @by_primary ON i.id = listed.value

-- name: lock_backfill
SELECT @backfill_columns FROM scheduler_backfills b @by_primary WHERE b.id = :id @for_update

-- name: insert_backfill
INSERT INTO scheduler_backfills (
       id, owner, job_id, state, from_ms, to_ms, cursor_ms, newest_first, reprocess, overlap, max_active,
       revision, parameters, total, made, rerun, existing, wait_ms, wake_ms, failures, error, reason,
       created_ms, created_by, ended_ms, end_reason)
VALUES (:id, :owner, :job_id, :state, :from_ms, :to_ms, :cursor_ms, :newest_first, :reprocess, :overlap,
       :max_active, :revision, :parameters, :total, :made, :rerun, :existing, :wait_ms, :wake_ms, :failures,
       :error, :reason, :created_ms, :created_by, :ended_ms, :end_reason)

-- name: save_backfill
UPDATE scheduler_backfills
   SET state = :state, cursor_ms = :cursor_ms, made = :made, rerun = :rerun, existing = :existing,
       wake_ms = :wake_ms, failures = :failures, error = :error, ended_ms = :ended_ms,
       end_reason = :end_reason
 WHERE id = :id

-- name: open_of_backfill
SELECT COUNT(*), COALESCE(SUM(i.active), 0)
  FROM scheduler_job_instances i @by(scheduler_job_instances_backfill)
 WHERE i.backfill = :id AND i.state IN ('WAITING', 'LAUNCHING', 'LAUNCHED', 'RUNNING')

-- name: open_instances
SELECT i.id FROM scheduler_job_instances i @by(scheduler_job_instances_backfill)
 WHERE i.backfill = :id AND i.state IN ('WAITING', 'LAUNCHING', 'LAUNCHED', 'RUNNING')

-- name: cancelled_backfills
SELECT b.id FROM @listed(:ids) scheduler_backfills b @by_primary ON b.id = listed.value
 WHERE b.state = 'CANCELLED'

-- name: backfill_turns
SELECT b.newest_first, b.wait_ms FROM scheduler_backfills b WHERE b.id = :id

-- name: wake_backfills_of
UPDATE scheduler_backfills @by(scheduler_backfills_job_state)
   SET wake_ms = :now
 WHERE job_id = :job_id AND state = 'RUNNING'

-- name: cancel_backfills_of
UPDATE scheduler_backfills @by(scheduler_backfills_job_state)
   SET state = 'CANCELLED', wake_ms = NULL, ended_ms = :now, end_reason = :reason
 WHERE job_id = :job_id AND state = 'RUNNING'
