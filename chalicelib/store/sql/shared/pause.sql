-- name: pause
SELECT m.value FROM scheduler_meta m @by_primary WHERE m.name = 'pause'

-- name: share_pause
SELECT m.value FROM scheduler_meta m @by_primary WHERE m.name = 'pause' @for_share

-- name: lock_pause
SELECT m.value FROM scheduler_meta m @by_primary WHERE m.name = 'pause' @for_update

-- name: due_in_flight
-- While nothing begins: as many as run, however many wait.
SELECT i.wake_ms, i.id FROM scheduler_job_instances i @by(scheduler_job_instances_state)
 WHERE i.state IN ('LAUNCHING', 'LAUNCHED', 'RUNNING') AND i.wake_ms <= :now

-- name: give_back_waits
-- A run that was created during the pause waited only since then. What a suspension holds has the rest of
-- the pause given back by the end of that. A launch that is refused counts its wait from ``ready_ms``.
UPDATE scheduler_job_instances @by(scheduler_job_instances_state)
   SET version = version + 1,
       ready_ms = ready_ms + CASE
         WHEN wake_ms IS NOT NULL
         THEN :now - CASE WHEN run_created_ms > :since THEN run_created_ms ELSE :since END
         ELSE COALESCE((
              SELECT j.suspended_since_ms
                   - CASE WHEN scheduler_job_instances.run_created_ms > :since
                          THEN scheduler_job_instances.run_created_ms ELSE :since END
                FROM scheduler_jobs j
               WHERE j.id = scheduler_job_instances.job_id AND j.suspended_since_ms > :since
                 AND j.suspended_since_ms > scheduler_job_instances.run_created_ms), 0)
         END,
       deadline_ms = deadline_ms + CASE
         WHEN wake_ms IS NOT NULL
         THEN :now - CASE WHEN run_created_ms > :since THEN run_created_ms ELSE :since END
         ELSE COALESCE((
              SELECT j.suspended_since_ms
                   - CASE WHEN scheduler_job_instances.run_created_ms > :since
                          THEN scheduler_job_instances.run_created_ms ELSE :since END
                FROM scheduler_jobs j
               WHERE j.id = scheduler_job_instances.job_id AND j.suspended_since_ms > :since
                 AND j.suspended_since_ms > scheduler_job_instances.run_created_ms), 0)
         END
 WHERE state = 'WAITING' AND deadline_ms IS NOT NULL
