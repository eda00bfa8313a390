-- fragment: job_columns
j.id, j.owner, j.name, j.state, j.revision, j.definition, j.cursor_ms, j.wake_ms,
j.suspended_by, j.suspended_reason, j.suspended_since_ms, j.suspended_until_ms,
j.failures, j.edit, j.created_ms, j.created_by, j.modified_ms, j.modified_by, j.calendars, j.grp,
j.streak

-- name: job
SELECT @job_columns FROM scheduler_jobs j
 WHERE j.id = :id
   AND @one_of(j.owner, :owners)  -- if owners

-- name: jobs_named
SELECT @job_columns FROM scheduler_jobs j
 WHERE j.name_key = :name
   AND @one_of(j.owner, :owners)  -- if owners
 ORDER BY j.owner

-- name: jobs
-- Deleted ones are shown only to who asks for them.
SELECT @job_columns FROM scheduler_jobs j
   @by(scheduler_jobs_owner)  -- if owner
 WHERE j.id > :after
   AND j.owner = :owner  -- if owner
   AND @one_of(j.state, :states)  -- if states
   AND j.state <> 'DELETED'  -- if living
   AND SUBSTR(j.name, 1, LENGTH(:name)) = :name  -- if name
   AND j.grp = :grp  -- if grp
   AND @has_tags(j.definition, :tags)  -- if tags
 ORDER BY j.id LIMIT :limit

-- name: job_names
SELECT j.id, j.name FROM @listed(:ids) scheduler_jobs j @by_primary ON j.id = listed.value

-- name: jobs_by_id
SELECT @job_columns FROM @listed(:ids) scheduler_jobs j @by_primary ON j.id = listed.value
 ORDER BY j.id

-- name: lock_jobs
SELECT @job_columns FROM @listed(:ids) scheduler_jobs j @by_primary ON j.id = listed.value
 ORDER BY j.id @for_update

-- name: due_jobs
-- Chosen without a lock, oldest first; locked afterwards in order of id, as everywhere.
SELECT j.wake_ms, j.id FROM scheduler_jobs j
 WHERE j.wake_ms <= :now
   AND (j.wake_ms > :after_ms OR (j.wake_ms = :after_ms AND j.id > :after))  -- if after
   AND j.wake_ms >= :after_ms  -- if after
 ORDER BY j.wake_ms, j.id LIMIT :limit

-- name: lock_due_jobs
SELECT @job_columns FROM @listed(:ids) scheduler_jobs j @by_primary ON j.id = listed.value
 WHERE j.wake_ms <= :now
 ORDER BY j.id @for_update_skip_locked

-- name: insert_job
INSERT INTO scheduler_jobs (
       id, owner, name, name_key, state, revision, definition, cursor_ms, wake_ms,
       suspended_by, suspended_reason, suspended_since_ms, suspended_until_ms, failures, edit,
       created_ms, created_by, modified_ms, modified_by, calendars, grp, streak)
VALUES (:id, :owner, :name, :name_key, :state, :revision, :definition, :cursor_ms, :wake_ms,
       :suspended_by, :suspended_reason, :suspended_since_ms, :suspended_until_ms, :failures,
       :edit, :created_ms, :created_by, :modified_ms, :modified_by, :calendars, :grp, :streak)

-- name: insert_revision
INSERT INTO scheduler_job_revisions (
       job_id, revision, definition, created_ms, created_by, reason, changed)
VALUES (:job_id, :revision, :definition, :created_ms, :created_by, :reason, :changed)

-- name: revise_job
UPDATE scheduler_jobs
   SET name = :name, name_key = CASE WHEN state = 'DELETED' THEN NULL ELSE :name END,
       definition = :definition, revision = :revision, calendars = :calendars, grp = :grp
 WHERE id = :id AND revision < :revision

-- name: name_holder
SELECT id FROM scheduler_jobs WHERE owner = :owner AND name_key = :name

-- name: revisions
-- Without the definitions, which may be long.
SELECT r.job_id, r.revision, r.created_ms, r.created_by, r.reason, r.changed
  FROM scheduler_job_revisions r
 WHERE r.job_id = :job_id
   AND r.revision < :before  -- if before
 ORDER BY r.revision DESC LIMIT :limit

-- name: revision
SELECT r.job_id, r.revision, r.created_ms, r.created_by, r.reason, r.changed, r.definition
  FROM scheduler_job_revisions r WHERE r.job_id = :job_id AND r.revision = :revision

-- name: definitions
SELECT r.job_id, r.revision, r.definition
  FROM @revision_rows(:rows) @joined scheduler_job_revisions r @by_primary
    ON r.job_id = n.job_id AND r.revision = n.revision

-- name: next_wakes
-- Each of them reads one entry of an index; the whole is the one question of an idle sweep. While all is
-- paused nothing begins, however much is due: then it reads those in flight, which are few.
SELECT CASE WHEN p.value = '' THEN (SELECT MIN(wake_ms) FROM scheduler_jobs WHERE wake_ms < :before) END,
       CASE WHEN p.value = ''
            THEN (SELECT MIN(wake_ms) FROM scheduler_job_instances WHERE wake_ms < :before)
            ELSE (SELECT MIN(i.wake_ms)
                    FROM scheduler_job_instances i @by(scheduler_job_instances_state)
                   WHERE i.state IN ('LAUNCHING', 'LAUNCHED', 'RUNNING') AND i.wake_ms < :before
                     AND p.value <> '') END,
       CASE WHEN p.value = '' THEN (SELECT MIN(wake_ms) FROM scheduler_backfills WHERE wake_ms < :before) END,
       CASE WHEN p.value = '' THEN (SELECT MIN(due_ms) FROM scheduler_watches WHERE due_ms < :before) END,
       (SELECT MIN(wake_ms) FROM scheduler_outbox WHERE wake_ms < :before),
       p.value
  FROM scheduler_meta p @by_primary WHERE p.name = 'pause'
