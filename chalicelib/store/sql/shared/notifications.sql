-- fragment: notification_columns
o.id, o.owner, o.job_id, o.instance_id, o.event, o.channel, o.payload, o.state, o.attempts, o.wake_ms,
o.give_up_ms, o.error, o.created_ms, o.ended_ms

-- name: notification
SELECT @notification_columns FROM scheduler_outbox o
 WHERE o.id = :id
   AND @one_of(o.owner, :owners)  -- if owners

-- name: notifications
-- One owner and one state at a time: then an index has the order of the page.
SELECT @notification_columns FROM scheduler_outbox o
   @by_primary  -- if any_owner_and_state
   @by(scheduler_outbox_owner)  -- if owner_only
   @by(scheduler_outbox_state)  -- if state_only
   @by_either(scheduler_outbox_owner, scheduler_outbox_state)  -- if owner_and_state
   @by(scheduler_outbox_job)  -- if job_only
   @by(scheduler_outbox_job_state)  -- if job_and_state
 WHERE o.id < :after
   AND o.owner = :owner  -- if owner
   AND @one_of(o.owner, :owners)  -- if owners
   AND o.job_id = :job_id  -- if job_id
   AND o.state = :state  -- if state
 ORDER BY o.id DESC LIMIT :limit

-- name: due_notifications
-- Chosen without a lock, oldest first; locked afterwards in order of id, as everywhere.
SELECT o.wake_ms, o.id FROM scheduler_outbox o
 WHERE o.wake_ms <= :now
   AND (o.wake_ms > :after_ms OR (o.wake_ms = :after_ms AND o.id > :after))  -- if after
   AND o.wake_ms >= :after_ms  -- if after
 ORDER BY o.wake_ms, o.id LIMIT :limit

-- name: lock_due_notifications
SELECT @notification_columns
  FROM @listed(:ids) scheduler_outbox o @by_primary ON o.id = listed.value
 WHERE o.wake_ms <= :now
 ORDER BY o.id @for_update_skip_locked

-- name: lock_notifications
SELECT @notification_columns
  FROM @listed(:ids) scheduler_outbox o @by_primary ON o.id = listed.value
 ORDER BY o.id @for_update

-- name: insert_notifications
-- What was told already stays as it is.
INSERT INTO scheduler_outbox (
       id, owner, job_id, instance_id, event, channel, payload, state, attempts, wake_ms, give_up_ms,
       error, created_ms, ended_ms)
SELECT n.id, n.owner, n.job_id, n.instance_id, n.event, n.channel, n.payload, n.state, n.attempts,
       n.wake_ms, n.give_up_ms, n.error, n.created_ms, n.ended_ms
  FROM @notification_rows(:rows)
 WHERE NOT EXISTS (SELECT 1 FROM scheduler_outbox e WHERE e.id = n.id)

-- name: save_notification
UPDATE scheduler_outbox
   SET state = :state, attempts = :attempts, wake_ms = :wake_ms, give_up_ms = :give_up_ms,
       error = :error, ended_ms = :ended_ms
 WHERE id = :id

-- name: due_watches
SELECT w.instance_id, w.kind, w.job_id, w.due_ms FROM scheduler_watches w @by(scheduler_watches_due)
 WHERE w.due_ms <= :now
 ORDER BY w.due_ms LIMIT :limit

-- name: lock_watches
SELECT w.instance_id, w.kind, w.job_id, w.due_ms
  FROM @listed(:ids) scheduler_watches w @by_primary ON w.instance_id = listed.value
 ORDER BY w.instance_id, w.kind @for_update

-- name: insert_watches
-- What is watched already stays as it is.
INSERT INTO scheduler_watches (instance_id, kind, job_id, due_ms)
SELECT n.instance_id, n.kind, n.job_id, n.due_ms
  FROM @watch_rows(:rows)
 WHERE NOT EXISTS (SELECT 1 FROM scheduler_watches e
                    WHERE e.instance_id = n.instance_id AND e.kind = n.kind)
