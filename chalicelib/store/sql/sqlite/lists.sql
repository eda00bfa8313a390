-- Lists travel as one JSON parameter. CROSS JOIN keeps SQLite from turning the join round.

-- fragment: listed(list)
json_each(:list) AS listed CROSS JOIN

-- fragment: one_of(value, list)
:value IN (SELECT value FROM json_each(:list))

-- fragment: by_primary

-- fragment: by(index)
INDEXED BY :index

-- fragment: by_either(index, other)

-- fragment: has_tags(definition, tags)
NOT EXISTS (SELECT 1 FROM json_each(:tags) AS wanted
             WHERE NOT EXISTS (SELECT 1 FROM json_each(:definition, '$.tags') AS tag
                                WHERE tag.key = json_extract(wanted.value, '$.name')
                                  AND tag.value = json_extract(wanted.value, '$.value')))

-- The immediate transaction is the lock: rows need none.
-- fragment: for_update

-- fragment: for_share

-- fragment: for_update_skip_locked

-- fragment: job_rows(rows)
(SELECT json_extract(value, '$.id') AS id,
         json_extract(value, '$.state') AS state,
         json_extract(value, '$.revision') AS revision,
         json_extract(value, '$.cursor_ms') AS cursor_ms,
         json_extract(value, '$.wake_ms') AS wake_ms,
         json_extract(value, '$.suspended_by') AS suspended_by,
         json_extract(value, '$.suspended_reason') AS suspended_reason,
         json_extract(value, '$.suspended_since_ms') AS suspended_since_ms,
         json_extract(value, '$.suspended_until_ms') AS suspended_until_ms,
         json_extract(value, '$.failures') AS failures,
         json_extract(value, '$.streak') AS streak,
         json_extract(value, '$.edit') AS edit,
         json_extract(value, '$.modified_ms') AS modified_ms,
         json_extract(value, '$.modified_by') AS modified_by
    FROM json_each(:rows)) AS n

-- fragment: instance_rows(rows)
(SELECT json_extract(value, '$.id') AS id,
         json_extract(value, '$.job_id') AS job_id,
         json_extract(value, '$.owner') AS owner,
         json_extract(value, '$.nominal_ms') AS nominal_ms,
         json_extract(value, '$.kind') AS kind,
         json_extract(value, '$.parameters') AS parameters,
         json_extract(value, '$.state') AS state,
         json_extract(value, '$.reason') AS reason,
         json_extract(value, '$.revision') AS revision,
         json_extract(value, '$.run') AS run,
         json_extract(value, '$.attempt') AS attempt,
         json_extract(value, '$.version') AS version,
         json_extract(value, '$.wake_ms') AS wake_ms,
         json_extract(value, '$.deadline_ms') AS deadline_ms,
         json_extract(value, '$.active') AS active,
         json_extract(value, '$.claim_epoch') AS claim_epoch,
         json_extract(value, '$.lease_ms') AS lease_ms,
         json_extract(value, '$.claim_count') AS claim_count,
         json_extract(value, '$.stop_kind') AS stop_kind,
         json_extract(value, '$.stop_by') AS stop_by,
         json_extract(value, '$.stop_reason') AS stop_reason,
         json_extract(value, '$.stop_deadline_ms') AS stop_deadline_ms,
         json_extract(value, '$.external_id') AS external_id,
         json_extract(value, '$.external_url') AS external_url,
         json_extract(value, '$.handle') AS handle,
         json_extract(value, '$.result_path') AS result_path,
         json_extract(value, '$.log_path') AS log_path,
         json_extract(value, '$.error') AS error,
         json_extract(value, '$.waiting_on') AS waiting_on,
         json_extract(value, '$.created_ms') AS created_ms,
         json_extract(value, '$.run_created_ms') AS run_created_ms,
         json_extract(value, '$.ready_ms') AS ready_ms,
         json_extract(value, '$.launched_ms') AS launched_ms,
         json_extract(value, '$.started_ms') AS started_ms,
         json_extract(value, '$.ended_ms') AS ended_ms,
         json_extract(value, '$.tzdata') AS tzdata,
         json_extract(value, '$.backfill') AS backfill,
         json_extract(value, '$.overlap') AS overlap,
         json_extract(value, '$.max_active') AS max_active,
         json_extract(value, '$.grp') AS grp,
         json_extract(value, '$.place') AS place,
         json_extract(value, '$.checks') AS checks,
         json_extract(value, '$.checked_ms') AS checked_ms,
         json_extract(value, '$.findings') AS findings,
         json_extract(value, '$.launch_attempt') AS launch_attempt,
         json_extract(value, '$.asked_ms') AS asked_ms,
         json_extract(value, '$.heard_ms') AS heard_ms,
         json_extract(value, '$.said') AS said
    FROM json_each(:rows)) AS n

