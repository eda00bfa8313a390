-- fragment: upstream_rows(rows)
JSON_TABLE(:rows, '$[*]' COLUMNS (
         owner VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.owner',
         name VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.name',
         nominal_ms BIGINT PATH '$.nominal_ms')) AS n

-- fragment: wait_rows(rows)
JSON_TABLE(:rows, '$[*]' COLUMNS (
         key_hash VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.key_hash',
         instance_id VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.instance_id')) AS n

-- name: wake_waiters
UPDATE @listed(:ids) scheduler_job_instances i @by_primary ON i.id = listed.value
   SET i.wake_ms = :now, i.version = i.version + 1
 WHERE i.state = 'WAITING' AND i.ready_ms IS NULL AND i.wake_ms > :now
   AND @one_of(i.owner, :owners)  -- if owners

-- name: forget_waits
DELETE w FROM @listed(:ids) scheduler_waits w @by(scheduler_waits_instance)
    ON w.instance_id = listed.value
