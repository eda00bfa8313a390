-- name: skip_ranges
-- Ranges do not overlap, so those that touch the span begin with the last one that begins before it.
SELECT s.job_id, s.from_ms, s.to_ms, s.reason, s.revision, s.run FROM scheduler_skip_ranges s
 WHERE s.job_id = :job_id AND s.from_ms < :to_ms AND s.to_ms > :from_ms
   AND s.from_ms >= COALESCE((SELECT MAX(e.from_ms) FROM scheduler_skip_ranges e
                               WHERE e.job_id = :job_id AND e.from_ms <= :from_ms), 0)
 ORDER BY s.from_ms

-- name: insert_skip_ranges
INSERT INTO scheduler_skip_ranges (job_id, from_ms, to_ms, reason, revision, run)
SELECT n.job_id, n.from_ms, n.to_ms, n.reason, n.revision, n.run FROM @skip_rows(:rows)

-- name: events
SELECT e.id, e.owner, e.job_id, e.instance_id, e.at_ms, e.actor, e.verb, e.reason, e.detail
  FROM scheduler_events e
   @by(scheduler_events_instance)  -- if instance_id
   @by(scheduler_events_job)  -- if job_only
   @by(scheduler_events_owner)  -- if owner_only
 WHERE e.id < :after
   AND e.owner = :owner  -- if owner
   AND @one_of(e.owner, :owners)  -- if owners
   AND e.job_id = :job_id  -- if job_id
   AND e.instance_id = :instance_id  -- if instance_id
   AND e.verb = :verb  -- if verb
   AND e.actor = :actor  -- if actor
   AND e.at_ms >= :from_ms  -- if from_ms
   AND e.at_ms < :to_ms  -- if to_ms
 ORDER BY e.id DESC LIMIT :limit

-- name: insert_events
INSERT INTO scheduler_events (id, owner, job_id, instance_id, at_ms, actor, verb, reason, detail)
SELECT n.id, n.owner, n.job_id, n.instance_id, n.at_ms, n.actor, n.verb, n.reason, n.detail
  FROM @event_rows(:rows)
