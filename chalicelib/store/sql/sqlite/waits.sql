-- fragment: upstream_rows(rows)
(SELECT json_extract(value, '$.owner') AS owner,
         json_extract(value, '$.name') AS name,
         json_extract(value, '$.nominal_ms') AS nominal_ms
    FROM json_each(:rows)) AS n

-- fragment: wait_rows(rows)
(SELECT json_extract(value, '$.key_hash') AS key_hash,
         json_extract(value, '$.instance_id') AS instance_id
    FROM json_each(:rows)) AS n

-- name: wake_waiters
UPDATE scheduler_job_instances
   SET wake_ms = :now, version = version + 1
 WHERE id IN (SELECT value FROM json_each(:ids))
   AND state = 'WAITING' AND ready_ms IS NULL AND wake_ms > :now
   AND @one_of(owner, :owners)  -- if owners

-- name: forget_waits
DELETE FROM scheduler_waits INDEXED BY scheduler_waits_instance
 WHERE instance_id IN (SELECT value FROM json_each(:ids))
