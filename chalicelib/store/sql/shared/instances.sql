-- fragment: instance_columns
i.id, i.job_id, i.owner, i.nominal_ms, i.kind, i.parameters, i.state, i.reason,
i.revision, i.run, i.attempt, i.version, i.wake_ms, i.deadline_ms, i.active,
i.claim_epoch, i.lease_ms, i.claim_count, i.stop_kind, i.stop_by, i.stop_reason,
i.stop_deadline_ms, i.external_id, i.external_url, i.handle, i.result_path, i.log_path,
i.error, i.waiting_on, i.created_ms, i.run_created_ms, i.ready_ms, i.launched_ms,
i.started_ms, i.ended_ms, i.tzdata, i.backfill, i.overlap, i.max_active, i.grp, i.place,
i.checks, i.checked_ms, i.findings, i.launch_attempt, i.asked_ms,
i.heard_ms, i.said

-- name: instance
SELECT @instance_columns FROM scheduler_job_instances i
 WHERE i.id = :id
   AND @one_of(i.owner, :owners)  -- if owners

-- name: instances
-- An id begins with its nominal time, so a span of time is a span of ids: the order of the page. One owner
-- and one state at a time, because then an index has that order.
SELECT @instance_columns FROM scheduler_job_instances i
   @by_primary  -- if any_owner_and_state
   @by(scheduler_job_instances_owner)  -- if owner_only
   @by(scheduler_job_instances_state)  -- if state_only
   @by_either(scheduler_job_instances_owner, scheduler_job_instances_state)  -- if owner_and_state
 WHERE i.id < :after
   AND i.id >= :from_id  -- if from_id
   AND i.owner = :owner  -- if owner
   AND i.state = :state  -- if state
   AND i.kind = :kind  -- if kind
 ORDER BY i.id DESC LIMIT :limit

-- name: instances_of_job
-- Within a job the order of nominal times is the order of ids, and its indexes have that order.
SELECT @instance_columns FROM scheduler_job_instances i
   @by(scheduler_job_instances_job)  -- if state
   @by(scheduler_job_instances_nominal)  -- if any_state
 WHERE i.job_id = :job_id AND i.nominal_ms < :before_ms
   AND i.id < :after  -- if after
   AND i.nominal_ms >= :from_ms  -- if from_ms
   AND i.state = :state  -- if state
   AND i.owner = :owner  -- if owner
   AND @one_of(i.owner, :owners)  -- if owners
   AND i.kind = :kind  -- if kind
   AND i.backfill = :backfill  -- if backfill
   AND i.grp = :grp  -- if grp
 ORDER BY i.nominal_ms DESC LIMIT :limit

-- name: instances_of_backfill
SELECT @instance_columns FROM scheduler_job_instances i
   @by(scheduler_job_instances_backfill)
 WHERE i.backfill = :backfill AND i.state = :state AND i.nominal_ms < :before_ms
   AND i.nominal_ms >= :from_ms  -- if from_ms
   AND i.owner = :owner  -- if owner
   AND @one_of(i.owner, :owners)  -- if owners
   AND i.kind = :kind  -- if kind
   AND i.grp = :grp  -- if grp
 ORDER BY i.nominal_ms DESC LIMIT :limit

-- name: instances_of_group
SELECT @instance_columns FROM scheduler_job_instances i
   @by(scheduler_job_instances_group)
 WHERE i.owner = :owner AND i.grp = :grp AND i.nominal_ms < :before_ms
   AND i.place IS NULL  -- if placeless
   AND i.place = :place  -- if place
   AND i.nominal_ms >= :from_ms  -- if from_ms
   AND i.id < :after  -- if after
   AND @one_of(i.state, :states)  -- if states
   AND i.kind = :kind  -- if kind
 ORDER BY i.nominal_ms DESC, i.id DESC LIMIT :limit

-- name: selected_instances
-- One job, backfill or owner and one state at a time, because then an index has the order of the page.
SELECT i.id, i.job_id, i.state, i.kind, i.grp, i.run_created_ms FROM scheduler_job_instances i
   @by(scheduler_job_instances_job)  -- if job_id
   @by(scheduler_job_instances_backfill)  -- if backfill
   @by(scheduler_job_instances_owner_state)  -- if owner
   @by(scheduler_job_instances_state)  -- if everybody
 WHERE i.state = :state
   AND i.job_id = :job_id  -- if job_id
   AND i.backfill = :backfill  -- if backfill
   AND i.job_id = :within  -- if within
   AND i.owner = :owner  -- if owner
   AND i.nominal_ms >= :from_ms  -- if from_ms
   AND i.nominal_ms < :to_ms  -- if to_ms
   AND i.id > :after  -- if after
   AND i.id >= :from_id  -- if from_id
   AND i.id < :to_id  -- if to_id
 ORDER BY i.nominal_ms  -- if by_time
 ORDER BY i.id  -- if by_id
 LIMIT :limit

