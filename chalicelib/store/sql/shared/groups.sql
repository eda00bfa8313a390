-- fragment: group_columns
g.owner, g.name, g.size, g.description, g.edit, g.created_ms, g.created_by, g.modified_ms, g.modified_by

-- name: lock_groups
SELECT @group_columns
  FROM @listed(:ids) scheduler_groups g @by_primary ON g.owner = :owner AND g.name = listed.value
 ORDER BY g.name @for_update

-- name: groups
SELECT @group_columns FROM scheduler_groups g
 WHERE g.owner > ''
   AND g.owner = :owner  -- if owner
 ORDER BY g.owner, g.name

-- name: groups_named
SELECT @group_columns
  FROM @listed(:ids) scheduler_groups g @by_primary ON g.owner = :owner AND g.name = listed.value
 ORDER BY g.name

-- name: insert_group
INSERT INTO scheduler_groups (
       owner, name, size, description, edit, created_ms, created_by, modified_ms, modified_by)
VALUES (:owner, :name, :size, :description, :edit, :created_ms, :created_by, :modified_ms,
       :modified_by)

-- name: save_group
UPDATE scheduler_groups
   SET size = :size, description = :description, edit = :edit, modified_ms = :modified_ms,
       modified_by = :modified_by
 WHERE owner = :owner AND name = :name AND edit < :edit

-- name: delete_group
DELETE FROM scheduler_groups WHERE owner = :owner AND name = :name

-- name: group_jobs
SELECT j.id, j.name FROM scheduler_jobs j @by(scheduler_jobs_group)
 WHERE j.owner = :owner AND j.grp = :grp AND j.state <> 'DELETED'
 ORDER BY j.id LIMIT :limit

-- name: group_members
SELECT @instance_columns FROM scheduler_job_instances i @by(scheduler_job_instances_group)
 WHERE i.owner = :owner AND i.grp = :grp AND i.place = :place
 ORDER BY i.nominal_ms LIMIT :limit

-- name: group_places
SELECT i.grp, i.place, COUNT(*)
  FROM @listed(:ids) scheduler_job_instances i @by(scheduler_job_instances_group)
    ON i.owner = :owner AND i.grp = listed.value AND i.place >= 0
 GROUP BY i.grp, i.place

-- name: has_members
-- Who is in flight has its place; who waits may not have one yet, and an owner's that wait are bounded.
SELECT (SELECT 1 FROM scheduler_job_instances i @by(scheduler_job_instances_group)
         WHERE i.owner = :owner AND i.grp = :grp AND i.place >= 0 LIMIT 1),
       (SELECT 1 FROM scheduler_job_instances i @by(scheduler_job_instances_owner_state)
         WHERE i.owner = :owner AND i.state = 'WAITING' AND i.grp = :grp LIMIT 1)
