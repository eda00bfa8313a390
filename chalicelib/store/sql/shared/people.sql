-- name: owners
SELECT name FROM scheduler_owners ORDER BY name

-- name: insert_owner
INSERT INTO scheduler_owners (name, created_ms) VALUES (:name, :now)

-- name: principal
SELECT t.principal, t.admin, m.owner, m.role
  FROM scheduler_tokens t LEFT JOIN scheduler_members m ON m.principal = t.principal
 WHERE t.token_hash = :token_hash

-- name: roles_of
SELECT m.owner, m.role
  FROM @listed(:ids) scheduler_members m @by(scheduler_members_principal) ON m.principal = listed.value

-- name: insert_token
INSERT INTO scheduler_tokens (token_hash, principal, admin, created_ms)
VALUES (:token_hash, :principal, :admin, :now)

-- name: memberships
SELECT principal, owner, role FROM scheduler_members WHERE owner = :owner ORDER BY principal

-- name: delete_membership
DELETE FROM scheduler_members WHERE owner = :owner AND principal = :principal

-- name: remembered
SELECT owner, request_key, fingerprint, status, body, created_ms
  FROM scheduler_requests WHERE id = :id

-- name: remember
INSERT INTO scheduler_requests (id, owner, request_key, fingerprint, status, body, created_ms)
VALUES (:id, :owner, :request_key, :fingerprint, :status, :body, :created_ms)

-- name: old_requests
SELECT r.id FROM scheduler_requests r @by(scheduler_requests_created)
 WHERE r.created_ms < :before
 ORDER BY r.created_ms LIMIT :limit

-- name: forget_requests
@delete_listed(scheduler_requests, id, PRIMARY)

-- name: forget_writers
DELETE FROM scheduler_writers WHERE seen_ms < :before
