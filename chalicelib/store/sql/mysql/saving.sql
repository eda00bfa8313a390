-- name: save_jobs
-- cursor_ms and edit only grow: a row that is ahead was not locked by the writer, and is left alone.
UPDATE @job_rows(:rows) STRAIGHT_JOIN scheduler_jobs j @by_primary
    ON j.id = n.id AND j.cursor_ms <= n.cursor_ms AND j.edit <= n.edit
   SET j.state = n.state, j.revision = n.revision, j.cursor_ms = n.cursor_ms,
       j.wake_ms = n.wake_ms, j.suspended_by = n.suspended_by,
       j.suspended_reason = n.suspended_reason, j.suspended_since_ms = n.suspended_since_ms,
       j.suspended_until_ms = n.suspended_until_ms, j.failures = n.failures,
       j.streak = n.streak, j.edit = n.edit,
       j.modified_ms = n.modified_ms, j.modified_by = n.modified_by,
       j.name_key = IF(n.state = 'DELETED', NULL, j.name)

-- name: save_instances
-- The guard: whoever saw another version matches no row.
UPDATE @instance_rows(:rows) STRAIGHT_JOIN scheduler_job_instances i @by_primary
    ON i.id = n.id AND i.version = n.version - 1
   SET i.state = n.state, i.reason = n.reason, i.revision = n.revision, i.run = n.run,
       i.attempt = n.attempt, i.version = n.version, i.wake_ms = n.wake_ms,
       i.deadline_ms = n.deadline_ms, i.active = n.active, i.claim_epoch = n.claim_epoch,
       i.lease_ms = n.lease_ms, i.claim_count = n.claim_count, i.stop_kind = n.stop_kind,
       i.stop_by = n.stop_by, i.stop_reason = n.stop_reason,
       i.stop_deadline_ms = n.stop_deadline_ms, i.external_id = n.external_id,
       i.external_url = n.external_url, i.handle = n.handle, i.result_path = n.result_path,
       i.log_path = n.log_path, i.error = n.error, i.waiting_on = n.waiting_on,
       i.run_created_ms = n.run_created_ms, i.ready_ms = n.ready_ms,
       i.launched_ms = n.launched_ms, i.started_ms = n.started_ms, i.ended_ms = n.ended_ms,
       i.parameters = n.parameters, i.backfill = n.backfill, i.overlap = n.overlap,
       i.max_active = n.max_active, i.grp = n.grp,
       i.place = n.place, i.checks = n.checks, i.checked_ms = n.checked_ms,
       i.findings = n.findings, i.launch_attempt = n.launch_attempt,
       i.asked_ms = n.asked_ms, i.heard_ms = n.heard_ms, i.said = n.said

-- name: wake_queued
-- As a subquery MariaDB would look at every row of the table, and lock it; without the whole key it sorts.
UPDATE scheduler_job_instances
       @by(scheduler_job_instances_job)  -- if of_job
       @by(scheduler_job_instances_backfill)  -- if backfill
   SET wake_ms = :now, reason = NULL, active = 1, version = version + 1
       , deadline_ms = :deadline_ms  -- if deadline_ms
 WHERE job_id = :job_id AND state = 'WAITING' AND reason = 'MAX_ACTIVE' AND wake_ms IS NOT NULL
   AND backfill IS NULL  -- if of_job
   AND (overlap IS NULL OR overlap = 'allow' OR :together = 1)  -- if together
   AND (max_active IS NULL OR max_active >= :together)  -- if together
   AND backfill = :backfill  -- if backfill
 ORDER BY job_id, state, nominal_ms  -- if of_job
 ORDER BY backfill, state, nominal_ms  -- if oldest_of_backfill
 ORDER BY backfill DESC, state DESC, nominal_ms DESC  -- if newest_first
 LIMIT :count

-- name: wake_own
-- Their own limit may leave room where their job's leaves none: they look for themselves.
UPDATE @listed(:ids) scheduler_job_instances i @by(scheduler_job_instances_job)
    ON i.job_id = listed.value AND i.state = 'WAITING'
   SET i.wake_ms = :now, i.version = i.version + 1
 WHERE i.reason = 'MAX_ACTIVE' AND i.wake_ms > :now AND i.backfill IS NULL AND i.overlap = 'allow'

-- name: wake_group
UPDATE scheduler_job_instances @by(scheduler_job_instances_group)
   SET wake_ms = :now, reason = NULL, place = 1, version = version + 1
 WHERE owner = :owner AND grp = :grp AND place = 0
 ORDER BY owner, grp, place, nominal_ms LIMIT :count

-- name: wake_backfills
UPDATE @listed(:ids) scheduler_backfills b @by_primary
    ON b.id = listed.value AND b.state = 'RUNNING'
   SET b.wake_ms = :now

-- name: save_membership
INSERT INTO scheduler_members (owner, principal, role) VALUES (:owner, :principal, :role)
    ON DUPLICATE KEY UPDATE role = :role

-- name: database_now
SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)

-- name: sign_unit
-- The last statement before COMMIT; its lock is held until the transaction is decided.
INSERT INTO scheduler_writers (id, unit, seen_ms)
VALUES (:writer, :unit, CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED))
    ON DUPLICATE KEY UPDATE unit = :unit, seen_ms = CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)

-- name: signed_unit
SELECT unit FROM scheduler_writers WHERE id = :writer FOR UPDATE

-- name: lock_migrations
-- Locks are the server's, not the database's: the name tells databases apart.
SELECT GET_LOCK(CONCAT('noonday/', LEFT(SHA2(DATABASE(), 256), 40)), :wait_s)

-- name: postpone_notifications
UPDATE @listed(:ids) scheduler_outbox o @by_primary ON o.id = listed.value AND o.state = 'PENDING'
   SET o.wake_ms = :wake_ms

-- name: delete_watches
DELETE w FROM @watch_rows(:rows) STRAIGHT_JOIN scheduler_watches w @by_primary
    ON w.instance_id = n.instance_id AND w.kind = n.kind

-- name: give_back_watches
UPDATE scheduler_job_instances i @by(scheduler_job_instances_state)
  STRAIGHT_JOIN scheduler_watches w @by_primary ON w.instance_id = i.id
   SET w.due_ms = w.due_ms + :now
                - CASE WHEN i.run_created_ms > :since THEN i.run_created_ms ELSE :since END
 WHERE i.state = 'WAITING'
