-- name: upstreams
-- Ranges do not overlap: only the last one that begins before a time may hold it.
SELECT n.owner, n.name, n.nominal_ms, i.state, i.reason, s.reason
  FROM @upstream_rows(:rows) @joined scheduler_jobs j @by(scheduler_jobs_name)
    ON j.owner = n.owner AND j.name_key = n.name
  LEFT JOIN scheduler_job_instances i @by(scheduler_job_instances_nominal)
    ON i.job_id = j.id AND i.nominal_ms = n.nominal_ms
  LEFT JOIN scheduler_skip_ranges s
    ON s.job_id = j.id AND s.to_ms > n.nominal_ms
   AND s.from_ms = (SELECT MAX(e.from_ms) FROM scheduler_skip_ranges e
                     WHERE e.job_id = j.id AND e.from_ms <= n.nominal_ms)

-- name: waiters
SELECT w.instance_id
  FROM @listed(:ids) scheduler_waits w @by_primary ON w.key_hash = listed.value

-- name: save_waits
INSERT INTO scheduler_waits (key_hash, instance_id)
SELECT n.key_hash, n.instance_id
  FROM @wait_rows(:rows)
 WHERE NOT EXISTS (SELECT 1 FROM scheduler_waits e
                    WHERE e.key_hash = n.key_hash AND e.instance_id = n.instance_id)

-- name: waits
-- Each with whether its instance still waits for it.
SELECT w.key_hash, w.instance_id,
       CASE WHEN i.state = 'WAITING' AND i.ready_ms IS NULL THEN 1 ELSE 0 END
  FROM scheduler_waits w @by_primary
  LEFT JOIN scheduler_job_instances i @by_primary ON i.id = w.instance_id
 WHERE w.key_hash >= :after_key
   AND (w.key_hash > :after_key OR w.instance_id > :after)
 ORDER BY w.key_hash, w.instance_id LIMIT :limit

-- name: slot_holders
SELECT i.id FROM scheduler_job_instances i @by(scheduler_job_instances_active)
 WHERE i.job_id = :job_id AND i.active = 1
   AND i.backfill IS NULL  -- if of_job
   AND i.backfill = :backfill  -- if backfill
 LIMIT :limit
