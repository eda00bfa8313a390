-- Lists travel as one JSON parameter. Collations are named: a list in another collation than the column's
-- would hide the column's index.

-- DISTINCT makes it a table of its own: MySQL refuses to lock rows beside a bare JSON_TABLE.
-- fragment: listed(list)
(SELECT DISTINCT value
   FROM JSON_TABLE(:list, '$[*]' COLUMNS (
        value VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$')) AS list) AS listed STRAIGHT_JOIN

-- fragment: one_of(value, list)
JSON_CONTAINS(:list, JSON_QUOTE(:value))

-- Without a named index a small table is scanned whole, and every row that was looked at is locked.
-- fragment: by_primary
FORCE INDEX (PRIMARY)

-- fragment: by(index)
FORCE INDEX (:index)

-- fragment: by_either(index, other)
USE INDEX (:index, :other)

-- JSON_CONTAINS would take an escaped character and the character itself for two.
-- fragment: has_tags(definition, tags)
NOT EXISTS (SELECT 1 FROM JSON_TABLE(:tags, '$[*]' COLUMNS (
         name VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.name',
         value VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.value')) AS wanted
  WHERE NOT CAST(wanted.value AS BINARY) <=> CAST(JSON_UNQUOTE(JSON_EXTRACT(
        :definition, CONCAT('$.tags.', JSON_QUOTE(wanted.name)))) AS BINARY))

-- fragment: for_update
FOR UPDATE

-- fragment: for_share
LOCK IN SHARE MODE

-- fragment: for_update_skip_locked
FOR UPDATE SKIP LOCKED

-- fragment: job_rows(rows)
JSON_TABLE(:rows, '$[*]' COLUMNS (
         id VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
         state VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.state',
         revision INT PATH '$.revision',
         cursor_ms BIGINT PATH '$.cursor_ms',
         wake_ms BIGINT PATH '$.wake_ms',
         suspended_by VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.suspended_by',
         suspended_reason MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.suspended_reason',
         suspended_since_ms BIGINT PATH '$.suspended_since_ms',
         suspended_until_ms BIGINT PATH '$.suspended_until_ms',
         failures INT PATH '$.failures',
         streak INT PATH '$.streak',
         edit INT PATH '$.edit',
         modified_ms BIGINT PATH '$.modified_ms',
         modified_by VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.modified_by')) AS n

-- fragment: instance_rows(rows)
JSON_TABLE(:rows, '$[*]' COLUMNS (
         id VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
         job_id VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.job_id',
         owner VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.owner',
         nominal_ms BIGINT PATH '$.nominal_ms',
         kind VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.kind',
         parameters MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.parameters',
         state VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.state',
         reason VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.reason',
         revision INT PATH '$.revision',
         run INT PATH '$.run',
         attempt INT PATH '$.attempt',
         version INT PATH '$.version',
         wake_ms BIGINT PATH '$.wake_ms',
         deadline_ms BIGINT PATH '$.deadline_ms',
         active TINYINT PATH '$.active',
         claim_epoch INT PATH '$.claim_epoch',
         lease_ms BIGINT PATH '$.lease_ms',
         claim_count INT PATH '$.claim_count',
         stop_kind VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.stop_kind',
         stop_by VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.stop_by',
         stop_reason MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.stop_reason',
         stop_deadline_ms BIGINT PATH '$.stop_deadline_ms',
         external_id MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.external_id',
         external_url MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.external_url',
         handle MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.handle',
         result_path MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.result_path',
         log_path MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.log_path',
         error MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.error',
         waiting_on MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.waiting_on',
         created_ms BIGINT PATH '$.created_ms',
         run_created_ms BIGINT PATH '$.run_created_ms',
         ready_ms BIGINT PATH '$.ready_ms',
         launched_ms BIGINT PATH '$.launched_ms',
         started_ms BIGINT PATH '$.started_ms',
         ended_ms BIGINT PATH '$.ended_ms',
         tzdata VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.tzdata',
         backfill VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.backfill',
         overlap VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.overlap',
         max_active INT PATH '$.max_active',
         grp VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.grp',
         place TINYINT PATH '$.place',
         checks INT PATH '$.checks',
         checked_ms BIGINT PATH '$.checked_ms',
         findings MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.findings',
         launch_attempt INT PATH '$.launch_attempt',
         asked_ms BIGINT PATH '$.asked_ms',
         heard_ms BIGINT PATH '$.heard_ms',
         said MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.said')) AS n

-- fragment: run_rows(rows)
JSON_TABLE(:rows, '$[*]' COLUMNS (
         instance_id VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.instance_id',
         number INT PATH '$.number',
         state VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.state',
         reason VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.reason',
         external_id MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.external_id',
         external_url MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.external_url',
         handle MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.handle',
         result_path MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.result_path',
         log_path MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.log_path',
         error MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.error',
         created_ms BIGINT PATH '$.created_ms',
         launched_ms BIGINT PATH '$.launched_ms',
         started_ms BIGINT PATH '$.started_ms',
         ended_ms BIGINT PATH '$.ended_ms')) AS n

-- fragment: skip_rows(rows)
JSON_TABLE(:rows, '$[*]' COLUMNS (
         job_id VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.job_id',
         from_ms BIGINT PATH '$.from_ms',
         to_ms BIGINT PATH '$.to_ms',
         reason VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.reason',
         revision INT PATH '$.revision',
         run INT PATH '$.run')) AS n

-- fragment: event_rows(rows)
JSON_TABLE(:rows, '$[*]' COLUMNS (
         id VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
         owner VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.owner',
         job_id VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.job_id',
         instance_id VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.instance_id',
         at_ms BIGINT PATH '$.at_ms',
         actor VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.actor',
         verb VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.verb',
         reason MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.reason',
         detail MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.detail')) AS n

-- fragment: revision_rows(rows)
JSON_TABLE(:rows, '$[*]' COLUMNS (
         job_id VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.job_id',
         revision INT PATH '$.revision')) AS n

-- fragment: joined
STRAIGHT_JOIN

-- fragment: delete_listed(table, column, index)
DELETE t FROM @listed(:ids) :table t FORCE INDEX (:index) ON t.:column = listed.value

-- fragment: token_rows(rows)
JSON_TABLE(:rows, '$[*]' COLUMNS (
         token VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$')) AS n
-- fragment: notification_rows(rows)
JSON_TABLE(:rows, '$[*]' COLUMNS (
         id VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
         owner VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.owner',
         job_id VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.job_id',
         instance_id VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.instance_id',
         event VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.event',
         channel MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.channel',
         payload MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.payload',
         state VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.state',
         attempts INT PATH '$.attempts',
         wake_ms BIGINT PATH '$.wake_ms',
         give_up_ms BIGINT PATH '$.give_up_ms',
         error MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.error',
         created_ms BIGINT PATH '$.created_ms',
         ended_ms BIGINT PATH '$.ended_ms')) AS n

-- fragment: watch_rows(rows)
JSON_TABLE(:rows, '$[*]' COLUMNS (
         instance_id VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.instance_id',
         kind VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.kind',
         job_id VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.job_id',
         due_ms BIGINT PATH '$.due_ms')) AS n