-- name: instances_by_id
SELECT @instance_columns
  FROM @listed(:ids) scheduler_job_instances i @by_primary ON i.id = listed.value
 ORDER BY i.id

-- name: instances_started_as
-- One that is not in flight any more keeps its name; what a target calls its runs is unique among those.
SELECT @instance_columns FROM scheduler_job_instances i @by(scheduler_job_instances_external)
 WHERE i.external_id = :external_id AND i.state IN ('LAUNCHING', 'LAUNCHED', 'RUNNING')
 LIMIT :limit

-- name: lock_instances
SELECT @instance_columns
  FROM @listed(:ids) scheduler_job_instances i @by_primary ON i.id = listed.value
 ORDER BY i.id @for_update

-- name: due_instances
-- Chosen without a lock, oldest first; locked afterwards in order of id, as everywhere.
SELECT i.wake_ms, i.id FROM scheduler_job_instances i
 WHERE i.wake_ms <= :now
   AND (i.wake_ms > :after_ms OR (i.wake_ms = :after_ms AND i.id > :after))  -- if after
   AND i.wake_ms >= :after_ms  -- if after
 ORDER BY i.wake_ms, i.id LIMIT :limit

-- name: lock_due_instances
SELECT @instance_columns
  FROM @listed(:ids) scheduler_job_instances i @by_primary ON i.id = listed.value
 WHERE i.wake_ms <= :now
 ORDER BY i.id @for_update_skip_locked

-- name: insert_instances
-- What accounts for that nominal time already stays as it is.
INSERT INTO scheduler_job_instances (
       id, job_id, owner, nominal_ms, kind, parameters, state, reason, revision, run, attempt,
       version, wake_ms, deadline_ms, active, claim_epoch, lease_ms, claim_count, stop_kind,
       stop_by, stop_reason, stop_deadline_ms, external_id, external_url, handle, result_path,
       log_path, error, waiting_on, created_ms, run_created_ms, ready_ms, launched_ms,
       started_ms, ended_ms, tzdata, backfill, overlap, max_active, grp, place, checks,
       checked_ms, findings, launch_attempt, asked_ms, heard_ms, said)
SELECT n.id, n.job_id, n.owner, n.nominal_ms, n.kind, n.parameters, n.state, n.reason,
       n.revision, n.run, n.attempt, n.version, n.wake_ms, n.deadline_ms, n.active,
       n.claim_epoch, n.lease_ms, n.claim_count, n.stop_kind, n.stop_by, n.stop_reason,
       n.stop_deadline_ms, n.external_id, n.external_url, n.handle, n.result_path, n.log_path,
       n.error, n.waiting_on, n.created_ms, n.run_created_ms, n.ready_ms, n.launched_ms,
       n.started_ms, n.ended_ms, n.tzdata, n.backfill, n.overlap, n.max_active, n.grp, n.place,
       n.checks, n.checked_ms, n.findings, n.launch_attempt, n.asked_ms, n.heard_ms, n.said
  FROM @instance_rows(:rows)
 WHERE NOT EXISTS (SELECT 1 FROM scheduler_job_instances e
                    WHERE e.job_id = n.job_id AND e.nominal_ms = n.nominal_ms)

-- name: active_counts
SELECT i.job_id, i.backfill, COUNT(*)
  FROM @listed(:ids) scheduler_job_instances i @by(scheduler_job_instances_active)
    ON i.job_id = listed.value
 WHERE i.active = 1
 GROUP BY i.job_id, i.backfill

-- name: rivals
-- Those that hold a slot of their job, and those that wait for one.
SELECT i.id
  FROM @listed(:ids) scheduler_job_instances i @by(scheduler_job_instances_active)
    ON i.job_id = listed.value
 WHERE i.active = 1
 UNION
SELECT i.id
  FROM @listed(:ids) scheduler_job_instances i @by(scheduler_job_instances_job)
    ON i.job_id = listed.value
 WHERE i.state = 'WAITING' AND i.reason = 'MAX_ACTIVE'

-- name: newest_undecided
SELECT j.id, (SELECT i.nominal_ms FROM scheduler_job_instances i @by(scheduler_job_instances_job)
               WHERE i.job_id = j.id AND i.state = 'WAITING' AND i.reason IS NULL
                 AND i.wake_ms IS NOT NULL AND i.backfill IS NULL
               ORDER BY i.job_id DESC, i.nominal_ms DESC LIMIT 1)
  FROM @listed(:ids) scheduler_jobs j @by_primary ON j.id = listed.value

