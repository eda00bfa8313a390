-- name: save_jobs
-- cursor_ms and edit only grow: a row that is ahead was not locked by the writer, and is left alone.
UPDATE scheduler_jobs AS j
   SET state = n.state, revision = n.revision, cursor_ms = n.cursor_ms, wake_ms = n.wake_ms,
       suspended_by = n.suspended_by, suspended_reason = n.suspended_reason,
       suspended_since_ms = n.suspended_since_ms, suspended_until_ms = n.suspended_until_ms,
       failures = n.failures, streak = n.streak, edit = n.edit, modified_ms = n.modified_ms,
       modified_by = n.modified_by,
       name_key = CASE WHEN n.state = 'DELETED' THEN NULL ELSE j.name END
  FROM @job_rows(:rows)
 WHERE j.id = n.id AND j.cursor_ms <= n.cursor_ms AND j.edit <= n.edit

-- name: save_instances
-- The guard: whoever saw another version matches no row.
UPDATE scheduler_job_instances AS i
   SET state = n.state, reason = n.reason, revision = n.revision, run = n.run,
       attempt = n.attempt, version = n.version, wake_ms = n.wake_ms,
       deadline_ms = n.deadline_ms, active = n.active, claim_epoch = n.claim_epoch,
       lease_ms = n.lease_ms, claim_count = n.claim_count, stop_kind = n.stop_kind,
       stop_by = n.stop_by, stop_reason = n.stop_reason, stop_deadline_ms = n.stop_deadline_ms,
       external_id = n.external_id, external_url = n.external_url, handle = n.handle,
       result_path = n.result_path, log_path = n.log_path, error = n.error,
       waiting_on = n.waiting_on, run_created_ms = n.run_created_ms, ready_ms = n.ready_ms,
       launched_ms = n.launched_ms, started_ms = n.started_ms, ended_ms = n.ended_ms,
       parameters = n.parameters, backfill = n.backfill, overlap = n.overlap, max_active = n.max_active, grp = n.grp,
       place = n.place, checks = n.checks, checked_ms = n.checked_ms, findings = n.findings,
       launch_attempt = n.launch_attempt, asked_ms = n.asked_ms, heard_ms = n.heard_ms,
       said = n.said
  FROM @instance_rows(:rows)
 WHERE i.id = n.id AND i.version = n.version - 1

-- name: save_membership
INSERT INTO scheduler_members (owner, principal, role) VALUES (:owner, :principal, :role)
    ON CONFLICT (owner, principal) DO UPDATE SET role = excluded.role

-- name: database_now
SELECT CAST(strftime('%s', 'now') AS INTEGER) * 1000 + CAST(substr(strftime('%f', 'now'), 4) AS INTEGER)

-- name: wake_queued
UPDATE scheduler_job_instances
   SET wake_ms = :now, reason = NULL, active = 1, version = version + 1
       , deadline_ms = :deadline_ms  -- if deadline_ms
 WHERE id IN (
       SELECT q.id FROM scheduler_job_instances q
        @by(scheduler_job_instances_job)  -- if of_job
        @by(scheduler_job_instances_backfill)  -- if backfill
        WHERE q.job_id = :job_id AND q.state = 'WAITING' AND q.reason = 'MAX_ACTIVE'
          AND q.wake_ms IS NOT NULL
          AND q.backfill IS NULL  -- if of_job
          AND (q.overlap IS NULL OR q.overlap = 'allow' OR :together = 1)  -- if together
          AND (q.max_active IS NULL OR q.max_active >= :together)  -- if together
          AND q.backfill = :backfill  -- if backfill
        ORDER BY q.nominal_ms  -- if oldest_first
        ORDER BY q.nominal_ms DESC  -- if newest_first
        LIMIT :count)

-- name: wake_own
-- Their own limit may leave room where their job's leaves none: they look for themselves.
UPDATE scheduler_job_instances
   SET wake_ms = :now, version = version + 1
 WHERE id IN (
       SELECT i.id FROM @listed(:ids) scheduler_job_instances i @by(scheduler_job_instances_job)
           ON i.job_id = listed.value AND i.state = 'WAITING'
        WHERE i.reason = 'MAX_ACTIVE' AND i.wake_ms > :now AND i.backfill IS NULL
          AND i.overlap = 'allow')

-- name: wake_group
UPDATE scheduler_job_instances
   SET wake_ms = :now, reason = NULL, place = 1, version = version + 1
 WHERE id IN (
       SELECT q.id FROM scheduler_job_instances q @by(scheduler_job_instances_group)
        WHERE q.owner = :owner AND q.grp = :grp AND q.place = 0
        ORDER BY q.nominal_ms LIMIT :count)

-- name: wake_backfills
UPDATE scheduler_backfills
   SET wake_ms = :now
 WHERE id IN (SELECT value FROM json_each(:ids)) AND state = 'RUNNING'

-- name: postpone_notifications
UPDATE scheduler_outbox
   SET wake_ms = :wake_ms
 WHERE id IN (SELECT value FROM json_each(:ids)) AND state = 'PENDING'

-- name: delete_watches
DELETE FROM scheduler_watches
 WHERE (instance_id, kind) IN (SELECT n.instance_id, n.kind FROM @watch_rows(:rows))

-- name: give_back_watches
UPDATE scheduler_watches
   SET due_ms = due_ms + :now - (
       SELECT CASE WHEN i.run_created_ms > :since THEN i.run_created_ms ELSE :since END
         FROM scheduler_job_instances i WHERE i.id = scheduler_watches.instance_id)
 WHERE instance_id IN (SELECT i.id FROM scheduler_job_instances i @by(scheduler_job_instances_state)
                        WHERE i.state = 'WAITING')
