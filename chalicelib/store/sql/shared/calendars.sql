-- fragment: calendar_columns
c.owner, c.name, c.document, c.edit, c.created_ms, c.created_by, c.modified_ms, c.modified_by

-- name: calendars
SELECT @calendar_columns FROM scheduler_calendars c
 WHERE c.owner > ''
   AND c.owner = :owner  -- if owner
 ORDER BY c.owner, c.name

-- name: calendars_named
SELECT @calendar_columns
  FROM @listed(:ids) scheduler_calendars c @by_primary ON c.owner = :owner AND c.name = listed.value
 ORDER BY c.name

-- name: lock_calendars
SELECT @calendar_columns
  FROM @listed(:ids) scheduler_calendars c @by_primary ON c.owner = :owner AND c.name = listed.value
 ORDER BY c.name @for_update

-- name: insert_calendar
INSERT INTO scheduler_calendars (
       owner, name, document, edit, created_ms, created_by, modified_ms, modified_by)
VALUES (:owner, :name, :document, :edit, :created_ms, :created_by, :modified_ms, :modified_by)

-- name: save_calendar
UPDATE scheduler_calendars
   SET document = :document, edit = :edit, modified_ms = :modified_ms, modified_by = :modified_by
 WHERE owner = :owner AND name = :name AND edit < :edit

-- name: delete_calendar
DELETE FROM scheduler_calendars WHERE owner = :owner AND name = :name

-- name: calendar_jobs
SELECT u.job_id, j.name FROM scheduler_job_calendars u @joined scheduler_jobs j @by_primary
    ON j.id = u.job_id
 WHERE u.owner = :owner AND u.calendar = :calendar AND j.state <> 'DELETED'
 ORDER BY u.job_id LIMIT :limit

-- name: forget_job_calendars
DELETE FROM scheduler_job_calendars WHERE job_id = :job_id

-- name: insert_job_calendar
INSERT INTO scheduler_job_calendars (owner, calendar, job_id) VALUES (:owner, :calendar, :job_id)

-- name: insert_revision_calendars
INSERT INTO scheduler_revision_calendars (job_id, revision, calendars)
VALUES (:job_id, :revision, :calendars)

-- name: revision_calendars
SELECT r.job_id, r.revision, r.calendars
  FROM @revision_rows(:rows) @joined scheduler_revision_calendars r @by_primary
    ON r.job_id = n.job_id AND r.revision = n.revision