-- name: queued
-- Not EXISTS: of that, MariaDB may make a list of all that wait, of every job.
SELECT j.id FROM @listed(:ids) scheduler_jobs j @by_primary ON j.id = listed.value
 WHERE (SELECT i.id FROM scheduler_job_instances i @by(scheduler_job_instances_job)
         WHERE i.job_id = j.id AND i.state = 'WAITING' AND i.reason = 'MAX_ACTIVE'
         LIMIT 1) IS NOT NULL

-- name: group_count
SELECT COUNT(*) FROM scheduler_job_instances i @by(scheduler_job_instances_group)
 WHERE i.owner = :owner AND i.grp = :grp AND i.place = 1

-- name: slots_of_waiting
-- What a suspension or a deletion gives back: it takes those that wait, whatever they hold.
SELECT i.backfill, i.grp, i.place, COUNT(*)
  FROM scheduler_job_instances i @by(scheduler_job_instances_active)
 WHERE i.job_id = :job_id AND i.active = 1 AND i.state = 'WAITING'
   AND (i.kind <> 'MANUAL' OR i.backfill IS NOT NULL)  -- if held
 GROUP BY i.backfill, i.grp, i.place

-- name: hold_instances
UPDATE scheduler_job_instances @by(scheduler_job_instances_job)
   SET wake_ms = NULL, reason = 'JOB_SUSPENDED', active = 0, place = NULL, version = version + 1
 WHERE job_id = :job_id AND state = 'WAITING' AND (kind <> 'MANUAL' OR backfill IS NOT NULL)
   AND wake_ms IS NOT NULL

-- name: release_instances
-- A run that was created while the job was suspended was held only since then. A launch that is refused
-- counts its wait from ``ready_ms``.
UPDATE scheduler_job_instances @by(scheduler_job_instances_job)
   SET wake_ms = :now, reason = NULL, version = version + 1,
       ready_ms = ready_ms + CASE
         WHEN run_created_ms > :until OR :since > :until THEN 0
         WHEN run_created_ms > :since THEN :until - run_created_ms
         ELSE :until - :since END,
       deadline_ms = deadline_ms + CASE
         WHEN run_created_ms > :until OR :since > :until THEN 0
         WHEN run_created_ms > :since THEN :until - run_created_ms
         ELSE :until - :since END
 WHERE job_id = :job_id AND state = 'WAITING' AND (kind <> 'MANUAL' OR backfill IS NOT NULL)
   AND wake_ms IS NULL

-- name: skip_waiting
UPDATE scheduler_job_instances @by(scheduler_job_instances_job)
   SET state = 'SKIPPED', reason = :reason, active = 0, place = NULL, wake_ms = NULL,
       deadline_ms = NULL, lease_ms = NULL, ended_ms = :now, version = version + 1
 WHERE job_id = :job_id AND state = 'WAITING'

-- name: active_instances
SELECT id FROM scheduler_job_instances @by(scheduler_job_instances_active)
 WHERE job_id = :job_id AND active = 1 AND state IN ('LAUNCHING', 'LAUNCHED', 'RUNNING')

-- name: nominal_times
SELECT nominal_ms FROM scheduler_job_instances @by(scheduler_job_instances_nominal)
 WHERE job_id = :job_id AND nominal_ms >= :from_ms
 ORDER BY nominal_ms LIMIT :limit

-- name: runs
SELECT r.instance_id, r.number, r.state, r.reason, r.external_id, r.external_url, r.handle,
       r.result_path, r.log_path, r.error, r.created_ms, r.launched_ms, r.started_ms,
       r.ended_ms
  FROM @listed(:ids) scheduler_instance_runs r @by_primary ON r.instance_id = listed.value
 ORDER BY r.instance_id, r.number

-- name: archive_runs
INSERT INTO scheduler_instance_runs (
       instance_id, number, state, reason, external_id, external_url, handle, result_path,
       log_path, error, created_ms, launched_ms, started_ms, ended_ms)
SELECT n.instance_id, n.number, n.state, n.reason, n.external_id, n.external_url, n.handle,
       n.result_path, n.log_path, n.error, n.created_ms, n.launched_ms, n.started_ms,
       n.ended_ms
  FROM @run_rows(:rows)
 WHERE NOT EXISTS (SELECT 1 FROM scheduler_instance_runs e
                    WHERE e.instance_id = n.instance_id AND e.number = n.number)
