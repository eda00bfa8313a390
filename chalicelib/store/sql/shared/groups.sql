-- fragment: group_columns
g.owner, g.name, g.size, g.description, g.edit, g.created_ms, g.created_by, g.modified_ms, g.modified_by

-- name: lock_groups
SELECT @group_columns
  FROM @listed(:ids) scheduler_groups g @by_primary ON g.owner = :owner AND g.name = listed.value
 ORDER BY g.name @for_update
