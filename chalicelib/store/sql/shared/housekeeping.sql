-- Purging: pages along an index, deletions by listed keys.

-- name: noted
SELECT value FROM scheduler_meta WHERE name = :name

-- name: jobs_after
SELECT @job_columns FROM scheduler_jobs j @by_primary
 WHERE j.id > :after ORDER BY j.id LIMIT :limit

-- name: nth_newest
SELECT i.nominal_ms FROM scheduler_job_instances i @by(scheduler_job_instances_nominal)
 WHERE i.job_id = :job_id ORDER BY i.nominal_ms DESC LIMIT 1 OFFSET :skipped

-- name: last_success
SELECT MAX(i.nominal_ms) FROM scheduler_job_instances i @by(scheduler_job_instances_job)
 WHERE i.job_id = :job_id AND i.state = 'SUCCEEDED'

-- name: ended_before
SELECT i.id, i.nominal_ms, i.kind, i.run, i.revision, i.claim_epoch
  FROM scheduler_job_instances i @by(scheduler_job_instances_nominal)
 WHERE i.job_id = :job_id AND i.nominal_ms >= :from_ms AND i.nominal_ms < :to_ms
   AND i.ended_ms < :ended_ms
 ORDER BY i.nominal_ms LIMIT :limit

-- name: range_behind
SELECT s.job_id, s.from_ms, s.to_ms, s.reason, s.revision, s.run FROM scheduler_skip_ranges s
 WHERE s.job_id = :job_id AND s.from_ms >= :from_ms
 ORDER BY s.from_ms LIMIT 1

-- name: delete_range
DELETE FROM scheduler_skip_ranges WHERE job_id = :job_id AND from_ms = :from_ms

-- name: purge_instances
@delete_listed(scheduler_job_instances, id, PRIMARY)
 AND ended_ms IS NOT NULL

-- name: purge_runs
@delete_listed(scheduler_instance_runs, instance_id, PRIMARY)

-- name: purge_instance_events
@delete_listed(scheduler_events, instance_id, scheduler_events_instance)

-- name: purge_waits
@delete_listed(scheduler_waits, instance_id, scheduler_waits_instance)

-- name: purge_watches
@delete_listed(scheduler_watches, instance_id, PRIMARY)

-- name: leftovers
SELECT l.token FROM scheduler_leftovers l @by_primary WHERE l.token > :after ORDER BY l.token LIMIT :limit

-- name: add_leftovers
INSERT INTO scheduler_leftovers (token)
SELECT n.token FROM @token_rows(:rows)
 WHERE NOT EXISTS (SELECT 1 FROM scheduler_leftovers e WHERE e.token = n.token)

-- name: drop_leftovers
@delete_listed(scheduler_leftovers, token, PRIMARY)

-- name: old_notifications
-- An id begins with the time of its decision.
SELECT o.id FROM scheduler_outbox o @by(scheduler_outbox_ended)
 WHERE o.state = :state AND o.ended_ms < :before ORDER BY o.ended_ms LIMIT :limit

-- name: purge_notifications
@delete_listed(scheduler_outbox, id, PRIMARY)

-- name: has_instances
SELECT 1 FROM scheduler_job_instances i @by(scheduler_job_instances_nominal)
 WHERE i.job_id = :job_id LIMIT 1

-- name: job_events
SELECT e.id FROM scheduler_events e @by(scheduler_events_job)
 WHERE e.job_id = :job_id ORDER BY e.id LIMIT :limit

-- name: purge_events
@delete_listed(scheduler_events, id, PRIMARY)

-- name: job_notifications
SELECT o.id FROM scheduler_outbox o @by(scheduler_outbox_job)
 WHERE o.job_id = :job_id ORDER BY o.id LIMIT :limit

-- name: purge_job_ranges
DELETE FROM scheduler_skip_ranges WHERE job_id = :job_id

-- name: purge_revisions
DELETE FROM scheduler_job_revisions WHERE job_id = :job_id

-- name: purge_revision_calendars
DELETE FROM scheduler_revision_calendars WHERE job_id = :job_id

-- name: purge_backfills
DELETE FROM scheduler_backfills WHERE job_id = :job_id

-- name: purge_job
DELETE FROM scheduler_jobs WHERE id = :job_id AND state = 'DELETED'