-- fragment: run_rows(rows)
(SELECT json_extract(value, '$.instance_id') AS instance_id,
         json_extract(value, '$.number') AS number,
         json_extract(value, '$.state') AS state,
         json_extract(value, '$.reason') AS reason,
         json_extract(value, '$.external_id') AS external_id,
         json_extract(value, '$.external_url') AS external_url,
         json_extract(value, '$.handle') AS handle,
         json_extract(value, '$.result_path') AS result_path,
         json_extract(value, '$.log_path') AS log_path,
         json_extract(value, '$.error') AS error,
         json_extract(value, '$.created_ms') AS created_ms,
         json_extract(value, '$.launched_ms') AS launched_ms,
         json_extract(value, '$.started_ms') AS started_ms,
         json_extract(value, '$.ended_ms') AS ended_ms
    FROM json_each(:rows)) AS n

-- fragment: skip_rows(rows)
(SELECT json_extract(value, '$.job_id') AS job_id,
         json_extract(value, '$.from_ms') AS from_ms,
         json_extract(value, '$.to_ms') AS to_ms,
         json_extract(value, '$.reason') AS reason,
         json_extract(value, '$.revision') AS revision,
         json_extract(value, '$.run') AS run
    FROM json_each(:rows)) AS n

-- fragment: event_rows(rows)
(SELECT json_extract(value, '$.id') AS id,
         json_extract(value, '$.owner') AS owner,
         json_extract(value, '$.job_id') AS job_id,
         json_extract(value, '$.instance_id') AS instance_id,
         json_extract(value, '$.at_ms') AS at_ms,
         json_extract(value, '$.actor') AS actor,
         json_extract(value, '$.verb') AS verb,
         json_extract(value, '$.reason') AS reason,
         json_extract(value, '$.detail') AS detail
    FROM json_each(:rows)) AS n

-- fragment: revision_rows(rows)
(SELECT json_extract(value, '$.job_id') AS job_id,
         json_extract(value, '$.revision') AS revision
    FROM json_each(:rows)) AS n

-- fragment: joined
CROSS JOIN

-- fragment: delete_listed(table, column, index)
DELETE FROM :table WHERE :column IN (SELECT value FROM json_each(:ids))

-- fragment: token_rows(rows)
(SELECT value AS token FROM json_each(:rows)) AS n
-- fragment: notification_rows(rows)
(SELECT json_extract(value, '$.id') AS id,
         json_extract(value, '$.owner') AS owner,
         json_extract(value, '$.job_id') AS job_id,
         json_extract(value, '$.instance_id') AS instance_id,
         json_extract(value, '$.event') AS event,
         json_extract(value, '$.channel') AS channel,
         json_extract(value, '$.payload') AS payload,
         json_extract(value, '$.state') AS state,
         json_extract(value, '$.attempts') AS attempts,
         json_extract(value, '$.wake_ms') AS wake_ms,
         json_extract(value, '$.give_up_ms') AS give_up_ms,
         json_extract(value, '$.error') AS error,
         json_extract(value, '$.created_ms') AS created_ms,
         json_extract(value, '$.ended_ms') AS ended_ms
    FROM json_each(:rows)) AS n

-- fragment: watch_rows(rows)
(SELECT json_extract(value, '$.instance_id') AS instance_id,
         json_extract(value, '$.kind') AS kind,
         json_extract(value, '$.job_id') AS job_id,
         json_extract(value, '$.due_ms') AS due_ms
    FROM json_each(:rows)) AS n
